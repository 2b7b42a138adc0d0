//! From [`Args`] and [`Target`] to [`ActivationSpec`]: what the arguments must fulfil together.

use proc_macro2::{Ident, Span};
use syn::ExprClosure;
use syn::ext::IdentExt;

use crate::args::{Args, CoefficientEntry, CoefficientList, Slot, Values};
use crate::diagnostics::{Diagnostics, count_of, did_you_mean, list_of};
use crate::input::Target;
use crate::piece::{self, Parameters, Piece};
use crate::runtime::Runtime;
use crate::spec::{ActivationSpec, CoefficientSpec, Combine, PerPiece, Sharing, spellings};

/// The specification, or `None` if any stage has reported a mistake.
pub(crate) fn validate(
    args: Args,
    target: Option<Target>,
    diagnostics: &Diagnostics,
) -> Option<ActivationSpec> {
    check_missing(&args, diagnostics);
    let k = args.k.given();
    let formula = Formula::new(args.piece, diagnostics);
    let coefficients = formula.as_ref().and_then(|formula| {
        Constants {
            formula,
            k,
            diagnostics,
        }
        .resolve(&args.init, &args.lambda)
    });
    // Everything has been looked at; only now may a mistake end the work.
    let target = target?;
    Some(ActivationSpec {
        name: target.name,
        visibility: target.visibility,
        runtime: args.runtime.or_default(Runtime::default)?,
        k: k?,
        sharing: args.share.given()?,
        combine: args.combine.or_default(|| Combine::Max)?,
        piece: formula?.piece?,
        coefficients: coefficients?,
    })
}

/// `k` and `share` have no default: each choice is as good as another.
fn check_missing(args: &Args, diagnostics: &Diagnostics) {
    if matches!(args.k, Slot::Missing) {
        diagnostics.error(
            Span::call_site(),
            "missing argument `k`; expected the number of pieces: `k = 2`",
        );
    }
    if matches!(args.share, Slot::Missing) {
        let all = spellings::<Sharing>();
        diagnostics.error(
            Span::call_site(),
            format!("missing argument `share`; expected one of {all}"),
        );
    }
}

/// The piece as far as it is right.
struct Formula {
    parameters: Parameters,
    piece: Option<Piece>,
}

impl Formula {
    fn new(closure: Slot<ExprClosure>, diagnostics: &Diagnostics) -> Option<Self> {
        let closure = closure.or_default(piece::affine)?;
        let before = diagnostics.count();
        let parameters = Parameters::of(&closure, diagnostics);
        let sound = diagnostics.count() == before;
        let piece = Piece::new(&parameters, &closure.body, diagnostics).filter(|_| sound);
        Some(Self { parameters, piece })
    }
}

/// Resolves `init` and `lambda` to constants for each coefficient.
struct Constants<'a> {
    formula: &'a Formula,
    k: Option<usize>,
    diagnostics: &'a Diagnostics,
}

impl Constants<'_> {
    fn resolve(
        &self,
        init: &Slot<CoefficientList>,
        lambda: &Slot<CoefficientList>,
    ) -> Option<Vec<CoefficientSpec>> {
        self.check_names(init);
        self.check_names(lambda);
        let names = self.formula.parameters.coefficients();
        // Collected first, so that every coefficient is checked.
        let resolved: Vec<Option<CoefficientSpec>> = names
            .iter()
            .enumerate()
            .map(|(position, name)| {
                let init = self.constant("init", init, name, || self.default_init(position, name));
                let lambda = self.constant("lambda", lambda, name, || Some(self.default_lambda(position)));
                Some(CoefficientSpec {
                    init: init?,
                    lambda: lambda?,
                })
            })
            .collect();
        resolved.into_iter().collect()
    }

    /// Every name in the list must be a coefficient of the piece.
    fn check_names(&self, list: &Slot<CoefficientList>) {
        let parameters = &self.formula.parameters;
        let names: Vec<String> = parameters
            .coefficients()
            .iter()
            .map(|name| name.unraw().to_string())
            .collect();
        let Slot::Given(entries) = list else { return };
        if !parameters.rejected.is_empty() || names.is_empty() {
            return;
        }
        for entry in entries {
            let name = entry.name.unraw().to_string();
            if names.contains(&name) {
                continue;
            }
            let suggestion = did_you_mean(&name, names.iter().map(String::as_str))
                .map_or_else(String::new, |similar| format!(" did you mean `{similar}`?"));
            let message = format!(
                "no coefficient `{name}`;{suggestion} the piece declares {}",
                list_of(&names)
            );
            self.diagnostics.error(entry.name.span(), message);
        }
    }

    /// The constant that `list` gives to the coefficient `name`, or the default.
    fn constant(
        &self,
        argument: &str,
        list: &Slot<CoefficientList>,
        name: &Ident,
        default: impl FnOnce() -> Option<PerPiece>,
    ) -> Option<PerPiece> {
        match list {
            Slot::Invalid => None,
            Slot::Missing => default(),
            Slot::Given(entries) => match entries.iter().find(|entry| entry.name.unraw() == name.unraw()) {
                Some(entry) => self.per_piece(argument, entry),
                None => default(),
            },
        }
    }

    /// One constant for each piece from the values of an entry.
    fn per_piece(&self, argument: &str, entry: &CoefficientEntry) -> Option<PerPiece> {
        match entry.values.as_ref()? {
            Values::Single(value) => Some(PerPiece::Same(*value)),
            Values::List(values, list) => {
                let k = self.k?;
                if values.len() == k {
                    return Some(PerPiece::of(values.clone()));
                }
                let (name, found, expected) = (
                    entry.name.unraw(),
                    count_of(values.len(), "value"),
                    count_of(k, "value"),
                );
                let message = format!(
                    "`{argument}({name} = …)` has {found} but `k = {k}`; give {expected} or a single number"
                );
                self.diagnostics.error_at(list, message);
                None
            }
        }
    }

    /// Without weights, the default piece is `ReLU`. Of other pieces nobody knows a good start.
    fn default_init(&self, position: usize, name: &Ident) -> Option<PerPiece> {
        let piece = self.formula.piece.as_ref()?;
        if piece.is_affine() {
            return Some(if position == 0 {
                PerPiece::First(1.0)
            } else {
                PerPiece::Same(0.0)
            });
        }
        let name = name.unraw();
        self.diagnostics.error(
            self.formula.parameters.coefficients()[position].span(),
            format!("coefficient `{name}` of a custom piece needs its initial value: add `{name} = 0.0` to `init(…)`"),
        );
        None
    }

    /// The paper's values for the default piece.
    fn default_lambda(&self, position: usize) -> PerPiece {
        let affine = self.formula.piece.as_ref().is_some_and(Piece::is_affine);
        PerPiece::Same(if affine && position == 1 { 0.5 } else { 1.0 })
    }
}
