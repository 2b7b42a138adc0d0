//! [`Unit`]: a convolution, its normalisation, and DY-ReLU-B.

use candle_core::{Module, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, ModuleT, batch_norm, conv2d_no_bias};
use dyrelu::Convention;
use dyrelu::gallery::DyReluB;
use dyrelu_candle::Layer;

use crate::Result;
use crate::weights::Weights;

pub(crate) struct Unit {
    convolution: Conv2d,
    norm: BatchNorm,
    activation: Layer<DyReluB>,
}

impl Unit {
    pub(crate) fn new([inputs, outputs]: [usize; 2], stride: usize, weights: &Weights<'_>) -> Result<Self> {
        let config = Conv2dConfig {
            stride,
            padding: 1,
            ..Conv2dConfig::default()
        };
        Ok(Self {
            convolution: conv2d_no_bias(inputs, outputs, 3, config, weights.at("conv").vb)?,
            norm: batch_norm(outputs, 1e-5, weights.at("bn").vb)?,
            // `act.fc1.weight`, …, and the constants of the formula, which must be those of the description.
            activation: weights.at("act").activation(outputs, Convention::SEED)?,
        })
    }
}

impl Module for Unit {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.norm.forward_t(&x.apply(&self.convolution)?, false)?;
        x.apply(&self.activation)
    }
}
