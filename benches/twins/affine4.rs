//! Four lines: y = max(a₀·x + b₀, …, a₃·x + b₃).

use super::lanes::{
    add, add_product, add_up, before_last, both, last_lanes, load_last, max, max_of_numbers, or, replaces,
    store_last,
};
use super::{BLOCK, LONG};
use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

/// The coefficients of a row, each in all lanes.
#[derive(Clone, Copy)]
struct Set<S: Simd> {
    a0: S::f32s,
    a1: S::f32s,
    a2: S::f32s,
    a3: S::f32s,
    b0: S::f32s,
    b1: S::f32s,
    b2: S::f32s,
    b3: S::f32s,
}

impl<S: Simd> Set<S> {
    #[inline(always)]
    fn splat(simd: S, row: &[f32]) -> Self {
        Self {
            a0: S::f32s::splat(simd, row[0]),
            a1: S::f32s::splat(simd, row[1]),
            a2: S::f32s::splat(simd, row[2]),
            a3: S::f32s::splat(simd, row[3]),
            b0: S::f32s::splat(simd, row[4]),
            b1: S::f32s::splat(simd, row[5]),
            b2: S::f32s::splat(simd, row[6]),
            b3: S::f32s::splat(simd, row[7]),
        }
    }

    #[inline(always)]
    fn value(self, x: S::f32s) -> S::f32s {
        let y = max::<S>(self.a0.mul_add(x, self.b0), self.a1.mul_add(x, self.b1));
        let y = max::<S>(y, self.a2.mul_add(x, self.b2));
        max::<S>(y, self.a3.mul_add(x, self.b3))
    }

    /// The value, if no piece is NaN.
    #[inline(always)]
    fn value_of_numbers(self, x: S::f32s) -> S::f32s {
        let y = max_of_numbers::<S>(self.a0.mul_add(x, self.b0), self.a1.mul_add(x, self.b1));
        let y = max_of_numbers::<S>(y, self.a2.mul_add(x, self.b2));
        max_of_numbers::<S>(y, self.a3.mul_add(x, self.b3))
    }
}

pub(crate) fn forward(level: Level, len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    assert_eq!(coefficients.len() * len, 8 * x.len());
    dispatch!(level, simd => forward_rows(simd, len, coefficients, x, y));
}

#[inline(always)]
fn forward_rows<S: Simd>(simd: S, len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let whole = before_last::<S>(len);
    let rows = x.chunks_exact(len).zip(y.chunks_exact_mut(len));
    for ((x, y), row) in rows.zip(coefficients.chunks_exact(8)) {
        let set = Set::splat(simd, row);
        if len >= LONG * lanes && forward_numbers(simd, set, x, y) {
            continue;
        }
        for (x, y) in x[..whole]
            .chunks_exact(lanes)
            .zip(y[..whole].chunks_exact_mut(lanes))
        {
            set.value(S::f32s::from_slice(simd, x)).store_slice(y);
        }
        store_last::<S>(set.value(load_last(simd, x)), y);
    }
}

/// One row of y, right only if this is true: then x and the coefficients are finite, and no piece is NaN.
#[inline(always)]
fn forward_numbers<S: Simd>(simd: S, set: Set<S>, x: &[f32], y: &mut [f32]) -> bool {
    let lanes = S::f32s::LEN;
    let whole = before_last::<S>(x.len());
    let zero = S::f32s::splat(simd, 0.0);
    // 0 · u is NaN if u is infinite or NaN.
    let mut not_finite = set.a0 * zero;
    not_finite = set.a1.mul_add(zero, not_finite);
    not_finite = set.a2.mul_add(zero, not_finite);
    not_finite = set.a3.mul_add(zero, not_finite);
    not_finite = set.b0.mul_add(zero, not_finite);
    not_finite = set.b1.mul_add(zero, not_finite);
    not_finite = set.b2.mul_add(zero, not_finite);
    not_finite = set.b3.mul_add(zero, not_finite);
    for (x, y) in x[..whole]
        .chunks_exact(lanes)
        .zip(y[..whole].chunks_exact_mut(lanes))
    {
        let x = S::f32s::from_slice(simd, x);
        not_finite = or::<S>(not_finite, x * zero);
        set.value_of_numbers(x).store_slice(y);
    }
    let x = load_last(simd, x);
    not_finite = x.mul_add(zero, not_finite);
    store_last::<S>(set.value_of_numbers(x), y);
    not_finite.simd_eq(zero).all_true()
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
    assert_eq!(coefficients.len() * len, 8 * x.len());
    dispatch!(level, simd => {
        let rows = x.chunks_exact(len).zip(grad_y.chunks_exact(len)).zip(grad_x.chunks_exact_mut(len));
        let sets = coefficients.chunks_exact(8).zip(grad_coefficients.chunks_exact_mut(8));
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
    let mut totals = [0.0; 8];
    let mut sums = [S::f32s::splat(simd, 0.0); 8];
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
            add_up::<S, 8>(&mut totals, sums);
            sums = [S::f32s::splat(simd, 0.0); 8];
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
    add_up::<S, 8>(&mut totals, sums);
    for (grad, total) in grad_row.iter_mut().zip(totals) {
        *grad = total as f32;
    }
}

/// The gradient of x; adds to the sums of those of a0, a1, a2, a3, b0, b1, b2, b3. `counted` are the lanes to add, if not all.
#[inline(always)]
fn gradients<S: Simd>(
    set: Set<S>,
    x: S::f32s,
    grad_y: S::f32s,
    counted: Option<S::mask32s>,
    sums: &mut [S::f32s; 8],
) -> S::f32s {
    let y = set.a0.mul_add(x, set.b0);
    let candidate = set.a1.mul_add(x, set.b1);
    let won1 = replaces::<S>(candidate, y);
    let y = won1.select(candidate, y);
    let candidate = set.a2.mul_add(x, set.b2);
    let won2 = replaces::<S>(candidate, y);
    let y = won2.select(candidate, y);
    let candidate = set.a3.mul_add(x, set.b3);
    let won3 = replaces::<S>(candidate, y);
    let slope = won1.select(set.a1, set.a0);
    let slope = won2.select(set.a2, slope);
    let slope = won3.select(set.a3, slope);
    let later = won2 | won3;
    let (won0, won1, won2) = (!(won1 | later), won1 & !later, won2 & !won3);
    let won = both::<S>(won0, counted);
    sums[0] = add_product::<S>(sums[0], grad_y, x, won);
    sums[4] = add::<S>(sums[4], grad_y, won);
    let won = both::<S>(won1, counted);
    sums[1] = add_product::<S>(sums[1], grad_y, x, won);
    sums[5] = add::<S>(sums[5], grad_y, won);
    let won = both::<S>(won2, counted);
    sums[2] = add_product::<S>(sums[2], grad_y, x, won);
    sums[6] = add::<S>(sums[6], grad_y, won);
    let won = both::<S>(won3, counted);
    sums[3] = add_product::<S>(sums[3], grad_y, x, won);
    sums[7] = add::<S>(sums[7], grad_y, won);
    grad_y * slope
}
