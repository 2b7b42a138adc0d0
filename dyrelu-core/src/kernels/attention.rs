//! The spatial attention of mode C: π = min(γ · softmax(z / τ), 1), z = 1×1 convolution of x to one channel
//! (paper, equation 4), with γ = S / 3 so that the mean of π is at most 1/3. Another mean, and another cut-off than 1, may
//! be chosen.

use super::pool::{ROWS, means, sum, sum_rows};
use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// Added to the variance of [normalised](crate::Attention::Normalised) scores before it divides.
pub const EPSILON: f64 = 1e-5;

/// How much of the running statistics of such scores a batch replaces.
pub const MOMENTUM: f64 = 0.1;

/// What the attention is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// S, the number of positions of a channel.
    pub positions: usize,
    /// τ, γ and the cut-off.
    pub scaling: Scaling,
    /// The weight of the convolution, `[C]`.
    pub weight: &'a [T],
}

/// The constants of equation 4: π = min(S · average · softmax(z / τ), `cut_off`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// τ.
    pub temperature: f64,
    /// γ / S, the mean of π where nothing is cut off.
    pub average: f64,
    /// The largest π.
    pub cut_off: f64,
}

impl Scaling {
    /// The paper's: τ = 10, γ = S / 3, and a cut-off at 1.
    pub const PAPER: Self = Self {
        temperature: 10.0,
        average: 1.0 / 3.0,
        cut_off: 1.0,
    };

    /// γ for S positions.
    #[must_use]
    pub fn gamma(&self, positions: usize) -> f64 {
        positions as f64 * self.average
    }
}

/// `z[n, s] = bias + Σ_c weight[c] · x[n, c, s]`, `softmax[n, ..]` that of z / τ over the positions of a
/// sample, and `attention[n, s] = min(γ · softmax[n, s], cut-off)`.
///
/// A sample becomes NaN if a score is NaN or +∞, or all are −∞, as in PyTorch. [`pool`](fn@pool) and
/// [`softmax`](fn@softmax) are its two steps, of which the first also has the means of x.
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
    softmax.fill(bias);
    if !softmax.is_empty() {
        dispatch!(level, simd => score_samples(simd, operands, x, &mut [], softmax));
    }
    self::softmax(level, operands, softmax, attention);
}

/// The means of x, `[N, C]`, and on the same way through x `Σ_c weight[c] · x[n, c, s]`, which is added to the
/// scores, `[N, S]`. They should begin with the bias; C may be some of all channels. An empty `pooled` gets no means.
///
/// # Panics
///
/// When x is not `[N, C, S]`, or there are no positions.
pub fn pool<T: Scalar>(level: Level, operands: Operands<'_, T>, x: &[T], pooled: &mut [T], scores: &mut [T]) {
    operands.check(x, scores);
    assert!(
        pooled.is_empty() || pooled.len() * operands.positions == x.len(),
        "attention: x and its means"
    );
    dispatch!(level, simd => score_samples(simd, operands, x, pooled, scores));
}

/// Turns scores into their softmax, and that into the attention.
///
/// # Panics
///
/// When the lengths differ, or are not rows of positions.
pub fn softmax<T: Scalar>(level: Level, operands: Operands<'_, T>, scores: &mut [T], attention: &mut [T]) {
    assert_eq!(scores.len(), attention.len(), "attention: softmax and attention");
    if !scores.is_empty() {
        dispatch!(level, simd => softmax_rows(simd, operands, scores, attention));
    }
}

/// The gradients of [`forward`] for the one of the attention, which becomes that of the scores in place.
///
/// Adds to `grad_x`, overwrites `grad_weight`. Where π is cut off its gradient is zero. The bias shifts
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
    softmax_backward(level, operands, softmax, grad_attention);
    grad_weight.fill(T::default());
    pool_backward(level, operands, x, grad_attention, &[], grad_x, grad_weight);
}

/// The gradients of [`softmax`](fn@softmax) for the one of the attention, which becomes that of the scores in place.
///
/// # Panics
///
/// When the lengths differ, or are not rows of positions.
pub fn softmax_backward<T: Scalar>(
    level: Level,
    operands: Operands<'_, T>,
    softmax: &[T],
    grad_attention: &mut [T],
) {
    assert_eq!(
        softmax.len(),
        grad_attention.len(),
        "attention: softmax and gradient of the attention"
    );
    if !softmax.is_empty() {
        dispatch!(level, simd => softmax_backward_rows(simd, operands, softmax, grad_attention));
    }
}

