//! What stands in for the implementations when there are mistakes.
//!
//! Without it, each use of the type would be reported as well, and the real mistake would drown.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::{Generics, Visibility, parse_quote_spanned};

use crate::args::{Args, Pieces, Slot};
use crate::emit::{integer, wrap};
use crate::input::Target;
use crate::runtime::Runtime;
use crate::spec::MAX_COEFFICIENTS;

/// As much of an activation as could be understood.
pub(crate) struct Outline {
    name: Ident,
    visibility: Visibility,
    generics: Generics,
    runtime: Runtime,
    k: usize,
    p: usize,
}

impl Outline {
    /// The outline of an activation for an item that is a type.
    pub(crate) fn of(args: &Args, target: Option<&Target>) -> Option<Self> {
        let target = target?;
        let (k, p) = match &args.piece {
            Slot::Given(pieces) => {
                let closures = pieces.closures().into_iter().flatten();
                let p: usize = closures
                    .map(|closure| closure.inputs.len().saturating_sub(1))
                    .sum();
                let k = match pieces {
                    Pieces::Shared(_) => args.k.as_given(),
                    Pieces::Own(_) => None,
                };
                (k, p.min(MAX_COEFFICIENTS))
            }
            Slot::Missing | Slot::Invalid => (args.k.as_given(), 2),
        };
        Some(Self {
            name: target.name.clone(),
            visibility: target.visibility.clone(),
            generics: target.generics.clone(),
            runtime: args.runtime.as_given().cloned().unwrap_or_default(),
            k: k.copied().unwrap_or(1),
            p,
        })
    }
}

/// Implementations with the right signatures, whose bodies never run because the compilation fails.
///
/// The item may be generic, though that is a mistake, so the names of type parameters must not be likely ones.
pub(crate) fn emit(outline: &Outline) -> TokenStream {
    let Outline {
        name,
        visibility,
        runtime: dyrelu,
        ..
    } = outline;
    let site = Span::mixed_site();
    let mut generics = outline.generics.clone();
    if !generics.params.is_empty() {
        generics
            .make_where_clause()
            .predicates
            .push(parse_quote_spanned!(site=> Self: ::core::marker::Send + ::core::marker::Sync + 'static));
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    // Whatever number of coefficients a use has in mind, it must find an implementation.
    let mut piece_generics = generics.clone();
    piece_generics
        .params
        .push(parse_quote_spanned!(site=> const __P: ::core::primitive::usize));
    let (piece_parameters, _, _) = piece_generics.split_for_impl();
    let coefficients = (0..MAX_COEFFICIENTS)
        .map(|_| quote_spanned!(site=> #dyrelu::Coefficient::dynamic("", #dyrelu::PerPiece::Same(0.0))));
    let (k, p) = (integer(outline.k), integer(outline.p));
    wrap(&quote_spanned! {site=>
        impl #piece_parameters #dyrelu::Piece<__P> for #name #arguments #bounds {
            fn value<__E: #dyrelu::Elementwise>(x: __E, _: [__E; __P]) -> __E {
                x
            }
            fn grad<__E: #dyrelu::Elementwise>(x: __E, coefficients: [__E; __P]) -> #dyrelu::PieceGrad<__E, __P> {
                #dyrelu::PieceGrad { x, coefficients }
            }
        }
        impl #parameters #dyrelu::DynamicActivation for #name #arguments #bounds {
            const NAME: &'static ::core::primitive::str = "";
            const SHARING: #dyrelu::Sharing = #dyrelu::Sharing::Spatial;
            const COMBINE: #dyrelu::Combine = #dyrelu::Combine::Max;
            const COEFFICIENTS: &'static [#dyrelu::Coefficient] = &[#(#coefficients),*];
            const HOMOGENEOUS: ::core::primitive::bool = false;
            type Pieces = #dyrelu::Pieces<#k, #p>;
        }
        impl #parameters #name #arguments #bounds {
            #visibility fn layer<__T: #dyrelu::Scalar>(
                channels: ::core::primitive::usize,
            ) -> #dyrelu::LayerBuilder<Self, __T> {
                <Self as #dyrelu::DynamicActivation>::layer(channels)
            }
        }
    })
}
