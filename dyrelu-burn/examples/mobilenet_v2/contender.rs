//! [`Contender`]: the activations to choose from.

use std::path::Path;

use burn::nn::{PRelu, Relu};
use clap::ValueEnum;
use dyrelu_burn::Layer;

use crate::Result;
use crate::dynamic::{DyLinearA, DyLinearB, DyLinearC, DyReluA, DyReluB, DyReluC};
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
    /// All channels and positions of an image share one function
    DyReluA,
    /// Each channel of an image has its own function
    DyReluB,
    /// As B, with an attention over the positions
    DyReluC,
}

/// The runs of a contender, one for each seed.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<Run>,
}

impl Outcome {
    /// Before the first run.
    pub(crate) fn of(contender: Contender) -> Self {
        Self {
            name: contender.name(),
            runs: Vec::new(),
        }
    }
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Prelu => "PReLU",
            Self::ReluSe => "ReLU+SE",
            Self::DyReluA => "DY-ReLU-A",
            Self::DyReluB => "DY-ReLU-B",
            Self::DyReluC => "DY-ReLU-C",
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
        let run = match (self, plan.network.projections) {
            (Self::Relu, _) => Run::of::<Relu, Identity>,
            (Self::Prelu, _) => Run::of::<PRelu, Identity>,
            (Self::ReluSe, _) => Run::of::<ReluSe, Identity>,
            (Self::DyReluA, false) => Run::of::<Layer<DyReluA>, Identity>,
            (Self::DyReluB, false) => Run::of::<Layer<DyReluB>, Identity>,
            (Self::DyReluC, false) => Run::of::<Layer<DyReluC>, Identity>,
            (Self::DyReluA, true) => Run::of::<Layer<DyReluA>, Layer<DyLinearA>>,
            (Self::DyReluB, true) => Run::of::<Layer<DyReluB>, Layer<DyLinearB>>,
            (Self::DyReluC, true) => Run::of::<Layer<DyReluC>, Layer<DyLinearC>>,
        };
        run(plan, &label, seed, &directory)
    }
}
