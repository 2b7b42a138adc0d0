//! Every kernel against its naive twin, on every instruction set, for lengths around those of a vector.
#![expect(clippy::float_cmp, reason = "what is exact is compared exactly")]

mod common;

use common::{assert_slices_close, check, input, levels, narrow, widen};
use dyrelu::kernels::{Level, attention, coefficients, hyper, linear, piecewise, pool, squash};
use dyrelu::{DynamicActivation, Inner, Piece, Scalar, Sharing, Squash, dynamic_activation, reference};

const LENGTHS: [usize; 14] = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 49, 300, 5000];

/// Runs a check for both number types with their tolerances, on every instruction set.
macro_rules! for_all {
    ($check:ident) => {
        for level in levels() {
            $check::<f32>(level, 2e-6);
            $check::<f64>(level, 1e-14);
        }
    };
}

#[test]
fn pool_is_its_twin() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for len in LENGTHS {
            let x = input(3 * len, 1);
            let mut pooled = narrow::<T>(&[9.0; 3]);
            pool::forward(level, len, &narrow(&x), &mut pooled);
            check(
                "pooled",
                level,
                &pooled,
                &reference::pool::forward(3, len, &x),
                tolerance,
            );

            let before = input(3 * len, 2);
            let grad_pooled = input(3, 3);
            let mut grad_x = narrow::<T>(&before);
            pool::backward(level, len, &narrow(&grad_pooled), &mut grad_x);
            let mut expected = reference::pool::backward(len, &grad_pooled);
            expected
                .iter_mut()
                .zip(before)
                .for_each(|(grad, before)| *grad += before);
            check("gradient of x", level, &grad_x, &expected, tolerance);
        }
    }
    for_all!(run);
}

/// A sum in single precision must not lose what a long sum of equal numbers loses.
#[test]
fn the_mean_of_a_million_equal_numbers_is_exact_to_a_millionth() {
    for level in levels() {
        let mut pooled = [0.0];
        pool::forward(level, 1_000_000, &vec![0.1_f32; 1_000_000], &mut pooled);
        assert!((pooled[0] - 0.1_f32).abs() <= 1e-7, "{pooled:?}");
        pool::forward(level, 999_999, &vec![1.0e8_f32 / 3.0; 999_999], &mut pooled);
        assert!((pooled[0] * 3.0e-8 - 1.0).abs() <= 1e-6, "{pooled:?}");
    }
}

/// Single precision loses what is added to a sum that is 2²⁴ times larger; a partial sum has at most 512 elements.
#[test]
fn small_numbers_after_a_large_one_are_not_lost() {
    for level in levels() {
        let mut x = vec![1.0_f32; 100_000];
        x[0] = 16_777_216.0;
        let mut pooled = [0.0];
        pool::forward(level, x.len(), &x, &mut pooled);
        let sum = f64::from(pooled[0]) * 1e5;
        assert!((sum - 16_877_215.0).abs() < 600.0, "{sum}");
    }
}

#[test]
fn linear_is_its_twin() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for (samples, inputs, outputs) in [
            (0, 3, 2),
            (1, 1, 1),
            (3, 5, 7),
            (2, 64, 16),
            (2, 17, 129),
            (5, 33, 4),
        ] {
            let (x, weight) = (input(samples * inputs, 1), input(outputs * inputs, 2));
            let (bias, grad_y) = (input(outputs, 3), input(samples * outputs, 4));
            let (x_t, weight_t) = (narrow::<T>(&x), narrow::<T>(&weight));

            let mut y = narrow::<T>(&vec![9.0; samples * outputs]);
            linear::forward(level, inputs, &x_t, &weight_t, &narrow(&bias), &mut y);
            check(
                "y",
                level,
                &y,
                &reference::linear::forward(inputs, &x, &weight, &bias),
                tolerance,
            );

            let mut grads = [x.len(), weight.len(), outputs].map(|len| narrow::<T>(&vec![9.0; len]));
            let [grad_x, grad_weight, grad_bias] = &mut grads;
            linear::backward(
                level,
                linear::Operands {
                    inputs,
                    x: &x_t,
                    weight: &weight_t,
                },
                &narrow(&grad_y),
                linear::Gradients {
                    x: grad_x,
                    weight: grad_weight,
                    bias: grad_bias,
                },
            );
            let expected = reference::linear::backward(inputs, &x, &weight, &grad_y);
            for (i, (grad, expected)) in grads.iter().zip(&expected).enumerate() {
                check(["x", "weight", "bias"][i], level, grad, expected, tolerance);
            }
        }
    }
    for_all!(run);
}

