//! From residuals to coefficients: coefficient = init + λ · residual (paper, equation 3).

use crate::Scalar;

/// `coefficients[r, i] = init[i] + lambda[i] · residuals[r, i]`, where i runs over `[P, K]`.
///
/// # Panics
///
/// When the arrays are not rows of `init.len()`, or `lambda` is shorter or longer than `init`.
pub fn forward<T: Scalar>(init: &[T], lambda: &[T], residuals: &[T], coefficients: &mut [T]) {
    check(init, lambda, residuals, coefficients);
    let (mut inits, mut lambdas) = ([T::default(); PATTERN], [T::default(); PATTERN]);
    let (init, lambda) = (repeat(init, &mut inits), repeat(lambda, &mut lambdas));
    let parts = residuals
        .chunks(init.len())
        .zip(coefficients.chunks_mut(init.len()));
    for (residuals, coefficients) in parts {
        let constants = init.iter().zip(lambda);
        for ((coefficient, &residual), (&init, &lambda)) in
            coefficients.iter_mut().zip(residuals).zip(constants)
        {
            *coefficient = init + lambda * residual;
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
    let mut lambdas = [T::default(); PATTERN];
    let lambda = repeat(lambda, &mut lambdas);
    for grads in grads.chunks_mut(lambda.len()) {
        for (grad, &lambda) in grads.iter_mut().zip(lambda) {
            *grad *= lambda;
        }
    }
}

/// How many constants are laid out in line, so that the compiler makes vectors of them.
const PATTERN: usize = 64;

/// As many copies of `row` as fit into the pattern; the row itself if it is too long.
fn repeat<'a, T: Scalar>(row: &'a [T], pattern: &'a mut [T; PATTERN]) -> &'a [T] {
    if row.len() > PATTERN {
        return row;
    }
    let len = PATTERN / row.len() * row.len();
    for copy in pattern[..len].chunks_exact_mut(row.len()) {
        copy.copy_from_slice(row);
    }
    &pattern[..len]
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
