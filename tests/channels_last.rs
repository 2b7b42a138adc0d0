//! Arrays whose channels are the last axis in memory: against the same arrays in standard layout, and against PyTorch.

mod common;

use common::{
    assert_close, assert_slices_close, channels_last, golden, levels, random, random_vec, randomise, tensor,
};
use core::cmp::Ordering;
use dyrelu::kernels::piecewise::PieceSet;
use dyrelu::kernels::{Level, attention, channels_last, piecewise, pool};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{Cache, DynamicActivation, Gradients, Layer, Piece, Scalar, Sharing, dynamic_activation};
use ndarray::{Array, Array2, Array4, ArrayD, ArrayRef, Axis, Dimension, IxDyn};

const CHANNELS: [usize; 11] = [1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 100];
const POSITIONS: [usize; 5] = [1, 2, 5, 49, 300];
/// The channels that are tested with the largest number of positions as well.
const MANY_POSITIONS: [usize; 2] = [3, 17];

macro_rules! activations {
    ($($name:ident: $k:tt $share:tt;)*) => {$(
        #[dynamic_activation(k = $k, share = $share)]
        struct $name;
    )*};
}

activations! {
    A1: 1 "spatial+channel"; A2: 2 "spatial+channel"; A3: 3 "spatial+channel"; A4: 4 "spatial+channel";
    B1: 1 "spatial"; B2: 2 "spatial"; B3: 3 "spatial"; B4: 4 "spatial";
    C1: 1 "none"; C2: 2 "none"; C3: 3 "none"; C4: 4 "none";
}

/// One with an exponential function, one with a branch.
macro_rules! pieces {
    ($($swish:ident $branch:ident: $share:tt;)*) => {$(
        #[dynamic_activation(
            k = 2, share = $share, piece = |x, a, b| a * x * sigmoid(b * x), init(a = 1.0, b = 1.0)
        )]
        struct $swish;
        #[dynamic_activation(
            k = 3, share = $share, combine = "min", init(a = 1.0, t = 0.1),
            piece = |x, a, t| if x > t { a * x } else { t * x * x }
        )]
        struct $branch;
    )*};
}

pieces! { SwishA BranchA: "spatial+channel"; SwishB BranchB: "spatial"; SwishC BranchC: "none"; }

#[dynamic_activation(k = 4, share = "spatial", combine = "sum", piece = |x, a| exp(a * x), init(a = 0.5))]
struct ExponentialB;
#[dynamic_activation(k = 1, share = "none", piece = |x, a, b, c| a * x * x + tanh(b * x) + c, init(a = 0.0, b = 0.0, c = 0.0))]
struct CurvedC;

/// `[N, C, S]` as `[N, S, C]`.
fn permuted<T: Clone>([samples, channels, positions]: [usize; 3], x: &[T]) -> Vec<T> {
    let x = Array::from_shape_vec((samples, channels, positions), x.to_vec()).unwrap();
    x.permuted_axes([0, 2, 1]).iter().cloned().collect()
}

fn widen<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// Whether the numbers are the same, or none.
#[track_caller]
fn assert_same<T: Scalar>(what: &str, found: &[T], expected: &[T]) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    for (i, (found, expected)) in widen(found).iter().zip(widen(expected)).enumerate() {
        let same =
            found.partial_cmp(&expected) == Some(Ordering::Equal) || found.is_nan() && expected.is_nan();
        assert!(same, "{what}: element {i} is {found}, expected {expected}");
    }
}

fn elements<T: Scalar, D: Dimension>(array: &ArrayRef<T, D>) -> Vec<T> {
    array.iter().copied().collect()
}

/// Runs a check for both number types with their tolerances, on every instruction set.
macro_rules! for_all {
    ($check:ident) => {
        for level in levels() {
            $check::<f32>(level, 1e-5);
            $check::<f64>(level, 1e-13);
        }
    };
}

