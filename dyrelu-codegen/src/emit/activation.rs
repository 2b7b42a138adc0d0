//! `impl DynamicActivation` and the method `layer`: the constants.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt;

use super::expr::literal;
use super::{docs, integer};
use crate::piece::Named;
use crate::runtime::Runtime;
use crate::spec::{ActivationSpec, CoefficientSpec, Combine, PerPiece, Sharing};

/// Expands to:
///
/// ```text
/// #[automatically_derived]
/// impl ::dyrelu::DynamicActivation for DyReluB {
///     const NAME: &'static ::core::primitive::str = "DyReluB";
///     const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Spatial;
///     const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
///     const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
///         ::dyrelu::Coefficient::dynamic("a", ::dyrelu::PerPiece::First(1.0)),
///         ::dyrelu::Coefficient::dynamic("b", ::dyrelu::PerPiece::Same(0.0))
///             .lambda(::dyrelu::PerPiece::Same(0.5)),
///     ];
///     const HOMOGENEOUS: ::core::primitive::bool = true;
///     type Pieces = ::dyrelu::Pieces<2, 2>;
/// }
/// ```
pub(super) fn emit(spec: &ActivationSpec) -> TokenStream {
    let ActivationSpec {
        name,
        runtime: dyrelu,
        piece,
        ..
    } = spec;
    let site = Span::mixed_site();
    let text = name.unraw().to_string();
    let (k, p) = (integer(spec.k), integer(spec.coefficients.len()));
    let sharing = match spec.sharing {
        Sharing::SpatialAndChannel => quote_spanned!(site=> SpatialAndChannel),
        Sharing::Spatial => quote_spanned!(site=> Spatial),
        Sharing::Unshared => quote_spanned!(site=> Unshared),
    };
    let combine = match spec.combine {
        Combine::Max => quote_spanned!(site=> Max),
        Combine::Min => quote_spanned!(site=> Min),
        Combine::Sum => quote_spanned!(site=> Sum),
    };
    let homogeneous = piece.homogeneous;
    let coefficients = piece.parameters[1..]
        .iter()
        .zip(&spec.coefficients)
        .map(|(named, constants)| coefficient(dyrelu, named, constants));
    quote_spanned! {site=>
        #[automatically_derived]
        impl #dyrelu::DynamicActivation for #name {
            const NAME: &'static ::core::primitive::str = #text;
            const SHARING: #dyrelu::Sharing = #dyrelu::Sharing::#sharing;
            const COMBINE: #dyrelu::Combine = #dyrelu::Combine::#combine;
            const COEFFICIENTS: &'static [#dyrelu::Coefficient] = &[#(#coefficients),*];
            const HOMOGENEOUS: ::core::primitive::bool = #homogeneous;
            type Pieces = #dyrelu::Pieces<#k, #p>;
        }
    }
}

/// Expands to `::dyrelu::Coefficient::dynamic("a", init)`, and `.lambda(lambda)` if it is not 1.
fn coefficient(dyrelu: &Runtime, named: &Named, constants: &CoefficientSpec) -> TokenStream {
    let name = named.name.unraw().to_string();
    let site = Span::mixed_site();
    let init = per_piece(dyrelu, &constants.init);
    let lambda = (constants.lambda != PerPiece::Same(1.0)).then(|| {
        let lambda = per_piece(dyrelu, &constants.lambda);
        quote_spanned!(site=> .lambda(#lambda))
    });
    quote_spanned!(site=> #dyrelu::Coefficient::dynamic(#name, #init) #lambda)
}

/// Expands to `::dyrelu::PerPiece::Same(0.5)`, or another variant.
fn per_piece(dyrelu: &Runtime, constants: &PerPiece) -> TokenStream {
    let site = Span::mixed_site();
    match constants {
        PerPiece::Same(value) => {
            let value = literal(*value);
            quote_spanned!(site=> #dyrelu::PerPiece::Same(#value))
        }
        PerPiece::First(value) => {
            let value = literal(*value);
            quote_spanned!(site=> #dyrelu::PerPiece::First(#value))
        }
        PerPiece::Each(values) => {
            let values = values.iter().map(|value| literal(*value));
            quote_spanned!(site=> #dyrelu::PerPiece::Each(&[#(#values),*]))
        }
    }
}

/// Expands to:
///
/// ```text
/// /// What this activation computes: …
/// impl DyReluB {
///     /// Begins a layer …
///     #[must_use]
///     pub fn layer<T: ::dyrelu::Scalar>(channels: ::core::primitive::usize) -> ::dyrelu::LayerBuilder<Self, T> {
///         <Self as ::dyrelu::DynamicActivation>::layer(channels)
///     }
/// }
/// ```
///
/// The trait has the same method; this one can be called without importing the trait.
pub(super) fn emit_layer(spec: &ActivationSpec) -> TokenStream {
    let ActivationSpec {
        name,
        visibility,
        runtime: dyrelu,
        ..
    } = spec;
    let description = docs::description(spec);
    quote_spanned! {Span::mixed_site()=>
        #[doc = #description]
        impl #name {
            /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
            #[must_use]
            #visibility fn layer<T: #dyrelu::Scalar>(
                channels: ::core::primitive::usize,
            ) -> #dyrelu::LayerBuilder<Self, T> {
                <Self as #dyrelu::DynamicActivation>::layer(channels)
            }
        }
    }
}
