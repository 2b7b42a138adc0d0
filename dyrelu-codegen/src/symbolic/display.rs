//! [`Formulas`]: expressions as text, in the syntax of a piece.

use super::expr::{ExprId, Expressions, Node, NodeId};

/// If a formula is longer than this many bytes, its parts get names.
const LONGEST: usize = 200;
/// Then a part that is longer than this gets a name, …
const LONGEST_PART: usize = 80;
/// … and one that is used more than once, unless it is so short that a name would not help.
const SHORTEST_PART: usize = 8;

/// Some expressions as text.
///
/// The text is short: but for conditions, in proportion to the number of nodes, however often these are used.
#[derive(Debug)]
pub(crate) struct Formulas {
    /// The short formulas.
    whole: Texts,
    /// The long formulas, with names for their parts.
    in_parts: Texts,
    /// `t1 = …` for each part with a name, each after those that it needs.
    pub(crate) definitions: Vec<String>,
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

impl Text {
    fn atom(text: String) -> Self {
        Self {
            text,
            binding: Binding::Atom,
        }
    }
}

/// The texts found so far, by node.
#[derive(Debug)]
struct Texts(Vec<Option<Text>>);

impl Texts {
    /// The text of a node, if there is one.
    fn get(&self, id: impl Into<NodeId>) -> Option<&Text> {
        self.0[id.into().index()].as_ref()
    }

    /// The text of an operand, in parentheses if it binds less tightly than `least`.
    fn operand(&self, id: impl Into<NodeId>, least: Binding) -> String {
        match self.get(id) {
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

impl Formulas {
    /// The formulas `roots`. `names[0]` is the input's name, then come those of the coefficients.
    pub(crate) fn new(expressions: &Expressions, names: &[String], roots: &[ExprId]) -> Self {
        let writer = Writer { expressions, names };
        let whole = writer.whole(roots);
        let is_long = |root: &ExprId| whole.get(*root).is_none();
        let long: Vec<ExprId> = roots.iter().copied().filter(is_long).collect();
        let (in_parts, definitions) = writer.in_parts(&long);
        Self {
            whole,
            in_parts,
            definitions,
        }
    }

    /// The formula of `root`, one of the roots, or its name.
    pub(crate) fn text(&self, root: ExprId) -> &str {
        let text = self.whole.get(root).or_else(|| self.in_parts.get(root));
        &text.expect("every root has been written").text
    }
}

/// Writes expressions with the names of the parameters.
struct Writer<'a> {
    expressions: &'a Expressions,
    names: &'a [String],
}

impl Writer<'_> {
    /// Each formula without names for its parts, unless it is too long.
    fn whole(&self, roots: &[ExprId]) -> Texts {
        let mut texts = Texts(vec![None; self.expressions.len()]);
        for id in self.expressions.reachable(roots) {
            let node = self.expressions.node(id);
            if node.operands().all(|operand| texts.get(operand).is_some()) {
                texts.0[id.index()] =
                    Some(self.write(node, &texts)).filter(|text| text.text.len() <= LONGEST);
            }
        }
        texts
    }

    /// The formulas with names for their long and for their shared parts, and what these names mean.
    fn in_parts(&self, roots: &[ExprId]) -> (Texts, Vec<String>) {
        let uses = self.uses(roots);
        let mut texts = Texts(vec![None; self.expressions.len()]);
        let mut definitions = Vec::new();
        let mut number = 0;
        for id in self.expressions.reachable(roots) {
            let node = self.expressions.node(id);
            let mut text = self.write(node, &texts);
            let length = text.text.len();
            let shared = uses[id.index()] > 1 && length > SHORTEST_PART;
            let can_have_name = !node.is_leaf() && !is_condition(node);
            if (shared || length > LONGEST_PART) && can_have_name {
                let name = self.invent(&mut number);
                definitions.push(format!("{name} = {}", text.text));
                text = Text::atom(name);
            }
            texts.0[id.index()] = Some(text);
        }
        (texts, definitions)
    }

    /// The next of `t1`, `t2`, … after `number` that is no parameter.
    fn invent(&self, number: &mut usize) -> String {
        loop {
            *number += 1;
            let name = format!("t{number}");
            if !self.names.contains(&name) {
                return name;
            }
        }
    }

    /// How often each node is used, by node.
    fn uses(&self, roots: &[ExprId]) -> Vec<usize> {
        let nodes = self.expressions.reachable(roots);
        let operands = nodes
            .into_iter()
            .flat_map(|id| self.expressions.node(id).operands());
        let mut uses = vec![0; self.expressions.len()];
        for id in operands.chain(roots.iter().map(|&root| root.into())) {
            uses[id.index()] += 1;
        }
        uses
    }

    fn write(&self, node: Node, texts: &Texts) -> Text {
        match node {
            Node::Constant(constant) => number(constant.value()),
            Node::Parameter(position) => Text::atom(self.names[position].clone()),
            Node::Neg(u) => texts.prefix('-', u),
            Node::Add(u, v) => texts.infix(u, "+", v, Binding::Sum),
            Node::Sub(u, v) => texts.infix(u, "-", v, Binding::Sum),
            Node::Mul(u, v) => texts.infix(u, "*", v, Binding::Product),
            Node::Div(u, v) => texts.infix(u, "/", v, Binding::Product),
            Node::Power(u, n) => Text::atom(format!("powi({}, {n})", texts.whole(u))),
            Node::Unary(function, u) => Text::atom(format!("{}({})", function.name, texts.whole(u))),
            Node::Binary(function, u, v) => Text::atom(format!(
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

/// Whether the node is a condition, which has no name in a piece: `let` names numbers.
fn is_condition(node: Node) -> bool {
    match node {
        Node::Compare(..) | Node::And(..) | Node::Or(..) | Node::Not(_) => true,
        Node::Constant(_)
        | Node::Parameter(_)
        | Node::Neg(_)
        | Node::Add(..)
        | Node::Sub(..)
        | Node::Mul(..)
        | Node::Div(..)
        | Node::Power(..)
        | Node::Unary(..)
        | Node::Binary(..)
        | Node::If(..) => false,
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
