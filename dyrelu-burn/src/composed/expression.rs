//! [`Expression`]: the arithmetic of a formula on Burn's tensors.

use burn::tensor::{Bool, DType, Tensor, activation};
use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};
use dyrelu_core::Elementwise;

/// A number for each element of x, or for all of a channel or sample: a tensor that broadcasts to `[N, C, S]`.
///
/// Constants stay numbers: they need no device, and Burn's operations with scalars are cheaper.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "a tensor is large with some backends; most are tensors, and live for one operation"
)]
pub(super) enum Expression {
    Constant(f64),
    Tensor(Tensor<3>),
}

/// The result of a comparison.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "a tensor is large with some backends; most are tensors, and live for one operation"
)]
pub(super) enum Mask {
    Constant(bool),
    /// With the float type of what was compared.
    Tensor(Tensor<3, Bool>, DType),
}

use Expression::Constant;

impl Expression {
    fn map(self, constant: impl Fn(f64) -> f64, tensor: impl Fn(Tensor<3>) -> Tensor<3>) -> Self {
        match self {
            Constant(value) => Constant(constant(value)),
            Self::Tensor(value) => Self::Tensor(tensor(value)),
        }
    }

    /// Compares with another one; `swapped` compares a number with a tensor.
    fn compare(
        &self,
        other: &Self,
        constants: impl Fn(&f64, &f64) -> bool,
        tensors: impl Fn(Tensor<3>, Tensor<3>) -> Tensor<3, Bool>,
        scalar: impl Fn(Tensor<3>, f64) -> Tensor<3, Bool>,
        swapped: impl Fn(Tensor<3>, f64) -> Tensor<3, Bool>,
    ) -> Mask {
        let (mask, dtype) = match (self, other) {
            (Constant(a), Constant(b)) => return Mask::Constant(constants(a, b)),
            (Self::Tensor(a), Self::Tensor(b)) => {
                let shape = common(a.dims(), b.dims());
                (
                    tensors(expand(a.clone(), shape), expand(b.clone(), shape)),
                    a.dtype(),
                )
            }
            (Self::Tensor(a), Constant(b)) => (scalar(a.clone(), *b), a.dtype()),
            (Constant(a), Self::Tensor(b)) => (swapped(b.clone(), *a), b.dtype()),
        };
        Mask::Tensor(mask, dtype)
    }

    /// The tensor `[N, C, S]` of the shape, float type and device of `x`.
    pub(super) fn into_tensor(self, x: &Tensor<3>) -> Tensor<3> {
        match self {
            Constant(value) => x.full_like(value),
            Self::Tensor(value) => expand(value, x.dims()),
        }
    }
}

/// The shape to which two shapes broadcast.
fn common(a: [usize; 3], b: [usize; 3]) -> [usize; 3] {
    core::array::from_fn(|axis| if a[axis] == 1 { b[axis] } else { a[axis] })
}

fn expand(tensor: Tensor<3>, shape: [usize; 3]) -> Tensor<3> {
    if tensor.dims() == shape {
        tensor
    } else {
        tensor.expand(shape)
    }
}

fn expand_mask(mask: Tensor<3, Bool>, shape: [usize; 3]) -> Tensor<3, Bool> {
    if mask.dims() == shape {
        mask
    } else {
        mask.expand(shape)
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, |$a:ident, $b:ident| $scalar:expr, |$c:ident, $d:ident| $swapped:expr) => {
        impl $trait for Expression {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                match (self, other) {
                    (Constant(a), Constant(b)) => Constant(a.$method(b)),
                    (Self::Tensor(a), Self::Tensor(b)) => Self::Tensor(a.$method(b)),
                    (Self::Tensor($a), Constant($b)) => Self::Tensor($scalar),
                    (Constant($c), Self::Tensor($d)) => Self::Tensor($swapped),
                }
            }
        }
    };
}

operator!(Add, add, |a, b| a.add_scalar(b), |a, b| b.add_scalar(a));
operator!(Sub, sub, |a, b| a.sub_scalar(b), |a, b| b.neg().add_scalar(a));
operator!(Mul, mul, |a, b| a.mul_scalar(b), |a, b| b.mul_scalar(a));
operator!(Div, div, |a, b| a.mul_scalar(1.0 / b), |a, b| b
    .recip()
    .mul_scalar(a));

impl Neg for Expression {
    type Output = Self;

