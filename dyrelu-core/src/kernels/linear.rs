//! Fully connected layer: y = x · Wᵀ + b for a batch of rows.

use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// Outputs that are computed together, to hide the latency of a multiply-add.
const OUTPUTS: usize = 4;

/// `y[n, o] = bias[o] + Σ_i weight[o, i] · x[n, i]`.
///
/// Every output is summed in the same order, whatever the batch.
///
/// # Panics
///
/// When the lengths do not fit to `inputs` and `bias.len()` outputs.
pub fn forward<T: Scalar>(level: Level, inputs: usize, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
    check(inputs, bias.len(), x, weight, y);
    if !bias.is_empty() {
        dispatch!(level, simd => forward_rows(simd, inputs, x, weight, bias, y));
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

/// The gradients of [`forward`] for `grad_y`.
///
/// # Panics
///
/// When the lengths do not fit to `inputs` and `grads.bias.len()` outputs.
pub fn backward<T: Scalar>(level: Level, operands: Operands<'_, T>, grad_y: &[T], grads: Gradients<'_, T>) {
    let Operands { inputs, x, weight } = operands;
    check(inputs, grads.bias.len(), x, weight, grad_y);
    assert_eq!(grads.x.len(), x.len(), "linear: gradient of x");
    assert_eq!(grads.weight.len(), weight.len(), "linear: gradient of the weight");
    for grads in [&mut *grads.x, &mut *grads.weight, &mut *grads.bias] {
        grads.fill(T::default());
    }
    if inputs != 0 && !grads.bias.is_empty() {
        dispatch!(level, simd => backward_rows(simd, operands, grad_y, grads));
    }
}

fn check<T>(inputs: usize, outputs: usize, x: &[T], weight: &[T], y: &[T]) {
    assert_eq!(weight.len(), inputs * outputs, "linear: weight");
    let rows = y.len().checked_div(outputs).unwrap_or(0);
    assert_eq!(y.len(), rows * outputs, "linear: rows of y");
    assert!(outputs == 0 || x.len() == rows * inputs, "linear: rows of x");
}

#[inline(always)]
fn forward_rows<S: Simd, T: Scalar>(simd: S, inputs: usize, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
    for (n, y) in y.chunks_exact_mut(bias.len()).enumerate() {
        let x = &x[n * inputs..][..inputs];
        let mut output = 0;
        while output + OUTPUTS <= bias.len() {
            let dots = dot::<S, T, OUTPUTS>(simd, x, &weight[output * inputs..]);
            for (i, dot) in dots.into_iter().enumerate() {
                y[output + i] = bias[output + i] + dot;
            }
            output += OUTPUTS;
        }
        while output < bias.len() {
            let [dot] = dot::<S, T, 1>(simd, x, &weight[output * inputs..]);
            y[output] = bias[output] + dot;
            output += 1;
        }
    }
}

#[inline(always)]
fn backward_rows<S: Simd, T: Scalar>(
    simd: S,
    operands: Operands<'_, T>,
    grad_y: &[T],
    grads: Gradients<'_, T>,
) {
    let Operands { inputs, x, weight } = operands;
    let Gradients {
        x: grad_x,
        weight: grad_weight,
        bias: grad_bias,
    } = grads;
    let outputs = grad_bias.len();
    for (o, grad_bias) in grad_bias.iter_mut().enumerate() {
        let of_output = grad_y.iter().skip(o).step_by(outputs);
        *grad_bias = T::from_f64(of_output.map(|grad| grad.to_f64()).sum());
    }
    for (n, grad_y) in grad_y.chunks_exact(outputs).enumerate() {
        let x = &x[n * inputs..][..inputs];
        let grad_x = &mut grad_x[n * inputs..][..inputs];
        for (o, &grad) in grad_y.iter().enumerate() {
            axpy(simd, grad, &weight[o * inputs..][..inputs], grad_x);
            axpy(simd, grad, x, &mut grad_weight[o * inputs..][..inputs]);
        }
    }
}

/// Vectors whose products are added up before a sum moves on to `f64`.
const BLOCK: usize = 64;

/// The dot products of `x` with the first `M` rows of `rows`.
#[inline(always)]
pub(crate) fn dot<S: Simd, T: Scalar, const M: usize>(simd: S, x: &[T], rows: &[T]) -> [T; M] {
    let lanes = Lanes::<S, T>::LEN;
    let whole = x.len() / lanes * lanes;
    let mut totals = [0.0; M];
    let mut start = 0;
    while start < whole {
        let end = whole.min(start + BLOCK * lanes);
        let mut sums = [Lanes::zero(simd); M];
        let mut i = start;
        while i < end {
            let x_lanes = Lanes::load(simd, &x[i..]);
            let mut m = 0;
            while m < M {
                sums[m] = Lanes::load(simd, &rows[m * x.len() + i..]).mul_add(x_lanes, sums[m]);
                m += 1;
            }
            i += lanes;
        }
        let mut m = 0;
        while m < M {
            totals[m] += sums[m].sum().to_f64();
            m += 1;
        }
        start = end;
    }
    let mut dots = [T::default(); M];
    let mut m = 0;
    while m < M {
        let mut i = whole;
        while i < x.len() {
            totals[m] += (x[i] * rows[m * x.len() + i]).to_f64();
            i += 1;
        }
        dots[m] = T::from_f64(totals[m]);
        m += 1;
    }
    dots
}

/// `y[..] += factor · x[..]`.
#[inline(always)]
pub(crate) fn axpy<S: Simd, T: Scalar>(simd: S, factor: T, x: &[T], y: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let factor_lanes = Lanes::splat(simd, factor);
    let (x_whole, x_rest) = x.split_at(x.len() / lanes * lanes);
    let (y_whole, y_rest) = y.split_at_mut(x_whole.len());
    for (x, y) in x_whole.chunks_exact(lanes).zip(y_whole.chunks_exact_mut(lanes)) {
        factor_lanes
            .mul_add(Lanes::load(simd, x), Lanes::load(simd, y))
            .store(y);
    }
    for (&x, y) in x_rest.iter().zip(y_rest) {
        *y += factor * x;
    }
}
