//! [`Piece`]: the formula of an activation, from closures to its gradient.

mod bounds;
mod hints;
mod lower;
mod parameters;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprClosure};

use lower::{Lowered, Source, lower};
pub(crate) use parameters::Parameters;

use crate::args::Pieces;
use crate::diagnostics::Diagnostics;
use crate::kinds::Kinds;
use crate::spec::{Combine, MAX_COEFFICIENTS, MAX_OPERATIONS};
use crate::symbolic::{
    ExprId, Expressions, Node, Substitution, differentiate, find_function, is_homogeneous,
};

/// A piece without mistakes: its value and its gradient, as nodes of one graph.
pub(crate) struct Piece {
    pub(crate) expressions: Expressions,
    /// The input, then the coefficients, then the neighbours.
    pub(crate) parameters: Vec<Named>,
    /// The names that `let` gave to nodes.
    pub(crate) names: Vec<Named>,
    pub(crate) value: ExprId,
    /// The partial derivatives, in the order of the parameters.
    pub(crate) gradient: Vec<ExprId>,
    /// Whether piece(x, π·c) = π·piece(x, c) for all π > 0, and for π = 0 wherever both sides are finite.
    pub(crate) homogeneous: bool,
    /// Whether it was written as the default piece, whatever its parameters are called.
    pub(crate) affine: bool,
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
    let keywords = keywords_as_parameters(&group.stream());
    let parsed = parser.parse2(TokenTree::from(group).into());
    // The parser would list all that a pattern can be.
    let mut expr = parsed.map_err(|error| keywords.unwrap_or(error))?;
    loop {
        match expr {
            Expr::Closure(closure) => return Ok(Some(closure)),
            // Macros by example put an expression into invisible delimiters.
            Expr::Group(group) => expr = *group.expr,
            _ => return Ok(None),
        }
    }
}

/// The mistakes of keywords that stand between the bars of a closure where names should be, if there are any.
fn keywords_as_parameters(tokens: &TokenStream) -> Option<syn::Error> {
    let is = |tree: &TokenTree, symbols: &[char]| matches!(tree, TokenTree::Punct(punct) if symbols.contains(&punct.as_char()));
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let begin = trees.iter().position(|tree| is(tree, &['|']))?;
    let length = trees[begin + 1..].iter().position(|tree| is(tree, &['|']))?;
    let parameters = &trees[begin..begin + length + 2];
    let errors = parameters.windows(3).filter_map(|window| match window {
        [before, TokenTree::Ident(word), after]
            if is(before, &['|', ','])
                && is(after, &['|', ',', ':'])
                && word != "_"
                && syn::parse2::<Ident>(word.to_token_stream()).is_err() =>
        {
            let message = format!("expected a plain name, found the keyword `{word}`");
            Some(syn::Error::new(word.span(), message))
        }
        _ => None,
    });
    errors.reduce(|mut all, error| {
        all.combine(error);
        all
    })
}

/// The default piece, `|x, a, b| a * x + b`.
pub(crate) fn affine() -> ExprClosure {
    let tokens = quote_spanned!(Span::mixed_site()=> |x, a, b| a * x + b);
    syn::parse2(tokens).expect("the default piece is a closure")
}

/// What a piece is made of.
pub(crate) struct Draft<'a> {
    pub(crate) pieces: &'a Pieces,
    pub(crate) parameters: &'a Parameters,
    pub(crate) kinds: &'a Kinds,
    /// The values of the parameters' constants; `None` for one that is wrong.
    pub(crate) constants: Vec<Option<f64>>,
    /// How closures that differ become one piece, if that is known.
    pub(crate) combine: Option<Combine>,
}