/// What is laid out once for many passes, what is computed for some outputs only, and what is computed on one way
/// through x: the bits are those of the kernels that do it at once.
#[test]
fn kernels_in_parts_give_the_same_bits() {
    fn run<T: Scalar>(level: Level, _: f64) {
        for (samples, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (9, 64, 33), (13, 130, 70)] {
            let [x, weight, bias, grad_y] = [samples * inputs, outputs * inputs, outputs, samples * outputs]
                .map(|len| narrow::<T>(&input(len, len as u64)));
            let mut expected = narrow::<T>(&vec![9.0; samples * outputs]);
            linear::forward(level, inputs, &x, &weight, &bias, &mut expected);
            let (mut packed, mut found) = (Vec::new(), expected.clone());
            linear::pack(level, inputs, &weight, &mut packed);
            linear::forward_packed(level, inputs, &x, &packed, &bias, &mut found);
            assert!(found == expected, "packed ({level:?})");

            let shape = [inputs, outputs];
            let mut expected = [weight.len(), outputs].map(|len| narrow::<T>(&vec![9.0; len]));
            let mut found = expected.clone();
            let [grad_weight, grad_bias] = expected.each_mut().map(Vec::as_mut_slice);
            linear::backward_weight(level, shape, 0, &x, &grad_y, [grad_weight, grad_bias]);
            let [grad_weight, grad_bias] = found.each_mut().map(Vec::as_mut_slice);
            let first = outputs / 3;
            let (weights, biases) = (
                grad_weight.split_at_mut(first * inputs),
                grad_bias.split_at_mut(first),
            );
            linear::backward_weight(level, shape, first, &x, &grad_y, [weights.1, biases.1]);
            linear::backward_weight(level, shape, 0, &x, &grad_y, [weights.0, biases.0]);
            assert!(found == expected, "some outputs ({level:?})");
        }
        for positions in LENGTHS {
            let channels = 6;
            let (x, weight) = (input(2 * channels * positions, 1), input(channels, 2));
            let (x, weight) = (narrow::<T>(&x), narrow::<T>(&weight));
            let operands = attention::Operands {
                positions,
                scaling: attention::Scaling::PAPER,
                weight: &weight,
            };
            let bias = T::from_f64(0.25);
            let [mut softmax, mut pi] = [0, 1].map(|_| narrow::<T>(&vec![9.0; 2 * positions]));
            attention::forward(level, operands, bias, &x, &mut softmax, &mut pi);
            let mut expected = narrow::<T>(&vec![9.0; 2 * channels]);
            pool::forward(level, positions, &x, &mut expected);

            let mut pooled = narrow::<T>(&vec![9.0; 2 * channels]);
            let mut scores = vec![bias; 2 * positions];
            attention::pool(level, operands, &x, &mut pooled, &mut scores);
            attention::softmax(level, operands, &mut scores, &mut pi);
            assert!(pooled == expected, "means ({level:?})");
            assert!(scores == softmax, "softmax ({level:?})");
        }
    }
    for_all!(run);
}

