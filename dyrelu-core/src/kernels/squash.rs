//! The squash of the hyper function: from raw values r to residuals d, as [`Squash`] names it for each coefficient.
//!
//! The arrays are rows of `[D, K]`: D dynamic coefficients of K pieces each.

use crate::lanes::Lanes;
use crate::{Elementwise, Scalar, Squash};
use fearless_simd::{Level, Simd, dispatch};

/// Replaces each raw value by its residual; `squashes` has an entry for each of the D coefficients.
///
/// NaN stays NaN; in a softmax it reaches all pieces, and so does +∞, as in `PyTorch`.
///
/// # Panics
///
/// When the values are not rows of `squashes.len()` · `k`.
pub fn forward<T: Scalar>(level: Level, squashes: &[Squash], k: usize, values: &mut [T]) {
    check(squashes, k, values);
    dispatch!(level, simd => forward_rows(simd, squashes, k, values));
}

/// Multiplies each gradient of a residual by the squash's derivative, for which the residual is enough.
///
/// It is 0 where a hard squash has reached a limit.
///
/// # Panics
///
/// When the lengths differ, and as [`forward`].
pub fn backward<T: Scalar>(level: Level, squashes: &[Squash], k: usize, residuals: &[T], grads: &mut [T]) {
    assert_eq!(residuals.len(), grads.len(), "squash: residuals and gradients");
    check(squashes, k, residuals);
    dispatch!(level, simd => backward_rows(simd, squashes, k, residuals, grads));
}

fn check<T>(squashes: &[Squash], k: usize, values: &[T]) {
    assert!(
        values.len().is_multiple_of(squashes.len() * k),
        "squash: rows of squashes.len() · k"
    );
}

/// How many of the first squashes are the same.
#[inline(always)]
fn run(squashes: &[Squash]) -> usize {
    let mut len = 1;
    while len < squashes.len() && squashes[len] == squashes[0] {
        len += 1;
    }
    len
}

#[inline(always)]
fn forward_rows<S: Simd, T: Scalar>(simd: S, squashes: &[Squash], k: usize, values: &mut [T]) {
    if values.is_empty() {
        return;
    }
    let same = run(squashes);
    if same == squashes.len() {
        return forward_run(simd, squashes[0], k, values);
    }
    let row = squashes.len() * k;
    let mut d = 0;
    while d < squashes.len() {
        let end = d + run(&squashes[d..]);
        let (start, len) = (d * k, (end - d) * k);
        let rows = (BUFFER / len).max(1);
        for values in values.chunks_mut(rows * row) {
            if len > BUFFER {
                forward_run(simd, squashes[d], k, &mut values[start..start + len]);
            } else {
                let mut buffer = [T::default(); BUFFER];
                let count = gather(values, row, start, len, &mut buffer);
                forward_run(simd, squashes[d], k, &mut buffer[..count]);
                scatter(&buffer, row, start, len, values);
            }
        }
        d = end;
    }
}

/// Values of one squash that are brought together from several rows: rows are often shorter than a vector.
const BUFFER: usize = 256;

/// Copies elements `start .. start + len` of each row to the buffer, and returns their number.
#[inline(always)]
fn gather<T: Scalar>(rows: &[T], row: usize, start: usize, len: usize, buffer: &mut [T; BUFFER]) -> usize {
    let mut count = 0;
    for values in rows.chunks_exact(row) {
        buffer[count..count + len].copy_from_slice(&values[start..start + len]);
        count += len;
    }
    count
}

/// The inverse of [`gather`].
#[inline(always)]
fn scatter<T: Scalar>(buffer: &[T; BUFFER], row: usize, start: usize, len: usize, rows: &mut [T]) {
    let parts = buffer.chunks_exact(len);
    for (values, part) in rows.chunks_exact_mut(row).zip(parts) {
        values[start..start + len].copy_from_slice(part);
    }
}

