//! [`ActivationSpec`]: what the attribute says, complete and valid.

use proc_macro2::Ident;
use syn::Visibility;

use crate::piece::Piece;
use crate::runtime::Runtime;

/// A dynamic activation without mistakes: the only input of [`crate::emit`].
pub(crate) struct ActivationSpec {
    /// The struct's name.
    pub(crate) name: Ident,
    /// The struct's visibility, which its method `layer` shares.
    pub(crate) visibility: Visibility,
    /// The path of the crate `dyrelu`.
    pub(crate) runtime: Runtime,
    /// The number of pieces, 1 ..= [`MAX_PIECES`].
    pub(crate) k: usize,
    pub(crate) sharing: Sharing,
    pub(crate) combine: Combine,
    pub(crate) piece: Piece,
    /// One for each parameter of the piece after the input, in the same order.
    pub(crate) coefficients: Vec<CoefficientSpec>,
}

/// The largest `k`: a kernel holds a value and a weight for each piece at the same time.
pub(crate) const MAX_PIECES: usize = 64;

/// The largest number of coefficients of a piece.
pub(crate) const MAX_COEFFICIENTS: usize = 16;

/// The largest number of operations in a piece's value and gradient together.
pub(crate) const MAX_OPERATIONS: usize = 1000;

/// The constants of one coefficient.
pub(crate) struct CoefficientSpec {
    pub(crate) init: PerPiece,
    pub(crate) lambda: PerPiece,
}

/// A constant for each piece, in the shortest form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PerPiece {
    Same(f64),
    /// This for the first piece, zero for the others.
    First(f64),
    Each(Vec<f64>),
}

impl PerPiece {
    /// The shortest form of `values`, of which there is at least one.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        let all = |values: &[f64], value: f64| values.iter().all(|other| other.to_bits() == value.to_bits());
        if all(&values, values[0]) {
            Self::Same(values[0])
        } else if all(&values[1..], 0.0) {
            Self::First(values[0])
        } else {
            Self::Each(values)
        }
    }
}

/// Which axes share one set of coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    SpatialAndChannel,
    Spatial,
    Unshared,
}

/// How the pieces become one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Combine {
    Max,
    Min,
    Sum,
}

/// A choice that the attribute spells as a string.
pub(crate) trait Choice: Copy + 'static {
    /// What the choice is called in messages.
    const WHAT: &'static str;
    /// The spellings, with their meaning.
    const ALL: &'static [(&'static str, Self)];
    /// Other names that people use, with the spelling that they mean.
    const ALIASES: &'static [(&'static str, &'static str)];
}

impl Choice for Sharing {
    const WHAT: &'static str = "sharing mode";
    const ALL: &'static [(&'static str, Self)] = &[
        ("spatial", Self::Spatial),
        ("spatial+channel", Self::SpatialAndChannel),
        ("none", Self::Unshared),
    ];
    const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("channel+spatial", "spatial+channel"),
        ("A", "spatial+channel"),
        ("B", "spatial"),
        ("C", "none"),
        ("DY-ReLU-A", "spatial+channel"),
        ("DY-ReLU-B", "spatial"),
        ("DY-ReLU-C", "none"),
    ];
}

impl Choice for Combine {
    const WHAT: &'static str = "combination";
    const ALL: &'static [(&'static str, Self)] =
        &[("max", Self::Max), ("min", Self::Min), ("sum", Self::Sum)];
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("maximum", "max"), ("minimum", "min"), ("add", "sum")];
}

/// The spellings of a choice, quoted and separated by commas.
pub(crate) fn spellings<C: Choice>() -> String {
    let quoted: Vec<String> = C::ALL.iter().map(|(text, _)| format!("{text:?}")).collect();
    quoted.join(", ")
}
