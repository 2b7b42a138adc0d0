//! The constants of each coefficient, from `init`, `lambda`, `squash` and `learned`.

use proc_macro2::{Group, Ident};
use syn::ext::IdentExt;

use super::Formula;
use crate::args::{Args, Entries, Entry, Learned, Slot, SpeltSquash, Squashes, Values};
use crate::diagnostics::{Diagnostics, count_of};
use crate::kinds::{Kind, Kinds};
use crate::spec::{CoefficientSpec, PerPiece, Source, Squash};
use crate::symbolic::Node;

/// Resolves what is said about coefficients.
pub(super) struct Constants<'a> {
    pub(super) args: &'a Args,
    pub(super) kinds: &'a Kinds,
    pub(super) formula: &'a Formula,
    pub(super) diagnostics: &'a Diagnostics,
}

impl Constants<'_> {
    /// One specification for each coefficient, in their order.
    pub(super) fn resolve(&self) -> Option<Vec<CoefficientSpec>> {
        let mut coefficients = self.formula.parameters.coefficients.iter();
        let any_is_dynamic = coefficients.any(|name| self.kinds.kind(name) == Kind::Dynamic);
        if let Slot::Given(Squashes::All(spelt)) = &self.args.squash
            && any_is_dynamic
        {
            self.check_softmax(spelt);
        }
        // Collected first, so that every coefficient is checked.
        let resolved: Vec<Option<CoefficientSpec>> = self
            .formula
            .parameters
            .coefficients
            .iter()
            .map(|name| match self.kinds.kind(name) {
                _ if self.never_learns(name) => None,
                Kind::Learned => self.learned(name),
                _ => self.dynamic(name),
            })
            .collect();
        resolved.into_iter().collect()
    }

    /// Whether the formula has no derivative by the coefficient `name` but zero, which is reported.
    fn never_learns(&self, name: &Ident) -> bool {
        let Some(piece) = self.formula.piece.as_ref() else {
            return false;
        };
        let mut derivatives = piece.parameters.iter().zip(&piece.gradient);
        let derivative = derivatives.find(|(parameter, _)| parameter.name.unraw() == name.unraw());
        let is_zero = derivative.is_some_and(|(_, id)| match piece.expressions.node(*id) {
            Node::Constant(constant) => constant.value() == 0.0,
            _ => false,
        });
        // A parameter may be meant to be a constant already.
        if is_zero && self.formula.parameters.kinds_are_known {
            let text = name.unraw();
            self.diagnostics.error(
                name.span(),
                format!(
                    "the derivative by `{text}` is zero, so it could never be learned; make it a constant: \
                     `fixed({text} = …)`"
                ),
            );
        }
        is_zero
    }

    fn dynamic(&self, name: &Ident) -> Option<CoefficientSpec> {
        let init = self.per_piece("init", &self.args.init, name, || self.default_init(name));
        let lambda = self.per_piece("lambda", &self.args.lambda, name, || {
            Some(self.default_lambda(name))
        });
        let squash = match &self.args.squash {
            Slot::Missing => Some(Squash::CentredSigmoid),
            Slot::Invalid => None,
            Slot::Given(Squashes::All(spelt)) => Some(spelt.squash),
            Slot::Given(Squashes::Some(entries)) => match find(entries, name) {
                Some(entry) => {
                    if let Some(spelt) = &entry.value {
                        self.check_softmax(spelt);
                    }
                    entry.value.as_ref().map(|spelt| spelt.squash)
                }
                None => Some(Squash::CentredSigmoid),
            },
        };
        Some(CoefficientSpec {
            init: init?,
            source: Source::Dynamic {
                lambda: lambda?,
                squash: squash?,
            },
        })
    }

    /// Reports a softmax over the only piece.
    fn check_softmax(&self, spelt: &SpeltSquash) {
        if (spelt.squash, self.formula.k) != (Squash::Softmax, Some(1)) {
            return;
        }
        let message = if self.formula.own_pieces {
            "a softmax over one piece is always 1, and a list of closures is one piece; choose another squash, such \
             as \"sigmoid\""
        } else {
            "a softmax over one piece is always 1; write `k = 2` or more, or choose another squash, such as \"sigmoid\""
        };
        self.diagnostics.error(spelt.span, message);
    }

    fn learned(&self, name: &Ident) -> Option<CoefficientSpec> {
        let entry = find(self.args.learned.as_given()?, name)?;
        let Learned { init, shared } = entry.value.as_ref()?;
        Some(CoefficientSpec {
            init: self.constants("learned", name, init)?,
            source: Source::Learned { shared: *shared },
        })
    }

    /// What `list` gives to the coefficient `name`, or the default.
    fn per_piece(
        &self,
        argument: &str,
        list: &Slot<Entries<Values>>,
        name: &Ident,
        default: impl FnOnce() -> Option<PerPiece>,
    ) -> Option<PerPiece> {
        match list {
            Slot::Invalid => None,
            Slot::Missing => default(),
            Slot::Given(entries) => match find(entries, name) {
                Some(entry) => self.constants(argument, name, entry.value.as_ref()?),
                None => default(),
            },
        }
    }

    /// One constant for each piece.
    fn constants(&self, argument: &str, name: &Ident, values: &Values) -> Option<PerPiece> {
        match values {
            Values::Single(value) => Some(PerPiece::Same(*value)),
            Values::List(values, list) => {
                let k = self.formula.k?;
                if values.len() == k {
                    return Some(PerPiece::of(values.clone()));
                }
                self.reject_length(argument, name, values.len(), list);
                None
            }
        }
    }

    fn reject_length(&self, argument: &str, name: &Ident, found: usize, list: &Group) {
        let (name, found) = (name.unraw(), count_of(found, "value"));
        let message = match (self.formula.k, self.formula.own_pieces) {
            (_, true) => format!(
                "`{argument}({name} = …)` has {found} but `{name}` belongs to one of the pieces; give a single number"
            ),
            (k, false) => {
                let k = k.unwrap_or_default();
                let expected = count_of(k, "value");
                format!(
                    "`{argument}({name} = …)` has {found} but `k = {k}`; give {expected} or a single number"
                )
            }
        };
        self.diagnostics.error_at(list, message);
    }

    /// Without weights, the default piece is `ReLU`. Of other pieces nobody knows a good start.
    fn default_init(&self, name: &Ident) -> Option<PerPiece> {
        let piece = self.formula.piece.as_ref()?;
        if piece.affine {
            return Some(if self.is_intercept(name) {
                PerPiece::Same(0.0)
            } else {
                PerPiece::First(1.0)
            });
        }
        if self.formula.parameters.kinds_are_known {
            let text = name.unraw();
            self.diagnostics.error(
                name.span(),
                format!("coefficient `{text}` of a custom piece needs its initial value: add `{text} = 0.0` to `init(…)`"),
            );
        }
        None
    }

    /// The paper's values for the default piece.
    fn default_lambda(&self, name: &Ident) -> PerPiece {
        let affine = self.formula.piece.as_ref().is_some_and(|piece| piece.affine);
        PerPiece::Same(if affine && self.is_intercept(name) {
            0.5
        } else {
            1.0
        })
    }

    /// Whether the coefficient is the b of the default piece.
    fn is_intercept(&self, name: &Ident) -> bool {
        self.formula.parameters.others().nth(1) == Some(name)
    }
}

/// The entry for `name`.
fn find<'a, V>(entries: &'a Entries<V>, name: &Ident) -> Option<&'a Entry<V>> {
    entries.iter().find(|entry| entry.name.unraw() == name.unraw())
}
