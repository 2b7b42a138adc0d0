//! [`Expression`]: the arithmetic of a formula, written down as nodes of a graph.

use crate::proto::data_type;
use crate::recorder::Recorder;
use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};
use dyrelu_core::Elementwise;

/// A number for each element of x, or for all of a channel or sample: a tensor that broadcasts to the shape of x.
#[derive(Debug, Clone)]
pub(crate) enum Expression<'g> {
    /// Constants are computed here, and not in the graph.
    Constant(f64),
    /// A value of the graph.
    Tensor(Tensor<'g>),
}

/// The result of a comparison.
#[derive(Debug, Clone)]
pub(crate) enum Mask<'g> {
    Constant(bool),
    Tensor(Tensor<'g>),
}

/// A value of the graph.
#[derive(Debug, Clone)]
pub(crate) struct Tensor<'g> {
    pub(crate) recorder: &'g Recorder,
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// Along which axes of x a tensor extends: samples, channels and positions.
pub(crate) type Span = [bool; 3];

use Expression::Constant;

impl<'g> Expression<'g> {
    pub(crate) fn new(recorder: &'g Recorder, name: String, span: Span) -> Self {
        Self::Tensor(Tensor { recorder, name, span })
    }

    /// A constant of these values, or of the one value if they are all the same.
    #[expect(
        clippy::float_cmp,
        reason = "values that are nearly the same are not the same"
    )]
    pub(crate) fn constants(recorder: &'g Recorder, dims: &[usize], values: &[f64]) -> Self {
        match values {
            [first, others @ ..] if others.iter().all(|other| other == first) => Constant(*first),
            _ => Self::new(recorder, recorder.constants(dims, values), [false; 3]),
        }
    }

    /// The name of a value of the shape of x.
    pub(crate) fn into_value(self, recorder: &'g Recorder) -> String {
        let name = match self {
            Self::Tensor(Tensor {
                name,
                span: [true, true, true],
                ..
            }) => return name,
            Self::Tensor(Tensor { name, .. }) => name,
            Constant(value) => recorder.number(value),
        };
        let shape = recorder.node("shape", "Shape", &["x"], Vec::new());
        recorder.node("expand", "Expand", &[&name, &shape], Vec::new())
    }

    fn map(self, constant: impl Fn(f64) -> f64, operator: &str) -> Self {
        match self {
            Constant(value) => Constant(constant(value)),
            tensor @ Self::Tensor(_) => Self::Tensor(apply(operator, &[tensor])),
        }
    }

    fn combine(self, other: Self, constants: impl Fn(f64, f64) -> f64, operator: &str) -> Self {
        match (self, other) {
            (Constant(a), Constant(b)) => Constant(constants(a, b)),
            (a, b) => Self::Tensor(apply(operator, &[a, b])),
        }
    }

    fn compare(&self, other: &Self, constants: impl Fn(&f64, &f64) -> bool, operator: &str) -> Mask<'g> {
        match (self, other) {
            (Constant(a), Constant(b)) => Mask::Constant(constants(a, b)),
            (a, b) => Mask::Tensor(apply(operator, &[a.clone(), b.clone()])),
        }
    }

    /// The largest or smallest of several: one node, also for more than two.
    fn extreme(self, other: Self, constants: impl Fn(f64, f64) -> f64, operator: &str) -> Self {
        let Self::Tensor(first) = &self else {
            return self.combine(other, constants, operator);
        };
        let Some(mut inputs) = first.recorder.inputs(&first.name, operator) else {
            return self.combine(other, constants, operator);
        };
        let recorder = first.recorder;
        inputs.push(other.name(recorder));
        let span = union(first.span, other.span());
        let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
        let name = recorder.node(&operator.to_lowercase(), operator, &inputs, Vec::new());
        Self::new(recorder, name, span)
    }

    pub(crate) fn name(&self, recorder: &Recorder) -> String {
        match self {
            Constant(value) => recorder.number(*value),
            Self::Tensor(tensor) => tensor.name.clone(),
        }
    }

    fn span(&self) -> Span {
        match self {
            Constant(_) => [false; 3],
            Self::Tensor(tensor) => tensor.span,
        }
    }
}

