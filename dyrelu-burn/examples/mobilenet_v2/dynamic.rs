//! The forms of Dynamic ReLU.

use burn::tensor::Tensor;
use dyrelu::{DynamicActivation, dynamic_activation};
use dyrelu_burn::{Layer, LayerConfig};

use crate::candidate::Candidate;

#[dynamic_activation(k = 2, share = "spatial+channel")]
pub(crate) struct DyReluA;

#[dynamic_activation(k = 2, share = "spatial")]
pub(crate) struct DyReluB;

#[dynamic_activation(k = 2, share = "none")]
pub(crate) struct DyReluC;

/// With one piece it is linear in each channel; the paper puts it after projections.
#[dynamic_activation(k = 1, share = "spatial+channel")]
pub(crate) struct DyLinearA;

#[dynamic_activation(k = 1, share = "spatial")]
pub(crate) struct DyLinearB;

#[dynamic_activation(k = 1, share = "none")]
pub(crate) struct DyLinearC;

impl<A: DynamicActivation> Candidate for Layer<A> {
    fn multiply_adds(config: &LayerConfig, positions: usize) -> usize {
        let layer = A::layer::<f32>(config.channels)
            .reduction(config.reduction)
            .at_least(config.at_least);
        layer
            .cost(positions)
            .expect("these options make a layer")
            .multiply_adds()
    }

    fn coefficients(&self, x: Tensor<4>) -> Option<Tensor<4>> {
        Some(self.coefficients(x))
    }
}
