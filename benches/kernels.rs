//! Every kernel, for both number types and rows of a few lengths.
//!
//! What a kernel changes in place is set anew before each call: repeated calls would otherwise let numbers vanish, and
//! arithmetic on the smallest numbers is slow.
//!
//! ```console
//! cargo bench --bench kernels
//! ```

#![expect(missing_docs, reason = "criterion writes a public function without")]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use dyrelu::kernels::piecewise::{self, PieceSet};
use dyrelu::kernels::{Level, attention, coefficients, hyper, linear, pool, squash};
use dyrelu::{DynamicActivation, Inner, Scalar, Squash, dynamic_activation};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::any::type_name;
use std::time::Duration;

#[dynamic_activation(k = 2, share = "spatial")]
struct Affine;

#[dynamic_activation(
    k = 2, share = "spatial", piece = |x, a, b, c| a * x * sigmoid(b * x) + c, init(a = 1.0, b = 1.0, c = 0.0)
)]
struct Swish;

/// Rows and their length: the planes of a convolutional network's last, middle and first layers.
const SIZES: [[usize; 2]; 3] = [[1024, 49], [64, 784], [4, 12544]];

/// Samples, inputs and outputs of fully connected layers.
const PRODUCTS: [[usize; 3]; 2] = [[1, 64, 128], [64, 512, 128]];

/// Numbers from U(−2, 2).
fn random<T: Scalar>(len: usize) -> Vec<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(len as u64);
    (0..len)
        .map(|_| T::from_f64(rng.random_range(-2.0..2.0)))
        .collect()
}

fn zeros<T: Scalar>(len: usize) -> Vec<T> {
    vec![T::default(); len]
}

fn group<'a, T>(criterion: &'a mut Criterion, kernel: &str, elements: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{kernel}, {}", type_name::<T>()));
    group.throughput(Throughput::Elements(elements as u64));
    group
}

fn pools<T: Scalar>(criterion: &mut Criterion) {
    let level = Level::new();
    for [rows, len] in SIZES {
        let (mut x, mut pooled) = (random::<T>(rows * len), random::<T>(rows));
        let mut group = group::<T>(criterion, "pool", x.len());
        group.bench_function(format!("forward/{len}"), |bencher| {
            bencher.iter(|| pool::forward(level, len, &x, &mut pooled));
        });
        pooled.fill(T::default());
        group.bench_function(format!("backward/{len}"), |bencher| {
            bencher.iter(|| pool::backward(level, len, &pooled, &mut x));
        });
    }
}

fn products<T: Scalar>(criterion: &mut Criterion) {
    let level = Level::new();
    for [samples, inputs, outputs] in PRODUCTS {
        let (x, grad_y) = (random::<T>(samples * inputs), random(samples * outputs));
        let (weight, bias) = (random(outputs * inputs), random(outputs));
        let (mut y, mut grad_x) = (zeros(samples * outputs), zeros(samples * inputs));
        let (mut grad_weight, mut grad_bias) = (zeros(outputs * inputs), zeros(outputs));
        // Elements are multiplications here.
        let mut group = group::<T>(criterion, "linear", samples * inputs * outputs);
        group.bench_function(format!("forward/{samples}×{inputs}×{outputs}"), |bencher| {
            bencher.iter(|| linear::forward(level, inputs, &x, &weight, &bias, &mut y));
        });
        group.throughput(Throughput::Elements((2 * samples * inputs * outputs) as u64));
        group.bench_function(format!("backward/{samples}×{inputs}×{outputs}"), |bencher| {
            bencher.iter(|| {
                let operands = linear::Operands {
                    inputs,
                    x: &x,
                    weight: &weight,
                };
                let grads = linear::Gradients {
                    x: &mut grad_x,
                    weight: &mut grad_weight,
                    bias: &mut grad_bias,
                };
                linear::backward(level, operands, &grad_y, grads);
            });
        });
    }
}

fn squashes<T: Scalar>(criterion: &mut Criterion) {
    let level = Level::new();
    let len = 16_384;
    let raw = random::<T>(len);
    let (mut values, mut grads) = (raw.clone(), zeros(len));
    let mut group = group::<T>(criterion, "squash", len);
    group.bench_function("forward", |bencher| {
        bencher.iter(|| {
            values.copy_from_slice(&raw);
            squash::forward(level, &[Squash::CentredSigmoid], 2, &mut values);
        });
    });
    group.bench_function("backward", |bencher| {
        bencher.iter(|| squash::backward(level, &[Squash::CentredSigmoid], 2, &values, &mut grads));
    });
}

fn all_coefficients<T: Scalar>(criterion: &mut Criterion) {
    let (rows, set) = (64, 1024);
    let (init, lambda, residuals) = (random::<T>(set), vec![T::from_f64(1.0); set], random(rows * set));
    let dynamic: Vec<usize> = (0..set).collect();
    let operands = coefficients::Operands {
        pieces: 1,
        template: &init,
        dynamic: &dynamic,
        lambda: &lambda,
        coefficients: set,
    };
    let (mut values, mut grads) = (zeros(rows * set), zeros(rows * set));
    let mut group = group::<T>(criterion, "coefficients", rows * set);
    group.bench_function("forward", |bencher| {
        bencher.iter(|| coefficients::forward(operands, &residuals, &mut values));
    });
    group.bench_function("backward", |bencher| {
        bencher.iter(|| coefficients::backward(operands, &values, &mut grads));
    });
}

