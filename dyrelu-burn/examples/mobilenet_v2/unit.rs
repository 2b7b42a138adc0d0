//! [`Unit`]: a convolution, its normalisation and its activation.

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use dyrelu_burn::{Activation, LayerConfig};

use crate::candidate::Candidate;
use crate::norm::{Norm, Normalisation};
use crate::visitor::{Place, Visitor};

/// The description of a [`Unit`].
#[derive(Config, Debug)]
pub(crate) struct UnitConfig {
    /// Channels of input and output.
    pub(crate) channels: [usize; 2],
    /// Side of the kernel, an odd number.
    #[config(default = 1)]
    pub(crate) kernel: usize,
    #[config(default = 1)]
    pub(crate) stride: usize,
    #[config(default = 1)]
    pub(crate) groups: usize,
    pub(crate) normalisation: Normalisation,
    /// Of its activation; see [`LayerConfig`].
    pub(crate) reduction: usize,
    pub(crate) at_least: usize,
}

/// A convolution without bias, a normalisation, and an activation.
#[derive(Module, Debug)]
pub(crate) struct Unit<A: Activation> {
    convolution: Conv2d,
    norm: Norm,
    activation: A,
}

impl UnitConfig {
    pub(crate) fn init<A: Activation>(&self, device: &Device) -> Unit<A> {
        let padding = self.kernel / 2;
        let convolution = Conv2dConfig::new(self.channels, [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .with_groups(self.groups)
            .with_bias(false);
        Unit {
            convolution: convolution.init(device),
            norm: Norm::new(self.normalisation, self.channels[1], device),
            activation: A::init(&self.activation(), device),
        }
    }

    fn activation(&self) -> LayerConfig {
        LayerConfig::new(self.channels[1])
            .with_reduction(self.reduction)
            .with_at_least(self.at_least)
    }

    /// The side of the output's maps for that of the input's.
    pub(crate) fn side(&self, side: usize) -> usize {
        side.div_ceil(self.stride)
    }

    /// Multiply-adds for an image whose maps have this side. A normalisation can be merged with its convolution: it is free.
    pub(crate) fn multiply_adds<A: Candidate>(&self, side: usize) -> usize {
        let positions = self.side(side).pow(2);
        let weights = self.channels[0] / self.groups * self.kernel.pow(2) * self.channels[1];
        weights * positions + A::multiply_adds(&self.activation(), positions)
    }
}

impl<A: Candidate> Unit<A> {
    pub(crate) fn forward(&self, x: Tensor<4>, place: Place, visitor: &mut impl Visitor) -> Tensor<4> {
        let x = self.norm.forward(self.convolution.forward(x));
        visitor.activation(place, &self.activation, x)
    }
}