#[test]
fn means_are_those_of_rows() {
    fn run<T: Scalar>(level: Level, _: f64) {
        for channels in CHANNELS {
            for positions in [1, 2, 3, 15, 16, 17, 49, 300, 2100] {
                if positions > 100 && !MANY_POSITIONS.contains(&channels) {
                    continue;
                }
                let shape = [2, channels, positions];
                let x = random_vec::<T>(shape.iter().product(), 1);
                let mut means = vec![T::default(); 2 * channels];
                pool::forward(level, positions, &x, &mut means);
                let mut found = vec![T::from_f64(9.0); 2 * channels];
                channels_last::pool::forward(level, [positions, channels], &permuted(shape, &x), &mut found);
                assert_same(&format!("means {shape:?} {level:?}"), &found, &means);

                let mut grad_x = x.clone();
                pool::backward(level, positions, &means, &mut grad_x);
                let mut found = permuted(shape, &x);
                channels_last::pool::backward(level, [positions, channels], &means, &mut found);
                assert_same(
                    &format!("gradient {shape:?} {level:?}"),
                    &found,
                    &permuted(shape, &grad_x),
                );
            }
        }
    }
    for_all!(run);
}

#[test]
fn scores_are_those_of_rows() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for channels in CHANNELS {
            for positions in [1, 2, 3, 15, 16, 17, 49, 300] {
                if positions > 100 && !MANY_POSITIONS.contains(&channels) {
                    continue;
                }
                let shape = [2, channels, positions];
                let what = format!("{shape:?} {level:?}");
                let x = random_vec::<T>(shape.iter().product(), 1);
                let last = permuted(shape, &x);
                let weight = random_vec::<T>(channels, 2);
                let operands = attention::Operands {
                    positions,
                    scaling: attention::Scaling::PAPER,
                    weight: &weight,
                };
                let mut rows = [2 * channels, 2 * positions].map(|len| vec![T::from_f64(0.25); len]);
                let mut found = rows.clone();
                let [pooled, scores] = &mut rows;
                attention::pool(level, operands, &x, pooled, scores);
                let [found_pooled, found_scores] = &mut found;
                channels_last::attention::pool(level, operands, &last, found_pooled, found_scores);
                assert_same(&what, found_pooled, pooled);
                if positions > 1 {
                    assert_same(&what, found_scores, scores);
                } else {
                    assert_slices_close(&what, &widen(found_scores), &widen(scores), tolerance);
                }

                let (mut grad_x, mut grad_weight) = (x.clone(), weight.clone());
                let (mut found_x, mut found_weight) = (last.clone(), weight.clone());
                for n in 0..2 {
                    let sample = n * channels * positions..(n + 1) * channels * positions;
                    let grad_scores = &scores[n * positions..][..positions];
                    let grad_pooled = &pooled[n * channels..][..channels];
                    attention::pool_backward(
                        level,
                        operands,
                        &x[sample.clone()],
                        grad_scores,
                        grad_pooled,
                        &mut grad_x[sample.clone()],
                        &mut grad_weight,
                    );
                    channels_last::attention::pool_backward(
                        level,
                        operands,
                        &last[sample.clone()],
                        grad_scores,
                        grad_pooled,
                        &mut found_x[sample],
                        &mut found_weight,
                    );
                }
                assert_slices_close(
                    &what,
                    &widen(&found_x),
                    &widen(&permuted(shape, &grad_x)),
                    tolerance,
                );
                assert_slices_close(&what, &widen(&found_weight), &widen(&grad_weight), tolerance);
            }
        }
    }
    for_all!(run);
}

#[test]
fn activations_are_those_of_rows() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        activation_case::<A3, T>(level, tolerance);
        activation_case::<B2, T>(level, tolerance);
        activation_case::<C2, T>(level, tolerance);
        activation_case::<BranchB, T>(level, tolerance);
        activation_case::<SwishC, T>(level, tolerance);
        activation_case::<ExponentialB, T>(level, tolerance);
        activation_case::<CurvedC, T>(level, tolerance);
    }
    for_all!(run);
}

fn activation_case<A: DynamicActivation, T: Scalar>(level: Level, tolerance: f64) {
    for channels in CHANNELS {
        for positions in POSITIONS {
            if positions > 100 && !MANY_POSITIONS.contains(&channels) {
                continue;
            }
            activation_shape::<A, T>(level, tolerance, [2, channels, positions]);
        }
    }
}

