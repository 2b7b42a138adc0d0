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

/// The texts found so far, by node.
struct Texts(Vec<Option<Text>>);

impl Texts {
    /// The text of an operand, in parentheses if it binds less tightly than `least`.
    fn operand(&self, id: impl Into<NodeId>, least: Binding) -> String {
        match &self.0[id.into().index()] {
            Some(Text { text, binding }) if *binding >= least => text.clone(),
            Some(Text { text, .. }) => format!("({text})"),
            None => unreachable!("operands come first"),
        }
    }

    /// An operand between commas or braces.
    fn whole(&self, id: impl Into<NodeId>) -> String {
        self.operand(id, Binding::If)
    }

    /// `u symbol v`, where operators that bind equally group to the left.
    fn infix(&self, u: impl Into<NodeId>, symbol: &str, v: impl Into<NodeId>, binding: Binding) -> Text {
        let (left, right) = (self.operand(u, binding), self.operand(v, binding.tighter()));
        Text {
            text: format!("{left} {symbol} {right}"),
            binding,
        }
    }

    fn prefix(&self, symbol: char, u: impl Into<NodeId>) -> Text {
        Text {
            text: format!("{symbol}{}", self.operand(u, Binding::Prefix)),
            binding: Binding::Prefix,
        }
    }
}

impl Binding {
    /// The next tighter binding.
    fn tighter(self) -> Self {
        match self {
            Self::If => Self::Or,
            Self::Or => Self::And,
            Self::And => Self::Comparison,
            Self::Comparison => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product => Self::Prefix,
            Self::Prefix | Self::Atom => Self::Atom,
        }
    }
}

impl<'a> Formulas<'a> {
    /// `names[0]` is the input's name, then come those of the coefficients.
    pub(crate) fn new(expressions: &'a Expressions, names: &'a [String]) -> Self {
        Self { expressions, names }
    }

    /// The formula `root`, or `…` if it is too long to be read.
    pub(crate) fn text(&self, root: ExprId) -> String {
        let mut texts = Texts(vec![None; self.expressions.len()]);
        for id in self.expressions.reachable(&[root]) {
            let text = self.write(self.expressions.node(id), &texts);
            let short = text.text.len() <= LONGEST;
            let ellipsis = || Text {
                text: "…".to_owned(),
                binding: Binding::Atom,
            };
            texts.0[id.index()] = Some(if short { text } else { ellipsis() });
        }
        texts.whole(root)
    }

    fn write(&self, node: Node, texts: &Texts) -> Text {
        let atom = |text: String| Text {
            text,
            binding: Binding::Atom,
        };
        match node {
            Node::Constant(constant) => number(constant.value()),
            Node::Parameter(position) => atom(self.names[position].clone()),
            Node::Neg(u) => texts.prefix('-', u),
            Node::Add(u, v) => texts.infix(u, "+", v, Binding::Sum),
            Node::Sub(u, v) => texts.infix(u, "-", v, Binding::Sum),
            Node::Mul(u, v) => texts.infix(u, "*", v, Binding::Product),
            Node::Div(u, v) => texts.infix(u, "/", v, Binding::Product),
            Node::Power(u, n) => atom(format!("powi({}, {n})", texts.whole(u))),
            Node::Unary(function, u) => atom(format!("{}({})", function.name, texts.whole(u))),
            Node::Binary(function, u, v) => atom(format!(
                "{}({}, {})",
                function.name,
                texts.whole(u),
                texts.whole(v)
            )),
            Node::If(condition, u, v) => {
                let [condition, u, v] =
                    [condition.into(), u.into(), v.into()].map(|id: NodeId| texts.whole(id));
                Text {
                    text: format!("if {condition} {{ {u} }} else {{ {v} }}"),
                    binding: Binding::If,
                }
            }
            // The operands are numbers and so bind more tightly, but for an `if`: comparisons are never chained.
            Node::Compare(comparison, u, v) => texts.infix(u, comparison.symbol(), v, Binding::Comparison),
            Node::And(c, d) => texts.infix(c, "&&", d, Binding::And),
            Node::Or(c, d) => texts.infix(c, "||", d, Binding::Or),
            Node::Not(c) => texts.prefix('!', c),
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