    fn neg(self) -> Self {
        self.map(Neg::neg, Tensor::neg)
    }
}

macro_rules! logic {
    ($trait:ident, $method:ident, $tensor:ident) => {
        impl $trait for Mask {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                match (self, other) {
                    (Self::Constant(a), Self::Constant(b)) => Self::Constant(a.$method(b)),
                    (Self::Tensor(a, dtype), Self::Tensor(b, _)) => {
                        let shape = common(a.dims(), b.dims());
                        Self::Tensor(expand_mask(a, shape).$tensor(expand_mask(b, shape)), dtype)
                    }
                    (Self::Tensor(tensor, dtype), Self::Constant(constant))
                    | (Self::Constant(constant), Self::Tensor(tensor, dtype)) => {
                        if constant.$method(true) == constant.$method(false) {
                            Self::Constant(constant)
                        } else {
                            Self::Tensor(tensor, dtype)
                        }
                    }
                }
            }
        }
    };
}

logic!(BitAnd, bitand, bool_and);
logic!(BitOr, bitor, bool_or);

impl Not for Mask {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Constant(constant) => Self::Constant(!constant),
            Self::Tensor(mask, dtype) => Self::Tensor(mask.bool_not(), dtype),
        }
    }
}

impl Elementwise for Expression {
    type Mask = Mask;

    fn lift(&self, value: f64) -> Self {
        Constant(value)
    }

    fn gt(&self, other: &Self) -> Mask {
        self.compare(
            other,
            PartialOrd::gt,
            Tensor::greater,
            Tensor::greater_elem,
            Tensor::lower_elem,
        )
    }

    fn ge(&self, other: &Self) -> Mask {
        self.compare(
            other,
            PartialOrd::ge,
            Tensor::greater_equal,
            Tensor::greater_equal_elem,
            Tensor::lower_equal_elem,
        )
    }

    fn is_nan(&self) -> Mask {
        match self {
            Constant(value) => Mask::Constant(value.is_nan()),
            Self::Tensor(value) => Mask::Tensor(value.clone().is_nan(), value.dtype()),
        }
    }

    fn select(mask: Mask, if_true: Self, if_false: Self) -> Self {
        let (mask, dtype) = match mask {
            Mask::Constant(true) => return if_true,
            Mask::Constant(false) => return if_false,
            Mask::Tensor(mask, dtype) => (mask, dtype),
        };
        let dims = |expression: &Self| match expression {
            Constant(_) => [1; 3],
            Self::Tensor(tensor) => tensor.dims(),
        };
        let shape = common(common(dims(&if_true), dims(&if_false)), mask.dims());
        let mask = expand_mask(mask, shape);
        Self::Tensor(match (if_true, if_false) {
            (Self::Tensor(a), Self::Tensor(b)) => expand(b, shape).mask_where(mask, expand(a, shape)),
            (Constant(a), Self::Tensor(b)) => expand(b, shape).mask_fill(mask, a),
            (Self::Tensor(a), Constant(b)) => expand(a, shape).mask_fill(mask.bool_not(), b),
            (Constant(a), Constant(b)) => Tensor::full(shape, b, (&mask.device(), dtype)).mask_fill(mask, a),
        })
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

    /// Not by comparison: the derivative at 0 is 0.
    fn abs(self) -> Self {
        self.map(f64::abs, Tensor::abs)
    }

    fn recip(self) -> Self {
        self.map(f64::recip, Tensor::recip)
    }

    /// (eˣ + 1) · tanh(x / 2), as the correction of the rounding of eˣ has no derivative at 0.
    fn exp_m1(self) -> Self {
        self.map(f64::exp_m1, |x| {
            x.clone().mul_scalar(0.5).tanh() * x.exp().add_scalar(1.0)
        })
    }

    /// With (x + |x|) / 2 for max(x, 0): the derivative at 0 is ½.
    fn softplus(self) -> Self {
        let abs = self.clone().abs();
        (self + abs.clone()) * Constant(0.5) + (-abs).exp().ln_1p()
    }

    fn ln_1p(self) -> Self {
        self.map(f64::ln_1p, Tensor::log1p)
    }

    fn tanh(self) -> Self {
        self.map(f64::tanh, Tensor::tanh)
    }

    fn sigmoid(self) -> Self {
        self.map(Elementwise::sigmoid, activation::sigmoid)
    }
}
