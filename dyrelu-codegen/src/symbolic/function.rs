//! [`FUNCTIONS`]: every function that a piece may call.
//!
//! To add a function, add a row, and a method of the same name to `dyrelu_core::Elementwise` unless the row is
//! [`Form::Derived`]. Parser, derivative, simplifier, homogeneity, docs and tests follow from the row.

use std::hash::{Hash, Hasher};

use super::expr::{Comparison, ExprId, Expressions};

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Function {
    /// The name in a piece, which is also that of the method of `Elementwise`.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) scaling: Scaling,
}

/// What a function takes, how to evaluate it and how to differentiate it.
#[derive(Debug)]
pub(crate) enum Form {
    /// `f(u)`.
    Unary {
        evaluate: fn(f64) -> f64,
        derivative: UnaryRule,
    },
    /// `f(u, v)`.
    Binary {
        evaluate: fn(f64, f64) -> f64,
        derivative: BinaryRule,
    },
    /// `powi(u, n)`, whose second argument is part of the node.
    Power,
    /// A function that is defined by others, such as tan = sin / cos.
    Derived {
        arity: usize,
        definition: fn(&mut Expressions, &[ExprId]) -> ExprId,
    },
}

/// d f(u) from u, f(u) and du; `None` if it is zero everywhere.
type UnaryRule = fn(&mut Expressions, Applied) -> Option<ExprId>;

/// d f(u, v) from \[u, v\] and \[du, dv\].
type BinaryRule = fn(&mut Expressions, [ExprId; 2], [ExprId; 2]) -> ExprId;

/// A function at work: what a rule may build the derivative of f(u) from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applied {
    /// The argument u.
    pub(crate) u: ExprId,
    /// The value f(u).
    pub(crate) value: ExprId,
    /// The derivative of the argument.
    pub(crate) du: ExprId,
}

/// What f does to the degree of homogeneity of its arguments, see [`super::homogeneity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// f(π·u) = π·f(u) for π ≥ 0, such as |u|.
    Homogeneous,
    /// f(π·u) = f(u) for π > 0, such as the sign.
    Invariant,
    /// Neither.
    None,
}

impl Function {
    /// The number of arguments.
    pub(crate) fn arity(&self) -> usize {
        match self.form {
            Form::Unary { .. } => 1,
            Form::Binary { .. } | Form::Power => 2,
            Form::Derived { arity, .. } => arity,
        }
    }
}

/// Functions are rows of one table, so the name identifies them.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Expressions {
    /// `function(arguments)`. A power is made by [`power`](Self::power), as its exponent is no expression.
    pub(crate) fn apply(&mut self, function: &'static Function, arguments: &[ExprId]) -> ExprId {
        match (&function.form, arguments) {
            (Form::Unary { .. }, &[u]) => self.unary(function, u),
            (Form::Binary { .. }, &[u, v]) => self.binary(function, u, v),
            (Form::Derived { definition, .. }, _) => definition(self, arguments),
            _ => unreachable!(
                "`{}` does not take {} expressions",
                function.name,
                arguments.len()
            ),
        }
    }
}

/// The row called `name`.
pub(crate) fn find_function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The row called `name`, which must exist.
fn function(name: &str) -> &'static Function {
    find_function(name).expect("the table calls its own functions only")
}

const fn unary(name: &'static str, evaluate: fn(f64) -> f64, derivative: UnaryRule) -> Function {
    Function {
        name,
        form: Form::Unary { evaluate, derivative },
        scaling: Scaling::None,
    }
}

const fn derived(
    name: &'static str,
    arity: usize,
    definition: fn(&mut Expressions, &[ExprId]) -> ExprId,
) -> Function {
    Function {
        name,
        form: Form::Derived { arity, definition },
        scaling: Scaling::None,
    }
}

impl Function {
    const fn scaling(self, scaling: Scaling) -> Self {
        Self { scaling, ..self }
    }
}