/// The gradients of [`pool`](fn@pool), added to `grad_x` and `grad_weight`. Without `grad_pooled` that of the means is
/// zero.
///
/// # Panics
///
/// When the lengths do not fit together, see [`pool`](fn@pool).
pub fn pool_backward<T: Scalar>(
    level: Level,
    operands: Operands<'_, T>,
    x: &[T],
    grad_scores: &[T],
    grad_pooled: &[T],
    grad_x: &mut [T],
    grad_weight: &mut [T],
) {
    operands.check(x, grad_scores);
    assert_eq!(x.len(), grad_x.len(), "attention: x and its gradient");
    assert_eq!(
        operands.weight.len(),
        grad_weight.len(),
        "attention: weight and its gradient"
    );
    assert!(
        grad_pooled.is_empty() || grad_pooled.len() * operands.positions == x.len(),
        "attention: x and the gradient of its means"
    );
    if !x.is_empty() {
        dispatch!(level, simd => {
            pool_backward_samples(simd, operands, x, grad_scores, grad_pooled, grad_x, grad_weight);
        });
    }
}

impl<T> Operands<'_, T> {
    pub(super) fn check(&self, x: &[T], scores: &[T]) {
        let samples = scores.len() / self.positions.max(1);
        assert_eq!(
            scores.len(),
            samples * self.positions,
            "attention: rows of positions"
        );
        assert_eq!(
            x.len(),
            scores.len() * self.weight.len(),
            "attention: x and positions"
        );
    }
}

/// The means go to `pooled` unless it is empty.
#[inline(always)]
fn score_samples<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    pooled: &mut [T],
    scores: &mut [T],
) {
    let Operands {
        positions, weight, ..
    } = operands;
    let channels = weight.len();
    for (n, scores) in scores.chunks_exact_mut(positions).enumerate() {
        let x = &x[n * channels * positions..][..channels * positions];
        let pooled = if pooled.is_empty() {
            &mut []
        } else {
            &mut pooled[n * channels..][..channels]
        };
        let mut c = 0;
        while c + ROWS <= channels {
            score_rows::<S, T, ROWS>(simd, operands, c, x, pooled, scores);
            c += ROWS;
        }
        while c < channels {
            score_rows::<S, T, 1>(simd, operands, c, x, pooled, scores);
            c += 1;
        }
    }
}

/// M channels of a sample, from channel c on.
#[inline(always)]
fn score_rows<S: Simd, T: Scalar, const M: usize>(
    simd: S,
    operands: Operands<'_, T>,
    c: usize,
    x: &[T],
    pooled: &mut [T],
    scores: &mut [T],
) {
    let len = operands.positions;
    let weights = splat::<S, T, M>(simd, &operands.weight[c..]);
    let sums = sum_rows::<S, T, M, true>(simd, len, &x[c * len..][..M * len], weights, scores);
    if !pooled.is_empty() {
        means(len, sums, &mut pooled[c..]);
    }
}

#[inline(always)]
fn splat<S: Simd, T: Scalar, const M: usize>(simd: S, values: &[T]) -> [Lanes<S, T>; M] {
    let mut lanes = [Lanes::zero(simd); M];
    let mut m = 0;
    while m < M {
        lanes[m] = Lanes::splat(simd, values[m]);
        m += 1;
    }
    lanes
}

/// Turns scores into their softmax, and that into the attention.
///
/// Each step does the last vector of a row first and writes it last: it overlaps with the one before, which
/// must see what was there before.
#[inline(always)]
fn softmax_rows<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    scores: &mut [T],
    attention: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let len = operands.positions;
    let inverse_temperature = Lanes::splat(simd, T::from_f64(1.0 / operands.scaling.temperature));
    let gamma = Lanes::splat(simd, T::from_f64(operands.scaling.gamma(len)));
    let cut_off = Lanes::splat(simd, T::from_f64(operands.scaling.cut_off));
    for (scores, attention) in scores.chunks_exact_mut(len).zip(attention.chunks_exact_mut(len)) {
        let mut max = Lanes::load_last(simd, scores);
        for scores in scores.chunks_exact(lanes) {
            max = max.max(Lanes::load(simd, scores));
        }
        let max = Lanes::splat(simd, max.largest());

        let last = ((Lanes::load_last(simd, scores) - max) * inverse_temperature).exp();
        for scores in scores.chunks_exact_mut(lanes) {
            ((Lanes::load(simd, scores) - max) * inverse_temperature)
                .exp()
                .store(scores);
        }
        last.store_last(scores);

        let inverse_sum = Lanes::splat(simd, T::from_f64(1.0 / sum(simd, scores)));
        let last = Lanes::load_last(simd, scores) * inverse_sum;
        for (scores, attention) in scores
            .chunks_exact_mut(lanes)
            .zip(attention.chunks_exact_mut(lanes))
        {
            let softmax = Lanes::load(simd, scores) * inverse_sum;
            softmax.store(scores);
            (gamma * softmax).min(cut_off).store(attention);
        }
        last.store_last(scores);
        (gamma * last).min(cut_off).store_last(attention);
    }
}

