//! [`Norm`]: what stands between a convolution and its activation.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig};
use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Over what numbers are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Normalisation {
    /// Each channel over the batch, with running statistics for inference
    Batch,
    /// All channels of an image together
    Group,
}

/// A normalisation with a factor and a summand for each channel.
#[derive(Module, Debug)]
pub(crate) enum Norm {
    Batch(BatchNorm),
    Group(GroupNorm),
}

impl Norm {
    pub(crate) fn new(normalisation: Normalisation, channels: usize, device: &Device) -> Self {
        match normalisation {
            Normalisation::Batch => Self::Batch(BatchNormConfig::new(channels).init(device)),
            Normalisation::Group => Self::Group(GroupNormConfig::new(1, channels).init(device)),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Batch(norm) => norm.forward(x),
            Self::Group(norm) => norm.forward(x),
        }
    }
}
