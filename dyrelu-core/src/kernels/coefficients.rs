//! From residuals to coefficients: coefficient = init + λ · residual (paper, equation 3), beside those that are learned.

use crate::Scalar;

/// What the coefficients of a set are made of, beside the residuals.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// K.
    pub pieces: usize,
    /// `[sets, P, K]`: init of the dynamic coefficients, and the values of the learned ones. It repeats after that many
    /// sets.
    pub template: &'a [T],
    /// Where the D dynamic coefficients stand among the P, in ascending order.
    pub dynamic: &'a [usize],
    /// λ, `[D, K]`.
    pub lambda: &'a [T],
    /// P.
    pub coefficients: usize,
}

/// `coefficients[r, p, k] = template[r, p, k]`, plus `lambda[d, k] · residuals[r, d, k]` where p is the d-th dynamic one.
///
/// # Panics
///
/// When the coefficients are not `[rows, P, K]` and the residuals `[rows, D, K]`, or the operands do not fit together.
pub fn forward<T: Scalar>(operands: Operands<'_, T>, residuals: &[T], coefficients: &mut [T]) {
    operands.check(residuals, coefficients);
    let Operands {
        pieces,
        template,
        dynamic,
        lambda,
        ..
    } = operands;
    if coefficients.is_empty() {
        return;
    }
    if operands.is_uniform() {
        let (mut inits, mut lambdas) = ([T::default(); PATTERN], [T::default(); PATTERN]);
        let (init, lambda) = (repeat(template, &mut inits), repeat(lambda, &mut lambdas));
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
        return;
    }
    for coefficients in coefficients.chunks_mut(template.len()) {
        coefficients.copy_from_slice(&template[..coefficients.len()]);
    }
    if dynamic.is_empty() {
        return;
    }
    let sets = coefficients.chunks_exact_mut(operands.coefficients * pieces);
    for (set, residuals) in sets.zip(residuals.chunks_exact(lambda.len())) {
        let parts = residuals.chunks_exact(pieces).zip(lambda.chunks_exact(pieces));
        for (&p, (residuals, lambda)) in dynamic.iter().zip(parts) {
            let coefficients = &mut set[p * pieces..][..pieces];
            for ((coefficient, &residual), &lambda) in coefficients.iter_mut().zip(residuals).zip(lambda) {
                *coefficient += lambda * residual;
            }
        }
    }
}

/// The gradients of the residuals, from those of the coefficients: times λ.
///
/// # Panics
///
/// As [`forward`].
pub fn backward<T: Scalar>(operands: Operands<'_, T>, grad_coefficients: &[T], grad_residuals: &mut [T]) {
    operands.check(grad_residuals, grad_coefficients);
    let Operands {
        pieces,
        dynamic,
        lambda,
        ..
    } = operands;
    if grad_residuals.is_empty() {
        return;
    }
    if operands.is_uniform() {
        let mut lambdas = [T::default(); PATTERN];
        let lambda = repeat(lambda, &mut lambdas);
        let parts = grad_residuals
            .chunks_mut(lambda.len())
            .zip(grad_coefficients.chunks(lambda.len()));
        for (to, from) in parts {
            for ((to, &from), &lambda) in to.iter_mut().zip(from).zip(lambda) {
                *to = from * lambda;
            }
        }
        return;
    }
    let sets = grad_coefficients.chunks_exact(operands.coefficients * pieces);
    for (set, grads) in sets.zip(grad_residuals.chunks_exact_mut(lambda.len())) {
        let parts = grads.chunks_exact_mut(pieces).zip(lambda.chunks_exact(pieces));
        for (&p, (grads, lambda)) in dynamic.iter().zip(parts) {
            let from = &set[p * pieces..][..pieces];
            for ((to, &from), &lambda) in grads.iter_mut().zip(from).zip(lambda) {
                *to = from * lambda;
            }
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

impl<T> Operands<'_, T> {
    /// Whether all coefficients are dynamic, with the same constants in each set.
    fn is_uniform(&self) -> bool {
        self.dynamic.len() == self.coefficients && self.template.len() == self.lambda.len()
    }

    fn check(&self, residuals: &[T], coefficients: &[T]) {
        let (set, dynamic) = (self.coefficients * self.pieces, self.dynamic.len() * self.pieces);
        assert_eq!(self.lambda.len(), dynamic, "coefficients: lambda");
        if set == 0 {
            assert!(coefficients.is_empty(), "coefficients: there are none");
            return;
        }
        assert!(
            !self.template.is_empty() && self.template.len().is_multiple_of(set),
            "coefficients: sets of the template"
        );
        assert!(coefficients.len().is_multiple_of(set), "coefficients: whole sets");
        assert_eq!(
            residuals.len(),
            coefficients.len() / set * dynamic,
            "coefficients: residuals and coefficients"
        );
    }
}
