//! [`Body`]: nodes of the symbolic graph as the body of a function that is generic over `Elementwise`.
//!
//! A node that is used more than once becomes a `let`, so the graph's sharing survives. So does a node that is
//! nested too deeply, which bounds the depth of what the compiler must parse.
//!
//! Methods that borrow are written `E::clone(&x)` and not `x.clone()`: a trait of the user that has a method of
//! the same name by value, for every type, would come first.
//!
//! `Elementwise` is `Clone` but not `Copy`: each use of a variable clones it but the last one, which moves it.
//! Which one is the last depends on the order of the text, so the text is written twice: once to count the
//! uses, once for good.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;

use crate::piece::{Named, Piece};
use crate::symbolic::{Comparison, CondId, ExprId, Expressions, Node, NodeId};

/// The deepest expression that is written without a `let`.
const MAX_DEPTH: usize = 8;

/// The body of a function of the input and the coefficients.
pub(super) struct Body {
    /// A pattern for each parameter of the piece: its name, or `_` if the body does not use it.
    pub(super) parameters: Vec<TokenStream>,
    pub(super) statements: TokenStream,
    /// An expression for each root, to be evaluated in this order.
    pub(super) results: Vec<TokenStream>,
}

impl Body {
    /// The body that computes `roots`.
    pub(super) fn new(piece: &Piece, roots: &[ExprId]) -> Self {
        let plan = Plan::new(piece, roots);
        let mut counter = Writer {
            plan: &plan,
            uses: HashMap::new(),
            mode: Mode::Count,
        };
        counter.write(roots);
        let uses = counter.uses;
        let parameters = plan.patterns(piece, &uses);
        let (statements, results) = Writer {
            plan: &plan,
            uses,
            mode: Mode::Write,
        }
        .write(roots);
        Self {
            parameters,
            statements,
            results,
        }
    }
}

/// A local name, at the user's place but out of the user's reach.
fn hygienic(name: &Ident) -> Ident {
    let mut name = name.clone();
    name.set_span(Span::mixed_site().located_at(name.span()));
    name
}

// ---------------------------------------------------------------------------------------------- Variables

/// What becomes a variable, and under which name.
struct Plan<'a> {
    expressions: &'a Expressions,
    /// The input, from which constants are lifted.
    input: NodeId,
    /// The nodes with a `let`, operands first.
    bound: Vec<NodeId>,
    /// The names of parameters and of bound nodes.
    names: HashMap<NodeId, Ident>,
}

impl<'a> Plan<'a> {
    fn new(piece: &'a Piece, roots: &[ExprId]) -> Self {
        let bound = choose_bound(&piece.expressions, roots);
        Self {
            expressions: &piece.expressions,
            input: piece.parameters[0].node.into(),
            names: choose_names(piece, &bound),
            bound,
        }
    }

    /// The patterns for the parameters.
    fn patterns(&self, piece: &Piece, uses: &HashMap<NodeId, usize>) -> Vec<TokenStream> {
        let pattern = |id: NodeId| {
            let name = self.names.get(&id).filter(|_| uses.contains_key(&id));
            name.map_or_else(
                || quote_spanned!(Span::mixed_site()=> _),
                ToTokens::to_token_stream,
            )
        };
        piece
            .parameters
            .iter()
            .map(|parameter| pattern(parameter.node.into()))
            .collect()
    }
}

/// The nodes that need a `let`, operands first.
fn choose_bound(expressions: &Expressions, roots: &[ExprId]) -> Vec<NodeId> {
    let nodes = expressions.reachable(roots);
    let mut uses = vec![0_usize; expressions.len()];
    let mut named = vec![false; expressions.len()];
    for &root in roots {
        uses[NodeId::from(root).index()] += 1;
        // A constant result may come after the last use of the input, from which it is lifted.
        named[NodeId::from(root).index()] |= expressions.constant_value(root).is_some();
    }
    for &id in &nodes {
        let node = expressions.node(id);
        for operand in node.operands() {
            uses[operand.index()] += 1;
            // A comparison borrows its operands, and what is borrowed must not be moved beside it.
            let compared = matches!(node, Node::Compare(..)) && !expressions.node(operand).is_leaf();
            named[operand.index()] |= compared;
        }
    }
    let mut depths = vec![0_usize; expressions.len()];
    let needs_let = |&id: &NodeId| {
        let node = expressions.node(id);
        let depth = node
            .operands()
            .map(|operand| depths[operand.index()] + 1)
            .max()
            .unwrap_or(0);
        let bound = named[id.index()] || uses[id.index()] > 1 || depth > MAX_DEPTH;
        depths[id.index()] = if bound { 0 } else { depth };
        bound && !matches!(node, Node::Parameter(_))
    };
    nodes.into_iter().filter(needs_let).collect()
}

