//! The forward pass of a [`Layer`].

use super::layout::{self, Layout};
use super::plan::Plan;
use super::samples::Samples;
use super::sizes::{is_static, needs_rows};
use super::statistics::Statistics;
use super::workspace::Packed;
use super::{Cache, Extent, Layer, is_normalised, parameters, slice_mut};
use crate::kernels::{attention, coefficients};
use crate::parallel;
use crate::{DynamicActivation, Error, Scalar};
use core::ops::Range;
use ndarray::{Array, ArrayRef, Dimension};

/// What a pass depends on besides x and the layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a, T> {
    /// The means of the external context, `[N, M]`, if the activation has one.
    pub(super) context: Option<&'a [T]>,
    /// Whether scores are normalised by their own statistics.
    pub(super) training: bool,
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// The activation of `x`, see [`Layer`] for the formula.
    ///
    /// # Shapes
    ///
    /// x: `[N, C, ...]`, any strides. The output has the same shape, in the [memory order](Self#memory-order) of x.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] and [`Error::Channels`] for an input that does not fit the layer; [`Error::Context`] when the
    /// activation needs an external context, see [`with_context`](Self::with_context).
    pub fn forward<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array<T, D>, Error> {
        self.bare()?.forward(x)
    }

    /// [`forward`](Self::forward) into an array that is there already.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), and [`Error::Shape`] when y is not shaped as x. y is unchanged then.
    pub fn forward_into<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
    ) -> Result<(), Error> {
        self.bare()?.forward_into(x, y)
    }

    /// [`forward`](Self::forward), with the output in the place of the input, and no second array but for activations
    /// with [neighbours](crate::Neighbour).
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward). x is unchanged then.
    pub fn forward_inplace<D: Dimension>(&self, x: &mut ArrayRef<T, D>) -> Result<(), Error> {
        self.bare()?.forward_inplace(x)
    }

    /// [`forward`](Self::forward), together with what [`backward`](Self::backward) needs. A
    /// [normalised attention](crate::Attention::Normalised) is normalised by the statistics of this batch, see
    /// [`update_statistics`](Self::update_statistics).
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<(Array<T, D>, Cache<T>), Error> {
        self.bare()?.forward_train(x)
    }

    /// [`forward_train`](Self::forward_train) into an array and a cache that are there already. The cache may be
    /// that of any other pass, or [`Cache::default`].
    ///
    /// # Errors
    ///
    /// As [`forward_into`](Self::forward_into). y and the cache are unchanged then.
    pub fn forward_train_into<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
        cache: &mut Cache<T>,
    ) -> Result<(), Error> {
        self.bare()?.forward_train_into(x, y, cache)
    }

    pub(super) fn forward_arrays<D: Dimension>(
        &self,
        pass: Pass<'_, T>,
        extent: Extent,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
        cache: &mut Cache<T>,
        packed: &mut Packed<T>,
    ) {
        if const { needs_rows::<A>() } {
            let rows = layout::rows(x);
            let slices = (extent, Layout::Rows);
            if let Some(y) = y.as_slice_mut() {
                self.forward_slices(pass, slices, &rows, y, cache, packed);
            } else {
                let mut standard = Array::from_elem(x.raw_dim(), T::default());
                self.forward_slices(pass, slices, &rows, slice_mut(&mut standard), cache, packed);
                y.assign(&standard);
            }
            return;
        }
        let Some(layout) = Layout::of(y) else {
            let mut standard = Array::from_elem(x.raw_dim(), T::default());
            self.forward_arrays(pass, extent, x, &mut standard, cache, packed);
            y.assign(&standard);
            return;
        };
        let same = layout::slice(x).filter(|&(of_x, _)| of_x == layout);
        if same.is_none() {
            y.assign(x);
        }
        if let Some((_, y)) = layout::slice_mut(y) {
            let x = same.map_or(&[][..], |(_, x)| x);
            self.forward_slices(pass, (extent, layout), x, y, cache, packed);
        }
    }

    /// x is empty if it stands in y.
    pub(super) fn forward_slices(
        &self,
        pass: Pass<'_, T>,
        (extent, layout): (Extent, Layout),
        x: &[T],
        y: &mut [T],
        cache: &mut Cache<T>,
        packed: &mut Packed<T>,
    ) {
        let plan = Plan::new::<A>(extent, layout);
        cache.resize::<A>(extent, plan, self.sizes);
        if let Some(context) = pass.context {
            cache.pooled.copy_from_slice(context);
        }
        let operands = packed.update(self);
        if const { is_static::<A>() } && extent.samples == 0 {
            coefficients::forward(operands.coefficients, &[], &mut cache.coefficients);
        }
        if const { is_normalised::<A>() } && pass.training {
            // The statistics are those of all samples: these are pooled before any is applied.
            let samples = Samples::of(plan, x, y, cache);
            plan.run(|| {
                parallel::for_each(samples, plan.samples, &|samples| self.pool_samples(plan, samples));
            });
            self.normalise(cache);
        }
        let samples = Samples::of(plan, x, y, cache);
        plan.run(|| {
            parallel::for_each(samples, plan.samples, &|samples| {
                if const { is_normalised::<A>() } && pass.training {
                    self.apply_samples(plan, operands, samples);
                } else {
                    self.forward_samples(plan, operands, samples);
                }
            });
        });
    }

    /// Normalises the scores of a batch by their own statistics.
    fn normalise(&self, cache: &mut Cache<T>) {
        cache.statistics = Statistics::of(cache.softmax.iter().map(|score| score.to_f64()));
        let Statistics { mean, .. } = cache.statistics;
        let inverse = cache.statistics.inverse_deviation();
        let weight = self.parameters.slice(parameters::NORM_WEIGHT)[0];
        for (score, normalised) in cache.softmax.iter_mut().zip(&mut cache.normalised) {
            *normalised = T::from_f64((score.to_f64() - mean) * inverse);
            *score = weight * *normalised;
        }
    }

    /// What the attention of some channels is computed from.
    pub(super) fn attention(&self, positions: usize, channels: Range<usize>) -> attention::Operands<'_, T> {
        attention::Operands {
            positions,
            scaling: self.scaling,
            weight: &self.parameters.slice(parameters::ATTENTION_WEIGHT)[channels],
        }
    }
}
