//! What the kernels do for descriptions beyond the paper's, against their naive twins and finite differences, on every
//! instruction set.
#![expect(clippy::float_cmp, reason = "what is exact is compared exactly")]
#![allow(clippy::inline_always, reason = "the rule for pieces, see `Piece`")]

// Here and not in the root package, whose tests are compiled without optimisation.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{check, input, levels, narrow, random_vec};
use dyrelu::kernels::piecewise::{self, PieceSet};
use dyrelu::kernels::{Level, channels_last, halves, hyper, neighbours, squash};
use dyrelu::{
    Coefficient, Combine, DynamicActivation, Elementwise, Inner, Neighbour, Piece, PieceGrad, Pieces, Scalar,
    Sharing, Squash, reference,
};

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
        assert!(values[3..].iter().all(Elementwise::is_nan), "{values:?}");
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
                halves::forward(level, [len, channels], &narrow(&x), &mut pooled);
                let expected = reference::halves::forward(samples, channels, len, &x);
                check("means", level, &pooled, &expected, tolerance);
                let x_last = last(samples, channels, &x);
                let mut pooled = narrow::<T>(&vec![9.0; samples * 2 * channels]);
                channels_last::halves::forward(level, [len, channels], &narrow(&x_last), &mut pooled);
                check("means, last", level, &pooled, &expected, tolerance);

                let (before, grad) = (input(x.len(), 2), input(pooled.len(), 3));
                let mut grad_x = narrow::<T>(&before);
                halves::backward(level, [len, channels], &narrow(&x), &narrow(&grad), &mut grad_x);
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
            halves::forward(level, [len, 3], &x, &mut pooled);
            let mut pooled_last = [9.0; 6];
            channels_last::halves::forward(level, [len, 3], &last(1, 3, &x), &mut pooled_last);
            for pooled in [pooled, pooled_last] {
                assert!(pooled[0].is_nan() && pooled[3].is_nan(), "{pooled:?}");
                assert_eq!([pooled[1], pooled[2], pooled[5]], [0.0; 3]);
                assert_eq!(pooled[4], f32::INFINITY);
            }
            // Nothing passes at zero and at NaN, not even 0 · ∞.
            let mut grad_x = vec![1.0; 3 * len];
            halves::backward(level, [len, 3], &x, &[f32::INFINITY; 6], &mut grad_x);
            for (i, grad) in grad_x.iter().enumerate() {
                let passes = i == len + len / 2;
                assert_eq!(*grad, if passes { f32::INFINITY } else { 1.0 }, "{i} ({level:?})");
            }
        }
        let mut pooled = [9.0_f64; 4];
        halves::forward(level, [0, 2], &[], &mut pooled);
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
        halves::forward(level, [x.len(), 1], &x, &mut rows);
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

/// Descriptions by hand: of pieces without coefficients, and of pieces that see neighbours.
macro_rules! descriptions {
    ($($name:ident: $k:literal $p:literal $formula:ident $sharing:ident $combine:ident $homogeneous:literal $neighbours:expr;)*) => {$(
        struct $name;
        impl Piece<$p> for $name {
            #[inline(always)]
            fn value<E: Elementwise>(x: E, arguments: [E; $p]) -> E {
                $formula::value(x, arguments)
            }
            #[inline(always)]
            fn grad<E: Elementwise>(x: E, arguments: [E; $p]) -> PieceGrad<E, $p> {
                $formula::grad(x, arguments)
            }
        }
        impl DynamicActivation for $name {
            const NAME: &'static str = stringify!($name);
            const SHARING: Sharing = Sharing::$sharing;
            const COMBINE: Combine = Combine::$combine;
            const COEFFICIENTS: &'static [Coefficient] = &[];
            const NEIGHBOURS: &'static [Neighbour] = $neighbours;
            const HOMOGENEOUS: bool = $homogeneous;
            type Pieces = Pieces<$k, $p>;
        }
    )*};
}

/// x · tanh x.
struct Fixed;

impl Piece<0> for Fixed {
    #[inline(always)]
    fn value<E: Elementwise>(x: E, []: [E; 0]) -> E {
        x.clone() * x.tanh()
    }

    #[inline(always)]
    fn grad<E: Elementwise>(x: E, []: [E; 0]) -> PieceGrad<E, 0> {
        let tanh = x.clone().tanh();
        let one = x.lift(1.0);
        PieceGrad {
            x: tanh.clone() + x * (one - tanh.clone() * tanh),
            coefficients: [],
        }
    }
}

