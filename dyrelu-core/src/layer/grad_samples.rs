//! [`GradSamples`]: the backward pass of some of a batch's samples, from the gradient of y to that of x.

use super::Layer;
use super::layout::Layout;
use super::plan::Plan;
use crate::kernels::piecewise::{self, PieceSet};
use crate::kernels::{attention, channels_last, coefficients, hyper, pool};
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
    /// And in the same place those of the residuals and of the raw values.
    pub(super) grad_coefficients: &'a mut [T],
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

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// Computes the gradients of everything but the parameters.
    ///
    /// Groups of samples follow each other, so that the gradient of x is still in the cache when that of the mean
    /// is added.
    pub(super) fn backward_samples(&self, plan: Plan, samples: GradSamples<'_, T>) {
        let (mut current, mut rest) = parallel::take(samples, plan.group());
        while current.count != 0 {
            self.backward_pieces(plan, &mut current);
            coefficients::backward(&self.lambda, current.grad_coefficients);
            hyper::backward_pooled(
                self.level,
                self.hyper(),
                [current.hidden, current.residuals],
                current.grad_coefficients,
                current.grad_hidden,
                current.grad_pooled,
            );
            self.backward_pool(plan, &mut current);
            (current, rest) = parallel::take(rest, plan.group());
        }
    }

    fn backward_pieces(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        if plan.layout == Layout::ChannelsLast {
            return self.backward_channels_last(plan, samples);
        }
        let len = plan.extent.row_len(A::SHARING);
        let rows = Rows {
            count: samples.count * plan.extent.sets(A::SHARING),
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

    fn backward_channels_last(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        A::Pieces::backward_channels_last(
            self.level,
            channels_last::piecewise::Operands {
                positions: plan.extent.positions,
                channels: self.channels,
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

    /// Adds the gradients of the means, and in mode C of the scores, to that of x.
    fn backward_pool(&self, plan: Plan, samples: &mut GradSamples<'_, T>) {
        let positions = plan.extent.positions;
        let last = plan.layout == Layout::ChannelsLast;
        if A::SHARING != Sharing::Unshared && last {
            let shape = [positions, self.channels];
            return channels_last::pool::backward(self.level, shape, samples.grad_pooled, samples.grad_x);
        }
        if A::SHARING != Sharing::Unshared {
            let means = Means {
                count: samples.grad_pooled.len(),
                grad_pooled: samples.grad_pooled,
                grad_x: samples.grad_x,
            };
            return parallel::for_each(
                means,
                plan.channels,
                &|Means {
                      grad_pooled, grad_x, ..
                  }| {
                    pool::backward(self.level, positions, grad_pooled, grad_x);
                },
            );
        }
        let operands = self.attention(positions, 0..self.channels);
        attention::softmax_backward(self.level, operands, samples.softmax, samples.grad_attention);
        samples.grad_weights.fill(T::default());
        for (n, grad_weight) in samples.grad_weights.chunks_exact_mut(self.channels).enumerate() {
            let elements = n * self.channels * positions..(n + 1) * self.channels * positions;
            let backward = if last {
                channels_last::attention::pool_backward
            } else {
                attention::pool_backward
            };
            backward(
                self.level,
                operands,
                &samples.x[elements.clone()],
                &samples.grad_attention[n * positions..][..positions],
                &samples.grad_pooled[n * self.channels..][..self.channels],
                &mut samples.grad_x[elements],
                grad_weight,
            );
        }
    }
}