/// All functions, in the order in which messages and docs list them.
pub(crate) static FUNCTIONS: [Function; 19] = [
    // (eᵘ)' = eᵘ · u'
    unary("exp", f64::exp, |e, f| Some(e.mul(f.value, f.du))),
    // (eᵘ − 1)' = eᵘ · u'
    unary("exp_m1", f64::exp_m1, |e, f| {
        let exp = e.unary(function("exp"), f.u);
        Some(e.mul(exp, f.du))
    }),
    // (ln u)' = u' / u
    unary("ln", f64::ln, |e, f| Some(e.div(f.du, f.u))),
    // (ln (1 + u))' = u' / (1 + u)
    unary("ln_1p", f64::ln_1p, |e, f| {
        let one = e.constant(1.0);
        let shifted = e.add(one, f.u);
        Some(e.div(f.du, shifted))
    }),
    // (√u)' = ½ / √u · u'
    unary("sqrt", f64::sqrt, |e, f| {
        let half = e.constant(0.5);
        let outer = e.div(half, f.value);
        Some(e.mul(outer, f.du))
    }),
    // (sin u)' = cos u · u'
    unary("sin", f64::sin, |e, f| {
        let cos = e.unary(function("cos"), f.u);
        Some(e.mul(cos, f.du))
    }),
    // (cos u)' = −sin u · u'
    unary("cos", f64::cos, |e, f| {
        let sin = e.unary(function("sin"), f.u);
        let outer = e.neg(sin);
        Some(e.mul(outer, f.du))
    }),
    // tan u = sin u / cos u
    derived("tan", 1, |e, arguments| {
        let sin = e.unary(function("sin"), arguments[0]);
        let cos = e.unary(function("cos"), arguments[0]);
        e.div(sin, cos)
    }),
    // (tanh u)' = (1 − tanh² u) · u'
    unary("tanh", f64::tanh, |e, f| {
        let one = e.constant(1.0);
        let square = e.mul(f.value, f.value);
        let outer = e.sub(one, square);
        Some(e.mul(outer, f.du))
    }),
    // σ(u)' = σ(u) (1 − σ(u)) · u'
    unary("sigmoid", sigmoid, |e, f| {
        let one = e.constant(1.0);
        let rest = e.sub(one, f.value);
        let outer = e.mul(f.value, rest);
        Some(e.mul(outer, f.du))
    }),
    // (ln (1 + eᵘ))' = σ(u) · u'
    unary("softplus", softplus, |e, f| {
        let outer = e.unary(function("sigmoid"), f.u);
        Some(e.mul(outer, f.du))
    }),
    // |u|' = sign u · u', so 0 at 0
    unary("abs", f64::abs, |e, f| {
        let outer = e.unary(function("sign"), f.u);
        Some(e.mul(outer, f.du))
    })
    .scaling(Scaling::Homogeneous),
    // (sign u)' = 0, also at the jump
    unary("sign", sign, |_, _| None).scaling(Scaling::Invariant),
    // (1/u)' = −(1/u)² · u'
    unary("recip", f64::recip, |e, f| {
        let square = e.mul(f.value, f.value);
        let outer = e.neg(square);
        Some(e.mul(outer, f.du))
    }),
    // (uⁿ)' = n · uⁿ⁻¹ · u', in `diff`
    Function {
        name: "powi",
        form: Form::Power,
        scaling: Scaling::None,
    },
    // max(u, v)' = v' where v > u, else u': the first of equal arguments wins
    Function {
        name: "max",
        form: Form::Binary {
            evaluate: |u, v| if v > u || v.is_nan() { v } else { u },
            derivative: |e, [u, v], [du, dv]| {
                let second = e.compare(Comparison::Gt, v, u);
                e.select(second, dv, du)
            },
        },
        scaling: Scaling::Homogeneous,
    },
    // min(u, v)' = v' where v < u, else u'
    Function {
        name: "min",
        form: Form::Binary {
            evaluate: |u, v| if v < u || v.is_nan() { v } else { u },
            derivative: |e, [u, v], [du, dv]| {
                let second = e.compare(Comparison::Lt, v, u);
                e.select(second, dv, du)
            },
        },
        scaling: Scaling::Homogeneous,
    },
    // relu(u)' = u' where u > 0, else 0. Not a product with 1 or 0, so that an infinite u' cannot make NaN.
    unary(
        "relu",
        |u| if u <= 0.0 { 0.0 } else { u },
        |e, f| {
            let zero = e.constant(0.0);
            let positive = e.compare(Comparison::Gt, f.u, zero);
            Some(e.select(positive, f.du, zero))
        },
    )
    .scaling(Scaling::Homogeneous),
    // clamp(u, low, high) = min(max(u, low), high)
    derived("clamp", 3, |e, arguments| {
        let raised = e.binary(function("max"), arguments[0], arguments[1]);
        e.binary(function("min"), raised, arguments[2])
    }),
];

fn sigmoid(u: f64) -> f64 {
    1.0 / (1.0 + (-u).exp())
}

fn softplus(u: f64) -> f64 {
    u.max(0.0) + (-u.abs()).exp().ln_1p()
}

/// Unlike [`f64::signum`], zero at zero.
fn sign(u: f64) -> f64 {
    if u > 0.0 {
        1.0
    } else if u < 0.0 {
        -1.0
    } else {
        u
    }
}
