//! Passes into arrays that are there already allocate nothing: the allocator is not called at all, on no thread.
//!
//! This is a program of its own, without the test harness, whose threads allocate as well.

// These tests are here and not in the root package, whose tests are compiled without optimisation: inputs that are
// worth several threads would take minutes.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{channels_last, random, randomise};
use dyrelu::{Cache, DynamicActivation, Gradients, Layer, Scalar, dynamic_activation};
use ndarray::{Array, ArrayD, Dimension, Ix2, Ix3, Ix4, Ix5, IxDyn};
use rayon::{ThreadPool, ThreadPoolBuilder};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct DyReluA;
#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;
#[dynamic_activation(k = 2, share = "none")]
struct DyReluC;

/// For each rank, an input for one thread and one that is worth several.
const SHAPES: [[&[usize]; 2]; 4] = [
    [&[7, 9], &[2100, 64]],
    [&[3, 9, 31], &[3, 40, 1111]],
    [&[3, 9, 5, 7], &[2, 65, 33, 31]],
    [&[2, 9, 3, 2, 5], &[1, 24, 17, 19, 18]],
];

fn main() {
    assert_ne!(count(|| drop(black_box(vec![1_u8]))), Stats::default());
    // Threads that end release memory, at any time after their pool is gone.
    let pools = [1, 2, 3].map(pool);
    for pool in &pools {
        pool.install(|| {
            check_modes::<f32>();
            check_modes::<f64>();
        });
        println!("nothing is allocated in a pool of {}", pool.current_num_threads());
    }
    check_without_pool();
}

fn check_modes<T: Scalar>() {
    check_ranks::<DyReluA, T>();
    check_ranks::<DyReluB, T>();
    check_ranks::<DyReluC, T>();
}

fn check_ranks<A: DynamicActivation, T: Scalar>() {
    check_shapes::<A, T, Ix2>(SHAPES[0], Array::clone);
    check_shapes::<A, T, Ix3>(SHAPES[1], Array::clone);
    check_shapes::<A, T, Ix4>(SHAPES[2], Array::clone);
    check_shapes::<A, T, Ix5>(SHAPES[3], Array::clone);
    for shapes in SHAPES {
        check_shapes::<A, T, IxDyn>(shapes, Array::clone);
    }
    check_shapes::<A, T, Ix3>(SHAPES[1], |x| channels_last(x));
    check_shapes::<A, T, Ix4>(SHAPES[2], |x| channels_last(x));
    check_shapes::<A, T, Ix5>(SHAPES[3], |x| channels_last(x));
    // Of more than four axes, whose lengths and strides ndarray does not keep in place, each view is allocated.
    check_shapes::<A, T, IxDyn>(SHAPES[2], |x| channels_last(x));
}

fn check_shapes<A: DynamicActivation, T: Scalar, D: Dimension>(
    shapes: [&[usize]; 2],
    layout: impl Fn(&Array<T, D>) -> Array<T, D>,
) {
    let input = |shape: &[usize]| layout(&random(shape, 1).into_dimensionality().unwrap());
    for shape in shapes {
        let mut layer = layer::<A, T>(shape[1]);
        let mut pass = Pass::first(&layer, input(shape));
        assert_nothing(&format!("{layer:?}, {shape:?}"), || pass.again(&layer));
        assert_nothing(&format!("{layer:?}, {shape:?}, a training step"), || {
            for ((_, mut parameter), (_, grad)) in layer.parameters_mut().zip(pass.grads.parameters()) {
                parameter.zip_mut_with(&grad, |value, &grad| *value -= T::from_f64(0.1) * grad);
            }
            pass.again(&layer);
        });
    }

    // The same layer for two sizes, in turns.
    let layer = layer::<A, T>(shapes[0][1]);
    let mut larger = shapes[0].to_vec();
    larger[0] += 2;
    let mut passes = [&larger, shapes[0]].map(|shape| Pass::first(&layer, input(shape)));
    assert_nothing(&format!("{layer:?}, {:?} and {larger:?}", shapes[0]), || {
        for _ in 0..2 {
            for pass in &mut passes {
                pass.again(&layer);
            }
        }
    });

    // The same cache for two sizes.
    let [first, second] = &mut passes;
    core::mem::swap(&mut first.cache, &mut second.cache);
    first.again(&layer);
    second.again(&layer);
    let what = format!("{layer:?}, a cache for {:?} and {larger:?}", shapes[0]);
    let shared = &mut first.cache;
    assert_nothing(&what, || {
        for pass in [(&second.x, &mut second.y), (&first.x, &mut first.y)] {
            layer.forward_train_into(pass.0, pass.1, shared).unwrap();
        }
    });
}

