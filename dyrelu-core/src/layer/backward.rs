//! The backward pass of a [`Layer`].

use super::cache::{Origin, zeros};
use super::parameters::{self, Parameters};
use super::{Cache, Extent, Layer, check_shape, slice, slice_mut};
use crate::kernels::piecewise::PieceSet;
use crate::kernels::{attention, coefficients, hyper, piecewise, pool};
use crate::{DynamicActivation, Error, Scalar, Sharing};
use ndarray::{Array, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension};

/// The gradients of a loss with respect to a layer's input and parameters.
#[derive(Debug, Clone)]
pub struct Gradients<T, D: Dimension> {
    /// With respect to x, in its shape.
    pub x: Array<T, D>,
    parameters: Parameters<T>,
}

impl<T: Scalar, D: Dimension> Gradients<T, D> {
    /// The gradients of the parameters, with the names and in the order of [`Layer::parameters`].
    #[must_use]
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewD<'_, T>)> {
        self.parameters.iter()
    }

    /// The gradients of the parameters, to be scaled or clipped.
    #[must_use]
    pub fn parameters_mut(&mut self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewMutD<'_, T>)> {
        self.parameters.iter_mut()
    }

    /// The gradient of the parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<ArrayViewD<'_, T>> {
        self.parameters.get(name)
    }
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// The gradients of a loss, given `grad_y`, its gradient with respect to the output.
    ///
    /// x reaches the output on up to three ways: through the pieces, through the mean and the hyper function,
    /// and in mode C through the attention. The gradient of x is the sum of all.
    ///
    /// # Shapes
    ///
    /// x, `grad_y` and the gradient of x: `[N, C, ...]`.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward); [`Error::Shape`] when `grad_y` is not shaped as x; [`Error::Cache`] when
    /// the cache is not that of an input of this shape.
    pub fn backward<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
    ) -> Result<Gradients<T, D>, Error> {
        let extent = self.extent(x.shape())?;
        check_shape("gradient of the output", x.shape(), grad_y.shape())?;
        self.check_cache(extent, cache)?;

        let mut grad_x = Array::from_elem(x.raw_dim(), T::default());
        let mut grad_parameters = self.parameters.zeros_like();
        let (x, grad_y) = (x.as_standard_layout(), grad_y.as_standard_layout());
        self.backward_slices(
            slice(&x),
            cache,
            slice(&grad_y),
            slice_mut(&mut grad_x),
            &mut grad_parameters,
        );
        Ok(Gradients {
            x: grad_x,
            parameters: grad_parameters,
        })
    }

    fn check_cache(&self, extent: Extent, cache: &Cache<T>) -> Result<(), Error> {
        let expected = Origin::of::<A>(extent, self.hidden);
        if cache.origin == expected {
            return Ok(());
        }
        Err(Error::Cache {
            expected: expected.to_string(),
            found: cache.origin.to_string(),
        })
    }

    /// The way back of [`compute_cache`](Self::compute_cache) and the activation.
    fn backward_slices(
        &self,
        x: &[T],
        cache: &Cache<T>,
        grad_y: &[T],
        grad_x: &mut [T],
        grad_parameters: &mut Parameters<T>,
    ) {
        let positions = cache.origin.extent.positions;
        let mut grad_residuals = zeros(cache.coefficients.len());
        let mut grad_attention = zeros(cache.attention.len());
        A::Pieces::backward(
            self.level,
            cache.operands(),
            x,
            grad_y,
            piecewise::Gradients {
                x: grad_x,
                coefficients: &mut grad_residuals,
                attention: &mut grad_attention,
            },
        );
        coefficients::backward(&self.lambda, &mut grad_residuals);

        let mut grad_pooled = zeros(cache.pooled.len());
        let mut grad_hidden = zeros(cache.hidden.len());
        let [fc1_weight, fc1_bias, fc2_weight, fc2_bias, attention_weight] = grad_parameters.slices_mut([
            parameters::FC1_WEIGHT,
            parameters::FC1_BIAS,
            parameters::FC2_WEIGHT,
            parameters::FC2_BIAS,
            parameters::ATTENTION_WEIGHT,
        ]);
        hyper::backward(
            self.level,
            self.hyper(),
            hyper::Activations {
                pooled: &cache.pooled,
                hidden: &cache.hidden,
                residuals: &cache.residuals,
            },
            &mut grad_residuals,
            hyper::Gradients {
                pooled: &mut grad_pooled,
                hidden: &mut grad_hidden,
                fc1_weight,
                fc1_bias,
                fc2_weight,
                fc2_bias,
            },
        );
        pool::backward(self.level, positions, &grad_pooled, grad_x);

        if A::SHARING == Sharing::Unshared {
            attention::backward(
                self.level,
                self.attention(positions),
                x,
                &cache.softmax,
                &mut grad_attention,
                grad_x,
                attention_weight,
            );
        }
    }
}