fn activation_shape<A: DynamicActivation, T: Scalar>(level: Level, tolerance: f64, shape: [usize; 3]) {
    let [samples, channels, positions] = shape;
    let what = format!("{} {shape:?} {level:?}", A::NAME);
    let x = random_vec::<T>(shape.iter().product(), 1);
    let grad_y = random_vec::<T>(x.len(), 2);
    let shared = A::SHARING == Sharing::SpatialAndChannel;
    let (sets, len) = if shared {
        (1, channels * positions)
    } else {
        (channels, positions)
    };
    let set = <A::Pieces as PieceSet<A>>::K * <A::Pieces as PieceSet<A>>::P;
    let coefficients = random_vec::<T>(samples * sets * set, 3);
    let scores = if A::SHARING == Sharing::Unshared {
        samples * positions
    } else {
        0
    };
    let attention: Vec<T> = random_vec::<f64>(scores, 4)
        .iter()
        .map(|v| T::from_f64(v.abs()))
        .collect();
    let rows = piecewise::Operands {
        len,
        coefficients: &coefficients,
        attention: &attention,
    };
    let last = channels_last::piecewise::Operands {
        positions,
        channels,
        coefficients: &coefficients,
        attention: &attention,
    };

    let mut y = vec![T::from_f64(9.0); x.len()];
    A::Pieces::forward(level, rows, &x, &mut y);
    let x_last = permuted(shape, &x);
    let mut found = vec![T::from_f64(9.0); x.len()];
    A::Pieces::forward_channels_last(level, last, &x_last, &mut found);
    assert_same(&what, &found, &permuted(shape, &y));
    found.copy_from_slice(&x_last);
    A::Pieces::forward_channels_last_inplace(level, last, &mut found);
    assert_same(&what, &found, &permuted(shape, &y));

    let mut grads = [x.len(), coefficients.len(), scores].map(|len| vec![T::from_f64(9.0); len]);
    let mut found = grads.clone();
    let [grad_x, grad_coefficients, grad_attention] = &mut grads;
    A::Pieces::backward(
        level,
        rows,
        &x,
        &grad_y,
        piecewise::Gradients {
            x: grad_x,
            coefficients: grad_coefficients,
            attention: grad_attention,
        },
    );
    let [found_x, found_coefficients, found_attention] = &mut found;
    A::Pieces::backward_channels_last(
        level,
        last,
        &x_last,
        &permuted(shape, &grad_y),
        piecewise::Gradients {
            x: found_x,
            coefficients: found_coefficients,
            attention: found_attention,
        },
    );
    assert_same(&what, found_x, &permuted(shape, grad_x));
    assert_slices_close(
        &what,
        &widen(found_coefficients),
        &widen(grad_coefficients),
        tolerance,
    );
    assert_slices_close(&what, &widen(found_attention), &widen(grad_attention), tolerance);
}

