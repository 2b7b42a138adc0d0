//! Fully connected layer: y = x · Wᵀ + b for a batch of rows.
//!
//! Both directions work on tiles that stay in registers: [`forward`] on dot products of two rows of x with four
//! of W, [`backward`] on four rows of a gradient, two vectors wide. Every number is summed in the same order,
//! wherever it stands in a tile and whatever the batch.

use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// `y[n, o] = bias[o] + Σ_i weight[o, i] · x[n, i]`.
///
/// # Panics
///
/// When the lengths do not fit to `inputs` and `bias.len()` outputs.
pub fn forward<T: Scalar>(level: Level, inputs: usize, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
    check(inputs, bias.len(), x, weight, y);
    if !y.is_empty() {
        let operands = Operands { inputs, x, weight };
        dispatch!(level, simd => forward_rows(simd, operands, bias, y));
    }
}

/// What [`forward`] read besides the bias.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// The length of a row of x.
    pub inputs: usize,
    /// `[N, inputs]`.
    pub x: &'a [T],
    /// `[outputs, inputs]`.
    pub weight: &'a [T],
}

/// Where [`backward`] writes. All arrays are overwritten.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// `[N, inputs]`.
    pub x: &'a mut [T],
    /// `[outputs, inputs]`.
    pub weight: &'a mut [T],
    /// `[outputs]`.
    pub bias: &'a mut [T],
}

/// The gradients of [`forward`] for `grad_y`: [`backward_x`] and [`backward_weight`].
///
/// # Panics
///
/// When the lengths do not fit to `inputs` and `grads.bias.len()` outputs.
pub fn backward<T: Scalar>(level: Level, operands: Operands<'_, T>, grad_y: &[T], grads: Gradients<'_, T>) {
    let Operands { inputs, x, weight } = operands;
    let outputs = grads.bias.len();
    backward_x(level, [inputs, outputs], weight, grad_y, grads.x);
    backward_weight(level, [inputs, outputs], 0, x, grad_y, [grads.weight, grads.bias]);
}

/// The gradient of x, `Σ_o grad_y[n, o] · weight[o, ..]`; overwrites it.
///
/// # Panics
///
/// When the lengths do not fit to `[inputs, outputs]`.
pub fn backward_x<T: Scalar>(
    level: Level,
    [inputs, outputs]: [usize; 2],
    weight: &[T],
    grad_y: &[T],
    grad_x: &mut [T],
) {
    check(inputs, outputs, grad_x, weight, grad_y);
    let product = Product {
        factors: grad_y,
        row_stride: outputs,
        step: 1,
        rows: weight,
        depth: outputs,
    };
    dispatch!(level, simd => product_rows(simd, product, inputs, grad_x));
}

/// The gradients of the weight, `Σ_n grad_y[n, o] · x[n, ..]`, and of the bias, `Σ_n grad_y[n, o]`, for some of the
/// outputs, beginning with `first`; overwrites them.
///
/// # Panics
///
/// When the lengths do not fit to `[inputs, outputs]`.
pub fn backward_weight<T: Scalar>(
    level: Level,
    [inputs, outputs]: [usize; 2],
    first: usize,
    x: &[T],
    grad_y: &[T],
    [grad_weight, grad_bias]: [&mut [T]; 2],
) {
    assert!(first + grad_bias.len() <= outputs, "linear: outputs");
    check(inputs, grad_bias.len(), &[], grad_weight, &[]);
    let samples = grad_y.len().checked_div(outputs).unwrap_or(0);
    assert_eq!(x.len(), samples * inputs, "linear: rows of x");
    let grad_y = &grad_y[first.min(grad_y.len())..];
    let product = Product {
        factors: grad_y,
        row_stride: 1,
        step: outputs,
        rows: x,
        depth: samples,
    };
    dispatch!(level, simd => {
        product_rows(simd, product, inputs, grad_weight);
        sum_rows(simd, grad_y, outputs, grad_bias);
    });
}

