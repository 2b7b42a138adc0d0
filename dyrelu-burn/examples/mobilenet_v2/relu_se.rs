//! [`ReluSe`]: ReLU with "squeeze and excitation" (Hu et al., 2018).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use dyrelu_burn::{Activation, LayerConfig};

/// max(x, 0), with each channel scaled by a factor from 0 to 1 that depends on the means of all channels.
#[derive(Module, Debug)]
pub(crate) struct ReluSe {
    squeeze: Linear,
    excite: Linear,
}

impl Activation for ReluSe {
    /// As many hidden units as a dynamic activation has.
    fn init(config: &LayerConfig, device: &Device) -> Self {
        let hidden = hidden(config);
        Self {
            squeeze: LinearConfig::new(config.channels, hidden).init(device),
            excite: LinearConfig::new(hidden, config.channels).init(device),
        }
    }

    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let shape = x.dims();
        let [samples, channels] = [shape[0], shape[1]];
        let positions = shape[2..].iter().product();
        let x = relu(x).reshape([samples, channels, positions]);
        let means = x.clone().mean_dim(2).reshape([samples, channels]);
        let factors = sigmoid(self.excite.forward(relu(self.squeeze.forward(means))));
        (x * factors.reshape([samples, channels, 1])).reshape(shape)
    }
}

/// The number of hidden units.
pub(crate) fn hidden(config: &LayerConfig) -> usize {
    (config.channels / config.reduction).max(config.at_least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::turn;
    use burn::module::Param;

    #[test]
    fn channels_are_scaled_after_relu() {
        let _turn = turn();
        let device = Device::flex();
        let mut layer = ReluSe::init(&LayerConfig::new(2), &device);
        // All means give the factors σ(0) = 1/2 and σ(ln 3) = 3/4.
        layer.excite.weight = Param::from_tensor(Tensor::zeros([1, 2], &device));
        layer.excite.bias = Some(Param::from_data([0.0, 3_f32.ln()], &device));
        let x = Tensor::<3>::from_data([[[4.0, -4.0], [-8.0, 8.0]]], &device);
        let y: Vec<f32> = layer.forward(x).try_into_vec_as().unwrap();
        for (found, expected) in y.into_iter().zip([2.0, 0.0, 0.0, 6.0]) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }
}
