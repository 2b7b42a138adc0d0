//! Dynamic activations in a checkpoint of PyTorch or safetensors: which there are, and in the convention of another program.
//!
//! ```console
//! cargo run --example checkpoint -- inspect detector.pth
//! cargo run --example checkpoint -- convert detector.pth detector.safetensors --to native
//! ```

use clap::{Parser, Subcommand};
use dyrelu::{Convention, Error};
use dyrelu_checkpoint::{Change, Checkpoint, FoundActivation};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Finds dynamic activations in a checkpoint (.safetensors, .pt, .pth), and converts them between conventions.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The coefficients of a piece: 2 for a slope and an intercept, 1 for slopes only
    #[arg(long, global = true, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    coefficients: u8,
    /// The convention of the file, where names do not tell: `paper` has the names of `native`
    #[arg(long, global = true, value_parser = convention)]
    from: Option<Convention>,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the dynamic activations
    Inspect {
        /// The checkpoint
        file: PathBuf,
    },
    /// Writes a safetensors file in which they have the names and the order of another convention
    Convert {
        /// The checkpoint
        file: PathBuf,
        /// The new file
        output: PathBuf,
        /// `native`, `seed`, `paper`, `dynamic-head` or `mmdetection`
        #[arg(long, value_parser = convention)]
        to: Convention,
    },
}

fn convention(name: &str) -> Result<Convention, Error> {
    name.parse()
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), dyrelu_checkpoint::Error> {
    match &arguments.command {
        Command::Inspect { file } => {
            let checkpoint = Checkpoint::open(file)?;
            let found = activations(&checkpoint, arguments);
            inspect(file, &checkpoint, &found);
        }
        Command::Convert { file, output, to } => {
            let checkpoint = Checkpoint::open(file)?;
            let found = activations(&checkpoint, arguments);
            let conversion = checkpoint.convert(&found, *to)?;
            conversion.checkpoint.save_safetensors(output)?;
            report(&conversion.changes);
            if let Some(other) = found.iter().find(|found| found.convention.squash != to.squash) {
                println!("\nThe formula stays what it was: {}", other.attribute());
            }
            let tensors = conversion.checkpoint.tensors().len();
            println!("\n{}: {tensors} tensors", output.display());
        }
    }
    Ok(())
}

/// What was found; in the convention that the user names instead of the one that names tell.
fn activations(checkpoint: &Checkpoint, arguments: &Arguments) -> Vec<FoundActivation> {
    let mut found = checkpoint.activations(arguments.coefficients.into());
    if let Some(from) = arguments.from {
        let has_same_names =
            |other: Convention| other.tensor_name("fc1.weight") == from.tensor_name("fc1.weight");
        found.retain(|activation| has_same_names(activation.convention));
        for activation in &mut found {
            activation.convention = from;
        }
    }
    found
}

fn inspect(file: &Path, checkpoint: &Checkpoint, found: &[FoundActivation]) {
    let tensors = checkpoint.tensors().len();
    println!(
        "{}: {tensors} tensors, {} dynamic activations\n",
        file.display(),
        found.len()
    );
    for activation in found {
        println!("{activation}\n    {}", activation.attribute());
    }
}

fn report(changes: &[Change]) {
    for change in changes {
        match change {
            Change::Named { old, new, reordered } => {
                let order = if *reordered { ", rows in another order" } else { "" };
                println!("{old} -> {new}{order}");
            }
            Change::LeftOut { old } => println!("{old} left out: the constants of DY-ReLU"),
            Change::Added { new } => println!("{new} added: the constants of DY-ReLU"),
        }
    }
}