#[test]
fn squash_is_its_twin() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for len in LENGTHS {
            let (raw, grad) = (input(len, 1), input(len, 2));
            let mut residuals = narrow::<T>(&raw);
            squash::forward(level, &[Squash::CentredSigmoid], 1, &mut residuals);
            check(
                "residuals",
                level,
                &residuals,
                &reference::squash::forward(&[Squash::CentredSigmoid], 1, &raw),
                tolerance,
            );
            let mut grad_raw = narrow::<T>(&grad);
            squash::backward(level, &[Squash::CentredSigmoid], 1, &residuals, &mut grad_raw);
            check(
                "gradient",
                level,
                &grad_raw,
                &reference::squash::backward(&[Squash::CentredSigmoid], 1, &raw, &grad),
                tolerance,
            );
        }
    }
    for_all!(run);
}

/// 2σ(r) − 1 near zero, where the formula as it stands loses all digits, and far out.
#[test]
fn squash_keeps_its_digits_near_zero() {
    for level in levels() {
        let mut values = [1e-6_f32, -1e-20, 0.0, 200.0, -200.0, f32::INFINITY, f32::NAN];
        squash::forward(level, &[Squash::CentredSigmoid], 1, &mut values);
        let [small, tiny, zero, one, minus_one, at_infinity, nan] = values;
        assert!(
            (small / 5e-7 - 1.0).abs() < 1e-6 && (tiny / -5e-21 - 1.0).abs() < 1e-6,
            "{values:?}"
        );
        assert_eq!([zero, one, minus_one, at_infinity], [0.0, 1.0, -1.0, 1.0]);
        assert!(nan.is_nan());
    }
}

/// The paper's hyper function.
fn two_layers<T>(inputs: usize, arrays: &[Vec<T>; 4]) -> hyper::Weights<'_, T> {
    let [fc1_weight, fc1_bias, fc2_weight, fc2_bias] = arrays;
    hyper::Weights {
        layers: hyper::Layers::Two {
            first: hyper::Linear {
                inputs,
                weight: fc1_weight,
                bias: fc1_bias,
            },
            inner: Inner::Relu,
            second: hyper::Linear {
                inputs: fc1_bias.len(),
                weight: fc2_weight,
                bias: fc2_bias,
            },
        },
        squashes: &[Squash::CentredSigmoid],
        k: 1,
    }
}

#[test]
fn hyper_is_its_twin() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for (samples, inputs, hidden, outputs) in [(1, 1, 1, 1), (3, 8, 2, 32), (2, 33, 5, 70)] {
            let arrays =
                [hidden * inputs, hidden, outputs * hidden, outputs].map(|len| input(len, len as u64));
            let weights = two_layers(inputs, &arrays);
            let arrays = arrays.each_ref().map(|values| narrow::<T>(values));
            let weights_t = two_layers(inputs, &arrays);
            let (pooled, grad) = (input(samples * inputs, 5), input(samples * outputs, 6));
            let pooled_t = narrow::<T>(&pooled);

            let mut hidden_t = narrow::<T>(&vec![9.0; samples * hidden]);
            let mut residuals = narrow::<T>(&vec![9.0; samples * outputs]);
            hyper::forward(level, weights_t, &pooled_t, &mut hidden_t, &mut residuals);
            let expected = reference::hyper::forward(weights, &pooled);
            check("hidden", level, &hidden_t, &expected[0], tolerance);
            check("residuals", level, &residuals, &expected[1], 4.0 * tolerance);

            let lengths = [pooled.len(), hidden * inputs, hidden, outputs * hidden, outputs];
            let mut grads = lengths.map(|len| narrow::<T>(&vec![9.0; len]));
            let [context, fc1_weight, fc1_bias, fc2_weight, fc2_bias] = &mut grads;
            hyper::backward(
                level,
                weights_t,
                hyper::Activations {
                    context: &pooled_t,
                    hidden: &hidden_t,
                    residuals: &residuals,
                },
                &mut narrow::<T>(&grad),
                hyper::Gradients {
                    context,
                    hidden: &mut narrow::<T>(&vec![9.0; samples * hidden]),
                    layers: [[fc1_weight, fc1_bias], [fc2_weight, fc2_bias]],
                },
            );
            let expected = reference::hyper::backward(weights, &pooled, &grad);
            for (i, (grad, expected)) in grads.iter().zip(&expected).enumerate() {
                check(&format!("gradient {i}"), level, grad, expected, 10.0 * tolerance);
            }
        }
    }
    for_all!(run);
}

