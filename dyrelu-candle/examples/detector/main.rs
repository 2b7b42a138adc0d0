//! A detector that was trained in PyTorch, with DY-ReLU-B in its backbone and `DYReLU` in its head, run by candle:
//!
//! ```sh
//! cargo run --release -p dyrelu-candle --example detector [PICTURE]
//! ```
//!
//! It loads `detector.pth`, runs the scenes of `expected.safetensors`, and compares each stage of the network with what
//! PyTorch computed in double precision; a larger difference than 1e-5 is an error. Then it prints what it sees in the
//! first scene, and draws all scenes, if the picture's file has a name. `make_checkpoint.py` has trained the network.

mod backbone;
mod block;
mod detection;
mod detector;
mod garment;
#[path = "../../../examples/report/markdown.rs"]
mod markdown;
mod picture;
mod rectangle;
mod scenes;
mod table;
#[cfg(test)]
mod tests;
mod unit;
mod weights;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use dyrelu_checkpoint::Checkpoint;

use detection::Detection;
use detector::Detector;
use scenes::{Difference, Scenes};
use weights::Weights;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// The largest difference to PyTorch that single precision may make, where no value of a stage is larger than 10.
const LIMIT: f32 = 1e-5;

fn main() -> ExitCode {
    match run(std::env::args_os().nth(1).as_deref().map(Path::new)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(picture: Option<&Path>) -> Result<()> {
    let (detector, scenes) = load()?;
    let output = detector.forward(&scenes.images)?;
    let differences = output.stages.iter().map(|stage| scenes.compare(stage));
    let differences = differences.collect::<Result<Vec<_>>>()?;
    println!("{}", table::differences(&differences));
    let detections = Detection::in_scenes(&output)?;
    println!("{}", table::detections(&detections[0], &scenes.garments[0]));
    if let Some(path) = picture {
        picture::draw(path, &scenes, &detections)
            .map_err(|error| format!("cannot draw `{}`: {error}", path.display()))?;
        println!("{}", path.display());
    }
    differences.iter().try_for_each(check)
}

/// The detector with its weights, and the scenes.
fn load() -> Result<(Detector, Scenes)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/detector");
    let checkpoint = Checkpoint::open(directory.join("detector.pth"))?;
    // Convolutions and normalisations by candle, activations by dyrelu, from the same bytes.
    let vb = VarBuilder::from_slice_safetensors(checkpoint.as_safetensors(), DType::F32, &Device::Cpu)?;
    let tensors = checkpoint.tensors();
    let detector = Detector::new(&Weights::new(vb, &tensors))?;
    Ok((detector, Scenes::read(&directory.join("expected.safetensors"))?))
}

fn check(difference: &Difference) -> Result<()> {
    // Nor is NaN within the limit.
    if difference.largest <= LIMIT {
        return Ok(());
    }
    let Difference { stage, largest, .. } = difference;
    Err(format!("`{stage}` differs from PyTorch's by {largest:.1e}, more than {LIMIT:.0e}").into())
}
