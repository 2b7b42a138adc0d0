//! How close the kernels are to the bandwidth of the device, as a table in Markdown.
//!
//! ```console
//! cargo bench -p dyrelu-gpu --features wgpu --bench bandwidth -- 64 256 56
//! ```
//!
//! for the shape 64×256×56×56 in `f32` and `f16`. What must be read and written at least, over the time, is the bandwidth; the
//! percentage is that of a copy of an array as large as x by a kernel of the same kind. Each number is the median of many rounds,
//! in which all take turns.

use cubecl::Device;
use cubecl::future::block_on;
use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::zspace::Tiling;
use dyrelu::gallery::{DyReluA, DyReluB, DyReluC, DynamicSwish};
use dyrelu::kernels::piecewise::PieceSet;
use dyrelu::{DynamicActivation, Sharing};
use dyrelu_gpu::{
    Number, Operands, Planes, add_gradients, backward, forward, gradient_of_weight, means, scores,
};
use half::f16;
use std::env;
use std::time::Instant;

const ROUNDS: usize = 30;

/// Kernels between two waits for the device, so that what a launch costs does not count.
const LAUNCHES: usize = 20;

fn main() {
    let numbers: Vec<usize> = env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [samples, channels, side] = numbers[..].try_into().unwrap_or([8, 64, 56]);
    let client = Device::default().client();
    println!("{}: {samples}×{channels}×{side}×{side}\n", client.name());
    println!("| kernel | stored as | time, ms | GB/s | of a copy |\n|:--|:--|--:|--:|--:|");
    for number in [Number::F32, Number::F16] {
        let bench = Bench::new(&client, [samples, channels, side * side], number);
        bench.activation::<DyReluA>();
        bench.activation::<DyReluB>();
        bench.activation::<DyReluC>();
        bench.activation::<DynamicSwish>();
        bench.summary();
    }
}

/// Arrays of random numbers on a device.
struct Bench<'a> {
    client: &'a Client,
    shape: [usize; 3],
    number: Number,
    x: Handle,
    grad_y: Handle,
}

impl<'a> Bench<'a> {
    fn new(client: &'a Client, shape: [usize; 3], number: Number) -> Self {
        let mut random = Random(1);
        let mut array = || {
            let numbers = (0..shape.iter().product::<usize>()).map(|_| random.next());
            let bytes: Vec<u8> = match number {
                Number::F32 => numbers.flat_map(f32::to_ne_bytes).collect(),
                _ => numbers
                    .flat_map(|number| f16::from_f32(number).to_ne_bytes())
                    .collect(),
            };
            client.create_from_slice(&bytes)
        };
        let (x, grad_y) = (array(), array());
        Self {
            client,
            shape,
            number,
            x,
            grad_y,
        }
    }

    fn activation<A: DynamicActivation>(&self) {
        let [samples, channels, positions] = self.shape;
        let sets = match A::SHARING {
            Sharing::SpatialAndChannel => 1,
            _ => channels,
        };
        let coefficients = self.numbers(samples * sets * A::Pieces::P * A::Pieces::K);
        let attention = (A::SHARING == Sharing::Unshared).then(|| self.numbers(samples * positions));
        let operands = Operands {
            samples,
            sets,
            len: channels * positions / sets,
            number: self.number,
            x: &self.x,
            coefficients: Some(&coefficients),
            attention: attention.as_ref(),
        };
        let forward = || drop(forward::<A>(self.client, &operands).expect("operands that fit"));
        let backward =
            || drop(backward::<A>(self.client, &operands, &self.grad_y).expect("operands that fit"));
        let both = || {
            forward();
            backward();
        };
        self.print(&[
            (&format!("{} forward", A::NAME), 2, &forward),
            (&format!("{} backward", A::NAME), 3, &backward),
            (&format!("{} both", A::NAME), 5, &both),
        ]);
    }

