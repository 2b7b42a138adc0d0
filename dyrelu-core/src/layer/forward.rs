//! The forward pass of a [`Layer`].

use super::{Cache, Layer, check_shape, slice, slice_mut};
use crate::kernels::piecewise::PieceSet;
use crate::{DynamicActivation, Error, Scalar};
use ndarray::{Array, ArrayRef, Dimension};

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// The activation of `x`, see [`Layer`] for the formula.
    ///
    /// # Shapes
    ///
    /// x: `[N, C, ...]`, any strides. The output has the same shape, in standard layout.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] and [`Error::Channels`] for an input that does not fit the layer.
    pub fn forward<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array<T, D>, Error> {
        self.extent(x.shape())?;
        let mut y = Array::from_elem(x.raw_dim(), T::default());
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
        let Some(y_slice) = y.as_slice_mut() else {
            y.assign(&self.forward(x)?);
            return Ok(());
        };
        if !x.is_empty() {
            let x = x.as_standard_layout();
            let x = slice(&x);
            let cache = self.compute_cache(extent, x);
            A::Pieces::forward(self.level, cache.operands(), x, y_slice);
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
        let Some(slice) = x.as_slice_mut() else {
            let y = self.forward(x)?;
            x.assign(&y);
            return Ok(());
        };
        if !slice.is_empty() {
            let cache = self.compute_cache(extent, slice);
            A::Pieces::forward_inplace(self.level, cache.operands(), slice);
        }
        Ok(())
    }

    /// [`forward`](Self::forward), together with what [`backward`](Self::backward) needs.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<(Array<T, D>, Cache<T>), Error> {
        let extent = self.extent(x.shape())?;
        let mut y = Array::from_elem(x.raw_dim(), T::default());
        let x = x.as_standard_layout();
        let x = slice(&x);
        let cache = self.compute_cache(extent, x);
        A::Pieces::forward(self.level, cache.operands(), x, slice_mut(&mut y));
        Ok((y, cache))
    }
}
