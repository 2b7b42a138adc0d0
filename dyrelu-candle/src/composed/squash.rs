//! From the hyper function's raw values to residuals.

use super::{at_least, at_most, softmax};
use candle_core::{Result, Tensor};
use candle_nn::ops::sigmoid;
use dyrelu_core::Squash;

/// The residuals for raw values `[N, C or 1, D, K]`, with a squash for each of the D coefficients.
pub(super) fn forward(squashes: &[Squash], raw: &Tensor) -> Result<Tensor> {
    match squashes {
        [first, others @ ..] if others.iter().all(|other| other == first) => squash(*first, raw),
        _ => {
            let squashes = squashes.iter().enumerate();
            let residuals = squashes.map(|(d, &each)| squash(each, &raw.narrow(2, d, 1)?));
            Tensor::cat(&residuals.collect::<Result<Vec<_>>>()?, 2)
        }
    }
}

fn squash(squash: Squash, raw: &Tensor) -> Result<Tensor> {
    let clamp = |raw: &Tensor, low| at_most(&at_least(raw, low)?, 1.0);
    match squash {
        Squash::CentredSigmoid => (raw * 0.5)?.tanh(),
        Squash::Sigmoid => sigmoid(raw),
        Squash::Tanh => raw.tanh(),
        Squash::HardSigmoid => clamp(&raw.affine(1.0 / 6.0, 0.5)?, 0.0),
        Squash::CentredHardSigmoid => clamp(&(raw * (1.0 / 3.0))?, -1.0),
        Squash::SteepHardSigmoid => clamp(&raw.affine(0.5, 0.5)?, 0.0),
        Squash::CentredSteepHardSigmoid => clamp(raw, -1.0),
        Squash::Identity => Ok(raw.clone()),
        Squash::Softmax => softmax(raw, 3),
    }
}
