//! The functions that a kernel calls to compute an activation.
//!
//! Where a kernel names a function `f`, CubeCL calls `f::expand` while it builds the kernel. So a function and a module of one
//! name are the way from a kernel to a description.

use crate::recorded::Recorded;
use cubecl::ir::Scope;
use cubecl::prelude::*;
use cubecl::unexpanded;
use dyrelu_core::kernels::piecewise::{Derivatives, PieceSet};
use dyrelu_core::{DynamicActivation, Elementwise};

/// y at x, for the coefficients `[P, K]` and in mode C the attention π.
pub(crate) fn value<A: DynamicActivation, N: Size>(
    _x: Vector<f32, N>,
    _coefficients: &Sequence<f32>,
    _attention: ComptimeOption<Vector<f32, N>>,
) -> Vector<f32, N> {
    unexpanded!()
}

pub(crate) mod value {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation, N: Size>(
        scope: &Scope,
        x: NativeExpand<Vector<f32, N>>,
        coefficients: &SequenceExpand<f32>,
        attention: ComptimeOptionExpand<Vector<f32, N>>,
    ) -> NativeExpand<Vector<f32, N>> {
        let arguments = Arguments::<A>::new(scope, coefficients, attention);
        let y = A::Pieces::value(Recorded::read(scope, &x), |k, p| arguments.of(k, p));
        vector(scope, arguments.scaled(y))
    }
}

/// The gradient of x for that of y; then the sums of the gradients of the coefficients `[P, K]`, which this adds to.
pub(crate) fn gradients<A: DynamicActivation, N: Size>(
    _x: Vector<f32, N>,
    _grad_y: Vector<f32, N>,
    _coefficients: &Sequence<f32>,
    _attention: ComptimeOption<Vector<f32, N>>,
    _sums: Sequence<Vector<f32, N>>,
) -> Sequence<Vector<f32, N>> {
    unexpanded!()
}

pub(crate) mod gradients {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation, N: Size>(
        scope: &Scope,
        x: NativeExpand<Vector<f32, N>>,
        grad_y: NativeExpand<Vector<f32, N>>,
        coefficients: &SequenceExpand<f32>,
        attention: ComptimeOptionExpand<Vector<f32, N>>,
        sums: SequenceExpand<Vector<f32, N>>,
    ) -> SequenceExpand<Vector<f32, N>> {
        let arguments = Arguments::<A>::new(scope, coefficients, attention);
        let derivatives = arguments.derivatives(Recorded::read(scope, &x));
        let grad_y = Recorded::read(scope, &grad_y);
        // Of y = π · f(x, c) and of y = f(x, π · c), the derivative with respect to c has the factor π.
        let by_coefficients = arguments.attention.map_or(grad_y, |attention| grad_y * attention);
        let by_x = if A::HOMOGENEOUS { by_coefficients } else { grad_y };
        let mut gradients = vec![vector(scope, by_x * derivatives.x)];
        for (i, sum) in sums.iter_cloned().enumerate() {
            let (k, p) = (i % A::Pieces::K, i / A::Pieces::K);
            let (won, of_piece) = &derivatives.pieces[k];
            let sum = Recorded::read(scope, &sum);
            let added = by_coefficients * of_piece[p] + sum;
            // Products are masked and not factors, for 0 · ∞ would be NaN.
            gradients.push(vector(scope, won.map_or(added, |won| Recorded::select(won, added, sum))));
        }
        sequence(scope, gradients)
    }
}

/// The gradient of the attention π for that of y.
pub(crate) fn attention_gradient<A: DynamicActivation, N: Size>(
    _x: Vector<f32, N>,
    _grad_y: Vector<f32, N>,
    _coefficients: &Sequence<f32>,
    _attention: ComptimeOption<Vector<f32, N>>,
) -> Vector<f32, N> {
    unexpanded!()
}

pub(crate) mod attention_gradient {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation, N: Size>(
        scope: &Scope,
        x: NativeExpand<Vector<f32, N>>,
        grad_y: NativeExpand<Vector<f32, N>>,
        coefficients: &SequenceExpand<f32>,
        attention: ComptimeOptionExpand<Vector<f32, N>>,
    ) -> NativeExpand<Vector<f32, N>> {
        let arguments = Arguments::<A>::new(scope, coefficients, attention);
        let (x, grad_y) = (Recorded::read(scope, &x), Recorded::read(scope, &grad_y));
        if A::HOMOGENEOUS {
            return vector(scope, grad_y * A::Pieces::value(x, |k, p| arguments.of(k, p)));
        }
        let mut sum = Recorded::constant(scope, 0.0);
        for (k, (won, of_piece)) in arguments.derivatives(x).pieces.into_iter().enumerate() {
            for (p, of_argument) in of_piece.into_iter().enumerate() {
                let added = grad_y * of_argument * arguments.coefficient(k, p) + sum;
                sum = won.map_or(added, |won| Recorded::select(won, added, sum));
            }
        }
        vector(scope, sum)
    }
}

/// What a piece sees beside x.
struct Arguments<'s, A> {
    /// `[P, K]`.
    coefficients: Vec<Recorded<'s>>,
    /// π in mode C.
    attention: Option<Recorded<'s>>,
    activation: core::marker::PhantomData<A>,
}

impl<'s, A: DynamicActivation> Arguments<'s, A> {
    fn new<N: Size>(
        scope: &'s Scope,
        coefficients: &SequenceExpand<f32>,
        attention: ComptimeOptionExpand<Vector<f32, N>>,
    ) -> Self {
        let coefficients = coefficients.iter_cloned();
        Self {
            coefficients: coefficients.map(|coefficient| Recorded::read(scope, &coefficient)).collect(),
            attention: match attention {
                // There is nothing that the attention scales if a piece has no coefficients.
                ComptimeOptionExpand::Some(attention) if !A::COEFFICIENTS.is_empty() => {
                    Some(Recorded::read(scope, &attention))
                }
                _ => None,
            },
            activation: core::marker::PhantomData,
        }
    }

    fn coefficient(&self, k: usize, p: usize) -> Recorded<'s> {
        self.coefficients[p * A::Pieces::K + k]
    }

    /// The coefficient that piece k sees: times π where that does not multiply the output instead.
    fn of(&self, k: usize, p: usize) -> Recorded<'s> {
        match self.attention {
            Some(attention) if !A::HOMOGENEOUS => self.coefficient(k, p) * attention,
            _ => self.coefficient(k, p),
        }
    }

    /// y, times π where that multiplies the output.
    fn scaled(&self, y: Recorded<'s>) -> Recorded<'s> {
        match self.attention {
            Some(attention) if A::HOMOGENEOUS => y * attention,
            _ => y,
        }
    }

    fn derivatives(&self, x: Recorded<'s>) -> Derivatives<Recorded<'s>> {
        A::Pieces::derivatives(x, |k, p| self.of(k, p))
    }
}

/// The value as a vector, also if it is a scalar so far.
fn vector<N: Size>(scope: &Scope, value: Recorded<'_>) -> NativeExpand<Vector<f32, N>> {
    Vector::<f32, N>::__expand_cast_from(scope, value.value())
}

fn sequence<N: Size>(
    scope: &Scope,
    values: Vec<NativeExpand<Vector<f32, N>>>,
) -> SequenceExpand<Vector<f32, N>> {
    let mut sequence = Sequence::<Vector<f32, N>>::__expand_new(scope);
    for value in values {
        sequence.__expand_push_method(scope, value);
    }
    sequence
}
