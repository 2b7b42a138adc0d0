//! [`Substitution`]: the same expressions with numbers in place of some parameters.

use super::expr::{CondId, ExprId, Expressions, Node, NodeId};

/// The nodes that stand for others once some parameters are numbers.
pub(crate) struct Substitution {
    expressions: Vec<Option<ExprId>>,
    conditions: Vec<Option<CondId>>,
}

impl Substitution {
    /// Puts `constant(position)` in place of each parameter that has one, in all nodes that `roots` are made of. The
    /// constructors simplify what becomes a number.
    pub(crate) fn new(
        e: &mut Expressions,
        roots: &[ExprId],
        constant: impl Fn(usize) -> Option<f64>,
    ) -> Self {
        let nodes = e.reachable(roots);
        let mut substitution = Self {
            expressions: vec![None; e.len()],
            conditions: vec![None; e.len()],
        };
        for id in nodes {
            match e.as_expr(id) {
                Some(expr) => {
                    let expr = substitution.expression(e, expr, &constant);
                    substitution.expressions[id.index()] = Some(expr);
                }
                None => substitution.conditions[id.index()] = Some(substitution.condition(e, id)),
            }
        }
        substitution
    }

    /// What stands for `id`; `None` if no root has it as a part.
    pub(crate) fn of(&self, id: ExprId) -> Option<ExprId> {
        self.expressions[NodeId::from(id).index()]
    }

    fn operand(&self, id: ExprId) -> ExprId {
        self.of(id).expect("operands come first")
    }

    fn condition_of(&self, id: CondId) -> CondId {
        self.conditions[NodeId::from(id).index()].expect("operands come first")
    }

    fn expression(
        &self,
        e: &mut Expressions,
        expr: ExprId,
        constant: impl Fn(usize) -> Option<f64>,
    ) -> ExprId {
        match e.node(expr) {
            Node::Parameter(position) => match constant(position) {
                Some(value) => e.constant(value),
                None => expr,
            },
            Node::Neg(u) => e.neg(self.operand(u)),
            Node::Add(u, v) => e.add(self.operand(u), self.operand(v)),
            Node::Sub(u, v) => e.sub(self.operand(u), self.operand(v)),
            Node::Mul(u, v) => e.mul(self.operand(u), self.operand(v)),
            Node::Div(u, v) => e.div(self.operand(u), self.operand(v)),
            Node::Power(u, n) => e.power(self.operand(u), n),
            Node::Unary(function, u) => e.unary(function, self.operand(u)),
            Node::Binary(function, u, v) => e.binary(function, self.operand(u), self.operand(v)),
            Node::If(c, u, v) => e.select(self.condition_of(c), self.operand(u), self.operand(v)),
            Node::Constant(_) | Node::Compare(..) | Node::And(..) | Node::Or(..) | Node::Not(_) => expr,
        }
    }

    fn condition(&self, e: &mut Expressions, id: NodeId) -> CondId {
        match e.node(id) {
            Node::Compare(comparison, u, v) => e.compare(comparison, self.operand(u), self.operand(v)),
            Node::And(c, d) => e.and(self.condition_of(c), self.condition_of(d)),
            Node::Or(c, d) => e.or(self.condition_of(c), self.condition_of(d)),
            Node::Not(c) => e.not(self.condition_of(c)),
            _ => unreachable!("a number is no condition"),
        }
    }
}
