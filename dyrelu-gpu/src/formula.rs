//! The functions that a kernel calls to compute an activation.
//!
//! Where a kernel names a function `f`, CubeCL calls `f::expand` while it builds the kernel. So a function and a module of one
//! name are the way from a kernel to a description.

use crate::recorded::Recorded;
use cubecl::ir::Scope;
use cubecl::prelude::*;
use cubecl::unexpanded;
use dyrelu_core::kernels::piecewise::{Derivatives, PieceSet};
use dyrelu_core::{DynamicActivation, Elementwise, Sharing};

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

/// For the gradient of y: the gradient of x; the sums of the gradients of the coefficients `[P, K]` with those at x; and in mode C
/// the gradient of the attention.
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
        let Derivatives { y, x: by_x, pieces } =
            A::Pieces::derivatives(Recorded::read(scope, &x), |k, p| arguments.of(k, p));
        let grad_y = Recorded::read(scope, &grad_y);
        // Of y = π · f(x, c) and of y = f(x, π · c), the derivative with respect to c has the factor π.
        let scaled = arguments.attention.map_or(grad_y, |attention| grad_y * attention);
        let mut gradients = vec![if A::HOMOGENEOUS {
            scaled * by_x
        } else {
            grad_y * by_x
        }];
        let mut by_attention = Recorded::constant(scope, 0.0);
        for (i, sum) in sums.iter_cloned().enumerate() {
            let (k, p) = (i % A::Pieces::K, i / A::Pieces::K);
            let (won, of_piece) = &pieces[k];
            // Products are masked and not factors, for 0 · ∞ would be NaN.
            let add = |sum, product| match *won {
                Some(won) => Recorded::select(won, product + sum, sum),
                None => product + sum,
            };
            gradients.push(add(Recorded::read(scope, &sum), scaled * of_piece[p]));
            if arguments.scales_coefficients() {
                by_attention = add(by_attention, grad_y * of_piece[p] * arguments.coefficient(k, p));
            }
        }
        if A::SHARING == Sharing::Unshared {
            gradients.push(if A::HOMOGENEOUS { grad_y * y } else { by_attention });
        }
        let mut sequence = Sequence::<Vector<f32, N>>::__expand_new(scope);
        for gradient in gradients {
            sequence.__expand_push_method(scope, vector(scope, gradient));
        }
        sequence
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
            coefficients: coefficients
                .map(|coefficient| Recorded::read(scope, &coefficient))
                .collect(),
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

    /// Whether π multiplies the coefficients and not the output.
    fn scales_coefficients(&self) -> bool {
        self.attention.is_some() && !A::HOMOGENEOUS
    }

    /// The coefficient that piece k sees.
    fn of(&self, k: usize, p: usize) -> Recorded<'s> {
        match self.attention {
            Some(attention) if self.scales_coefficients() => self.coefficient(k, p) * attention,
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
}

/// The value as a vector, also if it is a scalar so far.
fn vector<N: Size>(scope: &Scope, value: Recorded<'_>) -> NativeExpand<Vector<f32, N>> {
    Vector::<f32, N>::__expand_cast_from(scope, value.value())
}