#[inline(always)]
fn backward_rows<S: Simd, T: Scalar>(
    simd: S,
    squashes: &[Squash],
    k: usize,
    residuals: &[T],
    grads: &mut [T],
) {
    if residuals.is_empty() {
        return;
    }
    let same = run(squashes);
    if same == squashes.len() {
        return backward_run(simd, squashes[0], k, residuals, grads);
    }
    let row = squashes.len() * k;
    let mut d = 0;
    while d < squashes.len() {
        let end = d + run(&squashes[d..]);
        let (start, len) = (d * k, (end - d) * k);
        let rows = (BUFFER / len).max(1);
        for (residuals, grads) in residuals.chunks(rows * row).zip(grads.chunks_mut(rows * row)) {
            if len > BUFFER {
                let part = start..start + len;
                backward_run(simd, squashes[d], k, &residuals[part.clone()], &mut grads[part]);
            } else {
                let mut buffers = [[T::default(); BUFFER]; 2];
                let [of_residuals, of_grads] = &mut buffers;
                let count = gather(residuals, row, start, len, of_residuals);
                gather(grads, row, start, len, of_grads);
                backward_run(
                    simd,
                    squashes[d],
                    k,
                    &of_residuals[..count],
                    &mut of_grads[..count],
                );
                scatter(of_grads, row, start, len, grads);
            }
        }
        d = end;
    }
}

/// Values of one squash, in groups of K.
#[inline(always)]
fn forward_run<S: Simd, T: Scalar>(simd: S, squash: Squash, k: usize, values: &mut [T]) {
    match Form::of(squash) {
        Form::Tanh(function) => forward_lanes(simd, function, values),
        Form::Sigmoid(function) => forward_lanes(simd, function, values),
        Form::Clamp(function) => forward_lanes(simd, function, values),
        Form::Identity => {}
        Form::Softmax => softmax(k, values),
    }
}

/// The gradients of [`forward_run`].
#[inline(always)]
fn backward_run<S: Simd, T: Scalar>(simd: S, squash: Squash, k: usize, residuals: &[T], grads: &mut [T]) {
    match Form::of(squash) {
        Form::Tanh(function) => backward_lanes(simd, function, residuals, grads),
        Form::Sigmoid(function) => backward_lanes(simd, function, residuals, grads),
        Form::Clamp(function) => backward_lanes(simd, function, residuals, grads),
        Form::Identity => {}
        Form::Softmax => softmax_backward(k, residuals, grads),
    }
}

/// The residual of a raw value, on numbers of any kind; none for a [softmax](Squash::Softmax), which needs all pieces.
pub fn value<E: Elementwise>(squash: Squash, raw: E) -> Option<E> {
    Some(match Form::of(squash) {
        Form::Tanh(function) => function.value(raw),
        Form::Sigmoid(function) => function.value(raw),
        Form::Clamp(function) => function.value(raw),
        Form::Identity => raw,
        Form::Softmax => return None,
    })
}

/// The gradient of the raw value for that of its [residual](value); none for a softmax.
pub fn gradient<E: Elementwise>(squash: Squash, residual: E, grad: E) -> Option<E> {
    Some(match Form::of(squash) {
        Form::Tanh(function) => function.gradient(residual, grad),
        Form::Sigmoid(function) => function.gradient(residual, grad),
        Form::Clamp(function) => function.gradient(residual, grad),
        Form::Identity => grad,
        Form::Softmax => return None,
    })
}

/// What the squashes are, but for constants: each form has one loop.
enum Form {
    Tanh(Tanh),
    Sigmoid(Sigmoid),
    Clamp(Clamp),
    Identity,
    Softmax,
}

impl Form {
    #[inline(always)]
    fn of(squash: Squash) -> Self {
        match squash {
            // The hyperbolic form is the same function (paper, section 3.2), without the cancellation near zero.
            Squash::CentredSigmoid => Self::Tanh(Tanh { scale: 0.5 }),
            Squash::Tanh => Self::Tanh(Tanh { scale: 1.0 }),
            Squash::Sigmoid => Self::Sigmoid(Sigmoid),
            Squash::HardSigmoid => Self::Clamp(Clamp::hard_sigmoid(6.0)),
            Squash::SteepHardSigmoid => Self::Clamp(Clamp::hard_sigmoid(2.0)),
            Squash::CentredHardSigmoid => Self::Clamp(Clamp::centred(3.0)),
            Squash::CentredSteepHardSigmoid => Self::Clamp(Clamp::centred(1.0)),
            Squash::Identity => Self::Identity,
            Squash::Softmax => Self::Softmax,
        }
    }
}

/// A squash of each value for itself.
trait Function: Copy {
    fn value<E: Elementwise>(self, raw: E) -> E;

    /// The gradient of the raw value, for that of the residual.
    fn gradient<E: Elementwise>(self, residual: E, grad: E) -> E;
}

