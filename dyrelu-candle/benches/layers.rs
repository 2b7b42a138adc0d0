//! How fast the kernels are as an operation of candle, next to the same layer by tensor operations and to candle's own ReLU, as
//! a table in Markdown.
//!
//! ```console
//! cargo bench -p dyrelu-candle --bench layers
//! ```
//!
//! One thread, `f32`, 8×64×56×56 on the CPU. For both, x and all parameters are variables, and the loss is Σ g · y for a
//! fixed g, whose own time is part of all numbers. Other programs disturb a measurement only upwards, so all take turns, and
//! the shortest time counts.
//!
//! The allocator of glibc returns buffers of this size to the system and asks for them again, which costs more than a
//! kernel. For all columns alike, the program starts itself again with that switched off.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use dyrelu::DynamicActivation;
use dyrelu::gallery::{DyReluA, DyReluB, DyReluC, DynamicSwish};
use dyrelu_candle::{Layer, LayerConfig, layer};
use std::collections::HashMap;
use std::hint::black_box;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

const SHAPE: [usize; 4] = [8, 64, 56, 56];
const ROUNDS: usize = 60;

/// One thread, and memory that stays with the process.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("RAYON_NUM_THREADS", "1"),
    ("MALLOC_TRIM_THRESHOLD_", "4000000000"),
    ("MALLOC_MMAP_THRESHOLD_", "4000000000"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

fn main() -> Result<()> {
    if ENVIRONMENT
        .iter()
        .any(|(name, value)| std::env::var(name).as_deref() != Ok(value))
    {
        let program = std::env::current_exe()?;
        let status = Command::new(program).envs(ENVIRONMENT).status()?;
        exit(status.code().unwrap_or(1));
    }
    println!(
        "Times in ms. × is how often the fused time fits into the other one, or that of ReLU into the fused one.\n"
    );
    println!(
        "| activation | forward, fused | composed | × | ReLU | × | both, fused | composed | × | ReLU | × |"
    );
    println!("|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    measure::<DyReluA>()?;
    measure::<DyReluB>()?;
    measure::<DyReluC>()?;
    measure::<DynamicSwish>()
}

fn measure<A: DynamicActivation>() -> Result<()> {
    let config = LayerConfig {
        reduction: 8,
        ..LayerConfig::new(SHAPE[1])
    };
    let vars = VarMap::new();
    let trained: Layer<A> = layer(&config, VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    let parameters: HashMap<_, _> = trained
        .parameters()
        .map(|(name, value)| (name.to_owned(), value.detach()))
        .collect();
    let plain: Layer<A> = layer(
        &config,
        VarBuilder::from_tensors(parameters, DType::F32, &Device::Cpu),
    )?;
    let x = Tensor::randn(0_f32, 1.0, &SHAPE, &Device::Cpu)?;
    let leaf = Var::from_tensor(&x)?;
    let g = Tensor::randn(0_f32, 1.0, &SHAPE, &Device::Cpu)?;

    let both = |y: Tensor| {
        (y * &g)?
            .sum_all()?
            .backward()
            .map(|grads| drop(black_box(grads)))
    };
    let works: [&dyn Fn() -> Result<()>; 6] = [
        &|| plain.forward(&x).map(|y| drop(black_box(y))),
        &|| plain.forward_composed(&x).map(|y| drop(black_box(y))),
        &|| x.relu().map(|y| drop(black_box(y))),
        &|| both(trained.forward(&leaf)?),
        &|| both(trained.forward_composed(&leaf)?),
        &|| both(leaf.relu()?),
    ];
    let mut shortest = [Duration::MAX; 6];
    for _ in 0..ROUNDS {
        for (work, shortest) in works.iter().zip(&mut shortest) {
            let start = Instant::now();
            work()?;
            *shortest = start.elapsed().min(*shortest);
        }
    }
    let [fused, composed, relu, both_fused, both_composed, both_relu] =
        shortest.map(|time| time.as_secs_f64() * 1e3);
    println!(
        "| {} | {fused:.2} | {composed:.2} | {:.1} | {relu:.2} | {:.2} | {both_fused:.2} | {both_composed:.2} | {:.1} | {both_relu:.2} | {:.2} |",
        A::NAME,
        composed / fused,
        fused / relu,
        both_composed / both_fused,
        both_fused / both_relu,
    );
    Ok(())
}
