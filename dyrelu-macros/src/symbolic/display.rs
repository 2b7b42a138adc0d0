//! [`Formulas`]: expressions as text, in the syntax of a piece.

use super::expr::{ExprId, Expressions, Node, NodeId};

/// A formula that would be longer than this many bytes is shown as `…`.
const LONGEST: usize = 200;

/// Writes expressions with the names of the parameters.
#[derive(Debug)]
pub(crate) struct Formulas<'a> {
    expressions: &'a Expressions,
    names: &'a [String],
}

/// How tightly a text holds together: an operand that binds less than its surroundings needs parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    If,
    Or,
    And,
    Comparison,
    Sum,
    Product,
    Prefix,
    Atom,
}

#[derive(Debug, Clone)]
struct Text {
    text: String,
    binding: Binding,
}

impl<'a> Formulas<'a> {
    /// `names[0]` is the input's name, then come those of the coefficients.
    pub(crate) fn new(expressions: &'a Expressions, names: &'a [String]) -> Self {
        Self { expressions, names }
    }

    /// The formula `root`, or `…` if it is too long to be read.
    pub(crate) fn text(&self, root: ExprId) -> String {
        let mut texts: Vec<Option<Text>> = vec![None; self.expressions.len()];
        for id in self.expressions.reachable(&[root]) {
            texts[id.index()] = Some(self.shorten(self.expressions.node(id), &texts));
        }
        texts[NodeId::from(root).index()]
            .take()
            .map_or_else(String::new, |text| text.text)
    }

    fn shorten(&self, node: Node, texts: &[Option<Text>]) -> Text {
        let text = self.write(node, texts);
        if text.text.len() > LONGEST {
            Text {
                text: "…".to_owned(),
                binding: Binding::Atom,
            }
        } else {
            text
        }
    }

    fn write(&self, node: Node, texts: &[Option<Text>]) -> Text {
        // The operand `id` where nothing that binds less than `least` may stand without parentheses.
        let operand = |id: NodeId, least: Binding| match &texts[id.index()] {
            Some(Text { text, binding }) if *binding >= least => text.clone(),
            Some(Text { text, .. }) => format!("({text})"),
            None => String::new(),
        };
        let whole = |id: NodeId| operand(id, Binding::If);
        // Left-associative: the right operand needs parentheses already when it binds equally.
        let infix = |u: NodeId, symbol: &str, v: NodeId, binding: Binding, tighter: Binding| Text {
            text: format!("{} {symbol} {}", operand(u, binding), operand(v, tighter)),
            binding,
        };
        let atom = |text: String| Text {
            text,
            binding: Binding::Atom,
        };
        let sum =
            |u: ExprId, symbol, v: ExprId| infix(u.into(), symbol, v.into(), Binding::Sum, Binding::Product);
        let product = |u: ExprId, symbol, v: ExprId| {
            infix(u.into(), symbol, v.into(), Binding::Product, Binding::Prefix)
        };
        match node {
            Node::Constant(constant) => number(constant.value()),
            Node::Parameter(position) => atom(self.names[position].clone()),
            Node::Neg(u) => Text {
                text: format!("-{}", operand(u.into(), Binding::Prefix)),
                binding: Binding::Prefix,
            },
            Node::Add(u, v) => sum(u, "+", v),
            Node::Sub(u, v) => sum(u, "-", v),
            Node::Mul(u, v) => product(u, "*", v),
            Node::Div(u, v) => product(u, "/", v),
            Node::Power(u, n) => atom(format!("powi({}, {n})", whole(u.into()))),
            Node::Unary(function, u) => atom(format!("{}({})", function.name, whole(u.into()))),
            Node::Binary(function, u, v) => atom(format!(
                "{}({}, {})",
                function.name,
                whole(u.into()),
                whole(v.into())
            )),
            Node::If(condition, u, v) => Text {
                text: format!(
                    "if {} {{ {} }} else {{ {} }}",
                    whole(condition.into()),
                    whole(u.into()),
                    whole(v.into())
                ),
                binding: Binding::If,
            },
            // Comparisons cannot be chained, so both operands must bind more tightly.
            Node::Compare(comparison, u, v) => Text {
                text: format!(
                    "{} {} {}",
                    operand(u.into(), Binding::Sum),
                    comparison.symbol(),
                    operand(v.into(), Binding::Sum)
                ),
                binding: Binding::Comparison,
            },
            Node::And(c, d) => infix(c.into(), "&&", d.into(), Binding::And, Binding::Comparison),
            Node::Or(c, d) => infix(c.into(), "||", d.into(), Binding::Or, Binding::And),
            Node::Not(c) => Text {
                text: format!("!{}", operand(c.into(), Binding::Prefix)),
                binding: Binding::Prefix,
            },
        }
    }
}

fn number(value: f64) -> Text {
    let binding = if value.is_sign_negative() {
        Binding::Prefix
    } else {
        Binding::Atom
    };
    Text {
        text: format!("{value:?}"),
        binding,
    }
}
