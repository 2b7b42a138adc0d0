//! [`DynamicActivation`]: what a dynamic activation is, as constants of a type.

use crate::Scalar;
use crate::kernels::piecewise::PieceSet;
use crate::layer::LayerBuilder;

/// A description of a dynamic activation: a type without a value.
///
/// `y = combine_k piece(x, coefficients_k)`, where the coefficients come from the input itself (Chen et al.,
/// "Dynamic ReLU", ECCV 2020, equations 1–4). The attribute `#[dynamic_activation]` implements this trait for
/// a struct; `examples/06_by_hand.rs` does it without the attribute.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dynamic activation",
    label = "not a dynamic activation",
    note = "write `#[dynamic_activation(k = 2, share = \"spatial\")]` above `struct {Self};`"
)]
pub trait DynamicActivation: Sized + Send + Sync + 'static {
    /// The name of the struct, for messages.
    const NAME: &'static str;

    /// Which axes share one set of coefficients.
    const SHARING: Sharing;

    /// How the K pieces become one output.
    const COMBINE: Combine;

    /// The coefficients of a piece, in the order of its arguments. Fixed ones are a part of the formula.
    const COEFFICIENTS: &'static [Coefficient];

    /// The channel-shifted copies of the input that a piece sees: its arguments after the coefficients.
    const NEIGHBOURS: &'static [Neighbour] = &[];

    /// The hyper function, without meaning if no coefficient is dynamic.
    const HYPER: Hyper = Hyper::PAPER;

    /// The attention of mode C.
    const ATTENTION: Attention = Attention::Softmax;

    /// Whether the piece is homogeneous of degree 1 in its coefficients, piece(x, π·c) = π·piece(x, c) for
    /// π > 0, and for π = 0 where both sides are finite. Mode C is then the product of the attention and mode B, which is cheaper.
    const HOMOGENEOUS: bool;

    /// The kernels for K pieces of P arguments: [`Pieces<K, P>`](crate::Pieces).
    type Pieces: PieceSet<Self>;

    /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
    fn layer<T: Scalar>(channels: usize) -> LayerBuilder<Self, T> {
        LayerBuilder::new(channels)
    }
}

/// Which axes of the input share one set of coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// One set for each sample, `share = "spatial+channel"`.
    #[doc(alias = "DY-ReLU-A")]
    SpatialAndChannel,
    /// One set for each sample and channel, `share = "spatial"`.
    #[doc(alias = "DY-ReLU-B")]
    Spatial,
    /// One set for each element, `share = "none"`: those of [`Spatial`](Self::Spatial), multiplied by a
    /// spatial attention π.
    #[doc(alias = "DY-ReLU-C")]
    Unshared,
}

/// How the K pieces become one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Combine {
    /// The largest piece. The first of equal pieces wins and gets the whole gradient; NaN propagates.
    Max,
    /// The smallest piece, with the same rules.
    Min,
    /// The sum of all pieces.
    Sum,
}

/// One coefficient of a piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    /// The name in the piece, such as `a`. That of a learned coefficient is also the name of its parameter.
    pub name: &'static str,
    /// Its value to begin with: for a residual of zero (α or β in the paper), or before it has learned.
    pub init: PerPiece,
    /// Where its value comes from.
    pub source: Source,
}

impl Coefficient {
    /// A dynamic coefficient init + 1 · (2σ(r) − 1).
    #[must_use]
    pub const fn dynamic(name: &'static str, init: PerPiece) -> Self {
        Self {
            name,
            init,
            source: Source::Dynamic {
                lambda: PerPiece::Same(1.0),
                squash: Squash::CentredSigmoid,
            },
        }
    }

    /// A learned coefficient, with a value for each channel.
    #[must_use]
    pub const fn learned(name: &'static str, init: PerPiece) -> Self {
        Self {
            name,
            init,
            source: Source::Learned { shared: false },
        }
    }

    /// The same dynamic coefficient with another λ. A learned one has none.
    #[must_use]
    pub const fn lambda(self, lambda: PerPiece) -> Self {
        match self.source {
            Source::Dynamic { squash, .. } => Self {
                source: Source::Dynamic { lambda, squash },
                ..self
            },
            Source::Learned { .. } => self,
        }
    }

    /// The same dynamic coefficient with another squash. A learned one has none.
    #[must_use]
    pub const fn squash(self, squash: Squash) -> Self {
        match self.source {
            Source::Dynamic { lambda, .. } => Self {
                source: Source::Dynamic { lambda, squash },
                ..self
            },
            Source::Learned { .. } => self,
        }
    }

