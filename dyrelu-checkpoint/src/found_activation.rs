//! [`FoundActivation`]: a dynamic activation in a checkpoint.

use crate::constants;
use core::fmt;
use dyrelu_core::{Convention, Sharing, Squash};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// A dynamic activation in a checkpoint, as far as tensors tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundActivation {
    /// What stands before its tensors' names, such as `dyhead_tower.3.relu.`.
    pub prefix: String,
    /// How its tensors are called.
    pub convention: Convention,
    /// Which axes share one set of coefficients.
    pub sharing: Sharing,
    /// Whether scores of the attention are normalised.
    pub normalised: bool,
    /// C.
    pub channels: usize,
    /// H, the hidden units.
    pub hidden: usize,
    /// The coefficients of a piece.
    pub coefficients: usize,
    /// K, the number of pieces.
    pub pieces: usize,
    /// The number type of the weights.
    pub dtype: Dtype,
}

impl FoundActivation {
    /// Those of all conventions that names tell apart.
    pub(crate) fn all(tensors: &SafeTensors<'_>, coefficients: usize) -> Vec<Self> {
        let conventions = Convention::ALL
            .into_iter()
            .filter(|convention| *convention != Convention::PAPER);
        sorted(conventions.flat_map(|convention| {
            let found = Self::all_as(tensors, convention, coefficients);
            // The names of both are the same but for the attention.
            found.into_iter().filter(move |found| match convention {
                Convention::NATIVE => !found.is_seed(tensors),
                Convention::SEED => found.is_seed(tensors),
                _ => true,
            })
        }))
    }

    /// Those that have the names of this convention.
    pub(crate) fn all_as(
        tensors: &SafeTensors<'_>,
        convention: Convention,
        coefficients: usize,
    ) -> Vec<Self> {
        let weight = convention.tensor_name("fc2.weight");
        let prefixes = tensors.names().into_iter().filter_map(|name| {
            name.strip_suffix(&*weight)
                .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        });
        sorted(prefixes.filter_map(|prefix| Self::find(tensors, prefix, convention, coefficients)))
    }

    /// Whether there are tensors that only the seed implementation has.
    fn is_seed(&self, tensors: &SafeTensors<'_>) -> bool {
        let has = |name: &str| tensors.tensor(&format!("{}{name}", self.prefix)).is_ok();
        has("conv1x1.weight") || has(constants::LAMBDAS) && !has("attention.weight")
    }

    fn find(
        tensors: &SafeTensors<'_>,
        prefix: &str,
        convention: Convention,
        coefficients: usize,
    ) -> Option<Self> {
        let full = |name: &str| tensors.tensor(&format!("{prefix}{name}")).ok();
        let tensor = |native| full(&convention.tensor_name(native));
        let (first, last) = (tensor("fc1.weight")?, tensor("fc2.weight")?);
        let ([hidden, channels], [outputs, units]) = (matrix(&first)?, matrix(&last)?);
        let biases = [("fc1.bias", hidden), ("fc2.bias", outputs)];
        if units != hidden
            || biases
                .iter()
                .any(|(name, len)| tensor(name).is_none_or(|bias| bias.shape() != [*len]))
        {
            return None;
        }
        let lambdas: Option<usize> = full(constants::LAMBDAS).map(|lambdas| lambdas.shape().iter().product());
        let per_channel = coefficients.checked_mul(channels)?;
        let (sets, pieces) = match lambdas {
            Some(numbers) if numbers == outputs => (1, numbers.checked_div(coefficients)?),
            Some(numbers) => (channels, numbers.checked_div(coefficients)?),
            None if outputs % per_channel.max(1) == 0 => (channels, outputs.checked_div(per_channel)?),
            None if hidden <= channels => {
                let pieces = outputs.checked_div(coefficients)?;
                (1, Some(pieces).filter(|pieces| (2..=4).contains(pieces))?)
            }
            None => return None,
        };
        if !(1..=64).contains(&pieces) || sets.checked_mul(coefficients * pieces) != Some(outputs) {
            return None;
        }
        let attention = tensor("attention.weight").and_then(|weight| matrix(&weight)) == Some([1, channels]);
        // With the attention of another convention it is not one of this.
        let mut others = Convention::ALL
            .into_iter()
            .map(|other| other.tensor_name("attention.weight"));
        if !attention && others.any(|name| full(&name).is_some()) {
            return None;
        }
        Some(Self {
            prefix: prefix.to_owned(),
            convention,
            sharing: match (sets, attention) {
                (_, true) => Sharing::Unshared,
                (1, false) if channels > 1 => Sharing::SpatialAndChannel,
                (_, false) => Sharing::Spatial,
            },
            normalised: tensor("attention.norm.running_mean").is_some(),
            channels,
            hidden,
            coefficients,
            pieces,
            dtype: last.dtype(),
        })
    }

