//! How long a training step of MobileNetV2 takes with Dynamic ReLU next to one with ReLU, as a table in Markdown.
//!
//! ```console
//! cargo bench -p dyrelu-burn --bench training_step
//! ```
//!
//! One thread, `f32`, on Flex: a batch forward, backward, and a step of stochastic gradient descent with momentum. The networks
//! are those of the example `mobilenet_v2`; DY-ReLU has two pieces where the network has ReLU, and, as that, nothing after the
//! projections, so that networks differ in these activations only. Other programs disturb a measurement only upwards, so all
//! take turns, and the shortest time counts. The allocator keeps its memory, as in the benchmark `layers`.
#![allow(dead_code, unused_imports, reason = "a part of the example, and of its tests")]

#[path = "../examples/mobilenet_v2/batches.rs"]
mod batches;
#[path = "../examples/mobilenet_v2/block.rs"]
mod block;
#[path = "../examples/mobilenet_v2/candidate.rs"]
mod candidate;
#[path = "../../examples/data/dataset.rs"]
mod dataset;
#[path = "../examples/mobilenet_v2/dynamic.rs"]
mod dynamic;
mod environment;
#[path = "../examples/mobilenet_v2/identity.rs"]
mod identity;
#[path = "../../examples/data/idx.rs"]
mod idx;
#[path = "../examples/mobilenet_v2/network.rs"]
mod network;
#[path = "../examples/mobilenet_v2/norm.rs"]
mod norm;
#[path = "../examples/mobilenet_v2/relu_se.rs"]
mod relu_se;
#[cfg(test)]
#[path = "../examples/mobilenet_v2/turn.rs"]
mod turn;
#[path = "../examples/mobilenet_v2/unit.rs"]
mod unit;
#[path = "../examples/mobilenet_v2/visitor.rs"]
mod visitor;

use batches::Batch;
use burn::nn::Relu;
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{Device, Distribution, Int, Tensor};
use burn::train::TrainStep;
use candidate::Candidate;
use dynamic::{DyReluA, DyReluB, DyReluC};
use dyrelu_burn::Layer;
use identity::Identity;
use network::{Network, NetworkConfig};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;

fn main() {
    environment::prepare();
    println!("Times in ms. × is how often that of ReLU fits into the other one.\n");
    println!("| network | batch | ReLU | A | × | B | × | C | × |");
    println!("|:--|:--|--:|--:|--:|--:|--:|--:|--:|");
    measure(
        "reference, width 8",
        &NetworkConfig::reference(8),
        [64, 1, 28, 28],
    );
    measure(
        "reference, width 16",
        &NetworkConfig::reference(16),
        [64, 1, 28, 28],
    );
    measure(
        "MobileNetV2 × 0.35",
        &NetworkConfig::mobilenet_v2(0.35, 28),
        [32, 1, 28, 28],
    );
    measure(
        "MobileNetV2 × 1.0",
        &NetworkConfig::mobilenet_v2(1.0, 96),
        [8, 1, 96, 96],
    );
}

fn measure(name: &str, network: &NetworkConfig, shape: [usize; 4]) {
    let mut steps: [Box<dyn FnMut()>; 4] = [
        step::<Relu>(network, shape),
        step::<Layer<DyReluA>>(network, shape),
        step::<Layer<DyReluB>>(network, shape),
        step::<Layer<DyReluC>>(network, shape),
    ];
    let mut shortest = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        for (step, shortest) in steps.iter_mut().zip(&mut shortest) {
            let start = Instant::now();
            step();
            *shortest = start.elapsed().min(*shortest);
        }
    }
    let [relu, a, b, c] = shortest.map(|time| time.as_secs_f64() * 1e3);
    let shape = shape.map(|axis| axis.to_string()).join("×");
    println!(
        "| {name} | {shape} | {relu:.1} | {a:.1} | {:.2} | {b:.1} | {:.2} | {c:.1} | {:.2} |",
        a / relu,
        b / relu,
        c / relu
    );
}

/// A training step, to be repeated.
fn step<A: Candidate>(network: &NetworkConfig, shape: [usize; 4]) -> Box<dyn FnMut()> {
    let device = Device::flex().autodiff();
    let batch = Batch {
        images: Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device),
        labels: Tensor::<1, Int>::zeros([shape[0]], &device),
    };
    let momentum = MomentumConfig::new().with_momentum(0.9);
    let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let mut network: Option<Network<A, Identity>> = Some(network.init(&device));
    Box::new(move || {
        let trained = network.take().expect("the network of the last step");
        let output = TrainStep::step(&trained, batch.clone());
        network = Some(optimizer.step(0.01, trained, output.grads));
    })
}
