//! Fully connected layer: y = x · Wᵀ + b for a batch of rows.
//!
//! All products work on tiles that stay in registers, four rows high and two vectors wide. Every number is summed
//! in the same order, wherever it stands in a tile and whatever the batch.

use crate::lanes::{Lanes, MAX_LANES};
use crate::{Elementwise, Scalar};
use core::ops::Range;
use fearless_simd::{Level, Simd, dispatch};

/// `y[n, o] = bias[o] + Σ_i weight[o, i] · x[n, i]`.
///
/// # Panics
///
/// When the lengths do not fit to `inputs` and `bias.len()` outputs.
pub fn forward<T: Scalar>(level: Level, inputs: usize, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
    check(inputs, bias.len(), x, weight, y);
    if !y.is_empty() {
        let product = Product {
            factors: x,
            row_stride: inputs,
            step: 1,
            rows: weight,
            depth: inputs,
            summands: bias,
        };
        dispatch!(level, simd => product_rows::<_, _, true>(simd, product, bias.len(), y));
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
        summands: &[],
    };
    dispatch!(level, simd => product_rows::<_, _, false>(simd, product, inputs, grad_x));
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
        summands: &[],
    };
    dispatch!(level, simd => {
        product_rows::<_, _, false>(simd, product, inputs, grad_weight);
        sum_rows(simd, grad_y, outputs, grad_bias);
    });
}

fn check<T>(inputs: usize, outputs: usize, x: &[T], weight: &[T], y: &[T]) {
    assert_eq!(weight.len(), inputs * outputs, "linear: weight");
    let rows = y.len().checked_div(outputs).unwrap_or(0);
    assert_eq!(y.len(), rows * outputs, "linear: rows of y");
    assert!(outputs == 0 || x.len() == rows * inputs, "linear: rows of x");
}

/// `c[i, ..] = summands + Σ_l factors[i · row_stride + l · step] · rows[l, ..]`.
#[derive(Clone, Copy)]
struct Product<'a, T> {
    factors: &'a [T],
    row_stride: usize,
    step: usize,
    /// `[depth, width of c]`, or that transposed.
    rows: &'a [T],
    depth: usize,
    /// A row, or empty for zeros.
    summands: &'a [T],
}

/// Two vectors of up to so many rows are copied to where they stand in line: the panel that a tile multiplies with.
const PANEL: usize = 64;

type Panel<S, T> = [[Lanes<S, T>; 2]; PANEL];

/// A tile's place in c: its first row and column, the width of c and of the tile.
#[derive(Clone, Copy)]
struct Tile {
    row: usize,
    column: usize,
    width: usize,
    count: usize,
}

/// Writes the product to c, whose rows have `width` elements.
#[inline(always)]
fn product_rows<S: Simd, T: Scalar, const TRANSPOSED: bool>(
    simd: S,
    product: Product<'_, T>,
    width: usize,
    c: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut panel = [[Lanes::zero(simd); 2]; PANEL];
    let mut tile = Tile {
        row: 0,
        column: 0,
        width,
        count: 0,
    };
    while tile.column < width {
        tile.count = (2 * lanes).min(width - tile.column);
        let mut start = 0;
        loop {
            let depth = PANEL.min(product.depth - start);
            if TRANSPOSED {
                transpose_panel(simd, product, start..start + depth, tile, &mut panel);
            } else {
                copy_panel(simd, product, start..start + depth, tile, &mut panel);
            }
            let rows = c.len() / width;
            tile.row = 0;
            while tile.row + 4 <= rows {
                add_tile::<S, T, 4>(simd, product, &panel[..depth], start, tile, c);
                tile.row += 4;
            }
            while tile.row < rows {
                add_tile::<S, T, 1>(simd, product, &panel[..depth], start, tile, c);
                tile.row += 1;
            }
            start += depth;
            if start == product.depth {
                break;
            }
        }
        tile.column += tile.count;
    }
}

#[inline(always)]
fn copy_panel<S: Simd, T: Scalar>(
    simd: S,
    product: Product<'_, T>,
    rows: Range<usize>,
    tile: Tile,
    panel: &mut Panel<S, T>,
) {
    for (row, panel) in rows.zip(panel) {
        *panel = load_pair(simd, &product.rows[row * tile.width + tile.column..], tile.count);
    }
}

/// The panel from rows that stand in columns, a square of vectors at a time.
#[inline(always)]
fn transpose_panel<S: Simd, T: Scalar>(
    simd: S,
    product: Product<'_, T>,
    rows: Range<usize>,
    tile: Tile,
    panel: &mut Panel<S, T>,
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut half = 0;
    while half < 2 && half * lanes < tile.count {
        let column = tile.column + half * lanes;
        let mut row = rows.start;
        while row < rows.end {
            let count = lanes.min(rows.end - row);
            let mut square = [Lanes::zero(simd); MAX_LANES];
            let mut i = 0;
            while i < lanes {
                // What stands beyond the tile is computed too, and not stored.
                let column = (column + i).min(tile.width - 1);
                square[i] = Lanes::load_first(simd, &product.rows[column * product.depth + row..], count);
                i += 1;
            }
            let square = Lanes::transpose(square);
            let mut i = 0;
            while i < count {
                panel[row - rows.start + i][half] = square[i];
                i += 1;
            }
            row += count;
        }
        half += 1;
    }
}

/// Adds a panel's part to M rows of c; the first panel overwrites what is there.
#[inline(always)]
fn add_tile<S: Simd, T: Scalar, const M: usize>(
    simd: S,
    product: Product<'_, T>,
    panel: &[[Lanes<S, T>; 2]],
    start: usize,
    tile: Tile,
    c: &mut [T],
) {
    let Product {
        factors,
        row_stride,
        step,
        summands,
        ..
    } = product;
    let mut sums = [[Lanes::zero(simd); 2]; M];
    let mut offset = tile.row * row_stride + start * step;
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
        let c = &mut c[(tile.row + m) * tile.width + tile.column..];
        let before = if start != 0 {
            load_pair(simd, c, tile.count)
        } else if summands.is_empty() {
            [Lanes::zero(simd); 2]
        } else {
            load_pair(simd, &summands[tile.column..], tile.count)
        };
        let after = [before[0] + sums[m][0], before[1] + sums[m][1]];
        store_pair(after, &mut c[..tile.count]);
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
