//! From residuals to coefficients: coefficient = init + λ · residual (paper, equation 3).

use crate::Scalar;

/// `coefficients[r, i] = init[i] + lambda[i] · residuals[r, i]`, where i runs over `[P, K]`.
///
/// # Panics
///
/// When the arrays are not rows of `init.len()`, or `lambda` is shorter or longer than `init`.
pub fn forward<T: Scalar>(init: &[T], lambda: &[T], residuals: &[T], coefficients: &mut [T]) {
    check(init, lambda, residuals, coefficients);
    let rows = residuals
        .chunks_exact(init.len())
        .zip(coefficients.chunks_exact_mut(init.len()));
    for (residuals, coefficients) in rows {
        for (i, coefficient) in coefficients.iter_mut().enumerate() {
            *coefficient = init[i] + lambda[i] * residuals[i];
        }
    }
}

/// Turns the gradients of coefficients into those of residuals, in place: times λ.
///
/// # Panics
///
/// When the gradients are not rows of `lambda.len()`.
pub fn backward<T: Scalar>(lambda: &[T], grads: &mut [T]) {
    check(lambda, lambda, grads, grads);
    for grads in grads.chunks_exact_mut(lambda.len()) {
        for (grad, &lambda) in grads.iter_mut().zip(lambda) {
            *grad *= lambda;
        }
    }
}

fn check<T>(init: &[T], lambda: &[T], residuals: &[T], coefficients: &[T]) {
    assert!(!init.is_empty(), "coefficients: an activation has coefficients");
    assert_eq!(init.len(), lambda.len(), "coefficients: init and lambda");
    assert!(
        residuals.len().is_multiple_of(init.len()),
        "coefficients: rows of init.len()"
    );
    assert_eq!(
        residuals.len(),
        coefficients.len(),
        "coefficients: residuals and coefficients"
    );
}
