//! How fast layers are on a GPU of Burn, by the kernels and by tensor operations, as a table in Markdown.
//!
//! ```console
//! cargo bench -p dyrelu-burn --features gpu,vulkan --bench gpu -- 64 256 56
//! ```
//!
//! for the shape 64×256×56×56. Another backend than `vulkan` is another feature; the default device is measured. All of a layer is
//! in it, means and hyper function too. For both, x and all parameters require gradients, and y has the gradient 1, so that there is
//! no time of a loss. Each is the median of many rounds, in which all take turns.
//!
//! The percentages compare with a copy of x, which reads and writes it: forward reads it twice and writes y; both read and write
//! five arrays more.

use burn::nn::Relu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use dyrelu::DynamicActivation;
use dyrelu::gallery::{DyReluA, DyReluB, DyReluC, DynamicSwish};
use dyrelu_burn::{Layer, LayerConfig};
use std::env;
use std::time::Instant;

const ROUNDS: usize = 20;

/// Passes between two waits for the device.
const LAUNCHES: usize = 4;

fn main() {
    let numbers: Vec<usize> = env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [samples, channels, side] = numbers[..].try_into().unwrap_or([8, 64, 56]);
    let shape = [samples, channels, side, side];
    println!("{shape:?} on {:?}, times in ms\n", Device::default());
    println!(
        "| activation | stored as | copy | forward | of a copy | composed | ratio | both | of a copy | composed | ratio | ReLU |"
    );
    println!("|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for dtype in [DType::F32, DType::F16] {
        measure::<DyReluA>(shape, dtype);
        measure::<DyReluB>(shape, dtype);
        measure::<DyReluC>(shape, dtype);
        measure::<DynamicSwish>(shape, dtype);
    }
}

fn measure<A: DynamicActivation>(shape: [usize; 4], dtype: DType) {
    let (plain, tracked) = (Device::default(), Device::default().autodiff());
    let layer: Layer<A> = LayerConfig::new(shape[1]).with_reduction(8).init(&tracked);
    let valid = burn::module::Module::valid(&layer);
    let relu = Relu::new();
    let x = waves(shape, &plain).cast(dtype);
    let leaf = waves(shape, &tracked).cast(dtype).detach().require_grad();

    let both = |y: Tensor<4>| {
        let grads = y.backward();
        leaf.grad(&grads).expect("a gradient of x")
    };
    let works: [&dyn Fn() -> Tensor<4>; 6] = [
        // An operation that reads and writes every number.
        &|| x.clone().neg(),
        &|| valid.forward(x.clone()),
        &|| valid.forward_composed(x.clone()),
        &|| both(layer.forward(leaf.clone())),
        &|| both(layer.forward_composed(leaf.clone())),
        &|| both(relu.forward(leaf.clone())),
    ];
    let mut times = [const { vec![] }; 6];
    for _ in 0..ROUNDS {
        for (work, times) in works.iter().zip(&mut times) {
            // What was before is not to count.
            drop(work());
            plain.sync().expect("a device");
            let start = Instant::now();
            // Until then Burn is not to know that nobody reads them.
            let results: Vec<_> = (0..LAUNCHES).map(|_| work()).collect();
            plain.sync().expect("a device");
            times.push(start.elapsed().as_secs_f64() * 1e3 / LAUNCHES as f64);
            drop(results);
        }
    }
    let [copy, forward, composed, both, composed_both, relu] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    let percent = |arrays: f64, time| format!("{:.0} %", 100.0 * arrays / 2.0 * copy / time);
    println!(
        "| {} | {dtype:?} | {copy:.3} | {forward:.3} | {} | {composed:.3} | {:.1} | {both:.3} | {} | {composed_both:.3} | {:.1} | {relu:.3} |",
        A::NAME,
        percent(3.0, forward),
        composed / forward,
        percent(8.0, both),
        composed_both / both,
    );
}

/// Numbers of both signs without a pattern.
fn waves(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let numbers = (0..shape.iter().product()).map(|i: usize| (i as f64 * (i as f64).sqrt()).sin());
    Tensor::from_data(TensorData::new(numbers.collect::<Vec<_>>(), shape), device)
}