    /// The attribute that describes the activation, with `…` where neither the file nor the convention tells the formula.
    #[must_use]
    pub fn attribute(&self) -> String {
        let Self { pieces, .. } = self;
        let share = match self.sharing {
            Sharing::SpatialAndChannel => "spatial+channel",
            Sharing::Spatial => "spatial",
            Sharing::Unshared => "none",
        };
        let mut arguments = vec![format!("k = {pieces}"), format!("share = \"{share}\"")];
        if self.normalised {
            arguments.push("attention = \"normalised\"".to_owned());
        }
        match (self.coefficients, self.convention.squash) {
            (1 | 2, Some(squash)) => {
                if self.coefficients == 1 {
                    let init = ["1.0"].into_iter().chain(vec!["0.0"; pieces - 1]);
                    let init = init.collect::<Vec<_>>().join(", ");
                    arguments.push(format!("piece = |x, a| a * x, init(a = [{init}])"));
                }
                if squash == Squash::CentredHardSigmoid {
                    arguments.push("squash = \"2hard_sigmoid-1\"".to_owned());
                }
            }
            _ => arguments.push("…".to_owned()),
        }
        format!("#[dynamic_activation({})]", arguments.join(", "))
    }

    /// The shape of the rows of the last layer: sets, coefficients, pieces.
    pub(crate) fn rows(&self) -> [usize; 3] {
        let sets = match self.sharing {
            Sharing::SpatialAndChannel => 1,
            Sharing::Spatial | Sharing::Unshared => self.channels,
        };
        [sets, self.coefficients, self.pieces]
    }
}

impl fmt::Display for FoundActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.sharing {
            Sharing::SpatialAndChannel => "A",
            Sharing::Spatial => "B",
            Sharing::Unshared => "C",
        };
        let Self {
            prefix,
            channels,
            hidden,
            pieces,
            dtype,
            ..
        } = self;
        let convention = self.convention.name;
        let prefix = if prefix.is_empty() { "the file" } else { prefix };
        write!(
            f,
            "{prefix}: {convention}, mode {mode}, K = {pieces}, {channels} channels, {hidden} hidden units, {dtype}"
        )
    }
}

fn sorted(found: impl Iterator<Item = FoundActivation>) -> Vec<FoundActivation> {
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a, b| natural_order(&a.prefix).cmp(&natural_order(&b.prefix)));
    found
}

/// Rows and columns of a matrix of floats, which may be stored as a 1×1 convolution.
fn matrix(tensor: &TensorView<'_>) -> Option<[usize; 2]> {
    if ![Dtype::F64, Dtype::F32, Dtype::F16, Dtype::BF16].contains(&tensor.dtype()) {
        return None;
    }
    match *tensor.shape() {
        [rows, columns, ref kernel @ ..] if rows > 0 && columns > 0 && kernel.iter().all(|&len| len == 1) => {
            Some([rows, columns])
        }
        _ => None,
    }
}

/// Numbers in names by their value: block 10 after block 2.
fn natural_order(name: &str) -> Vec<(Option<usize>, &str)> {
    name.split('.').map(|part| (part.parse().ok(), part)).collect()
}