/// Everything that passes write to.
struct Pass<T: Scalar, D: Dimension> {
    x: Array<T, D>,
    y: Array<T, D>,
    inplace: Array<T, D>,
    cache: Cache<T>,
    grads: Gradients<T, D>,
}

impl<T: Scalar, D: Dimension> Pass<T, D> {
    fn first<A: DynamicActivation>(layer: &Layer<A, T>, x: Array<T, D>) -> Self {
        let (mut y, mut cache) = (x.clone(), Cache::default());
        layer.forward_into(&x, &mut y).unwrap();
        layer.forward_train_into(&x, &mut y, &mut cache).unwrap();
        let grads = layer.backward(&x, &cache, &y).unwrap();
        Self {
            inplace: x.clone(),
            x,
            y,
            cache,
            grads,
        }
    }

    fn again<A: DynamicActivation>(&mut self, layer: &Layer<A, T>) {
        let Self {
            x,
            y,
            inplace,
            cache,
            grads,
        } = self;
        layer.forward_into(x, y).unwrap();
        layer.forward_inplace(inplace).unwrap();
        layer.forward_train_into(x, y, cache).unwrap();
        layer.backward_into(x, cache, y, grads).unwrap();
    }
}

/// From a thread that is none of rayon's, a pass on several threads is handed over in a queue, for which rayon
/// allocates a block for every 63 entries.
fn check_without_pool() {
    const CALLS: usize = 200;
    rayon::broadcast(|_| ());
    let layer = layer::<DyReluB, f32>(2);
    let x: ArrayD<f32> = random(&[1, 2, 1 << 16], 1);
    let mut y = x.clone();
    layer.forward_into(&x, &mut y).unwrap();
    let stats = count(|| {
        for _ in 0..CALLS {
            layer.forward_into(&x, &mut y).unwrap();
        }
    });
    println!("{CALLS} passes that enter rayon's threads: {stats:?}");
    assert!(
        stats.allocations <= CALLS / 63 + 1 && stats.reallocations == 0,
        "{stats:?}"
    );

    let x: ArrayD<f32> = random(&[1, 2, 1 << 10], 1);
    let mut y = x.clone();
    layer.forward_into(&x, &mut y).unwrap();
    assert_nothing("a small input, without rayon's threads", || {
        for _ in 0..CALLS {
            layer.forward_into(&x, &mut y).unwrap();
        }
    });
}

fn layer<A: DynamicActivation, T: Scalar>(channels: usize) -> Layer<A, T> {
    let mut layer = A::layer::<T>(channels).build().unwrap();
    randomise(&mut layer, 1);
    layer
}

/// A pool whose threads all have what they allocate when they begin.
fn pool(threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.broadcast(|_| ());
    pool
}

/// What all threads allocate while `run` runs.
fn count(run: impl FnOnce()) -> Stats {
    let region = Region::new(ALLOCATOR);
    run();
    region.change()
}

#[track_caller]
fn assert_nothing(what: &str, run: impl FnOnce()) {
    assert_eq!(count(run), Stats::default(), "{what}");
}
