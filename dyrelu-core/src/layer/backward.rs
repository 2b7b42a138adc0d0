//! The backward pass of a [`Layer`].

use super::cache::Origin;
use super::grad_samples::GradSamples;
use super::layout::{self, Layout};
use super::parameters::{self, Parameters};
use super::plan::Plan;
use super::sizes::{Extent, hyper_layers, needs_rows, set_len, set_shape, sets};
use super::workspace::Workspace;
use super::{Cache, Layer, is_normalised, slice_mut};
use crate::kernels::linear;
use crate::parallel::{self, Part, Split};
use crate::{DynamicActivation, Error, Scalar};
use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension};

/// The gradients of a loss with respect to a layer's input and parameters.
#[derive(Debug, Clone)]
pub struct Gradients<T, D: Dimension> {
    /// With respect to x, in its shape and [memory order](Layer#memory-order).
    pub x: Array<T, D>,
    /// With respect to the external context, in its shape, for activations that have one.
    pub context: Option<ArrayD<T>>,
    pub(super) parameters: Parameters<T>,
}

impl<T: Scalar, D: Dimension> Gradients<T, D> {
    /// The gradients of the parameters, with the names and in the order of [`Layer::parameters`].
    #[must_use]
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewD<'_, T>)> {
        self.parameters.iter()
    }

    /// All numbers of [`parameters`](Self::parameters), one after the other.
    #[must_use]
    pub fn flat_parameters(&self) -> Vec<T> {
        self.parameters.flat()
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
        self.bare()?.backward(x, cache, grad_y)
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
        self.bare()?.backward_into(x, cache, grad_y, grads)
    }

    pub(super) fn check_cache(&self, extent: Extent, cache: &Cache<T>) -> Result<(), Error> {
        let expected = Origin::of::<A>(extent, self.sizes);
        if cache.origin == expected {
            return Ok(());
        }
        Err(Error::Cache {
            expected: expected.to_string(),
            found: cache.origin.to_string(),
        })
    }

    pub(super) fn backward_arrays<D: Dimension>(
        &self,
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
        grads: &mut Gradients<T, D>,
    ) {
        let Gradients {
            x: grad_x,
            context,
            parameters,
        } = grads;
        let mut grads = InPlace {
            context: context.as_mut(),
            parameters,
        };
        if let (Some((layout, x)), Some((of_grad, grad_y)), Some((of_grad_x, grad_x))) =
            (layout::slice(x), layout::slice(grad_y), layout::slice_mut(grad_x))
            && of_grad == layout
            && of_grad_x == layout
            && !needs_rows::<A>()
        {
            return self.backward_slices(layout, [x, grad_y], cache, grad_x, &mut grads);
        }
        let layout = if needs_rows::<A>() {
            Layout::Rows
        } else {
            Layout::of_standard(x.shape())
        };
        let (rows, grad_rows) = (layout::rows(x), layout::rows(grad_y));
        let arrays = [&*rows, &*grad_rows];
        if let Some(grad_x) = grad_x.as_slice_mut() {
            self.backward_slices(layout, arrays, cache, grad_x, &mut grads);
        } else {
            let mut standard = Array::from_elem(x.raw_dim(), T::default());
            self.backward_slices(layout, arrays, cache, slice_mut(&mut standard), &mut grads);
            grad_x.assign(&standard);
        }
    }

    fn backward_slices(
        &self,
        layout: Layout,
        arrays: [&[T]; 2],
        cache: &Cache<T>,
        grad_x: &mut [T],
        grads: &mut InPlace<'_, T>,
    ) {
        let plan = Plan::new::<A>(cache.origin.extent, layout);
        self.workspaces.with(|workspace| {
            workspace.resize::<A>(plan, cache);
            plan.run(|| {
                let samples = GradSamples::of(plan, arrays, cache, grad_x, workspace);
                if const { is_normalised::<A>() } {
                    // The gradients of the statistics are those of all samples.
                    parallel::for_each(samples, plan.samples, &|mut samples| {
                        self.backward_apply(plan, &mut samples);
                    });
                    self.backward_normalise(cache, workspace, grads.parameters);
                    let samples = GradSamples::of(plan, arrays, cache, grad_x, workspace);
                    parallel::for_each(samples, plan.samples, &|mut samples| {
                        self.backward_pool(plan, &mut samples);
                    });
                } else {
                    parallel::for_each(samples, plan.samples, &|samples| {
                        self.backward_samples(plan, samples);
                    });
                }
                self.backward_parameters(plan, cache, workspace, grads.parameters);
                if let Some(context) = &mut grads.context {
                    spread(&workspace.grad_pooled, context);
                }
            });
        });
    }

    /// Turns the gradients of normalised scores into those of the scores, and sums up those of weight and bias.
    ///
    /// The softmax does not see what all scores of a sample have in common: their gradients have the sum zero, and so
    /// has that of the bias.
    fn backward_normalise(
        &self,
        cache: &Cache<T>,
        workspace: &mut Workspace<T>,
        parameters: &mut Parameters<T>,
    ) {
        let grads = &mut workspace.grad_attention;
        let products = grads.iter().zip(&cache.normalised);
        let sum: f64 = products.map(|(grad, score)| grad.to_f64() * score.to_f64()).sum();
        let [weight, bias] = parameters.slices_mut([parameters::NORM_WEIGHT, parameters::NORM_BIAS]);
        weight.fill(T::from_f64(sum));
        bias.fill(T::default());
        let mean = sum / cache.normalised.len() as f64;
        let factor =
            self.parameters.slice(parameters::NORM_WEIGHT)[0].to_f64() * cache.statistics.inverse_deviation();
        for (grad, score) in grads.iter_mut().zip(&cache.normalised) {
            *grad = T::from_f64(factor * (grad.to_f64() - score.to_f64() * mean));
        }
    }

    /// The gradients of the parameters, from those of what they are multiplied with.
    fn backward_parameters(
        &self,
        plan: Plan,
        cache: &Cache<T>,
        workspace: &Workspace<T>,
        grads: &mut Parameters<T>,
    ) {
        let grad_raw = &workspace.grad_residuals;
        match hyper_layers::<A>() {
            0 => {}
            1 => {
                let [weight, bias] = grads.slices_mut([parameters::FC_WEIGHT, parameters::FC_BIAS]);
                self.backward_linear(plan, &cache.pooled, grad_raw, weight, bias);
            }
            _ => {
                let [weight, bias] = grads.slices_mut([parameters::FC2_WEIGHT, parameters::FC2_BIAS]);
                self.backward_linear(plan, &cache.hidden, grad_raw, weight, bias);
                let [weight, bias] = grads.slices_mut([parameters::FC1_WEIGHT, parameters::FC1_BIAS]);
                self.backward_linear(plan, &cache.pooled, &workspace.grad_hidden, weight, bias);
            }
        }
        let [_, pieces] = set_shape::<A>();
        for (p, coefficient, _) in parameters::learned::<A>(self.sizes.channels) {
            let [grads] = grads.slices_mut([coefficient.name]);
            grads.fill(T::default());
            for of_sample in workspace
                .grad_coefficients
                .chunks_exact(sets::<A>(self.sizes.channels) * set_len::<A>())
            {
                for (i, of_set) in of_sample.chunks_exact(set_len::<A>()).enumerate() {
                    let first = i * pieces % grads.len();
                    let of_coefficient = &of_set[p * pieces..][..pieces];
                    for (sum, &grad) in grads[first..first + pieces].iter_mut().zip(of_coefficient) {
                        *sum += grad;
                    }
                }
            }
        }
        let [attention_weight, attention_bias] =
            grads.slices_mut([parameters::ATTENTION_WEIGHT, parameters::ATTENTION_BIAS]);
        attention_bias.fill(T::default());
        attention_weight.fill(T::default());
        for of_sample in workspace.grad_weights.chunks_exact(self.sizes.channels) {
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

/// The gradients besides that of x.
struct InPlace<'a, T> {
    context: Option<&'a mut ArrayD<T>>,
    parameters: &'a mut Parameters<T>,
}

/// The gradient of an array `[N, M, ...]` from that of its means, `[N, M]`.
fn spread<T: Scalar>(grad_pooled: &[T], grad: &mut ArrayD<T>) {
    let positions: usize = grad.shape()[2..].iter().product();
    if positions != 0 {
        let inverse = T::from_f64(1.0 / positions as f64);
        for (grads, &of_mean) in slice_mut(grad).chunks_exact_mut(positions).zip(grad_pooled) {
            grads.fill(of_mean * inverse);
        }
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
