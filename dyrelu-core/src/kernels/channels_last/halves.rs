//! Global average pooling of the two halves of `[N, S, C]`.

use super::{Totals, add_to_totals, load, store};
use crate::Scalar;
use crate::kernels::halves::{gradient, halves};
use crate::kernels::pool::{BLOCKS, DEPTH};
use crate::lanes::{Lanes, MAX_LANES};
use fearless_simd::{Level, Simd, dispatch};

/// Vectors of channels that are added up together: two sums of each stay in registers.
const TOGETHER: usize = 4;

/// [`halves::forward`](crate::kernels::halves::forward) for x of the shape `[N, S, C]`, where `shape` is S and C.
///
/// # Panics
///
/// When `x` does not have this shape, or `pooled` is not `[N, 2 · C]`.
pub fn forward<T: Scalar>(level: Level, shape: [usize; 2], x: &[T], pooled: &mut [T]) {
    check(shape, x, pooled);
    if x.is_empty() {
        pooled.fill(T::default());
        return;
    }
    dispatch!(level, simd => forward_samples(simd, shape, x, pooled));
}

/// [`halves::backward`](crate::kernels::halves::backward) for x of the shape `[N, S, C]`.
///
/// # Panics
///
/// As [`forward`].
pub fn backward<T: Scalar>(level: Level, shape: [usize; 2], x: &[T], grad_pooled: &[T], grad_x: &mut [T]) {
    assert_eq!(x.len(), grad_x.len(), "channels last, halves: x and its gradient");
    check(shape, x, grad_pooled);
    if !x.is_empty() {
        dispatch!(level, simd => backward_samples(simd, shape, x, grad_pooled, grad_x));
    }
}

fn check<T>([positions, channels]: [usize; 2], x: &[T], pooled: &[T]) {
    assert!(
        pooled.len().is_multiple_of(2 * channels),
        "channels last, halves: samples of means"
    );
    assert_eq!(
        x.len(),
        pooled.len() / 2 * positions,
        "channels last, halves: x and its means"
    );
}

#[inline(always)]
fn forward_samples<S: Simd, T: Scalar>(
    simd: S,
    [positions, channels]: [usize; 2],
    x: &[T],
    pooled: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let samples = x.chunks_exact(positions * channels);
    for (x, pooled) in samples.zip(pooled.chunks_exact_mut(2 * channels)) {
        let mut c = 0;
        while c + TOGETHER * lanes <= channels {
            let end = c + TOGETHER * lanes;
            columns::<S, T, TOGETHER, false>(simd, [channels, c, end], x, pooled);
            c = end;
        }
        while c < channels {
            let end = channels.min(c + lanes);
            if end - c == lanes {
                columns::<S, T, 1, false>(simd, [channels, c, end], x, pooled);
            } else {
                columns::<S, T, 1, true>(simd, [channels, c, end], x, pooled);
            }
            c = end;
        }
    }
}

/// The means of M vectors of channels, which are given as C, the first one and the one after the last.
#[inline(always)]
fn columns<S: Simd, T: Scalar, const M: usize, const PARTIAL: bool>(
    simd: S,
    [channels, first, end]: [usize; 3],
    x: &[T],
    pooled: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut totals = [[[0.0; MAX_LANES]; 2]; M];
    for x in x.chunks(BLOCKS * DEPTH * channels) {
        let mut outer = [[Lanes::zero(simd); 2]; M];
        let mut start = 0;
        while start < x.len() {
            let stop = x.len().min(start + DEPTH * channels);
            let mut inner = [[Lanes::zero(simd); 2]; M];
            while start < stop {
                let mut m = 0;
                while m < M {
                    let end = start + end - (M - 1 - m) * lanes;
                    let [below, above] = halves(load::<S, T, PARTIAL>(simd, x, end));
                    inner[m] = [inner[m][0] + below, inner[m][1] + above];
                    m += 1;
                }
                start += channels;
            }
            let mut m = 0;
            while m < M {
                outer[m] = [outer[m][0] + inner[m][0], outer[m][1] + inner[m][1]];
                m += 1;
            }
        }
        for (totals, sums) in totals.iter_mut().zip(&outer) {
            add_to_totals(sums[0], &mut totals[0]);
            add_to_totals(sums[1], &mut totals[1]);
        }
    }
    let positions = x.len() / channels;
    let (below, above) = pooled.split_at_mut(channels);
    let parts = below[first..end]
        .chunks_mut(lanes)
        .zip(above[first..end].chunks_mut(lanes));
    for ((below, above), totals) in parts.zip(&totals) {
        store_means::<S, T>(positions, &totals[0], below);
        store_means::<S, T>(positions, &totals[1], above);
    }
}

/// The means of the last lanes, as many as there are.
#[inline(always)]
fn store_means<S: Simd, T: Scalar>(positions: usize, totals: &Totals, means: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let inverse = 1.0 / positions as f64;
    let first = lanes - means.len();
    for (mean, &total) in means.iter_mut().zip(&totals[first..lanes]) {
        *mean = T::from_f64(total * inverse);
    }
}

#[inline(always)]
fn backward_samples<S: Simd, T: Scalar>(
    simd: S,
    [positions, channels]: [usize; 2],
    x: &[T],
    grad_pooled: &[T],
    grad_x: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let inverse = Lanes::splat(simd, T::from_f64(1.0 / positions as f64));
    let whole = channels / lanes * lanes;
    let sample = positions * channels;
    let samples = x
        .chunks_exact(sample)
        .zip(grad_x.chunks_exact_mut(sample))
        .zip(grad_pooled.chunks_exact(2 * channels));
    for ((x, grad_x), grad_pooled) in samples {
        let (below, above) = grad_pooled.split_at(channels);
        let last = [
            Lanes::load_last(simd, below) * inverse,
            Lanes::load_last(simd, above) * inverse,
        ];
        let mut start = 0;
        while start < sample {
            let vectors = x[start..start + whole]
                .chunks_exact(lanes)
                .zip(grad_x[start..start + whole].chunks_exact_mut(lanes))
                .zip(below.chunks_exact(lanes).zip(above.chunks_exact(lanes)));
            for ((x, grad_x), (below, above)) in vectors {
                let grads = [
                    Lanes::load(simd, below) * inverse,
                    Lanes::load(simd, above) * inverse,
                ];
                let sum = Lanes::load(simd, grad_x) + gradient(Lanes::load(simd, x), grads);
                sum.store(grad_x);
            }
            start += channels;
            if whole < channels {
                let x = load::<S, T, true>(simd, x, start);
                let sum = load::<S, T, true>(simd, grad_x, start) + gradient(x, last);
                store::<S, T, true>(sum, grad_x, start, channels - whole);
            }
        }
    }
}
