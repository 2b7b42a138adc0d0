//! Dynamic activations in a checkpoint of PyTorch or safetensors: which there are, and in the convention of another program.
//!
//! ```console
//! cargo run --example checkpoint -- inspect detector.pth
//! cargo run --example checkpoint -- convert detector.pth detector.safetensors --to native
//! ```

use clap::{Parser, Subcommand};
use dyrelu::Convention;
use dyrelu_checkpoint::{Change, Checkpoint, FoundActivation};
use std::error::Error;
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
    /// Only the activations whose names begin so; several times for several
    #[arg(long, global = true, value_name = "PREFIX")]
    only: Vec<String>,
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
        /// The new file, `.safetensors`
        #[arg(value_parser = safetensors_file)]
        output: PathBuf,
        /// `native`, `seed`, `paper`, `dynamic-head` or `mmdetection`
        #[arg(long, value_parser = convention)]
        to: Convention,
    },
}

fn convention(name: &str) -> Result<Convention, dyrelu::Error> {
    name.parse()
}

fn safetensors_file(path: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(path);
    let extension = path.extension();
    match extension {
        Some(extension) if extension == "safetensors" => Ok(path),
        _ => Err("a safetensors file is written: name it so"),
    }
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

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    match &arguments.command {
        Command::Inspect { file } => {
            let checkpoint = Checkpoint::open(file)?;
            inspect(file, &checkpoint, &activations(&checkpoint, arguments));
        }
        Command::Convert { file, output, to } => {
            let checkpoint = Checkpoint::open(file)?;
            let found = activations(&checkpoint, arguments);
            if found.is_empty() {
                return Err(nothing_found(file, &checkpoint, arguments).into());
            }
            let conversion = checkpoint.convert(&found, *to)?;
            conversion.checkpoint.save_safetensors(output)?;
            report(&conversion.changes);
            formulas(&found, *to);
            let tensors = conversion.checkpoint.tensors().len();
            println!("\n{}: {tensors} tensors", output.display());
        }
    }
    Ok(())
}

/// What was found, by the names of a convention if the user has named one, and only what he asks for.
fn activations(checkpoint: &Checkpoint, arguments: &Arguments) -> Vec<FoundActivation> {
    let coefficients = arguments.coefficients.into();
    let mut found = match arguments.from {
        Some(from) => checkpoint.activations_as(from, coefficients),
        None => checkpoint.activations(coefficients),
    };
    let only = &arguments.only;
    found.retain(|found| only.is_empty() || only.iter().any(|prefix| found.prefix.starts_with(prefix)));
    found
}

fn nothing_found(file: &Path, checkpoint: &Checkpoint, arguments: &Arguments) -> String {
    let others = checkpoint.activations(arguments.coefficients.into());
    let others: Vec<_> = others.iter().map(|found| format!("\n{found}")).collect();
    let file = file.display();
    if others.is_empty() {
        format!("no dynamic activation was found in `{file}`")
    } else {
        format!(
            "what was asked for was not found in `{file}`, which has{}",
            others.concat()
        )
    }
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

/// What tensors do not tell, and a conversion does not change.
fn formulas(found: &[FoundActivation], to: Convention) {
    let mut attributes: Vec<_> = found
        .iter()
        .filter(|found| found.convention.squash.is_some() && found.convention.squash != to.squash)
        .map(FoundActivation::attribute)
        .collect();
    attributes.dedup();
    for attribute in attributes {
        println!("\nThe formula stays what it was: {attribute}");
    }
}
