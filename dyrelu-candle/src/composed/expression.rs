//! [`Expression`]: the arithmetic of a formula on candle's tensors.

use super::{full_like, number};
use candle_core::{DType, Error, Result, Tensor};
use candle_nn::ops::sigmoid;
use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};
use dyrelu_core::Elementwise;
use std::sync::Arc;

/// A number for each element of x, or for all of a channel or sample: a tensor that broadcasts to `[N, C, S]`.
///
/// A formula cannot stop halfway; so the first error stands in the place of all that follow from it.
#[derive(Debug, Clone)]
pub(super) struct Expression(Fallible<Value>);

/// The result of a comparison.
#[derive(Debug, Clone)]
pub(super) struct Mask(Fallible<Choice>);

type Fallible<T> = core::result::Result<T, Arc<Error>>;

/// Constants stay numbers: they need no device, and candle's operations with scalars are cheaper.
#[derive(Debug, Clone)]
enum Value {
    Constant(f64),
    Tensor(Tensor),
}

#[derive(Debug, Clone)]
enum Choice {
    Constant(bool),
    /// 0 or 1 as `u8`, with the float type of what was compared.
    Tensor(Tensor, DType),
}

use Value::Constant;

impl From<&Tensor> for Expression {
    fn from(tensor: &Tensor) -> Self {
        Self(Ok(Value::Tensor(tensor.clone())))
    }
}

impl Expression {
    fn map(self, constant: impl Fn(f64) -> f64, tensor: impl Fn(&Tensor) -> Result<Tensor>) -> Self {
        Self(self.0.and_then(|value| match value {
            Constant(value) => Ok(Constant(constant(value))),
            Value::Tensor(value) => tensor(&value).map(Value::Tensor).map_err(Arc::new),
        }))
    }

    /// Does the same to two numbers, or to a tensor and what may be a number.
    fn combine(
        self,
        other: Self,
        constants: impl Fn(f64, f64) -> f64,
        tensors: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
        scalar: impl Fn(&Tensor, f64) -> Result<Tensor>,
        swapped: impl Fn(f64, &Tensor) -> Result<Tensor>,
    ) -> Self {
        Self(self.0.and_then(|a| {
            let tensor = match (a, other.0?) {
                (Constant(a), Constant(b)) => return Ok(Constant(constants(a, b))),
                (Value::Tensor(a), Value::Tensor(b)) => tensors(&a, &b),
                (Value::Tensor(a), Constant(b)) => scalar(&a, b),
                (Constant(a), Value::Tensor(b)) => swapped(a, &b),
            };
            tensor.map(Value::Tensor).map_err(Arc::new)
        }))
    }

    /// Compares with another one; `swapped` compares a tensor with a number on its other side.
    fn compare(
        &self,
        other: &Self,
        constants: impl Fn(&f64, &f64) -> bool,
        tensors: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
        scalar: impl Fn(&Tensor, f64) -> Result<Tensor>,
        swapped: impl Fn(&Tensor, f64) -> Result<Tensor>,
    ) -> Mask {
        Mask(self.0.clone().and_then(|a| {
            let (mask, dtype) = match (a, other.0.clone()?) {
                (Constant(a), Constant(b)) => return Ok(Choice::Constant(constants(&a, &b))),
                (Value::Tensor(a), Value::Tensor(b)) => (tensors(&a, &b), a.dtype()),
                (Value::Tensor(a), Constant(b)) => (scalar(&a, b), a.dtype()),
                (Constant(a), Value::Tensor(b)) => (swapped(&b, a), b.dtype()),
            };
            mask.map(|mask| Choice::Tensor(mask, dtype)).map_err(Arc::new)
        }))
    }

    /// The tensor `[N, C, S]` of the shape, float type and device of `x`.
    pub(super) fn into_tensor(self, x: &Tensor) -> Result<Tensor> {
        match self.0 {
            Ok(Constant(value)) => full_like(x, value),
            Ok(Value::Tensor(value)) if value.shape() == x.shape() => Ok(value),
            Ok(Value::Tensor(value)) => value.broadcast_as(x.shape())?.contiguous(),
            Err(error) => Err(Arc::try_unwrap(error).unwrap_or_else(Error::wrap)),
        }
    }
}

/// The shape to which some shapes of three axes broadcast.
fn common(tensors: &[&Tensor]) -> [usize; 3] {
    let lens = |axis: usize| tensors.iter().map(move |tensor| tensor.dims()[axis]);
    core::array::from_fn(|axis| lens(axis).find(|&len| len != 1).unwrap_or(1))
}

/// Where the mask holds `if_true`, else `if_false`.
fn choose(mask: &Tensor, if_true: &Value, if_false: &Value, dtype: DType) -> Result<Tensor> {
    let tensor = |value: &Value| match value {
        Constant(value) => number(*value, dtype, mask.device())?.reshape((1, 1, 1)),
        Value::Tensor(tensor) => Ok(tensor.clone()),
    };
    let (if_true, if_false) = (tensor(if_true)?, tensor(if_false)?);
    let shape = common(&[mask, &if_true, &if_false]);
    // Where all three are contiguous candle is some times faster, which is worth a copy.
    let expand = |tensor: &Tensor| tensor.broadcast_as(&shape)?.contiguous();
    expand(mask)?.where_cond(&expand(&if_true)?, &expand(&if_false)?)
}

macro_rules! operator {
    ($trait:ident, $method:ident, $tensors:ident, $scalar:expr, $swapped:expr) => {
        impl $trait for Expression {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.combine(other, f64::$method, Tensor::$tensors, $scalar, $swapped)
            }
        }
    };
}