#[test]
fn coefficients_are_their_twin() {
    // All of three coefficients are dynamic, one, or none; the others have values for each of five sets.
    for (dynamic, sets) in [(&[0, 1, 2][..], 1), (&[1], 5), (&[0, 2], 5), (&[], 5)] {
        let (template, lambda) = (input(6 * sets, 1), input(2 * dynamic.len(), 2));
        let operands = coefficients::Operands {
            pieces: 2,
            template: &template,
            dynamic,
            lambda: &lambda,
            coefficients: 3,
        };
        let rows = 10;
        let (residuals, grad) = (input(rows * lambda.len(), 3), input(rows * 6, 4));
        let mut found = vec![0.0; rows * 6];
        coefficients::forward(operands, &residuals, &mut found);
        assert_slices_close(
            "values",
            &found,
            &reference::coefficients::forward(operands, &residuals, rows),
            1e-15,
        );
        let mut found = vec![f64::NAN; rows * lambda.len()];
        coefficients::backward(operands, &grad, &mut found);
        assert_slices_close(
            "gradients",
            &found,
            &reference::coefficients::backward(operands, &grad),
            1e-15,
        );
    }
}

#[test]
fn attention_is_its_twin() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for positions in LENGTHS {
            // The second temperature is so low that some positions are cut off at 1, and the third cut-off so low that
            // many are.
            let low = attention::Scaling {
                temperature: 0.5,
                ..attention::Scaling::PAPER
            };
            let other = attention::Scaling {
                temperature: 2.0,
                average: 0.5,
                cut_off: 0.6,
            };
            for (channels, scaling) in [(1, attention::Scaling::PAPER), (6, low), (3, other)] {
                let (x, weight) = (input(2 * channels * positions, 1), input(channels, 2));
                let (x_t, weight_t) = (narrow::<T>(&x), narrow::<T>(&weight));
                let operands = attention::Operands {
                    positions,
                    scaling,
                    weight: &weight,
                };
                let operands_t = attention::Operands {
                    positions,
                    scaling,
                    weight: &weight_t,
                };

                let mut found = [0, 1].map(|_| narrow::<T>(&vec![9.0; 2 * positions]));
                let [softmax, pi] = &mut found;
                attention::forward(level, operands_t, T::from_f64(0.25), &x_t, softmax, pi);
                let expected = reference::attention::forward(operands, 0.25, &x);
                check("softmax", level, softmax, &expected[0], 10.0 * tolerance);
                check("attention", level, pi, &expected[1], 10.0 * tolerance);

                let (before, grad) = (input(x.len(), 3), input(2 * positions, 4));
                let mut grad_x = narrow::<T>(&before);
                let mut grad_weight = narrow::<T>(&vec![9.0; channels]);
                let mut grad_pi = narrow::<T>(&grad);
                attention::backward(
                    level,
                    operands_t,
                    &x_t,
                    softmax,
                    &mut grad_pi,
                    &mut grad_x,
                    &mut grad_weight,
                );
                let [mut expected_x, expected_weight] =
                    reference::attention::backward(operands, &x, &expected[0], &grad);
                expected_x
                    .iter_mut()
                    .zip(before)
                    .for_each(|(grad, before)| *grad += before);
                check("gradient of x", level, &grad_x, &expected_x, 20.0 * tolerance);
                let scale = 1.0
                    + expected_weight
                        .iter()
                        .fold(0.0, |scale: f64, v| scale.max(v.abs()));
                for (found, expected) in widen(&grad_weight).iter().zip(&expected_weight) {
                    assert!(
                        (found - expected).abs() < 100.0 * tolerance * scale,
                        "{found} {expected}"
                    );
                }
            }
        }
    }
    for_all!(run);
}

