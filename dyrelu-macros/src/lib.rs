//! The attribute `#[dynamic_activation]`, which the crate `dyrelu` re-exports.
//!
//! The work is done by the crate `dyrelu-codegen`, which is no procedural macro and so can be used by programs too.
#![forbid(unsafe_code)]

#[doc = include_str!("../docs/dynamic_activation.md")]
#[proc_macro_attribute]
pub fn dynamic_activation(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    dyrelu_codegen::expand(arguments.into(), &item.into()).into()
}
