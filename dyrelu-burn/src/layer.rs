//! [`Layer`]: a dynamic activation as a module of Burn.

use crate::LayerConfig;
use crate::activation::Activation;
#[cfg(feature = "flex")]
use crate::fused::Backing;
use crate::parameters::{CONTAINER, Parameters};
use crate::statistics::Statistics;
use burn::module::{
    Content, Devices, DisplaySettings, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::kernels::attention::Scaling;
use dyrelu_core::{Declaration, DynamicActivation, Error, Initial, is_normalised};

/// A dynamic activation `A` with its parameters, for inputs of shape `[N, C, ...]`.
///
/// With p the mean of x over its spatial axes and σ the logistic function (Chen et al., "Dynamic ReLU", ECCV 2020,
/// equations 1–4):
///
/// ```text
/// coefficients = init + lambda · (2σ(W₂ · relu(W₁ · p + b₁) + b₂) − 1)      a set for each sample (A) or channel (B, C)
/// y            = combine over k of piece(x, coefficients of k)
/// ```
///
/// The [layer of the ndarray engine](dyrelu_core::Layer) computes the same, and documents what a description may change, shapes, ties
/// and special numbers. It has the same parameters: the same names, shapes and files.
///
/// # Engines
///
/// | tensors | computed by |
/// |---|---|
/// | `f32` and `f64` on the CPU backend Flex | the kernels of dyrelu, forward and backward, as one operation of Burn's autodiff |
/// | `f32`, `f16` and `bf16` on a GPU, with the feature `gpu` | kernels from the same description, and what leads to coefficients by tensor operations |
/// | all others | the same description on Burn's tensor operations |
///
/// The parameters may have another float type than x: those of `f16` and `bf16` inputs stay what they are, and means and
/// hyper function are computed in `f32`. On a device with gradient checkpointing the output is not kept, but computed
/// again.
///
/// # Parameters
///
/// Weights are `[outputs, inputs]` as in PyTorch, not `[inputs, outputs]` as those of [`Linear`](burn::nn::Linear), and
/// adapters between the two leave them alone. The running statistics of a
/// [normalised attention](dyrelu_core::Attention::Normalised) are `attention.norm.running_mean` and `running_var`; they move
/// with every forward pass on an autodiff device, as those of Burn's batch normalisation.
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::conv::{Conv2d, Conv2dConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use dyrelu::dynamic_activation;
/// use dyrelu_burn::{Layer, LayerConfig};
///
/// #[dynamic_activation(k = 2, share = "spatial")]
/// struct DyReluB;
///
/// #[derive(Module, Debug)]
/// struct Block {
///     conv: Conv2d,
///     act: Layer<DyReluB>,
/// }
///
/// let device = Device::flex().autodiff();
/// let block = Block {
///     conv: Conv2dConfig::new([3, 16], [3, 3]).init(&device),
///     act: LayerConfig::new(16).init(&device),
/// };
/// let x = Tensor::<4>::random([2, 3, 8, 8], Distribution::Default, &device);
/// let grads = block.act.forward(block.conv.forward(x)).sum().backward();
/// println!("{block}"); // … act: DyReluB { channels: 16, hidden: 4, params: 388 } …
/// ```
pub struct Layer<A: DynamicActivation> {
    config: LayerConfig,
    /// M.
    pub(crate) inputs: usize,
    /// H.
    hidden: usize,
    /// Of the attention of mode C.
    pub(crate) scaling: Scaling,
    pub(crate) parameters: Parameters,
    /// Of a normalised attention.
    pub(crate) statistics: Option<Statistics>,
    #[cfg(feature = "flex")]
    pub(crate) backing: Backing<A>,
    activation: PhantomData<fn() -> A>,
}

impl<A: DynamicActivation> Layer<A> {
    pub(crate) fn new(config: LayerConfig, device: &Device) -> Result<Self, Error> {
        let builder = config.builder::<A, f32>();
        let (mut declarations, scaling) = (builder.declarations()?, builder.attention_scaling()?);
        let first = declarations
            .iter()
            .find(|declaration| declaration.name == "fc1.weight");
        let hidden = first.map_or(0, |weight| weight.shape[0]);
        let normalised = is_normalised::<A>();
        if config.zero_init {
            // Of a normalised attention the norm, as the gradient of scores that are all equal is large.
            let attention = if normalised {
                "attention.norm."
            } else {
                "attention."
            };
            for Declaration { name, initial, .. } in &mut declarations {
                if ["fc.", "fc2.", attention]
                    .iter()
                    .any(|layer| name.starts_with(layer))
                {
                    *initial = Initial::Constant(0.0);
                }
            }
        }
        Ok(Self {
            inputs: builder.inputs()?,
            hidden,
            scaling,
            parameters: Parameters::new(declarations, device),
            statistics: normalised.then(|| Statistics::new(device)),
            #[cfg(feature = "flex")]
            backing: Backing::new(config.clone()),
            config,
            activation: PhantomData,
        })
    }

    /// The options that the layer was made with.
    #[must_use]
    pub fn config(&self) -> &LayerConfig {
        &self.config
    }

    /// y for x, `[N, C, ...]` of any rank from 2.
    ///
    /// # Panics
    ///
    /// When x has another shape, or the activation needs an [external context](Self::with_context).
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.bare().forward(x)
    }

    /// [`forward`](Self::forward) by tensor operations on any device: what it does where no kernel is for the tensors.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn forward_composed<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.bare().forward_composed(x)
    }

    /// The coefficients for x, `[N, C or 1, P, K]`, dynamic and learned, in the order of
    /// [`COEFFICIENTS`](DynamicActivation::COEFFICIENTS); in mode C those that the attention multiplies. If none is dynamic,
    /// all samples have the same, `[1, C or 1, P, K]`.
    ///
    /// They are computed by tensor operations, to look at and for losses of their own.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn coefficients<const D: usize>(&self, x: Tensor<D>) -> Tensor<4> {
        self.bare().coefficients(x)
    }

    /// The spatial attention π of mode C for x, `[N, S]` with S positions; `None` in modes A and B. Running statistics stay what
    /// they are.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    #[must_use]
    pub fn attention<const D: usize>(&self, x: Tensor<D>) -> Option<Tensor<2>> {
        self.bare().attention(x)
    }
}