/// A piece whose gradients are all different, and that is not homogeneous.
macro_rules! activations {
    ($($name:ident: $k:tt $share:tt $combine:tt;)*) => {$(
        #[dynamic_activation(
            k = $k, share = $share, combine = $combine, init(a = 0.0, b = 0.0, c = 0.0),
            piece = |x, a, b, c| a * x * x + b * b * x + tanh(c)
        )]
        struct $name;
    )*};
}

activations! {
    MaxA: 3 "spatial+channel" "max"; MaxB: 3 "spatial" "max"; MaxC: 3 "none" "max";
    MinB: 2 "spatial" "min"; MinC: 2 "none" "min"; SumB: 4 "spatial" "sum"; SumC: 4 "none" "sum";
}

#[dynamic_activation(k = 2, share = "none")]
struct Affine;

#[test]
fn piecewise_is_its_twin() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        piecewise_case::<MaxA, T, 3, 3>(level, tolerance);
        piecewise_case::<MaxB, T, 3, 3>(level, tolerance);
        piecewise_case::<MaxC, T, 3, 3>(level, tolerance);
        piecewise_case::<MinB, T, 2, 3>(level, tolerance);
        piecewise_case::<MinC, T, 2, 3>(level, tolerance);
        piecewise_case::<SumB, T, 4, 3>(level, tolerance);
        piecewise_case::<SumC, T, 4, 3>(level, tolerance);
        piecewise_case::<Affine, T, 2, 2>(level, tolerance);
    }
    for_all!(run);
}

fn piecewise_case<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    tolerance: f64,
) {
    let (samples, channels) = (2, 3);
    for len in LENGTHS {
        let x = input(samples * channels * len, 1);
        let grad_y = input(x.len(), 2);
        let coefficients = input(samples * channels * K * P, 3);
        let attention: Vec<f64> = match A::SHARING {
            Sharing::Unshared => input(samples * len, 4).iter().map(|v| v.abs()).collect(),
            _ => Vec::new(),
        };
        let operands = piecewise::Operands {
            len,
            coefficients: &coefficients,
            attention: &attention,
        };
        let (coefficients_t, attention_t) = (narrow::<T>(&coefficients), narrow::<T>(&attention));
        let operands_t = piecewise::Operands {
            len,
            coefficients: &coefficients_t,
            attention: &attention_t,
        };
        let x_t = narrow::<T>(&x);

        let mut y = narrow::<T>(&vec![9.0; x.len()]);
        piecewise::forward::<A, T, K, P>(level, operands_t, &x_t, &mut y);
        check(
            "y",
            level,
            &y,
            &reference::piecewise::forward::<A, K, P>(operands, &x),
            tolerance,
        );
        let mut inplace = x_t.clone();
        piecewise::forward_inplace::<A, T, K, P>(level, operands_t, &mut inplace);
        assert!(inplace == y, "in place ({level:?})");

        let mut grads =
            [x.len(), coefficients.len(), attention.len()].map(|len| narrow::<T>(&vec![9.0; len]));
        let [grad_x, grad_coefficients, grad_attention] = &mut grads;
        piecewise::backward::<A, T, K, P>(
            level,
            operands_t,
            &x_t,
            &narrow(&grad_y),
            piecewise::Gradients {
                x: grad_x,
                coefficients: grad_coefficients,
                attention: grad_attention,
            },
        );
        let expected = reference::piecewise::backward::<A, K, P>(operands, &x, &grad_y);
        for (i, (grad, expected)) in grads.iter().zip(&expected).enumerate() {
            check(
                ["x", "coefficients", "attention"][i],
                level,
                grad,
                expected,
                5.0 * tolerance,
            );
        }
    }
}

#[dynamic_activation(k = 2, share = "spatial")]
struct AffineB;

