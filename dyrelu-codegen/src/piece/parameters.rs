//! [`Parameters`]: the names between the bars of a piece.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{ExprClosure, Pat, ReturnType};

use crate::diagnostics::Diagnostics;
use crate::spec::MAX_COEFFICIENTS;

/// The parameters of a piece: the input, then the coefficients.
pub(crate) struct Parameters {
    pub(crate) names: Vec<Ident>,
    /// Identifiers in parameters that are wrong. The body may use them without further complaint.
    pub(crate) rejected: Vec<Ident>,
}

impl Parameters {
    /// The parameters of `closure`. Mistakes are reported and leave `rejected` non-empty, or too few names.
    pub(crate) fn of(closure: &ExprClosure, diagnostics: &Diagnostics) -> Self {
        check_head(closure, diagnostics);
        let mut parameters = Self {
            names: Vec::new(),
            rejected: Vec::new(),
        };
        for pattern in &closure.inputs {
            parameters.add(pattern, diagnostics);
        }
        check_count(closure, diagnostics);
        parameters
    }

    /// The coefficients' names.
    pub(crate) fn coefficients(&self) -> &[Ident] {
        self.names.get(1..).unwrap_or_default()
    }

    fn add(&mut self, pattern: &Pat, diagnostics: &Diagnostics) {
        match plain_name(pattern, diagnostics) {
            Some(name) if self.names.iter().any(|other| other.unraw() == name.unraw()) => {
                diagnostics.error(name.span(), format!("duplicate parameter `{}`", name.unraw()));
                self.rejected.push(name);
            }
            Some(name) => self.names.push(name),
            None => self.rejected.extend(identifiers(pattern.to_token_stream())),
        }
    }
}

/// The name that `pattern` is; reports any other pattern.
pub(super) fn plain_name(pattern: &Pat, diagnostics: &Diagnostics) -> Option<Ident> {
    match pattern {
        Pat::Ident(plain) if plain.attrs.is_empty() && plain.subpat.is_none() => {
            if let Some(by_ref) = &plain.by_ref {
                diagnostics.error_at(by_ref, "expected a plain name without `ref`");
            } else if let Some(mutability) = &plain.mutability {
                diagnostics.error_at(
                    mutability,
                    "expected a plain name without `mut`; shadow the name with `let` instead",
                );
            } else if check_name(&plain.ident, diagnostics) {
                return Some(plain.ident.clone());
            }
        }
        Pat::Type(typed) => diagnostics.error_at(
            typed,
            "expected a plain name without a type; every value has the element type of the layer",
        ),
        Pat::Wild(wild) => diagnostics.error_at(wild, "expected a name; `_` names nothing, so remove it"),
        other => diagnostics.error_at(other, "expected a plain name"),
    }
    None
}

/// A pattern that looks like a constant could match one, and a capital letter is how constants look.
fn check_name(name: &Ident, diagnostics: &Diagnostics) -> bool {
    let text = name.unraw().to_string();
    let lower: String = text.to_lowercase();
    if text == "self" {
        diagnostics.error(name.span(), "expected a plain name, found the keyword `self`");
    } else if text != lower {
        diagnostics.error(name.span(), format!("expected a lower-case name: `{lower}`"));
    } else {
        return true;
    }
    false
}

/// What may stand around the parameters: nothing.
fn check_head(closure: &ExprClosure, diagnostics: &Diagnostics) {
    for attribute in &closure.attrs {
        diagnostics.error_at(attribute, "attributes are not supported in a piece");
    }
    let words = [
        closure.lifetimes.as_ref().map(ToTokens::to_token_stream),
        closure.constness.as_ref().map(ToTokens::to_token_stream),
        closure.asyncness.as_ref().map(ToTokens::to_token_stream),
        closure.capture.as_ref().map(ToTokens::to_token_stream),
    ];
    for word in words.into_iter().flatten() {
        diagnostics.error_at(word, "expected a plain closure: `|x, a, b| a * x + b`");
    }
    if let ReturnType::Type(arrow, ty) = &closure.output {
        let message = "a piece has no return type; every value has the element type of the layer";
        diagnostics.error_at(
            TokenStream::from_iter([arrow.to_token_stream(), ty.to_token_stream()]),
            message,
        );
    }
}

fn check_count(closure: &ExprClosure, diagnostics: &Diagnostics) {
    let bars = || {
        let (begin, inputs, end) = (&closure.inputs_begin, &closure.inputs, &closure.inputs_end);
        quote::quote!(#begin #inputs #end)
    };
    match closure.inputs.len() {
        0 => diagnostics.error_at(
            bars(),
            "a piece needs an input and at least one coefficient: `|x, a| …`",
        ),
        1 => diagnostics.error_at(
            bars(),
            "a piece needs at least one coefficient after the input: `|x, a| …`",
        ),
        count if count > MAX_COEFFICIENTS + 1 => {
            let message = format!(
                "a piece has at most {MAX_COEFFICIENTS} coefficients, found {}",
                count - 1
            );
            diagnostics.error_at(&closure.inputs[MAX_COEFFICIENTS + 1], message);
        }
        _ => {}
    }
}

/// All identifiers in `tokens`, of which a rejected pattern may have meant to make variables.
pub(super) fn identifiers(tokens: TokenStream) -> Vec<Ident> {
    let inside = |tree| match tree {
        TokenTree::Ident(identifier) => vec![identifier],
        TokenTree::Group(group) => identifiers(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    tokens.into_iter().flat_map(inside).collect()
}
