//! [`Layer`]: a dynamic activation as a module of candle.

use crate::LayerConfig;
use crate::fused::Backing;
use crate::parameters::Parameters;
use crate::statistics::Statistics;
use candle_core::{Error, Module, Result, Tensor};
use candle_nn::VarBuilder;
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::kernels::attention::Scaling;
use dyrelu_core::{DynamicActivation, is_normalised};

/// A dynamic activation `A` with its parameters, for inputs of shape `[N, C, ...]`.
///
/// It computes what the [layer of the ndarray engine](dyrelu_core::Layer) does, which documents formula, shapes, ties and
/// special numbers, and has the same parameters: the same names, shapes and files.
///
/// # Engines
///
/// | tensors | computed by |
/// |---|---|
/// | `f32` and `f64` on the CPU | the kernels of dyrelu, forward and backward, as one operation of candle's graph |
/// | all others | the same description on candle's tensor operations |
///
/// x may have any strides. The parameters may have another float type than x: those of `f16` and `bf16` inputs stay what
/// they are, and means and hyper function are computed in `f32`.
///
/// # Running statistics
///
/// Those of a [normalised attention](dyrelu_core::Attention::Normalised) are the variables `attention.norm.running_mean` and
/// `running_var`. [`forward`](Module::forward) normalises by them, [`forward_t`](Self::forward_t) in training by the
/// batch, and moves them, as [`BatchNorm`](candle_nn::BatchNorm) does. To all other activations training makes no
/// difference.
///
/// # Example
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// use candle_nn::{Conv2d, Optimizer, SGD, VarBuilder, VarMap, conv2d};
/// use dyrelu::dynamic_activation;
/// use dyrelu_candle::{Layer, LayerConfig, layer};
///
/// #[dynamic_activation(k = 2, share = "spatial")]
/// struct DyReluB;
///
/// struct Block {
///     conv: Conv2d,
///     act: Layer<DyReluB>,
/// }
///
/// impl Block {
///     fn new(vb: VarBuilder) -> candle_core::Result<Self> {
///         Ok(Self {
///             conv: conv2d(3, 16, 3, Default::default(), vb.pp("conv"))?,
///             act: layer(&LayerConfig::new(16), vb.pp("act"))?,
///         })
///     }
/// }
///
/// impl Module for Block {
///     fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
///         x.apply(&self.conv)?.apply(&self.act)
///     }
/// }
///
/// let vars = VarMap::new();
/// let block = Block::new(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
/// let x = Tensor::randn(0f32, 1.0, (2, 3, 8, 8), &Device::Cpu)?;
/// let loss = block.forward(&x)?.sqr()?.mean_all()?;
/// SGD::new(vars.all_vars(), 0.1)?.backward_step(&loss)?; // conv.weight, …, act.fc2.bias
/// # Ok::<(), candle_core::Error>(())
/// ```
pub struct Layer<A: DynamicActivation> {
    config: LayerConfig,
    /// M.
    pub(crate) inputs: usize,
    /// Of the attention of mode C.
    pub(crate) scaling: Scaling,
    pub(crate) parameters: Parameters,
    /// Of a normalised attention.
    pub(crate) statistics: Option<Statistics>,
    pub(crate) backing: Backing<A>,
    activation: PhantomData<fn() -> A>,
}

/// Makes a [`Layer`], as the functions of `candle_nn` make theirs: the parameters are those of the [`VarBuilder`], or new
/// ones, with weights and biases from U(−1/√inputs, 1/√inputs) and learned coefficients with their initial values.
///
/// # Errors
///
/// When the options make no layer, see [`LayerBuilder::build`](dyrelu_core::LayerBuilder::build); when a parameter is
/// missing or has another shape.
pub fn layer<A: DynamicActivation>(config: &LayerConfig, vb: VarBuilder<'_>) -> Result<Layer<A>> {
    Layer::new(config, vb)
}

impl<A: DynamicActivation> Layer<A> {
    /// As the function [`layer`].
    ///
    /// # Errors
    ///
    /// As [`layer`].
    #[expect(clippy::needless_pass_by_value, reason = "as all constructors of candle do")]
    pub fn new(config: &LayerConfig, vb: VarBuilder<'_>) -> Result<Self> {
        let builder = config.builder::<A, f32>();
        let declarations = builder.declarations().map_err(refuse::<A>)?;
        let inputs = builder.inputs().map_err(refuse::<A>)?;
        let scaling = builder.attention_scaling().map_err(refuse::<A>)?;
        let normalised = is_normalised::<A>();
        Ok(Self {
            inputs,
            scaling,
            parameters: Parameters::new(declarations, &vb)?,
            statistics: normalised.then(|| Statistics::new(&vb)).transpose()?,
            backing: Backing::new(*config),
            config: *config,
            activation: PhantomData,
        })
    }

    /// The options that the layer was made with.
    #[must_use]
    pub fn config(&self) -> &LayerConfig {
        &self.config
    }

    /// All parameters with their names, in the order of the [ndarray engine](dyrelu_core::Layer#parameters).
    #[must_use]
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&'static str, &Tensor)> {
        self.parameters.iter()
    }

    /// [`forward`](Module::forward), in training or not: that is a difference where there are
    /// [running statistics](Self#running-statistics).
    ///
    /// # Errors
    ///
    /// When x has another shape, or the activation needs an [external context](Self::with_context).
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.bare()?.forward_t(x, train)
    }

    /// [`forward`](Module::forward) by tensor operations: what it does where no kernel is for the tensors.
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        self.bare()?.forward_composed(x)
    }

    /// [`forward_t`](Self::forward_t) by tensor operations.
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn forward_composed_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.bare()?.forward_composed_t(x, train)
    }

    /// The coefficients for x, `[N, C or 1, P, K]`, dynamic and learned, in the order of
    /// [`COEFFICIENTS`](DynamicActivation::COEFFICIENTS); in mode C those that the attention multiplies. If none is dynamic,
    /// all samples have the same, `[1, C or 1, P, K]`.
    ///
    /// They are computed by tensor operations, to look at and for losses of their own.
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn coefficients(&self, x: &Tensor) -> Result<Tensor> {
        self.bare()?.coefficients(x)
    }

    /// The spatial attention π of mode C for x, `[N, S]` with S positions; `None` in modes A and B.
    ///
    /// # Errors
    ///
    /// As [`forward_t`](Self::forward_t).
    pub fn attention(&self, x: &Tensor) -> Result<Option<Tensor>> {
        self.bare()?.attention(x)
    }
}

impl<A: DynamicActivation> Module for Layer<A> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_t(x, false)
    }
}

/// The error of a layer of `A`.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn refuse<A: DynamicActivation>(error: dyrelu_core::Error) -> Error {
    Error::wrap(format!("{}: {error}", A::NAME))
}

/// Both layers have the same parameters: they share the variables.
impl<A: DynamicActivation> Clone for Layer<A> {
    fn clone(&self) -> Self {
        Self {
            config: self.config,
            inputs: self.inputs,
            scaling: self.scaling,
            parameters: self.parameters.clone(),
            statistics: self.statistics.clone(),
            backing: self.backing.clone(),
            activation: PhantomData,
        }
    }
}

impl<A: DynamicActivation> fmt::Debug for Layer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(A::NAME)
            .field("config", &self.config)
            .field("parameters", &self.parameters)
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}
