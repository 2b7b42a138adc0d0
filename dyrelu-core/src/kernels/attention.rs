//! The spatial attention of mode C: π = min(γ · softmax(z / τ), 1), z = 1×1 convolution of x to one channel
//! (paper, equation 4), with γ = S / 3 so that the mean of π is at most 1/3.

use super::linear::{axpy, dot};
use super::pool::sum;
use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// What the attention is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// S, the number of positions of a channel.
    pub positions: usize,
    /// τ.
    pub temperature: f64,
    /// The weight of the convolution, `[C]`.
    pub weight: &'a [T],
}

/// `z[n, s] = bias + Σ_c weight[c] · x[n, c, s]`, `softmax[n, ..]` that of z / τ over the positions of a
/// sample, and `attention[n, s] = min(S / 3 · softmax[n, s], 1)`.
///
/// A sample becomes NaN if a score is NaN or +∞, or all are −∞, as in PyTorch.
///
/// # Panics
///
/// When x is not `[N, C, S]`, or `softmax` or `attention` not `[N, S]`.
pub fn forward<T: Scalar>(
    level: Level,
    operands: Operands<'_, T>,
    bias: T,
    x: &[T],
    softmax: &mut [T],
    attention: &mut [T],
) {
    operands.check(x, softmax);
    assert_eq!(softmax.len(), attention.len(), "attention: softmax and attention");
    softmax.fill(bias);
    if !softmax.is_empty() {
        dispatch!(level, simd => {
            score_rows(simd, operands, x, softmax);
            softmax_rows(simd, operands, softmax, attention);
        });
    }
}

/// The gradients of [`forward`] for the one of the attention, which becomes that of the scores in place.
///
/// Adds to `grad_x`, overwrites `grad_weight`. Where π is cut off at 1 its gradient is zero. The bias shifts
/// all scores of a sample alike, which softmax does not see: its gradient is exactly zero.
///
/// # Panics
///
/// When the lengths do not fit together, see [`forward`].
pub fn backward<T: Scalar>(
    level: Level,
    operands: Operands<'_, T>,
    x: &[T],
    softmax: &[T],
    grad_attention: &mut [T],
    grad_x: &mut [T],
    grad_weight: &mut [T],
) {
    operands.check(x, softmax);
    assert_eq!(
        softmax.len(),
        grad_attention.len(),
        "attention: softmax and gradient of the attention"
    );
    assert_eq!(x.len(), grad_x.len(), "attention: x and its gradient");
    assert_eq!(
        operands.weight.len(),
        grad_weight.len(),
        "attention: weight and its gradient"
    );
    grad_weight.fill(T::default());
    if !softmax.is_empty() {
        dispatch!(level, simd => {
            softmax_backward_rows(operands, softmax, grad_attention);
            score_backward_rows(simd, operands, x, grad_attention, grad_x, grad_weight);
        });
    }
}

impl<T> Operands<'_, T> {
    fn check(&self, x: &[T], softmax: &[T]) {
        let samples = softmax.len() / self.positions.max(1);
        assert_eq!(
            softmax.len(),
            samples * self.positions,
            "attention: rows of positions"
        );
        assert_eq!(
            x.len(),
            softmax.len() * self.weight.len(),
            "attention: x and positions"
        );
    }
}

#[inline(always)]
fn score_rows<S: Simd, T: Scalar>(simd: S, operands: Operands<'_, T>, x: &[T], scores: &mut [T]) {
    let Operands {
        positions, weight, ..
    } = operands;
    let sample = weight.len() * positions;
    for (n, scores) in scores.chunks_exact_mut(positions).enumerate() {
        let planes = x[n * sample..][..sample].chunks_exact(positions);
        for (plane, &weight) in planes.zip(weight) {
            axpy(simd, weight, plane, scores);
        }
    }
}

/// The factor γ that scales the softmax: a third of the number of positions.
#[inline(always)]
fn gamma<T: Scalar>(positions: usize) -> T {
    T::from_f64(positions as f64 / 3.0)
}

/// Turns scores into their softmax, and that into the attention.
#[inline(always)]
fn softmax_rows<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    scores: &mut [T],
    attention: &mut [T],
) {
    let Operands {
        positions,
        temperature,
        ..
    } = operands;
    let lanes = Lanes::<S, T>::LEN;
    let inverse_temperature = Lanes::splat(simd, T::from_f64(1.0 / temperature));
    let (gamma, one) = (gamma::<T>(positions), T::from_f64(1.0));
    for (scores, attention) in scores
        .chunks_exact_mut(positions)
        .zip(attention.chunks_exact_mut(positions))
    {
        let mut max = scores[0];
        for &score in scores.iter() {
            max = Elementwise::max(max, score);
        }
        let max = Lanes::splat(simd, max);
        let mut vectors = scores.chunks_exact_mut(lanes);
        for scores in vectors.by_ref() {
            ((Lanes::load(simd, scores) - max) * inverse_temperature)
                .exp()
                .store(scores);
        }
        let rest = vectors.into_remainder();
        ((Lanes::load_last(simd, rest) - max) * inverse_temperature)
            .exp()
            .store_last(rest);
        let inverse_sum = T::from_f64(1.0 / sum(simd, scores));
        for (softmax, attention) in scores.iter_mut().zip(attention) {
            *softmax *= inverse_sum;
            *attention = Elementwise::min(gamma * *softmax, one);
        }
    }
}

#[inline(always)]
fn softmax_backward_rows<T: Scalar>(operands: Operands<'_, T>, softmax: &[T], grads: &mut [T]) {
    let Operands {
        positions,
        temperature,
        ..
    } = operands;
    let (gamma, one) = (gamma::<T>(positions), T::from_f64(1.0));
    let inverse_temperature = T::from_f64(1.0 / temperature);
    for (softmax, grads) in softmax
        .chunks_exact(positions)
        .zip(grads.chunks_exact_mut(positions))
    {
        let mut dot = 0.0;
        for (&softmax, grad) in softmax.iter().zip(grads.iter_mut()) {
            *grad = if gamma * softmax > one {
                T::default()
            } else {
                gamma * *grad
            };
            dot += (softmax * *grad).to_f64();
        }
        let dot = T::from_f64(dot);
        for (&softmax, grad) in softmax.iter().zip(grads) {
            *grad = softmax * (*grad - dot) * inverse_temperature;
        }
    }
}

#[inline(always)]
fn score_backward_rows<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    grad_scores: &[T],
    grad_x: &mut [T],
    grad_weight: &mut [T],
) {
    let Operands {
        positions, weight, ..
    } = operands;
    let sample = weight.len() * positions;
    for (n, grad_scores) in grad_scores.chunks_exact(positions).enumerate() {
        for (c, (&weight, grad_weight)) in weight.iter().zip(grad_weight.iter_mut()).enumerate() {
            let plane = n * sample + c * positions;
            let [dot] = dot(simd, &x[plane..][..positions], grad_scores);
            *grad_weight += dot;
            axpy(simd, weight, grad_scores, &mut grad_x[plane..][..positions]);
        }
    }
}