fn check<T>(inputs: usize, outputs: usize, x: &[T], weight: &[T], y: &[T]) {
    assert_eq!(weight.len(), inputs * outputs, "linear: weight");
    let rows = y.len().checked_div(outputs).unwrap_or(0);
    assert_eq!(y.len(), rows * outputs, "linear: rows of y");
    assert!(outputs == 0 || x.len() == rows * inputs, "linear: rows of x");
}

/// Bytes of W that stay in the first-level cache while all rows of x pass by.
const WEIGHT_BLOCK: usize = 16 << 10;

#[inline(always)]
fn forward_rows<S: Simd, T: Scalar>(simd: S, operands: Operands<'_, T>, bias: &[T], y: &mut [T]) {
    let outputs = bias.len();
    let samples = y.len() / outputs;
    let block = (WEIGHT_BLOCK / size_of::<T>() / operands.inputs.max(1)).next_multiple_of(8);
    let mut start = 0;
    while start < outputs {
        let end = outputs.min(start + block);
        let mut n = 0;
        while n + 2 <= samples {
            forward_tiles::<S, T, 2, 4>(simd, operands, bias, y, n, start..end);
            n += 2;
        }
        if n < samples {
            forward_tiles::<S, T, 1, 8>(simd, operands, bias, y, n, start..end);
        }
        start = end;
    }
}

/// M rows of y from row n on, R outputs at once.
#[inline(always)]
fn forward_tiles<S: Simd, T: Scalar, const M: usize, const R: usize>(
    simd: S,
    operands: Operands<'_, T>,
    bias: &[T],
    y: &mut [T],
    n: usize,
    outputs: core::ops::Range<usize>,
) {
    let mut o = outputs.start;
    while o + R <= outputs.end {
        forward_tile::<S, T, M, R>(simd, operands, bias, y, [n, o]);
        o += R;
    }
    while o < outputs.end {
        forward_tile::<S, T, M, 1>(simd, operands, bias, y, [n, o]);
        o += 1;
    }
}

/// The elements `[n .. n + M, o .. o + R]` of y; M · R is at most 8.
#[inline(always)]
fn forward_tile<S: Simd, T: Scalar, const M: usize, const R: usize>(
    simd: S,
    operands: Operands<'_, T>,
    bias: &[T],
    y: &mut [T],
    [n, o]: [usize; 2],
) {
    let Operands { inputs, x, weight } = operands;
    let (x, weight) = (&x[n * inputs..], &weight[o * inputs..]);
    let lanes = Lanes::<S, T>::LEN;
    let mut sums = [[Lanes::zero(simd); R]; M];
    let mut i = 0;
    while i < inputs {
        let count = if i + lanes <= inputs { lanes } else { inputs - i };
        let mut rows = [Lanes::zero(simd); R];
        let mut r = 0;
        while r < R {
            rows[r] = Lanes::load_first(simd, &weight[r * inputs + i..], count);
            r += 1;
        }
        let mut m = 0;
        while m < M {
            let x = Lanes::load_first(simd, &x[m * inputs + i..], count);
            let mut r = 0;
            while r < R {
                sums[m][r] = rows[r].mul_add(x, sums[m][r]);
                r += 1;
            }
            m += 1;
        }
        i += lanes;
    }
    let mut m = 0;
    while m < M {
        let dots = Lanes::sums(sums[m]);
        let y = &mut y[(n + m) * bias.len() + o..][..R];
        let mut r = 0;
        while r < R {
            y[r] = bias[o + r] + dots[r];
            r += 1;
        }
        m += 1;
    }
}

/// `c[i, ..] = Σ_l factors[i · row_stride + l · step] · rows[l, ..]`.
#[derive(Clone, Copy)]
struct Product<'a, T> {
    factors: &'a [T],
    row_stride: usize,
    step: usize,
    rows: &'a [T],
    depth: usize,
}

