//! [`CoefficientList`]: the constants in `init(a = [1.0, 0.0], b = 0.0)` and `lambda(…)`.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;

use super::literal_of;
use super::split::{after_equals, items, visible};
use crate::diagnostics::Diagnostics;
use crate::number::number;

/// The argument `init` or `lambda`: `name = values` for some coefficients.
pub(crate) type CoefficientList = Vec<CoefficientEntry>;

/// One entry of a [`CoefficientList`].
pub(crate) struct CoefficientEntry {
    pub(crate) name: Ident,
    /// `None` if they are wrong, which has been reported.
    pub(crate) values: Option<Values>,
}

/// One value for all pieces, or a list with one for each.
pub(crate) enum Values {
    Single(f64),
    List(Vec<f64>, Group),
}

/// The list in `(a = …, b = …)`.
pub(super) fn parse(
    name: &Ident,
    rest: &[TokenTree],
    example: &str,
    diagnostics: &Diagnostics,
) -> Option<CoefficientList> {
    let [TokenTree::Group(group)] = &*visible(rest) else {
        diagnostics.error(
            name.span(),
            format!("expected a list of coefficients: `{example}`"),
        );
        return None;
    };
    if group.delimiter() != Delimiter::Parenthesis {
        diagnostics.error(group.span_open(), format!("expected parentheses: `{example}`"));
        return None;
    }
    let mut list = CoefficientList::new();
    for entry in items(group.stream()) {
        let Some(entry) = parse_entry(&entry, group, example, diagnostics) else {
            continue;
        };
        if list.iter().any(|other| other.name.unraw() == entry.name.unraw()) {
            let message = format!("duplicate coefficient `{}` in `{name}`", entry.name.unraw());
            diagnostics.error(entry.name.span(), message);
        } else {
            list.push(entry);
        }
    }
    Some(list)
}

/// One entry `a = values`. Values that are wrong are reported and leave the entry in the list.
fn parse_entry(
    entry: &[TokenTree],
    list: &Group,
    example: &str,
    diagnostics: &Diagnostics,
) -> Option<CoefficientEntry> {
    if let [TokenTree::Ident(name), rest @ ..] = entry
        && let Some(values) = after_equals(rest)
    {
        let values = parse_values(name.span(), values, diagnostics);
        return Some(CoefficientEntry {
            name: name.clone(),
            values,
        });
    }
    if entry.is_empty() {
        let message = format!("expected a coefficient between the commas: `{example}`");
        diagnostics.error(list.span_close(), message);
    } else {
        let entry: TokenStream = entry.iter().cloned().collect();
        diagnostics.error_at(entry, format!("expected `name = value`: `{example}`"));
    }
    None
}

/// A number, or a list of numbers in brackets. `before` is the place to report that there is none.
fn parse_values(before: Span, tokens: &[TokenTree], diagnostics: &Diagnostics) -> Option<Values> {
    let tokens = &*visible(tokens);
    if let [TokenTree::Group(group)] = tokens
        && group.delimiter() == Delimiter::Bracket
    {
        let items = items(group.stream());
        // Every number is parsed, so that every mistake is seen.
        let numbers: Vec<Option<f64>> = items
            .iter()
            .map(|item| signed_number(group.span_close(), item, diagnostics))
            .collect();
        let numbers: Option<Vec<f64>> = numbers.into_iter().collect();
        return numbers.map(|numbers| Values::List(numbers, group.clone()));
    }
    signed_number(before, tokens, diagnostics).map(Values::Single)
}

/// A number literal with an optional minus.
fn signed_number(before: Span, tokens: &[TokenTree], diagnostics: &Diagnostics) -> Option<f64> {
    let tokens = &*visible(tokens);
    let result = match literal_of(tokens) {
        Some(literal) => number(&literal),
        None => Err("expected a number such as `0.5`, or a list such as `[1.0, 0.0]`".to_owned()),
    };
    let tokens: TokenStream = tokens.iter().cloned().collect();
    match result {
        Ok(value) => return Some(value),
        Err(message) if tokens.is_empty() => diagnostics.error(before, message),
        Err(message) => diagnostics.error_at(tokens, message),
    }
    None
}
