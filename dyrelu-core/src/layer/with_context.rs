//! [`WithContext`]: a layer together with the array that its coefficients follow from.

use super::forward::Pass;
use super::layout::{self, Layout};
use super::sizes::{Extent, has_external_context, needs_rows};
use super::workspace::Workspace;
use super::{Cache, Gradients, Layer, check_shape, slice};
use crate::kernels::pool;
use crate::{DynamicActivation, Error, Scalar};
use ndarray::{Array, ArrayD, ArrayRef, Dimension};

/// A [`Layer`] whose hyper function sees another array than x, made by [`Layer::with_context`].
///
/// Its methods are those of the layer, with the same shapes, errors and memory order.
#[derive(Debug)]
pub struct WithContext<'a, A: DynamicActivation, T: Scalar> {
    layer: &'a Layer<A, T>,
    /// None for an activation that needs none.
    context: Option<Context<T>>,
}

/// The external context.
#[derive(Debug)]
struct Context<T> {
    /// `[N, M, ...]`.
    shape: Vec<usize>,
    /// `[N, M]`.
    means: Vec<T>,
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// The layer for an external context, of an activation with `hyper(context = "external")`.
    ///
    /// The context is an array `[N, M, ...]` of any rank from 2, for a batch of N samples; the hyper function sees its mean
    /// over all axes from the third on. So it may be a map, such as the output of another layer, or a vector, which is
    /// taken as it is. M is [`context_channels`](crate::LayerBuilder::context_channels). The attention of mode C follows from
    /// x nevertheless.
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
            return context_error("no context: only `hyper(context = \"external\")` has one".to_owned());
        }
        let inputs = self.sizes.inputs;
        let (samples, spatial) = match *shape {
            [samples, channels, ref spatial @ ..] if channels == inputs => (samples, spatial),
            _ => return context_error(format!("a context [N, {inputs}, ...]")),
        };
        let context = context.as_standard_layout();
        let mut means = vec![T::default(); samples * inputs];
        pool::forward(self.level, spatial.iter().product(), slice(&context), &mut means);
        Ok(WithContext {
            layer: self,
            context: Some(Context { shape, means }),
        })
    }

    /// The layer of an activation that needs no external context, for code that treats both kinds alike.
    ///
    /// # Errors
    ///
    /// [`Error::Context`] when the activation has an external context.
    pub fn bare(&self) -> Result<WithContext<'_, A, T>, Error> {
        if has_external_context::<A>() {
            return Err(Error::Context {
                expected: "a context beside x: call `with_context`".to_owned(),
                found: "none".to_owned(),
            });
        }
        Ok(WithContext {
            layer: self,
            context: None,
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
        self.extent(x)?;
        let mut y = layout::zeros_like(x);
        self.forward_into(x, &mut y)?;
        Ok(y)
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
        let extent = self.extent(x)?;
        check_shape("output", x.shape(), y.shape())?;
        if !x.is_empty() {
            let run = |Workspace { cache, packed, .. }: &mut Workspace<T>| {
                self.layer
                    .forward_arrays(self.pass(false), extent, x, y, cache, packed);
            };
            self.layer.workspaces.with(run);
        }
        Ok(())
    }

    /// As [`Layer::forward_inplace`].
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_inplace<D: Dimension>(&self, x: &mut ArrayRef<T, D>) -> Result<(), Error> {
        let extent = self.extent(x)?;
        let Some((layout, slice)) = layout::slice_mut(x).filter(|_| !needs_rows::<A>()) else {
            let y = self.forward(x)?;
            x.assign(&y);
            return Ok(());
        };
        if !slice.is_empty() {
            let run = |Workspace { cache, packed, .. }: &mut Workspace<T>| {
                self.layer
                    .forward_slices(self.pass(false), (extent, layout), &[], slice, cache, packed);
            };
            self.layer.workspaces.with(run);
        }
        Ok(())
    }

    /// As [`Layer::forward_train`].
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<(Array<T, D>, Cache<T>), Error> {
        self.extent(x)?;
        let mut y = layout::zeros_like(x);
        let mut cache = Cache::default();
        self.forward_train_into(x, &mut y, &mut cache)?;
        Ok((y, cache))
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
        let extent = self.extent(x)?;
        check_shape("output", x.shape(), y.shape())?;
        let run = |Workspace { packed, .. }: &mut Workspace<T>| {
            self.layer
                .forward_arrays(self.pass(true), extent, x, y, cache, packed);
        };
        self.layer.workspaces.with(run);
        Ok(())
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
        self.check_backward(x, cache, grad_y)?;
        let mut grads = Gradients {
            x: layout::zeros_like(x),
            context: self.context_shape().map(zeros),
            parameters: self.layer.parameters.zeros_like(),
        };
        self.layer.backward_arrays(x, cache, grad_y, &mut grads);
        Ok(grads)
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
        self.check_backward(x, cache, grad_y)?;
        let layout = Layout::of(x).unwrap_or_else(|| Layout::of_standard(x.shape()));
        if grads.x.shape() != x.shape() || Layout::of(&grads.x) != Some(layout) {
            grads.x = layout::zeros_like(x);
        }
        let shape = self.context_shape();
        let fits = |grad: &ArrayD<T>| Some(grad.shape()) == shape && grad.is_standard_layout();
        if !grads.context.as_ref().map_or(shape.is_none(), fits) {
            grads.context = shape.map(zeros);
        }
        if !grads.parameters.has_shapes_of(&self.layer.parameters) {
            grads.parameters = self.layer.parameters.zeros_like();
        }
        self.layer.backward_arrays(x, cache, grad_y, grads);
        Ok(())
    }

    fn check_backward<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
    ) -> Result<(), Error> {
        let extent = self.extent(x)?;
        check_shape("gradient of the output", x.shape(), grad_y.shape())?;
        self.layer.check_cache(extent, cache)
    }

    fn context_shape(&self) -> Option<&[usize]> {
        self.context.as_ref().map(|context| &*context.shape)
    }

    fn pass(&self, training: bool) -> Pass<'_, T> {
        Pass {
            context: self.context.as_ref().map(|context| &*context.means),
            training,
        }
    }

    /// The extent of x, if it fits the layer and the context.
    fn extent<D: Dimension>(&self, x: &ArrayRef<T, D>) -> Result<Extent, Error> {
        let extent = self.layer.extent(x.shape())?;
        match self.context_shape() {
            Some(shape) if shape[0] != extent.samples => Err(Error::Context {
                expected: format!(
                    "a context [{}, {}, ...] for x of this batch size",
                    extent.samples, shape[1]
                ),
                found: format!("{shape:?}"),
            }),
            _ => Ok(extent),
        }
    }
}

fn zeros<T: Scalar>(shape: &[usize]) -> ArrayD<T> {
    ArrayD::from_elem(shape, T::default())
}
