//! [`LayerBuilder`]: the options of a layer.

use super::constants::lambda;
use super::parameters::{self, Declaration, Parameters};
use super::sizes::{dynamic_count, has_external_context, hyper_layers, is_static, set_shape, sets};
use super::workspace::Workspaces;
use super::{Constants, Layer, Sizes, Statistics};
use crate::kernels::attention::Scaling;
use crate::kernels::level;
use crate::kernels::piecewise::PieceSet;
use crate::{Attention, Coefficient, Context, Cost, CostModel, DynamicActivation, Error, Scalar, Sharing};
use core::fmt;
use core::marker::PhantomData;

/// The options of a [`Layer`]; begin with [`DynamicActivation::layer`].
///
/// ```
/// # #[dyrelu::dynamic_activation(k = 2, share = "spatial")]
/// # struct DyReluB;
/// let act = DyReluB::layer::<f32>(64).reduction(8).seed(7).build()?;
/// assert_eq!(act.hidden(), 8);
/// # Ok::<(), dyrelu::Error>(())
/// ```
///
/// # Hidden units
///
/// A hyper function of two layers has max(C / reduction, 1) hidden units, rounded down, where C counts the channels of x
/// or of its external context. Public implementations round in other ways: [`divisible_by`](Self::divisible_by) to a
/// multiple, [`at_least`](Self::at_least) to a minimum. Activations without hidden units ignore these options, and
/// [`hidden`](Self::hidden) goes before them.
#[must_use = "a builder does nothing before `build`"]
pub struct LayerBuilder<A, T> {
    channels: usize,
    context_channels: Option<usize>,
    groups: Option<usize>,
    hidden: Hidden,
    divisor: usize,
    at_least: usize,
    temperature: Option<f64>,
    average_attention: Option<f64>,
    cut_off: Option<f64>,
    seed: u64,
    layer: PhantomData<fn() -> (A, T)>,
}

#[derive(Debug, Clone, Copy)]
enum Hidden {
    Reduction(usize),
    Units(usize),
}

impl<A: DynamicActivation, T: Scalar> LayerBuilder<A, T> {
    pub(crate) fn new(channels: usize) -> Self {
        Self {
            channels,
            context_channels: None,
            groups: None,
            hidden: Hidden::Reduction(4),
            divisor: 1,
            at_least: 1,
            temperature: None,
            average_attention: None,
            cut_off: None,
            seed: 0,
            layer: PhantomData,
        }
    }

    /// Sets the number of [hidden units](Self#hidden-units) by a reduction ratio. The default is 4; the paper uses 8.
    pub fn reduction(mut self, reduction: usize) -> Self {
        self.hidden = Hidden::Reduction(reduction);
        self
    }

    /// Sets the number of hidden units of the hyper function, instead of a [reduction](Self::reduction). It is not
    /// rounded.
    pub fn hidden(mut self, units: usize) -> Self {
        self.hidden = Hidden::Units(units);
        self
    }

    /// Rounds the hidden units to the nearest multiple of `divisor`, at least `divisor`; to the next one if the nearest
    /// is more than a tenth below. This is how the networks of the `MobileNet` family round their channels, and
    /// `DynamicHead` its hidden units, with 4.
    ///
    /// ```
    /// # #[dyrelu::dynamic_activation(k = 2, share = "spatial")]
    /// # struct DyReluB;
    /// let act = DyReluB::layer::<f32>(112).reduction(8).divisible_by(4).build()?;
    /// assert_eq!(act.hidden(), 16); // 112 / 8 = 14
    /// # Ok::<(), dyrelu::Error>(())
    /// ```
    pub fn divisible_by(mut self, divisor: usize) -> Self {
        self.divisor = divisor;
        self
    }

    /// Sets a minimum for the hidden units that a reduction gives. The default is 1.
    pub fn at_least(mut self, units: usize) -> Self {
        self.at_least = units;
        self
    }

    /// Sets M, the number of channels of the [external context](crate::Context::External). The default is that of x, and
    /// the number of outputs for a hyper function without layers.
    pub fn context_channels(mut self, channels: usize) -> Self {
        self.context_channels = Some(channels);
        self
    }

