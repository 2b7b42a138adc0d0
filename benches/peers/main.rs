//! The Rust side of the comparison with PyTorch and ONNX Runtime: a server that answers one request a line.
//!
//! Requests come on standard input, replies go to standard output, both as JSON. A process of its own lets the
//! contenders take turns without sharing a thread pool, an allocator or an interpreter. `run.py` starts it.
//!
//! ```text
//! {"open": {"activation": "B", "inputs": "case.safetensors"}}      → null
//! {"compute": {"outputs": "outputs.safetensors"}}                  → null
//! {"time": {"work": "forward", "seconds": 0.06}}                   → {"minimum": …, "median": …, "repetitions": …}
//! ```
#![forbid(unsafe_code)]

mod activations;
mod case;
mod timing;

use case::Contender;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// Takes the tensors of a file as the case of all requests that follow.
    Open { activation: String, inputs: PathBuf },
    /// Writes the output and all gradients to a file.
    Compute { outputs: PathBuf },
    /// Repeats one work for a while.
    Time { work: Work, seconds: f64 },
}

/// What is timed.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    Forward,
    ForwardBackward,
    /// Copies x: every forward pass reads x and writes as much.
    Copy,
    /// Reads x once more: the mean must be known before the first output, so every forward pass reads x twice.
    Reread,
    /// As `Forward`, on other arrays each time, which no cache holds.
    ColdForward,
    /// As `Copy`, on other arrays each time.
    ColdCopy,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut contender = None;
    for line in io::stdin().lock().lines() {
        match serde_json::from_str(&line?)? {
            Request::Open { activation, inputs } => {
                contender = Some(activations::open(&activation, &fs::read(inputs)?)?);
                reply(&())?;
            }
            Request::Compute { outputs } => {
                fs::write(outputs, opened(&mut contender)?.compute()?)?;
                reply(&())?;
            }
            Request::Time { work, seconds } => {
                reply(&opened(&mut contender)?.time(work, Duration::from_secs_f64(seconds)))?;
            }
        }
    }
    Ok(())
}

fn opened(contender: &mut Option<Box<dyn Contender>>) -> Result<&mut dyn Contender, &'static str> {
    match contender {
        Some(contender) => Ok(contender.as_mut()),
        None => Err("no case is open"),
    }
}

fn reply(value: &impl Serialize) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, value)?;
    output.write_all(b"\n")?;
    output.flush()
}
