//! [`Expressions`]: the graph that holds all formulas of one activation.

use std::collections::HashMap;

use super::function::Function;

/// A node of [`Expressions`]. Operands have smaller ids than the nodes that use them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(usize);

impl NodeId {
    /// The node's place in creation order, to index tables with.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// A node that stands for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExprId(NodeId);

/// A node that stands for a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CondId(NodeId);

impl From<ExprId> for NodeId {
    fn from(expr: ExprId) -> Self {
        expr.0
    }
}

impl From<CondId> for NodeId {
    fn from(cond: CondId) -> Self {
        cond.0
    }
}

/// What a node computes from its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// A finite number.
    Constant(Constant),
    /// A parameter of the piece by its position: 0 is the input x, then the coefficients.
    Parameter(usize),
    Neg(ExprId),
    Add(ExprId, ExprId),
    Sub(ExprId, ExprId),
    Mul(ExprId, ExprId),
    Div(ExprId, ExprId),
    /// A whole power, `x.powi(n)`.
    Power(ExprId, i32),
    /// A function of [`Form::Unary`](super::Form::Unary).
    Unary(&'static Function, ExprId),
    /// A function of [`Form::Binary`](super::Form::Binary).
    Binary(&'static Function, ExprId, ExprId),
    /// The first expression where the condition holds, the second one elsewhere.
    If(CondId, ExprId, ExprId),
    Compare(Comparison, ExprId, ExprId),
    And(CondId, CondId),
    Or(CondId, CondId),
    Not(CondId),
}

/// The bits of a finite `f64`, so that constants can be compared and hashed; 0.0 and −0.0 differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Constant(u64);

impl Constant {
    pub(crate) fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A comparison of two numbers, as in IEEE 754: with NaN, only [`Ne`](Self::Ne) holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

impl Comparison {
    /// The operator between the operands.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Eq => "==",
            Self::Ne => "!=",
        }
    }
}

impl Node {
    /// The operands, from left to right.
    pub(crate) fn operands(self) -> impl Iterator<Item = NodeId> {
        let operands = match self {
            Self::Constant(_) | Self::Parameter(_) => [None; 3],
            Self::Neg(u) | Self::Power(u, _) | Self::Unary(_, u) => [Some(u.into()), None, None],
            Self::Add(u, v)
            | Self::Sub(u, v)
            | Self::Mul(u, v)
            | Self::Div(u, v)
            | Self::Binary(_, u, v)
            | Self::Compare(_, u, v) => [Some(u.into()), Some(v.into()), None],
            Self::If(condition, u, v) => [Some(condition.into()), Some(u.into()), Some(v.into())],
            Self::And(c, d) | Self::Or(c, d) => [Some(c.into()), Some(d.into()), None],
            Self::Not(c) => [Some(c.into()), None, None],
        };
        operands.into_iter().flatten()
    }

    /// Whether the node has no operands.
    pub(crate) fn is_leaf(self) -> bool {
        matches!(self, Self::Constant(_) | Self::Parameter(_))
    }
}

/// A directed acyclic graph of expressions in which equal nodes are one node.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    nodes: Vec<Node>,
    /// Finds nodes. It is never iterated, so that the output does not depend on its order.
    ids: HashMap<Node, NodeId>,
}

impl Expressions {
    /// What the node `id` computes.
    pub(crate) fn node(&self, id: impl Into<NodeId>) -> Node {
        self.nodes[id.into().0]
    }

    /// The node as an expression; `None` for a condition.
    pub(crate) fn as_expr(&self, id: NodeId) -> Option<ExprId> {
        match self.node(id) {
            Node::Compare(..) | Node::And(..) | Node::Or(..) | Node::Not(_) => None,
            _ => Some(ExprId(id)),
        }
    }

    /// The expression's value if it is a constant.
    pub(crate) fn constant_value(&self, id: ExprId) -> Option<f64> {
        match self.node(id) {
            Node::Constant(constant) => Some(constant.value()),
            _ => None,
        }
    }

    /// The nodes that `roots` are made of, operands first.
    pub(crate) fn reachable(&self, roots: &[ExprId]) -> Vec<NodeId> {
        let mut marked = vec![false; self.nodes.len()];
        for &root in roots {
            marked[NodeId::from(root).0] = true;
        }
        // A node is older than its users, so all users of a node have been seen before the node.
        for index in (0..self.nodes.len()).rev() {
            if marked[index] {
                for operand in self.nodes[index].operands() {
                    marked[operand.0] = true;
                }
            }
        }
        (0..self.nodes.len())
            .filter(|&index| marked[index])
            .map(NodeId)
            .collect()
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The number `value`, which must be finite.
    pub(crate) fn constant(&mut self, value: f64) -> ExprId {
        debug_assert!(
            value.is_finite(),
            "lowering rejects {value} and folding keeps it out"
        );
        self.expr(Node::Constant(Constant(value.to_bits())))
    }

    /// The parameter at `position`; 0 is the input.
    pub(crate) fn parameter(&mut self, position: usize) -> ExprId {
        self.expr(Node::Parameter(position))
    }

    /// The expression `node`, exactly as it is: the constructors in [`super::simplify`] call this.
    pub(super) fn expr(&mut self, node: Node) -> ExprId {
        ExprId(self.intern(node))
    }

    /// The condition `node`, exactly as it is.
    pub(super) fn cond(&mut self, node: Node) -> CondId {
        CondId(self.intern(node))
    }

    fn intern(&mut self, node: Node) -> NodeId {
        *self.ids.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            NodeId(self.nodes.len() - 1)
        })
    }
}
