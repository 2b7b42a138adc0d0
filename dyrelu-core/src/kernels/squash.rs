//! The squash of the hyper function: 2σ(r) − 1, into (−1, 1).

use crate::lanes::Lanes;
use crate::{Elementwise, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// Replaces each raw value r by its residual 2σ(r) − 1 = tanh(r / 2).
///
/// The hyperbolic form is the same function (paper, section 3.2), without the cancellation near zero.
pub fn forward<T: Scalar>(level: Level, values: &mut [T]) {
    dispatch!(level, simd => forward_lanes(simd, values));
}

/// Multiplies each gradient of a residual d by the squash's derivative (1 − d²) / 2.
///
/// # Panics
///
/// When the lengths differ.
pub fn backward<T: Scalar>(residuals: &[T], grads: &mut [T]) {
    assert_eq!(residuals.len(), grads.len(), "squash: residuals and gradients");
    let (one, half) = (T::from_f64(1.0), T::from_f64(0.5));
    for (&residual, grad) in residuals.iter().zip(grads) {
        *grad = *grad * (one - residual * residual) * half;
    }
}

#[inline(always)]
fn forward_lanes<S: Simd, T: Scalar>(simd: S, values: &mut [T]) {
    let half = Lanes::<S, T>::splat(simd, T::from_f64(0.5));
    let mut vectors = values.chunks_exact_mut(Lanes::<S, T>::LEN);
    for values in vectors.by_ref() {
        (Lanes::load(simd, values) * half).tanh().store(values);
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        (Lanes::load_last(simd, rest) * half).tanh().store_last(rest);
    }
}