impl Draft<'_> {
    /// The piece; `None` if a mistake has been reported.
    pub(crate) fn finish(&self, diagnostics: &Diagnostics) -> Option<Piece> {
        let mut expressions = Expressions::default();
        let lowered = self.lower(&mut expressions, diagnostics)?;
        let affine = matches!(&*lowered, [only] if self.is_affine(&expressions, only.value));
        let constants: Option<Vec<f64>> = self.constants.iter().copied().collect();
        let lowered = self.substitute(&mut expressions, lowered, &constants?);
        let values: Vec<ExprId> = lowered.iter().map(|lowered| lowered.value).collect();
        let value = self.fold(&mut expressions, &values)?;
        self.check_input(&expressions, value, diagnostics)?;
        let input = self.parameters.inputs().next()?;
        let names: Vec<&Ident> = std::iter::once(input)
            .chain(self.parameters.arguments())
            .collect();
        if names.len() > MAX_COEFFICIENTS + 1 {
            return None;
        }
        let mut gradient = Vec::new();
        let mut parameters = Vec::new();
        for (position, name) in names.into_iter().enumerate() {
            gradient.push(differentiate(&mut expressions, value, position));
            parameters.push(Named {
                node: expressions.parameter(position),
                name: name.clone(),
            });
        }
        let piece = Piece {
            homogeneous: is_homogeneous(&expressions, value, self.parameters.coefficients.len()),
            expressions,
            parameters,
            names: lowered.into_iter().flat_map(|lowered| lowered.names).collect(),
            value,
            gradient,
            affine,
        };
        self.check_size(&piece, diagnostics)?;
        Some(piece)
    }

    /// The bodies of all closures, of which each is looked at.
    fn lower(&self, expressions: &mut Expressions, diagnostics: &Diagnostics) -> Option<Vec<Lowered>> {
        let closures = self.pieces.closures();
        let alone = closures.len() == 1;
        let lowered: Vec<Option<Lowered>> = closures
            .into_iter()
            .zip(&self.parameters.signatures)
            .map(|(closure, signature)| {
                let source = Source {
                    signature: signature.as_ref()?,
                    parameters: self.parameters,
                    kinds: self.kinds,
                    alone,
                };
                lower(&source, &closure?.body, expressions, diagnostics)
            })
            .collect();
        lowered.into_iter().collect()
    }

    /// Whether `value` is a * x + b, where these are the parameters of the only closure.
    fn is_affine(&self, expressions: &Expressions, value: ExprId) -> bool {
        let node = |id: ExprId| expressions.node(id);
        let Node::Add(product, b) = node(value) else {
            return false;
        };
        let Node::Mul(a, x) = node(product) else {
            return false;
        };
        let positions: Vec<Option<usize>> = self
            .parameters
            .others()
            .map(|name| self.parameters.position(name))
            .collect();
        let [Some(slope), Some(intercept)] = *positions else {
            return false;
        };
        [x, a, b].map(node) == [0, slope, intercept].map(Node::Parameter)
    }

    /// The same with the constants in place of the parameters that follow the arguments.
    fn substitute(
        &self,
        expressions: &mut Expressions,
        mut lowered: Vec<Lowered>,
        constants: &[f64],
    ) -> Vec<Lowered> {
        if constants.is_empty() {
            return lowered;
        }
        let first = 1 + self.parameters.arguments().count();
        let constant = |position: usize| position.checked_sub(first).map(|index| constants[index]);
        let roots: Vec<ExprId> = lowered.iter().map(|lowered| lowered.value).collect();
        let substitution = Substitution::new(expressions, &roots, constant);
        for Lowered { value, names } in &mut lowered {
            *value = substitution.of(*value).unwrap_or(*value);
            let named = |named: Named| {
                let node = substitution.of(named.node)?;
                Some(Named { node, ..named })
            };
            *names = std::mem::take(names).into_iter().filter_map(named).collect();
        }
        lowered
    }

    /// One formula of all values. Of equal ones the first wins, as it does in a kernel.
    fn fold(&self, expressions: &mut Expressions, values: &[ExprId]) -> Option<ExprId> {
        let (&first, rest) = values.split_first()?;
        let mut folded = first;
        for &value in rest {
            let choose = |name| find_function(name).expect("the table has both");
            folded = match self.combine? {
                Combine::Max => expressions.binary(choose("max"), folded, value),
                Combine::Min => expressions.binary(choose("min"), folded, value),
                Combine::Sum => expressions.add(folded, value),
            };
        }
        Some(folded)
    }

    /// Reports closures of which none depends on its input. A single closure has been looked at before.
    fn check_input(&self, expressions: &Expressions, value: ExprId, diagnostics: &Diagnostics) -> Option<()> {
        let mut nodes = expressions.reachable(&[value]).into_iter();
        let depends = nodes.any(|id| expressions.node(id) == Node::Parameter(0));
        if let (false, Pieces::Own(own)) = (depends, self.pieces) {
            diagnostics.error_at(&own.list, "no piece depends on its input");
            return None;
        }
        Some(())
    }

    /// Reports a formula whose value and gradient take too many operations, for which the compiler would take long.
    fn check_size(&self, piece: &Piece, diagnostics: &Diagnostics) -> Option<()> {
        let mut nodes = piece.expressions.reachable(&piece.roots());
        nodes.retain(|&id| !piece.expressions.node(id).is_leaf());
        let operations = nodes.len();
        if operations <= MAX_OPERATIONS {
            return Some(());
        }
        match self.pieces {
            Pieces::Shared(closure) => diagnostics.error_at(
                &closure.body,
                format!(
                    "this piece and its gradient take {operations} operations, more than {MAX_OPERATIONS}; shorten \
                     the formula or give it fewer coefficients"
                ),
            ),
            Pieces::Own(own) => diagnostics.error_at(
                &own.list,
                format!(
                    "these pieces and their gradient take {operations} operations, more than {MAX_OPERATIONS}; \
                     shorten the formulas or give them fewer coefficients"
                ),
            ),
        }
        None
    }
}

impl Piece {
    /// The names of the parameters, the input's first.
    pub(crate) fn names_of_parameters(&self) -> Vec<String> {
        let parameters = self.parameters.iter();
        parameters
            .map(|parameter| parameter.name.unraw().to_string())
            .collect()
    }

    /// The value and the partial derivatives.
    pub(crate) fn roots(&self) -> Vec<ExprId> {
        let mut roots = vec![self.value];
        roots.extend(&self.gradient);
        roots
    }
}
