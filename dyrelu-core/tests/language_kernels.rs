//! What the kernels do for descriptions beyond the paper's, against their naive twins and finite differences, on every
//! instruction set.
#![expect(clippy::float_cmp, reason = "what is exact is compared exactly")]
#![allow(clippy::inline_always, reason = "the rule for pieces, see `Piece`")]

// Here and not in the root package, whose tests are compiled without optimisation.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{assert_slices_close, levels, random_vec};
use dyrelu::kernels::{Level, channels_last, halves, hyper, squash};
use dyrelu::{Inner, Scalar, Squash, reference};

/// Random numbers that `f32` holds exactly, so that both number types see the same input.
fn input(len: usize, seed: u64) -> Vec<f64> {
    random_vec::<f32>(len, seed).into_iter().map(f64::from).collect()
}

fn narrow<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::from_f64(v)).collect()
}

fn widen<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// Compares what a kernel wrote with what its twin returned.
#[track_caller]
fn check<T: Scalar>(what: &str, level: Level, found: &[T], expected: &[f64], tolerance: f64) {
    assert_slices_close(&format!("{what} ({level:?})"), &widen(found), expected, tolerance);
}

/// Runs a check for both number types with their tolerances, on every instruction set.
macro_rules! for_all {
    ($check:ident) => {
        for level in levels() {
            $check::<f32>(level, 2e-6);
            $check::<f64>(level, 1e-14);
        }
    };
}

/// The derivative of `f` at `x[i]`.
fn difference(x: &[f64], i: usize, f: impl Fn(&[f64]) -> f64) -> f64 {
    let step = 1e-5;
    let at = |shift: f64| {
        let mut x = x.to_vec();
        x[i] += shift;
        f(&x)
    };
    (at(step) - at(-step)) / (2.0 * step)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

const SQUASHES: [Squash; 9] = [
    Squash::CentredSigmoid,
    Squash::Sigmoid,
    Squash::Tanh,
    Squash::HardSigmoid,
    Squash::CentredHardSigmoid,
    Squash::SteepHardSigmoid,
    Squash::CentredSteepHardSigmoid,
    Squash::Identity,
    Squash::Softmax,
];

/// Each alone, all together, and neighbours that are the same.
fn squash_lists() -> Vec<Vec<Squash>> {
    let mut lists: Vec<_> = SQUASHES.iter().map(|&squash| vec![squash; 2]).collect();
    lists.push(SQUASHES.to_vec());
    lists.push([0, 0, 8, 8, 3, 0].map(|i: usize| SQUASHES[i]).to_vec());
    lists
}

#[test]
fn squashes_are_their_twins() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        for squashes in squash_lists() {
            for (rows, k) in [(0, 2), (1, 1), (3, 2), (5, 3), (29, 17)] {
                let len = rows * squashes.len() * k;
                // Twice as large, for the limits of the hard ones.
                let raw: Vec<f64> = input(len, 1).iter().map(|r| 2.0 * r).collect();
                let grad = input(len, 2);
                let what = format!("{squashes:?}, K = {k}");
                let mut residuals = narrow::<T>(&raw);
                squash::forward(level, &squashes, k, &mut residuals);
                let expected = reference::squash::forward(&squashes, k, &raw);
                check(&what, level, &residuals, &expected, tolerance);
                let mut grad_raw = narrow::<T>(&grad);
                squash::backward(level, &squashes, k, &residuals, &mut grad_raw);
                let expected = reference::squash::backward(&squashes, k, &raw, &grad);
                check(&what, level, &grad_raw, &expected, 4.0 * tolerance);
            }
        }
    }
    for_all!(run);
}

#[test]
fn derivatives_of_squashes_are_finite_differences() {
    let (raw, grad) = (input(54, 1), input(54, 2));
    let found = reference::squash::backward(&SQUASHES, 3, &raw, &grad);
    for (i, found) in found.iter().enumerate() {
        let expected = difference(&raw, i, |raw| {
            dot(&grad, &reference::squash::forward(&SQUASHES, 3, raw))
        });
        assert!(
            (found - expected).abs() < 1e-8,
            "{i}: {found}, expected {expected}"
        );
    }
}

/// A run of squashes has the same bits as the same squash for all coefficients.
#[test]
fn a_squash_is_the_same_bits_beside_others() {
    for level in levels() {
        let raw = random_vec::<f32>(60, 1);
        let mut alone = raw.clone();
        squash::forward(level, &[Squash::CentredSigmoid], 1, &mut alone);
        let mut mixed = raw.clone();
        squash::forward(level, &[Squash::CentredSigmoid, Squash::Identity], 3, &mut mixed);
        for i in 0..60 {
            let expected = if i / 3 % 2 == 0 { alone[i] } else { raw[i] };
            assert_eq!(mixed[i], expected, "{i} ({level:?})");
        }
    }
}

