//! [`Samples`]: the forward pass of some of a batch's samples, from x to y.

use super::layout::Layout;
use super::plan::Plan;
use super::sizes::{
    has_neighbours, is_static, pools_channels, pools_halves, pools_with_scores, set_len, sets,
};
use super::workspace::Operands;
use super::{Cache, Layer, is_normalised, parameters};
use crate::kernels::piecewise::{self, PieceSet, unshared};
use crate::kernels::{attention, channels_last, coefficients, halves, hyper, neighbours, pool};
use crate::parallel::{self, split};
use crate::{DynamicActivation, Scalar, Sharing};
use core::ops::Range;

/// Some samples, with the places for all that is computed from them.
#[derive(Debug)]
pub(super) struct Samples<'a, T> {
    pub(super) count: usize,
    /// Empty if x stands in y.
    pub(super) x: &'a [T],
    pub(super) y: &'a mut [T],
    pub(super) pooled: &'a mut [T],
    pub(super) hidden: &'a mut [T],
    pub(super) residuals: &'a mut [T],
    pub(super) coefficients: &'a mut [T],
    pub(super) softmax: &'a mut [T],
    pub(super) attention: &'a mut [T],
}

split!(Samples {
    x,
    y,
    pooled,
    hidden,
    residuals,
    coefficients,
    softmax,
    attention
});

/// Some channels of a sample, and their means.
struct Means<'a, T> {
    count: usize,
    x: &'a [T],
    pooled: &'a mut [T],
}

split!(Means { x, pooled });

/// Some channels of a sample with the coefficients of each.
struct Channels<'a, T> {
    count: usize,
    /// Empty if x stands in y.
    x: &'a [T],
    y: &'a mut [T],
    /// Empty in mode A.
    coefficients: &'a [T],
}

split!(Channels { x, y, coefficients });

/// Ranges of `step` numbers that make up those below `count`.
fn ranges(count: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(step)
        .map(move |start| start..count.min(start + step))
}

impl<'a, T: Scalar> Samples<'a, T> {
    /// All samples. x is empty if it stands in y.
    pub(super) fn of(plan: Plan, x: &'a [T], y: &'a mut [T], cache: &'a mut Cache<T>) -> Self {
        Self {
            count: plan.extent.samples,
            x,
            y,
            pooled: &mut cache.pooled,
            hidden: &mut cache.hidden,
            residuals: &mut cache.residuals,
            coefficients: &mut cache.coefficients,
            softmax: &mut cache.softmax,
            attention: &mut cache.attention,
        }
    }
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// Computes everything for these samples.
    ///
    /// Groups of samples follow each other: while one is written, the next is read.
    pub(super) fn forward_samples(&self, plan: Plan, operands: Operands<'_, T>, samples: Samples<'_, T>) {
        let group = plan.ahead();
        let (mut current, mut rest) = parallel::take(samples, group);
        for n in ranges(current.count, plan.together()) {
            self.pool(plan, &mut current, n, 0..self.sizes.channels);
        }
        while current.count != 0 {
            if const { is_normalised::<A>() } {
                let weight = self.parameters.slice(parameters::NORM_WEIGHT)[0];
                let factor = weight * T::from_f64(self.statistics.inverse_deviation());
                for score in current.softmax.iter_mut() {
                    *score *= factor;
                }
            }
            self.compute_coefficients(plan, operands, &mut current);
            let (mut next, others) = parallel::take(rest, group);
            for n in ranges(current.count, plan.together()) {
                let pooled = n.end.min(next.count);
                if n.start < pooled {
                    for channels in ranges(self.sizes.channels, plan.block()) {
                        self.apply(plan, &mut current, n.clone(), channels.clone());
                        self.pool(plan, &mut next, n.start..pooled, channels);
                    }
                } else {
                    self.apply(plan, &mut current, n, 0..self.sizes.channels);
                }
            }
            (current, rest) = (next, others);
        }
    }

    /// The part of [`forward_samples`](Self::forward_samples) that reads x only.
    pub(super) fn pool_samples(&self, plan: Plan, mut samples: Samples<'_, T>) {
        for n in ranges(samples.count, plan.together()) {
            self.pool(plan, &mut samples, n, 0..self.sizes.channels);
        }
    }

    /// The other part, for scores that are normalised.
    pub(super) fn apply_samples(&self, plan: Plan, operands: Operands<'_, T>, mut samples: Samples<'_, T>) {
        self.compute_coefficients(plan, operands, &mut samples);
        for n in ranges(samples.count, plan.together()) {
            self.apply(plan, &mut samples, n, 0..self.sizes.channels);
        }
    }