impl<A: DynamicActivation> Activation for Layer<A> {
    fn init(config: &LayerConfig, device: &Device) -> Self {
        config.init(device)
    }

    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}

// By hand, not derived: a derived module would need an activation that is a module too.

impl<A: DynamicActivation> Layer<A> {
    fn replace(
        self,
        parameters: impl FnOnce(Parameters) -> Parameters,
        statistics: impl FnOnce(Statistics) -> Statistics,
    ) -> Self {
        Self {
            parameters: parameters(self.parameters),
            statistics: self.statistics.map(statistics),
            ..self
        }
    }
}

impl<A: DynamicActivation> Module for Layer<A> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        let devices = self.parameters.collect_devices(devices);
        self.statistics.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.replace(
            |parameters| parameters.fork(device),
            |statistics| statistics.fork(device),
        )
    }

    fn to_device(self, device: &Device) -> Self {
        self.replace(
            |parameters| parameters.to_device(device),
            |statistics| statistics.to_device(device),
        )
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.parameters.visit(visitor);
        if let Some(statistics) = &self.statistics {
            for part in Statistics::PATH {
                visitor.enter_module(part, CONTAINER);
            }
            statistics.visit(visitor);
            for part in Statistics::PATH.into_iter().rev() {
                visitor.exit_module(part, CONTAINER);
            }
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let parameters = self.parameters.map(mapper);
        let statistics = self.statistics.map(|statistics| {
            for part in Statistics::PATH {
                mapper.enter_module(part, CONTAINER);
            }
            let statistics = statistics.map(mapper);
            for part in Statistics::PATH.into_iter().rev() {
                mapper.exit_module(part, CONTAINER);
            }
            statistics
        });
        Self {
            parameters,
            statistics,
            ..self
        }
    }

    fn materialize(self) -> Self {
        self.replace(Module::materialize, Module::materialize)
    }

    fn valid(&self) -> Self {
        self.clone()
            .replace(|parameters| parameters.valid(), |statistics| statistics.valid())
    }

    fn train(self) -> Self {
        self.replace(Module::train, Module::train)
    }
}

impl<A: DynamicActivation> Clone for Layer<A> {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
            inputs: self.inputs,
            hidden: self.hidden,
            scaling: self.scaling,
            parameters: self.parameters.clone(),
            statistics: self.statistics.clone(),
            #[cfg(feature = "flex")]
            backing: self.backing.clone(),
            activation: PhantomData,
        }
    }
}

impl<A: DynamicActivation> fmt::Debug for Layer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(A::NAME)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<A: DynamicActivation> ModuleDisplayDefault for Layer<A> {
    fn content(&self, content: Content) -> Option<Content> {
        let content = content
            .set_top_level_type(A::NAME)
            .add("channels", &self.config.channels);
        if self.hidden == 0 {
            content
        } else {
            content.add("hidden", &self.hidden)
        }
        .optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl<A: DynamicActivation> ModuleDisplay for Layer<A> {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }
}

impl<A: DynamicActivation> fmt::Display for Layer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(DisplaySettings::default()))
    }
}