/// The gradients of x and of a¹, a², b¹, b² for ReLU's coefficients on a single row.
fn relu_gradients<T: Scalar>(level: Level, x: &[T], grad_y: &[T]) -> (Vec<T>, [f64; 4]) {
    let mut grad_x = narrow(&vec![9.0; x.len()]);
    let mut grad_coefficients = [9.0; 4].map(T::from_f64);
    piecewise::backward::<AffineB, T, 2, 2>(
        level,
        piecewise::Operands {
            len: x.len(),
            coefficients: &narrow(&[1.0, 0.0, 0.0, 0.0]),
            attention: &[],
        },
        x,
        grad_y,
        piecewise::Gradients {
            x: &mut grad_x,
            coefficients: &mut grad_coefficients,
            attention: &mut [],
        },
    );
    (grad_x, grad_coefficients.map(T::to_f64))
}

/// Long rows of one sign: the sums of coefficient gradients keep their accuracy.
#[test]
fn long_sums_of_coefficient_gradients_are_accurate_in_single_precision() {
    for level in levels() {
        let len = 1_000_003;
        let (_, [a0, a1, b0, b1]) = relu_gradients(level, &vec![0.7_f32; len], &vec![0.1_f32; len]);
        let sum = f64::from(0.1_f32) * 1_000_003.0;
        assert!((a0 / (sum * f64::from(0.7_f32)) - 1.0).abs() < 1e-6, "{a0}");
        assert!((b0 / sum - 1.0).abs() < 1e-6, "{b0}");
        assert_eq!([a1, b1], [0.0, 0.0]);
    }
}

/// A piece that loses adds nothing to any gradient, even where its own is infinite: 0 · ∞ would be NaN. The twin
/// skips it, so it knows. Lengths with padded and with overlapping vectors, and one huge element that counts once.
#[test]
fn infinite_gradients_of_losing_pieces_and_of_other_lanes_have_no_effect() {
    #[dynamic_activation(k = 2, share = "spatial", combine = "min", piece = |x, a| exp(a * x), init(a = 0.0))]
    struct SmallestExponential;
    #[dynamic_activation(k = 1, share = "spatial", piece = |x, a| a * x * x, init(a = 0.0))]
    struct Square;

    fn run<A: DynamicActivation + Piece<1>, const K: usize>(x: &[f64], coefficients: &[f64]) {
        let (len, grad_y) = (x.len(), input(x.len(), 1));
        let expected = reference::piecewise::backward::<A, K, 1>(
            piecewise::Operands {
                len,
                coefficients,
                attention: &[],
            },
            x,
            &grad_y,
        );
        for level in levels() {
            let mut grads =
                [x.to_vec(), coefficients.to_vec(), Vec::new()].map(|values| narrow::<f32>(&values));
            let [grad_x, grad_coefficients, grad_attention] = &mut grads;
            piecewise::backward::<A, f32, K, 1>(
                level,
                piecewise::Operands {
                    len,
                    coefficients: &narrow(coefficients),
                    attention: &[],
                },
                &narrow(x),
                &narrow(&grad_y),
                piecewise::Gradients {
                    x: grad_x,
                    coefficients: grad_coefficients,
                    attention: grad_attention,
                },
            );
            for (found, expected) in widen(&grads.concat()).iter().zip(expected.concat()) {
                // What overflows in single precision is infinite there.
                let expected = f64::from(narrow::<f32>(&[expected])[0]);
                let close = (found - expected).abs() <= 1e-5 * expected.abs();
                assert!(
                    close || found == &expected,
                    "{}, {len}: {found}, expected {expected} ({level:?})",
                    A::NAME
                );
            }
        }
    }
    for len in LENGTHS {
        // The second piece is infinite in single precision, and so is its slope; the first one wins.
        run::<SmallestExponential, 2>(&vec![4.0; len], &[0.5, 30.0]);
        for position in [0, len / 2, len - 1] {
            let mut x = vec![0.5; len];
            x[position] = 1e20;
            run::<Square, 1>(&x, &[1.0]);
        }
    }
}