    /// The means of some channels of a sample, or of all channels of several; in mode C also their part of the scores,
    /// after those before them.
    fn pool(&self, plan: Plan, samples: &mut Samples<'_, T>, n: Range<usize>, channels: Range<usize>) {
        let positions = plan.extent.positions;
        let rows = self.rows(&n, &channels);
        let elements = rows.start * positions..rows.end * positions;
        let x = if samples.x.is_empty() {
            &samples.y[elements]
        } else {
            &samples.x[elements]
        };
        let last = plan.layout == Layout::ChannelsLast;
        if const { unshared::<A>() } && positions != 0 {
            let scores = &mut samples.softmax[n.start * positions..n.end * positions];
            if channels.start == 0 {
                scores.fill(self.parameters.slice(parameters::ATTENTION_BIAS)[0]);
            }
            let operands = self.attention(positions, channels);
            let pooled = if pools_with_scores::<A>() {
                &mut samples.pooled[rows]
            } else {
                &mut []
            };
            if last {
                channels_last::attention::pool(self.level, operands, x, pooled, scores);
            } else {
                attention::pool(self.level, operands, x, pooled, scores);
            }
        } else if const { pools_channels::<A>() } {
            let pooled = &mut samples.pooled[rows];
            if last {
                let shape = [positions, self.sizes.channels];
                return channels_last::pool::forward(self.level, shape, x, pooled);
            }
            let count = pooled.len();
            let means = Means { count, x, pooled };
            parallel::for_each(means, plan.channels, &|Means { x, pooled, .. }| {
                pool::forward(self.level, positions, x, pooled);
            });
        }
        if const { pools_halves::<A>() } {
            let inputs = self.sizes.inputs;
            let pooled = &mut samples.pooled[n.start * inputs..n.end * inputs];
            let shape = [positions, self.sizes.channels];
            let forward = if last {
                channels_last::halves::forward
            } else {
                halves::forward
            };
            forward(self.level, shape, x, pooled);
        }
    }

    /// From the context to the coefficients, and from the scores to the attention.
    fn compute_coefficients(&self, plan: Plan, operands: Operands<'_, T>, samples: &mut Samples<'_, T>) {
        if const { !is_static::<A>() } {
            hyper::forward_packed(
                self.level,
                operands.hyper,
                samples.pooled,
                samples.hidden,
                samples.residuals,
            );
        }
        coefficients::forward(operands.coefficients, samples.residuals, samples.coefficients);
        if const { unshared::<A>() } {
            let operands = self.attention(plan.extent.positions, 0..self.sizes.channels);
            attention::softmax(self.level, operands, samples.softmax, samples.attention);
        }
    }

    /// The rows of some channels of a sample, or of all channels of several.
    fn rows(&self, n: &Range<usize>, channels: &Range<usize>) -> Range<usize> {
        let all = self.sizes.channels;
        n.start * all + channels.start..(n.end - 1) * all + channels.end
    }

    /// The activation of some channels of a sample, or of all channels of several.
    fn apply(&self, plan: Plan, samples: &mut Samples<'_, T>, n: Range<usize>, channels: Range<usize>) {
        let positions = plan.extent.positions;
        let rows = self.rows(&n, &channels);
        let elements = rows.start * positions..rows.end * positions;
        let set_len = set_len::<A>();
        let sample = sets::<A>(self.sizes.channels) * set_len;
        let set = &samples.coefficients[n.start * sample..n.end * sample];
        let attention = if const { unshared::<A>() } {
            &samples.attention[n.start * positions..n.end * positions]
        } else {
            &[]
        };
        if const { has_neighbours::<A>() } {
            let operands = neighbours::Operands {
                positions,
                channels: self.sizes.channels,
                coefficients: set,
                attention,
                sources: &self.constants.sources,
            };
            let x = &samples.x[elements.clone()];
            return A::Pieces::forward_neighbours(self.level, operands, x, &mut samples.y[elements]);
        }
        if plan.layout == Layout::ChannelsLast {
            let operands = channels_last::piecewise::Operands {
                positions,
                channels: self.sizes.channels,
                coefficients: set,
                attention,
            };
            let y = &mut samples.y[elements.clone()];
            match samples.x.get(elements) {
                Some(x) => A::Pieces::forward_channels_last(self.level, operands, x, y),
                None => A::Pieces::forward_channels_last_inplace(self.level, operands, y),
            }
            return;
        }
        let shared = A::SHARING == Sharing::SpatialAndChannel;
        let work = Channels {
            count: channels.len(),
            x: samples.x.get(elements.clone()).unwrap_or_default(),
            y: &mut samples.y[elements],
            coefficients: if shared {
                &[]
            } else {
                &set[channels.start * set_len..channels.end * set_len]
            },
        };
        parallel::for_each(
            work,
            plan.channels,
            &|Channels {
                  x, y, coefficients, ..
              }| {
                let operands = piecewise::Operands {
                    len: if shared { y.len() } else { positions },
                    coefficients: if shared { &set[..set_len] } else { coefficients },
                    attention,
                };
                if x.is_empty() {
                    A::Pieces::forward_inplace(self.level, operands, y);
                } else {
                    A::Pieces::forward(self.level, operands, x, y);
                }
            },
        );
    }
}