    /// What is between x and the coefficients.
    fn summary(&self) {
        let [samples, channels, positions] = self.shape;
        let planes = |values| Planes {
            samples,
            channels,
            positions,
            number: self.number,
            values,
        };
        let (weight, bias, of_means, of_scores) = (
            self.numbers(channels),
            self.numbers(1),
            self.numbers(samples * channels),
            self.numbers(samples * positions),
        );
        let x = planes(&self.x);
        // It is changed in place.
        let grad_x = Self::new(self.client, self.shape, self.number).x;
        let add = |scores| {
            add_gradients(self.client, planes(&grad_x), Some(&of_means), scores).expect("arrays that fit");
        };
        self.print(&[
            ("means", 1, &|| {
                drop(means(self.client, x).expect("arrays that fit"));
            }),
            ("scores", 1, &|| {
                drop(scores(self.client, x, &weight, &bias).expect("arrays that fit"));
            }),
            ("gradient of their weight", 1, &|| {
                drop(gradient_of_weight(self.client, x, &of_scores).expect("arrays that fit"));
            }),
            ("gradient through means", 2, &|| add(None)),
            ("through means and scores", 2, &|| {
                add(Some((&weight, &of_scores)));
            }),
        ]);
    }

    /// Random numbers in single precision.
    fn numbers(&self, count: usize) -> Handle {
        let mut random = Random(2);
        let bytes: Vec<u8> = (0..count).flat_map(|_| random.next().to_ne_bytes()).collect();
        self.client.create_from_slice(&bytes)
    }

    /// A line for each kernel, which reads and writes so many arrays of x's size.
    fn print(&self, kernels: &[(&str, usize, &dyn Fn())]) {
        let bytes = self.shape.iter().product::<usize>() * if self.number == Number::F32 { 4 } else { 2 };
        let copy = || copy(self.client, &self.x, bytes);
        let mut works: Vec<&dyn Fn()> = vec![&copy];
        works.extend(kernels.iter().map(|(_, _, work)| work));
        let mut times = vec![vec![]; works.len()];
        for _ in 0..ROUNDS {
            for (work, times) in works.iter().zip(&mut times) {
                block_on(self.client.sync()).expect("a device");
                let start = Instant::now();
                (0..LAUNCHES).for_each(|_| work());
                block_on(self.client.sync()).expect("a device");
                times.push(start.elapsed().as_secs_f64() / LAUNCHES as f64);
            }
        }
        let mut times = times.into_iter().map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 2]
        });
        let bandwidth = |arrays: usize, time: f64| (arrays * bytes) as f64 / time / 1e9;
        let copy = bandwidth(2, times.next().expect("a copy"));
        for ((name, arrays, _), time) in kernels.iter().zip(times) {
            let number = self.number;
            let reached = bandwidth(*arrays, time);
            println!(
                "| {name} | {number:?} | {:.4} | {reached:.0} | {:.0} % of {copy:.0} |",
                time * 1e3,
                100.0 * reached / copy,
            );
        }
    }
}

/// Numbers from −2 to 2: what they are does not matter, but an array of zeros could be faster than others.
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 22) as f32 - 2.0
    }
}

fn copy(client: &Client, x: &Handle, bytes: usize) {
    let y = client.empty(bytes);
    let vectors = bytes / 16;
    let buffer = |handle: &Handle| TensorBinding {
        handle: handle.clone().binding(),
        strides: [1].into(),
        shape: [vectors].into(),
        tiling: Tiling::UNTILED,
    };
    copy_kernel::launch(
        client,
        cubecl::calculate_cube_count_elemwise(client, vectors, CubeDim::new_1d(256)),
        CubeDim::new_1d(256),
        4,
        buffer(x).into_buffer_arg(),
        buffer(&y).into_buffer_arg(),
    );
}

#[cube(launch)]
fn copy_kernel<N: Size>(x: &[Vector<f32, N>], y: &mut [Vector<f32, N>]) {
    if ABSOLUTE_POS < y.len() {
        y[ABSOLUTE_POS] = x[ABSOLUTE_POS];
    }
}
