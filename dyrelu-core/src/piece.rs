//! [`Piece`]: one branch of a piecewise activation, with its derivative.

use crate::Elementwise;

/// One piece of an activation: a function of the input x and of P coefficients, with its gradient.
///
/// `#[dynamic_activation]` implements this from a closure; [`grad`](Self::grad) is derived symbolically. An
/// implementation by hand is just as good, see `examples/06_by_hand.rs`.
///
/// # Rules for implementations by hand
///
/// * `grad` must be the derivative of `value`: nothing checks it at run time.
/// * Mark both functions `#[inline(always)]`, and every function of yours that they call: the kernels inline
///   them into loops over SIMD lanes, and a call inside such a loop costs twenty times the formula.
pub trait Piece<const P: usize> {
    /// The piece's value at `x` for the coefficients `coefficients[p]`.
    fn value<E: Elementwise>(x: E, coefficients: [E; P]) -> E;

    /// The piece's partial derivatives at `x`.
    fn grad<E: Elementwise>(x: E, coefficients: [E; P]) -> PieceGrad<E, P>;
}

/// The partial derivatives of a [`Piece`] at one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PieceGrad<E, const P: usize> {
    /// With respect to the input, ∂piece/∂x.
    pub x: E,
    /// With respect to each coefficient, in the order of their declaration.
    pub coefficients: [E; P],
}
