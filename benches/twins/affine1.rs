//! One line: y = a·x + b. Nothing can lose.

use super::BLOCK;
use super::lanes::{add, add_product, add_up, before_last, last_lanes, load_last, store_last};
use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

/// The coefficients of a row, each in all lanes.
#[derive(Clone, Copy)]
struct Set<S: Simd> {
    a0: S::f32s,
    b0: S::f32s,
}

impl<S: Simd> Set<S> {
    #[inline(always)]
    fn splat(simd: S, row: &[f32]) -> Self {
        Self {
            a0: S::f32s::splat(simd, row[0]),
            b0: S::f32s::splat(simd, row[1]),
        }
    }

    #[inline(always)]
    fn value(self, x: S::f32s) -> S::f32s {
        self.a0.mul_add(x, self.b0)
    }
}

pub(crate) fn forward(level: Level, len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    assert_eq!(coefficients.len() * len, 2 * x.len());
    dispatch!(level, simd => forward_rows(simd, len, coefficients, x, y));
}

#[inline(always)]
fn forward_rows<S: Simd>(simd: S, len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let whole = before_last::<S>(len);
    let rows = x.chunks_exact(len).zip(y.chunks_exact_mut(len));
    for ((x, y), row) in rows.zip(coefficients.chunks_exact(2)) {
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
    assert_eq!(coefficients.len() * len, 2 * x.len());
    dispatch!(level, simd => {
        let rows = x.chunks_exact(len).zip(grad_y.chunks_exact(len)).zip(grad_x.chunks_exact_mut(len));
        let sets = coefficients.chunks_exact(2).zip(grad_coefficients.chunks_exact_mut(2));
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
    let mut totals = [0.0; 2];
    let mut sums = [S::f32s::splat(simd, 0.0); 2];
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
            add_up::<S, 2>(&mut totals, sums);
            sums = [S::f32s::splat(simd, 0.0); 2];
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
    add_up::<S, 2>(&mut totals, sums);
    for (grad, total) in grad_row.iter_mut().zip(totals) {
        *grad = total as f32;
    }
}

/// The gradient of x; adds to the sums of those of a0, b0. `counted` are the lanes to add, if not all.
#[inline(always)]
fn gradients<S: Simd>(
    set: Set<S>,
    x: S::f32s,
    grad_y: S::f32s,
    counted: Option<S::mask32s>,
    sums: &mut [S::f32s; 2],
) -> S::f32s {
    if let Some(counted) = counted {
        sums[0] = add_product::<S>(sums[0], grad_y, x, counted);
        sums[1] = add::<S>(sums[1], grad_y, counted);
    } else {
        sums[0] = grad_y.mul_add(x, sums[0]);
        sums[1] += grad_y;
    }
    grad_y * set.a0
}
