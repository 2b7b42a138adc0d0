//! [`Finiteness`]: what can be said of a piece's value before it is computed.

use crate::{Elementwise, Piece};
use core::ops::{Add, Div, Mul, Neg, Sub};

/// What is known of a number. A piece's formula runs on it as on any other [`Elementwise`] type, and the compiler
/// evaluates it: nothing is left of it in a kernel.
///
/// The constants of a formula are taken as they are: one that is too large for `f32` is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finiteness {
    /// Neither infinite nor NaN.
    Finite,
    /// Not NaN.
    Number,
    Unknown,
}

use Finiteness::{Finite, Number, Unknown};

/// Whether a piece is never NaN where the input and the coefficients are finite. `false` means "not proven".
#[inline(always)]
pub(crate) fn is_never_nan<A: Piece<P>, const P: usize>() -> bool {
    A::value(Finite, [Finite; P]) < Unknown
}

impl Finiteness {
    /// A sum: it may overflow, and of infinities only one may be in it.
    #[inline(always)]
    fn sum(self, other: Self) -> Self {
        match (self, other) {
            (Finite, Finite | Number) | (Number, Finite) => Number,
            _ => Unknown,
        }
    }

    #[inline(always)]
    fn either(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
}

impl Add for Finiteness {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.sum(other)
    }
}

impl Sub for Finiteness {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.sum(other)
    }
}

impl Mul for Finiteness {
    type Output = Self;

    /// It may overflow; 0 · ∞ is NaN.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        match (self, other) {
            (Finite, Finite) => Number,
            _ => Unknown,
        }
    }
}

impl Div for Finiteness {
    type Output = Self;

    /// 0 / 0 is NaN.
    #[inline(always)]
    fn div(self, _: Self) -> Self {
        Unknown
    }
}

impl Neg for Finiteness {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self
    }
}

impl Elementwise for Finiteness {
    type Mask = bool;

    #[inline(always)]
    fn lift(&self, value: f64) -> Self {
        if value.abs() < f64::from(f32::MAX) {
            Finite
        } else {
            Unknown
        }
    }

    #[inline(always)]
    fn gt(&self, _: &Self) -> bool {
        false
    }

    #[inline(always)]
    fn ge(&self, _: &Self) -> bool {
        false
    }

    /// Either of the two, whatever the mask says.
    #[inline(always)]
    fn select(_: bool, if_true: Self, if_false: Self) -> Self {
        if_true.either(if_false)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self
    }

    /// It may overflow.
    #[inline(always)]
    fn exp(self) -> Self {
        self.either(Number)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        if self == Unknown { Unknown } else { Finite }
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        self.tanh()
    }

    #[inline(always)]
    fn ln(self) -> Self {
        Unknown
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Unknown
    }

    #[inline(always)]
    fn sin(self) -> Self {
        if self == Finite { Finite } else { Unknown }
    }

    #[inline(always)]
    fn cos(self) -> Self {
        self.sin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piece::piece;

    piece!(Affine, 2, |x, c| {
        let [a, b] = c;
        a.mul_add(x, b)
    });
    piece!(TwoProducts, 2, |x, c| {
        let [a, b] = c;
        a * x.clone() + b * x
    });
    piece!(Bounded, 1, |x, c| {
        let [a] = c;
        (a * x.clone()).sigmoid() * x
    });
    piece!(Huge, 1, |x, c| {
        let [a] = c;
        x.lift(1e300) + a
    });
    piece!(Quotient, 1, |x, c| {
        let [a] = c;
        x / a
    });

    #[test]
    fn only_what_cannot_be_nan_is_proven() {
        assert!(is_never_nan::<Affine, 2>() && is_never_nan::<Bounded, 1>());
        assert!(!is_never_nan::<TwoProducts, 2>(), "∞ − ∞");
        assert!(!is_never_nan::<Huge, 1>(), "a constant that is infinite in f32");
        assert!(!is_never_nan::<Quotient, 1>(), "0 / 0");
    }
}
