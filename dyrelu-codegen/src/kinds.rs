//! [`Kinds`]: what each parameter of a piece is, from the arguments that name parameters.

use proc_macro2::Ident;
use syn::ext::IdentExt;

use crate::args::{Args, Entry, Slot};
use crate::diagnostics::Diagnostics;

/// What a parameter of a piece after the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A coefficient from the hyper function; so is every parameter of which nothing else is said.
    Dynamic,
    /// A coefficient that is a parameter of the layer.
    Learned,
    /// A number of the formula.
    Fixed,
    /// An element of the input in another channel.
    Neighbour,
}

/// The kinds of the parameters that the arguments `learned`, `fixed` and `neighbours` name.
pub(crate) struct Kinds {
    /// In the order of these arguments, each name once.
    named: Vec<(Ident, Kind)>,
    /// Whether all of the arguments are right; otherwise a parameter may be meant to be of another kind.
    pub(crate) complete: bool,
}

impl Kind {
    /// What a parameter of this kind is, after "is".
    pub(crate) fn adjective(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Learned => "learned",
            Self::Fixed => "fixed",
            Self::Neighbour => "a neighbour",
        }
    }

    /// The argument that names the parameters of this kind, if there is one.
    pub(crate) fn argument(self) -> Option<&'static str> {
        match self {
            Self::Dynamic => None,
            Self::Learned => Some("learned"),
            Self::Fixed => Some("fixed"),
            Self::Neighbour => Some("neighbours"),
        }
    }

    /// What a parameter of this kind is called in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Dynamic | Self::Learned => "coefficient",
            Self::Fixed => "constant",
            Self::Neighbour => "neighbour",
        }
    }
}

impl Kinds {
    /// The kinds in `args`; a name in two arguments is reported at the second.
    pub(crate) fn of(args: &Args, diagnostics: &Diagnostics) -> Self {
        let mut kinds = Self {
            named: Vec::new(),
            complete: true,
        };
        kinds.read(&args.learned, Kind::Learned, diagnostics);
        kinds.read(&args.fixed, Kind::Fixed, diagnostics);
        kinds.read(&args.neighbours, Kind::Neighbour, diagnostics);
        kinds
    }

    fn read<V>(&mut self, argument: &Slot<Vec<Entry<V>>>, kind: Kind, diagnostics: &Diagnostics) {
        let entries = match argument {
            Slot::Missing => return,
            Slot::Invalid => {
                self.complete = false;
                return;
            }
            Slot::Given(entries) => entries,
        };
        for Entry { name, .. } in entries {
            match self.kind(name) {
                Kind::Dynamic => self.named.push((name.clone(), kind)),
                other => {
                    let (name, adjective) = (name.unraw(), other.adjective());
                    let message = format!("`{name}` is {adjective} already; remove one of both");
                    diagnostics.error(name.span(), message);
                }
            }
        }
    }

    /// The kind of the parameter `name`.
    pub(crate) fn kind(&self, name: &Ident) -> Kind {
        let named = self.named.iter().find(|(other, _)| other.unraw() == name.unraw());
        named.map_or(Kind::Dynamic, |(_, kind)| *kind)
    }

    /// The names of parameters of `kind`, in the order of its argument.
    pub(crate) fn names(&self, kind: Kind) -> impl Iterator<Item = &Ident> {
        let of_kind = self.named.iter().filter(move |(_, other)| *other == kind);
        of_kind.map(|(name, _)| name)
    }

    /// All names, with their kinds.
    pub(crate) fn all(&self) -> &[(Ident, Kind)] {
        &self.named
    }
}