/// tanh(scale · r).
#[derive(Clone, Copy)]
struct Tanh {
    scale: f64,
}

impl Function for Tanh {
    #[inline(always)]
    fn value<E: Elementwise>(self, raw: E) -> E {
        let scale = raw.lift(self.scale);
        (raw * scale).tanh()
    }

    #[inline(always)]
    fn gradient<E: Elementwise>(self, residual: E, grad: E) -> E {
        let (one, scale) = (grad.lift(1.0), grad.lift(self.scale));
        grad * (one - residual.clone() * residual) * scale
    }
}

/// σ(r).
#[derive(Clone, Copy)]
struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn value<E: Elementwise>(self, raw: E) -> E {
        raw.sigmoid()
    }

    #[inline(always)]
    fn gradient<E: Elementwise>(self, residual: E, grad: E) -> E {
        let one = grad.lift(1.0);
        grad * residual.clone() * (one - residual)
    }
}

/// r / divisor + shift, limited to low ..= 1.
#[derive(Clone, Copy)]
struct Clamp {
    divisor: f64,
    shift: f64,
    low: f64,
}

impl Clamp {
    #[inline(always)]
    fn hard_sigmoid(divisor: f64) -> Self {
        Self {
            divisor,
            shift: 0.5,
            low: 0.0,
        }
    }

    #[inline(always)]
    fn centred(divisor: f64) -> Self {
        Self {
            divisor,
            shift: 0.0,
            low: -1.0,
        }
    }
}

impl Function for Clamp {
    #[inline(always)]
    fn value<E: Elementwise>(self, raw: E) -> E {
        let (divisor, shift) = (raw.lift(self.divisor), raw.lift(self.shift));
        let (low, high) = (raw.lift(self.low), raw.lift(1.0));
        (raw / divisor + shift).clamp(low, high)
    }

    #[inline(always)]
    fn gradient<E: Elementwise>(self, residual: E, grad: E) -> E {
        let limited = residual.le(&grad.lift(self.low)) | residual.ge(&grad.lift(1.0));
        let (zero, divisor) = (grad.lift(0.0), grad.lift(self.divisor));
        E::select(limited, zero, grad / divisor)
    }
}

#[inline(always)]
fn forward_lanes<S: Simd, T: Scalar, F: Function>(simd: S, function: F, values: &mut [T]) {
    let mut vectors = values.chunks_exact_mut(Lanes::<S, T>::LEN);
    for values in vectors.by_ref() {
        function.value(Lanes::load(simd, values)).store(values);
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        function.value(Lanes::load_last(simd, rest)).store_last(rest);
    }
}

#[inline(always)]
fn backward_lanes<S: Simd, T: Scalar, F: Function>(simd: S, function: F, residuals: &[T], grads: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let whole = grads.len() / lanes * lanes;
    let (residuals, last_residuals) = residuals.split_at(whole);
    let (grads, last_grads) = grads.split_at_mut(whole);
    for (residuals, grads) in residuals.chunks_exact(lanes).zip(grads.chunks_exact_mut(lanes)) {
        let grad = Lanes::load(simd, grads);
        function.gradient(Lanes::load(simd, residuals), grad).store(grads);
    }
    if !last_grads.is_empty() {
        let residual = Lanes::load_last(simd, last_residuals);
        let grad = Lanes::load_last(simd, last_grads);
        function.gradient(residual, grad).store_last(last_grads);
    }
}

/// Scalar: K is smaller than a vector.
#[inline(always)]
fn softmax<T: Scalar>(k: usize, values: &mut [T]) {
    for values in values.chunks_exact_mut(k) {
        let mut max = values[0];
        for &value in &values[1..] {
            max = Elementwise::max(max, value);
        }
        let mut sum = T::default();
        for value in &mut *values {
            *value = (*value - max).exp();
            sum += *value;
        }
        for value in values {
            *value /= sum;
        }
    }
}

#[inline(always)]
fn softmax_backward<T: Scalar>(k: usize, residuals: &[T], grads: &mut [T]) {
    for (residuals, grads) in residuals.chunks_exact(k).zip(grads.chunks_exact_mut(k)) {
        let mut mean = T::default();
        for (&residual, &grad) in residuals.iter().zip(&*grads) {
            mean = residual.mul_add(grad, mean);
        }
        for (&residual, grad) in residuals.iter().zip(grads) {
            *grad = residual * (*grad - mean);
        }
    }
}