/// Single precision loses small numbers in long sums that are added up one by one.
#[test]
fn long_sums_are_accurate_in_single_precision() {
    let (positions, channels) = (1_000_003, 2);
    let x = vec![0.7_f32; positions * channels];
    let grad_y = vec![0.1_f32; x.len()];
    for level in levels() {
        let mut pooled = [9.0; 2];
        channels_last::pool::forward(level, [positions, channels], &x, &mut pooled);
        assert!(
            pooled.iter().all(|mean| (mean / 0.7 - 1.0).abs() < 1e-6),
            "{pooled:?}"
        );

        let mut grad_x = vec![9.0; x.len()];
        let mut grad_coefficients = [9.0_f32; 8];
        channels_last::piecewise::backward::<B2, f32, 2, 2>(
            level,
            channels_last::piecewise::Operands {
                positions,
                channels,
                coefficients: &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
                attention: &[],
            },
            &x,
            &grad_y,
            piecewise::Gradients {
                x: &mut grad_x,
                coefficients: &mut grad_coefficients,
                attention: &mut [],
            },
        );
        let sum = f64::from(0.1_f32) * 1_000_003.0;
        for grads in grad_coefficients.chunks(4) {
            let [a0, a1, b0, b1] = [0, 1, 2, 3].map(|i| f64::from(grads[i]));
            assert!((a0 / (sum * f64::from(0.7_f32)) - 1.0).abs() < 1e-6, "{a0}");
            assert!((b0 / sum - 1.0).abs() < 1e-6, "{b0}");
            assert!(a1 == 0.0 && b1 == 0.0, "{a1} {b1}");
        }

        let mut grad_weight = [0.0; 2];
        channels_last::attention::pool_backward(
            level,
            attention::Operands {
                positions,
                scaling: attention::Scaling::PAPER,
                weight: &[0.0; 2],
            },
            &x,
            &grad_y[..positions],
            &[0.0; 2],
            &mut grad_x,
            &mut grad_weight,
        );
        let sum = sum * f64::from(0.7_f32);
        assert!(
            grad_weight
                .iter()
                .all(|&grad| (f64::from(grad) / sum - 1.0).abs() < 1e-6),
            "{grad_weight:?}"
        );
    }
}

fn layer<A: DynamicActivation, T: Scalar>(channels: usize) -> Layer<A, T> {
    let mut layer = A::layer::<T>(channels).build().unwrap();
    randomise(&mut layer, 5);
    layer
}

/// Every pass of a layer, for an array in standard layout and for the same one with its channels last.
fn layer_case<A: DynamicActivation, T: Scalar>(tolerance: f64) {
    for channels in CHANNELS {
        let layer = layer::<A, T>(channels);
        for positions in POSITIONS {
            if positions > 100 && !MANY_POSITIONS.contains(&channels) {
                continue;
            }
            let x = random::<T>(&[2, channels, positions], 6);
            check_layer(&layer, &x, tolerance);
        }
    }
}

fn check_layer<A: DynamicActivation, T: Scalar, D: Dimension>(
    layer: &Layer<A, T>,
    x: &Array<T, D>,
    tolerance: f64,
) {
    let what = format!("{} {:?}", A::NAME, x.shape());
    let (y, cache) = layer.forward_train(x).unwrap();
    let last = channels_last(x);

    // The same bits, in the memory order of the input, whatever the output was before.
    let (found, found_cache) = layer.forward_train(&last).unwrap();
    assert_eq!(found.strides(), last.strides(), "{what}");
    assert_same(&what, &elements(&found), &elements(&y));
    assert_same(
        &what,
        &elements(&found_cache.coefficients()),
        &elements(&cache.coefficients()),
    );
    assert_same(&what, &elements(&layer.forward(&last).unwrap()), &elements(&y));
    for output in [x, &last] {
        let mut output = output.clone();
        for input in [x, &last] {
            layer.forward_into(input, &mut output).unwrap();
            assert_same(&what, &elements(&output), &elements(&y));
        }
    }
    let mut inplace = last.clone();
    layer.forward_inplace(&mut inplace).unwrap();
    assert_same(&what, &elements(&inplace), &elements(&y));

    let grads = layer.backward(x, &cache, &y).unwrap();
    let mut into = layer.backward(x, &cache, x).unwrap();
    let found = layer.backward(&last, &found_cache, &found).unwrap();
    layer
        .backward_into(&last, &cache, &channels_last(&y), &mut into)
        .unwrap();
    for found in [&found, &into] {
        assert_eq!(found.x.strides(), last.strides(), "{what}");
        check_gradients(&what, found, &grads, tolerance);
    }
}

/// Sums over positions and samples may cancel: what is small was added up from larger numbers.
fn check_gradients<T: Scalar, D: Dimension>(
    what: &str,
    found: &Gradients<T, D>,
    expected: &Gradients<T, D>,
    tolerance: f64,
) {
    assert_close(what, &found.x, &expected.x, tolerance);
    for ((name, found), (_, expected)) in found.parameters().zip(expected.parameters()) {
        let scale = expected.len() as f64;
        let largest = expected
            .iter()
            .fold(1.0, |largest: f64, v| largest.max(v.to_f64().abs()));
        for (found, expected) in found.iter().zip(expected) {
            let difference = (found.to_f64() - expected.to_f64()).abs();
            assert!(
                difference <= tolerance * largest,
                "{what} {name} of {scale}: {found:?}, expected {expected:?}"
            );
        }
    }
}