/// x · u.
struct Product;

impl Piece<1> for Product {
    #[inline(always)]
    fn value<E: Elementwise>(x: E, [u]: [E; 1]) -> E {
        x * u
    }

    #[inline(always)]
    fn grad<E: Elementwise>(x: E, [u]: [E; 1]) -> PieceGrad<E, 1> {
        PieceGrad {
            x: u,
            coefficients: [x],
        }
    }
}

/// a² · x + a · u².
struct Curved;

impl Piece<2> for Curved {
    #[inline(always)]
    fn value<E: Elementwise>(x: E, [a, u]: [E; 2]) -> E {
        a.clone() * a.clone() * x + a * u.clone() * u
    }

    #[inline(always)]
    fn grad<E: Elementwise>(x: E, [a, u]: [E; 2]) -> PieceGrad<E, 2> {
        let two = x.lift(2.0);
        PieceGrad {
            x: a.clone() * a.clone(),
            coefficients: [two.clone() * a.clone() * x + u.clone() * u.clone(), two * a * u],
        }
    }
}

/// a · u · x + b · tanh v.
struct Linear;

impl Piece<4> for Linear {
    #[inline(always)]
    fn value<E: Elementwise>(x: E, [a, b, left, right]: [E; 4]) -> E {
        a * left * x + b * right.tanh()
    }

    #[inline(always)]
    fn grad<E: Elementwise>(x: E, [a, b, left, right]: [E; 4]) -> PieceGrad<E, 4> {
        let (tanh, one) = (right.tanh(), x.lift(1.0));
        PieceGrad {
            x: a.clone() * left.clone(),
            coefficients: [
                left * x.clone(),
                tanh.clone(),
                a * x,
                b * (one - tanh.clone() * tanh),
            ],
        }
    }
}

/// exp(a · u).
struct Exponential;

impl Piece<2> for Exponential {
    #[inline(always)]
    fn value<E: Elementwise>(_: E, [a, u]: [E; 2]) -> E {
        (a * u).exp()
    }

    #[inline(always)]
    fn grad<E: Elementwise>(x: E, [a, u]: [E; 2]) -> PieceGrad<E, 2> {
        let exp = (a.clone() * u.clone()).exp();
        PieceGrad {
            x: x.lift(0.0),
            coefficients: [u * exp.clone(), a * exp],
        }
    }
}

const fn neighbour(groups: i32, channels: i32) -> Neighbour {
    Neighbour {
        name: "u",
        groups,
        channels,
    }
}

const ONE: &[Neighbour] = &[neighbour(0, 1)];
const TWO: &[Neighbour] = &[neighbour(1, 0), neighbour(-1, -2)];

descriptions! {
    FixedA: 1 0 Fixed SpatialAndChannel Max false &[];
    FixedB: 2 0 Fixed Spatial Sum false &[];
    FixedC: 2 0 Fixed Unshared Max false &[];
    ProductA: 1 1 Product SpatialAndChannel Max false ONE;
    ProductB: 2 1 Product Spatial Sum false ONE;
    ProductC: 1 1 Product Unshared Max false ONE;
    CurvedA: 3 2 Curved SpatialAndChannel Max false ONE;
    CurvedB: 3 2 Curved Spatial Min false ONE;
    CurvedC: 2 2 Curved Unshared Max false ONE;
    LinearB: 3 4 Linear Spatial Max true TWO;
    LinearC: 2 4 Linear Unshared Max true TWO;
    LinearCSum: 2 4 Linear Unshared Sum true TWO;
    SmallestExponential: 2 2 Exponential Spatial Min false ONE;
}

#[test]
fn pieces_without_coefficients_are_their_twins() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        fixed_case::<FixedA, T, 1>(level, tolerance);
        fixed_case::<FixedB, T, 2>(level, tolerance);
        fixed_case::<FixedC, T, 2>(level, tolerance);
    }
    for_all!(run);
}

