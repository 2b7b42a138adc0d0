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

/// [`forward`] for a weight that [`pack`] has laid out, for the same level. The results are the same bits.
///
/// # Panics
///
/// As [`forward`].
pub fn forward_packed<T: Scalar>(
    level: Level,
    inputs: usize,
    x: &[T],
    packed: &[T],
    bias: &[T],
    y: &mut [T],
) {
    let samples = y.len().checked_div(bias.len()).unwrap_or(0);
    assert_eq!(y.len(), samples * bias.len(), "linear: rows of y");
    assert_eq!(x.len(), samples * inputs, "linear: rows of x");
    let product = Product {
        factors: x,
        row_stride: inputs,
        step: 1,
        rows: packed,
        depth: inputs,
        summands: bias,
    };
    dispatch!(level, simd => packed_product_rows(simd, product, bias.len(), y));
}

/// Lays a weight out as tiles read it: two vectors of each row of Wᵀ after each other, filled up with zeros.
///
/// # Panics
///
/// When the weight does not consist of rows of `inputs`.
pub fn pack<T: Scalar>(level: Level, inputs: usize, weight: &[T], packed: &mut Vec<T>) {
    let outputs = weight.len().checked_div(inputs).unwrap_or(0);
    check(inputs, outputs, &[], weight, &[]);
    dispatch!(level, simd => pack_squares(simd, inputs, outputs, weight, packed));
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
    let Gradients {
        x: grad_x,
        weight: grad_weight,
        bias: grad_bias,
    } = grads;
    let shape = [inputs, grad_bias.len()];
    backward_x(level, shape, weight, grad_y, grad_x);
    backward_weight(level, shape, 0, x, grad_y, [grad_weight, grad_bias]);
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
    /// `[depth, width of c]`, or that transposed, or packed from the tile on.
    rows: &'a [T],
    depth: usize,
    /// A row, or empty for zeros.
    summands: &'a [T],
}

/// The rows that are multiplied before their sum is added to c.
const DEPTH: usize = 64;

/// A tile's place in c: its first row and column, the width of c and of the tile.
#[derive(Clone, Copy)]
struct Tile {
    row: usize,
    column: usize,
    width: usize,
    count: usize,
}

/// Writes the product to c, whose rows have `width` elements.
///
/// What a tile reads of the rows is copied to where it stands in line.
#[inline(always)]
fn product_rows<S: Simd, T: Scalar, const TRANSPOSED: bool>(
    simd: S,
    product: Product<'_, T>,
    width: usize,
    c: &mut [T],
) {
    let mut panel = [[Lanes::zero(simd); 2]; DEPTH];
    let mut tile = Tile::first::<S, T>(width);
    while tile.count != 0 {
        let mut start = 0;
        loop {
            let end = product.depth.min(start + DEPTH);
            if TRANSPOSED {
                transpose_panel(simd, product, start..end, tile, &mut panel);
            } else {
                for (row, panel) in (start..end).zip(&mut panel) {
                    *panel = load_pair(simd, &product.rows[row * width + tile.column..], tile.count);
                }
            }
            add_tiles::<S, T, false>(simd, product, start..end, &panel, tile, c);
            if end == product.depth {
                break;
            }
            start = end;
        }
        tile = tile.next::<S, T>();
    }
}

/// As [`product_rows`], for rows that [`pack_squares`] has laid out.
#[inline(always)]
fn packed_product_rows<S: Simd, T: Scalar>(simd: S, mut product: Product<'_, T>, width: usize, c: &mut [T]) {
    let tile_len = product.depth * 2 * Lanes::<S, T>::LEN;
    let mut tile = Tile::first::<S, T>(width);
    while tile.count != 0 {
        let mut start = 0;
        loop {
            let end = product.depth.min(start + DEPTH);
            add_tiles::<S, T, true>(simd, product, start..end, &[], tile, c);
            if end == product.depth {
                break;
            }
            start = end;
        }
        product.rows = &product.rows[tile_len..];
        tile = tile.next::<S, T>();
    }
}

impl Tile {
    #[inline(always)]
    fn first<S: Simd, T: Scalar>(width: usize) -> Self {
        Self {
            row: 0,
            column: 0,
            width,
            count: width.min(2 * Lanes::<S, T>::LEN),
        }
    }

