//! [`LayerConfig`]: the options of a layer.

use crate::Layer;
use burn::config::Config;
use burn::tensor::Device;
use dyrelu_core::{DynamicActivation, Error, LayerBuilder, Scalar};

/// The options of a [`Layer`], those of [`LayerBuilder`] but for the seed: parameters are drawn by the device; and the zero
/// initialisation.
///
/// ```
/// use burn::tensor::Device;
/// use dyrelu_burn::{Layer, LayerConfig};
///
/// #[dyrelu::dynamic_activation(k = 2, share = "spatial")]
/// struct DyReluB;
///
/// let device = Device::flex();
/// let act: Layer<DyReluB> = LayerConfig::new(64).with_reduction(8).init(&device);
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct LayerConfig {
    /// C, the number of channels of the inputs.
    pub channels: usize,
    /// The hidden units are C divided by this, rounded down. The paper uses 8.
    #[config(default = 4)]
    pub reduction: usize,
    /// The number of hidden units, instead of a reduction.
    pub hidden: Option<usize>,
    /// Rounds the hidden units that a reduction gives to a multiple, see [`LayerBuilder::divisible_by`].
    #[config(default = 1)]
    pub divisible_by: usize,
    /// The least number of hidden units that a reduction gives.
    #[config(default = 1)]
    pub at_least: usize,
    /// M, the number of channels of an external context, see [`LayerBuilder::context_channels`].
    pub context_channels: Option<usize>,
    /// G, the number of groups of channels of an activation with neighbours, see [`LayerBuilder::groups`].
    pub groups: Option<usize>,
    /// τ, the temperature of the attention of mode C, see [`LayerBuilder::temperature`].
    pub temperature: Option<f64>,
    /// γ / S, the average of that attention, see [`LayerBuilder::average_attention`].
    pub average_attention: Option<f64>,
    /// The largest value of that attention, see [`LayerBuilder::cut_off`].
    pub cut_off: Option<f64>,
    /// Whether the last layer of the hyper function and the attention begin with zeros instead of random numbers.
    ///
    /// Then the layer begins as a static activation, whose coefficients are init + λ · squash(0): DY-ReLU-A and -B begin as
    /// ReLU, and so can take its place in a trained network. In mode C the attention begins with its average, 1/3 unless
    /// [`average_attention`](Self::average_attention) says otherwise. `fc1` has no gradient before `fc2` has moved, that
    /// is, in the first step.
    #[config(default = false)]
    pub zero_init: bool,
}

impl LayerConfig {
    /// Makes a layer of the activation `A`, with weights and biases from U(−1/√inputs, 1/√inputs) and learned
    /// coefficients with their initial values.
    ///
    /// # Panics
    ///
    /// When the options make no layer; [`try_init`](Self::try_init) says so in a result.
    #[must_use]
    pub fn init<A: DynamicActivation>(&self, device: &Device) -> Layer<A> {
        self.try_init(device)
            .unwrap_or_else(|error| panic!("{}: {error}", A::NAME))
    }

    /// As [`init`](Self::init).
    ///
    /// # Errors
    ///
    /// [`Error::Option`], see [`LayerBuilder::build`]. That `DYRELU_LEVEL` names no level of this machine is found by the first
    /// forward pass on Flex, which panics.
    pub fn try_init<A: DynamicActivation>(&self, device: &Device) -> Result<Layer<A>, Error> {
        Layer::new(self.clone(), device)
    }

    /// The same options for a layer of the ndarray engine.
    pub(crate) fn builder<A: DynamicActivation, T: Scalar>(&self) -> LayerBuilder<A, T> {
        let mut builder = A::layer(self.channels)
            .reduction(self.reduction)
            .divisible_by(self.divisible_by)
            .at_least(self.at_least);
        if let Some(hidden) = self.hidden {
            builder = builder.hidden(hidden);
        }
        if let Some(channels) = self.context_channels {
            builder = builder.context_channels(channels);
        }
        if let Some(groups) = self.groups {
            builder = builder.groups(groups);
        }
        if let Some(temperature) = self.temperature {
            builder = builder.temperature(temperature);
        }
        if let Some(average) = self.average_attention {
            builder = builder.average_attention(average);
        }
        if let Some(cut_off) = self.cut_off {
            builder = builder.cut_off(cut_off);
        }
        builder
    }
}
