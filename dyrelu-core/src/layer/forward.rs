//! The forward pass of a [`Layer`].

use super::layout::{self, Layout};
use super::plan::Plan;
use super::samples::Samples;
use super::workspace::{PackedWeights, Workspace};
use super::{Cache, Extent, Layer, check_shape};
use crate::kernels::attention;
use crate::parallel;
use crate::{DynamicActivation, Error, Scalar};
use core::ops::Range;
use ndarray::{Array, ArrayRef, Dimension};

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// The activation of `x`, see [`Layer`] for the formula.
    ///
    /// # Shapes
    ///
    /// x: `[N, C, ...]`, any strides. The output has the same shape, in the [memory order](Self#memory-order) of x.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] and [`Error::Channels`] for an input that does not fit the layer.
    pub fn forward<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array<T, D>, Error> {
        self.extent(x.shape())?;
        let mut y = layout::zeros_like(x);
        self.forward_into(x, &mut y)?;
        Ok(y)
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
        let extent = self.extent(x.shape())?;
        check_shape("output", x.shape(), y.shape())?;
        if !x.is_empty() {
            self.workspaces.with(|Workspace { cache, weights, .. }| {
                self.forward_arrays(extent, x, y, cache, weights);
            });
        }
        Ok(())
    }

    /// [`forward`](Self::forward), with the output in the place of the input, and no second array.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward). x is unchanged then.
    pub fn forward_inplace<D: Dimension>(&self, x: &mut ArrayRef<T, D>) -> Result<(), Error> {
        let extent = self.extent(x.shape())?;
        let Some((layout, slice)) = layout::slice_mut(x) else {
            let y = self.forward(x)?;
            x.assign(&y);
            return Ok(());
        };
        if !slice.is_empty() {
            self.workspaces.with(|Workspace { cache, weights, .. }| {
                self.forward_slices((extent, layout), &[], slice, cache, weights);
            });
        }
        Ok(())
    }

    /// [`forward`](Self::forward), together with what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<(Array<T, D>, Cache<T>), Error> {
        self.extent(x.shape())?;
        let mut y = layout::zeros_like(x);
        let mut cache = Cache::default();
        self.forward_train_into(x, &mut y, &mut cache)?;
        Ok((y, cache))
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
        let extent = self.extent(x.shape())?;
        check_shape("output", x.shape(), y.shape())?;
        self.workspaces
            .with(|workspace| self.forward_arrays(extent, x, y, cache, &mut workspace.weights));
        Ok(())
    }

    fn forward_arrays<D: Dimension>(
        &self,
        extent: Extent,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
        cache: &mut Cache<T>,
        weights: &mut PackedWeights<T>,
    ) {
        let Some(layout) = Layout::of(y) else {
            let mut standard = Array::from_elem(x.raw_dim(), T::default());
            self.forward_arrays(extent, x, &mut standard, cache, weights);
            y.assign(&standard);
            return;
        };
        let same = layout::slice(x).filter(|&(of_x, _)| of_x == layout);
        if same.is_none() {
            y.assign(x);
        }
        if let Some((_, y)) = layout::slice_mut(y) {
            let x = same.map_or(&[][..], |(_, x)| x);
            self.forward_slices((extent, layout), x, y, cache, weights);
        }
    }

    /// x is empty if it stands in y.
    fn forward_slices(
        &self,
        (extent, layout): (Extent, Layout),
        x: &[T],
        y: &mut [T],
        cache: &mut Cache<T>,
        weights: &mut PackedWeights<T>,
    ) {
        cache.resize::<A>(extent, self.hidden);
        let weights = weights.update(self.level, self.generation, self.hyper());
        let plan = Plan::new(extent, layout);
        let samples = Samples {
            count: extent.samples,
            x,
            y,
            pooled: &mut cache.pooled,
            hidden: &mut cache.hidden,
            residuals: &mut cache.residuals,
            coefficients: &mut cache.coefficients,
            softmax: &mut cache.softmax,
            attention: &mut cache.attention,
        };
        plan.run(|| {
            parallel::for_each(samples, plan.samples, &|samples| {
                self.forward_samples(plan, weights, samples);
            });
        });
    }

    /// What the attention of some channels is computed from.
    pub(super) fn attention(&self, positions: usize, channels: Range<usize>) -> attention::Operands<'_, T> {
        attention::Operands {
            positions,
            temperature: self.temperature,
            weight: &self.parameters.slice(super::parameters::ATTENTION_WEIGHT)[channels],
        }
    }
}
