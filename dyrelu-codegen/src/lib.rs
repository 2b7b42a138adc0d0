//! The language of the attribute `#[dynamic_activation]`: from its text to the implementations that it stands for.
//!
//! The crate `dyrelu-macros` makes a macro of it; programs can use it as it is.
//!
//! # How it works
//!
//! ```text
//!  #[dynamic_activation(k = 2, share = "spatial", piece = |x, a, b| a * x + b)]     pub struct DyReluB;
//!         │ the attribute's tokens                                                       │ the item's tokens
//!         ▼                                                                              ▼
//!    args: Args, each argument checked by itself                               input: Target, name and visibility
//!         │                                                                              │
//!         ▼                                                                              │
//!    kinds: Kinds, what each parameter is                                                │
//!         └──────────────────────────────────────┬───────────────────────────────────────┘
//!                                                ▼
//!                          validate: spec::ActivationSpec, valid by construction
//!                              │  piece::lower: syn::Expr → symbolic::Expressions
//!                              │  symbolic: constants, gradient, simplification, homogeneity
//!                              ▼
//!                          emit: impl Piece, impl DynamicActivation, fn layer
//! ```
//!
//! Each stage is one file, or one folder, whose output type is its contract; `expand` alone knows their order.
//! All stages report mistakes to `diagnostics` and go on. If there are any, `fallback` stands in for `emit`. For
//! programs that show an activation, `inspect` stands in for `input` and `emit`.
#![forbid(unsafe_code)]

mod args;
mod diagnostics;
mod emit;
mod expand;
mod fallback;
mod input;
mod inspect;
mod kinds;
mod number;
mod piece;
mod runtime;
mod spec;
mod symbolic;
#[cfg(test)]
mod tests;
mod validate;

pub use expand::expand;
pub use inspect::{Activation, Coefficient, Derivative, Hyper, Mistake, Neighbour, Source, inspect};