operator!(Add, add, broadcast_add, |a, b| a.affine(1.0, b), |a, b| b
    .affine(1.0, a));
operator!(Sub, sub, broadcast_sub, |a, b| a.affine(1.0, -b), |a, b| b
    .affine(-1.0, a));
operator!(Mul, mul, broadcast_mul, |a, b| a.affine(b, 0.0), |a, b| b
    .affine(a, 0.0));
operator!(Div, div, broadcast_div, |a, b| a.affine(1.0 / b, 0.0), |a, b| b
    .recip()?
    .affine(a, 0.0));

impl Neg for Expression {
    type Output = Self;

    fn neg(self) -> Self {
        self.map(f64::neg, Tensor::neg)
    }
}

macro_rules! logic {
    ($trait:ident, $method:ident, $tensor:ident) => {
        impl $trait for Mask {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                Self(self.0.and_then(|a| {
                    match (a, other.0?) {
                        (Choice::Constant(a), Choice::Constant(b)) => Ok(Choice::Constant(a.$method(b))),
                        (Choice::Tensor(a, dtype), Choice::Tensor(b, _)) => a
                            .$tensor(&b)
                            .map(|mask| Choice::Tensor(mask, dtype))
                            .map_err(Arc::new),
                        (Choice::Tensor(tensor, dtype), Choice::Constant(constant))
                        | (Choice::Constant(constant), Choice::Tensor(tensor, dtype)) => {
                            Ok(if constant.$method(true) == constant.$method(false) {
                                Choice::Constant(constant)
                            } else {
                                Choice::Tensor(tensor, dtype)
                            })
                        }
                    }
                }))
            }
        }
    };
}

logic!(BitAnd, bitand, broadcast_minimum);
logic!(BitOr, bitor, broadcast_maximum);

impl Not for Mask {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0.and_then(|choice| {
            match choice {
                Choice::Constant(constant) => Ok(Choice::Constant(!constant)),
                Choice::Tensor(mask, dtype) => mask
                    .eq(0_u8)
                    .map(|mask| Choice::Tensor(mask, dtype))
                    .map_err(Arc::new),
            }
        }))
    }
}

/// Functions whose gradient in candle is another one than in the kernels, or NaN where it should not be, are composed of
/// others.
impl Elementwise for Expression {
    type Mask = Mask;

    fn lift(&self, value: f64) -> Self {
        Self(Ok(Constant(value)))
    }

    fn gt(&self, other: &Self) -> Mask {
        self.compare(
            other,
            PartialOrd::gt,
            Tensor::broadcast_gt,
            Tensor::gt,
            Tensor::lt,
        )
    }

    fn ge(&self, other: &Self) -> Mask {
        self.compare(
            other,
            PartialOrd::ge,
            Tensor::broadcast_ge,
            Tensor::ge,
            Tensor::le,
        )
    }

    fn is_nan(&self) -> Mask {
        Mask(self.0.clone().and_then(|value| {
            match value {
                Constant(value) => Ok(Choice::Constant(value.is_nan())),
                Value::Tensor(value) => value
                    .ne(&value)
                    .map(|mask| Choice::Tensor(mask, value.dtype()))
                    .map_err(Arc::new),
            }
        }))
    }

    fn select(mask: Mask, if_true: Self, if_false: Self) -> Self {
        Self(mask.0.and_then(|choice| {
            let (mask, dtype) = match choice {
                Choice::Constant(true) => return if_true.0,
                Choice::Constant(false) => return if_false.0,
                Choice::Tensor(mask, dtype) => (mask, dtype),
            };
            choose(&mask, &if_true.0?, &if_false.0?, dtype)
                .map(Value::Tensor)
                .map_err(Arc::new)
        }))
    }

    fn exp(self) -> Self {
        self.map(f64::exp, Tensor::exp)
    }

    fn ln(self) -> Self {
        self.map(f64::ln, Tensor::log)
    }

    fn sqrt(self) -> Self {
        self.map(f64::sqrt, Tensor::sqrt)
    }

    fn sin(self) -> Self {
        self.map(f64::sin, Tensor::sin)
    }

    fn cos(self) -> Self {
        self.map(f64::cos, Tensor::cos)
    }

    /// x times its sign: the derivative at 0 is 0.
    fn abs(self) -> Self {
        self.map(f64::abs, |x| x * x.sign()?)
    }

    fn recip(self) -> Self {
        self.map(f64::recip, Tensor::recip)
    }

    fn tanh(self) -> Self {
        self.map(f64::tanh, Tensor::tanh)
    }

    fn sigmoid(self) -> Self {
        self.map(Elementwise::sigmoid, sigmoid)
    }

    /// tanh(x/2) · (eˣ + 1), which needs no selection near zero: the gradient of a branch that is not taken may be NaN.
    fn exp_m1(self) -> Self {
        self.map(f64::exp_m1, |x| (x * 0.5)?.tanh()? * (x.exp()? + 1.0)?)
    }

    /// (x + |x|) / 2 + ln(1 + e^−|x|): the derivative at 0 is 1/2.
    fn softplus(self) -> Self {
        let abs = self.clone().abs();
        (self + abs.clone()) * Self(Ok(Constant(0.5))) + (-abs).exp().ln_1p()
    }

    /// The logarithm of u = 1 + x, and what the rounding of u has lost.
    fn ln_1p(self) -> Self {
        self.map(f64::ln_1p, |x| {
            let u = (x + 1.0)?;
            let lost = (x - (&u - 1.0)?)?;
            let lost = u.ge(f64::INFINITY)?.where_cond(&x.zeros_like()?, &lost)?;
            u.log()? + (lost / u)?
        })
    }
}
