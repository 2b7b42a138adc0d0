//! [`Layer`]: a dynamic activation with its parameters, on ndarray arrays.

mod builder;
mod cache;
mod constants;
mod grad_samples;
mod layout;
mod parameters;
mod plan;
mod samples;
mod sizes;
mod statistics;
mod workspace;

// The documentation shows the methods of `Layer` in the order of these modules.
mod forward;

mod backward;

mod with_context;

mod checkpoint;
mod convention;
mod report;

pub use backward::Gradients;
pub use builder::LayerBuilder;
pub use cache::Cache;
pub use checkpoint::replace_file;
pub use convention::{Convention, NamedLayer, OutputOrder};
pub use parameters::{Declaration, Initial};
pub use report::Report;
pub use sizes::{has_external_context, is_static, sets};
pub use with_context::WithContext;

use crate::kernels::attention::Scaling;
use crate::kernels::piecewise::unshared;
use crate::kernels::{Level, hyper};
use crate::{Attention, DynamicActivation, Error, Scalar};
use constants::Constants;
use core::fmt;
use core::marker::PhantomData;
use ndarray::{ArrayRef, ArrayViewD, ArrayViewMutD, Dimension};
use parameters::Parameters;
use sizes::{Extent, Sizes, hyper_layers, set_shape};
use statistics::Statistics;
use workspace::Workspaces;

/// A dynamic activation `A` with its parameters, for inputs of shape `[N, C, ...]` and number type `T`.
///
/// With p the mean of x over its spatial axes, σ the logistic function and S the number of positions
/// (Chen et al., "Dynamic ReLU", ECCV 2020, equations 1–4):
///
/// ```text
/// residuals    = 2σ(W₂ · relu(W₁ · p + b₁) + b₂) − 1
/// coefficients = init + lambda · residuals      a set for each sample (A) or channel (B, C)
/// y            = combine over k of piece(x, coefficients of k)
/// ```
///
/// and in mode C all coefficients are multiplied by `π = min(S / 3 · softmax(z / τ), 1)`, where z is a 1×1
/// convolution of x to one channel.
///
/// A description may say otherwise: another [`Squash`](crate::Squash) than 2σ − 1, another [`Hyper`](crate::Hyper) function, a
/// [normalised](Attention::Normalised) z. Coefficients may be [learned](crate::Source::Learned); if all are, there is no hyper
/// function, and in modes A and B no element knows of another one.
///
/// # Parameters
///
/// | name | shape | |
/// |---|---|---|
/// | `fc1.weight`, `fc1.bias` | `[H, M]`, `[H]` | a hyper function of two layers; M = C unless its context is another one |
/// | `fc2.weight`, `fc2.bias` | `[outputs, H]`, `[outputs]` | outputs = D·K in mode A, C·D·K in B and C, for D dynamic coefficients: for each channel K values of the first one, then K of the next |
/// | `fc.weight`, `fc.bias` | `[outputs, M]`, `[outputs]` | a hyper function of one layer |
/// | the name of a learned coefficient | `[C]`, `[C, K]` if K > 1 | 1 instead of C where all channels share it |
/// | `attention.weight`, `attention.bias` | `[1, C]`, `[1]` | mode C only |
/// | `attention.norm.weight`, `attention.norm.bias` | `[1]`, `[1]` | a normalised attention only |
///
/// # Shapes
///
/// x and y: `[N, C, ...]`, any rank from 2, any strides. Without a spatial axis the mean is x itself. N = 0
/// gives an empty output; so does a spatial axis of length 0, whose mean is taken to be 0. A map of 1×1 has
/// π = 1/3.
///
/// # Memory order
///
/// Arrays are used where they stand if they are in standard layout, or if their channels are *last in memory*: an array
/// `[N, ..., C]` in standard layout with its axes permuted to `[N, C, ...]`, as a framework with NHWC tensors has it.
/// One of any other order is copied. What a layer returns for x, the output and the gradient of x, has the order of x if
/// that is one of these two, and is in standard layout otherwise.
///
/// The arrays of a pass should have the same order. If that of x is not that of y, x is copied into y first. If that of x
/// is not that of `grad_y`, both are brought into standard layout.
///
/// The forward pass has the same results in both orders, bit by bit, but for the means of both halves
/// ([`Context::PooledHalves`](crate::Context::PooledHalves)); those, and sums in the backward pass, may differ in the last
/// bits. Activations with [neighbours](crate::Neighbour), and those of mode C whose coefficients do not follow from the
/// means of x, have no kernels for channels that are last: such arrays are copied. Those of others are shared out to
/// threads by samples only, so a single sample is computed by one.
///
/// # Ties, kinks and special numbers
///
/// The first of equal pieces wins and gets the whole gradient; `relu` passes no gradient on at zero.
///
/// Special numbers follow IEEE 754 through the formulas above, in their own sample; the other samples of a batch
/// are not touched. Dynamic coefficients depend on all of x, so one NaN makes all of its sample NaN, and
/// with them y, unless the piece has an `if` that hides them. An infinity makes the mean of its channel infinite:
/// the coefficients reach init ± lambda, or are NaN where infinities cancel or meet a weight of zero; and a slope of
/// zero times ∞ is NaN. Where scores are normalised by the statistics of a batch, special numbers reach all of it.
///
/// # Memory and threads
///
/// A layer keeps its working memory from call to call: the coefficients, their gradients and a copy of the weights in
/// another order, nothing of the size of x. It has one for each call that was ever under way at the same time, and a
/// clone begins with none. So only the first call of a size allocates, if it writes into arrays that are there already
/// ([`forward_into`](Self::forward_into), [`forward_inplace`](Self::forward_inplace),
/// [`forward_train_into`](Self::forward_train_into), [`backward_into`](Self::backward_into)) and need not copy one.
///
/// With the feature `rayon`, on by default, large inputs are shared out to the threads of the current rayon pool. The
/// results are the same bits for any number of threads.
///
/// # Example
///
/// ```
/// use dyrelu::{Layer, dynamic_activation};
/// use ndarray::Array4;
///
/// #[dynamic_activation(k = 2, share = "spatial")]
/// struct DyReluB;
///
/// let act: Layer<DyReluB, f32> = DyReluB::layer(8).reduction(4).seed(7).build()?;
/// let x = Array4::from_shape_fn((2, 8, 5, 3), |(n, c, h, w)| (n + c) as f32 - (h * w) as f32);
/// let (y, cache) = act.forward_train(&x)?;
/// let grads = act.backward(&x, &cache, &y)?; // of the loss Σ y² / 2
/// assert_eq!(grads.x.shape(), x.shape());
/// # Ok::<(), dyrelu::Error>(())
/// ```
pub struct Layer<A, T> {
    sizes: Sizes,
    scaling: Scaling,
    level: Level,
    parameters: Parameters<T>,
    /// Of the scores of a normalised attention.
    statistics: Statistics,
    constants: Constants<T>,
    /// Another number whenever the parameters may have changed.
    generation: u64,
    workspaces: Workspaces<T>,
    activation: PhantomData<fn() -> A>,
}

impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// C, the number of channels of the inputs.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.sizes.channels
    }

    /// M, the numbers of a sample that the hyper function sees; 0 if there is none.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.sizes.inputs
    }

    /// H, the number of hidden units of the hyper function; 0 if it has none.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.sizes.hidden
    }

    /// G, the number of groups of channels that [neighbours](crate::Neighbour) shift; 1 without neighbours.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.sizes.groups
    }

    /// τ, the temperature of the spatial attention; without meaning in modes A and B.
    #[must_use]
    pub fn temperature(&self) -> f64 {
        self.scaling.temperature
    }

    /// τ, γ and the cut-off of the spatial attention; without meaning in modes A and B.
    #[must_use]
    pub fn attention_scaling(&self) -> Scaling {
        self.scaling
    }

    /// All parameters with their names, in the order of the table [above](Self#parameters).
    #[must_use]
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewD<'_, T>)> {
        self.parameters.iter()
    }

    /// All parameters, for an optimiser to change.
    ///
    /// ```
    /// # #[dyrelu::dynamic_activation(k = 2, share = "spatial")]
    /// # struct DyReluB;
    /// # let mut act = DyReluB::layer::<f32>(8).build()?;
    /// # let x = ndarray::Array2::<f32>::ones((3, 8));
    /// # let (y, cache) = act.forward_train(&x)?;
    /// # let grads = act.backward(&x, &cache, &y)?;
    /// for ((_, mut parameter), (_, grad)) in act.parameters_mut().zip(grads.parameters()) {
    ///     parameter.scaled_add(-0.1, &grad);
    /// }
    /// # Ok::<(), dyrelu::Error>(())
    /// ```
    #[must_use]
    pub fn parameters_mut(&mut self) -> impl ExactSizeIterator<Item = (&'static str, ArrayViewMutD<'_, T>)> {
        self.generation += 1;
        self.parameters.iter_mut()
    }

    /// Gives all parameters other values, which stand one after the other in the order of
    /// [`parameters`](Self::parameters). With the values that are there already this is one pass over both.
    ///
    /// # Panics
    ///
    /// When these are not [`parameter_count`](Self::parameter_count) numbers.
    pub fn set_parameters(&mut self, numbers: &[T]) {
        assert_eq!(
            numbers.len(),
            self.parameter_count(),
            "as many numbers as the layer has"
        );
        if self.parameters.is(numbers) {
            return;
        }
        let mut rest = numbers;
        for (_, mut parameter) in self.parameters_mut() {
            let (values, others) = rest.split_at(parameter.len());
            slice_mut(&mut parameter).copy_from_slice(values);
            rest = others;
        }
    }

    /// The parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<ArrayViewD<'_, T>> {
        self.parameters.get(name)
    }

    /// The parameter of this name, to be changed.
    #[must_use]
    pub fn parameter_mut(&mut self, name: &str) -> Option<ArrayViewMutD<'_, T>> {
        self.generation += 1;
        self.parameters.get_mut(name)
    }

    /// The number of trainable numbers.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().map(|(_, value)| value.len()).sum()
    }

    fn hyper(&self) -> hyper::Weights<'_, T> {
        let linear = |inputs, weight, bias| hyper::Linear {
            inputs,
            weight: self.parameters.slice(weight),
            bias: self.parameters.slice(bias),
        };
        let Sizes { inputs, hidden, .. } = self.sizes;
        let layers = match hyper_layers::<A>() {
            0 => hyper::Layers::None,
            1 => hyper::Layers::One(linear(inputs, parameters::FC_WEIGHT, parameters::FC_BIAS)),
            _ => hyper::Layers::Two {
                first: linear(inputs, parameters::FC1_WEIGHT, parameters::FC1_BIAS),
                inner: A::HYPER.inner,
                second: linear(hidden, parameters::FC2_WEIGHT, parameters::FC2_BIAS),
            },
        };
        hyper::Weights {
            layers,
            squashes: &self.constants.squashes,
            k: set_shape::<A>()[1],
        }
    }

    /// Moves the running statistics of a [normalised attention](Attention::Normalised) towards those of a batch: a tenth
    /// of the way, as in `PyTorch`. Training calls this after [`forward_train`](Self::forward_train), which normalises by
    /// the batch; [`forward`](Self::forward) normalises by the running statistics. Other activations have none, and are
    /// left as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Cache`] when the cache is not that of this kind of layer. The layer is unchanged then.
    pub fn update_statistics(&mut self, cache: &Cache<T>) -> Result<(), Error> {
        self.check_cache(cache.origin.extent, cache)?;
        if is_normalised::<A>() && cache.softmax.len() > 1 {
            self.statistics.update(cache.statistics, cache.softmax.len());
            self.statistics = self.statistics.rounded::<T>();
        }
        Ok(())
    }

    /// The running mean and the running variance of a [normalised attention](Attention::Normalised).
    #[must_use]
    pub fn running_statistics(&self) -> Option<(f64, f64)> {
        let Statistics { mean, variance } = self.statistics;
        is_normalised::<A>().then_some((mean, variance))
    }

    /// Sets what [`running_statistics`](Self::running_statistics) returns, if the activation has them.
    pub fn set_running_statistics(&mut self, mean: f64, variance: f64) {
        if is_normalised::<A>() {
            self.statistics = Statistics { mean, variance };
        }
    }

    /// The extent of an input, if it fits this layer.
    fn extent(&self, shape: &[usize]) -> Result<Extent, Error> {
        match *shape {
            [samples, channels, ref spatial @ ..] if channels == self.sizes.channels => Ok(Extent {
                samples,
                channels,
                positions: spatial.iter().product(),
            }),
            [_, _, ..] => Err(Error::Channels {
                expected: self.sizes.channels,
                found: shape.to_vec(),
            }),
            _ => Err(Error::Rank {
                found: shape.to_vec(),
            }),
        }
    }
}

