//! The constructors of [`Expressions`], which simplify what they make.
//!
//! A rule is here only if it keeps the value at every point where the original is finite. So `u − u`, `u / u`
//! and `0 · u` stay: they would hide an infinity or a NaN of `u`. (A derivative's terms that are zero whatever
//! the parameters are never made in the first place, see [`super::diff`].)

use super::expr::{Comparison, CondId, ExprId, Expressions, Node};
use super::function::{Form, Function};

impl Expressions {
    /// −u.
    pub(crate) fn neg(&mut self, u: ExprId) -> ExprId {
        match self.node(u) {
            Node::Constant(constant) => self.constant(-constant.value()),
            Node::Neg(inner) => inner,
            _ => self.expr(Node::Neg(u)),
        }
    }

    /// u + v.
    pub(crate) fn add(&mut self, u: ExprId, v: ExprId) -> ExprId {
        match (self.node(u), self.node(v)) {
            _ if self.is(u, 0.0) => v,
            _ if self.is(v, 0.0) => u,
            (_, Node::Neg(v)) => self.sub(u, v),
            (Node::Neg(u), _) => self.sub(v, u),
            _ => self.fold([u, v], |[u, v]| u + v, Node::Add(u, v)),
        }
    }

    /// u − v.
    pub(crate) fn sub(&mut self, u: ExprId, v: ExprId) -> ExprId {
        match self.node(v) {
            _ if self.is(v, 0.0) => u,
            _ if self.is(u, 0.0) => self.neg(v),
            Node::Neg(v) => self.add(u, v),
            _ => self.fold([u, v], |[u, v]| u - v, Node::Sub(u, v)),
        }
    }

    /// u · v.
    pub(crate) fn mul(&mut self, u: ExprId, v: ExprId) -> ExprId {
        match (self.node(u), self.node(v)) {
            _ if self.is(u, 1.0) => v,
            _ if self.is(v, 1.0) => u,
            _ if self.is(u, -1.0) => self.neg(v),
            _ if self.is(v, -1.0) => self.neg(u),
            (Node::Neg(u), _) => {
                let product = self.mul(u, v);
                self.neg(product)
            }
            (_, Node::Neg(v)) => {
                let product = self.mul(u, v);
                self.neg(product)
            }
            _ => self.fold([u, v], |[u, v]| u * v, Node::Mul(u, v)),
        }
    }

    /// u / v.
    pub(crate) fn div(&mut self, u: ExprId, v: ExprId) -> ExprId {
        match (self.node(u), self.node(v)) {
            _ if self.is(v, 1.0) => u,
            _ if self.is(v, -1.0) => self.neg(u),
            (Node::Neg(u), _) => {
                let quotient = self.div(u, v);
                self.neg(quotient)
            }
            (_, Node::Neg(v)) => {
                let quotient = self.div(u, v);
                self.neg(quotient)
            }
            _ => self.fold([u, v], |[u, v]| u / v, Node::Div(u, v)),
        }
    }

    /// uⁿ.
    pub(crate) fn power(&mut self, u: ExprId, n: i32) -> ExprId {
        match n {
            0 => self.constant(1.0),
            1 => u,
            _ => self.fold([u], |[u]| u.powi(n), Node::Power(u, n)),
        }
    }

    /// `function(u)` for a function of [`Form::Unary`].
    pub(crate) fn unary(&mut self, function: &'static Function, u: ExprId) -> ExprId {
        let Form::Unary { evaluate, .. } = function.form else {
            unreachable!("`{}` does not take one argument", function.name)
        };
        self.fold([u], |[u]| evaluate(u), Node::Unary(function, u))
    }

    /// `function(u, v)` for a function of [`Form::Binary`].
    pub(crate) fn binary(&mut self, function: &'static Function, u: ExprId, v: ExprId) -> ExprId {
        let Form::Binary { evaluate, .. } = function.form else {
            unreachable!("`{}` does not take two arguments", function.name)
        };
        self.fold([u, v], |[u, v]| evaluate(u, v), Node::Binary(function, u, v))
    }

    /// `if condition { u } else { v }`.
    pub(crate) fn select(&mut self, condition: CondId, u: ExprId, v: ExprId) -> ExprId {
        if u == v {
            u
        } else {
            self.expr(Node::If(condition, u, v))
        }
    }

    /// `u comparison v`.
    pub(crate) fn compare(&mut self, comparison: Comparison, u: ExprId, v: ExprId) -> CondId {
        self.cond(Node::Compare(comparison, u, v))
    }

    /// Both conditions.
    pub(crate) fn and(&mut self, c: CondId, d: CondId) -> CondId {
        if c == d { c } else { self.cond(Node::And(c, d)) }
    }

    /// One condition or both.
    pub(crate) fn or(&mut self, c: CondId, d: CondId) -> CondId {
        if c == d { c } else { self.cond(Node::Or(c, d)) }
    }

    /// Not the condition.
    ///
    /// A comparison is not turned round: `!(u < v)` holds for NaN, `u >= v` does not.
    pub(crate) fn not(&mut self, c: CondId) -> CondId {
        match self.node(c) {
            Node::Not(inner) => inner,
            _ => self.cond(Node::Not(c)),
        }
    }

    /// Whether `u` is the constant `value`; the sign of a zero does not count.
    fn is(&self, u: ExprId, value: f64) -> bool {
        self.constant_value(u).is_some_and(|u| (u - value).abs() == 0.0)
    }

    /// The constant `compute(operands)` if all operands are constants and the result is finite, else `node`.
    fn fold<const N: usize>(
        &mut self,
        operands: [ExprId; N],
        compute: impl FnOnce([f64; N]) -> f64,
        node: Node,
    ) -> ExprId {
        let constants = operands.map(|operand| self.constant_value(operand));
        if constants.iter().all(Option::is_some) {
            let result = compute(constants.map(Option::unwrap_or_default));
            if result.is_finite() {
                return self.constant(result);
            }
        }
        self.expr(node)
    }
}
