//! The hyper function: from pooled inputs to residuals, d = squash(W₂ · relu(W₁ · p + b₁) + b₂) (paper,
//! section 3.2).

use super::{linear, squash};
use crate::Scalar;
use fearless_simd::Level;

/// The two fully connected layers, `[H, C]`, `[H]`, `[outputs, H]` and `[outputs]`.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a, T> {
    /// W₁.
    pub fc1_weight: &'a [T],
    /// b₁.
    pub fc1_bias: &'a [T],
    /// W₂.
    pub fc2_weight: &'a [T],
    /// b₂.
    pub fc2_bias: &'a [T],
}

/// What [`forward`] read and wrote, for [`backward`].
#[derive(Debug, Clone, Copy)]
pub struct Activations<'a, T> {
    /// p, `[N, C]`.
    pub pooled: &'a [T],
    /// relu(W₁ · p + b₁), `[N, H]`.
    pub hidden: &'a [T],
    /// d, `[N, outputs]`.
    pub residuals: &'a [T],
}

/// Where [`backward`] writes. All arrays are overwritten; each is as what it is the gradient of.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// `[N, C]`.
    pub pooled: &'a mut [T],
    /// `[N, H]`.
    pub hidden: &'a mut [T],
    /// `[H, C]`.
    pub fc1_weight: &'a mut [T],
    /// `[H]`.
    pub fc1_bias: &'a mut [T],
    /// `[outputs, H]`.
    pub fc2_weight: &'a mut [T],
    /// `[outputs]`.
    pub fc2_bias: &'a mut [T],
}

/// Writes `hidden[n, ..] = relu(W₁ · pooled[n, ..] + b₁)` and `residuals[n, ..] = 2σ(W₂ · hidden[n, ..] + b₂) − 1`.
///
/// # Panics
///
/// When the lengths do not fit together, see [`Weights`] and [`Activations`].
pub fn forward<T: Scalar>(
    level: Level,
    weights: Weights<'_, T>,
    pooled: &[T],
    hidden: &mut [T],
    residuals: &mut [T],
) {
    let inputs = weights.inputs();
    forward_with(linear::forward, level, inputs, weights, pooled, hidden, residuals);
}

/// [`forward`] for weights that [`linear::pack`] has laid out, for the same level. The results are the same bits.
///
/// # Panics
///
/// As [`forward`].
pub fn forward_packed<T: Scalar>(
    level: Level,
    inputs: usize,
    weights: Weights<'_, T>,
    pooled: &[T],
    hidden: &mut [T],
    residuals: &mut [T],
) {
    forward_with(
        linear::forward_packed,
        level,
        inputs,
        weights,
        pooled,
        hidden,
        residuals,
    );
}

/// [`linear::forward`] or [`linear::forward_packed`].
type Linear<T> = fn(Level, usize, &[T], &[T], &[T], &mut [T]);

fn forward_with<T: Scalar>(
    linear: Linear<T>,
    level: Level,
    inputs: usize,
    weights: Weights<'_, T>,
    pooled: &[T],
    hidden: &mut [T],
    residuals: &mut [T],
) {
    let units = weights.fc1_bias.len();
    linear(
        level,
        inputs,
        pooled,
        weights.fc1_weight,
        weights.fc1_bias,
        hidden,
    );
    for value in hidden.iter_mut() {
        *value = value.relu();
    }
    linear(
        level,
        units,
        hidden,
        weights.fc2_weight,
        weights.fc2_bias,
        residuals,
    );
    squash::forward(level, residuals);
}

/// The gradients of [`forward`] for those of the residuals, which become those of the raw values in place:
/// [`backward_pooled`], and those of the weights from the fully connected layers.
///
/// A hidden unit at exactly zero passes no gradient on.
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
        pooled,
        hidden,
        residuals,
    } = activations;
    let shape = [weights.inputs(), weights.fc1_bias.len()];
    let fc2_shape = [weights.fc1_bias.len(), weights.fc2_bias.len()];
    backward_pooled(
        level,
        weights,
        [hidden, residuals],
        grad_residuals,
        grads.hidden,
        grads.pooled,
    );
    let fc2 = [grads.fc2_weight, grads.fc2_bias];
    linear::backward_weight(level, fc2_shape, 0, hidden, grad_residuals, fc2);
    let fc1 = [grads.fc1_weight, grads.fc1_bias];
    linear::backward_weight(level, shape, 0, pooled, grads.hidden, fc1);
}

/// The gradients of the pooled inputs and the hidden units, which are overwritten, for those of the residuals,
/// which become those of the raw values in place. `activations` are the hidden units and the residuals.
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
    let units = weights.fc1_bias.len();
    squash::backward(residuals, grad_residuals);
    let shape = [units, weights.fc2_bias.len()];
    linear::backward_x(level, shape, weights.fc2_weight, grad_residuals, grad_hidden);
    for (grad, &hidden) in grad_hidden.iter_mut().zip(hidden) {
        if hidden <= T::default() {
            *grad = T::default();
        }
    }
    let shape = [weights.inputs(), units];
    linear::backward_x(level, shape, weights.fc1_weight, grad_hidden, grad_pooled);
}

impl<T> Weights<'_, T> {
    /// C, from the sizes of W₁ and b₁; 0 without hidden units.
    fn inputs(&self) -> usize {
        self.fc1_weight
            .len()
            .checked_div(self.fc1_bias.len())
            .unwrap_or(0)
    }
}
