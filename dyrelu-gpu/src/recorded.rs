//! [`Recorded`]: a number that records what is done to it as instructions of a kernel.

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};
use cubecl::ir::Scope;
use cubecl::prelude::*;
use dyrelu_core::Elementwise;

/// A number, or a vector of numbers, that a kernel will compute where the scope stands.
///
/// CubeCL's values of one type may have any vector size: an operation broadcasts a scalar to the size of the other operand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded<'s> {
    scope: &'s Scope,
    number: Number,
}

/// Constants stay numbers, so that what only they are in is computed while recording.
#[derive(Debug, Clone, Copy)]
enum Number {
    Constant(f64),
    Value(NativeExpand<f32>),
}

/// The result of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<'s> {
    scope: &'s Scope,
    bit: Bit,
}

/// A negation costs nothing until something but a `select` needs it.
#[derive(Debug, Clone, Copy)]
enum Bit {
    Constant(bool),
    Value { bit: NativeExpand<bool>, negated: bool },
}

use Number::{Constant, Value};

impl<'s> Recorded<'s> {
    /// A value of the kernel: what a variable holds now, not when it is used.
    pub(crate) fn read<T: CubePrimitive>(scope: &'s Scope, value: &NativeExpand<T>) -> Self {
        Self {
            scope,
            number: Value(value.read_value(scope).into()),
        }
    }

    /// A constant.
    pub(crate) fn constant(scope: &'s Scope, value: f64) -> Self {
        Self {
            scope,
            number: Constant(value),
        }
    }

    /// The value for a kernel. A constant, or what only scalars are in, is a scalar also where T is a vector.
    pub(crate) fn value(self) -> NativeExpand<f32> {
        match self.number {
            #[expect(clippy::cast_possible_truncation, reason = "rounds to f32")]
            Constant(value) => NativeExpand::from_lit(self.scope, value as f32),
            Value(value) => value,
        }
    }

    fn with(self, number: Number) -> Self {
        Self { number, ..self }
    }

    fn map(
        self,
        constant: impl Fn(f64) -> f64,
        value: impl Fn(NativeExpand<f32>, &Scope) -> NativeExpand<f32>,
    ) -> Self {
        self.with(match self.number {
            Constant(number) => Constant(constant(number)),
            Value(number) => Value(value(number, self.scope)),
        })
    }

    fn compare(
        &self,
        other: &Self,
        constants: impl Fn(&f64, &f64) -> bool,
        values: impl Fn(&NativeExpand<f32>, &Scope, &NativeExpand<f32>) -> NativeExpand<bool>,
    ) -> Mask<'s> {
        let bit = match (self.number, other.number) {
            (Constant(a), Constant(b)) => Bit::Constant(constants(&a, &b)),
            _ => Bit::Value {
                bit: values(&self.value(), self.scope, &other.value()),
                negated: false,
            },
        };
        Mask {
            scope: self.scope,
            bit,
        }
    }

    /// The mask by which another number replaces this one, but for NaN.
    ///
    /// That would be so without a word more. But a driver may make a maximum or a minimum of a mere comparison and a `select`, and
    /// lose NaN, unless bits are tested for it. Those of another number are, so this is for constants.
    fn kept_if_nan(self, mask: Mask<'s>, other: Self) -> Mask<'s> {
        match other.number {
            Constant(_) => mask & !self.is_nan(),
            Value(_) => mask,
        }
    }

    /// The polynomial of these coefficients, the highest first.
    fn polynomial(self, coefficients: &[f64]) -> Self {
        let mut coefficients = coefficients.iter().map(|&coefficient| self.lift(coefficient));
        let first = coefficients.next().expect("a polynomial has a coefficient");
        coefficients.fold(first, |sum, coefficient| sum.mul_add(self, coefficient))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $expand:ident) => {
        impl $trait for Recorded<'_> {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.with(match (self.number, other.number) {
                    (Constant(a), Constant(b)) => Constant(a.$method(b)),
                    _ => Value(self.value().$expand(self.scope, other.value())),
                })
            }
        }
    };
}

operator!(Add, add, __expand_add_method);
operator!(Sub, sub, __expand_sub_method);
operator!(Div, div, __expand_div_method);

impl Mul for Recorded<'_> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        match (self.number, other.number) {
            (Constant(a), Constant(b)) => self.with(Constant(a * b)),
            // The derivative with respect to an intercept.
            (Constant(1.0), _) => other,
            (_, Constant(1.0)) => self,
            _ => self.with(Value(self.value().__expand_mul_method(self.scope, other.value()))),
        }
    }
}

impl Neg for Recorded<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        self.map(Neg::neg, NegExpand::__expand_neg_method)
    }
}

