//! [`Activation`]: what a model needs to know of its activation layers.

use crate::LayerConfig;
use burn::module::{Module, ModuleDisplay};
use burn::nn::{PRelu, PReluConfig, Relu};
use burn::tensor::{Device, Tensor};

/// An activation layer that a model can be generic over, so that experiments can swap [`Relu`] and
/// [`Layer<A>`](crate::Layer).
pub trait Activation: Module + ModuleDisplay {
    /// The layer for inputs of these many channels. Layers without such options ignore the others.
    fn init(config: &LayerConfig, device: &Device) -> Self;

    /// y for x of the shape `[N, C, ...]`.
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>;
}

impl Activation for Relu {
    fn init(_: &LayerConfig, _: &Device) -> Self {
        Self::new()
    }

    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}

/// With a slope for each channel.
impl Activation for PRelu {
    fn init(config: &LayerConfig, device: &Device) -> Self {
        PReluConfig::new()
            .with_num_parameters(config.channels)
            .init(device)
    }

    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}
