//! How fast the kernels are as an operation of candle, next to the same layer by tensor operations and to candle's own ReLU, as
//! a table in Markdown.
//!
//! ```console
//! cargo bench -p dyrelu-candle --bench layers
//! ```
//!
//! One thread, `f32`, 8×64×56×56 on the CPU. Forward x was written just before, as in a network. For both, x and all
//! parameters are variables, and the loss is Σ y, without work of its own. Composed is the layer's own path for other
//! tensors; by hand are the operations that one would write down for DY-ReLU-B, which care neither for ties nor for NaN. Other programs disturb a measurement only upwards, so all take turns, and the shortest time counts.
//!
//! The allocator of glibc returns buffers of this size to the system and asks for them again, which costs more than a
//! kernel. For all columns alike, the program starts itself again with that switched off.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::ops::sigmoid;
use candle_nn::{Linear, VarBuilder, VarMap};
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
    measure::<DyReluA>("DyReluA", Layer::forward_composed)?;
    measure::<DyReluB>("DyReluB", Layer::forward_composed)?;
    measure::<DyReluB>("DyReluB, by hand", dy_relu_b)?;
    measure::<DyReluC>("DyReluC", Layer::forward_composed)?;
    measure::<DynamicSwish>("DynamicSwish", Layer::forward_composed)
}

/// DY-ReLU-B with the parameters of a layer, as one writes it with candle.
fn dy_relu_b(layer: &Layer<DyReluB>, x: &Tensor) -> Result<Tensor> {
    let parameters: HashMap<_, _> = layer.parameters().collect();
    let linear = |name: &str| {
        let bias = parameters[&*format!("{name}.bias")];
        Linear::new(parameters[&*format!("{name}.weight")].clone(), Some(bias.clone()))
    };
    let (samples, channels, _, _) = x.dims4()?;
    let raw = x
        .mean((2, 3))?
        .apply(&linear("fc1"))?
        .relu()?
        .apply(&linear("fc2"))?;
    let residuals = ((sigmoid(&raw)? * 2.0)? - 1.0)?.reshape((samples, channels, 4))?;
    let piece = |k: usize, init: f64| {
        let slope = (residuals.narrow(2, k, 1)?.unsqueeze(3)? + init)?;
        let intercept = (residuals.narrow(2, 2 + k, 1)?.unsqueeze(3)? * 0.5)?;
        x.broadcast_mul(&slope)?.broadcast_add(&intercept)
    };
    piece(0, 1.0)?.maximum(&piece(1, 0.0)?)
}

/// What is timed, for an x that was just written.
type Work<'a> = &'a dyn Fn(&Tensor) -> Result<()>;

/// Prints a row of the table, for a layer by tensor operations in some way.
fn measure<A: DynamicActivation>(
    name: &str,
    composed: impl Fn(&Layer<A>, &Tensor) -> Result<Tensor>,
) -> Result<()> {
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

    let both = |y: Tensor| y.backward().map(|grads| drop(black_box(grads)));
    let works: [Work; 6] = [
        &|x| plain.forward(x).map(|y| drop(black_box(y))),
        &|x| composed(&plain, x).map(|y| drop(black_box(y))),
        &|x| x.relu().map(|y| drop(black_box(y))),
        &|_| both(trained.forward(&leaf)?),
        &|_| both(composed(&trained, &leaf)?),
        &|_| both(leaf.relu()?),
    ];
    let difference = (plain.forward(&x)? - composed(&plain, &x)?)?.abs()?.max_all()?;
    assert!(difference.to_scalar::<f32>()? < 1e-5, "both compute the same");
    let mut shortest = [Duration::MAX; 6];
    for _ in 0..ROUNDS {
        for (work, shortest) in works.iter().zip(&mut shortest) {
            let x = x.copy()?;
            let start = Instant::now();
            work(&x)?;
            *shortest = start.elapsed().min(*shortest);
        }
    }
    let [fused, composed, relu, both_fused, both_composed, both_relu] =
        shortest.map(|time| time.as_secs_f64() * 1e3);
    println!(
        "| {name} | {fused:.2} | {composed:.2} | {:.1} | {relu:.2} | {:.2} | {both_fused:.2} | {both_composed:.2} | {:.1} | {both_relu:.2} | {:.2} |",
        composed / fused,
        fused / relu,
        both_composed / both_fused,
        both_fused / both_relu,
    );
    Ok(())
}