impl BitAnd for Mask<'_> {
    type Output = Self;

    /// By `select`: CubeCL's own operation branches for each number of a vector in WGSL.
    fn bitand(self, other: Self) -> Self {
        let chosen = |bit, if_true: NativeExpand<bool>, if_false: NativeExpand<bool>, negated| {
            let bit = select::expand(self.scope, bit, if_true, if_false);
            Self {
                bit: Bit::Value { bit, negated },
                ..self
            }
        };
        match (self.bit, other.bit) {
            (Bit::Constant(true), _) | (_, Bit::Constant(false)) => other,
            (_, Bit::Constant(true)) | (Bit::Constant(false), _) => self,
            (
                Bit::Value {
                    bit: a,
                    negated: false,
                },
                Bit::Value {
                    bit: b,
                    negated: false,
                },
            ) => chosen(a, b, false.into(), false),
            (
                Bit::Value {
                    bit: a,
                    negated: true,
                },
                Bit::Value {
                    bit: b,
                    negated: true,
                },
            ) => chosen(a, true.into(), b, true),
            (
                Bit::Value { bit: a, .. },
                Bit::Value {
                    bit: b,
                    negated: true,
                },
            ) => chosen(b, false.into(), a, false),
            (
                Bit::Value {
                    bit: a,
                    negated: true,
                },
                Bit::Value { bit: b, .. },
            ) => chosen(a, false.into(), b, false),
        }
    }
}

impl BitOr for Mask<'_> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        !(!self & !other)
    }
}

impl Not for Mask<'_> {
    type Output = Self;

    fn not(self) -> Self {
        let bit = match self.bit {
            Bit::Constant(bit) => Bit::Constant(!bit),
            Bit::Value { bit, negated } => Bit::Value {
                bit,
                negated: !negated,
            },
        };
        Self { bit, ..self }
    }
}

impl<'s> Elementwise for Recorded<'s> {
    type Mask = Mask<'s>;

    fn lift(&self, value: f64) -> Self {
        Self::constant(self.scope, value)
    }

    fn gt(&self, other: &Self) -> Mask<'s> {
        self.compare(other, PartialOrd::gt, PartialOrdExpand::__expand_gt_method)
    }

    fn ge(&self, other: &Self) -> Mask<'s> {
        self.compare(other, PartialOrd::ge, PartialOrdExpand::__expand_ge_method)
    }

    fn eq(&self, other: &Self) -> Mask<'s> {
        self.compare(other, PartialEq::eq, PartialEqExpand::__expand_eq_method)
    }

    /// By CubeCL, which tests bits where a shading language need not know NaN.
    fn is_nan(&self) -> Mask<'s> {
        let bit = match self.number {
            Constant(value) => Bit::Constant(value.is_nan()),
            Value(value) => Bit::Value {
                bit: value.__expand_is_nan_method(self.scope),
                negated: false,
            },
        };
        Mask {
            scope: self.scope,
            bit,
        }
    }

    fn select(mask: Mask<'s>, if_true: Self, if_false: Self) -> Self {
        let (bit, negated) = match mask.bit {
            Bit::Constant(true) => return if_true,
            Bit::Constant(false) => return if_false,
            Bit::Value { bit, negated } => (bit, negated),
        };
        let (if_true, if_false) = if negated {
            (if_false, if_true)
        } else {
            (if_true, if_false)
        };
        let value = select::expand(mask.scope, bit, if_true.value(), if_false.value());
        if_true.with(Value(value))
    }

    fn max(self, other: Self) -> Self {
        Self::select(self.kept_if_nan(other.replaces_max(&self), other), other, self)
    }

    fn min(self, other: Self) -> Self {
        Self::select(self.kept_if_nan(other.replaces_min(&self), other), other, self)
    }

    fn relu(self) -> Self {
        self.max(self.lift(0.0))
    }

    fn exp(self) -> Self {
        self.map(f64::exp, ExpExpand::__expand_exp_method)
    }

    fn ln(self) -> Self {
        self.map(f64::ln, LogExpand::__expand_ln_method)
    }

    fn sqrt(self) -> Self {
        self.map(f64::sqrt, SqrtExpand::__expand_sqrt_method)
    }

    fn sin(self) -> Self {
        self.map(f64::sin, SinExpand::__expand_sin_method)
    }

    fn cos(self) -> Self {
        self.map(f64::cos, CosExpand::__expand_cos_method)
    }

    fn abs(self) -> Self {
        self.map(f64::abs, AbsExpand::__expand_abs_method)
    }

    /// By its series near zero: the correction of a rounded eˣ would need a logarithm that is exact near 1, and that of many GPUs
    /// is not.
    fn exp_m1(self) -> Self {
        // x · (1 + x/2 + x²/6 + …): the first term that is left out is below 2⁻²⁵ of the first for |x| < ½.
        let factorials = [40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0].map(f64::recip);
        let series = self * self.polynomial(&factorials);
        let near = self.lift(0.5).gt(&self.abs());
        Self::select(near, series, self.exp() - self.lift(1.0))
    }

    /// By its series near zero, as [`exp_m1`](Self::exp_m1).
    fn ln_1p(self) -> Self {
        // 2 · artanh(s) with s = x / (2 + x), |s| < ¼ where |x| < 0.4.
        let s = self / (self + self.lift(2.0));
        let odd = [11.0, 9.0, 7.0, 5.0, 3.0, 1.0].map(|n: f64| 2.0 / n);
        let series = s * (s * s).polynomial(&odd);
        let near = self.lift(0.4).gt(&self.abs());
        Self::select(near, series, (self + self.lift(1.0)).ln())
    }
}
