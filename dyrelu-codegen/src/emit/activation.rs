//! `impl DynamicActivation` and the method `layer`: the constants.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt;

use super::expr::{literal, whole};
use super::{docs, integer};
use crate::piece::Named;
use crate::runtime::Runtime;
use crate::spec::{
    ActivationSpec, Attention, CoefficientSpec, Combine, Context, Hyper, Inner, PerPiece, Sharing, Shift,
    Source, Squash,
};

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
///     // NEIGHBOURS, HYPER and ATTENTION, each if it is not the trait's default.
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
    let (k, p) = (integer(spec.k), integer(piece.parameters.len() - 1));
    let sharing = match spec.sharing {
        Sharing::SpatialAndChannel => quote_spanned!(site=> SpatialAndChannel),
        Sharing::Spatial => quote_spanned!(site=> Spatial),
        Sharing::Unshared => quote_spanned!(site=> Unshared),
    };
    let combine = match spec.combine {
        // There is one piece then.
        _ if spec.folded > 1 => quote_spanned!(site=> Max),
        Combine::Max => quote_spanned!(site=> Max),
        Combine::Min => quote_spanned!(site=> Min),
        Combine::Sum => quote_spanned!(site=> Sum),
    };
    let homogeneous = piece.homogeneous;
    let (coefficients, neighbours) = piece.parameters[1..].split_at(spec.coefficients.len());
    let coefficients = coefficients
        .iter()
        .zip(&spec.coefficients)
        .map(|(named, constants)| coefficient(dyrelu, named, constants));
    let neighbours = (!neighbours.is_empty()).then(|| {
        let neighbours = neighbours
            .iter()
            .zip(&spec.neighbours)
            .map(|(named, shift)| neighbour(dyrelu, named, *shift));
        quote_spanned!(site=> const NEIGHBOURS: &'static [#dyrelu::Neighbour] = &[#(#neighbours),*];)
    });
    let hyper = (spec.hyper != Hyper::PAPER).then(|| {
        let hyper = hyper(dyrelu, spec.hyper);
        quote_spanned!(site=> const HYPER: #dyrelu::Hyper = #hyper;)
    });
    let attention = match spec.attention {
        Attention::Softmax => None,
        Attention::Normalised => Some(quote_spanned! {site=>
            const ATTENTION: #dyrelu::Attention = #dyrelu::Attention::Normalised;
        }),
    };
    quote_spanned! {site=>
        #[automatically_derived]
        impl #dyrelu::DynamicActivation for #name {
            const NAME: &'static ::core::primitive::str = #text;
            const SHARING: #dyrelu::Sharing = #dyrelu::Sharing::#sharing;
            const COMBINE: #dyrelu::Combine = #dyrelu::Combine::#combine;
            const COEFFICIENTS: &'static [#dyrelu::Coefficient] = &[#(#coefficients),*];
            #neighbours
            #hyper
            #attention
            const HOMOGENEOUS: ::core::primitive::bool = #homogeneous;
            type Pieces = #dyrelu::Pieces<#k, #p>;
        }
    }
}

/// Expands to `::dyrelu::Coefficient::dynamic("a", init)`, with `.lambda(lambda)` if it is not 1 and `.squash(squash)`
/// if it is not the paper's; or to `::dyrelu::Coefficient::learned("p", init)`, with `.shared()` if it is.
fn coefficient(dyrelu: &Runtime, named: &Named, spec: &CoefficientSpec) -> TokenStream {
    let name = named.name.unraw().to_string();
    let site = Span::mixed_site();
    let init = per_piece(dyrelu, &spec.init);
    match &spec.source {
        Source::Dynamic { lambda, squash } => {
            let lambda = (*lambda != PerPiece::Same(1.0)).then(|| {
                let lambda = per_piece(dyrelu, lambda);
                quote_spanned!(site=> .lambda(#lambda))
            });
            let squash = (*squash != Squash::CentredSigmoid).then(|| {
                let squash = variant_of_squash(*squash);
                quote_spanned!(site=> .squash(#dyrelu::Squash::#squash))
            });
            quote_spanned!(site=> #dyrelu::Coefficient::dynamic(#name, #init) #lambda #squash)
        }
        Source::Learned { shared } => {
            let shared = shared.then(|| quote_spanned!(site=> .shared()));
            quote_spanned!(site=> #dyrelu::Coefficient::learned(#name, #init) #shared)
        }
    }
}

fn variant_of_squash(squash: Squash) -> Ident {
    let variant = match squash {
        Squash::CentredSigmoid => "CentredSigmoid",
        Squash::Sigmoid => "Sigmoid",
        Squash::Tanh => "Tanh",
        Squash::CentredHardSigmoid => "CentredHardSigmoid",
        Squash::HardSigmoid => "HardSigmoid",
        Squash::CentredSteepHardSigmoid => "CentredSteepHardSigmoid",
        Squash::SteepHardSigmoid => "SteepHardSigmoid",
        Squash::Identity => "Identity",
        Squash::Softmax => "Softmax",
    };
    Ident::new(variant, Span::mixed_site())
}

/// Expands to `::dyrelu::Neighbour { name: "s", groups: 1, channels: 0 }`.
fn neighbour(dyrelu: &Runtime, named: &Named, shift: Shift) -> TokenStream {
    let name = named.name.unraw().to_string();
    let (groups, channels) = (whole(shift.groups), whole(shift.channels));
    quote_spanned! {Span::mixed_site()=>
        #dyrelu::Neighbour { name: #name, groups: #groups, channels: #channels }
    }
}

/// Expands to `::dyrelu::Hyper { context: ::dyrelu::Context::PooledHalves, ..::dyrelu::Hyper::PAPER }`, with the fields
/// that differ from the paper's. All of them never do: where there is one layer, nothing stands between two.
fn hyper(dyrelu: &Runtime, hyper: Hyper) -> TokenStream {
    let site = Span::mixed_site();
    let context = match hyper.context {
        Context::Pooled => None,
        Context::PooledHalves => Some(quote_spanned!(site=> context: #dyrelu::Context::PooledHalves,)),
        Context::External => Some(quote_spanned!(site=> context: #dyrelu::Context::External,)),
    };
    let layers = (hyper.layers != Hyper::PAPER.layers).then(|| {
        let layers = integer(hyper.layers);
        quote_spanned!(site=> layers: #layers,)
    });
    let inner = match hyper.inner {
        Inner::Relu => None,
        Inner::Identity => Some(quote_spanned!(site=> inner: #dyrelu::Inner::Identity,)),
    };
    quote_spanned!(site=> #dyrelu::Hyper { #context #layers #inner ..#dyrelu::Hyper::PAPER })
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
