//! A small network, generic over its activation.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use dyrelu_burn::{Activation, LayerConfig};

use crate::stripes::{Batch, CLASSES};

const CHANNELS: usize = 8;

/// Two convolutions and the activations after them. Nothing here knows on which devices it will run.
#[derive(Module, Debug)]
pub(crate) struct Network<M: Activation> {
    first: Conv2d,
    after_first: M,
    second: Conv2d,
    after_second: M,
    head: Linear,
}

impl<M: Activation> Network<M> {
    /// With new parameters.
    pub(crate) fn new(device: &Device) -> Self {
        let activation = LayerConfig::new(CHANNELS);
        Self {
            first: Conv2dConfig::new([1, CHANNELS], [3, 3]).init(device),
            after_first: M::init(&activation, device),
            second: Conv2dConfig::new([CHANNELS, CHANNELS], [3, 3])
                .with_stride([2, 2])
                .init(device),
            after_second: M::init(&activation, device),
            head: LinearConfig::new(CHANNELS, CLASSES).init(device),
        }
    }

    /// A score for each class, and the mean loss.
    pub(crate) fn forward(&self, batch: Batch) -> ClassificationOutput {
        let x = self.after_first.forward(self.first.forward(batch.images));
        let x = self.after_second.forward(self.second.forward(x));
        let x: Tensor<2> = x.mean_dims(&[2, 3]).flatten(1, 3);
        let scores = self.head.forward(x);
        let loss = CrossEntropyLossConfig::new()
            .init(&scores.device())
            .forward(scores.clone(), batch.classes.clone());
        ClassificationOutput::new(loss, scores, batch.classes)
    }
}

impl<M: Activation> TrainStep for Network<M> {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl<M: Activation> InferenceStep for Network<M> {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.forward(batch)
    }
}
