//! Global average pooling of the two halves of x: the means of min(x, 0) and those of relu(x).

use super::pool::{BLOCKS, DEPTH, add_up, means};
use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// For x of the shape `[N, C, S]`, where `shape` is S and C: `pooled[n, c] = mean(min(x[n, c, ..], 0))` and
/// `pooled[n, C + c] = mean(relu(x[n, c, ..]))`; the means of no elements are 0.
///
/// As accurate as [`pool::forward`](super::pool::forward). A NaN reaches both means.
///
/// # Panics
///
/// When `x` is not `[N, C, S]`, or `pooled` not `[N, 2 · C]`.
pub fn forward<T: Scalar>(level: Level, shape: [usize; 2], x: &[T], pooled: &mut [T]) {
    check(shape, x, pooled);
    if x.is_empty() {
        pooled.fill(T::default());
        return;
    }
    dispatch!(level, simd => forward_samples(simd, shape, x, pooled));
}

/// Adds `grad_pooled[n, c] / S` to `grad_x[n, c, s]` where x < 0, `grad_pooled[n, C + c] / S` where x > 0, and nothing
/// elsewhere.
///
/// # Panics
///
/// As [`forward`].
pub fn backward<T: Scalar>(level: Level, shape: [usize; 2], x: &[T], grad_pooled: &[T], grad_x: &mut [T]) {
    assert_eq!(x.len(), grad_x.len(), "halves: x and its gradient");
    check(shape, x, grad_pooled);
    if !x.is_empty() {
        dispatch!(level, simd => backward_samples(simd, shape, x, grad_pooled, grad_x));
    }
}

fn check<T>([len, channels]: [usize; 2], x: &[T], pooled: &[T]) {
    assert!(
        pooled.len().is_multiple_of(2 * channels),
        "halves: samples of means"
    );
    assert_eq!(x.len(), pooled.len() / 2 * len, "halves: x and its means");
}

/// min(x, 0) and relu(x). NaN stays NaN in both.
#[inline(always)]
pub(super) fn halves<S: Simd, T: Scalar>(x: Lanes<S, T>) -> [Lanes<S, T>; 2] {
    let zero = x.zeroed();
    [Lanes::select(x.ge(&zero), zero, x), x.relu()]
}

/// The sum of the gradients of both halves.
#[inline(always)]
pub(super) fn gradient<S: Simd, T: Scalar>(x: Lanes<S, T>, [below, above]: [Lanes<S, T>; 2]) -> Lanes<S, T> {
    let zero = x.zeroed();
    below.keep(x.lt(&zero)) + above.keep(x.gt(&zero))
}

#[inline(always)]
fn forward_samples<S: Simd, T: Scalar>(simd: S, [len, channels]: [usize; 2], x: &[T], pooled: &mut [T]) {
    let samples = x.chunks_exact(channels * len);
    for (x, pooled) in samples.zip(pooled.chunks_exact_mut(2 * channels)) {
        let (below, above) = pooled.split_at_mut(channels);
        for (x, (below, above)) in x.chunks_exact(len).zip(below.iter_mut().zip(above)) {
            let mut pair = [T::default(); 2];
            means(len, sums(simd, x), &mut pair);
            [*below, *above] = pair;
        }
    }
}

/// The sums of both halves of a row.
#[inline(always)]
fn sums<S: Simd, T: Scalar>(simd: S, x: &[T]) -> [f64; 2] {
    let lanes = Lanes::<S, T>::LEN;
    let rest = x.len() % lanes;
    let mut totals = [0.0; 2];
    if rest != 0 {
        let [below, above] = halves(Lanes::load_last(simd, x));
        add_up(&mut totals, [below.keep_last(rest), above.keep_last(rest)]);
    }
    for x in x[..x.len() - rest].chunks(BLOCKS * DEPTH * lanes) {
        let mut outer = [Lanes::zero(simd); 2];
        for x in x.chunks(DEPTH * lanes) {
            let mut inner = [Lanes::zero(simd); 2];
            for x in x.chunks_exact(lanes) {
                let [below, above] = halves(Lanes::load(simd, x));
                inner = [inner[0] + below, inner[1] + above];
            }
            outer = [outer[0] + inner[0], outer[1] + inner[1]];
        }
        add_up(&mut totals, outer);
    }
    totals
}

#[inline(always)]
fn backward_samples<S: Simd, T: Scalar>(
    simd: S,
    [len, channels]: [usize; 2],
    x: &[T],
    grad_pooled: &[T],
    grad_x: &mut [T],
) {
    let inverse_len = T::from_f64(1.0 / len as f64);
    let rows = x.chunks_exact(len).zip(grad_x.chunks_exact_mut(len));
    for (row, (x, grad_x)) in rows.enumerate() {
        let first = row / channels * 2 * channels + row % channels;
        let grads = [
            Lanes::splat(simd, grad_pooled[first] * inverse_len),
            Lanes::splat(simd, grad_pooled[first + channels] * inverse_len),
        ];
        backward_row(simd, x, grads, grad_x);
    }
}

#[inline(always)]
fn backward_row<S: Simd, T: Scalar>(simd: S, x: &[T], grads: [Lanes<S, T>; 2], grad_x: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    // The last vector overlaps with the one before: it must see what was there before.
    let last = Lanes::load_last(simd, grad_x) + gradient(Lanes::load_last(simd, x), grads);
    for (x, grad_x) in x.chunks_exact(lanes).zip(grad_x.chunks_exact_mut(lanes)) {
        (Lanes::load(simd, grad_x) + gradient(Lanes::load(simd, x), grads)).store(grad_x);
    }
    last.store_last(grad_x);
}
