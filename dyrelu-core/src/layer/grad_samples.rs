//! [`GradSamples`]: the backward pass of some of a batch's samples, from the gradient of y to that of x.

use super::layout::Layout;
use super::plan::Plan;
use super::sizes::{has_neighbours, is_static, pools_channels, pools_halves, pools_with_scores, sets};
use super::workspace::Workspace;
use super::{Cache, Layer};
use crate::kernels::piecewise::{self, PieceSet, unshared};
use crate::kernels::{attention, channels_last, coefficients, halves, hyper, neighbours, pool};
use crate::parallel::{self, split};
use crate::{DynamicActivation, Scalar, Sharing};

/// Some samples, with what was computed for them and the places for its gradients.
#[derive(Debug)]
pub(super) struct GradSamples<'a, T> {
    pub(super) count: usize,
    pub(super) x: &'a [T],
    pub(super) hidden: &'a [T],
    pub(super) residuals: &'a [T],
    pub(super) coefficients: &'a [T],
    pub(super) softmax: &'a [T],
    pub(super) attention: &'a [T],
    pub(super) grad_y: &'a [T],
    pub(super) grad_x: &'a mut [T],
    pub(super) grad_pooled: &'a mut [T],
    pub(super) grad_hidden: &'a mut [T],
    pub(super) grad_coefficients: &'a mut [T],
    /// And in the same place those of the raw values.
    pub(super) grad_residuals: &'a mut [T],
    /// And in the same place those of the scores.
    pub(super) grad_attention: &'a mut [T],
    /// Of the attention's weight, for each sample.
    pub(super) grad_weights: &'a mut [T],
}

split!(GradSamples {
    x,
    hidden,
    residuals,
    coefficients,
    softmax,
    attention,
    grad_y,
    grad_x,
    grad_pooled,
    grad_hidden,
    grad_coefficients,
    grad_residuals,
    grad_attention,
    grad_weights,
});

/// Some rows of elements that share a set of coefficients.
struct Rows<'a, T> {
    count: usize,
    x: &'a [T],
    coefficients: &'a [T],
    grad_y: &'a [T],
    grad_x: &'a mut [T],
    grad_coefficients: &'a mut [T],
}

split!(Rows {
    x,
    coefficients,
    grad_y,
    grad_x,
    grad_coefficients
});

/// Some channels, and the gradients of their means.
struct Means<'a, T> {
    count: usize,
    grad_pooled: &'a [T],
    grad_x: &'a mut [T],
}

split!(Means { grad_pooled, grad_x });

