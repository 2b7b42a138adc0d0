//! [`Cache`]: what the hyper function and the attention computed for one input.

use super::is_normalised;
use super::plan::Plan;
use super::sizes::{Extent, Sizes, is_static, set_len, set_shape, sets};
use super::statistics::Statistics;
use crate::{DynamicActivation, Scalar, Sharing};
use core::any::TypeId;
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
    /// The scores of a normalised attention, after their normalisation and before weight and bias.
    pub(super) normalised: Vec<T>,
    pub(super) statistics: Statistics,
}

impl<T: Scalar> Cache<T> {
    /// What the hyper function saw, `[N, M]`: the mean of x over its spatial axes, or another [`Context`](crate::Context).
    #[must_use]
    pub fn pooled(&self) -> ArrayView2<'_, T> {
        view((self.origin.extent.samples, self.origin.inputs), &self.pooled)
    }

    /// The hidden units of the hyper function, `[N, H]`.
    #[must_use]
    pub fn hidden(&self) -> ArrayView2<'_, T> {
        view((self.origin.extent.samples, self.origin.hidden), &self.hidden)
    }

    /// The coefficients, dynamic and learned, `[N, C or 1, P, K]`, where P counts [`COEFFICIENTS`]; in mode C those that the
    /// attention multiplies. If none is dynamic, all samples have the same, `[1, C or 1, P, K]`.
    ///
    /// [`COEFFICIENTS`]: DynamicActivation::COEFFICIENTS
    #[must_use]
    pub fn coefficients(&self) -> ArrayView4<'_, T> {
        let Origin {
            extent,
            outputs,
            sets,
            set_shape: [p, k],
            ..
        } = self.origin;
        let rows = if outputs == 0 { 1 } else { extent.samples };
        view((rows, sets, p, k), &self.coefficients[..rows * sets * p * k])
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
    /// The activation and its name; nothing before the first pass.
    activation: Option<(TypeId, &'static str)>,
    pub(super) extent: Extent,
    inputs: usize,
    hidden: usize,
    outputs: usize,
    sharing: Sharing,
    sets: usize,
    /// P, K.
    set_shape: [usize; 2],
    normalised: bool,
}

impl Origin {
    pub(super) fn of<A: DynamicActivation>(extent: Extent, sizes: Sizes) -> Self {
        Self {
            activation: Some((TypeId::of::<A>(), A::NAME)),
            extent,
            inputs: sizes.inputs,
            hidden: sizes.hidden,
            outputs: sizes.outputs,
            sharing: A::SHARING,
            sets: sets::<A>(extent.channels),
            set_shape: set_shape::<A>(),
            normalised: is_normalised::<A>(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            activation,
            extent:
                Extent {
                    samples,
                    channels,
                    positions,
                },
            inputs,
            hidden,
            outputs,
            sharing,
            set_shape: [p, k],
            normalised,
            ..
        } = self;
        let name = activation.map_or("no pass", |(_, name)| name);
        write!(
            f,
            "{name} with N = {samples}, {channels} channels, {positions} positions, "
        )?;
        if *outputs != 0 {
            if inputs != channels {
                write!(f, "{inputs} inputs of the hyper function, ")?;
            }
            write!(f, "{hidden} hidden units, ")?;
        }
        write!(f, "{p} coefficients, K = {k}, ")?;
        let attention = if *normalised { ", normalised" } else { "" };
        write!(f, "sharing mode {sharing:?}{attention}")
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
                activation: None,
                extent: Extent {
                    samples: 0,
                    channels: 0,
                    positions: 0,
                },
                inputs: 0,
                hidden: 0,
                outputs: 0,
                sharing: Sharing::Spatial,
                sets: 0,
                set_shape: [0, 0],
                normalised: false,
            },
            pooled: Vec::new(),
            hidden: Vec::new(),
            residuals: Vec::new(),
            coefficients: Vec::new(),
            softmax: Vec::new(),
            attention: Vec::new(),
            normalised: Vec::new(),
            statistics: Statistics::default(),
        }
    }
}

impl<T: Scalar> Cache<T> {
    /// Makes place for all that a layer of `A` computes.
    pub(super) fn resize<A: DynamicActivation>(&mut self, extent: Extent, plan: Plan, sizes: Sizes) {
        let samples = extent.samples;
        let scores = match A::SHARING {
            Sharing::Unshared => samples * extent.positions,
            _ => 0,
        };
        let normalised = if is_normalised::<A>() { scores } else { 0 };
        let rows = if is_static::<A>() {
            plan.extent.samples.max(1)
        } else {
            samples
        };
        let coefficients = rows * sets::<A>(sizes.channels) * set_len::<A>();
        self.origin = Origin::of::<A>(extent, sizes);
        for (array, len) in [
            (&mut self.pooled, samples * sizes.inputs),
            (&mut self.hidden, samples * sizes.hidden),
            (&mut self.residuals, samples * sizes.outputs),
            (&mut self.coefficients, coefficients),
            (&mut self.softmax, scores),
            (&mut self.attention, scores),
            (&mut self.normalised, normalised),
        ] {
            array.resize(len, T::default());
        }
    }
}