/// Names for the parameters and the bound nodes, all different.
fn choose_names(piece: &Piece, bound: &[NodeId]) -> HashMap<NodeId, Ident> {
    let bound_nodes: HashSet<NodeId> = bound.iter().copied().collect();
    let mut taken = Taken::default();
    let mut names = HashMap::new();
    for Named { node, name } in &piece.parameters {
        taken.take(&name.unraw().to_string());
        names.insert(NodeId::from(*node), hygienic(name));
    }
    // The user's names come first, so that no invented name takes one away.
    for Named { node, name } in &piece.names {
        if bound_nodes.contains(&(*node).into()) && taken.take(&name.unraw().to_string()) {
            names.insert(NodeId::from(*node), hygienic(name));
        }
    }
    for &id in bound {
        names
            .entry(id)
            .or_insert_with(|| Ident::new(&taken.invent(piece.expressions.node(id)), Span::mixed_site()));
    }
    names
}

/// The names that are taken.
#[derive(Default)]
struct Taken {
    names: HashSet<String>,
    /// The number of the last `t1`, `t2`, ….
    last: usize,
}

impl Taken {
    /// Takes a name; whether it was free.
    fn take(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned())
    }

    /// A free name for `node`: `one` for 1.0, or else the next of `t1`, `t2`, ….
    fn invent(&mut self, node: Node) -> String {
        /// The numbers that derivatives are full of.
        const WORDS: [(f64, &str); 5] = [
            (0.0, "zero"),
            (1.0, "one"),
            (2.0, "two"),
            (0.5, "half"),
            (-1.0, "minus_one"),
        ];
        if let Node::Constant(constant) = node {
            let is_constant = |value: f64| value.to_bits() == constant.value().to_bits();
            let word = WORDS
                .iter()
                .find(|(value, _)| is_constant(*value))
                .map(|(_, word)| *word);
            if let Some(word) = word
                && self.take(word)
            {
                return word.to_owned();
            }
        }
        loop {
            self.last += 1;
            let name = format!("t{}", self.last);
            if self.take(&name) {
                return name;
            }
        }
    }
}

// --------------------------------------------------------------------------------------------------- Text

/// Writes expressions, from left to right.
struct Writer<'a> {
    plan: &'a Plan<'a>,
    /// How often each variable is used: so far when counting, from now on when writing.
    uses: HashMap<NodeId, usize>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Count,
    Write,
}

/// How tightly code holds together, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Mask,
    Sum,
    Product,
    Prefix,
    Atom,
}

struct Code {
    tokens: TokenStream,
    binding: Binding,
}

impl Code {
    fn new(binding: Binding, tokens: TokenStream) -> Self {
        Self { tokens, binding }
    }

