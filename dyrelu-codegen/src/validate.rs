//! From [`Args`] and [`Target`] to [`ActivationSpec`]: what the arguments must fulfil together.

mod constants;
mod names;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;

use crate::args::{Args, Pieces, Slot};
use crate::diagnostics::{Diagnostics, count_of};
use crate::input::Target;
use crate::kinds::Kinds;
use crate::piece::{self, Draft, Parameters, Piece};
use crate::runtime::Runtime;
use crate::spec::{ActivationSpec, Attention, Combine, Hyper, Sharing, Shift, spellings};
use constants::Constants;

/// The specification, or `None` if any stage has reported a mistake.
pub(crate) fn validate(
    args: Args,
    target: Option<Target>,
    diagnostics: &Diagnostics,
) -> Option<ActivationSpec> {
    check_missing(&args, diagnostics);
    check_attention(&args, diagnostics);
    let kinds = Kinds::of(&args, diagnostics);
    let formula = Formula::new(&args, &kinds, diagnostics);
    let coefficients = formula.as_ref().and_then(|formula| {
        names::check(&args, &kinds, &formula.parameters, diagnostics);
        let constants = Constants {
            args: &args,
            kinds: &kinds,
            formula,
            diagnostics,
        };
        constants.resolve()
    });
    // Everything has been looked at; only now may a mistake end the work.
    let (target, formula) = (target?, formula?);
    Some(ActivationSpec {
        name: target.name,
        visibility: target.visibility,
        k: formula.k?,
        folded: formula.folded,
        coefficients: coefficients?,
        neighbours: neighbours(&args, &formula.parameters)?,
        piece: formula.piece?,
        runtime: args.runtime.or_default(Runtime::default)?,
        sharing: args.share.given()?,
        combine: args.combine.or_default(|| Combine::Max)?,
        hyper: args.hyper.or_default(|| Hyper::PAPER)?,
        attention: args.attention.or_default(|| Attention::Softmax)?,
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

/// Only coefficients of each element have an attention.
fn check_attention(args: &Args, diagnostics: &Diagnostics) {
    let shared = matches!(
        args.share,
        Slot::Given(Sharing::Spatial | Sharing::SpatialAndChannel)
    );
    if let Some(span) = args.span_of("attention").filter(|_| shared) {
        diagnostics.error(
            span,
            "only `share = \"none\"` has an attention; remove `attention`",
        );
    }
}

/// The formula as far as it is right.
struct Formula {
    parameters: Parameters,
    piece: Option<Piece>,
    /// The number of pieces that the layer combines.
    k: Option<usize>,
    /// The number of closures that these are made of.
    folded: usize,
    /// Whether each piece has a closure of its own.
    own_pieces: bool,
}

impl Formula {
    fn new(args: &Args, kinds: &Kinds, diagnostics: &Diagnostics) -> Option<Self> {
        let default;
        let pieces = match &args.piece {
            Slot::Given(pieces) => pieces,
            Slot::Invalid => return None,
            Slot::Missing => {
                default = Pieces::Shared(Box::new(piece::affine()));
                &default
            }
        };
        let closures = pieces.closures();
        let parameters = Parameters::of(&closures, kinds, diagnostics);
        let (k, folded) = match pieces {
            Pieces::Shared(_) => (args.k.as_given().copied(), 1),
            Pieces::Own(_) => (Some(1), closures.len()),
        };
        let counts_agree = check_k(args, pieces, diagnostics);
        let piece = Draft {
            constants: constants(args, &parameters),
            combine: match args.combine {
                Slot::Missing => Some(Combine::Max),
                Slot::Invalid => None,
                Slot::Given(combine) => Some(combine),
            },
            pieces,
            parameters: &parameters,
            kinds,
        }
        .finish(diagnostics);
        Some(Self {
            parameters,
            piece: piece.filter(|_| counts_agree),
            k,
            folded,
            own_pieces: matches!(pieces, Pieces::Own(_)),
        })
    }
}

/// Reports a list of closures that is not as long as `k` says; whether it is.
fn check_k(args: &Args, pieces: &Pieces, diagnostics: &Diagnostics) -> bool {
    let (Pieces::Own(own), Some(&k)) = (pieces, args.k.as_given()) else {
        return true;
    };
    let found = own.closures.len();
    if found != k {
        let message = format!(
            "`piece` lists {} but `k = {k}`; give {}, or write `k = {found}`",
            count_of(found, "closure"),
            count_of(k, "closure"),
        );
        diagnostics.error_at(&own.list, message);
    }
    found == k
}

/// The values of the constants, in the order of the parameters.
fn constants(args: &Args, parameters: &Parameters) -> Vec<Option<f64>> {
    let entries = args.fixed.as_given();
    let value = |name: &Ident| {
        let mut entries = entries.into_iter().flatten();
        entries.find(|entry| entry.name.unraw() == name.unraw())?.value
    };
    parameters.constants.iter().map(value).collect()
}

/// The shifts of the neighbours, in the order of the arguments.
fn neighbours(args: &Args, parameters: &Parameters) -> Option<Vec<Shift>> {
    let entries = args.neighbours.as_given();
    let shift = |name: &Ident| {
        let mut entries = entries.into_iter().flatten();
        entries.find(|entry| entry.name.unraw() == name.unraw())?.value
    };
    parameters.neighbours.iter().map(shift).collect()
}