#[test]
fn squashes_of_special_numbers() {
    for level in levels() {
        for (squash, at_minus_infinity) in [
            (Squash::CentredSigmoid, -1.0),
            (Squash::Sigmoid, 0.0),
            (Squash::Tanh, -1.0),
            (Squash::HardSigmoid, 0.0),
            (Squash::CentredHardSigmoid, -1.0),
            (Squash::SteepHardSigmoid, 0.0),
            (Squash::CentredSteepHardSigmoid, -1.0),
        ] {
            let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30];
            squash::forward(level, &[squash], 1, &mut values);
            assert!(values[0].is_nan(), "{squash:?}");
            let low = at_minus_infinity;
            assert_eq!(values[1..], [1.0, low, 1.0, low], "{squash:?} ({level:?})");
            let mut grads = [f32::INFINITY; 2];
            squash::backward(level, &[squash], 1, &[1.0, low], &mut grads);
            // A hard squash lets nothing pass at its limits, the others 0 · ∞.
            let hard = format!("{squash:?}").contains("Hard");
            assert!(
                grads
                    .iter()
                    .all(|grad| if hard { *grad == 0.0 } else { grad.is_nan() }),
                "{squash:?}: {grads:?}"
            );
        }
        // Large values do not overflow; a NaN stays within its own set of pieces.
        let mut values = [1000.0_f32, 1000.0, -1000.0, f32::NAN, 0.0, 0.0];
        squash::forward(level, &[Squash::Softmax], 3, &mut values);
        assert_eq!(values[..3], [0.5, 0.5, 0.0]);
        assert!(values[3..].iter().all(|value| value.is_nan()), "{values:?}");
    }
}

#[test]
#[should_panic(expected = "rows of squashes.len() · k")]
fn squashes_need_whole_rows() {
    squash::forward(Level::new(), &SQUASHES, 2, &mut [0.0_f32; 9]);
}

/// One layer or two, or none, for `arrays` of weights and biases.
fn hyper_function<'a, T>(
    kind: &Hyper,
    squashes: &'a [Squash],
    arrays: &'a [Vec<T>; 4],
) -> hyper::Weights<'a, T> {
    let [weight_1, bias_1, weight_2, bias_2] = arrays;
    let first = hyper::Linear {
        inputs: kind.inputs,
        weight: weight_1,
        bias: bias_1,
    };
    hyper::Weights {
        layers: match kind.inner {
            None if kind.layers == 0 => hyper::Layers::None,
            None => hyper::Layers::One(first),
            Some(inner) => hyper::Layers::Two {
                first,
                inner,
                second: hyper::Linear {
                    inputs: bias_1.len(),
                    weight: weight_2,
                    bias: bias_2,
                },
            },
        },
        squashes,
        k: 2,
    }
}

struct Hyper {
    layers: usize,
    inner: Option<Inner>,
    inputs: usize,
    hidden: usize,
    outputs: usize,
}

impl Hyper {
    /// The lengths of weights and biases.
    fn lengths(&self) -> [usize; 4] {
        let (inputs, hidden, outputs) = (self.inputs, self.hidden, self.outputs);
        match self.layers {
            0 => [0; 4],
            1 => [outputs * inputs, outputs, 0, 0],
            _ => [hidden * inputs, hidden, outputs * hidden, outputs],
        }
    }
}

fn hyper_functions() -> [Hyper; 5] {
    let of = |layers, inner, [inputs, hidden, outputs]: [usize; 3]| Hyper {
        layers,
        inner,
        inputs,
        hidden,
        outputs,
    };
    [
        of(0, None, [36, 0, 36]),
        of(1, None, [33, 0, 72]),
        of(2, Some(Inner::Relu), [33, 5, 36]),
        of(2, Some(Inner::Identity), [33, 5, 36]),
        of(2, Some(Inner::Identity), [1, 1, 18]),
    ]
}

