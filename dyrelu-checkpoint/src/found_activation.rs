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
    /// How its tensors are called. [`Convention::PAPER`] has the names of `NATIVE`, and is not told apart from it: set it
    /// where you know better.
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
    pub(crate) fn all(tensors: &SafeTensors<'_>, coefficients: usize) -> Vec<Self> {
        let mut found = vec![];
        if coefficients == 0 {
            return found;
        }
        for convention in [
            Convention::NATIVE,
            Convention::DYNAMIC_HEAD,
            Convention::MMDETECTION,
        ] {
            let weight = convention.tensor_name("fc2.weight");
            let prefixes = tensors.names().into_iter().filter_map(|name| {
                name.strip_suffix(&*weight)
                    .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            });
            found.extend(prefixes.filter_map(|prefix| Self::find(tensors, prefix, convention, coefficients)));
        }
        found.sort_by(|a, b| natural_order(&a.prefix).cmp(&natural_order(&b.prefix)));
        found
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
        let is_seed =
            convention == Convention::NATIVE && (lambdas.is_some() || full("conv1x1.weight").is_some());
        let convention = if is_seed { Convention::SEED } else { convention };
        let tensor = |native| full(&convention.tensor_name(native));
        let (per_channel, pieces) = match lambdas {
            Some(numbers) => (outputs != numbers, numbers / coefficients),
            None if outputs % (coefficients * channels) == 0 => (true, outputs / (coefficients * channels)),
            None => (
                false,
                Some(outputs / coefficients).filter(|pieces| (2..=4).contains(pieces))?,
            ),
        };
        let sets = if per_channel { channels } else { 1 };
        if !(1..=64).contains(&pieces) || outputs != sets * coefficients * pieces {
            return None;
        }
        let attention = tensor("attention.weight").and_then(|weight| matrix(&weight)) == Some([1, channels]);
        Some(Self {
            prefix: prefix.to_owned(),
            convention,
            sharing: match (per_channel, attention) {
                (false, _) => Sharing::SpatialAndChannel,
                (true, false) => Sharing::Spatial,
                (true, true) => Sharing::Unshared,
            },
            normalised: tensor("attention.norm.running_mean").is_some(),
            channels,
            hidden,
            coefficients,
            pieces,
            dtype: last.dtype(),
        })
    }

    /// The attribute that describes the activation, if the implementation has the formula of DY-ReLU.
    #[must_use]
    pub fn attribute(&self) -> String {
        let Self { pieces, .. } = self;
        let share = match self.sharing {
            Sharing::SpatialAndChannel => "spatial+channel",
            Sharing::Spatial => "spatial",
            Sharing::Unshared => "none",
        };
        let mut arguments = vec![format!("k = {pieces}"), format!("share = \"{share}\"")];
        if self.coefficients == 1 {
            let init = if *pieces == 1 {
                "1.0".to_owned()
            } else {
                format!("[1.0{}]", ", 0.0".repeat(pieces - 1))
            };
            arguments.push("piece = |x, a| a * x".to_owned());
            arguments.push(format!("init(a = {init})"));
        }
        if self.convention.squash == Squash::CentredHardSigmoid {
            arguments.push("squash = \"2hard_sigmoid-1\"".to_owned());
        }
        if self.normalised {
            arguments.push("attention = \"normalised\"".to_owned());
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
        write!(
            f,
            "{prefix}: {convention}, mode {mode}, K = {pieces}, {channels} channels, {hidden} hidden units, {dtype}"
        )
    }
}

/// Rows and columns of a matrix, which may be stored as a 1×1 convolution.
fn matrix(tensor: &TensorView<'_>) -> Option<[usize; 2]> {
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
