//! [`WithContext`]: a layer together with the array that its coefficients follow from.

use super::sizes::has_external_context;
use super::{Cache, Gradients, Layer, slice};
use crate::kernels::pool;
use crate::{DynamicActivation, Error, Scalar};
use ndarray::{Array, ArrayRef, Dimension};

/// A [`Layer`] whose hyper function sees another array than x, made by [`Layer::with_context`].
///
/// Its methods are those of the layer, with the same shapes, errors and memory order.
#[derive(Debug)]
pub struct WithContext<'a, A: DynamicActivation, T: Scalar> {
    layer: &'a Layer<A, T>,
    shape: Vec<usize>,
    /// The means of the context, `[N, M]`.
    pooled: Vec<T>,
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// The layer for an external context, of an activation with `hyper(context = "external")`.
    ///
    /// The context is an array `[N, M, ...]` of any rank from 2, for a batch of N samples; the hyper function sees its mean
    /// over all axes from the third on. So it may be a map, such as the output of another layer, or a vector, which is
    /// taken as it is. M is [`context_channels`](crate::LayerBuilder::context_channels).
    ///
    /// ```
    /// use dyrelu::dynamic_activation;
    /// use ndarray::{Array2, Array4};
    ///
    /// #[dynamic_activation(k = 2, share = "spatial", hyper(context = "external"))]
    /// struct Conditioned;
    ///
    /// let act = Conditioned::layer::<f32>(8).context_channels(5).build()?;
    /// let (x, tokens) = (Array4::<f32>::ones((2, 8, 4, 4)), Array2::<f32>::ones((2, 5)));
    /// let conditioned = act.with_context(&tokens)?;
    /// let (y, cache) = conditioned.forward_train(&x)?;
    /// let grads = conditioned.backward(&x, &cache, &y)?;
    /// assert_eq!(grads.context.unwrap().shape(), tokens.shape());
    /// # Ok::<(), dyrelu::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Context`] when the activation has no external context, or the array is not `[N, M, ...]`.
    pub fn with_context<D: Dimension>(
        &self,
        context: &ArrayRef<T, D>,
    ) -> Result<WithContext<'_, A, T>, Error> {
        let shape = context.shape().to_vec();
        let context_error = |expected| {
            Err(Error::Context {
                expected,
                found: format!("{shape:?}"),
            })
        };
        if !has_external_context::<A>() {
            return context_error("none: only `hyper(context = \"external\")` has one".to_owned());
        }
        let inputs = self.sizes.inputs;
        let &[samples, channels, ref spatial @ ..] = &*shape else {
            return context_error(format!("[N, {inputs}, ...]"));
        };
        if channels != inputs {
            return context_error(format!("[N, {inputs}, ...]"));
        }
        let context = context.as_standard_layout();
        let mut pooled = vec![T::default(); samples * channels];
        pool::forward(self.level, spatial.iter().product(), slice(&context), &mut pooled);
        Ok(WithContext {
            layer: self,
            shape,
            pooled,
        })
    }
}

impl<A: DynamicActivation, T: Scalar> WithContext<'_, A, T> {
    /// As [`Layer::forward`].
    ///
    /// # Errors
    ///
    /// As [`Layer::forward`]; [`Error::Context`] when the context is one of another number of samples.
    pub fn forward<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Array<T, D>, Error> {
        self.layer.forward_pass(Some(self.context(x)?), x)
    }

    /// As [`Layer::forward_into`].
    ///
    /// # Errors
    ///
    /// As [`Layer::forward_into`] and [`forward`](Self::forward).
    pub fn forward_into<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
    ) -> Result<(), Error> {
        self.layer.forward_into_pass(Some(self.context(x)?), x, y)
    }

    /// As [`Layer::forward_inplace`].
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_inplace<D: Dimension>(&self, x: &mut ArrayRef<T, D>) -> Result<(), Error> {
        self.layer.forward_inplace_pass(Some(self.context(x)?), x)
    }

    /// As [`Layer::forward_train`].
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<(Array<T, D>, Cache<T>), Error> {
        self.layer.forward_train_pass(Some(self.context(x)?), x)
    }

    /// As [`Layer::forward_train_into`].
    ///
    /// # Errors
    ///
    /// As [`Layer::forward_train_into`] and [`forward`](Self::forward).
    pub fn forward_train_into<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        y: &mut ArrayRef<T, D>,
        cache: &mut Cache<T>,
    ) -> Result<(), Error> {
        self.layer
            .forward_train_into_pass(Some(self.context(x)?), x, y, cache)
    }

    /// As [`Layer::backward`], with the gradient of the context beside that of x.
    ///
    /// # Errors
    ///
    /// As [`Layer::backward`] and [`forward`](Self::forward).
    pub fn backward<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
    ) -> Result<Gradients<T, D>, Error> {
        self.context(x)?;
        self.layer.backward_pass(x, cache, grad_y, Some(&self.shape))
    }

    /// As [`Layer::backward_into`], with the gradient of the context beside that of x.
    ///
    /// # Errors
    ///
    /// As [`Layer::backward_into`] and [`forward`](Self::forward).
    pub fn backward_into<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
        grads: &mut Gradients<T, D>,
    ) -> Result<(), Error> {
        self.context(x)?;
        self.layer
            .backward_into_pass(x, cache, grad_y, Some(&self.shape), grads)
    }

    /// The means, if x has as many samples.
    fn context<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<&[T], Error> {
        let samples = self.layer.extent(x.shape())?.samples;
        if samples == self.shape[0] {
            return Ok(&self.pooled);
        }
        Err(Error::Context {
            expected: format!("[{samples}, {}, ...] for x of this batch size", self.shape[1]),
            found: format!("{:?}", self.shape),
        })
    }
}
