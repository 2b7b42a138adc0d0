//! [`Network`]: MobileNetV2 (Sandler et al., 2018), generic over its activations.

use burn::config::Config;
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use dyrelu_burn::Activation;

use crate::batches::Batch;
use crate::block::{Block, BlockConfig};
use crate::candidate::Candidate;
use crate::norm::Normalisation;
use crate::unit::{Unit, UnitConfig};
use crate::visitor::{Apply, Place, Visitor};

/// How often MobileNetV2 halves the maps: 224 × 224 pixels become 7 × 7 positions.
const HALVINGS: usize = 5;

/// The smallest side to which the maps of a small image are halved.
const SMALLEST_SIDE: usize = 4;

/// Several blocks with the same number of output channels.
#[derive(Config, Debug)]
pub(crate) struct StageConfig {
    /// Hidden channels of a block for each of its inputs.
    pub(crate) expansion: usize,
    pub(crate) channels: usize,
    /// The number of blocks.
    pub(crate) repeats: usize,
    /// Of the first block; the others have stride 1.
    pub(crate) stride: usize,
}

/// The description of a [`Network`].
#[derive(Config, Debug)]
pub(crate) struct NetworkConfig {
    /// Channels of the images.
    #[config(default = 1)]
    pub(crate) inputs: usize,
    #[config(default = 10)]
    pub(crate) classes: usize,
    /// Channels and stride of the first convolution.
    pub(crate) stem: [usize; 2],
    pub(crate) stages: Vec<StageConfig>,
    /// Channels of the last convolution.
    pub(crate) head: usize,
    #[config(default = "Normalisation::Batch")]
    pub(crate) normalisation: Normalisation,
    /// Whether dynamic activations stand after the projections, too.
    pub(crate) projections: bool,
    /// Channels for each hidden unit of an activation's hyper function, and the least number of hidden units.
    #[config(default = 8)]
    pub(crate) reduction: usize,
    #[config(default = 4)]
    pub(crate) at_least: usize,
}

/// A network of inverted residual blocks for the classification of images. A stands after the first and the last
/// convolution and inside of the blocks, P at their ends.
#[derive(Module, Debug)]
pub(crate) struct Network<A: Activation, P: Activation> {
    stem: Unit<A>,
    blocks: Vec<Block<A, P>>,
    head: Unit<A>,
    classifier: Linear,
}

impl NetworkConfig {
    /// MobileNetV2 with its channels multiplied by `width`, for square images of this side.
    ///
    /// Small images are halved less often: the first convolutions that would halve the maps have stride 1, as many of
    /// them as needed for final maps of 4 × 4 or more positions. Images of 28 × 28 pixels are halved three times.
    pub(crate) fn mobilenet_v2(width: f64, side: usize) -> Self {
        let mut undone = HALVINGS
            - (0..HALVINGS)
                .rev()
                .map(|n| n + 1)
                .find(|&n| halved(side, n) >= SMALLEST_SIDE)
                .unwrap_or(0);
        let mut stride = |stride| {
            if stride == 2 && undone > 0 {
                undone -= 1;
                1
            } else {
                stride
            }
        };
        let stem = [scaled(32, width), stride(2)];
        let stages = [
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ];
        let stages = stages.map(|(expansion, channels, repeats, s)| {
            StageConfig::new(expansion, scaled(channels, width), repeats, stride(s))
        });
        // Narrow networks keep the full width here.
        let head = scaled(1280, width.max(1.0));
        Self::new(stem, stages.into(), head, true)
    }

    /// A small relative of MobileNetV2 for images of 28 × 28 pixels; `width` is the number of channels of the stem.
    pub(crate) fn reference(width: usize) -> Self {
        let stages = [(width, 1, 1), (width * 3 / 2, 2, 2), (2 * width, 2, 2)];
        let stages = stages.map(|(channels, repeats, stride)| StageConfig::new(3, channels, repeats, stride));
        Self::new([width, 2], stages.into(), 6 * width, false)
    }

