//! [`Sizes`] and [`Extent`]: how many there are of everything.

use super::layout::Layout;
use crate::kernels::piecewise::{PieceSet, unshared};
use crate::{Context, DynamicActivation, Sharing, Source};

/// The sizes of a layer. Those of a hyper function are 0 where it has no such part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) channels: usize,
    /// M, the numbers that the hyper function sees of a sample.
    pub(super) inputs: usize,
    /// H.
    pub(super) hidden: usize,
    /// Raw values of a sample.
    pub(super) outputs: usize,
    /// G.
    pub(super) groups: usize,
}

/// Elements of x in samples that are computed as one.
const MERGED: usize = 1 << 15;

/// An input's shape with all spatial axes in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) samples: usize,
    pub(super) channels: usize,
    pub(super) positions: usize,
}

impl Extent {
    /// The number of elements of x.
    pub(super) fn elements(self) -> usize {
        self.samples * self.channels * self.positions
    }

    /// How many consecutive elements share a set.
    pub(super) fn row_len<A: DynamicActivation>(self) -> usize {
        self.channels / sets::<A>(self.channels) * self.positions
    }

    /// The same elements in fewer and longer samples, if it does not matter where one ends: all samples of a static
    /// activation have the same coefficients, and where channels are last their positions follow each other. Vectors
    /// without spatial axes are computed as fast as maps then.
    ///
    /// The gradients of coefficients are sums over samples, so this must not depend on the number of threads.
    pub(super) fn merged<A: DynamicActivation>(self, layout: Layout) -> Self {
        let elementwise = is_static::<A>() && !has_neighbours::<A>() && !unshared::<A>();
        if !elementwise || layout == Layout::Rows {
            return self;
        }
        let sample = (self.channels * self.positions).max(1);
        let most = (MERGED / sample).clamp(1, self.samples.max(1));
        let factor = (1..=most).rev().find(|&count| self.samples.is_multiple_of(count));
        let factor = factor.unwrap_or(1);
        Self {
            samples: self.samples / factor,
            positions: self.positions * factor,
            ..self
        }
    }
}

/// How many sets of coefficients there are for each sample.
#[must_use]
pub fn sets<A: DynamicActivation>(channels: usize) -> usize {
    if A::SHARING == Sharing::SpatialAndChannel {
        1
    } else {
        channels
    }
}

/// The coefficients of a piece, and K.
pub(super) const fn set_shape<A: DynamicActivation>() -> [usize; 2] {
    [A::COEFFICIENTS.len(), <A::Pieces as PieceSet<A>>::K]
}

/// The number of coefficients in a set.
pub(super) const fn set_len<A: DynamicActivation>() -> usize {
    let [coefficients, k] = set_shape::<A>();
    coefficients * k
}

/// D, the number of dynamic coefficients of a piece.
pub(super) const fn dynamic_count<A: DynamicActivation>() -> usize {
    let (mut p, mut count) = (0, 0);
    while p < A::COEFFICIENTS.len() {
        if matches!(A::COEFFICIENTS[p].source, Source::Dynamic { .. }) {
            count += 1;
        }
        p += 1;
    }
    count
}

/// Whether no coefficient is dynamic, so that there is no hyper function.
#[must_use]
pub const fn is_static<A: DynamicActivation>() -> bool {
    dynamic_count::<A>() == 0
}

// In the passes these stand inside of `if const { … }`, so that the kernels that are not chosen are not even compiled.

/// How many layers the hyper function has; 0 if there is none.
pub(super) const fn hyper_layers<A: DynamicActivation>() -> usize {
    if is_static::<A>() { 0 } else { A::HYPER.layers }
}

/// Whether the hyper function sees another array than x.
#[must_use]
pub const fn has_external_context<A: DynamicActivation>() -> bool {
    !is_static::<A>() && matches!(A::HYPER.context, Context::External)
}

/// Whether a piece sees other channels.
pub(super) const fn has_neighbours<A: DynamicActivation>() -> bool {
    !A::NEIGHBOURS.is_empty()
}

/// Whether a sample must be seen as a whole, because its channels depend on each other or because its means are not those
/// of its channels in order.
pub(super) const fn needs_whole_samples<A: DynamicActivation>() -> bool {
    has_neighbours::<A>() || pools_halves::<A>()
}

/// Whether the hyper function sees the means of the negative and of the positive part of x.
pub(super) const fn pools_halves<A: DynamicActivation>() -> bool {
    !is_static::<A>() && matches!(A::HYPER.context, Context::PooledHalves)
}

/// Whether all arrays must be in standard layout: no kernel for channels that are last in memory does the same.
pub(super) const fn needs_rows<A: DynamicActivation>() -> bool {
    has_neighbours::<A>() || unshared::<A>() && !pools_with_scores::<A>()
}

/// Whether the means of x and the scores of its attention come from the same way through x.
pub(super) const fn pools_with_scores<A: DynamicActivation>() -> bool {
    unshared::<A>() && pools_channels::<A>()
}

/// Whether the hyper function sees the means of the channels of x.
pub(super) const fn pools_channels<A: DynamicActivation>() -> bool {
    !is_static::<A>() && matches!(A::HYPER.context, Context::Pooled)
}