#[test]
fn nan_reaches_every_gradient() {
    for level in levels() {
        for len in [1, 5, 40] {
            let mut x = vec![1.0_f64; len];
            x[len / 2] = f64::NAN;
            let (grad_x, [a0, a1, ..]) = relu_gradients(level, &x, &vec![1.0; len]);
            // The last piece whose value is NaN counts as the winner, and its slope is 0.
            assert!(a1.is_nan() && !a0.is_nan(), "{a0} {a1}");
            assert_eq!(grad_x.iter().filter(|grad| **grad == 0.0).count(), 1);
        }
    }
}

/// Kernels overwrite their outputs also where there is nothing to add up.
#[test]
fn empty_rows_overwrite_what_was_there() {
    for level in levels() {
        let mut pooled = [9.0_f32; 3];
        pool::forward(level, 0, &[], &mut pooled);
        assert_eq!(pooled, [0.0; 3]);
        let mut grad_coefficients = [9.0_f32; 8];
        piecewise::backward::<AffineB, f32, 2, 2>(
            level,
            piecewise::Operands {
                len: 0,
                coefficients: &[1.0; 8],
                attention: &[],
            },
            &[],
            &[],
            piecewise::Gradients {
                x: &mut [],
                coefficients: &mut grad_coefficients,
                attention: &mut [],
            },
        );
        assert_eq!(grad_coefficients, [0.0; 8]);
    }
}

#[test]
#[should_panic(expected = "linear: rows of x")]
fn a_part_of_a_row_is_refused() {
    linear::forward(
        Level::new(),
        2,
        &[1.0, 2.0, 3.0],
        &[1.0; 4],
        &[0.0; 2],
        &mut [0.0; 4],
    );
}

/// A short row is padded to a vector: the padding must not bring numbers into the sums that x does not have.
#[test]
fn padding_of_short_rows_has_no_effect() {
    #[dynamic_activation(k = 1, share = "spatial", piece = |x, a| a * ln(x), init(a = 1.0))]
    struct Logarithm;

    for level in levels() {
        let (x, grad_y) = ([1.0_f32, 2.0, 4.0], [1.0_f32, 1.0, 1.0]);
        let (mut grad_x, mut grad_a) = ([0.0; 3], [0.0]);
        piecewise::backward::<Logarithm, f32, 1, 1>(
            level,
            piecewise::Operands {
                len: 3,
                coefficients: &[1.0],
                attention: &[],
            },
            &x,
            &grad_y,
            piecewise::Gradients {
                x: &mut grad_x,
                coefficients: &mut grad_a,
                attention: &mut [],
            },
        );
        assert_eq!(grad_x, [1.0, 0.5, 0.25]);
        assert!((grad_a[0] - 8.0_f32.ln()).abs() < 1e-6, "{grad_a:?}");
    }
}

#[test]
fn the_first_of_equal_pieces_gets_the_gradient() {
    #[dynamic_activation(k = 3, share = "spatial", combine = "min")]
    struct Smallest;

    for level in levels() {
        let mut grad_coefficients = [9.0_f32; 6];
        piecewise::backward::<Smallest, f32, 3, 2>(
            level,
            piecewise::Operands {
                len: 5,
                coefficients: &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
                attention: &[],
            },
            &[2.0; 5],
            &[1.0; 5],
            piecewise::Gradients {
                x: &mut [0.0; 5],
                coefficients: &mut grad_coefficients,
                attention: &mut [],
            },
        );
        assert_eq!(grad_coefficients, [10.0, 0.0, 0.0, 5.0, 0.0, 0.0]);
    }

    for level in levels() {
        for len in [1, 5, 40] {
            let (grad_x, grad_coefficients) = relu_gradients(level, &vec![0.0_f64; len], &vec![1.0; len]);
            assert!(grad_x.iter().all(|&grad| grad == 1.0), "{grad_x:?}");
            assert_eq!(grad_coefficients, [0.0, 0.0, len as f64, 0.0]);
        }
    }
}
