//! Separates arguments before they are parsed, so that a mistake in one hides none in the others.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use super::{argument_names, builder_methods};
use crate::diagnostics::Diagnostics;

/// The arguments, each as its tokens without the comma after it.
///
/// Commas separate arguments, except between the bars of a closure. Should a bar be missing, the next comma
/// before an argument's name and `=` or `(` separates nevertheless. A semicolon is a mistake for a comma.
pub(super) fn arguments(tokens: TokenStream, diagnostics: &Diagnostics) -> Vec<Vec<TokenTree>> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut arguments = Vec::new();
    let mut argument = Vec::new();
    let mut between_bars = false;
    for (index, tree) in trees.iter().enumerate() {
        if let TokenTree::Punct(punct) = tree {
            between_bars ^= punct.as_char() == '|';
            let semicolon = punct.as_char() == ';';
            let comma = punct.as_char() == ',';
            if semicolon {
                diagnostics.error(punct.span(), "expected `,`, found `;`");
            }
            if semicolon || comma && (!between_bars || starts_argument(&trees[index + 1..])) {
                if argument.is_empty() && comma {
                    diagnostics.error(punct.span(), "expected an argument before this comma");
                }
                arguments.push(std::mem::take(&mut argument));
                between_bars = false;
                continue;
            }
        }
        if lacks_comma(&argument, &trees[index..]) {
            diagnostics.error(tree.span(), format!("expected a comma before `{tree}`"));
            arguments.push(std::mem::take(&mut argument));
            between_bars = false;
        }
        argument.push(tree.clone());
    }
    arguments.push(argument);
    arguments.retain(|argument| !argument.is_empty());
    arguments
}

/// Whether `trees` begin like an argument: `name =` or `name (`.
fn starts_argument(trees: &[TokenTree]) -> bool {
    let [TokenTree::Ident(name), rest @ ..] = trees else {
        return false;
    };
    let opens = matches!(rest, [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Parenthesis);
    is_argument_name(name) && (opens || after_equals(rest).is_some())
}

/// Whether `name` is an argument, or a method of the builder that is easily mistaken for one.
fn is_argument_name(name: &Ident) -> bool {
    argument_names()
        .chain(builder_methods())
        .any(|other| name == other)
}

/// Whether a new argument begins in the middle of another one, as in `k = 2 share = "none"`.
fn lacks_comma(argument: &[TokenTree], rest: &[TokenTree]) -> bool {
    let complete = argument.len() > 1 && !matches!(argument.last(), Some(TokenTree::Punct(_)));
    match rest {
        [TokenTree::Ident(name), rest @ ..] if complete && is_argument_name(name) => {
            after_equals(rest).is_some()
        }
        _ => false,
    }
}

/// The tokens after a single `=`; `None` if `trees` begin otherwise, also with `==` or `=>`.
pub(super) fn after_equals(trees: &[TokenTree]) -> Option<&[TokenTree]> {
    let is = |tree: &TokenTree, symbol| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == symbol);
    let [equals, rest @ ..] = trees else { return None };
    let longer = rest.first().is_some_and(|next| is(next, '=') || is(next, '>'));
    (is(equals, '=') && !longer).then_some(rest)
}

/// The tokens between commas; a comma at the end is optional.
pub(super) fn items(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut items = vec![Vec::new()];
    for tree in tokens {
        match (&tree, items.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => items.push(Vec::new()),
            (_, Some(item)) => item.push(tree),
            (_, None) => {}
        }
    }
    if items.last().is_some_and(Vec::is_empty) {
        items.pop();
    }
    items
}

/// The closures between commas, which separate nothing between the bars of a closure; a comma at the end is optional.
pub(super) fn closures(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let mut closures = vec![Vec::new()];
    let mut between_bars = false;
    for tree in tokens {
        let symbol = match &tree {
            TokenTree::Punct(punct) => Some(punct.as_char()),
            _ => None,
        };
        between_bars ^= symbol == Some('|');
        match closures.last_mut() {
            Some(closure) if symbol != Some(',') || between_bars => closure.push(tree),
            _ => closures.push(Vec::new()),
        }
    }
    if closures.last().is_some_and(Vec::is_empty) {
        closures.pop();
    }
    closures
}

/// `trees`, or what they stand for: macros by example put an expression into invisible delimiters.
pub(super) fn visible(trees: &[TokenTree]) -> Vec<TokenTree> {
    match trees {
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
            visible(&group.stream().into_iter().collect::<Vec<_>>())
        }
        _ => trees.to_vec(),
    }
}
