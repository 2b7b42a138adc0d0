//! [`SgdOnMatrices`]: stochastic gradient descent that lets only matrices and kernels decay.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{LearningRate, Optimizer, Sgd, SgdConfig};
use burn::tensor::{Device, Tensor};

/// Stochastic gradient descent with momentum. Weights decay where a parameter has several axes: the factors and summands of
/// normalisations, the biases and the slopes of PReLU are no weights.
///
/// Which parameters these are, Burn's parameter groups could say, too, but by their identifiers, of which a network that is
/// restored from a checkpoint has others. The rank is known wherever a parameter is.
#[derive(Clone)]
pub(crate) struct SgdOnMatrices {
    with_decay: Sgd,
    without: Sgd,
}

impl SgdOnMatrices {
    pub(crate) fn new(momentum: f64, weight_decay: f32) -> Self {
        let config = SgdConfig::new().with_momentum(Some(MomentumConfig {
            momentum,
            dampening: 0.0,
            nesterov: false,
        }));
        let decay = WeightDecayConfig::new(weight_decay);
        Self {
            without: config.build(),
            with_decay: config.with_weight_decay(Some(decay)).build(),
        }
    }
}

impl Optimizer for SgdOnMatrices {
    type State<const D: usize> = <Sgd as Optimizer>::State<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let sgd = if D > 1 { &self.with_decay } else { &self.without };
        sgd.step(rate, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Sgd::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of two steps with the gradient 1.
    fn two_steps<const D: usize>(tensor: &Tensor<D>) -> f32 {
        let optimizer = SgdOnMatrices::new(0.5, 0.25);
        let (tensor, state) = optimizer.step(0.1, tensor.clone(), tensor.ones_like(), None);
        let grad = tensor.ones_like();
        optimizer.step(0.1, tensor, grad, state).0.mean().into_scalar()
    }

    #[test]
    fn vectors_do_not_decay() {
        let device = Device::flex();
        // Velocities 1 and 1 + 0.5.
        let vector = two_steps(&(Tensor::<1>::ones([3], &device) * 2.0));
        assert!((vector - (2.0 - 0.1 - 0.15)).abs() < 1e-6, "{vector}");
        // 1.5, then 1 + 0.25 · 1.85 + 0.75.
        let matrix = two_steps(&(Tensor::<2>::ones([3, 3], &device) * 2.0));
        assert!((matrix - (1.85 - 0.221_25)).abs() < 1e-6, "{matrix}");
    }
}
