//! [`Piece`]: the formula of an activation, from a closure to its gradient.

mod bounds;
mod hints;
mod lower;
mod parameters;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprClosure};

pub(crate) use parameters::Parameters;

use crate::diagnostics::Diagnostics;
use crate::spec::MAX_OPERATIONS;
use crate::symbolic::{ExprId, Expressions, Node, differentiate, is_homogeneous};

/// A piece without mistakes: its value and its gradient, as nodes of one graph.
pub(crate) struct Piece {
    pub(crate) expressions: Expressions,
    /// The input, then the coefficients.
    pub(crate) parameters: Vec<Named>,
    /// The names that `let` gave to nodes.
    pub(crate) names: Vec<Named>,
    pub(crate) value: ExprId,
    /// The partial derivatives, in the order of the parameters.
    pub(crate) gradient: Vec<ExprId>,
    /// Whether piece(x, π·c) = π·piece(x, c) for all π > 0, and for π = 0 wherever both sides are finite.
    pub(crate) homogeneous: bool,
}

/// A node that has a name in the piece.
pub(crate) struct Named {
    pub(crate) node: ExprId,
    pub(crate) name: Ident,
}

/// Parses a closure; `None` for any other expression.
pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Option<ExprClosure>> {
    bounds::check(&tokens)?;
    let end = tokens
        .clone()
        .into_iter()
        .last()
        .map_or_else(Span::call_site, |token| token.span());
    // Inside a group, `syn` reports a missing token at the group's end and not at the whole attribute.
    let mut group = Group::new(proc_macro2::Delimiter::Parenthesis, tokens);
    group.set_span(end);
    let parser = |input: ParseStream<'_>| {
        let content;
        syn::parenthesized!(content in input);
        let expr: Expr = content.parse()?;
        if content.is_empty() {
            Ok(expr)
        } else {
            Err(content.error("unexpected token after the piece"))
        }
    };
    let mut expr = parser.parse2(TokenTree::from(group).into())?;
    loop {
        match expr {
            Expr::Closure(closure) => return Ok(Some(closure)),
            // Macros by example put an expression into invisible delimiters.
            Expr::Group(group) => expr = *group.expr,
            _ => return Ok(None),
        }
    }
}

/// The default piece, `|x, a, b| a * x + b`.
pub(crate) fn affine() -> ExprClosure {
    let tokens = quote_spanned!(Span::mixed_site()=> |x, a, b| a * x + b);
    syn::parse2(tokens).expect("the default piece is a closure")
}

impl Piece {
    /// The piece with these parameters and this body; `None` if a mistake has been reported.
    pub(crate) fn new(parameters: &Parameters, body: &Expr, diagnostics: &Diagnostics) -> Option<Self> {
        let lowered = lower::lower(parameters, body, diagnostics)?;
        let (mut expressions, value) = (lowered.expressions, lowered.value);
        let mut gradient = Vec::new();
        let mut named = Vec::new();
        for (position, name) in parameters.names.iter().enumerate() {
            gradient.push(differentiate(&mut expressions, value, position));
            named.push(Named {
                node: expressions.parameter(position),
                name: name.clone(),
            });
        }
        let piece = Self {
            homogeneous: is_homogeneous(&expressions, value),
            expressions,
            parameters: named,
            names: lowered.names,
            value,
            gradient,
        };
        piece.is_small(body, diagnostics).then_some(piece)
    }

    /// Reports a formula whose value and gradient take too many operations, for which the compiler would take long.
    fn is_small(&self, body: &Expr, diagnostics: &Diagnostics) -> bool {
        let mut nodes = self.expressions.reachable(&self.roots());
        nodes.retain(|&id| !self.expressions.node(id).is_leaf());
        let operations = nodes.len();
        if operations > MAX_OPERATIONS {
            let message = format!(
                "this piece and its gradient take {operations} operations, more than {MAX_OPERATIONS}; shorten \
                 the formula or give it fewer coefficients"
            );
            diagnostics.error_at(body, message);
        }
        operations <= MAX_OPERATIONS
    }

    /// The value and the partial derivatives.
    pub(crate) fn roots(&self) -> Vec<ExprId> {
        let mut roots = vec![self.value];
        roots.extend(&self.gradient);
        roots
    }

    /// Whether this is the default piece, whatever its parameters are called.
    pub(crate) fn is_affine(&self) -> bool {
        let node = |id: ExprId| self.expressions.node(id);
        let Node::Add(product, b) = node(self.value) else {
            return false;
        };
        let Node::Mul(a, x) = node(product) else {
            return false;
        };
        self.parameters.len() == 3
            && [x, a, b].map(node) == [Node::Parameter(0), Node::Parameter(1), Node::Parameter(2)]
    }
}
