//! The passes of the spatial attention through `[N, S, C]`. Those through scores are in
//! [`attention`](crate::kernels::attention).

use super::{BLOCK, VECTORS, add_to_totals, load, pool, store};
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
    let mut sums = pool::Sums::new(simd);
    for ((x, pooled), scores) in samples {
        if positions == 1 {
            pooled.copy_from_slice(x);
            scores[0] += dot(simd, weight, x);
            continue;
        }
        let lanes = Lanes::<S, T>::LEN;
        let mut tiles = scores.chunks_exact_mut(lanes);
        let mut first = 0;
        for scores in tiles.by_ref() {
            score(simd, [first, channels, lanes], x, weight, scores);
            first += lanes;
        }
        let rest = tiles.into_remainder();
        if !rest.is_empty() {
            score(simd, [first, channels, rest.len()], x, weight, rest);
        }
        sums.sample(simd, [positions, channels], x, pooled);
    }
}

/// Adds `Σ_c weight[c] · x[s, c]` to the scores of at most LEN positions, channel by channel as the row kernel does.
/// `at` are the first position, C, and the number of positions.
#[inline(always)]
fn score<S: Simd, T: Scalar>(
    simd: S,
    [first, channels, count]: [usize; 3],
    x: &[T],
    weight: &[T],
    scores: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut sum = Lanes::load_first(simd, scores, count);
    let mut end = 0;
    while end + lanes <= channels {
        end += lanes;
        let weight = &weight[end - lanes..end];
        let square = square::<S, T, false>(simd, x, first * channels + end, channels, count);
        let mut i = 0;
        while i < lanes {
            sum = Lanes::splat(simd, weight[i]).mul_add(square[i], sum);
            i += 1;
        }
    }
    if end < channels {
        let weight = &weight[end..];
        let square = square::<S, T, true>(simd, x, (first + 1) * channels, channels, count);
        for (&weight, &x) in weight.iter().zip(&square[lanes - weight.len()..lanes]) {
            sum = Lanes::splat(simd, weight).mul_add(x, sum);
        }
    }
    sum.store_first(scores);
}

/// A vector for each lane's channel, with a lane for each position.
#[inline(always)]
fn square<S: Simd, T: Scalar, const PARTIAL: bool>(
    simd: S,
    x: &[T],
    mut end: usize,
    channels: usize,
    count: usize,
) -> [Lanes<S, T>; MAX_LANES] {
    let mut square = [Lanes::zero(simd); MAX_LANES];
    let mut i = 0;
    while i < count {
        square[i] = load::<S, T, PARTIAL>(simd, x, end);
        end += channels;
        i += 1;
    }
    Lanes::transpose(square)
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
        for first in (0..channels).step_by(VECTORS * lanes) {
            let end = channels.min(first + VECTORS * lanes);
            let mut factors = [[Lanes::zero(simd); 2]; VECTORS];
            for (v, factors) in factors[..(end - first).div_ceil(lanes)].iter_mut().enumerate() {
                let end = end.min(first + (v + 1) * lanes);
                let mean = load::<S, T, true>(simd, grad_pooled, end);
                *factors = [load::<S, T, true>(simd, weight, end), mean * inverse];
            }
            let mut totals = [[0.0; MAX_LANES]; VECTORS];
            for (block, grad_scores) in grad_scores.chunks(BLOCK).enumerate() {
                let start = block * BLOCK * channels;
                let at = [start + first, start + end, channels];
                let sums = pool_backward_block(simd, at, &factors, x, grad_scores, grad_x);
                let used = (end - first).div_ceil(lanes);
                for (totals, &sum) in totals[..used].iter_mut().zip(&sums) {
                    add_to_totals(sum, totals);
                }
            }
            for (grads, totals) in grad_weight[first..end].chunks_mut(lanes).zip(&totals) {
                let counted = grads.len();
                for (grad, &total) in grads.iter_mut().zip(&totals[lanes - counted..lanes]) {
                    *grad += T::from_f64(total);
                }
            }
        }
    }
}

/// `grad_x[s, c] += by_mean[c] + weight[c] · grad_scores[s]`; returns `Σ_s x[s, c] · grad_scores[s]`. `at` are the
/// first channel at the first position, the one after the last, and the distance of positions; the factors are
/// `weight` and `by_mean`.
#[inline(always)]
fn pool_backward_block<S: Simd, T: Scalar>(
    simd: S,
    [mut first, mut end, channels]: [usize; 3],
    factors: &[[Lanes<S, T>; 2]; VECTORS],
    x: &[T],
    grad_scores: &[T],
    grad_x: &mut [T],
) -> [Lanes<S, T>; VECTORS] {
    let lanes = Lanes::<S, T>::LEN;
    let whole = (end - first) / lanes * lanes;
    let counted = end - first - whole;
    let mut sums = [Lanes::zero(simd); VECTORS];
    for &grad_score in grad_scores {
        let grad_score = Lanes::splat(simd, grad_score);
        let vectors = x[first..first + whole]
            .chunks_exact(lanes)
            .zip(grad_x[first..first + whole].chunks_exact_mut(lanes))
            .zip(factors.iter().zip(&mut sums));
        for ((x, grad_x), ([weight, by_mean], sum)) in vectors {
            *sum = Lanes::load(simd, x).mul_add(grad_score, *sum);
            (Lanes::load(simd, grad_x) + weight.mul_add(grad_score, *by_mean)).store(grad_x);
        }
        if counted != 0 {
            let v = whole / lanes;
            let [weight, by_mean] = factors[v];
            sums[v] = load::<S, T, true>(simd, x, end).mul_add(grad_score, sums[v]);
            let grad = load::<S, T, true>(simd, grad_x, end) + weight.mul_add(grad_score, by_mean);
            store::<S, T, true>(grad, grad_x, end, counted);
        }
        first += channels;
        end += channels;
    }
    sums
}
