//! [`Pieces`]: the value of `piece`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ExprClosure;

use super::split;
use super::value::Value;
use crate::piece;

/// The formulas of the pieces.
pub(crate) enum Pieces {
    /// One that all pieces share; their coefficients differ.
    Shared(Box<ExprClosure>),
    /// One for each piece, in brackets.
    Own(OwnPieces),
}

/// A list of closures.
pub(crate) struct OwnPieces {
    /// `None` for one that is no closure, which has been reported.
    pub(crate) closures: Vec<Option<ExprClosure>>,
    pub(crate) list: Group,
}

impl Pieces {
    /// All closures.
    pub(crate) fn closures(&self) -> Vec<Option<&ExprClosure>> {
        match self {
            Self::Shared(closure) => vec![Some(closure)],
            Self::Own(own) => own.closures.iter().map(Option::as_ref).collect(),
        }
    }
}

impl Value<'_> {
    /// A closure, or a list of closures in brackets.
    pub(super) fn pieces(&self) -> Option<Pieces> {
        match &*self.tokens {
            [TokenTree::Group(list)] if list.delimiter() == Delimiter::Bracket => self.own_pieces(list),
            tokens => {
                let closure = self.closure(tokens.iter().cloned().collect())?;
                Some(Pieces::Shared(Box::new(closure)))
            }
        }
    }

    fn own_pieces(&self, list: &Group) -> Option<Pieces> {
        let items = split::closures(list.stream());
        if items.is_empty() {
            return self.reject("expected a closure for each piece: `piece = [|x, a| a * x, |x| 0.0]`");
        }
        let mut closures = Vec::new();
        for item in items {
            if item.is_empty() {
                let message = "expected a closure between the commas: `piece = [|x, a| a * x, |x| 0.0]`";
                self.diagnostics.error(list.span_close(), message);
            } else {
                closures.push(self.closure(item.into_iter().collect()));
            }
        }
        let list = list.clone();
        (!closures.is_empty()).then_some(Pieces::Own(OwnPieces { closures, list }))
    }

    fn closure(&self, tokens: TokenStream) -> Option<ExprClosure> {
        match piece::parse(tokens.clone()) {
            Ok(Some(closure)) => return Some(closure),
            Ok(None) => self
                .diagnostics
                .error_at(tokens, format!("expected a closure: `{}`", self.example)),
            Err(error) => self.diagnostics.report(error),
        }
        None
    }
}
