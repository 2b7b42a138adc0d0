//! How fast the kernels are as an operation of Burn, next to the same layer by tensor operations and to Burn's own ReLU, as a
//! table in Markdown.
//!
//! ```console
//! cargo bench -p dyrelu-burn --bench layers
//! ```
//!
//! One thread, `f32`, 8×64×56×56 on Flex. Forward nobody else needs x, as in a network, and an operation may write its
//! result there. For both, x and all parameters require gradients, and the loss is Σ g · y for a fixed g, whose own time is part
//! of all numbers. Other programs disturb a measurement only upwards, so all take turns, and the shortest time counts.
//!
//! The allocator keeps its memory, for all columns alike: see `environment`.

mod environment;

use burn::nn::Relu;
use burn::tensor::{Device, Distribution, Tensor};
use dyrelu::DynamicActivation;
use dyrelu::gallery::{DyReluA, DyReluB, DyReluC, DynamicSwish};
use dyrelu_burn::{Layer, LayerConfig};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SHAPE: [usize; 4] = [8, 64, 56, 56];
const ROUNDS: usize = 60;

fn main() {
    environment::prepare();
    println!(
        "Times in ms. × is how often the fused time fits into the other one, or that of ReLU into the fused one.\n"
    );
    println!(
        "| activation | forward, fused | composed | × | ReLU | × | both, fused | composed | × | ReLU | × |"
    );
    println!("|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    measure::<DyReluA>();
    measure::<DyReluB>();
    measure::<DyReluC>();
    measure::<DynamicSwish>();
}

fn measure<A: DynamicActivation>() {
    let (plain, tracked) = (Device::flex(), Device::flex().autodiff());
    let layer: Layer<A> = LayerConfig::new(SHAPE[1]).with_reduction(8).init(&tracked);
    let valid = burn::module::Module::valid(&layer);
    let relu = Relu::new();
    let x = Tensor::<4>::random(SHAPE, Distribution::Normal(0.0, 1.0), &plain);
    let leaf = Tensor::<4>::from_data(x.to_data(), &tracked).require_grad();
    let g = Tensor::<4>::random(SHAPE, Distribution::Normal(0.0, 1.0), &tracked);

    let both = |y: Tensor<4>| {
        black_box((y * g.clone()).sum().backward());
    };
    let works: [&dyn Fn(Tensor<4>); 6] = [
        &|x| drop(black_box(valid.forward(x))),
        &|x| drop(black_box(valid.forward_composed(x))),
        &|x| drop(black_box(relu.forward(x))),
        &|_| both(layer.forward(leaf.clone())),
        &|_| both(layer.forward_composed(leaf.clone())),
        &|_| both(relu.forward(leaf.clone())),
    ];
    let mut shortest = [Duration::MAX; 6];
    for _ in 0..ROUNDS {
        for (work, shortest) in works.iter().zip(&mut shortest) {
            let x = x.clone() + 0.0;
            let start = Instant::now();
            work(x);
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
}
