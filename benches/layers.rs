//! Whole layers: forward, and forward with backward, in modes A, B and C, into arrays that are there already.
//!
//! They work on all threads; `RAYON_NUM_THREADS=1` leaves them one.
//!
//! ```console
//! cargo bench --bench layers
//! ```

#![expect(missing_docs, reason = "criterion writes a public function without")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dyrelu::{DynamicActivation, dynamic_activation};
use ndarray::{Array4, Dim};
use std::hint::black_box;
use std::time::Duration;

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct A;

#[dynamic_activation(k = 2, share = "spatial")]
struct B;

#[dynamic_activation(k = 4, share = "spatial")]
struct B4;

#[dynamic_activation(k = 2, share = "none")]
struct C;

/// `[N, C, H, W]` of convolutional networks, from the first layer to the last, and a small one.
const SHAPES: [[usize; 4]; 6] = [
    [1, 64, 112, 112],
    [8, 64, 56, 56],
    [8, 256, 28, 28],
    [32, 96, 14, 14],
    [64, 512, 7, 7],
    [1, 16, 32, 32],
];

fn layers(criterion: &mut Criterion) {
    layer::<A>(criterion, "A, K=2");
    layer::<B>(criterion, "B, K=2");
    layer::<B4>(criterion, "B, K=4");
    layer::<C>(criterion, "C, K=2");
}

fn layer<A: DynamicActivation>(criterion: &mut Criterion, name: &str) {
    for shape in SHAPES {
        let layer = A::layer::<f32>(shape[1]).build().expect("valid options");
        let x = Array4::from_shape_fn(Dim(shape), |(n, c, h, w)| {
            ((n + 3 * c + 5 * h + 7 * w) as f32).sin()
        });
        let grad_y = x.mapv(|x| 1.0 - x);
        let mut y = Array4::zeros(Dim(shape));

        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(x.len() as u64));
        let id = shape.map(|length| length.to_string()).join("×");
        group.bench_function(format!("forward/{id}"), |bencher| {
            bencher.iter(|| layer.forward_into(black_box(&x), &mut y));
        });
        group.bench_function(format!("forward and backward/{id}"), |bencher| {
            let (_, mut cache) = layer.forward_train(&x).expect("a fitting shape");
            let mut grads = layer.backward(&x, &cache, &grad_y).expect("a fitting shape");
            bencher.iter(|| {
                layer.forward_train_into(black_box(&x), &mut y, &mut cache)?;
                layer.backward_into(&x, &cache, &grad_y, &mut grads)
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = layers
}
criterion_main!(benches);
