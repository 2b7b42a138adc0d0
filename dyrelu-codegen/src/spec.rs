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
    /// The number of closures that the one piece is made of; 1 if all pieces share one.
    pub(crate) folded: usize,
    pub(crate) sharing: Sharing,
    /// How the pieces become one output, or how the closures became one piece.
    pub(crate) combine: Combine,
    pub(crate) piece: Piece,
    /// The first arguments of the piece after the input.
    pub(crate) coefficients: Vec<CoefficientSpec>,
    /// Its other arguments.
    pub(crate) neighbours: Vec<Shift>,
    pub(crate) hyper: Hyper,
    pub(crate) attention: Attention,
}

impl ActivationSpec {
    /// Whether any coefficient comes from a hyper function.
    pub(crate) fn is_dynamic(&self) -> bool {
        let is_dynamic = |coefficient: &CoefficientSpec| matches!(coefficient.source, Source::Dynamic { .. });
        self.coefficients.iter().any(is_dynamic)
    }
}

/// The largest `k`: a kernel holds a value and a weight for each piece at the same time.
pub(crate) const MAX_PIECES: usize = 64;

/// The largest number of coefficients and neighbours of a piece.
pub(crate) const MAX_COEFFICIENTS: usize = 16;

/// The largest number of operations in a piece's value and gradient together.
pub(crate) const MAX_OPERATIONS: usize = 1000;

/// What is said about one coefficient.
pub(crate) struct CoefficientSpec {
    pub(crate) init: PerPiece,
    pub(crate) source: Source,
}

/// Where the value of a coefficient comes from.
pub(crate) enum Source {
    Dynamic { lambda: PerPiece, squash: Squash },
    Learned { shared: bool },
}

/// How far a neighbour is from the element itself; not nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) groups: i32,
    pub(crate) channels: i32,
}

/// The hyper function but for its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hyper {
    pub(crate) context: Context,
    /// 0, 1 or 2.
    pub(crate) layers: usize,
    pub(crate) inner: Inner,
}

impl Hyper {
    /// The paper's.
    pub(crate) const PAPER: Self = Self {
        context: Context::Pooled,
        layers: 2,
        inner: Inner::Relu,
    };
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
    /// The constant of piece `k`.
    pub(crate) fn at(&self, k: usize) -> f64 {
        match self {
            Self::Same(value) => *value,
            Self::First(value) => {
                if k == 0 {
                    *value
                } else {
                    0.0
                }
            }
            Self::Each(values) => values[k],
        }
    }

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

/// From the hyper function's raw value to a residual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Squash {
    CentredSigmoid,
    Sigmoid,
    Tanh,
    CentredHardSigmoid,
    HardSigmoid,
    CentredSteepHardSigmoid,
    SteepHardSigmoid,
    Identity,
    Softmax,
}

/// What a hyper function sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Pooled,
    PooledHalves,
    External,
}

/// What stands between the two layers of a hyper function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inner {
    Relu,
    Identity,
}

/// How scores become the attention of `share = "none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attention {
    Softmax,
    Normalised,
}

/// A choice that the attribute spells as a string.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// What the choice is called in messages.
    const WHAT: &'static str;
    /// The spellings, with their meaning.
    const ALL: &'static [(&'static str, Self)];
    /// Other names that people use, with the spelling that they mean.
    ///
    /// They are compared without spaces, and capital letters count as small ones.
    const ALIASES: &'static [(&'static str, &'static str)];

    /// How the attribute spells this choice.
    fn spelling(self) -> &'static str {
        let row = Self::ALL.iter().find(|(_, choice)| *choice == self);
        row.expect("every choice has a spelling").0
    }
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

impl Choice for Squash {
    const WHAT: &'static str = "squash";
    const ALL: &'static [(&'static str, Self)] = &[
        ("2sigmoid-1", Self::CentredSigmoid),
        ("sigmoid", Self::Sigmoid),
        ("tanh", Self::Tanh),
        ("2hard_sigmoid-1", Self::CentredHardSigmoid),
        ("hard_sigmoid", Self::HardSigmoid),
        ("2steep_hard_sigmoid-1", Self::CentredSteepHardSigmoid),
        ("steep_hard_sigmoid", Self::SteepHardSigmoid),
        ("none", Self::Identity),
        ("softmax", Self::Softmax),
    ];
    const ALIASES: &'static [(&'static str, &'static str)] = &[
        ("identity", "none"),
        ("linear", "none"),
        ("hard_sigmoid(3,6)", "hard_sigmoid"),
        ("hard_sigmoid(1,2)", "steep_hard_sigmoid"),
        ("hard_tanh", "2steep_hard_sigmoid-1"),
        ("2σ-1", "2sigmoid-1"),
        ("logistic", "sigmoid"),
        ("tanh(r/2)", "2sigmoid-1"),
    ];
}

impl Choice for Context {
    const WHAT: &'static str = "context";
    const ALL: &'static [(&'static str, Self)] = &[
        ("pooled", Self::Pooled),
        ("pooled halves", Self::PooledHalves),
        ("external", Self::External),
    ];
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("mean", "pooled"), ("halves", "pooled halves")];
}

impl Choice for Inner {
    const WHAT: &'static str = "inner function";
    const ALL: &'static [(&'static str, Self)] = &[("relu", Self::Relu), ("none", Self::Identity)];
    const ALIASES: &'static [(&'static str, &'static str)] = &[("identity", "none"), ("linear", "none")];
}

impl Choice for Attention {
    const WHAT: &'static str = "attention";
    const ALL: &'static [(&'static str, Self)] =
        &[("softmax", Self::Softmax), ("normalised", Self::Normalised)];
    const ALIASES: &'static [(&'static str, &'static str)] =
        &[("normalized", "normalised"), ("batch_norm", "normalised")];
}

/// The spellings of a choice, quoted and separated by commas.
pub(crate) fn spellings<C: Choice>() -> String {
    let quoted: Vec<String> = C::ALL.iter().map(|(text, _)| format!("{text:?}")).collect();
    quoted.join(", ")
}
