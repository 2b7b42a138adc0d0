//! Global average pooling of `[N, S, C]`: the mean of each channel of a sample.

use super::{load, store};
use crate::kernels::pool::{BLOCKS, DEPTH};
use crate::lanes::{Lanes, MAX_LANES};
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// Vectors that are added up together, to hide the latency of an addition.
const VECTORS: usize = 4;

/// `pooled[n, c] = mean(x[n, .., c])` for x of the shape `[N, S, C]`, where `shape` is S and C; the mean of no
/// elements is 0.
///
/// The same bits as [`pool::forward`](crate::kernels::pool::forward) has for `[N, C, S]`.
///
/// # Panics
///
/// When x and `pooled` do not have this shape.
pub fn forward<T: Scalar>(level: Level, shape: [usize; 2], x: &[T], pooled: &mut [T]) {
    check(shape, x, pooled);
    if x.is_empty() {
        pooled.fill(T::default());
        return;
    }
    dispatch!(level, simd => forward_samples(simd, shape, x, pooled));
}

/// `grad_x[n, s, c] += grad_pooled[n, c] / S`.
///
/// # Panics
///
/// As [`forward`].
pub fn backward<T: Scalar>(level: Level, shape: [usize; 2], grad_pooled: &[T], grad_x: &mut [T]) {
    check(shape, grad_x, grad_pooled);
    if !grad_x.is_empty() {
        dispatch!(level, simd => backward_samples(simd, shape, grad_pooled, grad_x));
    }
}

fn check<T>([positions, channels]: [usize; 2], x: &[T], pooled: &[T]) {
    assert_eq!(
        x.len(),
        pooled.len() * positions,
        "channels last, pool: x and its means"
    );
    assert!(
        pooled.is_empty() || channels != 0 && pooled.len().is_multiple_of(channels),
        "channels last, pool: samples of means"
    );
}

#[inline(always)]
fn forward_samples<S: Simd, T: Scalar>(simd: S, shape: [usize; 2], x: &[T], pooled: &mut [T]) {
    let [positions, channels] = shape;
    if positions == 1 {
        return pooled.copy_from_slice(x);
    }
    let samples = x.chunks_exact(positions * channels);
    for (x, pooled) in samples.zip(pooled.chunks_exact_mut(channels)) {
        sample::<S, T, false>(simd, shape, x, pooled, &[], &mut []);
    }
}

/// The means of a sample. If `SCORED`, on the same way through x also `scores[s] += Σ_c weight[c] · x[s, c]`.
#[inline(always)]
pub(super) fn sample<S: Simd, T: Scalar, const SCORED: bool>(
    simd: S,
    shape: [usize; 2],
    x: &[T],
    pooled: &mut [T],
    weight: &[T],
    scores: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let [_, channels] = shape;
    let mut end = 0;
    while end < channels {
        let left = channels - end;
        if left >= VECTORS * lanes {
            end += VECTORS * lanes;
            sum::<S, T, VECTORS, SCORED, false>(simd, shape, [end, lanes], x, pooled, weight, scores);
        } else if left >= lanes {
            end += lanes;
            sum::<S, T, 1, SCORED, false>(simd, shape, [end, lanes], x, pooled, weight, scores);
        } else {
            end += left;
            sum::<S, T, 1, SCORED, true>(simd, shape, [end, left], x, pooled, weight, scores);
        }
    }
}

/// As [`sample`], for M vectors of channels that end before a channel, with the counted lanes of the last one.
///
/// The row kernel's lane j adds up every LEN-th position from j on, and so does sum j here. Then neighbouring sums
/// are added, as neighbouring lanes are there.
#[inline(always)]
fn sum<S: Simd, T: Scalar, const M: usize, const SCORED: bool, const PARTIAL: bool>(
    simd: S,
    shape: [usize; 2],
    [end, counted]: [usize; 2],
    x: &[T],
    pooled: &mut [T],
    weight: &[T],
    scores: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let [positions, channels] = shape;
    let whole = positions / lanes * lanes;
    let mut totals = [[0.0; MAX_LANES]; M];
    if whole < positions {
        let mut sums = [[Lanes::zero(simd); M]; MAX_LANES];
        let mut s = whole;
        while s < positions {
            sums[lanes + s - positions] = vectors::<S, T, M, PARTIAL>(simd, x, s * channels + end);
            s += 1;
        }
        add_up(&mut totals, sums);
        if SCORED {
            let count = positions - whole;
            let at = [whole, end, counted];
            score::<S, T, M, PARTIAL>(simd, channels, at, x, weight, &mut scores[whole..], count);
        }
    }
    let mut start = 0;
    while start < whole {
        let stop = whole.min(start + BLOCKS * DEPTH * lanes);
        let mut sums = [[Lanes::zero(simd); M]; MAX_LANES];
        while start < stop {
            let depth = DEPTH.min((stop - start) / lanes);
            let mut j = 0;
            while j < lanes {
                let mut inner = [Lanes::zero(simd); M];
                let mut i = 0;
                while i < depth {
                    let s = start + i * lanes + j;
                    inner = add(inner, vectors::<S, T, M, PARTIAL>(simd, x, s * channels + end));
                    i += 1;
                }
                sums[j] = add(sums[j], inner);
                j += 1;
            }
            if SCORED {
                let mut i = 0;
                while i < depth {
                    let s = start + i * lanes;
                    let at = [s, end, counted];
                    score::<S, T, M, PARTIAL>(simd, channels, at, x, weight, &mut scores[s..], lanes);
                    i += 1;
                }
            }
            start += depth * lanes;
        }
        add_up(&mut totals, sums);
    }
    let inverse = 1.0 / positions as f64;
    let mut m = 0;
    while m < M {
        let end = end - (M - 1 - m) * lanes;
        let means = pooled[end - counted..end].iter_mut();
        for (mean, &total) in means.zip(&totals[m][lanes - counted..lanes]) {
            *mean = T::from_f64(total * inverse);
        }
        m += 1;
    }
}