    /// The tile to the right, with a count of 0 after the last one.
    #[inline(always)]
    fn next<S: Simd, T: Scalar>(self) -> Self {
        let column = self.column + self.count;
        Self {
            column,
            count: (self.width - column).min(2 * Lanes::<S, T>::LEN),
            ..self
        }
    }
}

/// The panel from rows that stand in columns, a square of vectors at a time.
#[inline(always)]
fn transpose_panel<S: Simd, T: Scalar>(
    simd: S,
    product: Product<'_, T>,
    rows: Range<usize>,
    tile: Tile,
    panel: &mut [[Lanes<S, T>; 2]; DEPTH],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut half = 0;
    while half * lanes < tile.count {
        let mut row = rows.start;
        while row < rows.end {
            let count = lanes.min(rows.end - row);
            let column = tile.column + half * lanes;
            let square = transposed_square(simd, product.rows, product.depth, [column, row], count);
            for (panel, column) in panel[row - rows.start..].iter_mut().zip(&square[..count]) {
                panel[half] = *column;
            }
            row += count;
        }
        half += 1;
    }
}

/// From the rows of a matrix, as many as there are lanes, `count` elements of each, as columns. What would stand
/// below the last row is a copy of it.
#[inline(always)]
fn transposed_square<S: Simd, T: Scalar>(
    simd: S,
    matrix: &[T],
    width: usize,
    [row, column]: [usize; 2],
    count: usize,
) -> [Lanes<S, T>; MAX_LANES] {
    let last = matrix.len() / width - 1;
    let mut square = [Lanes::zero(simd); MAX_LANES];
    let mut i = 0;
    while i < Lanes::<S, T>::LEN {
        square[i] = Lanes::load_first(simd, &matrix[last.min(row + i) * width + column..], count);
        i += 1;
    }
    Lanes::transpose(square)
}

#[inline(always)]
fn pack_squares<S: Simd, T: Scalar>(
    simd: S,
    inputs: usize,
    outputs: usize,
    weight: &[T],
    packed: &mut Vec<T>,
) {
    let lanes = Lanes::<S, T>::LEN;
    packed.clear();
    packed.resize(outputs.next_multiple_of(2 * lanes) * inputs, T::default());
    for o in (0..outputs).step_by(lanes) {
        let (tile, half) = (o / (2 * lanes), o / lanes % 2);
        for i in (0..inputs).step_by(lanes) {
            let columns = lanes.min(inputs - i);
            let square = transposed_square(simd, weight, inputs, [o, i], columns);
            for (column, i) in square.iter().zip(i..i + columns) {
                column.store(&mut packed[((tile * inputs + i) * 2 + half) * lanes..]);
            }
        }
    }
}

/// Adds the products with some rows to all rows of c at a tile's columns. The rows stand in the panel, or if `PACKED`
/// in the product.
#[inline(always)]
fn add_tiles<S: Simd, T: Scalar, const PACKED: bool>(
    simd: S,
    product: Product<'_, T>,
    rows: Range<usize>,
    panel: &[[Lanes<S, T>; 2]],
    mut tile: Tile,
    c: &mut [T],
) {
    let height = c.len() / tile.width;
    while tile.row + 4 <= height {
        add_tile::<S, T, 4, PACKED>(simd, product, rows.clone(), panel, tile, c);
        tile.row += 4;
    }
    if tile.row + 2 <= height {
        add_tile::<S, T, 2, PACKED>(simd, product, rows.clone(), panel, tile, c);
        tile.row += 2;
    }
    if tile.row < height {
        add_tile::<S, T, 1, PACKED>(simd, product, rows, panel, tile, c);
    }
}

/// [`add_tiles`] for M rows of c; the first rows of the product overwrite what is there.
#[inline(always)]
fn add_tile<S: Simd, T: Scalar, const M: usize, const PACKED: bool>(
    simd: S,
    product: Product<'_, T>,
    rows: Range<usize>,
    panel: &[[Lanes<S, T>; 2]],
    tile: Tile,
    c: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let Product {
        factors,
        row_stride,
        step,
        summands,
        ..
    } = product;
    let start = rows.start;
    let mut sums = [[Lanes::zero(simd); 2]; M];
    let mut offset = tile.row * row_stride + start * step;
    for l in rows {
        let row = if PACKED {
            load_pair(simd, &product.rows[l * 2 * lanes..], 2 * lanes)
        } else {
            panel[l - start]
        };
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
