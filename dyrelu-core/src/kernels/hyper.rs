//! The hyper function: from a context, such as the means of x, to residuals, d = squash(W₂ · relu(W₁ · p + b₁) + b₂)
//! (paper, section 3.2), or with fewer layers.

use super::{linear, squash};
use crate::{Inner, Scalar, Squash};
use fearless_simd::Level;

/// A hyper function.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a, T> {
    /// From the context to the raw values.
    pub layers: Layers<'a, T>,
    /// The squash of each dynamic coefficient, see [`squash`](mod@squash).
    pub squashes: &'a [Squash],
    /// K.
    pub k: usize,
}

/// The fully connected layers of a hyper function.
#[derive(Debug, Clone, Copy)]
pub enum Layers<'a, T> {
    /// The context itself is the raw values. There are no hidden units.
    None,
    /// W · p + b. There are no hidden units.
    One(Linear<'a, T>),
    /// W₂ · inner(W₁ · p + b₁) + b₂.
    Two {
        /// W₁ and b₁.
        first: Linear<'a, T>,
        /// What makes hidden units of the first layer's outputs.
        inner: Inner,
        /// W₂ and b₂.
        second: Linear<'a, T>,
    },
}

/// A fully connected layer.
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a, T> {
    /// The length of a row of the weight.
    pub inputs: usize,
    /// `[outputs, inputs]`.
    pub weight: &'a [T],
    /// `[outputs]`.
    pub bias: &'a [T],
}

/// What [`forward`] read and wrote, for [`backward`].
#[derive(Debug, Clone, Copy)]
pub struct Activations<'a, T> {
    /// p, `[N, inputs]`.
    pub context: &'a [T],
    /// inner(W₁ · p + b₁), `[N, H]`; empty unless there are two layers.
    pub hidden: &'a [T],
    /// d, `[N, outputs]`.
    pub residuals: &'a [T],
}

