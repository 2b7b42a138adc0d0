//! [`Cache`]: what the hyper function and the attention computed for one input.

use super::{Extent, set_len, set_shape};
use crate::{DynamicActivation, Scalar, Sharing};
use core::fmt;
use ndarray::{ArrayView, ArrayView2, ArrayView4, ShapeBuilder};

/// What a layer computed from an input before it applied the activation: needed by
/// [`backward`](super::Layer::backward), and interesting by itself.
///
/// Its size does not grow with the number of positions, except for the attention of mode C, one number for each.
#[derive(Debug, Clone)]
pub struct Cache<T> {
    pub(super) origin: Origin,
    pub(super) pooled: Vec<T>,
    pub(super) hidden: Vec<T>,
    pub(super) residuals: Vec<T>,
    pub(super) coefficients: Vec<T>,
    pub(super) softmax: Vec<T>,
    pub(super) attention: Vec<T>,
}

impl<T: Scalar> Cache<T> {
    /// The mean of x over its spatial axes, `[N, C]`.
    #[must_use]
    pub fn pooled(&self) -> ArrayView2<'_, T> {
        let Extent {
            samples, channels, ..
        } = self.origin.extent;
        view((samples, channels), &self.pooled)
    }

    /// The hidden units of the hyper function, `[N, H]`.
    #[must_use]
    pub fn hidden(&self) -> ArrayView2<'_, T> {
        view((self.origin.extent.samples, self.origin.hidden), &self.hidden)
    }

    /// The coefficients, `[N, C or 1, P, K]`; in mode C those that the attention multiplies.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView4<'_, T> {
        let Origin {
            extent,
            sharing,
            set_shape: [p, k],
            ..
        } = self.origin;
        view((extent.samples, extent.sets(sharing), p, k), &self.coefficients)
    }

    /// The spatial attention π of mode C, `[N, S]` with S positions; `None` in modes A and B.
    #[must_use]
    pub fn attention(&self) -> Option<ArrayView2<'_, T>> {
        let Extent {
            samples, positions, ..
        } = self.origin.extent;
        (self.origin.sharing == Sharing::Unshared).then(|| view((samples, positions), &self.attention))
    }
}

/// What a cache was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) extent: Extent,
    hidden: usize,
    sharing: Sharing,
    /// P, K.
    set_shape: [usize; 2],
}

impl Origin {
    pub(super) fn of<A: DynamicActivation>(extent: Extent, hidden: usize) -> Self {
        Self {
            extent,
            hidden,
            sharing: A::SHARING,
            set_shape: set_shape::<A>(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            extent:
                Extent {
                    samples,
                    channels,
                    positions,
                },
            hidden,
            sharing,
            set_shape: [p, k],
        } = self;
        write!(
            f,
            "N = {samples}, {channels} channels, {positions} positions, {hidden} hidden units, "
        )?;
        write!(f, "P = {p}, K = {k}, sharing mode {sharing:?}")
    }
}

fn view<T, Sh: ShapeBuilder>(shape: Sh, values: &[T]) -> ArrayView<'_, T, Sh::Dim> {
    ArrayView::from_shape(shape, values).expect("computed in this shape")
}

impl<T> Default for Cache<T> {
    /// A cache for [`forward_train_into`](super::Layer::forward_train_into) to fill.
    fn default() -> Self {
        Self {
            origin: Origin {
                extent: Extent {
                    samples: 0,
                    channels: 0,
                    positions: 0,
                },
                hidden: 0,
                sharing: Sharing::Spatial,
                set_shape: [0, 0],
            },
            pooled: Vec::new(),
            hidden: Vec::new(),
            residuals: Vec::new(),
            coefficients: Vec::new(),
            softmax: Vec::new(),
            attention: Vec::new(),
        }
    }
}

impl<T: Scalar> Cache<T> {
    /// Makes place for all that a layer of `A` computes.
    pub(super) fn resize<A: DynamicActivation>(&mut self, extent: Extent, hidden: usize) {
        let Extent {
            samples,
            channels,
            positions,
        } = extent;
        let coefficients = samples * extent.sets(A::SHARING) * set_len::<A>();
        let scores = if A::SHARING == Sharing::Unshared {
            samples * positions
        } else {
            0
        };
        self.origin = Origin::of::<A>(extent, hidden);
        for (array, len) in [
            (&mut self.pooled, samples * channels),
            (&mut self.hidden, samples * hidden),
            (&mut self.residuals, coefficients),
            (&mut self.coefficients, coefficients),
            (&mut self.softmax, scores),
            (&mut self.attention, scores),
        ] {
            array.resize(len, T::default());
        }
    }
}
