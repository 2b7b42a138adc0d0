//! Global average pooling: the mean of each row.

use crate::Scalar;
use crate::lanes::Lanes;
use fearless_simd::{Level, Simd, dispatch};

/// Additions in a row to one lane before a partial sum moves on to `f64`.
const DEPTH: usize = 8;

/// Independent partial sums, to hide the latency of an addition.
const SUMS: usize = 4;

/// `pooled[r] = mean(x[r, ..])` for rows of `len` elements; the mean of no elements is 0.
///
/// Sums of `f32` move to `f64` after 8 to 14 additions, so the error does not grow with the length: the mean of
/// 10⁶ equal values is exact to 10⁻⁶. What moves on is the sum of up to 512 elements; it must be finite.
///
/// # Panics
///
/// When `x` does not hold `pooled.len()` rows.
pub fn forward<T: Scalar>(level: Level, len: usize, x: &[T], pooled: &mut [T]) {
    assert_eq!(x.len(), pooled.len() * len, "pool: rows times length");
    if len == 0 {
        pooled.fill(T::default());
        return;
    }
    dispatch!(level, simd => forward_rows(simd, len, x, pooled));
}

/// `grad_x[r, ..] += grad_pooled[r] / len`.
///
/// # Panics
///
/// When `grad_x` does not hold `grad_pooled.len()` rows.
pub fn backward<T: Scalar>(level: Level, len: usize, grad_pooled: &[T], grad_x: &mut [T]) {
    assert_eq!(grad_x.len(), grad_pooled.len() * len, "pool: rows times length");
    if len == 0 {
        return;
    }
    dispatch!(level, simd => backward_rows(simd, len, grad_pooled, grad_x));
}

#[inline(always)]
fn forward_rows<S: Simd, T: Scalar>(simd: S, len: usize, x: &[T], pooled: &mut [T]) {
    let count = len as f64;
    for (x, pooled) in x.chunks_exact(len).zip(pooled) {
        *pooled = T::from_f64(sum(simd, x) / count);
    }
}

/// The sum of a slice, see [`forward`] for its accuracy.
#[inline(always)]
pub(crate) fn sum<S: Simd, T: Scalar>(simd: S, x: &[T]) -> f64 {
    let lanes = Lanes::<S, T>::LEN;
    let mut total = 0.0;
    let (whole, _) = x.split_at(x.len() / lanes * lanes);
    for block in whole.chunks(DEPTH * SUMS * lanes) {
        let mut sums = [Lanes::zero(simd); SUMS];
        let mut groups = block.chunks_exact(SUMS * lanes);
        for group in groups.by_ref() {
            let mut i = 0;
            while i < SUMS {
                sums[i] = sums[i] + Lanes::load(simd, &group[i * lanes..]);
                i += 1;
            }
        }
        for vector in groups.remainder().chunks_exact(lanes) {
            sums[0] = sums[0] + Lanes::load(simd, vector);
        }
        total += ((sums[0] + sums[1]) + (sums[2] + sums[3])).sum().to_f64();
    }
    let rest = x.len() - whole.len();
    if rest != 0 {
        total += Lanes::load_last(simd, x).keep_last(rest).sum().to_f64();
    }
    total
}

#[inline(always)]
fn backward_rows<S: Simd, T: Scalar>(simd: S, len: usize, grad_pooled: &[T], grad_x: &mut [T]) {
    let scale = T::from_f64(1.0 / len as f64);
    for (grad_x, &grad_pooled) in grad_x.chunks_exact_mut(len).zip(grad_pooled) {
        add_scalar(
            simd,
            Lanes::splat(simd, grad_pooled) * Lanes::splat(simd, scale),
            grad_x,
        );
    }
}

/// `y[..] += summand`.
#[inline(always)]
fn add_scalar<S: Simd, T: Scalar>(simd: S, summand: Lanes<S, T>, y: &mut [T]) {
    let mut vectors = y.chunks_exact_mut(Lanes::<S, T>::LEN);
    for y in vectors.by_ref() {
        (Lanes::load(simd, y) + summand).store(y);
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        (Lanes::load_last(simd, rest) + summand).store_last(rest);
    }
}
