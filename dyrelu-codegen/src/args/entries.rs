//! [`Entries`]: what stands between the parentheses of arguments such as `init(a = [1.0, 0.0], b = 0.0)`.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;

use super::split::{after_equals, items, visible};
use super::value::Value;
use crate::diagnostics::Diagnostics;

/// `name = value` for some names, all different.
pub(crate) type Entries<V> = Vec<Entry<V>>;

/// One entry of [`Entries`].
pub(crate) struct Entry<V> {
    pub(crate) name: Ident,
    /// `None` if it is wrong, which has been reported.
    pub(crate) value: Option<V>,
}

/// An argument that is a list of entries.
pub(super) struct List<'a> {
    pub(super) argument: &'a Ident,
    /// How the whole argument should look.
    pub(super) example: &'static str,
    /// What the name of an entry names.
    pub(super) entry: &'static str,
    pub(super) diagnostics: &'a Diagnostics,
}

impl<'a> List<'a> {
    /// The entries in `(a = …, b = …)`.
    pub(super) fn parse<V>(
        &self,
        rest: &[TokenTree],
        read: impl Fn(&Value<'a>) -> Option<V>,
    ) -> Option<Entries<V>> {
        let Self {
            argument,
            example,
            entry: what,
            diagnostics,
        } = self;
        let [TokenTree::Group(group)] = &*visible(rest) else {
            diagnostics.error(
                argument.span(),
                format!("expected a list of {what}s: `{example}`"),
            );
            return None;
        };
        if group.delimiter() != Delimiter::Parenthesis {
            diagnostics.error(group.span_open(), format!("expected parentheses: `{example}`"));
            return None;
        }
        let mut list = Entries::new();
        let entries = items(group.stream());
        for entry in entries.into_iter().flat_map(|entry| self.separate(&entry)) {
            let Some(entry) = self.entry(&entry, group, &read) else {
                continue;
            };
            if list
                .iter()
                .any(|other: &Entry<V>| other.name.unraw() == entry.name.unraw())
            {
                let message = format!("duplicate {what} `{}` in `{argument}`", entry.name.unraw());
                diagnostics.error(entry.name.span(), message);
            } else {
                list.push(entry);
            }
        }
        Some(list)
    }

    /// The entries in `a = 1.0 b = 2.0`, between which commas are missing.
    fn separate(&self, tokens: &[TokenTree]) -> Vec<Vec<TokenTree>> {
        let mut entries = vec![Vec::new()];
        for (index, tree) in tokens.iter().enumerate() {
            let begins = matches!(tree, TokenTree::Ident(_)) && after_equals(&tokens[index + 1..]).is_some();
            let is_complete = |entry: &Vec<TokenTree>| {
                entry.len() > 2 && !matches!(entry.last(), Some(TokenTree::Punct(_)))
            };
            if begins && entries.last().is_some_and(is_complete) {
                self.diagnostics
                    .error(tree.span(), format!("expected a comma before `{tree}`"));
                entries.push(Vec::new());
            }
            if let Some(entry) = entries.last_mut() {
                entry.push(tree.clone());
            }
        }
        entries
    }

    /// One entry `a = value`. A value that is wrong is reported and leaves the entry in the list.
    fn entry<V>(
        &self,
        entry: &[TokenTree],
        list: &Group,
        read: impl Fn(&Value<'a>) -> Option<V>,
    ) -> Option<Entry<V>> {
        let Self {
            example,
            entry: what,
            diagnostics,
            ..
        } = self;
        if let [TokenTree::Ident(name), rest @ ..] = entry
            && let Some(value) = after_equals(rest)
        {
            let value = Value {
                name: name.clone(),
                example,
                tokens: visible(value),
                diagnostics,
            };
            return Some(Entry {
                value: read(&value),
                name: value.name,
            });
        }
        if entry.is_empty() {
            let article = if what.starts_with('o') { "an" } else { "a" };
            let message = format!("expected {article} {what} between the commas: `{example}`");
            diagnostics.error(list.span_close(), message);
        } else {
            let entry: TokenStream = entry.iter().cloned().collect();
            diagnostics.error_at(entry, format!("expected `name = value`: `{example}`"));
        }
        None
    }
}
