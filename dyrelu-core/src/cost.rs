//! [`Cost`]: what a layer holds and computes, in closed form.

use crate::kernels::piecewise::PieceSet;
use crate::{Attention, Context, DynamicActivation, Hyper, Sharing, Source};

/// The parameters of a layer, and the multiply-adds that it takes for one sample.
///
/// The paper counts in this way: the products of weights in fully connected layers, and for each element those in the
/// pieces, K for the affine one (Chen et al., "Dynamic ReLU", ECCV 2020, section 4.1 and Table 8). Means, biases, functions
/// such as exp, and what combines pieces are not counted.
///
/// ```
/// use dyrelu::gallery::DyReluB;
///
/// let layer = DyReluB::layer::<f32>(96).reduction(8);
/// let cost = layer.cost(56 * 56)?;
/// assert_eq!(cost.hyper, 96 * 12 + 12 * 96 * 4);
/// assert_eq!(cost.pieces, 2 * 96 * 56 * 56);
/// assert_eq!(cost.parameters, layer.build()?.parameter_count());
/// # Ok::<(), dyrelu::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Numbers to be learned.
    pub parameters: usize,
    /// Multiply-adds of the hyper function.
    pub hyper: usize,
    /// Those of the spatial attention of mode C: the convolution, and the products with π.
    pub attention: usize,
    /// Those of the pieces.
    pub pieces: usize,
}

impl Cost {
    /// All multiply-adds of a sample.
    #[must_use]
    pub fn multiply_adds(&self) -> usize {
        self.hyper + self.attention + self.pieces
    }
}

/// What the cost of a layer follows from, besides its sizes: for descriptions that are known only at run time. For a type,
/// [`LayerBuilder::cost`](crate::LayerBuilder::cost) does the same.
///
/// A sample has C channels of S positions, H hidden units and M inputs of the hyper function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostModel {
    /// Which axes share one set of coefficients.
    pub sharing: Sharing,
    /// K.
    pub pieces: usize,
    /// Dynamic coefficients of a piece.
    pub dynamic: usize,
    /// Learned coefficients of a piece that have a value for each channel, unless all channels share their coefficients.
    pub learned: usize,
    /// Learned coefficients of a piece that have one value for all channels.
    pub learned_shared: usize,
    /// The hyper function.
    pub hyper: Hyper,
    /// How scores become the attention.
    pub attention: Attention,
    /// Whether π multiplies the output instead of the coefficients.
    pub homogeneous: bool,
    /// Multiplications and divisions in the formula of a piece.
    pub multiplications: usize,
}

impl CostModel {
    /// That of a description.
    #[must_use]
    pub fn of<A: DynamicActivation>() -> Self {
        let count = |of: fn(&Source) -> bool| A::COEFFICIENTS.iter().filter(|c| of(&c.source)).count();
        Self {
            sharing: A::SHARING,
            pieces: <A::Pieces as PieceSet<A>>::K,
            dynamic: count(|source| matches!(source, Source::Dynamic { .. })),
            learned: count(|source| matches!(source, Source::Learned { shared: false })),
            learned_shared: count(|source| matches!(source, Source::Learned { shared: true })),
            hyper: A::HYPER,
            attention: A::ATTENTION,
            homogeneous: A::HOMOGENEOUS,
            multiplications: <A::Pieces as PieceSet<A>>::multiplications(),
        }
    }

    /// The cost of a layer for inputs of `channels` channels and `positions` positions, with H hidden units and M inputs
    /// of an external context; `None` if it is too large to be counted.
    #[must_use]
    pub fn cost(&self, channels: usize, positions: usize, hidden: usize, external: usize) -> Option<Cost> {
        let sets = match self.sharing {
            Sharing::SpatialAndChannel => 1,
            Sharing::Spatial | Sharing::Unshared => channels,
        };
        let inputs = match self.hyper.context {
            Context::Pooled => channels,
            Context::PooledHalves => product([2, channels])?,
            Context::External => external,
        };
        let outputs = product([sets, self.dynamic, self.pieces])?;
        let (weights, biases) = match self.hyper.layers {
            _ if outputs == 0 => (0, 0),
            0 => (0, 0),
            1 => (product([inputs, outputs])?, outputs),
            _ => {
                let weights = [product([inputs, hidden])?, product([hidden, outputs])?];
                (sum(weights)?, sum([hidden, outputs])?)
            }
        };
        let elements = product([channels, positions])?;
        let learned = product([sets, self.pieces, self.learned])?;
        let mut cost = Cost {
            parameters: sum([weights, biases, learned, self.pieces * self.learned_shared])?,
            hyper: weights,
            attention: 0,
            pieces: product([elements, self.pieces, self.multiplications])?,
        };
        if self.sharing == Sharing::Unshared {
            let coefficients = self.pieces * (self.dynamic + self.learned + self.learned_shared);
            let products = if self.homogeneous { 1 } else { coefficients };
            cost.attention = product([elements, 1 + products])?;
            let of_norm = match self.attention {
                Attention::Softmax => 0,
                Attention::Normalised => 2,
            };
            cost.parameters = sum([cost.parameters, channels, 1, of_norm])?;
        }
        // The sum of all multiply-adds can be counted, too.
        sum([cost.hyper, cost.attention, cost.pieces])?;
        Some(cost)
    }
}

fn product<const M: usize>(factors: [usize; M]) -> Option<usize> {
    factors.into_iter().try_fold(1_usize, usize::checked_mul)
}

fn sum<const M: usize>(summands: [usize; M]) -> Option<usize> {
    summands.into_iter().try_fold(0_usize, usize::checked_add)
}
