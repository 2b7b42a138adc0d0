//! `impl Piece<P>`: the arithmetic.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::expr::Body;
use super::integer;
use crate::spec::ActivationSpec;

/// Expands to:
///
/// ```text
/// #[automatically_derived]
/// impl ::dyrelu::Piece<2> for DyReluB {
///     #[inline(always)]
///     fn value<E: ::dyrelu::Elementwise>(x: E, [a, b]: [E; 2]) -> E {
///         a.mul_add(x, b)
///     }
///     #[inline(always)]
///     fn grad<E: ::dyrelu::Elementwise>(x: E, [a, _]: [E; 2]) -> ::dyrelu::PieceGrad<E, 2> {
///         let one = E::lift(&x, 1.0);
///         ::dyrelu::PieceGrad { x: a, coefficients: [x, one] }
///     }
/// }
/// ```
pub(super) fn emit(spec: &ActivationSpec) -> TokenStream {
    let ActivationSpec {
        name,
        runtime: dyrelu,
        piece,
        ..
    } = spec;
    let p = integer(piece.parameters.len() - 1);
    let Body {
        parameters: value_parameters,
        statements: value_statements,
        results: value,
    } = Body::new(piece, &[piece.value]);
    let Body {
        parameters: grad_parameters,
        statements: grad_statements,
        results: grad,
    } = Body::new(piece, &piece.gradient);
    let (value_x, value_coefficients) = (&value_parameters[0], &value_parameters[1..]);
    let (grad_x, grad_coefficients) = (&grad_parameters[0], &grad_parameters[1..]);
    let (dx, dcoefficients) = (&grad[0], &grad[1..]);
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        impl #dyrelu::Piece<#p> for #name {
            #[inline(always)]
            fn value<E: #dyrelu::Elementwise>(#value_x: E, [#(#value_coefficients),*]: [E; #p]) -> E {
                #value_statements
                #(#value)*
            }
            #[inline(always)]
            fn grad<E: #dyrelu::Elementwise>(
                #grad_x: E,
                [#(#grad_coefficients),*]: [E; #p],
            ) -> #dyrelu::PieceGrad<E, #p> {
                #grad_statements
                #dyrelu::PieceGrad { x: #dx, coefficients: [#(#dcoefficients),*] }
            }
        }
    }
}
