//! [`Block`]: one block of the tower, in the style of Dynamic Head.

use candle_core::{Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, GroupNorm, conv2d, group_norm};
use dyrelu::Convention;
use dyrelu::gallery::DyHead;
use dyrelu_candle::Layer;

use crate::Result;
use crate::weights::Weights;

/// The groups of a normalisation.
const GROUPS: usize = 4;

/// Each level becomes the mean of itself and its neighbours, which an attention weighs. `DYReLU` of it is the output.
pub(crate) struct Block {
    from_coarser: Convolution,
    from_same: Convolution,
    from_finer: Convolution,
    attention: Conv2d,
    activation: Layer<DyHead>,
}

impl Block {
    pub(crate) fn new(channels: usize, weights: &Weights<'_>) -> Result<Self> {
        let convolution = |i: usize, stride| Convolution::new(channels, stride, &weights.at("DyConv").at(i));
        Ok(Self {
            from_coarser: convolution(0, 1)?,
            from_same: convolution(1, 1)?,
            from_finer: convolution(2, 2)?,
            attention: conv2d(
                channels,
                1,
                1,
                Conv2dConfig::default(),
                weights.at("AttnConv.1").vb,
            )?,
            // `relu.fc.0.weight`, …, with their own names and order of rows.
            activation: weights
                .at("relu")
                .activation(channels, Convention::DYNAMIC_HEAD)?,
        })
    }

    pub(crate) fn forward(&self, levels: &[Tensor]) -> Result<Vec<Tensor>> {
        (0..levels.len())
            .map(|i| Ok(self.mixed(levels, i)?.apply(&self.activation)?))
            .collect()
    }

    /// The mean of a level and its neighbours.
    fn mixed(&self, levels: &[Tensor], i: usize) -> Result<Tensor> {
        let level = &levels[i];
        let mut maps = vec![level.apply(&self.from_same)?];
        if i > 0 {
            maps.push(levels[i - 1].apply(&self.from_finer)?);
        }
        if let Some(coarser) = levels.get(i + 1) {
            let (_, _, height, width) = level.dims4()?;
            maps.push(
                coarser
                    .apply(&self.from_coarser)?
                    .upsample_nearest2d(height, width)?,
            );
        }
        let mut sum = level.zeros_like()?;
        for map in &maps {
            sum = (sum + self.weighed(map)?)?;
        }
        Ok((sum / maps.len() as f64)?)
    }

    /// A map times a number of 0 to 1 for each sample, which follows from the means of its channels.
    fn weighed(&self, x: &Tensor) -> Result<Tensor> {
        let score = x.mean_keepdim((2, 3))?.apply(&self.attention)?.relu()?;
        let weight = ((score + 3.0)? / 6.0)?.clamp(0.0, 1.0)?;
        Ok(x.broadcast_mul(&weight)?)
    }
}

/// A convolution and its normalisation.
struct Convolution {
    convolution: Conv2d,
    norm: GroupNorm,
}

impl Convolution {
    fn new(channels: usize, stride: usize, weights: &Weights<'_>) -> Result<Self> {
        let config = Conv2dConfig {
            stride,
            padding: 1,
            ..Conv2dConfig::default()
        };
        Ok(Self {
            convolution: conv2d(channels, channels, 3, config, weights.at("conv").vb)?,
            norm: group_norm(GROUPS, channels, 1e-5, weights.at("bn").vb)?,
        })
    }
}

impl Module for Convolution {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.apply(&self.convolution)?.apply(&self.norm)
    }
}