fn hypers<T: Scalar>(criterion: &mut Criterion) {
    let level = Level::new();
    let (samples, channels, units) = (8, 256, 64);
    let outputs = 4 * channels;
    let parameters = [units * channels, units, outputs * units, outputs];
    let [fc1_weight, fc1_bias, fc2_weight, fc2_bias] = parameters.map(random::<T>);
    let [
        mut grad_1_weight,
        mut grad_1_bias,
        mut grad_2_weight,
        mut grad_2_bias,
    ] = parameters.map(zeros::<T>);
    let weights = hyper::Weights {
        layers: hyper::Layers::Two {
            first: hyper::Linear {
                inputs: channels,
                weight: &fc1_weight,
                bias: &fc1_bias,
            },
            inner: Inner::Relu,
            second: hyper::Linear {
                inputs: units,
                weight: &fc2_weight,
                bias: &fc2_bias,
            },
        },
        squashes: &[Squash::CentredSigmoid],
        k: 2,
    };
    let pooled = random::<T>(samples * channels);
    let (mut hidden, mut residuals) = (zeros(samples * units), zeros(samples * outputs));
    let (mut grad_pooled, mut grad_hidden) = (zeros(samples * channels), zeros(samples * units));
    let before = random(samples * outputs);
    let mut grad_residuals = before.clone();
    // Elements are multiplications here.
    let multiplications = samples * units * (channels + outputs);
    let mut group = group::<T>(criterion, "hyper", multiplications);
    group.bench_function("forward", |bencher| {
        bencher.iter(|| hyper::forward(level, weights, &pooled, &mut hidden, &mut residuals));
    });
    group.throughput(Throughput::Elements(2 * multiplications as u64));
    group.bench_function("backward", |bencher| {
        bencher.iter(|| {
            let activations = hyper::Activations {
                context: &pooled,
                hidden: &hidden,
                residuals: &residuals,
            };
            let grads = hyper::Gradients {
                context: &mut grad_pooled,
                hidden: &mut grad_hidden,
                layers: [
                    [&mut grad_1_weight, &mut grad_1_bias],
                    [&mut grad_2_weight, &mut grad_2_bias],
                ],
            };
            grad_residuals.copy_from_slice(&before);
            hyper::backward(level, weights, activations, &mut grad_residuals, grads);
        });
    });
}

fn attentions<T: Scalar>(criterion: &mut Criterion) {
    let level = Level::new();
    for [channels, positions] in SIZES {
        let (x, weight) = (random::<T>(channels * positions), random::<T>(channels));
        let (mut softmax, mut pi) = (zeros(positions), zeros(positions));
        let before = random(positions);
        let (mut grad_x, mut grad_weight) = (zeros(channels * positions), zeros(channels));
        let operands = attention::Operands {
            positions,
            scaling: attention::Scaling::PAPER,
            weight: &weight,
        };
        let mut group = group::<T>(criterion, "attention", x.len());
        group.bench_function(format!("forward/{positions}"), |bencher| {
            bencher.iter(|| attention::forward(level, operands, T::default(), &x, &mut softmax, &mut pi));
        });
        group.bench_function(format!("backward/{positions}"), |bencher| {
            bencher.iter(|| {
                pi.copy_from_slice(&before);
                attention::backward(
                    level,
                    operands,
                    &x,
                    &softmax,
                    &mut pi,
                    &mut grad_x,
                    &mut grad_weight,
                );
            });
        });
    }
}

fn activations<A: DynamicActivation, T: Scalar>(criterion: &mut Criterion) {
    let level = Level::new();
    for [rows, len] in SIZES {
        let (x, grad_y) = (random::<T>(rows * len), random(rows * len));
        let sets = random::<T>(rows * A::Pieces::K * A::Pieces::P);
        let (mut y, mut grad_sets) = (zeros(rows * len), zeros(sets.len()));
        let operands = piecewise::Operands {
            len,
            coefficients: &sets,
            attention: &[],
        };
        let mut group = group::<T>(criterion, A::NAME, x.len());
        group.bench_function(format!("forward/{len}"), |bencher| {
            bencher.iter(|| A::Pieces::forward(level, operands, &x, &mut y));
        });
        group.bench_function(format!("forward in place/{len}"), |bencher| {
            bencher.iter(|| A::Pieces::forward_inplace(level, operands, &mut y));
        });
        group.bench_function(format!("backward/{len}"), |bencher| {
            bencher.iter(|| {
                let grads = piecewise::Gradients {
                    x: &mut y,
                    coefficients: &mut grad_sets,
                    attention: &mut [],
                };
                A::Pieces::backward(level, operands, &x, &grad_y, grads);
            });
        });
    }
}

fn kernels<T: Scalar>(criterion: &mut Criterion) {
    pools::<T>(criterion);
    products::<T>(criterion);
    squashes::<T>(criterion);
    all_coefficients::<T>(criterion);
    hypers::<T>(criterion);
    attentions::<T>(criterion);
    activations::<Affine, T>(criterion);
    activations::<Swish, T>(criterion);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .sample_size(20);
    targets = kernels::<f32>, kernels::<f64>
}
criterion_main!(benches);
