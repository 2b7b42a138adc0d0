//! [`LayerBuilder`]: the options of a layer.

use super::parameters::Parameters;
use super::workspace::Workspaces;
use super::{Layer, set_len};
use crate::kernels::level;
use crate::kernels::piecewise::PieceSet;
use crate::{Coefficient, DynamicActivation, Error, PerPiece, Scalar, Sharing};
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
#[must_use = "a builder does nothing before `build`"]
pub struct LayerBuilder<A, T> {
    channels: usize,
    hidden: Hidden,
    temperature: Option<f64>,
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
            hidden: Hidden::Reduction(4),
            temperature: None,
            seed: 0,
            layer: PhantomData,
        }
    }

    /// Sets the number of hidden units to `max(channels / reduction, 1)`, rounded down. The default is 4; the
    /// paper uses 8.
    pub fn reduction(mut self, reduction: usize) -> Self {
        self.hidden = Hidden::Reduction(reduction);
        self
    }

    /// Sets the number of hidden units of the hyper function, instead of a [reduction](Self::reduction).
    pub fn hidden(mut self, units: usize) -> Self {
        self.hidden = Hidden::Units(units);
        self
    }

    /// Sets τ, the temperature of the spatial attention of mode C. The default is 10, as in the paper.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets the seed of the initial parameters. The default is 0: the same options give the same layer.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes the layer, with parameters from U(−1/√inputs, 1/√inputs) as PyTorch's linear layers have them.
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
    /// [`Error::Option`] when there are no channels, no hidden units or a reduction of zero, when the
    /// temperature or its inverse is not positive and finite or the activation has no spatial attention, when the
    /// parameters would not fit into memory, and when `DYRELU_LEVEL` does not name a level of this machine.
    pub fn build(self) -> Result<Layer<A, T>, Error> {
        let seed = self.seed;
        self.build_with(|channels, hidden| Parameters::random::<A>(channels, hidden, seed))
    }

    /// Makes the layer with other parameters, for its channels and hidden units.
    pub(super) fn build_with(
        self,
        parameters: impl FnOnce(usize, usize) -> Result<Parameters<T>, Error>,
    ) -> Result<Layer<A, T>, Error> {
        let channels = at_least_one("channels", self.channels)?;
        let hidden = match self.hidden {
            Hidden::Reduction(reduction) => (channels / at_least_one("reduction", reduction)?).max(1),
            Hidden::Units(units) => at_least_one("hidden units", units)?,
        };
        if let Some(temperature) = self.temperature {
            check_temperature::<A, T>(temperature)?;
        }
        let () = const { check_lengths::<A>() };
        let level = level::of_layers()?;
        Ok(Layer {
            channels,
            hidden,
            temperature: self.temperature.unwrap_or(10.0),
            level,
            parameters: parameters(channels, hidden)?,
            init: constants::<A, T>(|coefficient| coefficient.init),
            lambda: constants::<A, T>(super::parameters::lambda_of),
            generation: 0,
            workspaces: Workspaces::default(),
            activation: PhantomData,
        })
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
            .field("hidden", &self.hidden)
            .field("temperature", &self.temperature)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

fn at_least_one(option: &'static str, value: usize) -> Result<usize, Error> {
    if value > 0 {
        return Ok(value);
    }
    Err(Error::Option {
        option,
        expected: "at least 1",
        found: value.to_string(),
    })
}

fn check_temperature<A: DynamicActivation, T: Scalar>(temperature: f64) -> Result<(), Error> {
    let expected = if A::SHARING != Sharing::Unshared {
        "left alone: only `share = \"none\"` has a spatial attention"
    } else if !(temperature > 0.0
        && temperature.is_finite()
        && T::from_f64(1.0 / temperature).to_f64().is_finite())
    {
        "positive and finite, as its inverse"
    } else {
        return Ok(());
    };
    Err(Error::Option {
        option: "temperature",
        expected,
        found: temperature.to_string(),
    })
}

/// A description by hand may be inconsistent: that is an error of compilation.
const fn check_lengths<A: DynamicActivation>() {
    assert!(
        A::COEFFICIENTS.len() == <A::Pieces as PieceSet<A>>::P,
        "DynamicActivation::COEFFICIENTS must describe each of the P coefficients of `Pieces<K, P>`"
    );
    let mut p = 0;
    while p < A::COEFFICIENTS.len() {
        let coefficient = A::COEFFICIENTS[p];
        let (init, lambda) = (coefficient.init, super::parameters::lambda_of(&coefficient));
        assert!(
            init.fits(<A::Pieces as PieceSet<A>>::K) && lambda.fits(<A::Pieces as PieceSet<A>>::K),
            "PerPiece::Each needs one value for each of the K pieces of `Pieces<K, P>`"
        );
        p += 1;
    }
}

/// A constant of every coefficient, `[P, K]`.
pub(super) fn constants<A: DynamicActivation, T: Scalar>(constant: fn(&Coefficient) -> PerPiece) -> Vec<T> {
    let mut constants = Vec::with_capacity(set_len::<A>());
    for coefficient in A::COEFFICIENTS {
        let per_piece = constant(coefficient);
        constants.extend((0..<A::Pieces as PieceSet<A>>::K).map(|k| T::from_f64(per_piece.of(k))));
    }
    constants
}
