//! The backward pass of a [`Layer`].

use super::cache::Origin;
use super::grad_samples::GradSamples;
use super::layout::{self, Layout};
use super::parameters::{self, Parameters};
use super::plan::Plan;
use super::workspace::Workspace;
use super::{Cache, Extent, Layer, check_shape, slice, slice_mut};
use crate::kernels::linear;
use crate::parallel::{self, Part, Split};
use crate::{DynamicActivation, Error, Scalar};
use ndarray::{Array, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension};

/// The gradients of a loss with respect to a layer's input and parameters.
#[derive(Debug, Clone)]
pub struct Gradients<T, D: Dimension> {
    /// With respect to x, in its shape and [memory order](Layer#memory-order).
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
    /// x, `grad_y` and the gradient of x: `[N, C, ...]`, any strides. The gradient of x has the
    /// [memory order](Self#memory-order) of x.
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

        let mut grads = Gradients {
            x: layout::zeros_like(x),
            parameters: self.parameters.zeros_like(),
        };
        self.backward_arrays(x, cache, grad_y, &mut grads);
        Ok(grads)
    }

    /// [`backward`](Self::backward) into gradients that are there already, from an earlier pass. They are replaced
    /// by new ones if their shapes differ.
    ///
    /// # Errors
    ///
    /// As [`backward`](Self::backward). `grads` are unchanged then.
    pub fn backward_into<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
        grads: &mut Gradients<T, D>,
    ) -> Result<(), Error> {
        let extent = self.extent(x.shape())?;
        check_shape("gradient of the output", x.shape(), grad_y.shape())?;
        self.check_cache(extent, cache)?;
        let layout = Layout::of(x).unwrap_or_else(|| Layout::of_standard(x.shape()));
        if grads.x.shape() != x.shape() || Layout::of(&grads.x) != Some(layout) {
            grads.x = layout::zeros_like(x);
        }
        if !grads.parameters.has_shapes_of(&self.parameters) {
            grads.parameters = self.parameters.zeros_like();
        }
        self.backward_arrays(x, cache, grad_y, grads);
        Ok(())
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

    fn backward_arrays<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
        grads: &mut Gradients<T, D>,
    ) {
        let Gradients {
            x: grad_x,
            parameters,
        } = grads;
        if let (Some((layout, x)), Some((of_grad, grad_y)), Some((of_grad_x, grad_x))) =
            (layout::slice(x), layout::slice(grad_y), layout::slice_mut(grad_x))
            && of_grad == layout
            && of_grad_x == layout
        {
            return self.backward_slices(layout, [x, grad_y], cache, grad_x, parameters);
        }
        let layout = Layout::of_standard(x.shape());
        let (x, grad_y) = (x.as_standard_layout(), grad_y.as_standard_layout());
        let arrays = [slice(&x), slice(&grad_y)];
        if let Some(grad_x) = grad_x.as_slice_mut() {
            self.backward_slices(layout, arrays, cache, grad_x, parameters);
        } else {
            let mut standard = Array::from_elem(x.raw_dim(), T::default());
            self.backward_slices(layout, arrays, cache, slice_mut(&mut standard), parameters);
            grad_x.assign(&standard);
        }
    }

    fn backward_slices(
        &self,
        layout: Layout,
        [x, grad_y]: [&[T]; 2],
        cache: &Cache<T>,
        grad_x: &mut [T],
        parameters: &mut Parameters<T>,
    ) {
        let plan = Plan::new(cache.origin.extent, layout);
        self.workspaces.with(|workspace| {
            workspace.resize(cache);
            plan.run(|| {
                let samples = GradSamples {
                    count: cache.origin.extent.samples,
                    x,
                    hidden: &cache.hidden,
                    residuals: &cache.residuals,
                    coefficients: &cache.coefficients,
                    softmax: &cache.softmax,
                    attention: &cache.attention,
                    grad_y,
                    grad_x,
                    grad_pooled: &mut workspace.grad_pooled,
                    grad_hidden: &mut workspace.grad_hidden,
                    grad_coefficients: &mut workspace.grad_coefficients,
                    grad_attention: &mut workspace.grad_attention,
                    grad_weights: &mut workspace.grad_weights,
                };
                parallel::for_each(samples, plan.samples, &|samples| {
                    self.backward_samples(plan, samples);
                });
                self.backward_parameters(plan, cache, workspace, parameters);
            });
        });
    }

    /// The gradients of the parameters, from those of what they are multiplied with.
    fn backward_parameters(
        &self,
        plan: Plan,
        cache: &Cache<T>,
        workspace: &Workspace<T>,
        grads: &mut Parameters<T>,
    ) {
        let [
            fc1_weight,
            fc1_bias,
            fc2_weight,
            fc2_bias,
            attention_weight,
            attention_bias,
        ] = grads.slices_mut([
            parameters::FC1_WEIGHT,
            parameters::FC1_BIAS,
            parameters::FC2_WEIGHT,
            parameters::FC2_BIAS,
            parameters::ATTENTION_WEIGHT,
            parameters::ATTENTION_BIAS,
        ]);
        self.backward_linear(
            plan,
            &cache.hidden,
            &workspace.grad_coefficients,
            fc2_weight,
            fc2_bias,
        );
        self.backward_linear(plan, &cache.pooled, &workspace.grad_hidden, fc1_weight, fc1_bias);
        attention_bias.fill(T::default());
        attention_weight.fill(T::default());
        for of_sample in workspace.grad_weights.chunks_exact(self.channels) {
            for (sum, &grad) in attention_weight.iter_mut().zip(of_sample) {
                *sum += grad;
            }
        }
    }

    /// The gradients of the weight and bias of a fully connected layer, for its inputs x and the gradient of its
    /// outputs.
    fn backward_linear(&self, plan: Plan, x: &[T], grad_y: &[T], weight: &mut [T], bias: &mut [T]) {
        let outputs = bias.len();
        let shape = [weight.len() / outputs, outputs];
        let work = Outputs {
            first: 0,
            weight,
            bias,
        };
        parallel::for_each(work, plan.outputs(outputs), &|Outputs { first, weight, bias }| {
            linear::backward_weight(self.level, shape, first, x, grad_y, [weight, bias]);
        });
    }
}

/// The gradients of the weight and the bias of some outputs of a fully connected layer.
struct Outputs<'a, T> {
    first: usize,
    weight: &'a mut [T],
    bias: &'a mut [T],
}

impl<T: Scalar> Split for Outputs<'_, T> {
    fn count(&self) -> usize {
        self.bias.len()
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let weight = self.weight.split_part(at, self.bias.len());
        let bias = self.bias.split_at_mut(at);
        (
            Self {
                first: self.first,
                weight: weight.0,
                bias: bias.0,
            },
            Self {
                first: self.first + at,
                weight: weight.1,
                bias: bias.1,
            },
        )
    }
}
