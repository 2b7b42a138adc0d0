//! [`Identity`]: no activation.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dyrelu_burn::{Activation, LayerConfig};

/// What stands where a network has no activation.
#[derive(Module, Debug)]
pub(crate) struct Identity;

impl Activation for Identity {
    fn init(_: &LayerConfig, _: &Device) -> Self {
        Self
    }

    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x
    }
}
