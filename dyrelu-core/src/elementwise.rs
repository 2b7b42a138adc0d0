//! [`Elementwise`]: the arithmetic that a piece may use, on whatever computes it.

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// A value, or many values side by side, on which a piece's formula can be evaluated.
///
/// The macro emits every formula once, generic over this trait. The same function then runs on `f32` and
/// `f64`, on SIMD lanes, on dual numbers, on a recorder that prints the formula, on tensors. Implement it for
/// your own type to run any activation on it: only the methods without a default are required.
///
/// The bound is [`Clone`], not [`Copy`], because tensors and recorders own memory.
///
/// # Rules for implementations
///
/// * Comparisons follow IEEE 754: every comparison with NaN is false, except [`ne`](Self::ne).
/// * Mark every method `#[inline(always)]` when the type runs inside a kernel: one call that is not inlined
///   costs more than the whole formula.
///
/// # Example
///
/// A type that counts multiplications:
///
/// ```
/// use dyrelu::{Elementwise, Piece, PieceGrad};
/// use std::ops::{Add, Div, Mul, Neg, Sub};
///
/// #[derive(Clone)]
/// struct Count(u32);
/// macro_rules! count {
///     ($trait:ident, $method:ident, $cost:expr) => {
///         impl $trait for Count {
///             type Output = Self;
///             fn $method(self, other: Self) -> Self { Count(self.0 + other.0 + $cost) }
///         }
///     };
/// }
/// count!(Add, add, 0); count!(Sub, sub, 0); count!(Mul, mul, 1); count!(Div, div, 0);
/// impl Neg for Count { type Output = Self; fn neg(self) -> Self { self } }
/// impl Elementwise for Count {
///     type Mask = bool;
///     fn lift(&self, _: f64) -> Self { Count(0) }
///     fn gt(&self, _: &Self) -> bool { true }
///     fn ge(&self, _: &Self) -> bool { true }
///     fn select(_: bool, if_true: Self, _: Self) -> Self { if_true }
///     fn exp(self) -> Self { self }
///     fn ln(self) -> Self { self }
///     fn sqrt(self) -> Self { self }
///     fn sin(self) -> Self { self }
///     fn cos(self) -> Self { self }
/// }
///
/// struct Affine;
/// impl Piece<2> for Affine {
///     fn value<E: Elementwise>(x: E, [a, b]: [E; 2]) -> E { a.mul_add(x, b) }
///     fn grad<E: Elementwise>(x: E, [a, _]: [E; 2]) -> PieceGrad<E, 2> {
///         let one = x.lift(1.0);
///         PieceGrad { x: a, coefficients: [x, one] }
///     }
/// }
/// assert_eq!(Affine::value(Count(0), [Count(0), Count(0)]).0, 1);
/// ```
pub trait Elementwise:
    Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The result of a comparison: `bool` for one number, a lane mask for many.
    type Mask: Clone + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask> + Not<Output = Self::Mask>;

    /// The constant `value`, in the shape and on the device of `self`.
    ///
    /// It is a method of a value, not a constructor, because a SIMD vector needs a proof of its instruction
    /// set and a tensor needs a device.
    #[must_use]
    fn lift(&self, value: f64) -> Self;

    /// `self > other`.
    fn gt(&self, other: &Self) -> Self::Mask;

    /// `self ≥ other`.
    fn ge(&self, other: &Self) -> Self::Mask;

    /// `if_true` where `mask` holds, `if_false` elsewhere. Both are always computed.
    #[must_use]
    fn select(mask: Self::Mask, if_true: Self, if_false: Self) -> Self;

    /// eˣ.
    #[must_use]
    fn exp(self) -> Self;

    /// Natural logarithm; NaN below zero, −∞ at zero.
    #[must_use]
    fn ln(self) -> Self;

    /// Square root; NaN below zero.
    #[must_use]
    fn sqrt(self) -> Self;

    /// Sine of an angle in radians.
    #[must_use]
    fn sin(self) -> Self;

    /// Cosine of an angle in radians.
    #[must_use]
    fn cos(self) -> Self;

    /// `self < other`.
    #[inline(always)]
    fn lt(&self, other: &Self) -> Self::Mask {
        other.gt(self)
    }

    /// `self ≤ other`.
    #[inline(always)]
    fn le(&self, other: &Self) -> Self::Mask {
        other.ge(self)
    }

    /// `self = other`; false for NaN.
    #[inline(always)]
    fn eq(&self, other: &Self) -> Self::Mask {
        self.ge(other) & other.ge(self)
    }

    /// `self ≠ other`; true for NaN.
    #[inline(always)]
    fn ne(&self, other: &Self) -> Self::Mask {
        !self.eq(other)
    }

    /// Whether `self` is NaN.
    #[inline(always)]
    fn is_nan(&self) -> Self::Mask {
        self.ne(self)
    }

    /// `self · factor + summand`, with one rounding or with two.
    #[inline(always)]
    #[must_use]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        self * factor + summand
    }

    /// Whether a candidate replaces the best value so far in a maximum: `self > best`, or `self` is NaN.
    ///
    /// The first of equal values stays, and a NaN stays too.
    #[inline(always)]
    fn replaces_max(&self, best: &Self) -> Self::Mask {
        self.gt(best) | self.is_nan()
    }

    /// Whether a candidate replaces the best value so far in a minimum: `self < best`, or `self` is NaN.
    #[inline(always)]
    fn replaces_min(&self, best: &Self) -> Self::Mask {
        best.gt(self) | self.is_nan()
    }

    /// The larger value; NaN when either is NaN.
    #[inline(always)]
    #[must_use]
    fn max(self, other: Self) -> Self {
        Self::select(other.replaces_max(&self), other, self)
    }

    /// The smaller value; NaN when either is NaN.
    #[inline(always)]
    #[must_use]
    fn min(self, other: Self) -> Self {
        Self::select(other.replaces_min(&self), other, self)
    }

    /// `self` limited to `low ..= high`; NaN stays NaN.
    #[inline(always)]
    #[must_use]
    fn clamp(self, low: Self, high: Self) -> Self {
        self.max(low).min(high)
    }

    /// |x|.
    #[inline(always)]
    #[must_use]
    fn abs(self) -> Self {
        Self::select(self.lt(&self.lift(0.0)), -self.clone(), self)
    }

    /// −1, 0 or 1 by the sign of x: the derivative of |x|, with 0 at 0 as in PyTorch. NaN stays NaN.
    #[inline(always)]
    #[must_use]
    fn sign(self) -> Self {
        let zero = self.lift(0.0);
        let positive = self.gt(&zero);
        let negative = self.lt(&zero);
        let (one, minus_one) = (self.lift(1.0), self.lift(-1.0));
        Self::select(positive, one, Self::select(negative, minus_one, self))
    }

    /// 1/x.
    #[inline(always)]
    #[must_use]
    fn recip(self) -> Self {
        self.lift(1.0) / self
    }

    /// xⁿ by repeated multiplication; x⁰ = 1.
    #[inline(always)]
    #[must_use]
    fn powi(self, exponent: i32) -> Self {
        let mut result: Option<Self> = None;
        let mut square = self.clone();
        let mut rest = exponent.unsigned_abs();
        while rest != 0 {
            if rest & 1 == 1 {
                result = Some(match result {
                    Some(result) => result * square.clone(),
                    None => square.clone(),
                });
            }
            rest >>= 1;
            if rest != 0 {
                square = square.clone() * square;
            }
        }
        let power = result.unwrap_or_else(|| self.lift(1.0));
        if exponent < 0 { power.recip() } else { power }
    }

    /// max(x, 0); NaN stays NaN.
    #[inline(always)]
    #[must_use]
    fn relu(self) -> Self {
        let zero = self.lift(0.0);
        Self::select(self.le(&zero), zero, self)
    }

    /// eˣ − 1, accurate near zero.
    #[inline(always)]
    #[must_use]
    fn exp_m1(self) -> Self {
        // For |x| < 1 the sum of eˣᐟ² − e⁻ˣᐟ² and its mirror would cancel, so use Kahan's correction:
        // (u − 1) · x / ln u with u = eˣ, exact to a few units in the last place.
        let u = self.clone().exp();
        let one = self.lift(1.0);
        let u_m1 = u.clone() - one.clone();
        let corrected = u_m1.clone() * self.clone() / u.clone().ln();
        let tiny = u.eq(&one);
        let large = self.gt(&self.lift(1.0)) | self.lt(&self.lift(-1.0));
        Self::select(tiny, self, Self::select(large, u_m1, corrected))
    }

    /// ln(1 + x), accurate near zero.
    #[inline(always)]
    #[must_use]
    fn ln_1p(self) -> Self {
        // Kahan: with u = 1 + x rounded, ln u · x / (u − 1) repairs the rounding of u.
        let one = self.lift(1.0);
        let u = self.clone() + one.clone();
        let exact = u.eq(&one);
        let u_m1 = u.clone() - one;
        let ln = u.ln();
        let infinite = ln.ge(&self.lift(f64::INFINITY));
        let corrected = ln.clone() * self.clone() / u_m1;
        Self::select(exact, self, Self::select(infinite, ln, corrected))
    }

    /// Hyperbolic tangent.
    #[inline(always)]
    #[must_use]
    fn tanh(self) -> Self {
        // tanh x = (e²ˣ − 1) / (e²ˣ + 1), on −|x| so that the exponential never overflows.
        let negative = self.lt(&self.lift(0.0));
        let e = (self.clone().abs() * self.lift(-2.0)).exp_m1();
        let t = -e.clone() / (e + self.lift(2.0));
        Self::select(negative, -t.clone(), t)
    }

    /// Logistic function 1 / (1 + e⁻ˣ).
    #[inline(always)]
    #[must_use]
    fn sigmoid(self) -> Self {
        let one = self.lift(1.0);
        one.clone() / (one + (-self).exp())
    }

    /// ln(1 + eˣ), without overflow.
    #[inline(always)]
    #[must_use]
    fn softplus(self) -> Self {
        self.clone().relu() + (-self.abs()).exp().ln_1p()
    }
}

/// Scalars: the library functions of `std`, one number at a time. The reference for all other implementations.
macro_rules! scalar {
    ($float:ty) => {
        impl Elementwise for $float {
            type Mask = bool;

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "rounds to f32; no truncation for f64")]
            fn lift(&self, value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn gt(&self, other: &Self) -> bool {
                self > other
            }

            #[inline(always)]
            fn ge(&self, other: &Self) -> bool {
                self >= other
            }

            #[inline(always)]
            fn select(mask: bool, if_true: Self, if_false: Self) -> Self {
                if mask { if_true } else { if_false }
            }

            #[inline(always)]
            fn abs(self) -> Self {
                <$float>::abs(self)
            }

            scalar!(@std $float: exp ln sqrt sin cos exp_m1 ln_1p tanh);
        }
    };
    (@std $float:ty: $($function:ident)*) => {$(
        #[inline(always)]
        fn $function(self) -> Self {
            <$float>::$function(self)
        }
    )*};
}

scalar!(f32);
scalar!(f64);