fn fixed_case<A: DynamicActivation + Piece<0>, T: Scalar, const K: usize>(level: Level, tolerance: f64) {
    let samples = 2;
    for (channels, positions) in [(1, 1), (3, 7), (3, 300), (40, 1), (40, 33), (300, 5)] {
        let x = input(samples * channels * positions, 1);
        let grad_y = input(x.len(), 2);
        let attention = match A::SHARING {
            Sharing::Unshared => input(samples * positions, 3),
            _ => Vec::new(),
        };
        let len = if A::SHARING == Sharing::SpatialAndChannel {
            channels * positions
        } else {
            positions
        };
        let operands = piecewise::Operands {
            len,
            coefficients: &[],
            attention: &attention,
        };
        let y = reference::piecewise::forward::<A, K, 0>(operands, &x);
        let [grad_x, _, _] = reference::piecewise::backward::<A, K, 0>(operands, &x, &grad_y);

        let attention = narrow::<T>(&attention);
        let operands = piecewise::Operands {
            len,
            coefficients: &[],
            attention: &attention,
        };
        let last_operands = channels_last::piecewise::Operands {
            positions,
            channels,
            coefficients: &[],
            attention: &attention,
        };
        for in_rows in [true, false] {
            let order = |values: &[f64]| {
                if in_rows {
                    values.to_vec()
                } else {
                    last(samples, channels, values)
                }
            };
            let (x, grad_y) = (narrow::<T>(&order(&x)), narrow::<T>(&order(&grad_y)));
            let mut found = narrow::<T>(&vec![9.0; x.len()]);
            let mut inplace = x.clone();
            let mut found_grad = narrow::<T>(&vec![9.0; x.len()]);
            let mut grad_attention = narrow::<T>(&vec![9.0; attention.len()]);
            let grads = piecewise::Gradients {
                x: &mut found_grad,
                coefficients: &mut [],
                attention: &mut grad_attention,
            };
            if in_rows {
                <Pieces<K, 0> as PieceSet<A>>::forward(level, operands, &x, &mut found);
                <Pieces<K, 0> as PieceSet<A>>::forward_inplace(level, operands, &mut inplace);
                <Pieces<K, 0> as PieceSet<A>>::backward(level, operands, &x, &grad_y, grads);
            } else {
                let operands = last_operands;
                <Pieces<K, 0> as PieceSet<A>>::forward_channels_last(level, operands, &x, &mut found);
                <Pieces<K, 0> as PieceSet<A>>::forward_channels_last_inplace(level, operands, &mut inplace);
                <Pieces<K, 0> as PieceSet<A>>::backward_channels_last(level, operands, &x, &grad_y, grads);
            }
            check("y", level, &found, &order(&y), 2.0 * tolerance);
            assert!(inplace == found, "in place ({level:?})");
            check("x", level, &found_grad, &order(&grad_x), 5.0 * tolerance);
            assert!(grad_attention.iter().all(|grad| grad.to_f64() == 0.0));
        }
    }
}

#[test]
#[should_panic(expected = "rows of x")]
fn a_part_of_a_row_without_coefficients_is_refused() {
    let operands = piecewise::Operands {
        len: 4,
        coefficients: &[],
        attention: &[],
    };
    piecewise::forward::<FixedB, f32, 2, 0>(Level::new(), operands, &[0.0; 6], &mut [0.0; 6]);
}

#[test]
fn sources_are_shifted_channels() {
    let of = |groups, channels, count| neighbours::sources(&[neighbour(groups, channels)], 6, count);
    assert_eq!(of(0, 1, 1), [1, 2, 3, 4, 5, 0]);
    assert_eq!(of(0, -1, 2), [2, 0, 1, 5, 3, 4]);
    assert_eq!(of(1, 0, 2), [3, 4, 5, 0, 1, 2]);
    assert_eq!(of(-1, 1, 3), [5, 4, 1, 0, 3, 2]);
    assert_eq!(of(7, -8, 3), of(1, 0, 3));
    assert_eq!(of(i32::MIN, i32::MAX, 3), of(1, 1, 3));
    assert_eq!(neighbours::sources(TWO, 0, 1), [0; 0]);
}

#[test]
#[should_panic(expected = "groups of channels")]
fn groups_have_the_same_size() {
    let _ = neighbours::sources(ONE, 6, 4);
}

/// Channels of the cases with neighbours, and their groups.
const CHANNELS: [usize; 2] = [6, 2];

/// Samples, channels and positions, in f64, of an activation with neighbours.
struct Case {
    positions: usize,
    x: Vec<f64>,
    coefficients: Vec<f64>,
    attention: Vec<f64>,
    sources: Vec<usize>,
}

