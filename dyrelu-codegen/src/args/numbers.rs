//! Numbers as the values of entries: constants for each piece, learned values, constants of a formula.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;

use super::split::{items, visible};
use super::value::{Value, literal_of};
use crate::diagnostics::{Diagnostics, did_you_mean};
use crate::number::number;

/// One value for all pieces, or a list with one for each.
pub(crate) enum Values {
    Single(f64),
    List(Vec<f64>, Group),
}

/// What a learned coefficient begins with.
pub(crate) struct Learned {
    pub(crate) init: Values,
    /// Whether all channels have one value.
    pub(crate) shared: bool,
}

impl Value<'_> {
    /// A number, or a list of numbers in brackets.
    pub(super) fn per_piece(&self) -> Option<Values> {
        values(self.name.span(), &self.tokens, self.diagnostics)
    }

    /// The value of an entry of `learned`: a number or a list, also in `shared(…)`.
    pub(super) fn learned(&self) -> Option<Learned> {
        if let [TokenTree::Ident(word), TokenTree::Group(group)] = &*self.tokens
            && word == "shared"
            && group.delimiter() == Delimiter::Parenthesis
        {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let init = values(word.span(), &inside, self.diagnostics)?;
            return Some(Learned { init, shared: true });
        }
        if let [TokenTree::Ident(word), TokenTree::Group(group)] = &*self.tokens
            && did_you_mean(&word.to_string(), ["shared"]).is_some()
        {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            let value = match (literal_of(&inside), &*inside) {
                (Some(number), _) => number.to_token_stream().to_string(),
                (None, [TokenTree::Group(_)]) => "[1.0, 0.0]".to_owned(),
                (None, _) => "1.0".to_owned(),
            };
            self.diagnostics
                .error(word.span(), format!("did you mean `shared({value})`?"));
            return None;
        }
        let init = self.per_piece()?;
        Some(Learned { init, shared: false })
    }

    /// The value of an entry of `fixed`: a number.
    pub(super) fn constant(&self) -> Option<f64> {
        match &*self.tokens {
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket => self.reject(
                "a fixed constant is one number; if it differs between the pieces, write these as a list of closures: \
                 `piece = [|x, a| a * x, |x| 0.1 * x]`",
            ),
            [TokenTree::Ident(word), TokenTree::Group(_)] if word == "shared" => {
                let name = self.name.unraw();
                self.reject(format!("a fixed constant is one number: `{name} = 1.0`"))
            }
            tokens => signed_number(
                self.name.span(),
                tokens,
                "expected a number such as `0.5`",
                self.diagnostics,
            ),
        }
    }
}

/// A number, or a list of numbers in brackets. `before` is the place to report that there is none.
fn values(before: Span, tokens: &[TokenTree], diagnostics: &Diagnostics) -> Option<Values> {
    const EXPECTED: &str = "expected a number such as `0.5`, or a list such as `[1.0, 0.0]`";
    let tokens = &*visible(tokens);
    if let [TokenTree::Group(group)] = tokens
        && group.delimiter() == Delimiter::Bracket
    {
        let items = items(group.stream());
        // Every number is parsed, so that every mistake is seen.
        let numbers: Vec<Option<f64>> = items
            .iter()
            .map(|item| signed_number(group.span_close(), item, EXPECTED, diagnostics))
            .collect();
        let numbers: Option<Vec<f64>> = numbers.into_iter().collect();
        return numbers.map(|numbers| Values::List(numbers, group.clone()));
    }
    signed_number(before, tokens, EXPECTED, diagnostics).map(Values::Single)
}

/// A number literal with an optional minus.
fn signed_number(
    before: Span,
    tokens: &[TokenTree],
    expected: &str,
    diagnostics: &Diagnostics,
) -> Option<f64> {
    let tokens = &*visible(tokens);
    let result = match literal_of(tokens) {
        Some(literal) => number(&literal),
        None => Err(expected.to_owned()),
    };
    let tokens: TokenStream = tokens.iter().cloned().collect();
    match result {
        Ok(value) => return Some(value),
        Err(message) if tokens.is_empty() => diagnostics.error(before, message),
        Err(message) => diagnostics.error_at(tokens, message),
    }
    None
}
