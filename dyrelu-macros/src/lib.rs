//! The attribute `#[dynamic_activation]`, which the crate `dyrelu` re-exports.
//!
//! # How it works
//!
//! ```text
//!  #[dynamic_activation(k = 2, share = "spatial", piece = |x, a, b| a * x + b)]     pub struct DyReluB;
//!         │ the attribute's tokens                                                       │ the item's tokens
//!         ▼                                                                              ▼
//!    args: Args, each argument checked by itself                               input: Target, name and visibility
//!         └──────────────────────────────────────┬───────────────────────────────────────┘
//!                                                ▼
//!                          validate: spec::ActivationSpec, valid by construction
//!                              │  piece::lower: syn::Expr → symbolic::Expressions
//!                              │  symbolic: gradient, simplification, homogeneity
//!                              ▼
//!                          emit: impl Piece, impl DynamicActivation, fn layer
//! ```
//!
//! Each stage is one file, or one folder, whose output type is its contract; `expand` alone knows their order.
//! All stages report mistakes to `diagnostics` and go on. If there are any, `fallback` stands in for `emit`.

mod args;
mod diagnostics;
mod emit;
mod expand;
mod fallback;
mod input;
mod number;
mod piece;
mod runtime;
mod spec;
mod symbolic;
#[cfg(test)]
mod tests;
mod validate;

#[doc = include_str!("../docs/dynamic_activation.md")]
#[proc_macro_attribute]
pub fn dynamic_activation(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand::expand(arguments.into(), &item.into()).into()
}
