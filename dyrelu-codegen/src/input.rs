//! [`Target`]: the item that carries the attribute.

use proc_macro2::{Ident, Span, TokenStream};
use syn::spanned::Spanned;
use syn::{Attribute, Generics, Item, Visibility};

use crate::diagnostics::Diagnostics;

/// What the macro needs to know about the struct. It never rewrites it.
pub(crate) struct Target {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    /// Empty for a valid target; the fallback needs those of an invalid one.
    pub(crate) generics: Generics,
}

/// Parses the item. An enum or a union is reported but returned, for the fallback's sake. A struct with a second
/// attribute is not: that one will bring the implementations.
pub(crate) fn parse(item: TokenStream, diagnostics: &Diagnostics) -> Option<Target> {
    let whole = item.span();
    let item = match syn::parse2(item) {
        Ok(item) => item,
        Err(error) => {
            diagnostics.report(error);
            return None;
        }
    };
    if let Some((keyword, found)) = not_a_struct(&item, whole) {
        diagnostics.error(
            keyword,
            format!("`#[dynamic_activation]` can only be placed on a struct, found {found}"),
        );
    }
    let (name, visibility, generics) = match item {
        Item::Struct(item) => {
            check_generics(&item.generics, diagnostics);
            if let Some(other) = item.attrs.iter().find(|attribute| is_ours(attribute)) {
                diagnostics.error_at(other, "a struct has one `#[dynamic_activation]`; remove this one");
                return None;
            }
            (item.ident, item.vis, item.generics)
        }
        Item::Enum(item) => (item.ident, item.vis, item.generics),
        Item::Union(item) => (item.ident, item.vis, item.generics),
        _ => return None,
    };
    Some(Target {
        name,
        visibility,
        generics,
    })
}

/// Whether the attribute has the name of this macro, under any path.
fn is_ours(attribute: &Attribute) -> bool {
    let name = attribute.path().segments.last();
    name.is_some_and(|segment| segment.ident == "dynamic_activation")
}

/// A layer's kernels are chosen for one description, so the description has no parameters.
fn check_generics(generics: &Generics, diagnostics: &Diagnostics) {
    if !generics.params.is_empty() {
        diagnostics.error_at(
            generics,
            "a dynamic activation cannot be generic; remove the parameters",
        );
    }
}

/// The keyword and the name of an item that is no struct.
fn not_a_struct(item: &Item, whole: Span) -> Option<(Span, &'static str)> {
    Some(match item {
        Item::Struct(_) => return None,
        Item::Enum(item) => (item.enum_token.span, "an enum"),
        Item::Union(item) => (item.union_token.span, "a union"),
        Item::Fn(item) => (item.sig.fn_token.span, "a function"),
        Item::Trait(item) => (item.trait_token.span, "a trait"),
        Item::Impl(item) => (item.impl_token.span, "an impl"),
        Item::Mod(item) => (item.mod_token.span, "a module"),
        Item::Const(item) => (item.const_token.span, "a constant"),
        Item::Static(item) => (item.static_token.span, "a static"),
        Item::Type(item) => (item.type_token.span, "a type alias"),
        Item::Use(item) => (item.use_token.span, "a `use`"),
        _ => (whole, "something else"),
    })
}