macro_rules! layer_tests {
    ($($test:ident: $($activation:ident)*;)*) => {$(
        #[test]
        fn $test() {
            $(
                layer_case::<$activation, f32>(1e-5);
                layer_case::<$activation, f64>(1e-12);
            )*
        }
    )*};
}

layer_tests! {
    layers_of_mode_a: A1 A2 A3 A4 SwishA BranchA;
    layers_of_mode_b: B1 B2 B3 B4 SwishB BranchB;
    layers_of_mode_c: C1 C2 C3 C4 SwishC BranchC;
}

#[test]
fn any_rank_and_one_of_everything() {
    for shape in [
        &[1, 20, 3, 5][..],
        &[3, 20, 1, 1],
        &[1, 20, 1, 4],
        &[2, 20, 4, 1],
        &[1, 1, 3, 3],
        &[2, 5, 2, 3, 4],
        &[2, 5, 2, 1, 2, 3],
        &[4, 9],
        &[1, 17],
    ] {
        let x = random::<f64>(shape, 7);
        check_layer(&layer::<A2, f64>(shape[1]), &x, 1e-12);
        check_layer(&layer::<B2, f64>(shape[1]), &x, 1e-12);
        check_layer(&layer::<C2, f64>(shape[1]), &x, 1e-12);
    }
}

/// x, the gradient of y and the gradients that are there, in all combinations of orders.
#[test]
fn mixed_orders() {
    let shape = [3, 19, 4, 5];
    let layer = layer::<C3, f64>(shape[1]);
    let [x, grad_y] = [1, 2].map(|seed| random::<f64>(&shape, seed));
    let (_, cache) = layer.forward_train(&x).unwrap();
    let expected = layer.backward(&x, &cache, &grad_y).unwrap();
    let orders = |x: &ArrayD<f64>| {
        let reversed = x.t().as_standard_layout().into_owned().reversed_axes();
        [x.clone(), channels_last(x), reversed]
    };
    for (i, x) in orders(&x).iter().enumerate() {
        for grad_y in orders(&grad_y) {
            let found = layer.backward(x, &cache, &grad_y).unwrap();
            let order = if i == 2 { &expected.x } else { x };
            assert_eq!(found.x.strides(), order.strides());
            check_gradients("mixed", &found, &expected, 1e-12);
            for before in orders(x) {
                let mut found = layer.backward(&before, &cache, &before).unwrap();
                layer.backward_into(x, &cache, &grad_y, &mut found).unwrap();
                assert_eq!(found.x.strides(), order.strides());
                check_gradients("mixed", &found, &expected, 1e-12);
            }
        }
    }
    let (y, mut cache) = layer.forward_train(&x).unwrap();
    for x in orders(&x) {
        for mut found in orders(&grad_y) {
            layer.forward_into(&x, &mut found).unwrap();
            assert_eq!(found, y);
            layer.forward_train_into(&x, &mut found, &mut cache).unwrap();
            assert_eq!(found, y);
        }
    }
}

/// A view of a part of the channels is contiguous in neither order, one of some samples is.
#[test]
fn parts_of_arrays() {
    let x = channels_last(&random::<f32>(&[6, 24, 3, 3], 1));
    let layer = layer::<B3, f32>(24);
    let y = layer.forward(&x).unwrap();
    let some = x.slice_axis(Axis(0), (2..5).into());
    let found = layer.forward(&some).unwrap();
    assert_eq!(found, y.slice_axis(Axis(0), (2..5).into()));
    assert_eq!(found.strides(), some.strides());

    let wide = channels_last(&random::<f32>(&[2, 30, 3, 3], 1));
    let part = wide.slice_axis(Axis(1), (3..27).into());
    let found = layer.forward(&part).unwrap();
    assert_eq!(found, layer.forward(&part.as_standard_layout()).unwrap());
    assert!(found.is_standard_layout());
}

