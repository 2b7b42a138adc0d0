//! [`evaluate`]: an expression's value in `f64`.

use super::expr::{Comparison, ExprId, Expressions, Node, NodeId};
use super::function::Form;

/// The value of `root` where the parameters are `parameters`.
pub(crate) fn evaluate(e: &Expressions, root: ExprId, parameters: &[f64]) -> f64 {
    let mut values = Values {
        numbers: vec![f64::NAN; e.len()],
        truths: vec![false; e.len()],
    };
    for id in e.reachable(&[root]) {
        values.compute(id, e.node(id), parameters);
    }
    values.number(root)
}

struct Values {
    numbers: Vec<f64>,
    truths: Vec<bool>,
}

impl Values {
    fn number(&self, id: impl Into<NodeId>) -> f64 {
        self.numbers[id.into().index()]
    }

    fn truth(&self, id: impl Into<NodeId>) -> bool {
        self.truths[id.into().index()]
    }

    fn compute(&mut self, id: NodeId, node: Node, parameters: &[f64]) {
        match node {
            Node::Compare(comparison, u, v) => {
                self.truths[id.index()] = comparison.holds(self.number(u), self.number(v));
            }
            Node::And(c, d) => self.truths[id.index()] = self.truth(c) && self.truth(d),
            Node::Or(c, d) => self.truths[id.index()] = self.truth(c) || self.truth(d),
            Node::Not(c) => self.truths[id.index()] = !self.truth(c),
            _ => self.numbers[id.index()] = self.arithmetic(node, parameters),
        }
    }

    fn arithmetic(&self, node: Node, parameters: &[f64]) -> f64 {
        match node {
            Node::Constant(constant) => constant.value(),
            Node::Parameter(position) => parameters[position],
            Node::Neg(u) => -self.number(u),
            Node::Add(u, v) => self.number(u) + self.number(v),
            Node::Sub(u, v) => self.number(u) - self.number(v),
            Node::Mul(u, v) => self.number(u) * self.number(v),
            Node::Div(u, v) => self.number(u) / self.number(v),
            Node::Power(u, n) => self.number(u).powi(n),
            Node::Unary(function, u) => match function.form {
                Form::Unary { evaluate, .. } => evaluate(self.number(u)),
                _ => unreachable!("`{}` is not unary", function.name),
            },
            Node::Binary(function, u, v) => match function.form {
                Form::Binary { evaluate, .. } => evaluate(self.number(u), self.number(v)),
                _ => unreachable!("`{}` is not binary", function.name),
            },
            Node::If(condition, u, v) => self.number(if self.truth(condition) { u } else { v }),
            Node::Compare(..) | Node::And(..) | Node::Or(..) | Node::Not(_) => {
                unreachable!("conditions are computed apart")
            }
        }
    }
}

impl Comparison {
    /// Whether the comparison holds between two numbers.
    #[expect(clippy::float_cmp, reason = "this is the comparison that the user asked for")]
    pub(super) fn holds(self, u: f64, v: f64) -> bool {
        match self {
            Self::Lt => u < v,
            Self::Le => u <= v,
            Self::Gt => u > v,
            Self::Ge => u >= v,
            Self::Eq => u == v,
            Self::Ne => u != v,
        }
    }
}