/// What is computed from a tensor and others that broadcast with it.
///
/// # Panics
///
/// When all operands are constants.
fn apply<'g>(operator: &str, operands: &[Expression<'g>]) -> Tensor<'g> {
    let recorder = operands.iter().find_map(|operand| match operand {
        Expression::Tensor(tensor) => Some(tensor.recorder),
        Constant(_) => None,
    });
    let recorder = recorder.expect("constants are computed without a node");
    let inputs: Vec<_> = operands.iter().map(|operand| operand.name(recorder)).collect();
    let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
    Tensor {
        recorder,
        name: recorder.node(&operator.to_lowercase(), operator, &inputs, Vec::new()),
        span: operands.iter().map(Expression::span).fold([false; 3], union),
    }
}

fn union(a: Span, b: Span) -> Span {
    core::array::from_fn(|axis| a[axis] || b[axis])
}

impl<'g> Tensor<'g> {
    /// min(self, high) as one node, if self is max(x, low).
    fn clip(&self, high: f64) -> Option<Expression<'g>> {
        let recorder = self.recorder;
        let (x, low) = match recorder
            .inputs(&self.name, "Relu")
            .or(recorder.inputs(&self.name, "Max"))?
            .as_slice()
        {
            [x] => (x.clone(), recorder.number(0.0)),
            [x, low] if recorder.is_number(low) => (x.clone(), low.clone()),
            _ => return None,
        };
        let inputs = [x, low, recorder.number(high)];
        let name = recorder.node("clip", "Clip", &inputs.each_ref().map(String::as_str), Vec::new());
        Some(Expression::new(recorder, name, self.span))
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $nothing_to_do:pat => $kept:ident) => {
        impl $trait for Expression<'_> {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                match (self, other) {
                    $nothing_to_do => $kept,
                    (a, b) => a.combine(b, f64::$method, stringify!($trait)),
                }
            }
        }
    };
}

operator!(Add, add, (a, Constant(0.0)) | (Constant(0.0), a) => a);
operator!(Sub, sub, (a, Constant(0.0)) => a);
operator!(Mul, mul, (a, Constant(1.0)) | (Constant(1.0), a) => a);
operator!(Div, div, (a, Constant(1.0)) => a);

impl Neg for Expression<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        self.map(f64::neg, "Neg")
    }
}

impl Mask<'_> {
    fn combine(self, other: Self, constants: impl Fn(bool, bool) -> bool, operator: &str) -> Self {
        match (self, other) {
            (Self::Constant(a), Self::Constant(b)) => Self::Constant(constants(a, b)),
            (Self::Tensor(a), Self::Tensor(b)) => Self::Tensor(apply(operator, &[a.into(), b.into()])),
            (Self::Tensor(tensor), Self::Constant(constant))
            | (Self::Constant(constant), Self::Tensor(tensor)) => {
                if constants(constant, true) == constants(constant, false) {
                    Self::Constant(constant)
                } else {
                    Self::Tensor(tensor)
                }
            }
        }
    }
}

impl<'g> From<Tensor<'g>> for Expression<'g> {
    fn from(tensor: Tensor<'g>) -> Self {
        Self::Tensor(tensor)
    }
}

impl BitAnd for Mask<'_> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.combine(other, bool::bitand, "And")
    }
}

impl BitOr for Mask<'_> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.combine(other, bool::bitor, "Or")
    }
}

impl Not for Mask<'_> {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Constant(constant) => Self::Constant(!constant),
            Self::Tensor(tensor) => Self::Tensor(apply("Not", &[tensor.into()])),
        }
    }
}

/// Functions that ONNX has are one node; `ln_1p` and `powi` are composed as everywhere.
impl<'g> Elementwise for Expression<'g> {
    type Mask = Mask<'g>;

