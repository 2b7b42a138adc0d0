//! [`Contender`]: the activations to choose from.

use std::path::Path;

use burn::nn::{PRelu, Relu};
use clap::ValueEnum;

use crate::Result;
use crate::identity::Identity;
use crate::relu_se::ReluSe;
use crate::run::Run;
use crate::training::Plan;

/// An activation that takes part in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contender {
    Relu,
    Prelu,
    /// ReLU, then squeeze and excitation
    ReluSe,
}

/// The runs of a contender, one for each seed.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<Run>,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Prelu => "PReLU",
            Self::ReluSe => "ReLU+SE",
        }
    }

    /// The name of its directory, and on the command line.
    pub(crate) fn id(self) -> String {
        let value = self.to_possible_value().expect("none is skipped");
        value.get_name().to_owned()
    }

    /// Trains a network with this seed.
    pub(crate) fn run(self, plan: &Plan, seed: u64, output: &Path) -> Result<Run> {
        let label = format!("{}, seed {seed}", self.name());
        let directory = output.join(self.id()).join(seed.to_string());
        let run = match self {
            Self::Relu => Run::of::<Relu, Identity>,
            Self::Prelu => Run::of::<PRelu, Identity>,
            Self::ReluSe => Run::of::<ReluSe, Identity>,
        };
        run(plan, &label, seed, &directory)
    }
}