/// NaN and infinities reach the same elements of everything in both orders.
#[test]
fn special_numbers() {
    fn run<A: DynamicActivation, T: Scalar>(channels: usize, positions: usize, special: f64) {
        let layer = layer::<A, T>(channels);
        let x = random::<T>(&[2, channels, positions], 3);
        for [c, s] in [
            [0, 0],
            [channels / 2, positions / 2],
            [channels - 1, positions - 1],
        ] {
            let mut x = x.clone();
            x[[1, c, s]] = T::from_f64(special);
            let last = channels_last(&x);
            let what = format!("{} {:?} {c} {s} {special}", A::NAME, x.shape());
            let pass = |x: &ArrayD<T>| -> (ArrayD<T>, Cache<T>, Gradients<T, IxDyn>) {
                let (y, cache) = layer.forward_train(x).unwrap();
                let mut grad_y = x.clone();
                grad_y.fill(T::from_f64(1.0));
                let grads = layer.backward(x, &cache, &grad_y).unwrap();
                (y, cache, grads)
            };
            let ((y, _, grads), (found_y, _, found)) = (pass(&x), pass(&last));
            assert_same(&what, &elements(&found_y), &elements(&y));
            let mut inplace = last.clone();
            layer.forward_inplace(&mut inplace).unwrap();
            assert_same(&what, &elements(&inplace), &elements(&y));
            for (found, expected) in found.x.iter().zip(&grads.x) {
                let (found, expected) = (found.to_f64(), expected.to_f64());
                let close = (found - expected).abs() <= 1e-4 * (1.0 + expected.abs());
                let same = found.is_nan() && expected.is_nan() || found.total_cmp(&expected).is_eq();
                assert!(close || same, "{what}: {found}, expected {expected}");
            }
        }
    }
    for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for channels in [3, 16, 21] {
            for positions in [1, 3, 40] {
                run::<A2, f32>(channels, positions, special);
                run::<B2, f32>(channels, positions, special);
                run::<C2, f32>(channels, positions, special);
                run::<BranchB, f64>(channels, positions, special);
            }
        }
    }
}

#[test]
fn without_positions_or_samples() {
    for shape in [[0, 4, 2, 2], [2, 4, 0, 3], [2, 4, 3, 0]] {
        let layer = layer::<C2, f32>(4);
        let x = Array4::<f32>::zeros((shape[0], shape[2], shape[3], shape[1])).permuted_axes([0, 3, 1, 2]);
        let (y, cache) = layer.forward_train(&x).unwrap();
        assert_eq!(y.shape(), shape);
        let grads = layer.backward(&x, &cache, &y).unwrap();
        assert_eq!(grads.x.shape(), shape);
        layer.forward_inplace(&mut x.clone()).unwrap();
    }
}

/// A piece that is never applied to what stands between the channels of two positions.
#[test]
fn other_lanes_have_no_effect() {
    #[dynamic_activation(k = 1, share = "spatial", piece = |x, a| a * x * x, init(a = 0.0))]
    struct Square;

    fn run<A: DynamicActivation + Piece<1>>(channels: usize, positions: usize) {
        for level in levels() {
            let mut x = vec![0.5_f32; channels * positions];
            let huge = channels * (positions / 2) + channels - 1;
            x[huge] = 1e20;
            let coefficients = vec![1.0_f32; channels];
            let (mut grad_x, mut grad_coefficients) = (x.clone(), coefficients.clone());
            channels_last::piecewise::backward::<A, f32, 1, 1>(
                level,
                channels_last::piecewise::Operands {
                    positions,
                    channels,
                    coefficients: &coefficients,
                    attention: &[],
                },
                &x,
                &vec![1.0; x.len()],
                piecewise::Gradients {
                    x: &mut grad_x,
                    coefficients: &mut grad_coefficients,
                    attention: &mut [],
                },
            );
            let (last, others) = grad_coefficients.split_last().unwrap();
            assert!(last.is_infinite());
            assert!(
                others
                    .iter()
                    .all(|&grad| (grad - 0.25 * positions as f32).abs() < 1e-4)
            );
        }
    }
    for channels in CHANNELS {
        for positions in POSITIONS {
            run::<Square>(channels, positions);
        }
    }
}

