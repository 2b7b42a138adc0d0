//! [`Backbone`]: maps of three sizes from a scene.

use candle_core::{Module, Tensor};

use crate::Result;
use crate::unit::Unit;
use crate::weights::Weights;

/// The channels of the stem, and those of each level.
const STEM: usize = 12;
pub(crate) const CHANNELS: [usize; 3] = [16, 24, 32];

pub(crate) struct Backbone {
    stem: Unit,
    stages: Vec<[Unit; 2]>,
}

impl Backbone {
    pub(crate) fn new(weights: &Weights<'_>) -> Result<Self> {
        let stem = Unit::new([1, STEM], 2, &weights.at("stem"))?;
        let weights = weights.at("stages");
        let mut stages = Vec::new();
        let mut inputs = STEM;
        for (i, outputs) in CHANNELS.into_iter().enumerate() {
            let weights = weights.at(i);
            stages.push([
                Unit::new([inputs, outputs], 2, &weights.at(0))?,
                Unit::new([outputs; 2], 1, &weights.at(1))?,
            ]);
            inputs = outputs;
        }
        Ok(Self { stem, stages })
    }

    /// A map for each level, the finest first.
    pub(crate) fn forward(&self, scenes: &Tensor) -> Result<Vec<Tensor>> {
        let mut x = self.stem.forward(scenes)?;
        let mut levels = Vec::new();
        for [first, second] in &self.stages {
            x = x.apply(first)?.apply(second)?;
            levels.push(x.clone());
        }
        Ok(levels)
    }
}
