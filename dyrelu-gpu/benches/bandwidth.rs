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
use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::*;
use cubecl::server::Handle;
use cubecl::zspace::Tiling;
use dyrelu::gallery::{DyReluA, DyReluB, DyReluC, DynamicSwish};
use dyrelu::kernels::piecewise::PieceSet;
use dyrelu::{DynamicActivation, Sharing};
use dyrelu_gpu::{Number, Operands, backward, forward};
use std::env;
use std::time::Instant;

const ROUNDS: usize = 30;

/// Kernels between two waits for the device, so that what a launch costs does not count.
const LAUNCHES: usize = 10;

fn main() {
    let numbers: Vec<usize> = env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [samples, channels, side] = numbers[..].try_into().unwrap_or([8, 64, 56]);
    let client = Device::default().client();
    println!("{}: {samples}×{channels}×{side}×{side}\n", client.name());
    println!(
        "| activation | stored as | copy, GB/s | forward | backward | both, ms |\n|:--|:--|--:|--:|--:|--:|"
    );
    for number in [Number::F32, Number::F16] {
        let shape = (samples, channels, side * side);
        measure::<DyReluA>(&client, shape, number);
        measure::<DyReluB>(&client, shape, number);
        measure::<DyReluC>(&client, shape, number);
        measure::<DynamicSwish>(&client, shape, number);
    }
}

fn measure<A: DynamicActivation>(client: &Client, shape: (usize, usize, usize), number: Number) {
    let (samples, channels, positions) = shape;
    let elements = samples * channels * positions;
    let sets = if A::SHARING == Sharing::SpatialAndChannel {
        1
    } else {
        channels
    };
    let bytes = elements * if number == Number::F32 { 4 } else { 2 };
    let zeros = |len: usize| client.create_from_slice(&vec![0; len]);
    let (x, grad_y) = (zeros(bytes), zeros(bytes));
    let coefficients = zeros(samples * sets * A::Pieces::P * A::Pieces::K * 4);
    let attention = (A::SHARING == Sharing::Unshared).then(|| zeros(samples * positions * 4));
    let operands = Operands {
        samples,
        sets,
        len: elements / samples / sets,
        number,
        x: &x,
        coefficients: Some(&coefficients),
        attention: attention.as_ref(),
    };
    let works: [&dyn Fn(); 3] = [
        &|| copy(client, &x, bytes),
        &|| drop(forward::<A>(client, &operands).expect("operands that fit")),
        &|| drop(backward::<A>(client, &operands, &grad_y).expect("operands that fit")),
    ];
    let mut times = [const { vec![] }; 3];
    for _ in 0..ROUNDS {
        for (work, times) in works.iter().zip(&mut times) {
            block_on(client.sync()).expect("a device");
            let start = Instant::now();
            (0..LAUNCHES).for_each(|_| work());
            block_on(client.sync()).expect("a device");
            times.push(start.elapsed().as_secs_f64() / LAUNCHES as f64);
        }
    }
    let [copy, forward, backward] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    let bandwidth = |arrays: usize, time: f64| (arrays * bytes) as f64 / time / 1e9;
    let of_copy = |arrays, time| 100.0 * bandwidth(arrays, time) / bandwidth(2, copy);
    println!(
        "| {} | {number:?} | {:.1} | {:.0} % | {:.0} % | {:.3} |",
        A::NAME,
        bandwidth(2, copy),
        of_copy(2, forward),
        of_copy(3, backward),
        (forward + backward) * 1e3,
    );
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
        ElemType::Float(FloatKind::F32),
    );
}

#[cube(launch)]
fn copy_kernel<F: Float, N: Size>(
    x: &[Vector<F, N>],
    y: &mut [Vector<F, N>],
    #[define(F)] _number: ElemType,
) {
    if ABSOLUTE_POS < y.len() {
        y[ABSOLUTE_POS] = x[ABSOLUTE_POS];
    }
}