/// The vectors from PyTorch, with the channels of all arrays last.
#[test]
fn values_and_gradients_are_those_of_pytorch() {
    const NAMES: [(&str, &str); 5] = [
        ("fc1.weight", "fc1.weight"),
        ("fc1.bias", "fc1.bias"),
        ("fc2.weight", "fc2.weight"),
        ("fc2.bias", "fc2.bias"),
        ("attention.weight", "att.weight"),
    ];

    fn check<A: DynamicActivation>(file: &SafeTensors<'_>, hidden: usize, temperature: Option<f64>) {
        let x = channels_last(&tensor(file, "x"));
        let mut builder = A::layer::<f64>(x.shape()[1]).hidden(hidden);
        if let Some(temperature) = temperature {
            builder = builder.temperature(temperature);
        }
        let mut layer = builder.build().unwrap();
        let names = &NAMES[..layer.parameters().len().min(5)];
        for (ours, theirs) in names.iter().chain(&[("attention.bias", "att.bias")]) {
            if let Some(mut parameter) = layer.parameter_mut(ours) {
                let value = tensor(file, &format!("param.{theirs}"));
                let value = value.into_shape_with_order(parameter.shape()).unwrap();
                parameter.assign(&value);
            }
        }
        let (y, cache) = layer.forward_train(&x).unwrap();
        assert_close("y", &y, &tensor(file, "y"), 1e-12);
        let grad_y = channels_last(&tensor(file, "grad_y"));
        let grads = layer.backward(&x, &cache, &grad_y).unwrap();
        assert_close("dx", &grads.x, &tensor(file, "dx"), 1e-12);
        for (ours, theirs) in names {
            let grad = grads.parameter(ours).unwrap();
            let expected = tensor(file, &format!("grad.{theirs}"));
            let expected = expected.into_shape_with_order(grad.shape()).unwrap();
            assert_close(ours, &grad, &expected, 1e-12);
        }
    }

    let mut cases = 0;
    for entry in std::fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let vectors = path
            .extension()
            .is_some_and(|extension| extension == "safetensors");
        if !vectors || name.starts_with("islanna") || name.contains("constants") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = metadata.metadata().clone().unwrap();
        let case = match (metadata["mode"].as_str(), metadata["k"].as_str()) {
            ("A", "1") => check::<A1>,
            ("A", "2") => check::<A2>,
            ("A", "3") => check::<A3>,
            ("A", "4") => check::<A4>,
            ("B", "1") => check::<B1>,
            ("B", "2") => check::<B2>,
            ("B", "3") => check::<B3>,
            ("B", "4") => check::<B4>,
            ("C", "1") => check::<C1>,
            ("C", "2") => check::<C2>,
            ("C", "3") => check::<C3>,
            ("C", "4") => check::<C4>,
            other => panic!("{name}: {other:?}"),
        };
        println!("{name}");
        case(
            &file,
            metadata["hidden"].parse().unwrap(),
            metadata["tau"].parse().ok(),
        );
        cases += 1;
    }
    assert_eq!(cases, 44);
}

/// Rows of one element are both layouts at once.
#[test]
fn rank_two() {
    let layer = layer::<B2, f32>(40);
    let x: Array2<f32> = random::<f32>(&[7, 40], 1).into_dimensionality().unwrap();
    let fortran = x.t().as_standard_layout().into_owned().reversed_axes();
    assert_eq!(layer.forward(&x).unwrap(), layer.forward(&fortran).unwrap());
    let (y, cache) = layer.forward_train(&x).unwrap();
    let coefficients = cache.coefficients();
    for ((n, c), &y) in y.indexed_iter() {
        let piece = |k| coefficients[[n, c, 0, k]] * x[[n, c]] + coefficients[[n, c, 1, k]];
        assert!((y - f32::max(piece(0), piece(1))).abs() < 1e-5);
    }
}
