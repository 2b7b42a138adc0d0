//! [`Shift`] as the value of an entry of `neighbours`: `s = shift(1, 0)`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::Lit;

use super::split::{items, visible};
use super::value::{Value, literal_of};
use crate::spec::Shift;

impl Value<'_> {
    /// `shift(groups, channels)`.
    pub(super) fn shift(&self) -> Option<Shift> {
        let name = &self.name;
        match &*self.tokens {
            [TokenTree::Ident(word), TokenTree::Group(group)]
                if word == "shift" && group.delimiter() == Delimiter::Parenthesis =>
            {
                self.shift_by(group)
            }
            _ => self.reject(format!("expected a shift: `{name} = shift(1, 0)`")),
        }
    }

    fn shift_by(&self, group: &Group) -> Option<Shift> {
        let items = items(group.stream());
        // Both numbers are parsed, so that both mistakes are seen.
        let numbers: Vec<Option<i32>> = items.iter().map(|item| self.whole(group, item)).collect();
        match *numbers {
            [groups, channels] => {
                let (groups, channels) = (groups?, channels?);
                if (groups, channels) == (0, 0) {
                    return self.reject(
                        "`shift(0, 0)` is the input itself, which the piece has; shift by a group or a channel: \
                         `shift(1, 0)`",
                    );
                }
                Some(Shift { groups, channels })
            }
            _ => self.reject(format!(
                "`shift` takes 2 numbers, how many groups and how many channels further, found {}: `shift(1, 0)`",
                numbers.len()
            )),
        }
    }

    fn whole(&self, list: &Group, item: &[TokenTree]) -> Option<i32> {
        const EXPECTED: &str = "expected a whole number: `shift(1, 0)`";
        let item = visible(item);
        let message = match literal_of(&item) {
            Some(Lit::Int(literal)) if literal.suffix().is_empty() => match literal.base10_digits().parse() {
                Ok(number) => return Some(number),
                Err(_) => format!("expected a whole number between {} and {}", i32::MIN, i32::MAX),
            },
            _ => EXPECTED.to_owned(),
        };
        if item.is_empty() {
            self.diagnostics.error(list.span_close(), message);
        } else {
            self.diagnostics
                .error_at(item.into_iter().collect::<TokenStream>(), message);
        }
        None
    }
}