    /// Sets G, the number of groups of channels of an activation with [neighbours](crate::Neighbour). It has no default
    /// if a neighbour is groups further, and is 1 otherwise.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = Some(groups);
        self
    }

    /// Sets τ, the temperature of the spatial attention of mode C. The default is 10, as in the paper, and 1 for a
    /// normalised attention, as in `DynamicHead`.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets γ / S, the average of the spatial attention of mode C where nothing is cut off. The default is 1/3, as in the
    /// paper.
    pub fn average_attention(mut self, average: f64) -> Self {
        self.average_attention = Some(average);
        self
    }

    /// Sets the largest value of the spatial attention of mode C. The default is 1, as in the paper.
    pub fn cut_off(mut self, cut_off: f64) -> Self {
        self.cut_off = Some(cut_off);
        self
    }

    /// Sets the seed of the initial parameters. The default is 0: the same options give the same layer.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes the layer, with weights and biases from U(−1/√inputs, 1/√inputs) as `PyTorch`'s linear layers have them, and
    /// learned coefficients with their initial values.
    ///
    /// # Instruction set
    ///
    /// All layers of a process use the best instruction set of the machine, or the one that the environment variable
    /// `DYRELU_LEVEL` names when the first layer is made: `sse2`, `sse4.2`, `avx2`, `avx512` or `neon`, as far as
    /// the machine has them ([`kernels::levels`](crate::kernels::levels)).
    /// One program gives the same bits on all machines that have the level that it is pinned to, if no piece needs
    /// `ln`, `ln_1p`, `softplus`, `sin`, `cos` or `tan`: these come from the system's mathematical library.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when a size, a reduction or a divisor is zero where it is used; when the groups are missing, do not
    /// divide the channels, or the activation has no neighbours; when there are context channels, but no external context;
    /// when a hyper function without layers has another number of inputs than of outputs; when the temperature, the average
    /// attention, the cut-off or its inverse is not positive and finite or the activation has no spatial attention; when the
    /// parameters would not fit into memory; and when `DYRELU_LEVEL` does not name a level of this machine.
    pub fn build(self) -> Result<Layer<A, T>, Error> {
        let seed = self.seed;
        self.build_with(|sizes| Parameters::random::<A>(sizes, seed))
    }

    /// The parameters that the layer would have, for engines that keep them in arrays of their own.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), for options that make no layer.
    pub fn declarations(&self) -> Result<Vec<Declaration>, Error> {
        Ok(parameters::declare::<A>(self.sizes()?))
    }

    /// M, how many numbers of a sample the hyper function would see; 0 if there is none.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), for options that make no layer.
    pub fn inputs(&self) -> Result<usize, Error> {
        Ok(self.sizes()?.inputs)
    }

    /// τ, γ and the cut-off that the layer would have; without meaning in modes A and B.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), for options that make no attention.
    pub fn attention_scaling(&self) -> Result<Scaling, Error> {
        let default = match A::ATTENTION {
            Attention::Softmax => Scaling::PAPER,
            Attention::Normalised => Scaling {
                temperature: 1.0,
                ..Scaling::PAPER
            },
        };
        let or = |name, option, default| match option {
            Some(value) => check_scaling::<A, T>(name, value),
            None => Ok(default),
        };
        Ok(Scaling {
            temperature: or("temperature", self.temperature, default.temperature)?,
            average: or("average attention", self.average_attention, default.average)?,
            cut_off: or("cut-off", self.cut_off, default.cut_off)?,
        })
    }

    /// What the layer would hold, and compute for a sample of this many positions.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), for sizes that make no layer or cannot be counted.
    pub fn cost(&self, positions: usize) -> Result<Cost, Error> {
        let sizes = self.sizes()?;
        CostModel::of::<A>()
            .cost(sizes.channels, positions, sizes.hidden, sizes.inputs)
            .ok_or_else(|| Error::Option {
                option: "channels × positions",
                expected: "small enough to count the multiply-adds",
                found: format!("{} × {positions}", sizes.channels),
            })
    }

    /// Makes the layer with other parameters, for its sizes.
    pub(super) fn build_with(
        self,
        parameters: impl FnOnce(Sizes) -> Result<Parameters<T>, Error>,
    ) -> Result<Layer<A, T>, Error> {
        let sizes = self.sizes()?;
        let scaling = self.attention_scaling()?;
        let () = const { check_description::<A>() };
        let level = level::of_layers()?;
        Ok(Layer {
            sizes,
            scaling,
            level,
            parameters: parameters(sizes)?,
            statistics: Statistics::default(),
            constants: Constants::of::<A>(sizes),
            generation: 0,
            workspaces: Workspaces::default(),
            activation: PhantomData,
        })
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        let channels = at_least_one("channels", self.channels)?;
        let groups = self.groups_of(channels)?;
        if self.context_channels.is_some() && !has_external_context::<A>() {
            return Err(option(
                "context channels",
                "left alone: only `hyper(context = \"external\")` has them",
                self.context_channels,
            ));
        }
        if is_static::<A>() {
            return Ok(Sizes {
                channels,
                inputs: 0,
                hidden: 0,
                outputs: 0,
                groups,
            });
        }
        let too_many = || option("channels", "small enough to count the outputs", Some(channels));
        let [dynamic, pieces] = [dynamic_count::<A>(), set_shape::<A>()[1]];
        let sets = sets::<A>(channels);
        let outputs = sets.checked_mul(dynamic * pieces).ok_or_else(too_many)?;
        let default = match hyper_layers::<A>() {
            0 if has_external_context::<A>() => outputs,
            _ => channels,
        };
        let context = at_least_one("context channels", self.context_channels.unwrap_or(default))?;
        let inputs = match A::HYPER.context {
            Context::PooledHalves => channels.checked_mul(2).ok_or_else(too_many)?,
            Context::Pooled | Context::External => context,
        };
        let hidden = match (hyper_layers::<A>(), self.hidden) {
            (0, _) if inputs != outputs => {
                return Err(Error::Option {
                    option: "inputs of a hyper function without layers",
                    expected: "as many as it has outputs",
                    found: format!("{inputs} inputs and {outputs} outputs"),
                });
            }
            (0 | 1, _) => 0,
            (_, Hidden::Units(units)) => at_least_one("hidden units", units)?,
            (_, Hidden::Reduction(reduction)) => {
                let units = context / at_least_one("reduction", reduction)?;
                let divisor = at_least_one("divisor of the hidden units", self.divisor)?;
                divisible_by(units, divisor)
                    .ok_or_else(too_many)?
                    .max(at_least_one("least hidden units", self.at_least)?)
            }
        };
        Ok(Sizes {
            channels,
            inputs,
            hidden,
            outputs,
            groups,
        })
    }

    /// G, 1 for an activation that has none.
    fn groups_of(&self, channels: usize) -> Result<usize, Error> {
        if A::NEIGHBOURS.is_empty() {
            return match self.groups {
                None => Ok(1),
                groups => Err(option(
                    "groups",
                    "left alone: only `neighbours(…)` has them",
                    groups,
                )),
            };
        }
        let shifts = A::NEIGHBOURS.iter().any(|neighbour| neighbour.groups != 0);
        match self.groups {
            None if shifts => Err(option("groups", "set: a neighbour is groups further", None)),
            None => Ok(1),
            Some(groups) if groups > 0 && channels.is_multiple_of(groups) => Ok(groups),
            groups => Err(option("groups", "a divisor of the channels", groups)),
        }
    }
}

