//! The mean of each row, four rows at once.

use super::lanes::{add_up, keep, last_lanes, load_last};
use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

/// For a number of rows that is a multiple of four.
pub(crate) fn forward(level: Level, len: usize, x: &[f32], pooled: &mut [f32]) {
    assert_eq!(x.len(), pooled.len() * len);
    assert!(pooled.len().is_multiple_of(4));
    dispatch!(level, simd => {
        let inverse = 1.0 / len as f64;
        for (x, pooled) in x.chunks_exact(4 * len).zip(pooled.chunks_exact_mut(4)) {
            let totals = sum_rows(simd, len, x);
            pooled[0] = (totals[0] * inverse) as f32;
            pooled[1] = (totals[1] * inverse) as f32;
            pooled[2] = (totals[2] * inverse) as f32;
            pooled[3] = (totals[3] * inverse) as f32;
        }
    });
}

/// Eight additions to one sum, sixteen such sums to a second one, and on to `f64`.
#[inline(always)]
fn sum_rows<S: Simd>(simd: S, len: usize, x: &[f32]) -> [f64; 4] {
    let lanes = S::f32s::LEN;
    let whole = len / lanes * lanes;
    let (x0, x) = x.split_at(len);
    let (x1, x) = x.split_at(len);
    let (x2, x3) = x.split_at(len);
    let zero = S::f32s::splat(simd, 0.0);
    let mut totals = [0.0; 4];
    if whole < len {
        let rest = last_lanes(simd, len - whole);
        let last = [
            keep::<S>(rest, load_last(simd, x0)),
            keep::<S>(rest, load_last(simd, x1)),
            keep::<S>(rest, load_last(simd, x2)),
            keep::<S>(rest, load_last(simd, x3)),
        ];
        add_up::<S, 4>(&mut totals, last);
    }
    let mut start = 0;
    while start < whole {
        let end = whole.min(start + 16 * 8 * lanes);
        let [mut outer0, mut outer1, mut outer2, mut outer3] = [zero; 4];
        while start < end {
            let stop = end.min(start + 8 * lanes);
            let [mut inner0, mut inner1, mut inner2, mut inner3] = [zero; 4];
            while start < stop {
                inner0 += S::f32s::from_slice(simd, &x0[start..start + lanes]);
                inner1 += S::f32s::from_slice(simd, &x1[start..start + lanes]);
                inner2 += S::f32s::from_slice(simd, &x2[start..start + lanes]);
                inner3 += S::f32s::from_slice(simd, &x3[start..start + lanes]);
                start += lanes;
            }
            outer0 += inner0;
            outer1 += inner1;
            outer2 += inner2;
            outer3 += inner3;
        }
        add_up::<S, 4>(&mut totals, [outer0, outer1, outer2, outer3]);
    }
    totals
}
