//! From [`ActivationSpec`] to tokens. Nothing here can fail.
//!
//! # Rules for generated code
//!
//! * Every path is absolute, and every local name has the hygiene of [`Span::mixed_site`]. What this cannot
//!   prevent: a constant, a static or a unit struct in the user's scope that has the lower-case name of a
//!   coefficient is an error of the compiler at that name.
//! * The loops over pieces and elements live in `dyrelu-core`: the code is equally short whatever `k` is.
//! * Equal input gives equal output, byte for byte.

mod activation;
mod docs;
mod expr;
mod piece;

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote_spanned;

use crate::spec::ActivationSpec;

/// The implementations for the struct:
///
/// ```text
/// #[allow(…)]
/// const _: () = {
///     impl ::dyrelu::Piece<2> for DyReluB { … }
///     impl ::dyrelu::DynamicActivation for DyReluB { … }
///     impl DyReluB { … }
/// };
/// ```
pub(crate) fn emit(spec: &ActivationSpec) -> TokenStream {
    let piece = piece::emit(spec);
    let activation = activation::emit(spec);
    let layer = activation::emit_layer(spec);
    wrap(&quote_spanned!(Span::mixed_site()=> #piece #activation #layer))
}

/// Puts implementations where their lints and names concern nobody else.
pub(crate) fn wrap(implementations: &TokenStream) -> TokenStream {
    quote_spanned! {Span::mixed_site()=>
        // `layer` may be unused, and a formula may look odd to clippy; the user wrote neither.
        #[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery, clippy::same_name_method)]
        const _: () = {
            #implementations
        };
    }
}

/// A count as a literal without a suffix.
pub(crate) fn integer(count: usize) -> Literal {
    Literal::usize_unsuffixed(count)
}
