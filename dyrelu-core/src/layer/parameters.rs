//! The parameters of a layer, or their gradients: named arrays in a fixed order.

use super::{set_len, slice, slice_mut};
use crate::{Coefficient, DynamicActivation, Error, PerPiece, Scalar, Sharing, Source};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) const FC1_WEIGHT: &str = "fc1.weight";
pub(super) const FC1_BIAS: &str = "fc1.bias";
pub(super) const FC2_WEIGHT: &str = "fc2.weight";
pub(super) const FC2_BIAS: &str = "fc2.bias";
pub(super) const ATTENTION_WEIGHT: &str = "attention.weight";
pub(super) const ATTENTION_BIAS: &str = "attention.bias";

/// Named arrays, all in standard layout.
#[derive(Debug, Clone)]
pub(super) struct Parameters<T>(Vec<(&'static str, ArrayD<T>)>);

/// The names of a layer's parameters.
pub(super) const fn names<A: DynamicActivation>() -> &'static [&'static str] {
    const NAMES: [&str; 6] = [
        FC1_WEIGHT,
        FC1_BIAS,
        FC2_WEIGHT,
        FC2_BIAS,
        ATTENTION_WEIGHT,
        ATTENTION_BIAS,
    ];
    if matches!(A::SHARING, Sharing::Unshared) {
        &NAMES
    } else {
        NAMES.split_at(4).0
    }
}

/// λ of a coefficient; 0 if it is not dynamic.
pub(super) const fn lambda_of(coefficient: &Coefficient) -> PerPiece {
    match coefficient.source {
        Source::Dynamic { lambda, .. } => lambda,
        Source::Learned { .. } => PerPiece::Same(0.0),
    }
}

/// A parameter before it has values.
pub(super) struct Declaration {
    pub(super) name: &'static str,
    pub(super) shape: Vec<usize>,
    /// The inputs of a unit, for the initial range.
    inputs: usize,
}

/// The parameters of a layer, if the number of outputs can be counted.
fn declare<A: DynamicActivation>(channels: usize, hidden: usize) -> Option<Vec<Declaration>> {
    let sets = if A::SHARING == Sharing::SpatialAndChannel {
        1
    } else {
        channels
    };
    let outputs = set_len::<A>().checked_mul(sets)?;
    let shapes = [
        (vec![hidden, channels], channels),
        (vec![hidden], channels),
        (vec![outputs, hidden], hidden),
        (vec![outputs], hidden),
        (vec![1, channels], channels),
        (vec![1], channels),
    ];
    let declarations = names::<A>().iter().zip(shapes);
    Some(
        declarations
            .map(|(name, (shape, inputs))| Declaration { name, shape, inputs })
            .collect(),
    )
}

/// That the parameters do not fit into memory.
fn too_many(channels: usize, hidden: usize) -> Error {
    Error::Option {
        option: "channels × hidden units",
        expected: "small enough for the parameters to fit into memory",
        found: format!("{channels} × {hidden}"),
    }
}

impl<T: Scalar> Parameters<T> {
    /// The parameters of a layer, with the values that `values` has for each.
    pub(super) fn new<A: DynamicActivation>(
        channels: usize,
        hidden: usize,
        mut values: impl FnMut(&Declaration) -> Result<ArrayD<T>, Error>,
    ) -> Result<Self, Error> {
        let declarations = declare::<A>(channels, hidden).ok_or_else(|| too_many(channels, hidden))?;
        let arrays = declarations
            .into_iter()
            .map(|declaration| Ok((declaration.name, values(&declaration)?)));
        arrays.collect::<Result<_, _>>().map(Self)
    }

    /// Weights and biases from U(−1/√inputs, 1/√inputs), the default of PyTorch's linear layers.
    ///
    /// The numbers are drawn as `f64`: `f32` layers get the same ones, rounded.
    pub(super) fn random<A: DynamicActivation>(
        channels: usize,
        hidden: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::new::<A>(channels, hidden, |Declaration { shape, inputs, .. }| {
            let too_many = || too_many(channels, hidden);
            let len = shape
                .iter()
                .try_fold(1_usize, |len, &axis| len.checked_mul(axis))
                .ok_or_else(too_many)?;
            let mut values = Vec::new();
            values.try_reserve_exact(len).map_err(|_| too_many())?;
            let bound = 1.0 / (*inputs as f64).sqrt();
            let random = || T::from_f64(rng.random_range(-bound..=bound));
            values.extend(core::iter::repeat_with(random).take(len));
            Ok(ArrayD::from_shape_vec(IxDyn(shape), values).expect("as many values as the shape has"))
        })
    }

    /// Arrays of zeros with the names and shapes of `self`.
    pub(super) fn zeros_like(&self) -> Self {
        let zeros = self
            .0
            .iter()
            .map(|(name, array)| (*name, ArrayD::from_elem(array.raw_dim(), T::default())));
        Self(zeros.collect())
    }

    /// Whether the arrays have the names and shapes of those of `other`.
    pub(super) fn has_shapes_of(&self, other: &Self) -> bool {
        let shapes = |(name, array): &(&'static str, ArrayD<T>)| (*name, array.raw_dim());
        self.0.iter().map(shapes).eq(other.0.iter().map(shapes))
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewD<'_, T>)> {
        self.0.iter().map(|(name, array)| (*name, array.view()))
    }

    pub(super) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewMutD<'_, T>)> {
        self.0.iter_mut().map(|(name, array)| (*name, array.view_mut()))
    }

    /// The array of this name.
    pub(super) fn get(&self, name: &str) -> Option<ArrayViewD<'_, T>> {
        self.iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The array of this name, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<ArrayViewMutD<'_, T>> {
        self.iter_mut()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The values of a parameter that the layer has.
    pub(super) fn slice(&self, name: &str) -> &[T] {
        let array = self
            .0
            .iter()
            .find_map(|(found, array)| (*found == name).then_some(array));
        slice(array.expect("a parameter of this kind of layer"))
    }

    /// The values of several parameters, to be changed at the same time; empty for each that there is not.
    pub(super) fn slices_mut<const M: usize>(&mut self, names: [&str; M]) -> [&mut [T]; M] {
        let mut slices = names.map(|_| [].as_mut_slice());
        for (found, array) in &mut self.0 {
            if let Some(i) = names.iter().position(|name| name == found) {
                slices[i] = slice_mut(array);
            }
        }
        slices
    }
}
