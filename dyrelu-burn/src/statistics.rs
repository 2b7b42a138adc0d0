//! [`Statistics`]: what a normalised attention remembers of the scores that it was trained on.

use crate::composed::cast;
use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::{Device, Tensor};
use dyrelu_core::kernels::attention::MOMENTUM;

/// The running mean and variance of the scores, with the names that batch normalisation gives them.
#[derive(Module, Debug)]
pub(crate) struct Statistics {
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
    training: Param<Flag>,
}

impl Statistics {
    /// Where they are in a layer.
    pub(crate) const PATH: [&str; 2] = ["attention", "norm"];

    /// Those of the standard normal distribution.
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            running_mean: RunningState::new(Tensor::zeros([1], device)),
            running_var: RunningState::new(Tensor::ones([1], device)),
            training: Param::from_bool(true),
        }
    }

    /// Whether scores on an autodiff device are normalised by their own statistics, as in Burn's batch normalisation.
    pub(crate) fn is_training(&self) -> bool {
        self.training.is_enabled()
    }

    /// The mean and the variance, `[1]`, on this device: clones share them, also those that were forked to another one.
    pub(crate) fn values(&self, device: &Device) -> [Tensor<1>; 2] {
        [&self.running_mean, &self.running_var].map(|running| running.value_sync().to_device(device))
    }

    /// The mean and the variance.
    #[cfg(feature = "flex")]
    pub(crate) fn numbers(&self) -> [f64; 2] {
        [&self.running_mean, &self.running_var].map(|running| running.value_sync().into_scalar())
    }

    /// Replaces both.
    pub(crate) fn set(&self, mean: f64, variance: f64) {
        for (running, number) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            running.update(running.value_sync().full_like(number));
        }
    }

    /// Moves towards the mean and the unbiased variance of a batch.
    pub(crate) fn update(&self, mean: Tensor<1>, variance: Tensor<1>) {
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            let value = running.value_sync().to_device(&batch.device());
            let batch = cast(batch.detach(), value.dtype());
            running.update((value.mul_scalar(1.0 - MOMENTUM) + batch.mul_scalar(MOMENTUM)).detach());
        }
    }
}