/// Where [`backward`] writes. All arrays are overwritten; each is as what it is the gradient of.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// `[N, inputs]`.
    pub context: &'a mut [T],
    /// `[N, H]`.
    pub hidden: &'a mut [T],
    /// Of the weight and the bias of the first layer and of the second. Those of a layer that is not there are left
    /// alone.
    pub layers: [[&'a mut [T]; 2]; 2],
}

/// Writes the hidden units and `residuals[n, ..] = squash(raw[n, ..])`, with the raw values of [`Layers`].
///
/// # Panics
///
/// When the lengths do not fit together, see [`Weights`] and [`Activations`].
pub fn forward<T: Scalar>(
    level: Level,
    weights: Weights<'_, T>,
    context: &[T],
    hidden: &mut [T],
    residuals: &mut [T],
) {
    forward_with(linear::forward, level, weights, context, hidden, residuals);
}

/// [`forward`] for weights that [`Layers::pack`] has laid out, for the same level. The results are the same bits.
///
/// # Panics
///
/// As [`forward`].
pub fn forward_packed<T: Scalar>(
    level: Level,
    weights: Weights<'_, T>,
    context: &[T],
    hidden: &mut [T],
    residuals: &mut [T],
) {
    forward_with(linear::forward_packed, level, weights, context, hidden, residuals);
}

/// [`linear::forward`] or [`linear::forward_packed`].
type LinearForward<T> = fn(Level, usize, &[T], &[T], &[T], &mut [T]);

fn forward_with<T: Scalar>(
    linear: LinearForward<T>,
    level: Level,
    weights: Weights<'_, T>,
    context: &[T],
    hidden: &mut [T],
    residuals: &mut [T],
) {
    weights.layers.check(hidden);
    match weights.layers {
        Layers::None => {
            assert_eq!(context.len(), residuals.len(), "hyper: context and residuals");
            residuals.copy_from_slice(context);
        }
        Layers::One(layer) => linear(level, layer.inputs, context, layer.weight, layer.bias, residuals),
        Layers::Two { first, inner, second } => {
            linear(level, first.inputs, context, first.weight, first.bias, hidden);
            if inner == Inner::Relu {
                for value in hidden.iter_mut() {
                    *value = value.relu();
                }
            }
            linear(
                level,
                second.inputs,
                hidden,
                second.weight,
                second.bias,
                residuals,
            );
        }
    }
    squash::forward(level, weights.squashes, weights.k, residuals);
}

/// The gradients of [`forward`] for those of the residuals, which become those of the raw values in place:
/// [`backward_pooled`], and those of the weights from the fully connected layers.
///
/// # Panics
///
/// When the lengths do not fit together, see [`Weights`], [`Activations`] and [`Gradients`].
pub fn backward<T: Scalar>(
    level: Level,
    weights: Weights<'_, T>,
    activations: Activations<'_, T>,
    grad_residuals: &mut [T],
    grads: Gradients<'_, T>,
) {
    let Activations {
        context,
        hidden,
        residuals,
    } = activations;
    backward_pooled(
        level,
        weights,
        [hidden, residuals],
        grad_residuals,
        grads.hidden,
        grads.context,
    );
    let [grads_1, grads_2] = grads.layers;
    match weights.layers {
        Layers::None => {}
        Layers::One(layer) => {
            linear::backward_weight(level, layer.shape(), 0, context, grad_residuals, grads_1);
        }
        Layers::Two { first, second, .. } => {
            linear::backward_weight(level, second.shape(), 0, hidden, grad_residuals, grads_2);
            linear::backward_weight(level, first.shape(), 0, context, grads.hidden, grads_1);
        }
    }
}

/// The gradients of the context and the hidden units, which are overwritten, for those of the residuals, which become
/// those of the raw values in place. `activations` are the hidden units and the residuals.
///
/// The gradient of the hidden units is the one behind the inner function: a unit at exactly zero passes none on through
/// a ReLU.
///
/// # Panics
///
/// As [`backward`].
pub fn backward_pooled<T: Scalar>(
    level: Level,
    weights: Weights<'_, T>,
    activations: [&[T]; 2],
    grad_residuals: &mut [T],
    grad_hidden: &mut [T],
    grad_pooled: &mut [T],
) {
    let [hidden, residuals] = activations;
    assert_eq!(
        hidden.len(),
        grad_hidden.len(),
        "hyper: hidden units and their gradient"
    );
    weights.layers.check(hidden);
    squash::backward(level, weights.squashes, weights.k, residuals, grad_residuals);
    match weights.layers {
        Layers::None => {
            assert_eq!(
                grad_pooled.len(),
                grad_residuals.len(),
                "hyper: gradients of context and residuals"
            );
            grad_pooled.copy_from_slice(grad_residuals);
        }
        Layers::One(layer) => {
            linear::backward_x(level, layer.shape(), layer.weight, grad_residuals, grad_pooled);
        }
        Layers::Two { first, inner, second } => {
            linear::backward_x(level, second.shape(), second.weight, grad_residuals, grad_hidden);
            if inner == Inner::Relu {
                for (grad, &hidden) in grad_hidden.iter_mut().zip(hidden) {
                    if hidden <= T::default() {
                        *grad = T::default();
                    }
                }
            }
            linear::backward_x(level, first.shape(), first.weight, grad_hidden, grad_pooled);
        }
    }
}

impl<T> Linear<'_, T> {
    fn shape(&self) -> [usize; 2] {
        [self.inputs, self.bias.len()]
    }
}

impl<T> Layers<'_, T> {
    fn check(&self, hidden: &[T]) {
        assert!(
            matches!(self, Self::Two { .. }) || hidden.is_empty(),
            "hyper: hidden units between two layers"
        );
    }
}

impl<'a, T: Scalar> Layers<'a, T> {
    /// [`linear::pack`] for each weight.
    ///
    /// # Panics
    ///
    /// When a weight does not consist of rows of its inputs.
    pub fn pack(self, level: Level, packed: &mut [Vec<T>; 2]) {
        let mut pack = |layer: Linear<'_, T>, i: usize| {
            linear::pack(level, layer.inputs, layer.weight, &mut packed[i]);
        };
        match self {
            Self::None => {}
            Self::One(layer) => pack(layer, 0),
            Self::Two { first, second, .. } => {
                pack(first, 0);
                pack(second, 1);
            }
        }
    }

    /// The same layers with what [`pack`](Self::pack) has made of their weights.
    #[must_use]
    pub fn with_packed(self, packed: &'a [Vec<T>; 2]) -> Self {
        let replace = |layer: Linear<'a, T>, i: usize| Linear {
            weight: &packed[i],
            ..layer
        };
        match self {
            Self::None => Self::None,
            Self::One(layer) => Self::One(replace(layer, 0)),
            Self::Two { first, inner, second } => Self::Two {
                first: replace(first, 0),
                inner,
                second: replace(second, 1),
            },
        }
    }
}
