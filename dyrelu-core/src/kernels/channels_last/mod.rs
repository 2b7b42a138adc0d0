//! The kernels for arrays whose channels stand next to each other, `[N, S, C]`.
//!
//! Vectors run along channels: each lane has coefficients of its own, and what is added up over positions is added
//! up lane by lane. Everything that is not as large as x, such as coefficients and scores, has the same layout as
//! beside `[N, C, S]`, and the kernels that do not read x are the same.
//!
//! The means and scores are the same bits as those of [`pool`](fn@super::attention::pool) and
//! [`pool::forward`](super::pool::forward) for `[N, C, S]`: they are added up in the order of those kernels. So the
//! whole forward pass has the same results in both layouts. Sums of gradients differ in the last bits, and so do the means of
//! [`halves`].
//!
//! The last vector of a position's channels *ends* with them. It overlaps with the vector before, or with the
//! position before if there are fewer channels than lanes; only the lanes that no other vector has count.

pub mod attention;
pub mod halves;
pub mod piecewise;
pub mod pool;

use crate::Scalar;
use crate::lanes::{Lanes, MAX_LANES};
use fearless_simd::Simd;

/// Positions whose sums are added up before they move on to `f64`.
const BLOCK: usize = 64;

/// The vectors of a group of channels. What there is for each lane stays in the first-level cache while a group's
/// channels of all positions pass.
const VECTORS: usize = 32;

/// The sums of the lanes of a vector over many positions.
type Totals = [f64; MAX_LANES];

/// The vector that ends before element `end` of x. If it is `PARTIAL`, it may begin before x.
#[inline(always)]
fn load<S: Simd, T: Scalar, const PARTIAL: bool>(simd: S, x: &[T], end: usize) -> Lanes<S, T> {
    if PARTIAL {
        Lanes::load_last(simd, &x[..end])
    } else {
        Lanes::load(simd, &x[end - Lanes::<S, T>::LEN..])
    }
}

/// Writes the vector that ends before element `end` of y. If it is `PARTIAL`, only its last `counted` lanes.
#[inline(always)]
fn store<S: Simd, T: Scalar, const PARTIAL: bool>(
    vector: Lanes<S, T>,
    y: &mut [T],
    end: usize,
    counted: usize,
) {
    if PARTIAL {
        vector.store_counted(counted, &mut y[..end]);
    } else {
        vector.store(&mut y[end - Lanes::<S, T>::LEN..]);
    }
}

#[inline(always)]
fn add_to_totals<S: Simd, T: Scalar>(vector: Lanes<S, T>, totals: &mut Totals) {
    let mut buffer = [T::default(); MAX_LANES];
    vector.store(&mut buffer);
    let lanes = Lanes::<S, T>::LEN;
    for (total, lane) in totals[..lanes].iter_mut().zip(&buffer[..lanes]) {
        *total += lane.to_f64();
    }
}

#[inline(always)]
fn from_totals<S: Simd, T: Scalar>(simd: S, totals: &Totals) -> Lanes<S, T> {
    let mut buffer = [T::default(); MAX_LANES];
    for (lane, &total) in buffer.iter_mut().zip(totals) {
        *lane = T::from_f64(total);
    }
    Lanes::load(simd, &buffer)
}
