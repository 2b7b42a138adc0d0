//! Two curves: the larger of aₖ·x·σ(bₖ·x) + cₖ.

use super::BLOCK;
use super::lanes::{
    add, add_product, add_up, before_last, both, exp, last_lanes, load_last, max, replaces, store_last,
};
use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

/// The coefficients of a row, each in all lanes.
#[derive(Clone, Copy)]
struct Set<S: Simd> {
    a0: S::f32s,
    a1: S::f32s,
    b0: S::f32s,
    b1: S::f32s,
    c0: S::f32s,
    c1: S::f32s,
}

impl<S: Simd> Set<S> {
    #[inline(always)]
    fn splat(simd: S, row: &[f32]) -> Self {
        Self {
            a0: S::f32s::splat(simd, row[0]),
            a1: S::f32s::splat(simd, row[1]),
            b0: S::f32s::splat(simd, row[2]),
            b1: S::f32s::splat(simd, row[3]),
            c0: S::f32s::splat(simd, row[4]),
            c1: S::f32s::splat(simd, row[5]),
        }
    }

    #[inline(always)]
    fn value(self, x: S::f32s) -> S::f32s {
        max::<S>(
            value::<S>(x, self.a0, self.b0, self.c0),
            value::<S>(x, self.a1, self.b1, self.c1),
        )
    }
}

#[inline(always)]
fn value<S: Simd>(x: S::f32s, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    (a * x).mul_add(sigmoid::<S>(b * x), c)
}

#[inline(always)]
fn sigmoid<S: Simd>(x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(x.token(), 1.0);
    one / (one + exp::<S>(-x))
}

pub(crate) fn forward(level: Level, len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    assert_eq!(coefficients.len() * len, 6 * x.len());
    dispatch!(level, simd => forward_rows(simd, len, coefficients, x, y));
}

#[inline(always)]
fn forward_rows<S: Simd>(simd: S, len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let whole = before_last::<S>(len);
    let rows = x.chunks_exact(len).zip(y.chunks_exact_mut(len));
    for ((x, y), row) in rows.zip(coefficients.chunks_exact(6)) {
        let set = Set::splat(simd, row);
        for (x, y) in x[..whole]
            .chunks_exact(lanes)
            .zip(y[..whole].chunks_exact_mut(lanes))
        {
            set.value(S::f32s::from_slice(simd, x)).store_slice(y);
        }
        store_last::<S>(set.value(load_last(simd, x)), y);
    }
}

pub(crate) fn backward(
    level: Level,
    len: usize,
    coefficients: &[f32],
    x: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
    grad_coefficients: &mut [f32],
) {
    assert_eq!(x.len(), grad_y.len());
    assert_eq!(x.len(), grad_x.len());
    assert_eq!(coefficients.len(), grad_coefficients.len());
    assert_eq!(coefficients.len() * len, 6 * x.len());
    dispatch!(level, simd => {
        let rows = x.chunks_exact(len).zip(grad_y.chunks_exact(len)).zip(grad_x.chunks_exact_mut(len));
        let sets = coefficients.chunks_exact(6).zip(grad_coefficients.chunks_exact_mut(6));
        for (((x, grad_y), grad_x), (row, grad_row)) in rows.zip(sets) {
            backward_row(simd, row, x, grad_y, grad_x, grad_row);
        }
    });
}

#[inline(always)]
fn backward_row<S: Simd>(
    simd: S,
    row: &[f32],
    x: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
    grad_row: &mut [f32],
) {
    let lanes = S::f32s::LEN;
    let set = Set::splat(simd, row);
    let whole = before_last::<S>(x.len());
    let mut totals = [0.0; 6];
    let mut sums = [S::f32s::splat(simd, 0.0); 6];
    let mut start = 0;
    while start < whole {
        let end = whole.min(start + BLOCK * lanes);
        let vectors = x[start..end]
            .chunks_exact(lanes)
            .zip(grad_y[start..end].chunks_exact(lanes))
            .zip(grad_x[start..end].chunks_exact_mut(lanes));
        for ((x, grad_y), grad_x) in vectors {
            let (x, grad_y) = (S::f32s::from_slice(simd, x), S::f32s::from_slice(simd, grad_y));
            gradients(set, x, grad_y, None, &mut sums).store_slice(grad_x);
        }
        start = end;
        if start < whole {
            add_up::<S, 6>(&mut totals, sums);
            sums = [S::f32s::splat(simd, 0.0); 6];
        }
    }
    let counted = Some(last_lanes(simd, x.len() - whole));
    let dx = gradients(
        set,
        load_last(simd, x),
        load_last(simd, grad_y),
        counted,
        &mut sums,
    );
    store_last::<S>(dx, grad_x);
    add_up::<S, 6>(&mut totals, sums);
    for (grad, total) in grad_row.iter_mut().zip(totals) {
        *grad = total as f32;
    }
}

/// The gradient of x; adds to the sums of those of a0, a1, b0, b1, c0, c1. `counted` are the lanes to add, if not all.
#[inline(always)]
fn gradients<S: Simd>(
    set: Set<S>,
    x: S::f32s,
    grad_y: S::f32s,
    counted: Option<S::mask32s>,
    sums: &mut [S::f32s; 6],
) -> S::f32s {
    let (y0, [dx0, da0, db0]) = derivatives::<S>(x, set.a0, set.b0, set.c0);
    let (y1, [dx1, da1, db1]) = derivatives::<S>(x, set.a1, set.b1, set.c1);
    let better = replaces::<S>(y1, y0);
    let (won0, won1) = (both::<S>(!better, counted), both::<S>(better, counted));
    sums[0] = add_product::<S>(sums[0], grad_y, da0, won0);
    sums[1] = add_product::<S>(sums[1], grad_y, da1, won1);
    sums[2] = add_product::<S>(sums[2], grad_y, db0, won0);
    sums[3] = add_product::<S>(sums[3], grad_y, db1, won1);
    sums[4] = add::<S>(sums[4], grad_y, won0);
    sums[5] = add::<S>(sums[5], grad_y, won1);
    grad_y * better.select(dx1, dx0)
}

/// A curve's value and its derivatives with respect to x, a and b, which share σ.
#[inline(always)]
fn derivatives<S: Simd>(x: S::f32s, a: S::f32s, b: S::f32s, c: S::f32s) -> (S::f32s, [S::f32s; 3]) {
    let sigma = sigmoid::<S>(b * x);
    let ax = a * x;
    let slope = ax * sigma * (S::f32s::splat(x.token(), 1.0) - sigma);
    (
        ax.mul_add(sigma, c),
        [a.mul_add(sigma, slope * b), x * sigma, slope * x],
    )
}
