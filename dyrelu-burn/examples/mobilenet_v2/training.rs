//! Training a network with Burn's own loop.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use burn::config::Config;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Device;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining, TrainingStrategy};

use crate::Result;
use crate::batches::Batches;
use crate::candidate::Candidate;
use crate::checkpoints::Checkpoints;
use crate::dataset::Split;
use crate::journal::{Epoch, Journal};
use crate::lines::Lines;
use crate::network::{Network, NetworkConfig};
use crate::optimizer::SgdOnMatrices;
use crate::schedule::WarmUpCosine;

/// Images in a batch of the test.
const TEST_BATCH: usize = 250;

/// How a network is trained.
#[derive(Config, Debug)]
pub(crate) struct TrainingConfig {
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    /// The largest learning rate.
    #[config(default = 0.1)]
    pub(crate) rate: f64,
    #[config(default = 0.9)]
    pub(crate) momentum: f64,
    #[config(default = 1e-4)]
    pub(crate) weight_decay: f32,
}

/// What all networks of a comparison have in common.
pub(crate) struct Plan {
    pub(crate) network: NetworkConfig,
    pub(crate) training: TrainingConfig,
    /// Where the networks are trained: at least one.
    pub(crate) devices: Vec<Device>,
    /// To which the images are scaled.
    pub(crate) side: usize,
    pub(crate) train: Arc<Split>,
    pub(crate) test: Arc<Split>,
}

/// A training was stopped before its end.
#[derive(Debug, thiserror::Error)]
#[error("{label} was interrupted; the same command goes on after its last complete epoch")]
pub(crate) struct Interrupted {
    label: String,
}

/// Trains a network; the trained network and its epochs.
///
/// Several devices share each batch. Burn sums their gradients, which are those of means over their parts: a fraction of the rate
/// makes it the training of one device, but for the normalisations, which see their part only.
///
/// The state after each epoch is kept in a directory. If there is one from an earlier call, training goes on from there, with
/// the same result as without a break.
pub(crate) fn train<A: Candidate, P: Candidate>(
    plan: &Plan,
    label: &str,
    seed: u64,
    directory: &Path,
) -> Result<(Network<A, P>, Vec<Epoch>)> {
    let TrainingConfig { epochs, batch, .. } = plan.training;
    let replicas = plan.devices.len();
    let checkpoints = Checkpoints::new(directory.join("checkpoint"))?;
    let done = checkpoints.latest();
    let journal = match done {
        Some(epoch) => Journal::resume(checkpoints.journal(epoch)?),
        None => Journal::default(),
    };

    let first = done.unwrap_or(0);
    let train = Batches::of(&plan.train, batch / replicas, plan.side).shuffled(seed, first as u64);
    let test = Batches::of(&plan.test, TEST_BATCH, plan.side);
    let steps = epochs * train.count() / replicas;
    let rate = plan.training.rate / replicas as f64;
    let schedule = WarmUpCosine::new(rate, steps);
    let learner = learner::<A, P>(plan, seed, schedule);
    let mut training = SupervisedTraining::new(directory, Arc::new(train), Arc::new(test))
        .num_epochs(epochs)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .with_metric_logger(journal.clone())
        .with_progress_logger(journal.clone())
        .with_custom_checkpointers(
            checkpoints.model(journal.clone()),
            checkpoints.optimizer(),
            checkpoints.scheduler(),
        )
        // One that is complete while the other one is written.
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(2))
        // It serves one training per process, and writes a line for each step.
        .with_application_logger(None)
        .with_training_strategy(TrainingStrategy::Default(strategy(&plan.devices)))
        .label(label);
    if let Some(epoch) = done {
        training = training.checkpoint(epoch);
    }
    if !io::stdout().is_terminal() {
        training = training.renderer(Box::new(Lines::new(label, epochs, journal)));
    }
    let result = training.launch(learner);

    if let Some(error) = result.error {
        return Err(format!("{label}: {error}").into());
    }
    // Burn's display forgets an interruption when it closes; that the last checkpoint is missing remains.
    if checkpoints.latest() != Some(epochs) {
        return Err(Interrupted {
            label: label.to_owned(),
        }
        .into());
    }
    Ok((result.model, checkpoints.journal(epochs)?))
}

fn strategy(devices: &[Device]) -> ExecutionStrategy {
    match devices {
        [device] => ExecutionStrategy::single(device.clone()),
        _ => ExecutionStrategy::multi(devices.to_vec(), MultiDeviceOptim::OptimMainDevice),
    }
}

/// Deletes what only [`train`] needs.
pub(crate) fn clean_up(directory: &Path) -> Result<()> {
    Ok(Checkpoints::new(directory.join("checkpoint"))?.remove()?)
}

/// A network at its start.
fn learner<A: Candidate, P: Candidate>(
    plan: &Plan,
    seed: u64,
    schedule: WarmUpCosine,
) -> Learner<Network<A, P>> {
    let TrainingConfig {
        momentum,
        weight_decay,
        ..
    } = plan.training;
    // On this machine, wherever it is trained: the same network for a seed.
    let device = Device::flex().autodiff();
    device.seed(seed);
    // Parameters would come into being when they are first used, with random numbers in that order.
    let network = plan.network.init::<A, P>(&device).materialize();
    let optimizer = ModuleOptimizer::from(SgdOnMatrices::new(momentum, weight_decay));
    Learner::new(network, optimizer, schedule)
}
