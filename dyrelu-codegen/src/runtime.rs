//! [`Runtime`]: the path of the crate whose items generated code names.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Path;

/// An absolute path of the crate `dyrelu`; quoted as `#dyrelu::Item`.
#[derive(Clone)]
pub(crate) struct Runtime(TokenStream);

impl Runtime {
    /// The crate at `path`, which is absolute or begins with `crate`.
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_token_stream())
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self(quote_spanned!(Span::mixed_site()=> ::dyrelu))
    }
}

impl ToTokens for Runtime {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
