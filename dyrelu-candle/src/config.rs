//! [`LayerConfig`]: the options of a layer.

use dyrelu_core::{DynamicActivation, LayerBuilder, Scalar};

/// The options of a [`Layer`](crate::Layer), those of [`LayerBuilder`] but for the seed: a
/// [`VarBuilder`](candle_nn::VarBuilder) draws or loads the parameters.
///
/// ```
/// use candle_core::{DType, Device};
/// use candle_nn::{VarBuilder, VarMap};
/// use dyrelu_candle::{LayerConfig, layer};
///
/// #[dyrelu::dynamic_activation(k = 2, share = "spatial")]
/// struct DyReluB;
///
/// let vars = VarMap::new();
/// let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
/// let config = LayerConfig { reduction: 8, ..LayerConfig::new(64) };
/// let act = layer::<DyReluB>(&config, vb.pp("act"))?;
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerConfig {
    /// C, the number of channels of the inputs.
    pub channels: usize,
    /// The hidden units are C divided by this, rounded down; 4 at first. The paper uses 8.
    pub reduction: usize,
    /// The number of hidden units, instead of a reduction.
    pub hidden: Option<usize>,
    /// Rounds the hidden units that a reduction gives to a multiple, see [`LayerBuilder::divisible_by`].
    pub divisible_by: usize,
    /// The least number of hidden units that a reduction gives.
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
}

impl LayerConfig {
    /// The defaults of [`LayerBuilder`] for inputs of these many channels.
    #[must_use]
    pub const fn new(channels: usize) -> Self {
        Self {
            channels,
            reduction: 4,
            hidden: None,
            divisible_by: 1,
            at_least: 1,
            context_channels: None,
            groups: None,
            temperature: None,
            average_attention: None,
            cut_off: None,
        }
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
