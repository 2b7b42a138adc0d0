//! Trains small networks on the images of Fashion-MNIST, with ReLU, with the three forms of Dynamic ReLU and
//! with an activation of its own:
//!
//! ```sh
//! cargo run --release --example fashion_mnist
//! ```
//!
//! prints a table and draws the learning curves and what the trained activations look like. `--help` lists the
//! options.
//!
//! This shows how to train with dyrelu; it is no benchmark. The networks are small, their size and learning rate
//! were chosen in view of the test images, and the random polarity, contrast and brightness because a property
//! of the whole image is what a dynamic activation can react to and ReLU cannot.

mod activation;
mod adam;
mod convolution;
#[path = "../data/dataset.rs"]
mod dataset;
#[path = "../report/drawing.rs"]
mod drawing;
mod exhibits;
#[path = "../data/idx.rs"]
mod idx;
mod loss;
#[path = "../report/markdown.rs"]
mod markdown;
mod network;
mod plots;
mod response;
#[path = "../report/spread.rs"]
mod spread;
mod table;
mod training;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use dyrelu::dynamic_activation;
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use activation::{Dynamic, Relu};
use dataset::{Dataset, Maps};
use plots::{learning_curves, trained_activations};
use table::table;
use training::{Contender, Plan};

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct DyReluA;

#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;

#[dynamic_activation(k = 2, share = "none")]
struct DyReluC;

/// An activation of our own: Swish, with a slope, a sharpness and a shift that depend on the input.
#[dynamic_activation(
    k = 1, share = "spatial", init(a = 1.0, b = 1.0, c = 0.0),
    piece = |x, a, b, c| a * x * sigmoid(b * x) + c,
)]
struct DySwish;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The seed of the test images' jitter, so that all networks see the same.
const TEST_JITTER: u64 = 28;

/// Trains small networks on Fashion-MNIST with static and dynamic activations, and compares them.
///
/// Each image gets a random polarity, contrast and brightness: properties of a whole image that do not change
/// its class. A training image gets new ones in each epoch, a test image always the same.
#[derive(Parser)]
struct Options {
    /// Directory of the IDX files: train-images-idx3-ubyte[.gz] and so on, or the part in this repository
    #[arg(long, value_name = "DIR", default_value = "examples/data")]
    data: PathBuf,

    /// Passes over the training images
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,

    /// Networks to train with each activation, from different random numbers
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    seeds: u16,

    /// Directory for the pictures; created if it is missing
    #[arg(long, value_name = "DIR", default_value = "examples/output")]
    output: PathBuf,

    /// Leave polarity, contrast and brightness of the images as they are
    #[arg(long)]
    plain: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let contenders = [
        Contender::new::<Relu>("ReLU"),
        Contender::new::<Dynamic<DyReluA, 2>>("DY-ReLU-A"),
        Contender::new::<Dynamic<DyReluB, 2>>("DY-ReLU-B"),
        Contender::new::<Dynamic<DyReluC, 2>>("DY-ReLU-C"),
        Contender::new::<Dynamic<DySwish, 3>>("DY-Swish"),
    ];
    let plan = plan(options)?;
    fs::create_dir_all(&options.output).map_err(|error| {
        format!(
            "cannot create the directory `{}`: {error}",
            options.output.display()
        )
    })?;

    println!("{}\n", introduction(&plan));
    let bar = progress_bar(contenders.len() * plan.seeds * plan.epochs)?;
    let outcomes = training::compare(&contenders, &plan, &bar)?;
    bar.finish_and_clear();
    println!("{}", table(&outcomes));

    let curves = options.output.join("learning_curves.svg");
    let activations = options.output.join("trained_activations.svg");
    let all_but_relu = &outcomes[1..];
    learning_curves::draw(&curves, &outcomes).map_err(|error| cannot_draw(&curves, &*error))?;
    trained_activations::draw(&activations, all_but_relu, &plan.exhibits)
        .map_err(|error| cannot_draw(&activations, &*error))?;
    println!("{}\n{}", curves.display(), activations.display());
    Ok(())
}

fn cannot_draw(path: &Path, error: &(dyn Error + Send + Sync)) -> String {
    format!("cannot draw `{}`: {error}", path.display())
}

fn plan(options: &Options) -> Result<Plan> {
    let mut dataset = Dataset::read(&options.data)?;
    let jitter = !options.plain;
    if jitter {
        dataset::jitter(
            &mut dataset.test.images,
            &mut ChaCha8Rng::seed_from_u64(TEST_JITTER),
        );
    }
    Ok(Plan {
        exhibits: exhibits::by_brightness(&dataset.test, trained_activations::EXHIBITS),
        dataset,
        jitter,
        epochs: options.epochs.into(),
        seeds: options.seeds.into(),
    })
}

/// What is compared, and how far chance reaches.
fn introduction(plan: &Plan) -> String {
    let Plan {
        dataset,
        jitter,
        epochs,
        seeds,
        ..
    } = plan;
    let (train, test) = (dataset.train.len(), dataset.test.len());
    let looks = if *jitter {
        "each with a random polarity, contrast and brightness"
    } else {
        "as they are"
    };
    let standard_error = 100.0 * (0.8 * 0.2 / test as f32).sqrt();
    format!(
        "Fashion-MNIST: {train} training and {test} test images, {looks}.\n\
         Epochs: {epochs}. Seeds: {seeds}; each gives all activations the same initial convolutions and batches.\n\
         ± is the standard deviation over the seeds. Another {test} test images would change an accuracy of\n\
         80 % too, with a standard error of {standard_error:.1} points."
    )
}

/// A bar that counts epochs; hidden where standard error is no terminal.
fn progress_bar(epochs: usize) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} epochs, {eta} left")?;
    Ok(ProgressBar::new(u64::try_from(epochs)?).with_style(style))
}
