//! [`Piece`]: one branch of a piecewise activation, with its derivative.

use crate::Elementwise;

/// One piece of an activation: a function of the input x and of P arguments, its coefficients and then its
/// [neighbours](crate::Neighbour), with its gradient.
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
    /// The piece's value at `x` for the arguments `coefficients[p]`.
    fn value<E: Elementwise>(x: E, coefficients: [E; P]) -> E;

    /// The piece's partial derivatives at `x`.
    fn grad<E: Elementwise>(x: E, coefficients: [E; P]) -> PieceGrad<E, P>;
}

/// The partial derivatives of a [`Piece`] at one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PieceGrad<E, const P: usize> {
    /// With respect to the input, ∂piece/∂x.
    pub x: E,
    /// With respect to each argument, in their order.
    pub coefficients: [E; P],
}

/// A piece for tests that ask for its value only.
#[cfg(test)]
macro_rules! piece {
    ($name:ident, $p:literal, |$x:ident, $c:ident| $value:expr) => {
        struct $name;
        impl $crate::Piece<$p> for $name {
            fn value<E: $crate::Elementwise>($x: E, $c: [E; $p]) -> E {
                $value
            }
            fn grad<E: $crate::Elementwise>(x: E, coefficients: [E; $p]) -> $crate::PieceGrad<E, $p> {
                $crate::PieceGrad { x, coefficients }
            }
        }
    };
}
#[cfg(test)]
pub(crate) use piece;
