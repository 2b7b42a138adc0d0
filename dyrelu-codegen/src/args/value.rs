//! [`Value`]: what stands after `name =`, of an argument or of an entry in one.

use std::fmt::Display;

use proc_macro2::{Delimiter, Ident, Literal, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Lit, Path};

use super::SpeltSquash;
use super::split::{after_equals, visible};
use crate::diagnostics::{Diagnostics, did_you_mean};
use crate::runtime::Runtime;
use crate::spec::{Choice, MAX_PIECES, spellings};

/// The tokens after `name =`.
pub(super) struct Value<'a> {
    pub(super) name: Ident,
    /// How the whole argument should look.
    pub(super) example: &'a str,
    /// Without invisible delimiters round all of it.
    pub(super) tokens: Vec<TokenTree>,
    pub(super) diagnostics: &'a Diagnostics,
}

impl<'a> Value<'a> {
    /// The value in `= value`; `None` if there is none, which is reported.
    pub(super) fn of_argument(
        name: &Ident,
        rest: &[TokenTree],
        example: &'a str,
        diagnostics: &'a Diagnostics,
    ) -> Option<Self> {
        if let [TokenTree::Group(group)] = rest
            && group.delimiter() == Delimiter::Parenthesis
        {
            let example = match without_equals(rest) {
                Some(literal) => format!("{name} = {literal}"),
                None => example.to_owned(),
            };
            diagnostics.error(group.span_open(), format!("expected `=`: `{example}`"));
            return None;
        }
        let tokens = visible(after_equals(rest).unwrap_or_default());
        if tokens.is_empty() {
            diagnostics.error(name.span(), format!("expected a value: `{example}`"));
            return None;
        }
        Some(Self {
            name: name.clone(),
            example,
            tokens,
            diagnostics,
        })
    }
}

impl Value<'_> {
    /// Reports a mistake at the value, or at the name if there is no value.
    pub(super) fn reject<T>(&self, message: impl Display) -> Option<T> {
        if self.tokens.is_empty() {
            self.diagnostics.error(self.name.span(), message);
        } else {
            self.diagnostics.error_at(self.stream(), message);
        }
        None
    }

    /// Reports that the value should have been a `what`.
    fn expected<T>(&self, what: &str) -> Option<T> {
        self.reject(format!("expected {what}: `{}`", self.example))
    }

    fn stream(&self) -> TokenStream {
        self.tokens.iter().cloned().collect()
    }

    /// The value of `k`.
    pub(super) fn count(&self) -> Option<usize> {
        let Some(Lit::Int(literal)) = literal_of(&self.tokens) else {
            return self.expected("an integer");
        };
        if !literal.suffix().is_empty() {
            return self.expected("an integer without a suffix");
        }
        let digits = literal.base10_digits();
        match digits.parse() {
            Ok(k @ 1..=MAX_PIECES) => Some(k),
            Err(_) if !digits.starts_with('-') => self.too_many_pieces(digits),
            Ok(1..) => self.too_many_pieces(digits),
            Ok(0) | Err(_) => self.reject(format!("`k` must be at least 1, found {digits}")),
        }
    }

    fn too_many_pieces<T>(&self, digits: &str) -> Option<T> {
        self.reject(format!("`k` must be at most {MAX_PIECES}, found {digits}"))
    }

    /// A choice that is spelt as a string.
    pub(super) fn choice<C: Choice>(&self) -> Option<C> {
        let text = match literal_of(&self.tokens) {
            Some(Lit::Str(literal)) if literal.suffix().is_empty() => literal.value(),
            _ => return self.unquoted::<C>(),
        };
        if let Some((_, choice)) = C::ALL.iter().find(|(spelling, _)| *spelling == text) {
            return Some(*choice);
        }
        let suggestion = meant_choice::<C>(&text)
            .map_or_else(String::new, |spelling| format!(" did you mean {spelling:?}?"));
        let (what, all) = (C::WHAT, spellings::<C>());
        self.reject(format!(
            "unknown {what} {text:?};{suggestion} expected one of {all}"
        ))
    }

    /// The value of `squash`, or of one of its entries.
    pub(super) fn squash(&self) -> Option<SpeltSquash> {
        let squash = self.choice()?;
        let span = self.tokens.first()?.span();
        Some(SpeltSquash { squash, span })
    }

    /// Reports a choice that is no string, with the text that should be there.
    fn unquoted<C: Choice>(&self) -> Option<C> {
        let text: String = self.tokens.iter().map(ToString::to_string).collect();
        let key = self.name.unraw();
        let spelling = meant_choice::<C>(&text).unwrap_or(C::ALL[0].0);
        self.reject(format!("expected a string literal: `{key} = {spelling:?}`"))
    }

    /// The value of `crate`.
    pub(super) fn runtime(&self) -> Option<Runtime> {
        let Ok(path) = Path::parse_mod_style.parse2(self.stream()) else {
            return self.expected("a path");
        };
        let first = path
            .segments
            .first()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default();
        match first.as_str() {
            "crate" | "$crate" => Some(Runtime::new(&path)),
            _ if path.leading_colon.is_some() => Some(Runtime::new(&path)),
            "self" | "super" => self.expected("an absolute path"),
            _ => {
                let text = path.to_token_stream().to_string().replace(' ', "");
                self.diagnostics
                    .error_at(path, format!("expected an absolute path: `crate = ::{text}`"));
                None
            }
        }
    }
}

/// The literal in `("tanh")`, where `= "tanh"` was meant.
pub(super) fn without_equals(rest: &[TokenTree]) -> Option<Literal> {
    let [TokenTree::Group(group)] = &*visible(rest) else {
        return None;
    };
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    match &*visible(&inside) {
        [TokenTree::Literal(literal)] => Some(literal.clone()),
        _ => None,
    }
}

/// Reports `squash("tanh")`, which may mean either form.
pub(super) fn reject_squash<T>(literal: &Literal, diagnostics: &Diagnostics) -> Option<T> {
    let message = format!(
        "expected `squash = {literal}` for all coefficients, or `squash(a = {literal})` for some of them"
    );
    diagnostics.error(literal.span(), message);
    None
}

/// The spelling of the choice that `text` probably means.
fn meant_choice<C: Choice>(text: &str) -> Option<&'static str> {
    let dense = text.replace(' ', "");
    let alias = C::ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(&dense));
    alias
        .map(|(_, spelling)| *spelling)
        .or_else(|| did_you_mean(text, C::ALL.iter().map(|(spelling, _)| *spelling)))
}

/// The literal that `trees` are, with a minus if it is a negative number, also inside invisible delimiters.
pub(super) fn literal_of(trees: &[TokenTree]) -> Option<Lit> {
    syn::parse2(trees.iter().cloned().collect()).ok()
}
