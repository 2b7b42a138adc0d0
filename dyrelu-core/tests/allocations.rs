//! Passes into arrays that are there already allocate nothing: the allocator is not called at all, on no thread.
//!
//! This is a program of its own, without the test harness, whose threads allocate as well.

// These tests are here and not in the root package, whose tests are compiled without optimisation: inputs that are
// worth several threads would take minutes.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{Bound, any_layer, bind, channels_last, random, random_context};
use dyrelu::gallery::{
    ApRelu, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised, DyShiftMax, DyT, MetaAcon, Plu,
};
use dyrelu::{Cache, DynamicActivation, Gradients, Scalar};
use ndarray::{Array, ArrayD, Dimension, Ix2, Ix3, Ix4, Ix5, IxDyn};
use rayon::{ThreadPool, ThreadPoolBuilder};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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
    check_dynamic_ranks::<DyReluNormalised, T>();
    check_dynamic_ranks::<ApRelu, T>();
    check_dynamic_ranks::<MetaAcon, T>();
    check_dynamic_ranks::<DyT, T>();
    check_dynamic_ranks::<Plu, T>();
    check_dynamic_ranks::<DyShiftMax, T>();
    check_dynamic_ranks::<DyHeadBetween, T>();
}

fn check_ranks<A: DynamicActivation, T: Scalar>() {
    check_shapes::<A, T, Ix2>(SHAPES[0], Array::clone);
    check_shapes::<A, T, Ix3>(SHAPES[1], Array::clone);
    check_shapes::<A, T, Ix4>(SHAPES[2], Array::clone);
    check_shapes::<A, T, Ix5>(SHAPES[3], Array::clone);
    check_shapes::<A, T, Ix3>(SHAPES[1], |x| channels_last(x));
    check_shapes::<A, T, Ix4>(SHAPES[2], |x| channels_last(x));
    check_shapes::<A, T, Ix5>(SHAPES[3], |x| channels_last(x));
    check_dynamic_ranks::<A, T>();
}

fn check_dynamic_ranks<A: DynamicActivation, T: Scalar>() {
    for shapes in SHAPES {
        check_shapes::<A, T, IxDyn>(shapes, Array::clone);
    }
    // Of more than four axes, whose lengths and strides ndarray does not keep in place, each view is allocated. With
    // neighbours there are no kernels for channels that are last: arrays are copied.
    if A::NEIGHBOURS.is_empty() {
        check_shapes::<A, T, IxDyn>(SHAPES[2], |x| channels_last(x));
    }
}

fn check_shapes<A: DynamicActivation, T: Scalar, D: Dimension>(
    shapes: [&[usize]; 2],
    layout: impl Fn(&Array<T, D>) -> Array<T, D>,
) {
    let input = |shape: &[usize]| layout(&random(shape, 1).into_dimensionality().unwrap());
    for shape in shapes {
        let mut layer = any_layer::<A, T>(shape[1], 1);
        let context = random_context::<A, T>([shape[0], shape[1]], 2);
        let bound = bind(&layer, context.as_ref());
        let mut pass = Pass::first(&bound, input(shape));
        assert_nothing(&format!("{layer:?}, {shape:?}"), || pass.again(&bound));
        if context.is_some() {
            // A step needs the layer for itself, and a layer with its context is a new one after it.
            continue;
        }
        assert_nothing(&format!("{layer:?}, {shape:?}, a training step"), || {
            for ((_, mut parameter), (_, grad)) in layer.parameters_mut().zip(pass.grads.parameters()) {
                parameter.zip_mut_with(&grad, |value, &grad| *value -= T::from_f64(0.1) * grad);
            }
            layer.update_statistics(&pass.cache).unwrap();
            pass.again(&bind(&layer, None));
        });
    }

    // The same layer for two sizes, in turns.
    let layer = any_layer::<A, T>(shapes[0][1], 1);
    let mut larger = shapes[0].to_vec();
    larger[0] += 2;
    let contexts = [&larger, shapes[0]].map(|shape| random_context::<A, T>([shape[0], shape[1]], 2));
    let bound = contexts.each_ref().map(|context| bind(&layer, context.as_ref()));
    let mut passes = [
        Pass::first(&bound[0], input(&larger)),
        Pass::first(&bound[1], input(shapes[0])),
    ];
    assert_nothing(&format!("{layer:?}, {:?} and {larger:?}", shapes[0]), || {
        for _ in 0..2 {
            for (pass, bound) in passes.iter_mut().zip(&bound) {
                pass.again(bound);
            }
        }
    });

    // The same cache for two sizes.
    let [first, second] = &mut passes;
    core::mem::swap(&mut first.cache, &mut second.cache);
    first.again(&bound[0]);
    second.again(&bound[1]);
    let what = format!("{layer:?}, a cache for {:?} and {larger:?}", shapes[0]);
    let shared = &mut first.cache;
    assert_nothing(&what, || {
        bound[1].forward_train_into(&second.x, &mut second.y, shared);
        bound[0].forward_train_into(&first.x, &mut first.y, shared);
    });
}

/// Everything that passes write to.
struct Pass<T: Scalar, D: Dimension> {
    x: Array<T, D>,
    y: Array<T, D>,
    /// Activations with neighbours need a second array: they have no pass in place.
    inplace: Option<Array<T, D>>,
    cache: Cache<T>,
    grads: Gradients<T, D>,
}

impl<T: Scalar, D: Dimension> Pass<T, D> {
    fn first<A: DynamicActivation>(layer: &Bound<'_, A, T>, x: Array<T, D>) -> Self {
        let (mut y, mut cache) = (x.clone(), Cache::default());
        layer.forward_into(&x, &mut y);
        layer.forward_train_into(&x, &mut y, &mut cache);
        let grads = layer.backward(&x, &cache, &y);
        Self {
            inplace: A::NEIGHBOURS.is_empty().then(|| x.clone()),
            x,
            y,
            cache,
            grads,
        }
    }

    fn again<A: DynamicActivation>(&mut self, layer: &Bound<'_, A, T>) {
        let Self {
            x,
            y,
            inplace,
            cache,
            grads,
        } = self;
        layer.forward_into(x, y);
        if let Some(x) = inplace {
            layer.forward_inplace(x);
        }
        layer.forward_train_into(x, y, cache);
        layer.backward_into(x, cache, y, grads);
    }
}

/// From a thread that is none of rayon's, a pass on several threads is handed over in a queue, for which rayon
/// allocates a block for every 63 entries.
fn check_without_pool() {
    const CALLS: usize = 200;
    rayon::broadcast(|_| ());
    let layer = any_layer::<DyReluB, f32>(2, 1);
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