    pub(crate) fn init<A: Activation, P: Activation>(&self, device: &Device) -> Network<A, P> {
        Network {
            stem: self.first().init(device),
            blocks: self.blocks().map(|block| block.init(device)).collect(),
            head: self.last().init(device),
            classifier: LinearConfig::new(self.head, self.classes).init(device),
        }
    }

    /// Multiply-adds for an image of this side.
    pub(crate) fn multiply_adds<A: Candidate, P: Candidate>(&self, mut side: usize) -> usize {
        let mut sum = self.first().multiply_adds::<A>(side);
        side = self.first().side(side);
        for block in self.blocks() {
            sum += block.multiply_adds::<A, P>(side);
            side = block.side(side);
        }
        sum + self.last().multiply_adds::<A>(side) + self.head * self.classes
    }

    fn first(&self) -> UnitConfig {
        let [channels, stride] = self.stem;
        self.unit([self.inputs, channels])
            .with_kernel(3)
            .with_stride(stride)
    }

    fn last(&self) -> UnitConfig {
        let channels = self.stages.last().map_or(self.stem[0], |stage| stage.channels);
        self.unit([channels, self.head])
    }

    fn unit(&self, channels: [usize; 2]) -> UnitConfig {
        UnitConfig::new(channels, self.normalisation, self.reduction, self.at_least)
    }

    fn blocks(&self) -> impl Iterator<Item = BlockConfig> {
        let mut inputs = self.stem[0];
        let blocks = self.stages.iter().flat_map(|stage| {
            let strides = [stage.stride].into_iter().chain([1].into_iter().cycle());
            strides.take(stage.repeats).map(move |stride| (stage, stride))
        });
        blocks.map(move |(stage, stride)| {
            let channels = [inputs, stage.channels];
            inputs = stage.channels;
            BlockConfig::of(channels, stage.expansion, stride, |channels| self.unit(channels))
        })
    }
}

impl<A: Candidate, P: Candidate> Network<A, P> {
    /// The logits, `[N, classes]`, of images, `[N, inputs, H, W]`.
    pub(crate) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.visit_activations(images, &mut Apply)
    }

    /// As [`forward`](Self::forward), with the activations applied by a visitor.
    pub(crate) fn visit_activations(&self, images: Tensor<4>, visitor: &mut impl Visitor) -> Tensor<2> {
        let mut x = self.stem.forward(images, Place::Stem, visitor);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, index, visitor);
        }
        x = self.head.forward(x, Place::Head, visitor);
        let [samples, channels, height, width] = x.dims();
        let means = x.reshape([samples, channels, height * width]).mean_dim(2);
        self.classifier.forward(means.reshape([samples, channels]))
    }

    /// The numbers to be learned, without the running statistics of the normalisations.
    pub(crate) fn parameters(&self) -> usize {
        let mut parameters = Parameters(0);
        self.visit(&mut parameters);
        parameters.0
    }

    fn classify(&self, Batch { images, labels }: Batch) -> ClassificationOutput {
        let logits = self.forward(images);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), labels.clone());
        ClassificationOutput::new(loss, logits, labels)
    }
}

impl<A: Candidate, P: Candidate> TrainStep for Network<A, P> {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl<A: Candidate, P: Candidate> InferenceStep for Network<A, P> {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(batch)
    }
}

/// Counts what would be trained.
struct Parameters(usize);

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if parameter.is_require_grad() {
            self.0 += parameter.shape().num_elements();
        }
    }
}

/// The side of maps that were halved n times.
fn halved(side: usize, n: usize) -> usize {
    (0..n).fold(side, |side, _| side.div_ceil(2))
}

/// A number of channels times the width, rounded to a multiple of 8 that is at most a tenth smaller.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a width is a small positive number"
)]
fn scaled(channels: usize, width: f64) -> usize {
    let exact = channels as f64 * width;
    let rounded = ((exact + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * exact {
        rounded + 8
    } else {
        rounded
    }
}
