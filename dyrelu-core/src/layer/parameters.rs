//! The parameters of a layer, or their gradients: named arrays in a fixed order.

use super::sizes::{Sizes, hyper_layers, set_shape};
use super::{is_normalised, slice, slice_mut};
use crate::{Coefficient, DynamicActivation, Error, PerPiece, Scalar, Sharing, Source};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) const FC_WEIGHT: &str = "fc.weight";
pub(super) const FC_BIAS: &str = "fc.bias";
pub(super) const FC1_WEIGHT: &str = "fc1.weight";
pub(super) const FC1_BIAS: &str = "fc1.bias";
pub(super) const FC2_WEIGHT: &str = "fc2.weight";
pub(super) const FC2_BIAS: &str = "fc2.bias";
pub(super) const ATTENTION_WEIGHT: &str = "attention.weight";
pub(super) const ATTENTION_BIAS: &str = "attention.bias";
pub(super) const NORM_WEIGHT: &str = "attention.norm.weight";
pub(super) const NORM_BIAS: &str = "attention.norm.bias";

/// Those that have a row for each output of the hyper function.
pub(super) const OUTPUTS: [&str; 4] = [FC_WEIGHT, FC_BIAS, FC2_WEIGHT, FC2_BIAS];

/// Named arrays, all in standard layout.
#[derive(Debug, Clone)]
pub(super) struct Parameters<T>(Vec<(&'static str, ArrayD<T>)>);

/// A parameter before it has values, see [`LayerBuilder::declarations`](super::LayerBuilder::declarations).
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Its name.
    pub name: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values to begin with.
    pub initial: Initial,
}

/// The values of a new parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// From U(−1/√inputs, 1/√inputs) for this many inputs of a unit.
    Uniform {
        /// The length of a row of the weight.
        inputs: usize,
    },
    /// One for each of the K pieces, which are the second axis if there are several; the same for all channels.
    PerPiece(PerPiece),
    /// The same everywhere.
    Constant(f64),
}

/// The names of a layer's parameters.
pub(super) fn names<A: DynamicActivation>() -> Vec<&'static str> {
    let sizes = Sizes {
        channels: 1,
        inputs: 1,
        hidden: 1,
        outputs: 1,
        groups: 1,
    };
    declare::<A>(sizes)
        .iter()
        .map(|declaration| declaration.name)
        .collect()
}

/// The parameters of a layer, in their order.
pub(super) fn declare<A: DynamicActivation>(sizes: Sizes) -> Vec<Declaration> {
    let Sizes {
        channels,
        inputs,
        hidden,
        outputs,
        ..
    } = sizes;
    let uniform = |name, shape, inputs| Declaration {
        name,
        shape,
        initial: Initial::Uniform { inputs },
    };
    let mut declarations = match hyper_layers::<A>() {
        0 => vec![],
        1 => vec![
            uniform(FC_WEIGHT, vec![outputs, inputs], inputs),
            uniform(FC_BIAS, vec![outputs], inputs),
        ],
        _ => vec![
            uniform(FC1_WEIGHT, vec![hidden, inputs], inputs),
            uniform(FC1_BIAS, vec![hidden], inputs),
            uniform(FC2_WEIGHT, vec![outputs, hidden], hidden),
            uniform(FC2_BIAS, vec![outputs], hidden),
        ],
    };
    for (_, coefficient, sets) in learned::<A>(channels) {
        let [_, pieces] = set_shape::<A>();
        declarations.push(Declaration {
            name: coefficient.name,
            shape: if pieces == 1 {
                vec![sets]
            } else {
                vec![sets, pieces]
            },
            initial: Initial::PerPiece(coefficient.init),
        });
    }
    if A::SHARING == Sharing::Unshared {
        declarations.push(uniform(ATTENTION_WEIGHT, vec![1, channels], channels));
        declarations.push(uniform(ATTENTION_BIAS, vec![1], channels));
        if is_normalised::<A>() {
            for (name, value) in [(NORM_WEIGHT, 1.0), (NORM_BIAS, 0.0)] {
                declarations.push(Declaration {
                    name,
                    shape: vec![1],
                    initial: Initial::Constant(value),
                });
            }
        }
    }
    declarations
}

