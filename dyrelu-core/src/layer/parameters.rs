//! The parameters of a layer, or their gradients: named arrays in a fixed order.

use super::set_len;
use crate::{DynamicActivation, Error, Scalar, Sharing};
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

/// A parameter before it has values.
struct Declaration {
    name: &'static str,
    shape: Vec<usize>,
    /// The inputs of a unit, for the initial range.
    inputs: usize,
}

/// The parameters of a layer.
///
/// # Errors
///
/// When the parameters would not fit into memory.
fn declare<A: DynamicActivation, T: Scalar>(
    channels: usize,
    hidden: usize,
) -> Result<Vec<Declaration>, Error> {
    let too_many = || Error::Option {
        option: "channels × hidden units",
        expected: "small enough for the parameters to fit into memory",
        found: format!("{channels} × {hidden}"),
    };
    let sets = if A::SHARING == Sharing::SpatialAndChannel {
        1
    } else {
        channels
    };
    let outputs = set_len::<A>().checked_mul(sets).ok_or_else(too_many)?;
    let mut shapes = vec![
        (vec![hidden, channels], channels),
        (vec![hidden], channels),
        (vec![outputs, hidden], hidden),
        (vec![outputs], hidden),
    ];
    if A::SHARING == Sharing::Unshared {
        shapes.push((vec![1, channels], channels));
        shapes.push((vec![1], channels));
    }
    let declarations = names::<A>().iter().zip(shapes).map(|(name, (shape, inputs))| {
        let bytes = shape
            .iter()
            .try_fold(size_of::<T>(), |bytes, &len| bytes.checked_mul(len));
        bytes
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or_else(too_many)?;
        Ok(Declaration { name, shape, inputs })
    });
    declarations.collect()
}

impl<T: Scalar> Parameters<T> {
    /// Weights and biases from U(−1/√inputs, 1/√inputs), the default of PyTorch's linear layers.
    ///
    /// The numbers are drawn as `f64`: `f32` layers get the same ones, rounded.
    pub(super) fn random<A: DynamicActivation>(
        channels: usize,
        hidden: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let declarations = declare::<A, T>(channels, hidden)?;
        let arrays = declarations
            .into_iter()
            .map(|Declaration { name, shape, inputs }| {
                let bound = 1.0 / (inputs as f64).sqrt();
                let array = ArrayD::from_shape_simple_fn(IxDyn(&shape), || {
                    T::from_f64(rng.random_range(-bound..=bound))
                });
                (name, array)
            });
        Ok(Self(arrays.collect()))
    }

    /// Arrays of zeros with the names and shapes of `self`.
    pub(super) fn zeros_like(&self) -> Self {
        let zeros = self
            .0
            .iter()
            .map(|(name, array)| (*name, ArrayD::from_elem(array.raw_dim(), T::default())));
        Self(zeros.collect())
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewD<'_, T>)> {
        self.0.iter().map(|(name, array)| (*name, array.view()))
    }

    pub(super) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewMutD<'_, T>)> {
        self.0.iter_mut().map(|(name, array)| (*name, array.view_mut()))
    }

    /// The values of a parameter; empty if the layer has none of this name.
    pub(super) fn slice(&self, name: &str) -> &[T] {
        self.0
            .iter()
            .find(|(found, _)| *found == name)
            .map_or(&[], |(_, array)| {
                array.as_slice().expect("parameters are in standard layout")
            })
    }

    /// The values of several parameters, to be changed at the same time; empty for each that there is not.
    pub(super) fn slices_mut<const M: usize>(&mut self, names: [&str; M]) -> [&mut [T]; M] {
        let mut slices = names.map(|_| [].as_mut_slice());
        for (found, array) in &mut self.0 {
            if let Some(i) = names.iter().position(|name| name == found) {
                slices[i] = array.as_slice_mut().expect("parameters are in standard layout");
            }
        }
        slices
    }
}
