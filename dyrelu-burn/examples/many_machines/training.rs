//! One training over any number of devices, which ends with a network or with an error: never with silence.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataset::{Dataset, InMemDataset};
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::Device;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining, TrainingError};
use dyrelu_burn::Activation;

use crate::network::Network;
use crate::progress::{Messenger, Progress};
use crate::stripes::{Image, Stack};

/// Where and how to train.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Local or remote, any number. Each gets its own part of the images.
    pub(crate) devices: Vec<Device>,
    /// Where the steps of the optimiser are computed.
    pub(crate) optim: MultiDeviceOptim,
    /// Images that each device gets for a step.
    pub(crate) batch: usize,
    /// Burn sums the gradients of the devices, it does not average them: n devices learn as one does that has
    /// n times the batch and n times the rate.
    pub(crate) rate: f64,
    /// How many there are, those before a checkpoint included.
    pub(crate) epochs: usize,
    /// For checkpoints and metrics.
    pub(crate) directory: PathBuf,
    /// The epoch after which to continue.
    pub(crate) checkpoint: Option<usize>,
    /// How long the training may be silent.
    pub(crate) patience: Duration,
}

/// Why a training ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Burn noticed, for example because it could not read a loss.
    Reported(Arc<TrainingError>),
    /// Burn panicked, with this message.
    Panicked(String),
    /// Nothing happened for so long. The training's thread still waits; only the end of the process ends it.
    Silent(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported(error) => write!(f, "the training failed: {error}"),
            Self::Panicked(message) => write!(f, "the training panicked: {message}"),
            Self::Silent(patience) => write!(
                f,
                "the training made no progress for {patience:?}: a server hangs"
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// Trains on another thread and reports its progress on this one.
pub(crate) fn train<M: Activation + 'static>(
    plan: &Plan,
    network: Network<M>,
    images: impl Dataset<Image> + 'static,
    valid: Vec<Image>,
    mut report: impl FnMut(Progress),
) -> Result<Network<M>, Failure> {
    let (sender, progress) = mpsc::channel();
    let messenger = Messenger::new(sender);
    let own = plan.clone();
    let training = thread::spawn(move || run(own, network, images, valid, messenger));
    loop {
        match progress.recv_timeout(plan.patience) {
            Ok(progress) => report(progress),
            Err(RecvTimeoutError::Timeout) => return Err(Failure::Silent(plan.patience)),
            // The messenger is gone, and so is the training.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    training
        .join()
        .map_err(|payload| Failure::Panicked(message(&*payload)))?
}

fn run<M: Activation + 'static>(
    plan: Plan,
    network: Network<M>,
    images: impl Dataset<Image> + 'static,
    valid: Vec<Image>,
    messenger: Messenger,
) -> Result<Network<M>, Failure> {
    // Without workers the batches come in the order of the images.
    let images = DataLoaderBuilder::new(Stack)
        .batch_size(plan.batch)
        .num_workers(0)
        .build(images);
    let valid = DataLoaderBuilder::new(Stack)
        .batch_size(plan.batch)
        .num_workers(0)
        .build(InMemDataset::new(valid));
    let mut training = SupervisedTraining::new(&plan.directory, images, valid)
        .with_training_strategy(ExecutionStrategy::multi(plan.devices, plan.optim).into())
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .renderer(Box::new(messenger))
        .with_application_logger(None)
        .with_default_checkpointers()
        .num_epochs(plan.epochs);
    if let Some(epoch) = plan.checkpoint {
        training = training.checkpoint(epoch);
    }
    let optim = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    let result = training.launch(Learner::new(network, optim, plan.rate));
    match result.error {
        Some(error) => Err(Failure::Reported(error)),
        None => Ok(result.model),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_string())
}