/// M vectors, of which the last ends before element `end`.
#[inline(always)]
fn vectors<S: Simd, T: Scalar, const M: usize, const PARTIAL: bool>(
    simd: S,
    x: &[T],
    end: usize,
) -> [Lanes<S, T>; M] {
    let mut vectors = [Lanes::zero(simd); M];
    let mut m = 0;
    while m < M {
        vectors[m] = load::<S, T, PARTIAL>(simd, x, end - (M - 1 - m) * Lanes::<S, T>::LEN);
        m += 1;
    }
    vectors
}

#[inline(always)]
fn add<S: Simd, T: Scalar, const M: usize>(mut a: [Lanes<S, T>; M], b: [Lanes<S, T>; M]) -> [Lanes<S, T>; M] {
    let mut m = 0;
    while m < M {
        a[m] = a[m] + b[m];
        m += 1;
    }
    a
}

/// Moves the sums of every LEN-th position on to the totals.
#[inline(always)]
fn add_up<S: Simd, T: Scalar, const M: usize>(
    totals: &mut [[f64; MAX_LANES]; M],
    mut sums: [[Lanes<S, T>; M]; MAX_LANES],
) {
    let mut count = Lanes::<S, T>::LEN;
    while count > 1 {
        count /= 2;
        let mut i = 0;
        while i < count {
            sums[i] = add(sums[2 * i], sums[2 * i + 1]);
            i += 1;
        }
    }
    let mut m = 0;
    while m < M {
        let mut buffer = [T::default(); MAX_LANES];
        sums[0][m].store(&mut buffer);
        for (total, lane) in totals[m].iter_mut().zip(buffer) {
            *total += lane.to_f64();
        }
        m += 1;
    }
}

/// Adds the products of M vectors of channels to the scores of `count` positions, at most LEN, channel by channel as
/// the row kernel does. `at` are the first position, the channel before which the vectors end, and the counted lanes
/// of the last one.
#[inline(always)]
fn score<S: Simd, T: Scalar, const M: usize, const PARTIAL: bool>(
    simd: S,
    channels: usize,
    at: [usize; 3],
    x: &[T],
    weight: &[T],
    scores: &mut [T],
    count: usize,
) {
    let lanes = Lanes::<S, T>::LEN;
    let [first, end, counted] = at;
    let mut sum = Lanes::load_first(simd, scores, count);
    let mut m = 0;
    while m < M {
        let end = end - (M - 1 - m) * lanes;
        let mut square = [Lanes::zero(simd); MAX_LANES];
        let mut i = 0;
        while i < count {
            square[i] = load::<S, T, PARTIAL>(simd, x, (first + i) * channels + end);
            i += 1;
        }
        let square = Lanes::transpose(square);
        let weight = &weight[end - counted..end];
        let mut i = 0;
        while i < counted {
            sum = Lanes::splat(simd, weight[i]).mul_add(square[lanes - counted + i], sum);
            i += 1;
        }
        m += 1;
    }
    sum.store_first(&mut scores[..count]);
}

#[inline(always)]
fn backward_samples<S: Simd, T: Scalar>(simd: S, shape: [usize; 2], grad_pooled: &[T], grad_x: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let [positions, channels] = shape;
    let inverse = Lanes::splat(simd, T::from_f64(1.0 / positions as f64));
    let whole = channels / lanes * lanes;
    let samples = grad_x.chunks_exact_mut(positions * channels);
    for (grad_x, grad_pooled) in samples.zip(grad_pooled.chunks_exact(channels)) {
        let last = Lanes::load_last(simd, grad_pooled) * inverse;
        let mut start = 0;
        while start < positions * channels {
            let vectors = grad_x[start..start + whole].chunks_exact_mut(lanes);
            for (grad_x, grad_pooled) in vectors.zip(grad_pooled.chunks_exact(lanes)) {
                (Lanes::load(simd, grad_x) + Lanes::load(simd, grad_pooled) * inverse).store(grad_x);
            }
            start += channels;
            if whole < channels {
                let sum = load::<S, T, true>(simd, grad_x, start) + last;
                store::<S, T, true>(sum, grad_x, start, channels - whole);
            }
        }
    }
}
