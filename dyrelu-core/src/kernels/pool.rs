//! Global average pooling: the mean of each row.

use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// Rows that are summed together, to hide the latency of an addition.
pub(crate) const ROWS: usize = 4;

/// Vectors that are added to one sum before it moves on to the sum of such sums.
pub(super) const DEPTH: usize = 8;

/// Sums that are added up before their sum moves on to `f64`.
pub(super) const BLOCKS: usize = 16;

/// `pooled[r] = mean(x[r, ..])` for rows of `len` elements; the mean of no elements is 0.
///
/// Sums of `f32` are sums of sums, and move to `f64` after 24 additions to a lane at most. So the error does not
/// grow with the length: the mean of 10⁶ equal values is exact to 10⁻⁶. What moves on is the sum of up to 2,048
/// elements; it must be finite.
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
    let none = [Lanes::zero(simd); ROWS];
    let (groups, rest) = x.split_at(pooled.len() / ROWS * ROWS * len);
    let (pooled, pooled_rest) = pooled.split_at_mut(groups.len() / len);
    for (x, pooled) in groups.chunks_exact(ROWS * len).zip(pooled.chunks_exact_mut(ROWS)) {
        let sums = sum_rows::<S, T, ROWS, false>(simd, len, x, none, &mut []);
        means(len, sums, pooled);
    }
    for (x, pooled) in rest.chunks_exact(len).zip(pooled_rest.chunks_exact_mut(1)) {
        means(len, [sum(simd, x)], pooled);
    }
}

/// Divides sums by the number of their summands.
#[inline(always)]
pub(crate) fn means<T: Scalar, const M: usize>(len: usize, sums: [f64; M], pooled: &mut [T]) {
    let inverse = 1.0 / len as f64;
    let mut m = 0;
    while m < M {
        pooled[m] = T::from_f64(sums[m] * inverse);
        m += 1;
    }
}

/// The sum of a slice, see [`forward`] for its accuracy.
#[inline(always)]
pub(crate) fn sum<S: Simd, T: Scalar>(simd: S, x: &[T]) -> f64 {
    let [sum] = sum_rows::<S, T, 1, false>(simd, x.len(), x, [Lanes::zero(simd)], &mut []);
    sum
}

/// The sums of M rows, each in the same order for any M. If `SCORED`, on the same way through x also
/// `scores[i] += Σ_m weights[m] · x[m, i]`.
#[inline(always)]
pub(crate) fn sum_rows<S: Simd, T: Scalar, const M: usize, const SCORED: bool>(
    simd: S,
    len: usize,
    x: &[T],
    weights: [Lanes<S, T>; M],
    scores: &mut [T],
) -> [f64; M] {
    let lanes = Lanes::<S, T>::LEN;
    let whole = len / lanes * lanes;
    let mut rows = [x; M];
    let mut m = 0;
    while m < M {
        rows[m] = &x[m * len..][..len];
        m += 1;
    }
    let mut totals = [0.0; M];
    // The last vector comes first: it overlaps with the one before, which must see the old scores.
    let mut last_score = Lanes::zero(simd);
    if whole < len {
        if SCORED {
            last_score = Lanes::load_last(simd, scores);
        }
        let mut last = [Lanes::zero(simd); M];
        let mut m = 0;
        while m < M {
            last[m] = Lanes::load_last(simd, rows[m]);
            last_score = weights[m].mul_add(last[m], last_score);
            last[m] = last[m].keep_last(len - whole);
            m += 1;
        }
        add_up(&mut totals, last);
    }
    let mut start = 0;
    while start < whole {
        let end = whole.min(start + BLOCKS * DEPTH * lanes);
        let mut outer = [Lanes::zero(simd); M];
        while start < end {
            let stop = end.min(start + DEPTH * lanes);
            let mut inner = [Lanes::zero(simd); M];
            while start < stop {
                let mut score = Lanes::zero(simd);
                if SCORED {
                    score = Lanes::load(simd, &scores[start..]);
                }
                let mut m = 0;
                while m < M {
                    let x = Lanes::load(simd, &rows[m][start..start + lanes]);
                    inner[m] = inner[m] + x;
                    score = weights[m].mul_add(x, score);
                    m += 1;
                }
                if SCORED {
                    score.store(&mut scores[start..]);
                }
                start += lanes;
            }
            let mut m = 0;
            while m < M {
                outer[m] = outer[m] + inner[m];
                m += 1;
            }
        }
        add_up(&mut totals, outer);
    }
    if SCORED && whole < len {
        last_score.store_last(scores);
    }
    totals
}

/// Moves the sums of lanes on to the totals.
#[inline(always)]
pub(super) fn add_up<S: Simd, T: Scalar, const M: usize>(totals: &mut [f64; M], sums: [Lanes<S, T>; M]) {
    let sums = Lanes::sums(sums);
    let mut m = 0;
    while m < M {
        totals[m] += sums[m].to_f64();
        m += 1;
    }
}

#[inline(always)]
fn backward_rows<S: Simd, T: Scalar>(simd: S, len: usize, grad_pooled: &[T], grad_x: &mut [T]) {
    let inverse_len = T::from_f64(1.0 / len as f64);
    for (grad_x, &grad_pooled) in grad_x.chunks_exact_mut(len).zip(grad_pooled) {
        let summand = Lanes::splat(simd, grad_pooled * inverse_len);
        let last = Lanes::load_last(simd, grad_x) + summand;
        for grad_x in grad_x.chunks_exact_mut(Lanes::<S, T>::LEN) {
            (Lanes::load(simd, grad_x) + summand).store(grad_x);
        }
        last.store_last(grad_x);
    }
}
