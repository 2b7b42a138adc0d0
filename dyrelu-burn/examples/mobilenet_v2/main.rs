//! Trains MobileNetV2, or a small relative of it, on the images of Fashion-MNIST with Burn: with ReLU, PReLU, ReLU and
//! squeeze-and-excitation, and the three forms of Dynamic ReLU:
//!
//! ```sh
//! cargo run --release -p dyrelu-burn --example mobilenet_v2
//! ```
//!
//! prints a table and draws the learning curves and what the trained activations look like. `--help` lists the options. On
//! a terminal, Burn shows each training as it goes on; elsewhere, each epoch is a line. A run that was interrupted goes on
//! after its last epoch, and one that is finished is not repeated. Several processes can share the work, each with some of
//! the `--activations`. With the features `gpu` and `wgpu`, or another GPU backend, `--gpu` trains on the default GPU.
//!
//! The networks are generic over their activations. With MobileNetV2, Dynamic ReLU has two pieces where the static
//! networks have an activation, and one piece after the projections, where they have none, as in the paper. The reference
//! network has none there either.

mod batches;
mod block;
mod candidate;
mod checkpoints;
mod contender;
#[path = "../../../examples/data/dataset.rs"]
mod dataset;
#[path = "../../../examples/report/drawing.rs"]
mod drawing;
mod dynamic;
mod identity;
#[path = "../../../examples/data/idx.rs"]
mod idx;
mod journal;
mod lines;
#[path = "../../../examples/report/markdown.rs"]
mod markdown;
mod network;
mod norm;
mod optimizer;
mod options;
mod plots;
mod portrait;
mod relu_se;
mod run;
mod schedule;
#[path = "../../../examples/report/spread.rs"]
mod spread;
mod table;
#[cfg(test)]
mod tests;
mod training;
#[cfg(test)]
mod turn;
mod unit;
mod visitor;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use contender::Outcome;
use dataset::{Dataset, Split};
use options::Options;
use plots::{learning_curves, trained_activations};
use training::{Plan, TrainingConfig};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The seeds of the images' jitter: all networks see the same images.
const TRAIN_JITTER: u64 = 27;
const TEST_JITTER: u64 = 28;

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Trains all networks and writes the report.
fn compare(options: &Options) -> Result<()> {
    let plan = plan(options)?;
    let output = &options.output;
    fs::create_dir_all(output)
        .map_err(|error| format!("cannot create the directory `{}`: {error}", output.display()))?;
    check_settings(options, &plan)?;
    println!("{}\n", introduction(options, &plan));
    let mut outcomes: Vec<_> = options.activations.iter().copied().map(Outcome::of).collect();
    for seed in 0..options.seeds {
        for (contender, outcome) in options.activations.iter().zip(&mut outcomes) {
            outcome.runs.push(contender.run(&plan, seed.into(), output)?);
        }
    }
    report(options, &plan, &outcomes)
}

fn plan(options: &Options) -> Result<Plan> {
    let network = options.network()?;
    let Dataset { train, test } = Dataset::read(&options.data)?;
    let mut train = first(train, options.train, "training")?;
    let mut test = first(test, options.test, "test")?;
    if train.len() < options.batch.into() {
        return Err(format!(
            "{} training images fill no batch of {}",
            train.len(),
            options.batch
        )
        .into());
    }
    if !options.plain {
        for (split, seed) in [(&mut train, TRAIN_JITTER), (&mut test, TEST_JITTER)] {
            dataset::jitter(&mut split.images, &mut ChaCha8Rng::seed_from_u64(seed));
        }
    }
    let mean = train.images.mean().expect("there are images");
    let deviation = train.images.std(0.0);
    for split in [&mut train, &mut test] {
        split.images.mapv_inplace(|grey| (grey - mean) / deviation);
    }
    Ok(Plan {
        network,
        training: TrainingConfig::new(options.epochs.into(), options.batch.into()),
        devices: options.devices()?,
        side: options.resolution.into(),
        train: Arc::new(train),
        test: Arc::new(test),
    })
}

/// The first images of a split, or all of them.
fn first(split: Split, count: Option<usize>, name: &str) -> Result<Split> {
    match count {
        None => Ok(split),
        Some(count) if (1..=split.len()).contains(&count) => {
            let indices: Vec<usize> = (0..count).collect();
            Ok(split.select(&indices))
        }
        Some(count) => Err(format!("there are {} {name} images, not {count}", split.len()).into()),
    }
}

/// Makes sure that what is in the output directory came from the same settings.
fn check_settings(options: &Options, plan: &Plan) -> Result<()> {
    let settings = json!({
        "network": plan.network,
        "training": plan.training,
        "resolution": plan.side,
        "train": plan.train.len(),
        "test": plan.test.len(),
        "plain": options.plain,
    });
    let settings = serde_json::to_string_pretty(&settings)?;
    let path = options.output.join("settings.json");
    match fs::read_to_string(&path) {
        Ok(found) if found == settings => Ok(()),
        Ok(_) => Err(format!(
            "`{}` holds results of other settings; name another directory with --output, or delete it",
            options.output.display()
        )
        .into()),
        Err(_) => Ok(write(&path, &settings)?),
    }
}

/// Prints the tables and writes them and the pictures.
fn report(options: &Options, plan: &Plan, outcomes: &[Outcome]) -> Result<()> {
    let results = table::results(outcomes);
    println!("{results}");
    let mut report = vec![introduction(options, plan), results];
    let coefficients = table::coefficients(outcomes);
    if !coefficients.is_empty() {
        let title = "Coefficients on test images, where each image gives each channel a function of its own:";
        report.extend([title.to_owned(), coefficients]);
    }
    let path = |name| options.output.join(name);
    let (text, curves, activations) = (
        path("report.md"),
        path("learning_curves.svg"),
        path("trained_activations.svg"),
    );
    write(&text, &report.join("\n\n"))?;
    learning_curves::draw(&curves, outcomes).map_err(|error| cannot_draw(&curves, &*error))?;
    println!("{}\n{}", text.display(), curves.display());
    if trained_activations::draw(&activations, outcomes)
        .map_err(|error| cannot_draw(&activations, &*error))?
    {
        println!("{}", activations.display());
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

fn cannot_draw(path: &Path, error: &(dyn Error + Send + Sync)) -> String {
    format!("cannot draw `{}`: {error}", path.display())
}

/// What is compared.
fn introduction(options: &Options, plan: &Plan) -> String {
    let looks = if options.plain {
        "as they are"
    } else {
        "each with a polarity, contrast and brightness of its own"
    };
    let test = plan.test.len();
    let standard_error = 100.0 * (0.8 * 0.2 / test as f32).sqrt();
    format!(
        "Fashion-MNIST: {} training and {test} test images of {side} × {side} pixels, {looks}.\n\
         Epochs: {}. Seeds: {}. ± is the standard deviation over the seeds. Another {test} test images would change\n\
         an accuracy of 80 % too, with a standard error of {standard_error:.1} points.",
        plan.train.len(),
        options.epochs,
        options.seeds,
        side = plan.side,
    )
}
