//! [`expand`]: the stages in order.

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Diagnostics;
use crate::fallback::Outline;
use crate::{args, emit, fallback, input, validate};

/// The item, unchanged, and what the attribute adds to it: the implementations, or the mistakes.
#[must_use]
pub fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let diagnostics = Diagnostics::default();
    let args = args::parse(arguments, &diagnostics);
    let target = input::parse(item.clone(), &diagnostics);
    let outline = Outline::of(&args, target.as_ref());
    let spec = validate::validate(args, target, &diagnostics);
    let added = match diagnostics.finish(spec) {
        Ok(spec) => emit::emit(&spec),
        Err(errors) => {
            let errors = errors.iter().map(syn::Error::to_compile_error);
            let stubs = outline.map(|outline| fallback::emit(&outline));
            quote!(#(#errors)* #stubs)
        }
    };
    quote!(#item #added)
}
