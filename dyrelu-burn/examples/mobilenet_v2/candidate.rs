//! [`Candidate`]: what the comparison asks of an activation.

use burn::nn::{PRelu, Relu};
use burn::tensor::Tensor;
use dyrelu_burn::{Activation, LayerConfig};

use crate::identity::Identity;
use crate::relu_se::{self, ReluSe};

/// An activation that takes part in the comparison.
pub(crate) trait Candidate: Activation + 'static {
    /// Multiply-adds for one sample with these many positions, counted as in the paper: products of weights, and those for
    /// each element. Means, comparisons and functions such as σ are free.
    fn multiply_adds(config: &LayerConfig, positions: usize) -> usize;

    /// The coefficients for each sample, `[N, C or 1, P, K]`, if the activation is dynamic.
    fn coefficients(&self, _x: Tensor<4>) -> Option<Tensor<4>> {
        None
    }
}

impl Candidate for Identity {
    fn multiply_adds(_: &LayerConfig, _: usize) -> usize {
        0
    }
}

impl Candidate for Relu {
    fn multiply_adds(_: &LayerConfig, _: usize) -> usize {
        0
    }
}

impl Candidate for PRelu {
    fn multiply_adds(config: &LayerConfig, positions: usize) -> usize {
        config.channels * positions
    }
}

impl Candidate for ReluSe {
    fn multiply_adds(config: &LayerConfig, positions: usize) -> usize {
        config.channels * (2 * relu_se::hidden(config) + positions)
    }
}
