//! Training: one network, and all networks of the comparison on all cores.

use std::f32::consts::PI;
use std::iter;
use std::num::NonZero;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use ndarray::{ArrayBase, Axis};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::Result;
use crate::activation::Activation;
use crate::adam::Adam;
use crate::dataset::{Dataset, Split, jitter};
use crate::loss;
use crate::network::Network;
use crate::response::Response;

const BATCH: usize = 50;

/// The learning rate of the first step; it falls to zero along a cosine.
const RATE: f32 = 0.01;

/// What all networks of a comparison have in common.
pub(crate) struct Plan {
    pub(crate) dataset: Dataset,
    /// Whether each training image gets another polarity, contrast and brightness each time that it is seen.
    pub(crate) jitter: bool,
    pub(crate) epochs: usize,
    pub(crate) seeds: usize,
    /// The images to show what the trained activations do.
    pub(crate) exhibits: Split,
}

/// An activation that takes part in a comparison.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    train: fn(&Plan, u64, &ProgressBar) -> Result<Run>,
}

/// The runs of a contender, one for each seed.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<Run>,
}

/// The training of one network.
pub(crate) struct Run {
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) parameters: usize,
    /// Without the tests.
    pub(crate) duration: Duration,
    pub(crate) responses: Vec<Response>,
}

/// One pass over the training images.
pub(crate) struct Epoch {
    /// The mean loss of the batches, each before its step.
    pub(crate) loss: f32,
    /// The part of the test images that are recognised afterwards, in per cent.
    pub(crate) accuracy: f32,
}

impl Contender {
    pub(crate) fn new<A: Activation>(name: &'static str) -> Self {
        Self {
            name,
            train: train::<A>,
        }
    }
}

/// Trains every contender with every seed, on all cores. Their number does not change the outcome.
pub(crate) fn compare(contenders: &[Contender], plan: &Plan, bar: &ProgressBar) -> Result<Vec<Outcome>> {
    let mut runs: Vec<Vec<Option<Result<Run>>>> = Vec::new();
    runs.resize_with(contenders.len(), || {
        iter::repeat_with(|| None).take(plan.seeds).collect()
    });
    let jobs = contenders.iter().zip(&mut runs).flat_map(|(contender, runs)| {
        runs.iter_mut()
            .zip(0..)
            .map(move |(run, seed)| (contender, seed, run))
    });
    let jobs = Mutex::new(jobs);
    let next = || jobs.lock().expect("an iterator that cannot panic").next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some((contender, seed, run)) = next() {
                    *run = Some((contender.train)(plan, seed, bar));
                }
            });
        }
    });
    let outcome = |(contender, runs): (&Contender, Vec<_>)| {
        let runs = runs.into_iter().flatten().collect::<Result<_>>()?;
        Ok(Outcome {
            name: contender.name,
            runs,
        })
    };
    contenders.iter().zip(runs).map(outcome).collect()
}

fn train<A: Activation>(plan: &Plan, seed: u64, bar: &ProgressBar) -> Result<Run> {
    let mut trainer = Trainer::<A>::new(plan, seed)?;
    let mut duration = Duration::ZERO;
    let mut epochs = Vec::new();
    for epoch in 0..plan.epochs {
        let start = Instant::now();
        let loss = trainer.epoch(epoch)?;
        duration += start.elapsed();
        epochs.push(Epoch {
            loss,
            accuracy: accuracy(&trainer.network, &plan.dataset.test)?,
        });
        bar.inc(1);
    }
    Ok(Run {
        epochs,
        duration,
        parameters: trainer.network.parameters_mut().iter().map(ArrayBase::len).sum(),
        responses: Response::of_network(&trainer.network, &plan.exhibits.images)?,
    })
}

struct Trainer<'plan, A> {
    plan: &'plan Plan,
    network: Network<A>,
    adam: Adam,
    /// For the order of the images and their jitter.
    rng: ChaCha8Rng,
}

impl<'plan, A: Activation> Trainer<'plan, A> {
    fn new(plan: &'plan Plan, seed: u64) -> Result<Self> {
        Ok(Self {
            plan,
            network: Network::new(seed)?,
            adam: Adam::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        })
    }

    /// Trains with each image once; the mean loss.
    fn epoch(&mut self, epoch: usize) -> Result<f32> {
        let mut order: Vec<usize> = (0..self.plan.dataset.train.len()).collect();
        order.shuffle(&mut self.rng);
        let batches = order.len().div_ceil(BATCH);
        let mut loss = 0.0;
        for (index, batch) in order.chunks(BATCH).enumerate() {
            let progress = (epoch * batches + index) as f32 / (self.plan.epochs * batches) as f32;
            let rate = RATE * 0.5 * (1.0 + (PI * progress).cos());
            loss += self.step(batch, rate)? * batch.len() as f32;
        }
        Ok(loss / order.len() as f32)
    }

    /// One step of the optimiser; the mean loss of the batch before it.
    fn step(&mut self, batch: &[usize], rate: f32) -> Result<f32> {
        let Split { mut images, labels } = self.plan.dataset.train.select(batch);
        if self.plan.jitter {
            jitter(&mut images, &mut self.rng);
        }
        let (logits, trace) = self.network.forward(images)?;
        let (loss, grad_logits) = loss::cross_entropy(logits, &labels);
        let grads = self.network.backward(&trace, grad_logits)?;
        self.adam.step(self.network.parameters_mut(), &grads, rate);
        Ok(loss)
    }
}

/// The part of the images that a network recognises, in per cent.
fn accuracy<A: Activation>(network: &Network<A>, split: &Split) -> Result<f32> {
    let mut correct = 0;
    let labels = split.labels.axis_chunks_iter(Axis(0), BATCH);
    for (images, labels) in split.images.axis_chunks_iter(Axis(0), BATCH).zip(labels) {
        let (logits, _) = network.forward(images.to_owned())?;
        correct += loss::correct(&logits, &labels);
    }
    Ok(100.0 * correct as f32 / split.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Maps;
    use crate::activation::Relu;
    use crate::dataset::SIDE;
    use ndarray::Array1;

    /// Black and white images, as two classes.
    fn split(count: usize) -> Split {
        let images = Maps::from_shape_fn(
            (count, 1, SIDE, SIDE),
            |(n, ..)| if n % 2 == 0 { -1.0 } else { 1.0 },
        );
        Split {
            images,
            labels: Array1::from_iter([3, 7].into_iter().cycle().take(count)),
        }
    }

    #[test]
    fn a_simple_task_is_learnt_and_every_run_is_the_same() {
        let dataset = Dataset {
            train: split(120),
            test: split(20),
        };
        let plan = Plan {
            exhibits: dataset.test.select(&[0]),
            dataset,
            jitter: false,
            epochs: 6,
            seeds: 2,
        };
        let contenders = [Contender::new::<Relu>("first"), Contender::new::<Relu>("second")];
        let [first, second] = compare(&contenders, &plan, &ProgressBar::hidden())
            .unwrap()
            .try_into()
            .ok()
            .unwrap();
        assert_eq!((first.name, second.name), ("first", "second"));
        let losses = |outcome: &Outcome| -> Vec<Vec<f32>> {
            outcome
                .runs
                .iter()
                .map(|run| run.epochs.iter().map(|epoch| epoch.loss).collect())
                .collect()
        };
        let [seed0, seed1] = losses(&first).try_into().unwrap();
        assert_ne!(seed0, seed1);
        assert_eq!(losses(&second), [seed0, seed1]);
        assert!(first.runs[0].epochs[5].accuracy > 99.0);
    }
}
