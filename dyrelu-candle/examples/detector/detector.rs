//! [`Detector`]: the whole network.

use candle_core::{Device, Module, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, conv2d};

use crate::Result;
use crate::backbone::{Backbone, CHANNELS};
use crate::block::Block;
use crate::garment::CLASSES;
use crate::weights::Weights;

/// The side of a scene in pixels, and of the square for which a position of each level stands.
pub(crate) const SIDE: u16 = 64;
const STRIDES: [u16; 3] = [4, 8, 16];

/// The channels of the tower, and its blocks.
const TOWER: usize = 16;
const BLOCKS: usize = 2;

pub(crate) struct Detector {
    backbone: Backbone,
    laterals: Vec<Conv2d>,
    tower: Vec<Block>,
    logits: Conv2d,
    boxes: Conv2d,
}

/// What a stage of the network has made, under the name that it has in the file of what is expected.
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) values: Tensor,
}

/// What a detector makes of scenes.
pub(crate) struct Output {
    /// All that was computed on the way, in order.
    pub(crate) stages: Vec<Stage>,
    /// `[N, positions, classes]`.
    pub(crate) logits: Tensor,
    /// `[N, positions, 4]`: left, top, right and bottom, in sides of a scene.
    pub(crate) boxes: Tensor,
}

impl Stage {
    fn new(name: impl Into<String>, values: &Tensor) -> Self {
        Self {
            name: name.into(),
            values: values.clone(),
        }
    }

    fn of_levels(name: &str, levels: &[Tensor]) -> Vec<Self> {
        let levels = levels.iter().enumerate();
        levels
            .map(|(i, values)| Self::new(format!("{name}.{i}"), values))
            .collect()
    }
}

impl Detector {
    pub(crate) fn new(weights: &Weights<'_>) -> Result<Self> {
        let projection = |inputs, outputs, weights: Weights<'_>| {
            conv2d(inputs, outputs, 1, Conv2dConfig::default(), weights.vb)
        };
        let laterals = CHANNELS.into_iter().enumerate();
        Ok(Self {
            backbone: Backbone::new(&weights.at("backbone"))?,
            laterals: laterals
                .map(|(i, channels)| projection(channels, TOWER, weights.at("laterals").at(i)))
                .collect::<Result<_, _>>()?,
            tower: (0..BLOCKS)
                .map(|i| Block::new(TOWER, &weights.at("dyhead_tower").at(i)))
                .collect::<Result<_>>()?,
            logits: projection(TOWER, CLASSES.len(), weights.at("cls_logits"))?,
            boxes: projection(TOWER, 4, weights.at("bbox_pred"))?,
        })
    }

    /// Scenes are `[N, 1, 64, 64]`, grey values from 0 to 1.
    pub(crate) fn forward(&self, scenes: &Tensor) -> Result<Output> {
        let mut levels = self.backbone.forward(scenes)?;
        let mut stages = Stage::of_levels("backbone", &levels);
        for (level, lateral) in levels.iter_mut().zip(&self.laterals) {
            *level = level.apply(lateral)?;
        }
        for (i, block) in self.tower.iter().enumerate() {
            levels = block.forward(&levels)?;
            stages.extend(Stage::of_levels(&format!("dyhead_tower.{i}"), &levels));
        }
        let logits = at_all_positions(&levels, &self.logits)?;
        let boxes = boxes(&at_all_positions(&levels, &self.boxes)?)?;
        stages
            .extend([("logits", &logits), ("boxes", &boxes)].map(|(name, values)| Stage::new(name, values)));
        Ok(Output {
            stages,
            logits,
            boxes,
        })
    }
}

/// `[N, positions, channels]`: what a layer says at all positions of all levels.
fn at_all_positions(levels: &[Tensor], layer: &Conv2d) -> Result<Tensor> {
    let rows = levels
        .iter()
        .map(|level| layer.forward(level)?.flatten_from(2)?.transpose(1, 2));
    Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, _>>()?, 1)?)
}

/// The boxes around the positions, from the logarithms of the distances to their sides in strides.
fn boxes(distances: &Tensor) -> Result<Tensor> {
    let [x, y, strides] = positions()?;
    let distances = distances.exp()?.broadcast_mul(&strides)?;
    let side = |i, position: &Tensor, sign| {
        distances
            .narrow(2, i, 1)?
            .affine(sign, 0.0)?
            .broadcast_add(position)
    };
    let sides = [
        side(0, &x, -1.0)?,
        side(1, &y, -1.0)?,
        side(2, &x, 1.0)?,
        side(3, &y, 1.0)?,
    ];
    Ok(Tensor::cat(&sides, 2)?)
}

/// For each position of each level, `[positions, 1]`: x and y of its middle, and the stride, in sides of a scene.
fn positions() -> candle_core::Result<[Tensor; 3]> {
    let mut columns = [const { Vec::new() }; 3];
    for stride in STRIDES {
        let middles = (0..SIDE / stride).map(|i| (f32::from(i) + 0.5) * f32::from(stride));
        for y in middles.clone() {
            for x in middles.clone() {
                for (column, value) in columns.iter_mut().zip([x, y, f32::from(stride)]) {
                    column.push(value / f32::from(SIDE));
                }
            }
        }
    }
    let [x, y, strides] =
        columns.map(|column| Tensor::from_vec(column.clone(), (column.len(), 1), &Device::Cpu));
    Ok([x?, y?, strides?])
}