/// The learned coefficients: each with its place in a set, and the number of sets that it has values for.
pub(super) fn learned<A: DynamicActivation>(
    channels: usize,
) -> impl Iterator<Item = (usize, &'static Coefficient, usize)> {
    let coefficients = A::COEFFICIENTS.iter().enumerate();
    coefficients.filter_map(move |(p, coefficient)| match coefficient.source {
        Source::Learned { shared } if shared || A::SHARING == Sharing::SpatialAndChannel => {
            Some((p, coefficient, 1))
        }
        Source::Learned { .. } => Some((p, coefficient, channels)),
        Source::Dynamic { .. } => None,
    })
}

/// That the parameters do not fit into memory.
fn too_many(sizes: Sizes) -> Error {
    Error::Option {
        option: "inputs × hidden units × outputs",
        expected: "small enough for the parameters to fit into memory",
        found: format!("{} × {} × {}", sizes.inputs, sizes.hidden, sizes.outputs),
    }
}

impl<T: Scalar> Parameters<T> {
    /// The parameters of a layer, with the values that `values` has for each.
    pub(super) fn new<A: DynamicActivation>(
        sizes: Sizes,
        mut values: impl FnMut(&Declaration) -> Result<ArrayD<T>, Error>,
    ) -> Result<Self, Error> {
        let arrays = declare::<A>(sizes)
            .into_iter()
            .map(|declaration| Ok((declaration.name, values(&declaration)?)));
        arrays.collect::<Result<_, _>>().map(Self)
    }

    /// Weights and biases from U(−1/√inputs, 1/√inputs), the default of PyTorch's linear layers; the others with the
    /// values that the description gives them.
    ///
    /// The numbers are drawn as `f64`: `f32` layers get the same ones, rounded.
    pub(super) fn random<A: DynamicActivation>(sizes: Sizes, seed: u64) -> Result<Self, Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::new::<A>(sizes, |Declaration { shape, initial, .. }| {
            let too_many = || too_many(sizes);
            let len = shape
                .iter()
                .try_fold(1_usize, |len, &axis| len.checked_mul(axis))
                .ok_or_else(too_many)?;
            let mut values = Vec::new();
            values.try_reserve_exact(len).map_err(|_| too_many())?;
            values.extend((0..len).map(|i| {
                T::from_f64(match *initial {
                    Initial::Uniform { inputs } => {
                        let bound = 1.0 / (inputs as f64).sqrt();
                        rng.random_range(-bound..=bound)
                    }
                    Initial::PerPiece(constants) => constants.of(i % shape.get(1).unwrap_or(&1)),
                    Initial::Constant(value) => value,
                })
            }));
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

    /// All numbers, one array after the other.
    pub(super) fn flat(&self) -> Vec<T> {
        self.0
            .iter()
            .map(|(_, array)| slice(array))
            .collect::<Vec<_>>()
            .concat()
    }

    /// Whether [`flat`](Self::flat) has these bits. Zeros of different signs are different, and NaN is the same as itself.
    pub(super) fn is(&self, numbers: &[T]) -> bool {
        let mut rest = numbers;
        let same = self.0.iter().all(|(_, array)| {
            let Some((values, others)) = rest.split_at_checked(array.len()) else {
                return false;
            };
            rest = others;
            // All of them, as a loop that ends early has no vectors.
            let bits = |number: &T| number.to_f64().to_bits();
            let pairs = slice(array).iter().zip(values);
            pairs.fold(0, |difference, (a, b)| difference | (bits(a) ^ bits(b))) == 0
        });
        same && rest.is_empty()
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

    /// The values of a parameter; empty if the layer has none of this name.
    pub(super) fn slice(&self, name: &str) -> &[T] {
        let array = self
            .0
            .iter()
            .find_map(|(found, array)| (*found == name).then_some(array));
        array.map_or(&[], |array| slice(array))
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