impl<'a, T: Scalar> GradSamples<'a, T> {
    /// All samples.
    pub(super) fn of(
        plan: Plan,
        [x, grad_y]: [&'a [T]; 2],
        cache: &'a Cache<T>,
        grad_x: &'a mut [T],
        workspace: &'a mut Workspace<T>,
    ) -> Self {
        Self {
            count: plan.extent.samples,
            x,
            hidden: &cache.hidden,
            residuals: &cache.residuals,
            // Without samples a static activation has coefficients all the same, which no gradient is for.
            coefficients: if workspace.sets.is_empty() {
                &cache.coefficients[..workspace.grad_coefficients.len()]
            } else {
                &workspace.sets
            },
            softmax: &cache.softmax,
            attention: &cache.attention,
            grad_y,
            grad_x,
            grad_pooled: &mut workspace.grad_pooled,
            grad_hidden: &mut workspace.grad_hidden,
            grad_coefficients: &mut workspace.grad_coefficients,
            grad_residuals: &mut workspace.grad_residuals,
            grad_attention: &mut workspace.grad_attention,
            grad_weights: &mut workspace.grad_weights,
        }
    }
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// Computes the gradients of everything but the parameters.
    ///
    /// Groups of samples follow each other, so that the gradient of x is still in the cache when that of the mean
    /// is added.
    pub(super) fn backward_samples(&self, plan: Plan, samples: GradSamples<'_, T>) {
        let (mut current, mut rest) = parallel::take(samples, plan.group());
        while current.count != 0 {
            self.backward_apply(plan, &mut current);
            self.backward_pool(plan, &mut current);
            (current, rest) = parallel::take(rest, plan.group());
        }
    }

    /// The first part: from the gradient of y to those of the context and of the scores.
    pub(super) fn backward_apply(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        self.backward_pieces(plan, samples);
        if const { !is_static::<A>() } {
            let operands = self.constants.coefficients::<A>(&self.constants.init);
            coefficients::backward(operands, samples.grad_coefficients, samples.grad_residuals);
            hyper::backward_pooled(
                self.level,
                self.hyper(),
                [samples.hidden, samples.residuals],
                samples.grad_residuals,
                samples.grad_hidden,
                samples.grad_pooled,
            );
        }
        if const { unshared::<A>() } {
            let operands = self.attention(plan.extent.positions, 0..self.sizes.channels);
            attention::softmax_backward(self.level, operands, samples.softmax, samples.grad_attention);
        }
    }

    fn backward_pieces(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        if const { has_neighbours::<A>() } {
            return self.backward_neighbours(plan, samples);
        }
        if plan.layout == Layout::ChannelsLast {
            return self.backward_channels_last(plan, samples);
        }
        let len = plan.extent.row_len::<A>();
        let rows = Rows {
            count: samples.count * sets::<A>(self.sizes.channels),
            x: samples.x,
            coefficients: samples.coefficients,
            grad_y: samples.grad_y,
            grad_x: samples.grad_x,
            grad_coefficients: samples.grad_coefficients,
        };
        if A::SHARING == Sharing::Spatial {
            parallel::for_each(rows, plan.channels, &|rows| {
                self.backward_rows(len, &[], rows, &mut []);
            });
        } else {
            self.backward_rows(len, samples.attention, rows, samples.grad_attention);
        }
    }

    fn backward_neighbours(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        A::Pieces::backward_neighbours(
            self.level,
            neighbours::Operands {
                positions: plan.extent.positions,
                channels: self.sizes.channels,
                coefficients: samples.coefficients,
                attention: samples.attention,
                sources: &self.constants.sources,
            },
            samples.x,
            samples.grad_y,
            piecewise::Gradients {
                x: samples.grad_x,
                coefficients: samples.grad_coefficients,
                attention: samples.grad_attention,
            },
        );
    }

    fn backward_channels_last(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        A::Pieces::backward_channels_last(
            self.level,
            channels_last::piecewise::Operands {
                positions: plan.extent.positions,
                channels: self.sizes.channels,
                coefficients: samples.coefficients,
                attention: samples.attention,
            },
            samples.x,
            samples.grad_y,
            piecewise::Gradients {
                x: samples.grad_x,
                coefficients: samples.grad_coefficients,
                attention: samples.grad_attention,
            },
        );
    }

    fn backward_rows(&self, len: usize, attention: &[T], rows: Rows<'_, T>, grad_attention: &mut [T]) {
        let Rows {
            x,
            coefficients,
            grad_y,
            grad_x,
            grad_coefficients,
            ..
        } = rows;
        let operands = piecewise::Operands {
            len,
            coefficients,
            attention,
        };
        let grads = piecewise::Gradients {
            x: grad_x,
            coefficients: grad_coefficients,
            attention: grad_attention,
        };
        A::Pieces::backward(self.level, operands, x, grad_y, grads);
    }

    /// The second part: adds the gradients of the means, and in mode C of the scores, to that of x.
    pub(super) fn backward_pool(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        let positions = plan.extent.positions;
        let last = plan.layout == Layout::ChannelsLast;
        let shape = [positions, self.sizes.channels];
        if const { pools_halves::<A>() } {
            let backward = if last {
                channels_last::halves::backward
            } else {
                halves::backward
            };
            backward(self.level, shape, samples.x, samples.grad_pooled, samples.grad_x);
        }
        if const { unshared::<A>() } {
            self.backward_scores(plan, samples);
        } else if const { pools_channels::<A>() } {
            if last {
                return channels_last::pool::backward(self.level, shape, samples.grad_pooled, samples.grad_x);
            }
            let means = Means {
                count: samples.grad_pooled.len(),
                grad_pooled: samples.grad_pooled,
                grad_x: samples.grad_x,
            };
            parallel::for_each(
                means,
                plan.channels,
                &|Means {
                      grad_pooled, grad_x, ..
                  }| {
                    pool::backward(self.level, positions, grad_pooled, grad_x);
                },
            );
        }
    }

    /// Those of the scores, and of the means that come from the same way through x.
    fn backward_scores(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        let positions = plan.extent.positions;
        let channels = self.sizes.channels;
        let operands = self.attention(positions, 0..channels);
        samples.grad_weights.fill(T::default());
        for (n, grad_weight) in samples.grad_weights.chunks_exact_mut(channels).enumerate() {
            let elements = n * channels * positions..(n + 1) * channels * positions;
            let grad_pooled = if pools_with_scores::<A>() {
                &samples.grad_pooled[n * channels..][..channels]
            } else {
                &[]
            };
            let backward = if plan.layout == Layout::ChannelsLast {
                channels_last::attention::pool_backward
            } else {
                attention::pool_backward
            };
            backward(
                self.level,
                operands,
                &samples.x[elements.clone()],
                &samples.grad_attention[n * positions..][..positions],
                grad_pooled,
                &mut samples.grad_x[elements],
                grad_weight,
            );
        }
    }
}
