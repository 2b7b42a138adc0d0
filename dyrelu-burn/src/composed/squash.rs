//! From the hyper function's raw values to residuals.

use burn::tensor::{Tensor, activation};
use dyrelu_core::Squash;

/// The residuals for raw values `[N, C or 1, D, K]`, with a squash for each of the D coefficients.
pub(super) fn forward(squashes: &[Squash], raw: Tensor<4>) -> Tensor<4> {
    match squashes {
        [first, others @ ..] if others.iter().all(|other| other == first) => squash(*first, raw),
        _ => {
            let squashes = squashes.iter().enumerate();
            let residuals = squashes.map(|(d, &each)| squash(each, raw.clone().narrow(2, d, 1)));
            Tensor::cat(residuals.collect(), 2)
        }
    }
}

fn squash(squash: Squash, raw: Tensor<4>) -> Tensor<4> {
    match squash {
        Squash::CentredSigmoid => raw.mul_scalar(0.5).tanh(),
        Squash::Sigmoid => activation::sigmoid(raw),
        Squash::Tanh => raw.tanh(),
        Squash::HardSigmoid => raw.mul_scalar(1.0 / 6.0).add_scalar(0.5).clamp(0.0, 1.0),
        Squash::CentredHardSigmoid => raw.mul_scalar(1.0 / 3.0).clamp(-1.0, 1.0),
        Squash::SteepHardSigmoid => raw.add_scalar(1.0).mul_scalar(0.5).clamp(0.0, 1.0),
        Squash::CentredSteepHardSigmoid => raw.clamp(-1.0, 1.0),
        Squash::Identity => raw,
        Squash::Softmax => activation::softmax(raw, 3),
    }
}