    fn lift(&self, value: f64) -> Self {
        Constant(value)
    }

    fn gt(&self, other: &Self) -> Mask<'g> {
        self.compare(other, PartialOrd::gt, "Greater")
    }

    fn ge(&self, other: &Self) -> Mask<'g> {
        self.compare(other, PartialOrd::ge, "GreaterOrEqual")
    }

    fn lt(&self, other: &Self) -> Mask<'g> {
        self.compare(other, PartialOrd::lt, "Less")
    }

    fn le(&self, other: &Self) -> Mask<'g> {
        self.compare(other, PartialOrd::le, "LessOrEqual")
    }

    fn eq(&self, other: &Self) -> Mask<'g> {
        self.compare(other, PartialEq::eq, "Equal")
    }

    fn is_nan(&self) -> Mask<'g> {
        match self {
            Constant(value) => Mask::Constant(value.is_nan()),
            tensor @ Self::Tensor(_) => Mask::Tensor(apply("IsNaN", core::slice::from_ref(tensor))),
        }
    }

    fn select(mask: Mask<'g>, if_true: Self, if_false: Self) -> Self {
        match mask {
            Mask::Constant(true) => if_true,
            Mask::Constant(false) => if_false,
            Mask::Tensor(mask) => Self::Tensor(apply("Where", &[mask.into(), if_true, if_false])),
        }
    }

    fn max(self, other: Self) -> Self {
        match (self, other) {
            (tensor @ Self::Tensor(_), Constant(0.0)) | (Constant(0.0), tensor @ Self::Tensor(_)) => {
                tensor.relu()
            }
            (constant @ Constant(_), tensor) => tensor.extreme(constant, Elementwise::max, "Max"),
            (a, b) => a.extreme(b, Elementwise::max, "Max"),
        }
    }

    fn min(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Tensor(tensor), Constant(limit)) | (Constant(limit), Self::Tensor(tensor)) => tensor
                .clip(*limit)
                .unwrap_or_else(|| self.extreme(other, Elementwise::min, "Min")),
            _ => self.extreme(other, Elementwise::min, "Min"),
        }
    }

    /// tanh(x/2) · (eˣ + 1), which is accurate near zero.
    fn exp_m1(self) -> Self {
        match self {
            Constant(value) => Constant(value.exp_m1()),
            x @ Self::Tensor(_) => (x.clone() * Constant(0.5)).tanh() * (x.exp() + Constant(1.0)),
        }
    }

    fn exp(self) -> Self {
        self.map(f64::exp, "Exp")
    }

    fn ln(self) -> Self {
        self.map(f64::ln, "Log")
    }

    fn sqrt(self) -> Self {
        self.map(f64::sqrt, "Sqrt")
    }

    fn sin(self) -> Self {
        self.map(f64::sin, "Sin")
    }

    fn cos(self) -> Self {
        self.map(f64::cos, "Cos")
    }

    fn abs(self) -> Self {
        self.map(f64::abs, "Abs")
    }

    fn sign(self) -> Self {
        self.map(Elementwise::sign, "Sign")
    }

    fn recip(self) -> Self {
        self.map(f64::recip, "Reciprocal")
    }

    fn relu(self) -> Self {
        self.map(Elementwise::relu, "Relu")
    }

    fn tanh(self) -> Self {
        self.map(f64::tanh, "Tanh")
    }

    fn sigmoid(self) -> Self {
        self.map(Elementwise::sigmoid, "Sigmoid")
    }

    fn softplus(self) -> Self {
        match self {
            // ONNX Runtime has no Softplus of double precision.
            Self::Tensor(Tensor { recorder, .. }) if recorder.data_type == data_type::DOUBLE => {
                self.clone().relu() + (-self.abs()).exp().ln_1p()
            }
            other => other.map(Elementwise::softplus, "Softplus"),
        }
    }
}