    /// The tokens, in parentheses if they bind less tightly than `least`.
    fn at_least(self, least: Binding) -> TokenStream {
        let tokens = self.tokens;
        if self.binding >= least {
            tokens
        } else {
            quote_spanned!(Span::mixed_site()=> (#tokens))
        }
    }
}

impl Writer<'_> {
    /// The `let` statements, and an expression for each root.
    fn write(&mut self, roots: &[ExprId]) -> (TokenStream, Vec<TokenStream>) {
        let mut statements = TokenStream::new();
        let plan = self.plan;
        for &id in &plan.bound {
            let name = &plan.names[&id];
            let value = self.node(id).tokens;
            statements.extend(quote_spanned!(Span::mixed_site()=> let #name = #value;));
        }
        let results = roots
            .iter()
            .map(|&root| self.operand(root, Binding::Mask))
            .collect();
        (statements, results)
    }

    /// An operand by value, in parentheses if it binds less tightly than `least`.
    fn operand(&mut self, id: impl Into<NodeId>, least: Binding) -> TokenStream {
        let id = id.into();
        let plan = self.plan;
        let Some(name) = plan.names.get(&id) else {
            return self.node(id).at_least(least);
        };
        let site = Span::mixed_site();
        match plan.expressions.as_expr(id) {
            _ if self.is_last_use(id) => name.to_token_stream(),
            Some(_) => quote_spanned!(site=> E::clone(&#name)),
            // A mask is of another type.
            None => quote_spanned!(site=> ::core::clone::Clone::clone(&#name)),
        }
    }

    /// An operand to be borrowed: a variable or a constant, see [`choose_bound`].
    fn place(&mut self, id: impl Into<NodeId>) -> TokenStream {
        let id = id.into();
        let plan = self.plan;
        match plan.names.get(&id) {
            Some(name) => {
                self.is_last_use(id);
                name.to_token_stream()
            }
            None => self.node(id).tokens,
        }
    }

    /// Counts a use of a variable; whether no other use follows.
    fn is_last_use(&mut self, id: NodeId) -> bool {
        let uses = self.uses.entry(id).or_default();
        match self.mode {
            Mode::Count => *uses += 1,
            Mode::Write => *uses -= 1,
        }
        *uses == 0
    }

    /// What `id` computes, not its name.
    fn node(&mut self, id: NodeId) -> Code {
        let site = Span::mixed_site();
        match self.plan.expressions.node(id) {
            Node::Constant(constant) => {
                let (input, value) = (self.place(self.plan.input), literal(constant.value()));
                Code::new(Binding::Atom, quote_spanned!(site=> E::lift(&#input, #value)))
            }
            Node::Parameter(_) => unreachable!("a parameter has a name"),
            Node::Neg(u) => {
                let u = self.operand(u, Binding::Prefix);
                Code::new(Binding::Prefix, quote_spanned!(site=> -#u))
            }
            Node::Add(u, v) => self.sum(u, v),
            Node::Sub(u, v) => {
                let (u, v) = (self.operand(u, Binding::Sum), self.operand(v, Binding::Product));
                Code::new(Binding::Sum, quote_spanned!(site=> #u - #v))
            }
            Node::Mul(u, v) => {
                let (u, v) = (
                    self.operand(u, Binding::Product),
                    self.operand(v, Binding::Prefix),
                );
                Code::new(Binding::Product, quote_spanned!(site=> #u * #v))
            }
            Node::Div(u, v) => {
                let (u, v) = (
                    self.operand(u, Binding::Product),
                    self.operand(v, Binding::Prefix),
                );
                Code::new(Binding::Product, quote_spanned!(site=> #u / #v))
            }
            Node::Power(u, n) => {
                let (u, n) = (self.operand(u, Binding::Atom), whole(n));
                Code::new(Binding::Atom, quote_spanned!(site=> #u.powi(#n)))
            }
            Node::Unary(function, u) => {
                let (u, method) = (self.operand(u, Binding::Atom), Ident::new(function.name, site));
                Code::new(Binding::Atom, quote_spanned!(site=> #u.#method()))
            }
            Node::Binary(function, u, v) => {
                let (u, v) = (self.operand(u, Binding::Atom), self.operand(v, Binding::Mask));
                let method = Ident::new(function.name, site);
                Code::new(Binding::Atom, quote_spanned!(site=> #u.#method(#v)))
            }
            Node::If(condition, u, v) => {
                let condition = self.operand(condition, Binding::Mask);
                let (u, v) = (self.operand(u, Binding::Mask), self.operand(v, Binding::Mask));
                Code::new(
                    Binding::Atom,
                    quote_spanned!(site=> E::select(#condition, #u, #v)),
                )
            }
            Node::Compare(comparison, u, v) => {
                let (u, v) = (self.place(u), self.place(v));
                let method = Ident::new(method_of(comparison), site);
                Code::new(Binding::Atom, quote_spanned!(site=> E::#method(&#u, &#v)))
            }
            Node::And(c, d) => self.mask(c, &quote_spanned!(site=> &), d),
            Node::Or(c, d) => self.mask(c, &quote_spanned!(site=> |), d),
            Node::Not(c) => {
                let c = self.operand(c, Binding::Prefix);
                Code::new(Binding::Prefix, quote_spanned!(site=> !#c))
            }
        }
    }

    /// A sum; one with a product as `p.mul_add(q, r)`, which many machines do in one step.
    fn sum(&mut self, u: ExprId, v: ExprId) -> Code {
        let site = Span::mixed_site();
        let factors = |id: ExprId| match self.plan.expressions.node(id) {
            Node::Mul(p, q) if !self.plan.names.contains_key(&id.into()) => Some((p, q)),
            _ => None,
        };
        let product = factors(u).zip(Some(v)).or_else(|| factors(v).zip(Some(u)));
        if let Some(((factor, other), summand)) = product {
            let factor = self.operand(factor, Binding::Atom);
            let (other, summand) = (
                self.operand(other, Binding::Mask),
                self.operand(summand, Binding::Mask),
            );
            return Code::new(
                Binding::Atom,
                quote_spanned!(site=> #factor.mul_add(#other, #summand)),
            );
        }
        let (u, v) = (self.operand(u, Binding::Sum), self.operand(v, Binding::Product));
        Code::new(Binding::Sum, quote_spanned!(site=> #u + #v))
    }

    /// Two conditions, with parentheses round each that is not a single comparison.
    fn mask(&mut self, c: CondId, operator: &TokenStream, d: CondId) -> Code {
        let (c, d) = (self.operand(c, Binding::Prefix), self.operand(d, Binding::Prefix));
        Code::new(
            Binding::Mask,
            quote_spanned!(Span::mixed_site()=> #c #operator #d),
        )
    }
}

/// The method of `Elementwise` for a comparison.
fn method_of(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Lt => "lt",
        Comparison::Le => "le",
        Comparison::Gt => "gt",
        Comparison::Ge => "ge",
        Comparison::Eq => "eq",
        Comparison::Ne => "ne",
    }
}

/// A number as a literal, with a minus before it if need be: a literal itself has no sign.
pub(super) fn literal(value: f64) -> TokenStream {
    // Unlike the constructors of `Literal`, this writes 1e300 and not three hundred digits.
    let digits: Literal = format!("{:?}", value.abs())
        .parse()
        .expect("a finite number is a literal");
    signed(value.is_sign_negative(), &digits)
}

/// A whole number, in the same way.
pub(super) fn whole(n: i32) -> TokenStream {
    signed(n < 0, &Literal::u32_unsuffixed(n.unsigned_abs()))
}

fn signed(negative: bool, digits: &Literal) -> TokenStream {
    if negative {
        quote_spanned!(Span::mixed_site()=> -#digits)
    } else {
        quote_spanned!(Span::mixed_site()=> #digits)
    }
}