    /// The same learned coefficient with one value for all channels.
    #[must_use]
    pub const fn shared(self) -> Self {
        match self.source {
            Source::Learned { .. } => Self {
                source: Source::Learned { shared: true },
                ..self
            },
            Source::Dynamic { .. } => self,
        }
    }
}

/// Where the value of a coefficient comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// From the input: init + lambda · squash(r), with r from the hyper function (paper, equation 3).
    Dynamic {
        /// The range of the residual, λ in the paper.
        lambda: PerPiece,
        /// From the hyper function's raw value to the residual.
        squash: Squash,
    },
    /// A parameter, the same for all inputs.
    Learned {
        /// Whether all channels have one value. They do in any case where they share one set of coefficients,
        /// [`Sharing::SpatialAndChannel`].
        shared: bool,
    },
}

/// The function from the hyper function's raw value r to a residual.
///
/// h is the hard sigmoid of `PyTorch`, clamp(r / 6 + ½, 0, 1), or the steeper one of the `DyHead` paper
/// (Dai et al., CVPR 2021), clamp((r + 1) / 2, 0, 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Squash {
    /// 2σ(r) − 1 = tanh(r / 2), in (−1, 1): the paper's.
    CentredSigmoid,
    /// σ(r), in (0, 1).
    Sigmoid,
    /// tanh(r), in (−1, 1).
    Tanh,
    /// h(r), in \[0, 1\].
    HardSigmoid,
    /// 2h(r) − 1 = clamp(r / 3, −1, 1).
    CentredHardSigmoid,
    /// The steeper h(r), in \[0, 1\].
    SteepHardSigmoid,
    /// 2h(r) − 1 = clamp(r, −1, 1) with the steeper h.
    CentredSteepHardSigmoid,
    /// r itself.
    Identity,
    /// exp(r) divided by the sum over the K pieces, in (0, 1).
    Softmax,
}

/// A channel-shifted copy of the input, of which a piece sees the element at its own position.
///
/// The C channels are G groups of C / G, a number that the layer has. At channel i of group g it is the input's channel
/// (i + `channels`) mod C / G of group (g + `groups`) mod G.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// The name in the piece.
    pub name: &'static str,
    /// How many groups further.
    pub groups: i32,
    /// How many channels further within the group.
    pub channels: i32,
}

/// The hyper function but for its sizes: from the input to the raw values of the dynamic coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hyper {
    /// What it sees.
    pub context: Context,
    /// How many fully connected layers it has: 2, 1, or none, so that the context itself is the raw values.
    pub layers: usize,
    /// What stands between two layers.
    pub inner: Inner,
}

impl Hyper {
    /// The paper's: mean, two layers, `ReLU` between them.
    pub const PAPER: Self = Self {
        context: Context::Pooled,
        layers: 2,
        inner: Inner::Relu,
    };
}

/// What a hyper function sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The mean of x over its spatial axes, C numbers for each sample.
    Pooled,
    /// The means of min(x, 0), then those of relu(x), 2·C numbers (Zhao et al., "Deep Residual Networks with
    /// Adaptively Parametric Rectifier Linear Units for Fault Diagnosis", 2020).
    PooledHalves,
    /// Those of another array `[N, M, ...]`, M numbers. It is given beside x.
    External,
}

/// What stands between the two layers of a hyper function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inner {
    /// relu.
    Relu,
    /// Nothing.
    Identity,
}

/// How the scores of mode C become its attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attention {
    /// π = min(γ · softmax(z / τ), 1) (paper, equation 4).
    Softmax,
    /// The same of scores that batch normalisation has scaled (`DynamicHead`, the code of Dai et al., CVPR 2021, where
    /// τ = 1).
    Normalised,
}

/// A constant for each of the K pieces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PerPiece {
    /// The same for all pieces.
    Same(f64),
    /// This for the first piece and zero for the others: the slopes (1, 0, …) of ReLU.
    First(f64),
    /// One value for each piece.
    Each(&'static [f64]),
}

impl PerPiece {
    /// The constant of piece `k`.
    ///
    /// # Panics
    ///
    /// When `Each` has no entry `k`. Layers check the lengths once, when they are compiled.
    #[must_use]
    pub const fn of(self, k: usize) -> f64 {
        match self {
            Self::Same(value) => value,
            Self::First(value) => {
                if k == 0 {
                    value
                } else {
                    0.0
                }
            }
            Self::Each(values) => values[k],
        }
    }

    /// Whether there is a constant for each of `k` pieces.
    #[must_use]
    pub const fn fits(self, k: usize) -> bool {
        match self {
            Self::Same(_) | Self::First(_) => true,
            Self::Each(values) => values.len() == k,
        }
    }
}