/// Rows of a panel: two vectors of each are copied to where they stand in line.
const PANEL: usize = 64;

/// Writes the product to c, whose rows have `width` elements.
#[inline(always)]
fn product_rows<S: Simd, T: Scalar>(simd: S, product: Product<'_, T>, width: usize, c: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    if product.depth == 0 {
        c.fill(T::default());
    }
    let mut panel = [[Lanes::zero(simd); 2]; PANEL];
    let mut column = 0;
    while column < width {
        let count = (2 * lanes).min(width - column);
        let mut start = 0;
        while start < product.depth {
            let depth = PANEL.min(product.depth - start);
            let mut l = 0;
            while l < depth {
                panel[l] = load_pair(simd, &product.rows[(start + l) * width + column..], count);
                l += 1;
            }
            let rows = c.len() / width;
            let mut i = 0;
            while i + 4 <= rows {
                product_tile::<S, T, 4>(simd, product, &panel[..depth], start, [i, column, width, count], c);
                i += 4;
            }
            while i < rows {
                product_tile::<S, T, 1>(simd, product, &panel[..depth], start, [i, column, width, count], c);
                i += 1;
            }
            start += depth;
        }
        column += count;
    }
}

/// Adds a panel's part to M rows of c from row i on, or writes it if it is the first.
#[inline(always)]
fn product_tile<S: Simd, T: Scalar, const M: usize>(
    simd: S,
    product: Product<'_, T>,
    panel: &[[Lanes<S, T>; 2]],
    start: usize,
    [i, column, width, count]: [usize; 4],
    c: &mut [T],
) {
    let mut sums = [[Lanes::zero(simd); 2]; M];
    if start != 0 {
        let mut m = 0;
        while m < M {
            sums[m] = load_pair(simd, &c[(i + m) * width + column..], count);
            m += 1;
        }
    }
    let Product {
        factors,
        row_stride,
        step,
        ..
    } = product;
    let mut offset = i * row_stride + start * step;
    for row in panel {
        let mut m = 0;
        while m < M {
            let factor = Lanes::splat(simd, factors[offset + m * row_stride]);
            sums[m][0] = factor.mul_add(row[0], sums[m][0]);
            sums[m][1] = factor.mul_add(row[1], sums[m][1]);
            m += 1;
        }
        offset += step;
    }
    let mut m = 0;
    while m < M {
        store_pair(sums[m], &mut c[(i + m) * width + column..][..count]);
        m += 1;
    }
}

/// The first `count` elements of a slice in two vectors, and zeros after them.
#[inline(always)]
fn load_pair<S: Simd, T: Scalar>(simd: S, slice: &[T], count: usize) -> [Lanes<S, T>; 2] {
    let lanes = Lanes::<S, T>::LEN;
    if count <= lanes {
        return [Lanes::load_first(simd, slice, count), Lanes::zero(simd)];
    }
    [
        Lanes::load(simd, slice),
        Lanes::load_first(simd, &slice[lanes..], count - lanes),
    ]
}

/// Writes two vectors to all of a slice.
#[inline(always)]
fn store_pair<S: Simd, T: Scalar>(pair: [Lanes<S, T>; 2], slice: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    if slice.len() <= lanes {
        return pair[0].store_first(slice);
    }
    let (first, second) = slice.split_at_mut(lanes);
    pair[0].store(first);
    pair[1].store_first(second);
}

/// The sums over rows of `stride` elements, of the first elements of each.
#[inline(always)]
fn sum_rows<S: Simd, T: Scalar>(simd: S, rows: &[T], stride: usize, sums: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let mut column = 0;
    while column < sums.len() {
        let count = lanes.min(sums.len() - column);
        let mut sum = Lanes::zero(simd);
        let mut start = column;
        while start < rows.len() {
            sum = sum + Lanes::load_first(simd, &rows[start..], count);
            start += stride;
        }
        sum.store_first(&mut sums[column..][..count]);
        column += count;
    }
}