impl Case {
    fn new<A: DynamicActivation, const K: usize, const P: usize>(samples: usize, positions: usize) -> Self {
        let [channels, groups] = CHANNELS;
        let sets = match A::SHARING {
            Sharing::SpatialAndChannel => samples,
            _ => samples * channels,
        };
        let scores = match A::SHARING {
            Sharing::Unshared => samples * positions,
            _ => 0,
        };
        Self {
            positions,
            x: input(samples * channels * positions, 1),
            coefficients: input(sets * K * (P - A::NEIGHBOURS.len()), 2),
            attention: input(scores, 3).iter().map(|pi| pi.abs()).collect(),
            sources: neighbours::sources(A::NEIGHBOURS, channels, groups),
        }
    }

    fn operands<'a, T>(&'a self, coefficients: &'a [T], attention: &'a [T]) -> neighbours::Operands<'a, T> {
        neighbours::Operands {
            positions: self.positions,
            channels: CHANNELS[0],
            coefficients,
            attention,
            sources: &self.sources,
        }
    }
}

#[test]
fn pieces_with_neighbours_are_their_twins() {
    fn run<T: Scalar>(level: Level, tolerance: f64) {
        neighbour_case::<ProductA, T, 1, 1>(level, tolerance);
        neighbour_case::<ProductB, T, 2, 1>(level, tolerance);
        neighbour_case::<ProductC, T, 1, 1>(level, tolerance);
        neighbour_case::<CurvedA, T, 3, 2>(level, tolerance);
        neighbour_case::<CurvedB, T, 3, 2>(level, tolerance);
        neighbour_case::<CurvedC, T, 2, 2>(level, tolerance);
        neighbour_case::<LinearB, T, 3, 4>(level, tolerance);
        neighbour_case::<LinearC, T, 2, 4>(level, tolerance);
        neighbour_case::<LinearCSum, T, 2, 4>(level, tolerance);
        // Neither.
        neighbour_case::<FixedA, T, 1, 0>(level, tolerance);
    }
    for_all!(run);
}

fn neighbour_case<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    tolerance: f64,
) {
    for positions in LENGTHS {
        let case = Case::new::<A, K, P>(2, positions);
        let grad_y = input(case.x.len(), 4);
        let operands = case.operands(&case.coefficients, &case.attention);
        let (coefficients, attention) = (narrow::<T>(&case.coefficients), narrow::<T>(&case.attention));
        let operands_t = case.operands(&coefficients, &attention);
        let x = narrow::<T>(&case.x);
        let what = format!("{}, S = {positions}", A::NAME);

        let mut y = narrow::<T>(&vec![9.0; x.len()]);
        <Pieces<K, P> as PieceSet<A>>::forward_neighbours(level, operands_t, &x, &mut y);
        let expected = reference::neighbours::forward::<A, K, P>(operands, &case.x);
        check(&what, level, &y, &expected, 2.0 * tolerance);

        let mut grads =
            [x.len(), coefficients.len(), attention.len()].map(|len| narrow::<T>(&vec![9.0; len]));
        let [grad_x, grad_coefficients, grad_attention] = &mut grads;
        <Pieces<K, P> as PieceSet<A>>::backward_neighbours(
            level,
            operands_t,
            &x,
            &narrow(&grad_y),
            piecewise::Gradients {
                x: grad_x,
                coefficients: grad_coefficients,
                attention: grad_attention,
            },
        );
        let expected = reference::neighbours::backward::<A, K, P>(operands, &case.x, &grad_y);
        for (i, (grad, expected)) in grads.iter().zip(&expected).enumerate() {
            check(
                &format!("{what}: gradient {i}"),
                level,
                grad,
                expected,
                5.0 * tolerance,
            );
        }
    }
}