/// The multiple of `divisor` that the networks of the `MobileNet` family take for `units`, if it can be counted.
fn divisible_by(units: usize, divisor: usize) -> Option<usize> {
    let nearest = (units.checked_add(divisor / 2)? / divisor * divisor).max(divisor);
    if nearest as f64 >= 0.9 * units as f64 {
        Some(nearest)
    } else {
        nearest.checked_add(divisor)
    }
}

impl<A, T> Clone for LayerBuilder<A, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<A: DynamicActivation, T> fmt::Debug for LayerBuilder<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerBuilder")
            .field("activation", &A::NAME)
            .field("channels", &self.channels)
            .field("context_channels", &self.context_channels)
            .field("groups", &self.groups)
            .field("hidden", &self.hidden)
            .field("divisor", &self.divisor)
            .field("at_least", &self.at_least)
            .field("temperature", &self.temperature)
            .field("average_attention", &self.average_attention)
            .field("cut_off", &self.cut_off)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

fn at_least_one(name: &'static str, value: usize) -> Result<usize, Error> {
    if value > 0 {
        return Ok(value);
    }
    Err(option(name, "at least 1", Some(value)))
}

fn option(option: &'static str, expected: &'static str, found: Option<usize>) -> Error {
    Error::Option {
        option,
        expected,
        found: found.map_or_else(|| "none".to_owned(), |found| found.to_string()),
    }
}

/// A constant of the attention, if the activation has one.
fn check_scaling<A: DynamicActivation, T: Scalar>(option: &'static str, value: f64) -> Result<f64, Error> {
    let expected = if A::SHARING != Sharing::Unshared {
        "left alone: only `share = \"none\"` has a spatial attention"
    } else if !(value > 0.0
        && [value, 1.0 / value]
            .iter()
            .all(|&value| T::from_f64(value).to_f64().is_finite()))
    {
        "positive and finite, as its inverse"
    } else {
        return Ok(value);
    };
    Err(Error::Option {
        option,
        expected,
        found: format!("{value:?}"),
    })
}

/// A description by hand may be inconsistent: that is an error of compilation.
const fn check_description<A: DynamicActivation>() {
    assert!(
        A::COEFFICIENTS.len() + A::NEIGHBOURS.len() == <A::Pieces as PieceSet<A>>::P,
        "DynamicActivation::COEFFICIENTS and NEIGHBOURS must describe each of the P arguments of `Pieces<K, P>`"
    );
    assert!(A::HYPER.layers <= 2, "a hyper function has at most 2 layers");
    assert!(
        A::HYPER.layers != 0 || !matches!(A::HYPER.context, Context::PooledHalves),
        "the means of both halves are not in the order of the raw values: they need a layer"
    );
    let mut p = 0;
    while p < A::COEFFICIENTS.len() {
        let Coefficient { init, .. } = A::COEFFICIENTS[p];
        let lambda = match lambda(&A::COEFFICIENTS[p]) {
            Some(lambda) => lambda,
            None => init,
        };
        assert!(
            init.fits(<A::Pieces as PieceSet<A>>::K) && lambda.fits(<A::Pieces as PieceSet<A>>::K),
            "PerPiece::Each needs one value for each of the K pieces of `Pieces<K, P>`"
        );
        p += 1;
    }
}