#[inline(always)]
fn softmax_backward_rows<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    softmax: &[T],
    grads: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let len = operands.positions;
    let rest = len % lanes;
    let inverse_temperature = Lanes::splat(simd, T::from_f64(1.0 / operands.scaling.temperature));
    for (softmax, grads) in softmax.chunks_exact(len).zip(grads.chunks_exact_mut(len)) {
        let last = uncut(
            operands,
            Lanes::load_last(simd, softmax),
            Lanes::load_last(simd, grads),
        );
        let mut dot = (Lanes::load_last(simd, softmax) * last)
            .keep_last(rest)
            .sum()
            .to_f64();
        for (softmax, grads) in softmax.chunks(BLOCK * lanes).zip(grads.chunks_mut(BLOCK * lanes)) {
            let mut sum = Lanes::zero(simd);
            for (softmax, grads) in softmax.chunks_exact(lanes).zip(grads.chunks_exact_mut(lanes)) {
                let softmax = Lanes::load(simd, softmax);
                let grad = uncut(operands, softmax, Lanes::load(simd, grads));
                sum = softmax.mul_add(grad, sum);
                grad.store(grads);
            }
            dot += sum.sum().to_f64();
        }
        last.store_last(grads);

        let dot = Lanes::splat(simd, T::from_f64(dot));
        let last = Lanes::load_last(simd, softmax) * (last - dot) * inverse_temperature;
        for (softmax, grads) in softmax.chunks_exact(lanes).zip(grads.chunks_exact_mut(lanes)) {
            (Lanes::load(simd, softmax) * (Lanes::load(simd, grads) - dot) * inverse_temperature)
                .store(grads);
        }
        last.store_last(grads);
    }
}

/// The gradient of the softmax for that of the attention: γ times it, or 0 where the attention was cut off.
#[inline(always)]
fn uncut<S: Simd, T: Scalar>(
    operands: Operands<'_, T>,
    softmax: Lanes<S, T>,
    grad: Lanes<S, T>,
) -> Lanes<S, T> {
    let Scaling { cut_off, .. } = operands.scaling;
    let gamma = softmax.lift(operands.scaling.gamma(operands.positions));
    let cut = (gamma * softmax).gt(&softmax.lift(cut_off));
    (gamma * grad).keep(!cut)
}

/// Vectors that are added up before a sum moves on to `f64`.
const BLOCK: usize = 64;

#[inline(always)]
fn pool_backward_samples<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    grad_scores: &[T],
    grad_pooled: &[T],
    grad_x: &mut [T],
    grad_weight: &mut [T],
) {
    let len = operands.positions;
    let channels = operands.weight.len();
    let inverse_len = T::from_f64(1.0 / len as f64);
    let rows = x.chunks_exact(len).zip(grad_x.chunks_exact_mut(len));
    for (row, (x, grad_x)) in rows.enumerate() {
        let (n, c) = (row / channels, row % channels);
        let by_mean = grad_pooled
            .get(row)
            .map_or(T::default(), |&grad| grad * inverse_len);
        let [weight, by_mean] = splat(simd, &[operands.weight[c], by_mean]);
        let grad_scores = &grad_scores[n * len..][..len];
        grad_weight[c] += T::from_f64(pool_backward_row(simd, weight, by_mean, x, grad_scores, grad_x));
    }
}

/// `grad_x[i] += by_mean + weight · grad_scores[i]`; returns `Σ_i x[i] · grad_scores[i]`.
#[inline(always)]
fn pool_backward_row<S: Simd, T: Scalar>(
    simd: S,
    weight: Lanes<S, T>,
    by_mean: Lanes<S, T>,
    x: &[T],
    grad_scores: &[T],
    grad_x: &mut [T],
) -> f64 {
    let lanes = Lanes::<S, T>::LEN;
    let grad_score = Lanes::load_last(simd, grad_scores);
    let last = Lanes::load_last(simd, grad_x) + weight.mul_add(grad_score, by_mean);
    let mut dot = (Lanes::load_last(simd, x) * grad_score)
        .keep_last(x.len() % lanes)
        .sum()
        .to_f64();
    let blocks = x
        .chunks(BLOCK * lanes)
        .zip(grad_scores.chunks(BLOCK * lanes))
        .zip(grad_x.chunks_mut(BLOCK * lanes));
    for ((x, grad_scores), grad_x) in blocks {
        // Two sums hide the latency of a multiply-add.
        let mut sums = [Lanes::zero(simd); 2];
        let vectors = x
            .chunks_exact(lanes)
            .zip(grad_scores.chunks_exact(lanes))
            .zip(grad_x.chunks_exact_mut(lanes));
        for ((x, grad_score), grad_x) in vectors {
            let grad_score = Lanes::load(simd, grad_score);
            sums = [sums[1], Lanes::load(simd, x).mul_add(grad_score, sums[0])];
            (Lanes::load(simd, grad_x) + weight.mul_add(grad_score, by_mean)).store(grad_x);
        }
        dot += (sums[0] + sums[1]).sum().to_f64();
    }
    last.store_last(grad_x);
    dot
}
