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
pub trait DynamicActivation: Sized + 'static {
    /// The name of the struct, for messages.
    const NAME: &'static str;

    /// Which axes share one set of coefficients.
    const SHARING: Sharing;

    /// How the K pieces become one output.
    const COMBINE: Combine;

    /// The P coefficients of a piece, in the order of the piece's parameters.
    const COEFFICIENTS: &'static [Coefficient];

    /// Whether the piece is homogeneous of degree 1 in its coefficients, piece(x, π·c) = π·piece(x, c) for
    /// π > 0, and for π = 0 where both sides are finite. Mode C is then the product of the attention and mode B, which is cheaper.
    const HOMOGENEOUS: bool;

    /// The kernels for K pieces of P coefficients: [`Pieces<K, P>`](crate::Pieces).
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

/// One coefficient of a piece: coefficient = init + lambda · residual, with the residual in (−1, 1) from the
/// hyper function (paper, equation 3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    /// The name in the piece, such as `a`.
    pub name: &'static str,
    /// The value for a residual of zero, α or β in the paper.
    pub init: PerPiece,
    /// The range of the residual, λ in the paper.
    pub lambda: PerPiece,
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
