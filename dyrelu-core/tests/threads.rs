//! The same bits for any number of threads, and for calls at the same time.

// These tests are here and not in the root package, whose tests are compiled without optimisation: inputs that are
// worth several threads would take minutes.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{any_layer, bind, channels_last, random, random_context};
use dyrelu::gallery::{ApRelu, DyHeadBetween, DyReluNormalised, DyShiftMax, Maxout, MetaAcon};
use dyrelu::{Cache, DynamicActivation, Gradients, Layer, Scalar, dynamic_activation};
use ndarray::{ArrayD, ArrayRef, Dimension, IxDyn};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::thread;

macro_rules! activations {
    ($($name:ident: $share:literal ($($argument:tt)*);)*) => {$(
        #[dynamic_activation(share = $share, $($argument)*)]
        struct $name;
    )*};
}

activations! {
    DyReluA: "spatial+channel" (k = 2);
    DyReluB: "spatial" (k = 2);
    DyReluC: "none" (k = 2);
    SwishA: "spatial+channel" (k = 1, piece = |x, a, b, c| a * x * sigmoid(b * x) + c, init(a = 1.0, b = 1.0, c = 0.0));
    SwishB: "spatial" (k = 1, piece = |x, a, b, c| a * x * sigmoid(b * x) + c, init(a = 1.0, b = 1.0, c = 0.0));
    SwishC: "none" (k = 1, piece = |x, a, b, c| a * x * sigmoid(b * x) + c, init(a = 1.0, b = 1.0, c = 0.0));
    ShiftC: "none" (k = 2, piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 1)), init(a = 1.0, b = 0.0));
    HalvesA: "spatial+channel" (k = 2, hyper(context = "pooled halves"));
    HalvesC: "none" (k = 2, hyper(context = "pooled halves"));
    ExternalC: "none" (k = 2, hyper(context = "external"));
}

/// For a single thread; and for each number of samples divided between several threads: few and many channels, odd
/// sizes, no spatial axis, several groups of samples.
const SHAPES: [&[usize]; 13] = [
    &[3, 9, 31, 29],
    &[1, 5, 171, 157],
    &[2, 130, 23, 23],
    &[2051, 67],
    &[5, 17, 79, 79],
    &[1, 1, 363, 365],
    &[1, 513, 17, 16],
    &[2, 3, 151, 149],
    &[3, 33, 37, 37],
    &[3, 2, 22_111],
    &[5, 7, 63, 61],
    &[8, 257, 9, 9],
    &[8, 2, 95, 97],
];

/// All that a layer computes, by name.
type Results<T> = Vec<(String, Vec<T>)>;

fn values<T: Scalar, D: Dimension>(array: &ArrayRef<T, D>) -> Vec<T> {
    array.iter().copied().collect()
}

fn cache_results<T: Scalar>(cache: &Cache<T>) -> Results<T> {
    let mut all = vec![
        ("pooled".into(), values(&cache.pooled())),
        ("hidden".into(), values(&cache.hidden())),
        ("coefficients".into(), values(&cache.coefficients())),
    ];
    all.extend(
        cache
            .attention()
            .map(|attention| ("attention".into(), values(&attention))),
    );
    all
}

fn gradient_results<T: Scalar>(grads: &Gradients<T, IxDyn>) -> Results<T> {
    let parameters = grads.parameters();
    let mut all: Results<T> = parameters
        .map(|(name, grad)| (format!("gradient of {name}"), values(&grad)))
        .collect();
    all.push(("gradient of x".into(), values(&grads.x)));
    let context = grads.context.iter();
    all.extend(context.map(|context| ("gradient of the context".into(), values(context))));
    all
}

fn results<A: DynamicActivation, T: Scalar>(
    layer: &Layer<A, T>,
    x: &ArrayD<T>,
    grad_y: &ArrayD<T>,
) -> Results<T> {
    let context = random_context::<A, T>([x.shape()[0], x.shape()[1]], 4);
    let layer = bind(layer, context.as_ref());
    let (y, cache) = layer.forward_train(x);
    let mut inplace = x.clone();
    layer.forward_inplace(&mut inplace);
    let grads = layer.backward(x, &cache, grad_y);
    let mut all = vec![
        ("y".into(), values(&y)),
        ("y of forward".into(), values(&layer.forward(x))),
        ("y in place".into(), values(&inplace)),
    ];
    all.extend(cache_results(&cache));
    all.extend(gradient_results(&grads));
    all
}