#[test]
fn hyper_functions_are_their_twins() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        let samples = 3;
        for kind in hyper_functions() {
            let arrays = kind.lengths().map(|len| input(len, len as u64));
            let weights = hyper_function(&kind, &SQUASHES, &arrays);
            let arrays_t = arrays.each_ref().map(|values| narrow::<T>(values));
            let weights_t = hyper_function(&kind, &SQUASHES, &arrays_t);
            let (context, grad) = (input(samples * kind.inputs, 5), input(samples * kind.outputs, 6));
            let context_t = narrow::<T>(&context);

            let mut hidden = narrow::<T>(&vec![9.0; samples * kind.hidden]);
            let mut residuals = narrow::<T>(&vec![9.0; samples * kind.outputs]);
            hyper::forward(level, weights_t, &context_t, &mut hidden, &mut residuals);
            let expected = reference::hyper::forward(weights, &context);
            check("hidden", level, &hidden, &expected[0], 4.0 * tolerance);
            check("residuals", level, &residuals, &expected[1], 20.0 * tolerance);

            let mut packed = [Vec::new(), Vec::new()];
            weights_t.layers.pack(level, &mut packed);
            let packed = hyper::Weights {
                layers: weights_t.layers.with_packed(&packed),
                ..weights_t
            };
            let mut found = [hidden.clone(), residuals.clone()];
            let [found_hidden, found_residuals] = &mut found;
            hyper::forward_packed(level, packed, &context_t, found_hidden, found_residuals);
            assert!(found[0] == hidden && found[1] == residuals, "packed ({level:?})");

            let mut grad_context = narrow::<T>(&vec![9.0; context.len()]);
            let mut grads = kind.lengths().map(|len| narrow::<T>(&vec![9.0; len]));
            let [weight_1, bias_1, weight_2, bias_2] = &mut grads;
            hyper::backward(
                level,
                weights_t,
                hyper::Activations {
                    context: &context_t,
                    hidden: &hidden,
                    residuals: &residuals,
                },
                &mut narrow::<T>(&grad),
                hyper::Gradients {
                    context: &mut grad_context,
                    hidden: &mut narrow::<T>(&vec![9.0; samples * kind.hidden]),
                    layers: [[weight_1, bias_1], [weight_2, bias_2]],
                },
            );
            let [context, rest @ ..] = reference::hyper::backward(weights, &context, &grad);
            check("context", level, &grad_context, &context, 40.0 * tolerance);
            for (i, (grad, expected)) in grads.iter().zip(&rest).enumerate() {
                check(&format!("gradient {i}"), level, grad, expected, 40.0 * tolerance);
            }
        }
    }
    for_all!(run);
}

#[test]
fn gradients_of_hyper_functions_are_finite_differences() {
    let samples = 2;
    for kind in hyper_functions() {
        let arrays = kind.lengths().map(|len| input(len, len as u64 + 1));
        let (context, grad) = (input(samples * kind.inputs, 5), input(samples * kind.outputs, 6));
        let loss = |arrays: &[Vec<f64>; 4], context: &[f64]| {
            let weights = hyper_function(&kind, &SQUASHES, arrays);
            dot(&grad, &reference::hyper::forward(weights, context)[1])
        };
        let weights = hyper_function(&kind, &SQUASHES, &arrays);
        let [by_context, rest @ ..] = reference::hyper::backward(weights, &context, &grad);
        for (i, found) in by_context.iter().enumerate() {
            let expected = difference(&context, i, |context| loss(&arrays, context));
            assert!(
                (found - expected).abs() < 1e-6,
                "context {i}: {found}, {expected}"
            );
        }
        for (a, found) in rest.iter().enumerate() {
            for i in (0..found.len()).step_by(7) {
                let expected = difference(&arrays[a], i, |array| {
                    let mut arrays = arrays.clone();
                    arrays[a] = array.to_vec();
                    loss(&arrays, &context)
                });
                let found = found[i];
                assert!((found - expected).abs() < 1e-6, "{a}, {i}: {found}, {expected}");
            }
        }
    }
}

const LENGTHS: [usize; 9] = [1, 2, 3, 7, 8, 17, 33, 300, 2500];

/// `[N, S, C]` from `[N, C, S]`.
fn last<T: Copy>(samples: usize, channels: usize, x: &[T]) -> Vec<T> {
    let positions = x.len() / (samples * channels);
    let mut last = Vec::with_capacity(x.len());
    for x in x.chunks(channels * positions) {
        last.extend((0..positions).flat_map(|s| (0..channels).map(move |c| x[c * positions + s])));
    }
    last
}

