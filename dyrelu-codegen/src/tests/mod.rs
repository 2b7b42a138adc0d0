//! Tests of the whole macro on tokens, without a compiler run. `tests/ui` of the workspace has those with one.

mod expansion;
mod hygiene;
mod inspection;
mod messages;
mod reference_page;
mod robustness;

use proc_macro2::{TokenStream, TokenTree};

/// The expansion of `#[dynamic_activation(arguments)] item`.
pub(crate) fn expand(arguments: &str, item: &str) -> TokenStream {
    let parse = |text: &str| text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    crate::expand::expand(parse(arguments), &parse(item))
}

/// The messages of all `compile_error!`s in an expansion.
pub(crate) fn messages_in(expansion: TokenStream) -> Vec<String> {
    let trees: Vec<TokenTree> = expansion.into_iter().collect();
    let message = |window: &[TokenTree]| match window {
        [
            TokenTree::Ident(name),
            TokenTree::Punct(_),
            TokenTree::Group(group),
        ] if name == "compile_error" => {
            let literal: syn::LitStr = syn::parse2(group.stream()).expect("a string");
            Some(literal.value())
        }
        _ => None,
    };
    trees.windows(3).filter_map(message).collect()
}
