//! The passes of the spatial attention through `[N, S, C]`. Those through scores are in
//! [`attention`](crate::kernels::attention).

use super::{BLOCK, GROUP, add_to_totals, load, pool, store};
use crate::kernels::attention::Operands;
use crate::lanes::{Lanes, MAX_LANES};
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// The means of x, `[N, C]`, and on the same way through x `Σ_c weight[c] · x[n, s, c]`, which is added to the
/// scores, `[N, S]`. They should begin with the bias.
///
/// The same bits as [`attention::pool`](fn@crate::kernels::attention::pool) has for `[N, C, S]`, except for a single
/// position.
///
/// # Panics
///
/// When x is not `[N, S, C]`, or there are no positions.
pub fn pool<T: Scalar>(level: Level, operands: Operands<'_, T>, x: &[T], pooled: &mut [T], scores: &mut [T]) {
    operands.check(x, scores);
    assert_eq!(
        pooled.len() * operands.positions,
        x.len(),
        "channels last, attention: x and its means"
    );
    if !x.is_empty() {
        dispatch!(level, simd => pool_samples(simd, operands, x, pooled, scores));
    }
}

/// The gradients of [`pool`](fn@pool), added to `grad_x` and `grad_weight`.
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
    assert_eq!(
        x.len(),
        grad_x.len(),
        "channels last, attention: x and its gradient"
    );
    assert_eq!(
        operands.weight.len(),
        grad_weight.len(),
        "channels last, attention: weight and its gradient"
    );
    assert_eq!(
        grad_pooled.len() * operands.positions,
        x.len(),
        "channels last, attention: x and the gradient of its means"
    );
    if !x.is_empty() {
        dispatch!(level, simd => {
            pool_backward_samples(simd, operands, x, grad_scores, grad_pooled, grad_x, grad_weight);
        });
    }
}

#[inline(always)]
fn pool_samples<S: Simd, T: Scalar>(
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
    let samples = x
        .chunks_exact(positions * channels)
        .zip(pooled.chunks_exact_mut(channels))
        .zip(scores.chunks_exact_mut(positions));
    for ((x, pooled), scores) in samples {
        if positions == 1 {
            pooled.copy_from_slice(x);
            scores[0] += dot(simd, weight, x);
        } else {
            pool::sample::<S, T, true>(simd, [positions, channels], x, pooled, weight, scores);
        }
    }
}

#[inline(always)]
fn dot<S: Simd, T: Scalar>(simd: S, a: &[T], b: &[T]) -> T {
    let lanes = Lanes::<S, T>::LEN;
    let mut sum = (Lanes::load_last(simd, a) * Lanes::load_last(simd, b)).keep_last(a.len() % lanes);
    for (a, b) in a.chunks_exact(lanes).zip(b.chunks_exact(lanes)) {
        sum = Lanes::load(simd, a).mul_add(Lanes::load(simd, b), sum);
    }
    sum.sum()
}

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
    let lanes = Lanes::<S, T>::LEN;
    let Operands {
        positions, weight, ..
    } = operands;
    let channels = weight.len();
    let inverse = Lanes::splat(simd, T::from_f64(1.0 / positions as f64));
    let samples = x
        .chunks_exact(positions * channels)
        .zip(grad_scores.chunks_exact(positions))
        .zip(grad_pooled.chunks_exact(channels))
        .zip(grad_x.chunks_exact_mut(positions * channels));
    for (((x, grad_scores), grad_pooled), grad_x) in samples {
        let mut first = 0;
        while first < channels {
            let count = GROUP.min(channels - first);
            let mut totals = [0.0; MAX_LANES + GROUP];
            for (block, grad_scores) in grad_scores.chunks(BLOCK).enumerate() {
                let start = block * BLOCK * channels;
                let mut end = 0;
                while end < count {
                    let counted = lanes.min(count - end);
                    end += counted;
                    let weight = load::<S, T, true>(simd, weight, first + end);
                    let by_mean = load::<S, T, true>(simd, grad_pooled, first + end) * inverse;
                    let at = [start + first + end, channels, counted];
                    let sum = if counted == lanes {
                        pool_backward_vector::<S, T, false>(simd, at, weight, by_mean, x, grad_scores, grad_x)
                    } else {
                        pool_backward_vector::<S, T, true>(simd, at, weight, by_mean, x, grad_scores, grad_x)
                            .keep_last(counted)
                    };
                    add_to_totals(sum, &mut totals, end);
                }
            }
            for (grad, &total) in grad_weight[first..].iter_mut().zip(&totals[MAX_LANES..][..count]) {
                *grad += T::from_f64(total);
            }
            first += count;
        }
    }
}

/// `grad_x[s] += by_mean + weight · grad_scores[s]`; returns `Σ_s x[s] · grad_scores[s]`. `at` are where the vector
/// of the first position ends, the distance of positions, and the counted lanes.
#[inline(always)]
fn pool_backward_vector<S: Simd, T: Scalar, const PARTIAL: bool>(
    simd: S,
    [mut end, channels, counted]: [usize; 3],
    weight: Lanes<S, T>,
    by_mean: Lanes<S, T>,
    x: &[T],
    grad_scores: &[T],
    grad_x: &mut [T],
) -> Lanes<S, T> {
    // Two sums hide the latency of a multiply-add.
    let mut sums = [Lanes::zero(simd); 2];
    for &grad_score in grad_scores {
        let grad_score = Lanes::splat(simd, grad_score);
        let x = load::<S, T, PARTIAL>(simd, x, end);
        sums = [sums[1], x.mul_add(grad_score, sums[0])];
        let grad = load::<S, T, PARTIAL>(simd, grad_x, end) + weight.mul_add(grad_score, by_mean);
        store::<S, T, PARTIAL>(grad, grad_x, end, counted);
        end += channels;
    }
    sums[0] + sums[1]
}
