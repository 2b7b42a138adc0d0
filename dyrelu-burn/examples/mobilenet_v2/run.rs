//! [`Run`]: the training of one network, and what it gave.

use std::fs;
use std::path::Path;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::batches::Batches;
use crate::candidate::Candidate;
use crate::journal::Epoch;
use crate::network::Network;
use crate::portrait::{Painter, Portrait};
use crate::training::{self, Plan};

/// Test images for the portraits.
const SITTERS: usize = 200;

/// The training of one network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// Numbers to be learned.
    pub(crate) parameters: usize,
    /// For one image.
    pub(crate) multiply_adds: usize,
    pub(crate) epochs: Vec<Epoch>,
    /// Those of the dynamic activations.
    pub(crate) portraits: Vec<Portrait>,
}

impl Run {
    /// The run of this directory: what an earlier call left there, or else a new one.
    pub(crate) fn of<A: Candidate, P: Candidate>(
        plan: &Plan,
        label: &str,
        seed: u64,
        directory: &Path,
    ) -> Result<Self> {
        let path = directory.join("result.json");
        if path.exists() {
            return Self::read(&path);
        }
        let (network, epochs) = training::train::<A, P>(plan, label, seed, directory)?;
        let run = Self {
            seed,
            parameters: plan.network.init::<A, P>(&Device::flex().autodiff()).parameters(),
            multiply_adds: plan.network.multiply_adds::<A, P>(plan.side),
            epochs,
            portraits: portraits(plan, &network)?,
        };
        network
            .save_file(directory.join("network.bpk"))
            .map_err(|error| format!("cannot save the network in `{}`: {error}", directory.display()))?;
        run.write(&path)?;
        training::clean_up(directory)?;
        Ok(run)
    }

    fn read(path: &Path) -> Result<Self> {
        let read = || -> Result<Self> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
        read().map_err(|error| format!("cannot read `{}`: {error}", path.display()).into())
    }

    /// So that the file is complete or missing.
    fn write(&self, path: &Path) -> Result<()> {
        let partial = path.with_extension("partial");
        let write = || -> Result<()> {
            fs::write(&partial, serde_json::to_vec(self)?)?;
            Ok(fs::rename(&partial, path)?)
        };
        write().map_err(|error| format!("cannot write `{}`: {error}", path.display()).into())
    }
}

/// Of a network in its form for inference.
fn portraits<A: Candidate, P: Candidate>(plan: &Plan, network: &Network<A, P>) -> Result<Vec<Portrait>> {
    let device = &network.devices()[0];
    let sitters = Batches::of(&plan.test, SITTERS, plan.side).to_device(device);
    let batch = sitters.iter().next().ok_or("there are no test images")??;
    let mut painter = Painter::default();
    network.visit_activations(batch.images, &mut painter);
    Ok(painter.portraits)
}