#[track_caller]
fn assert_same_bits<T: Scalar>(what: &str, found: &Results<T>, expected: &Results<T>) {
    let bits = |value: T| value.to_f64().to_bits();
    assert_eq!(found.len(), expected.len(), "{what}");
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{what}: {name}");
        for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                bits(found) == bits(expected),
                "{what}: element {i} of {name} is {found}, expected {expected}"
            );
        }
    }
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn check<A: DynamicActivation, T: Scalar>() {
    let pools = [1, 2, 3, 4, 7].map(pool);
    for shape in SHAPES {
        let layer = any_layer::<A, T>(shape[1], 1);
        let (x, grad_y) = (random(shape, 2), random(shape, 3));
        for [x, grad_y] in [[channels_last(&x), channels_last(&grad_y)], [x, grad_y]] {
            let run = |pool: &ThreadPool| pool.install(|| results(&layer, &x, &grad_y));
            let expected = run(&pools[0]);
            for pool in &pools[1..] {
                let what = format!(
                    "{layer:?}, {shape:?} with strides {:?}, {} threads",
                    x.strides(),
                    pool.current_num_threads()
                );
                assert_same_bits(&what, &run(pool), &expected);
            }
        }
    }
}

/// Passes of several sizes at the same time, each as often as it takes for all to have met.
fn check_concurrent<A: DynamicActivation, T: Scalar>() {
    let layer = any_layer::<A, T>(9, 1);
    let sizes: [&[usize]; 4] = [&[3, 9, 31], &[2, 9, 87, 91], &[1, 9, 5, 7], &[5, 9, 55, 57]];
    let inputs: Vec<(ArrayD<T>, ArrayD<T>)> = (0..)
        .zip(sizes)
        .map(|(seed, shape)| (random(shape, seed), random(shape, seed + 10)))
        .collect();
    let expected: Vec<Results<T>> = inputs
        .iter()
        .map(|(x, grad_y)| results(&layer, x, grad_y))
        .collect();

    // Threads that are none of rayon's share its threads.
    thread::scope(|scope| {
        for first in 0..inputs.len() {
            let (layer, inputs, expected) = (&layer, &inputs, &expected);
            scope.spawn(move || {
                for i in (0..inputs.len()).map(|i| (first + i) % inputs.len()) {
                    let (x, grad_y) = &inputs[i];
                    assert_same_bits("from a thread", &results(layer, x, grad_y), &expected[i]);
                }
            });
        }
    });

    // A thread of rayon's that waits for a part of a pass may begin another pass.
    pool(3).install(|| {
        (0..3 * inputs.len()).into_par_iter().for_each(|i| {
            let i = i % inputs.len();
            let (x, grad_y) = &inputs[i];
            assert_same_bits("from a task", &results(&layer, x, grad_y), &expected[i]);
        });
    });
}

macro_rules! tests {
    ($($threads:ident $concurrent:ident: $name:ident $type:ty;)*) => {$(
        #[test]
        fn $threads() {
            check::<$name, $type>();
        }

        #[test]
        fn $concurrent() {
            check_concurrent::<$name, $type>();
        }
    )*};
}

tests! {
    a_f32 concurrent_a_f32: DyReluA f32;
    a_f64 concurrent_a_f64: DyReluA f64;
    b_f32 concurrent_b_f32: DyReluB f32;
    b_f64 concurrent_b_f64: DyReluB f64;
    c_f32 concurrent_c_f32: DyReluC f32;
    c_f64 concurrent_c_f64: DyReluC f64;
    swish_a_f32 concurrent_swish_a_f32: SwishA f32;
    swish_a_f64 concurrent_swish_a_f64: SwishA f64;
    swish_b_f32 concurrent_swish_b_f32: SwishB f32;
    swish_b_f64 concurrent_swish_b_f64: SwishB f64;
    swish_c_f32 concurrent_swish_c_f32: SwishC f32;
    swish_c_f64 concurrent_swish_c_f64: SwishC f64;
    static_f32 concurrent_static_f32: Maxout f32;
    mixed_f32 concurrent_mixed_f32: MetaAcon f32;
    shift_b_f32 concurrent_shift_b_f32: DyShiftMax f32;
    shift_c_f64 concurrent_shift_c_f64: ShiftC f64;
    halves_a_f32 concurrent_halves_a_f32: HalvesA f32;
    halves_b_f64 concurrent_halves_b_f64: ApRelu f64;
    halves_c_f32 concurrent_halves_c_f32: HalvesC f32;
    external_b_f32 concurrent_external_b_f32: DyHeadBetween f32;
    external_c_f64 concurrent_external_c_f64: ExternalC f64;
    normalised_f32 concurrent_normalised_f32: DyReluNormalised f32;
    normalised_f64 concurrent_normalised_f64: DyReluNormalised f64;
}
