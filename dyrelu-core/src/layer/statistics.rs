//! [`Statistics`]: what a normalised attention remembers of the scores that it was trained on.

use crate::Scalar;
use crate::kernels::attention::{EPSILON, MOMENTUM};

/// The mean and the variance of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Default for Statistics {
    /// Those of the standard normal distribution, to begin with.
    fn default() -> Self {
        Self {
            mean: 0.0,
            variance: 1.0,
        }
    }
}

impl Statistics {
    /// Those of all scores of a batch. Without scores they are NaN.
    pub(super) fn of(scores: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let count = scores.len() as f64;
        let mean = scores.clone().sum::<f64>() / count;
        Self {
            mean,
            variance: scores.map(|score| (score - mean).powi(2)).sum::<f64>() / count,
        }
    }

    /// The factor that gives the scores a variance of 1.
    pub(super) fn inverse_deviation(self) -> f64 {
        1.0 / (self.variance + EPSILON).sqrt()
    }

    /// Moves towards the statistics of a batch of `count` scores; towards its unbiased variance, as in `PyTorch`.
    pub(super) fn update(&mut self, batch: Self, count: usize) {
        let unbiased = batch.variance * count as f64 / (count as f64 - 1.0);
        self.mean += MOMENTUM * (batch.mean - self.mean);
        self.variance += MOMENTUM * (unbiased - self.variance);
    }

    /// As a checkpoint of this number type has them: a layer that was saved and loaded is the same.
    pub(super) fn rounded<T: Scalar>(self) -> Self {
        let Self { mean, variance } = self;
        let [mean, variance] = [mean, variance].map(|number| T::from_f64(number).to_f64());
        Self { mean, variance }
    }
}