#[test]
fn halves_are_their_twins() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        let samples = 2;
        for len in LENGTHS {
            for channels in [1, 3, 16, 70] {
                if len * channels > 50_000 {
                    continue;
                }
                let mut x = input(samples * channels * len, 1);
                x.iter_mut().step_by(5).for_each(|x| *x = 0.0);
                let mut pooled = narrow::<T>(&vec![9.0; samples * 2 * channels]);
                halves::forward(level, len, &narrow(&x), channels, &mut pooled);
                let expected = reference::halves::forward(samples, channels, len, &x);
                check("means", level, &pooled, &expected, tolerance);
                let x_last = last(samples, channels, &x);
                let mut pooled = narrow::<T>(&vec![9.0; samples * 2 * channels]);
                channels_last::halves::forward(level, [len, channels], &narrow(&x_last), &mut pooled);
                check("means, last", level, &pooled, &expected, tolerance);

                let (before, grad) = (input(x.len(), 2), input(pooled.len(), 3));
                let mut grad_x = narrow::<T>(&before);
                halves::backward(level, len, &narrow(&x), channels, &narrow(&grad), &mut grad_x);
                let mut expected = reference::halves::backward(channels, len, &x, &grad);
                for (grad, before) in expected.iter_mut().zip(&before) {
                    *grad += before;
                }
                check("gradient", level, &grad_x, &expected, tolerance);
                let mut grad_x = narrow::<T>(&last(samples, channels, &before));
                let x_last = narrow(&x_last);
                channels_last::halves::backward(level, [len, channels], &x_last, &narrow(&grad), &mut grad_x);
                let expected = last(samples, channels, &expected);
                check("gradient, last", level, &grad_x, &expected, tolerance);
            }
        }
    }
    for_all!(run);
}

#[test]
fn the_gradient_of_halves_is_a_finite_difference() {
    let (x, grad) = (input(30, 1), input(12, 2));
    for (i, found) in reference::halves::backward(3, 5, &x, &grad).iter().enumerate() {
        let expected = difference(&x, i, |x| dot(&grad, &reference::halves::forward(2, 3, 5, x)));
        assert!(
            (found - expected).abs() < 1e-9,
            "{i}: {found}, expected {expected}"
        );
    }
}

#[test]
fn halves_of_special_numbers() {
    for level in levels() {
        for len in [1, 5, 40] {
            // A channel with a NaN, one with an infinity, one without a number that counts.
            let mut x = vec![0.0_f32; 3 * len];
            x[len / 2] = f32::NAN;
            x[len + len / 2] = f32::INFINITY;
            x[2 * len..].fill(-0.0);
            let mut pooled = [9.0; 6];
            halves::forward(level, len, &x, 3, &mut pooled);
            let mut pooled_last = [9.0; 6];
            channels_last::halves::forward(level, [len, 3], &last(1, 3, &x), &mut pooled_last);
            for pooled in [pooled, pooled_last] {
                assert!(pooled[0].is_nan() && pooled[3].is_nan(), "{pooled:?}");
                assert_eq!([pooled[1], pooled[2], pooled[5]], [0.0; 3]);
                assert_eq!(pooled[4], f32::INFINITY);
            }
            // Nothing passes at zero and at NaN, not even 0 · ∞.
            let mut grad_x = vec![1.0; 3 * len];
            halves::backward(level, len, &x, 3, &[f32::INFINITY; 6], &mut grad_x);
            for (i, grad) in grad_x.iter().enumerate() {
                let passes = i == len + len / 2;
                assert_eq!(*grad, if passes { f32::INFINITY } else { 1.0 }, "{i} ({level:?})");
            }
        }
        let mut pooled = [9.0_f64; 4];
        halves::forward(level, 0, &[], 2, &mut pooled);
        assert_eq!(pooled, [0.0; 4]);
        channels_last::halves::forward(level, [0, 2], &[], &mut pooled);
        assert_eq!(pooled, [0.0; 4]);
    }
}

/// A sum in single precision must not lose what a long sum of equal numbers loses.
#[test]
fn halves_of_many_equal_numbers_are_exact_to_a_millionth() {
    for level in levels() {
        let mut x = vec![0.1_f32; 1_000_003];
        x[500_000..].fill(-0.3);
        let [mut rows, mut columns] = [[0.0; 2]; 2];
        halves::forward(level, x.len(), &x, 1, &mut rows);
        channels_last::halves::forward(level, [x.len(), 1], &x, &mut columns);
        for [below, above] in [rows, columns] {
            let below = f64::from(below) / (f64::from(-0.3_f32) * 500_003.0 / 1_000_003.0);
            let above = f64::from(above) / (f64::from(0.1_f32) * 500_000.0 / 1_000_003.0);
            assert!(
                (below - 1.0).abs() < 2e-7 && (above - 1.0).abs() < 2e-7,
                "{below} {above}"
            );
        }
    }
}