#[test]
fn gradients_with_neighbours_are_finite_differences() {
    fn run<A: DynamicActivation + Piece<P>, const K: usize, const P: usize>() {
        let case = Case::new::<A, K, P>(2, 3);
        let grad_y = input(case.x.len(), 4);
        let loss = |[x, coefficients, attention]: [&[f64]; 3]| {
            let operands = case.operands(coefficients, attention);
            dot(&grad_y, &reference::neighbours::forward::<A, K, P>(operands, x))
        };
        let operands = case.operands(&case.coefficients, &case.attention);
        let found = reference::neighbours::backward::<A, K, P>(operands, &case.x, &grad_y);
        let arrays = [&case.x[..], &case.coefficients, &case.attention];
        for (a, found) in found.iter().enumerate() {
            for (i, found) in found.iter().enumerate() {
                let expected = difference(arrays[a], i, |array| {
                    let mut arrays = arrays;
                    arrays[a] = array;
                    loss(arrays)
                });
                let close = (found - expected).abs() < 1e-6;
                assert!(close, "{} {a}, {i}: {found}, expected {expected}", A::NAME);
            }
        }
    }
    run::<ProductA, 1, 1>();
    run::<CurvedA, 3, 2>();
    run::<CurvedB, 3, 2>();
    run::<CurvedC, 2, 2>();
    run::<LinearB, 3, 4>();
    run::<LinearC, 2, 4>();
}

/// A piece that loses adds nothing to its neighbour's gradient, even where its own is infinite.
#[test]
fn infinite_gradients_of_losing_pieces_do_not_reach_neighbours() {
    for level in levels() {
        for positions in LENGTHS {
            let mut case = Case::new::<SmallestExponential, 2, 2>(1, positions);
            case.x.fill(4.0);
            for coefficients in case.coefficients.chunks_mut(2) {
                coefficients.copy_from_slice(&[0.5, 30.0]);
            }
            let coefficients = narrow::<f32>(&case.coefficients);
            let (x, grad_y) = (narrow::<f32>(&case.x), vec![1.0; case.x.len()]);
            let [mut grad_x, mut grad_coefficients] = [vec![9.0; x.len()], vec![9.0; coefficients.len()]];
            neighbours::backward::<SmallestExponential, f32, 2, 2>(
                level,
                case.operands(&coefficients, &[]),
                &x,
                &grad_y,
                piecewise::Gradients {
                    x: &mut grad_x,
                    coefficients: &mut grad_coefficients,
                    attention: &mut [],
                },
            );
            let slope = 0.5 * 2.0_f64.exp();
            check("x", level, &grad_x, &vec![slope; x.len()], 1e-6);
            let sum = positions as f64 * 4.0 * 2.0_f64.exp();
            check(
                "coefficients",
                level,
                &grad_coefficients,
                &[sum, 0.0].repeat(6),
                1e-6,
            );
        }
    }
}

/// A NaN reaches its own channel and the one that sees it.
#[test]
fn a_nan_is_seen_by_one_other_channel() {
    for level in levels() {
        let positions = 21;
        let mut case = Case::new::<CurvedB, 3, 2>(1, positions);
        case.x[2 * positions + 20] = f64::NAN;
        let operands = case.operands(&case.coefficients, &[]);
        let mut y = vec![9.0; case.x.len()];
        neighbours::forward::<CurvedB, f64, 3, 2>(level, operands, &case.x, &mut y);
        for (i, y) in y.iter().enumerate() {
            let sees = [1, 2].contains(&(i / positions)) && i % positions == 20;
            assert_eq!(y.is_nan(), sees, "{i} ({level:?})");
        }
    }
}

#[test]
fn empty_arrays_have_gradients_of_zero() {
    for level in levels() {
        let case = Case::new::<CurvedB, 3, 2>(2, 0);
        let mut grad_coefficients = vec![9.0; case.coefficients.len()];
        neighbours::backward::<CurvedB, f64, 3, 2>(
            level,
            case.operands(&case.coefficients, &[]),
            &[],
            &[],
            piecewise::Gradients {
                x: &mut [],
                coefficients: &mut grad_coefficients,
                attention: &mut [],
            },
        );
        assert!(grad_coefficients.iter().all(|grad| *grad == 0.0));
    }
}

#[test]
#[should_panic(expected = "neighbours have kernels of their own")]
fn rows_alone_have_no_neighbours() {
    let operands = piecewise::Operands {
        len: 1,
        coefficients: &[1.0; 6],
        attention: &[],
    };
    piecewise::forward::<CurvedB, f32, 3, 2>(Level::new(), operands, &[0.0], &mut [0.0]);
}

#[test]
fn the_multiplications_of_a_piece_are_counted() {
    assert_eq!(<Pieces<2, 0> as PieceSet<FixedB>>::multiplications(), 1);
    assert_eq!(<Pieces<3, 2> as PieceSet<CurvedA>>::multiplications(), 4);
    assert_eq!(<Pieces<2, 4> as PieceSet<LinearC>>::multiplications(), 3);
}
