//! [`Cache`]: what the hyper function and the attention computed for one input.

use super::{Extent, Layer, parameters, set_len, set_shape};
use crate::kernels::{attention, coefficients, hyper, piecewise, pool};
use crate::{DynamicActivation, Scalar, Sharing};
use ndarray::{ArrayView, ArrayView2, ArrayView4, ShapeBuilder};

/// What a layer computed from an input before it applied the activation: needed by
/// [`backward`](Layer::backward), and interesting by itself.
///
/// Nothing in it has the size of x.
#[derive(Debug, Clone)]
pub struct Cache<T> {
    pub(super) extent: Extent,
    pub(super) hidden_units: usize,
    sharing: Sharing,
    /// P, K.
    set_shape: [usize; 2],
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
        view((self.extent.samples, self.extent.channels), &self.pooled)
    }

    /// The hidden units of the hyper function, `[N, H]`.
    #[must_use]
    pub fn hidden(&self) -> ArrayView2<'_, T> {
        view((self.extent.samples, self.hidden_units), &self.hidden)
    }

    /// The coefficients, `[N, C or 1, P, K]`; in mode C those that the attention multiplies.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView4<'_, T> {
        let [p, k] = self.set_shape;
        let sets = self.extent.sets(self.sharing);
        view((self.extent.samples, sets, p, k), &self.coefficients)
    }

    /// The spatial attention π of mode C, `[N, S]` with S positions; `None` in modes A and B.
    #[must_use]
    pub fn attention(&self) -> Option<ArrayView2<'_, T>> {
        let Extent {
            samples, positions, ..
        } = self.extent;
        (self.sharing == Sharing::Unshared).then(|| view((samples, positions), &self.attention))
    }

    /// Whether the cache is that of an activation with the constants of `A`.
    pub(super) fn fits<A: DynamicActivation>(&self) -> bool {
        self.sharing == A::SHARING && self.set_shape == set_shape::<A>()
    }

    /// What the activation reads besides x.
    pub(super) fn operands(&self) -> piecewise::Operands<'_, T> {
        piecewise::Operands {
            len: self.extent.row_len(self.sharing),
            coefficients: &self.coefficients,
            attention: &self.attention,
        }
    }
}

fn view<T, Sh: ShapeBuilder>(shape: Sh, values: &[T]) -> ArrayView<'_, T, Sh::Dim> {
    ArrayView::from_shape(shape, values).expect("computed in this shape")
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// Everything that the activation needs besides x.
    pub(super) fn compute_cache(&self, extent: Extent, x: &[T]) -> Cache<T> {
        let Extent {
            samples,
            channels,
            positions,
        } = extent;
        let sets = samples * extent.sets(A::SHARING);
        let mut cache = Cache {
            extent,
            hidden_units: self.hidden,
            sharing: A::SHARING,
            set_shape: set_shape::<A>(),
            pooled: zeros(samples * channels),
            hidden: zeros(samples * self.hidden),
            residuals: zeros(sets * set_len::<A>()),
            coefficients: zeros(sets * set_len::<A>()),
            softmax: Vec::new(),
            attention: Vec::new(),
        };
        pool::forward(self.level, positions, x, &mut cache.pooled);
        hyper::forward(
            self.level,
            self.hyper(),
            &cache.pooled,
            &mut cache.hidden,
            &mut cache.residuals,
        );
        coefficients::forward(
            &self.init,
            &self.lambda,
            &cache.residuals,
            &mut cache.coefficients,
        );
        if A::SHARING == Sharing::Unshared {
            cache.softmax = zeros(samples * positions);
            cache.attention = zeros(samples * positions);
            attention::forward(
                self.level,
                self.attention(positions),
                self.parameters.slice(parameters::ATTENTION_BIAS)[0],
                x,
                &mut cache.softmax,
                &mut cache.attention,
            );
        }
        cache
    }

    pub(super) fn attention(&self, positions: usize) -> attention::Operands<'_, T> {
        attention::Operands {
            positions,
            temperature: self.temperature,
            weight: self.parameters.slice(parameters::ATTENTION_WEIGHT),
        }
    }
}

pub(super) fn zeros<T: Scalar>(len: usize) -> Vec<T> {
    vec![T::default(); len]
}