/// Whether scores are normalised before they become an attention.
#[must_use]
pub const fn is_normalised<A: DynamicActivation>() -> bool {
    unshared::<A>() && matches!(A::ATTENTION, Attention::Normalised)
}

/// The elements of an array that was brought into standard layout.
fn slice<T, D: Dimension>(array: &ArrayRef<T, D>) -> &[T] {
    array.as_slice().expect("standard layout")
}

/// As [`slice`], to be changed.
fn slice_mut<T, D: Dimension>(array: &mut ArrayRef<T, D>) -> &mut [T] {
    array.as_slice_mut().expect("standard layout")
}

fn check_shape(array: &'static str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Shape {
        array,
        expected: expected.to_vec(),
        found: found.to_vec(),
    })
}

impl<A, T: Clone> Clone for Layer<A, T> {
    fn clone(&self) -> Self {
        Self {
            parameters: self.parameters.clone(),
            constants: self.constants.clone(),
            workspaces: Workspaces::default(),
            ..*self
        }
    }
}

impl<A: DynamicActivation, T: Scalar> fmt::Debug for Layer<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(A::NAME)
            .field("channels", &self.sizes.channels)
            .field("hidden", &self.sizes.hidden)
            .field("parameters", &self.parameter_count())
            .finish_non_exhaustive()
    }
}
