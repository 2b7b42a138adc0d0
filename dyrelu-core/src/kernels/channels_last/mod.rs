//! The kernels for arrays whose channels stand next to each other, `[N, S, C]`.
//!
//! Vectors run along channels: each lane has coefficients of its own, and what is added up over positions is added
//! up lane by lane. Everything that is not as large as x, such as coefficients and scores, has the same layout as
//! beside `[N, C, S]`, and the kernels that do not read x are the same.
//!
//! The means and scores are the same bits as those of [`pool`](fn@super::attention::pool) and
//! [`pool::forward`](super::pool::forward) for `[N, C, S]`: they are added up in the order of those kernels. So the
//! whole forward pass has the same results in both layouts. Sums of gradients differ in the last bits.
//!
//! The last vector of a position's channels *ends* with them. It overlaps with the vector before, or with the
//! position before if there are fewer channels than lanes; only the lanes that no other vector has count.

pub mod attention;
pub mod piecewise;
pub mod pool;

use crate::Scalar;
use crate::lanes::{Lanes, MAX_LANES};
use fearless_simd::Simd;

/// Positions whose sums are added up before they move on to `f64`; their lines stay in the cache while the vectors
/// of a group of channels pass over them.
const BLOCK: usize = 64;

/// The channels of a group; a multiple of the lanes.
const GROUP: usize = 64;

/// A number for each channel of a group, after some that the first vector may have before them.
type Group<T> = [T; MAX_LANES + GROUP];

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

/// Adds the lanes of a vector to the totals that end before `end`.
#[inline(always)]
fn add_to_totals<S: Simd, T: Scalar>(vector: Lanes<S, T>, totals: &mut Group<f64>, end: usize) {
    let lanes = Lanes::<S, T>::LEN;
    let mut buffer = [T::default(); MAX_LANES];
    vector.store(&mut buffer);
    let totals = &mut totals[MAX_LANES + end - lanes..][..lanes];
    for (total, &lane) in totals.iter_mut().zip(&buffer[..lanes]) {
        *total += lane.to_f64();
    }
}
