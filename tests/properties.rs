//! What must hold for every layer, on random inputs.

mod common;

use common::{assert_close, random, randomise};
use dyrelu::{
    Cache, Coefficient, DynamicActivation, Inner, Layer, PerPiece, Piece, Sharing, Source, Squash,
    dynamic_activation, kernels, reference,
};
use ndarray::{Array3, ArrayD, Axis, Ix3, concatenate, s};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[dynamic_activation(k = 3, share = "spatial+channel")]
struct DyReluA;
#[dynamic_activation(k = 3, share = "spatial")]
struct DyReluB;
#[dynamic_activation(k = 3, share = "none")]
struct DyReluC;
#[dynamic_activation(k = 1, share = "spatial")]
struct AffineB;

/// Not homogeneous in its coefficients: mode C cannot multiply the output instead.
macro_rules! curved {
    ($name:ident $share:tt) => {
        #[dynamic_activation(
            k = 2, share = $share, init(a = [1.0, 0.0], b = 0.5), piece = |x, a, b| a * x + b * b * tanh(x)
        )]
        struct $name;
    };
}
curved!(CurvedB "spatial");
curved!(CurvedC "none");

fn shapes() -> impl Strategy<Value = (usize, usize, usize, u64)> {
    (
        1_usize..4,
        1_usize..9,
        prop_oneof![1_usize..20, 30_usize..70],
        any::<u64>(),
    )
}

fn layer<A: DynamicActivation>(channels: usize, seed: u64) -> Layer<A, f64> {
    let mut layer = A::layer::<f64>(channels).build().unwrap();
    randomise(&mut layer, seed);
    layer
}

fn input(n: usize, c: usize, s: usize, seed: u64) -> Array3<f64> {
    random(&[n, c, s], seed).into_dimensionality().unwrap()
}

/// The parameters of one layer into another that has at least those.
fn copy<A: DynamicActivation, B: DynamicActivation>(from: &Layer<A, f64>, to: &mut Layer<B, f64>) {
    for (name, value) in from.parameters() {
        to.parameter_mut(name).unwrap().assign(&value);
    }
}

fn forward<A: DynamicActivation>(layer: &Layer<A, f64>, x: &Array3<f64>) -> (Array3<f64>, Cache<f64>) {
    layer.forward_train(x).unwrap()
}

proptest! {
    // The same inputs each time: a failure on main is a failure everywhere.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn c_is_pi_times_b((n, c, s, seed) in shapes()) {
        let b = layer::<DyReluB>(c, seed);
        let mut unshared = layer::<DyReluC>(c, seed ^ 1);
        copy(&b, &mut unshared);
        let x = input(n, c, s, seed);
        let (y, cache) = forward(&unshared, &x);
        let pi = cache.attention().unwrap().to_owned().insert_axis(Axis(1));
        assert_close("C", &y, &(forward(&b, &x).0 * &pi), 1e-14);
        prop_assert!(pi.iter().all(|&pi| (0.0..=1.0).contains(&pi)));
        prop_assert!(pi.mean().unwrap() < 1.0 / 3.0 + 1e-12);
    }

    /// Where the piece is not homogeneous, C scales every coefficient: element by element it is B's formula.
    #[test]
    fn c_scales_the_coefficients_of_any_piece((n, c, s, seed) in shapes()) {
        let unshared = layer::<CurvedC>(c, seed);
        let x = input(n, c, s, seed);
        let (y, cache) = forward(&unshared, &x);
        let (pi, coefficients) = (cache.attention().unwrap(), cache.coefficients());
        let expected = Array3::from_shape_fn((n, c, s), |(n, c, s)| {
            let coefficient = |p, k| pi[[n, s]] * coefficients[[n, c, p, k]];
            let piece = |k| coefficient(0, k) * x[[n, c, s]] + coefficient(1, k).powi(2) * x[[n, c, s]].tanh();
            f64::max(piece(0), piece(1))
        });
        assert_close("C", &y, &expected, 1e-13);
    }

    #[test]
    fn a_is_b_with_the_same_rows_for_every_channel((n, c, s, seed) in shapes()) {
        let a = layer::<DyReluA>(c, seed);
        let mut b = layer::<DyReluB>(c, seed);
        for (name, value) in a.parameters() {
            let rows = if name.starts_with("fc2") { c } else { 1 };
            let tiled = concatenate(Axis(0), &vec![value.view(); rows]).unwrap();
            b.parameter_mut(name).unwrap().assign(&tiled);
        }
        let x = input(n, c, s, seed);
        assert_close("A", &forward(&a, &x).0, &forward(&b, &x).0, 1e-14);
    }

    #[test]
    fn one_piece_is_affine((n, c, s, seed) in shapes()) {
        let layer = layer::<AffineB>(c, seed);
        let x = input(n, c, s, seed);
        let (y, cache) = forward(&layer, &x);
        let coefficient = |p| cache.coefficients().slice_move(s![.., .., p, ..]);
        assert_close("y", &y, &(&x * &coefficient(0) + coefficient(1)), 1e-14);
    }

    /// The maximum is at least every piece and equals one of them.
    #[test]
    fn the_output_is_the_largest_piece((n, c, s, seed) in shapes()) {
        let layer = layer::<DyReluB>(c, seed);
        let x = input(n, c, s, seed);
        let (y, cache) = forward(&layer, &x);
        for ((n, c, s), &y) in y.indexed_iter() {
            let set = cache.coefficients();
            let pieces = [0, 1, 2].map(|k| set[[n, c, 0, k]] * x[[n, c, s]] + set[[n, c, 1, k]]);
            let largest = pieces.into_iter().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((y - largest).abs() < 1e-13, "{y} of {pieces:?}");
        }
    }

    #[test]
    fn any_split_of_the_batch_gives_the_same_bits((n, c, s, seed) in shapes(), split in 0_usize..4) {
        let x = input(n, c, s, seed);
        check_split(&layer::<DyReluA>(c, seed), &x, split.min(n));
        check_split(&layer::<DyReluB>(c, seed), &x, split.min(n));
        check_split(&layer::<DyReluC>(c, seed), &x, split.min(n));
    }

    #[test]
    fn strides_change_nothing((n, c, s, seed) in shapes()) {
        let x = input(n, c, s, seed);
        check_strides(&layer::<DyReluA>(c, seed), &x);
        check_strides(&layer::<DyReluB>(c, seed), &x);
        check_strides(&layer::<CurvedB>(c, seed), &x);
        check_strides(&layer::<DyReluC>(c, seed), &x);
    }

    #[test]
    fn the_order_of_pieces_does_not_matter((n, c, s, seed) in shapes()) {
        let layer = layer::<DyReluB>(c, seed);
        let mut rotated = layer.clone();
        // init is (1, 0, 0) for a, so only pieces 1 and 2 may swap.
        for (name, mut parameter) in rotated.parameters_mut() {
            if name.starts_with("fc2") {
                let original = layer.parameter(name).unwrap();
                for row in 0..original.len_of(Axis(0)) {
                    let source = match row % 3 { 0 => row, 1 => row + 1, _ => row - 1 };
                    parameter.index_axis_mut(Axis(0), row).assign(&original.index_axis(Axis(0), source));
                }
            }
        }
        let x = input(n, c, s, seed);
        assert_eq!(forward(&layer, &x).0, forward(&rotated, &x).0);
    }

    /// A layer is the composition of the naive twins, also where one of the numbers is special.
    #[test]
    fn a_layer_is_the_composition_of_its_twins(
        (n, c, s, seed) in shapes(),
        special in prop_oneof![Just(None), Just(Some(f64::NAN)), Just(Some(f64::INFINITY)), Just(Some(f64::NEG_INFINITY))],
    ) {
        let mut x = input(n, c, s, seed);
        if let Some(special) = special {
            x[[n - 1, c / 2, s / 2]] = special;
        }
        check_twins::<DyReluA, 3>(c, seed, &x);
        check_twins::<DyReluB, 3>(c, seed, &x);
        check_twins::<DyReluC, 3>(c, seed, &x);
        check_twins::<CurvedC, 2>(c, seed, &x);
    }

    #[test]
    fn special_numbers_stay_in_their_sample(
        (n, c, s, seed) in shapes(),
        special in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ) {
        let x = input(n, c, s, seed);
        check_special(&layer::<DyReluA>(c, seed), &x, special);
        check_special(&layer::<DyReluB>(c, seed), &x, special);
        check_special(&layer::<DyReluC>(c, seed), &x, special);
    }
}

fn check_twins<A: DynamicActivation + Piece<2>, const K: usize>(channels: usize, seed: u64, x: &Array3<f64>) {
    let layer = layer::<A>(channels, seed);
    let parameter = |name| {
        layer
            .parameter(name)
            .map_or(Vec::new(), |value| value.iter().copied().collect::<Vec<_>>())
    };
    let constants = |of: fn(&Coefficient) -> PerPiece| -> Vec<f64> {
        A::COEFFICIENTS
            .iter()
            .flat_map(|coefficient| (0..K).map(move |k| of(coefficient).of(k)))
            .collect()
    };
    let (samples, positions) = (x.shape()[0], x.shape()[2]);
    let values = x.as_slice().unwrap();

    let pooled = reference::pool::forward(samples * channels, positions, values);
    let weights = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].map(parameter);
    let [fc1_weight, fc1_bias, fc2_weight, fc2_bias] = &weights;
    let weights = kernels::hyper::Weights {
        layers: kernels::hyper::Layers::Two {
            first: kernels::hyper::Linear {
                inputs: channels,
                weight: fc1_weight,
                bias: fc1_bias,
            },
            inner: Inner::Relu,
            second: kernels::hyper::Linear {
                inputs: fc1_bias.len(),
                weight: fc2_weight,
                bias: fc2_bias,
            },
        },
        squashes: &[Squash::CentredSigmoid],
        k: 1,
    };
    let [_, residuals] = reference::hyper::forward(weights, &pooled);
    let (init, lambda) = (
        constants(|c| c.init),
        constants(|c| match c.source {
            Source::Dynamic { lambda, .. } => lambda,
            Source::Learned { .. } => unreachable!("all are dynamic"),
        }),
    );
    let operands = kernels::coefficients::Operands {
        pieces: K,
        template: &init,
        dynamic: &[0, 1],
        lambda: &lambda,
        coefficients: 2,
    };
    let rows = residuals.len() / init.len();
    let coefficients = reference::coefficients::forward(operands, &residuals, rows);
    let attention = if A::SHARING == Sharing::Unshared {
        let weight = parameter("attention.weight");
        let operands = kernels::attention::Operands {
            positions,
            scaling: layer.attention_scaling(),
            weight: &weight,
        };
        let [_, attention] = reference::attention::forward(operands, parameter("attention.bias")[0], values);
        attention
    } else {
        Vec::new()
    };
    let len = if A::SHARING == Sharing::SpatialAndChannel {
        channels * positions
    } else {
        positions
    };
    let operands = kernels::piecewise::Operands {
        len,
        coefficients: &coefficients,
        attention: &attention,
    };
    let expected = reference::piecewise::forward::<A, K, 2>(operands, values);

    for (found, expected) in layer.forward(x).unwrap().iter().zip(expected) {
        let equal = (found - expected).abs() <= 1e-12 * (1.0 + expected.abs());
        let same = found.is_nan() && expected.is_nan() || found.total_cmp(&expected).is_eq();
        assert!(equal || same, "{}: {found}, expected {expected}", A::NAME);
    }
}

fn check_split<A: DynamicActivation>(layer: &Layer<A, f64>, x: &Array3<f64>, split: usize) {
    let (first, second) = x.view().split_at(Axis(0), split);
    let parts = [layer.forward(&first).unwrap(), layer.forward(&second).unwrap()];
    let joined = concatenate(Axis(0), &[parts[0].view(), parts[1].view()]).unwrap();
    assert_eq!(joined, layer.forward(x).unwrap());
}

fn check_strides<A: DynamicActivation>(layer: &Layer<A, f64>, x: &Array3<f64>) {
    let strided = x.t().as_standard_layout().into_owned().reversed_axes();
    let (y, cache) = forward(layer, x);
    assert_eq!(layer.forward(&strided).unwrap(), y);
    let grads = layer.backward(x, &cache, &y).unwrap();
    assert_eq!(layer.backward(&strided, &cache, &y).unwrap().x, grads.x);
}

/// Spoils one element of the last sample.
fn check_special<A: DynamicActivation>(layer: &Layer<A, f64>, x: &Array3<f64>, special: f64) {
    let (n, c, s) = (x.shape()[0] - 1, x.shape()[1] / 2, x.shape()[2] / 2);
    let mut spoiled = x.clone();
    spoiled[[n, c, s]] = special;
    let (clean, found) = (layer.forward(x).unwrap(), layer.forward(&spoiled).unwrap());
    assert_eq!(found.slice(s![..n, .., ..]), clean.slice(s![..n, .., ..]));
    if special.is_nan() {
        assert!(found.index_axis(Axis(0), n).iter().all(|v| v.is_nan()), "{found}");
    }
}

/// An infinite mean saturates the residuals; where it meets a weight of zero, everything after is NaN.
#[test]
fn an_infinite_input_has_infinite_or_undefined_output() {
    let mut layer = DyReluB::layer::<f64>(1).build().unwrap();
    for (_, mut parameter) in layer.parameters_mut() {
        parameter.fill(0.0);
    }
    // Zero weights times an infinite mean are NaN, and so is everything after it.
    let x = ArrayD::from_elem(vec![1, 1, 2], f64::INFINITY)
        .into_dimensionality::<Ix3>()
        .unwrap();
    assert!(layer.forward(&x).unwrap().iter().all(|v| v.is_nan()));

    // With weights, the residuals are ±1: slopes 1 + 1, 0 + 1, 0 − 1.
    layer.parameter_mut("fc1.weight").unwrap().fill(1.0);
    let mut fc2 = layer.parameter_mut("fc2.weight").unwrap();
    for (row, value) in [1.0, 1.0, -1.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
        fc2[[row, 0]] = value;
    }
    assert_eq!(layer.forward(&x).unwrap(), x);
}

/// Parameters as one list: the same bits, also those of NaN and of zeros with different signs, and the gradients in the same order.
#[test]
fn parameters_are_set_from_a_list() {
    let mut layer = DyReluC::layer::<f32>(4).build().unwrap();
    let x = random::<f32>(&[2, 4, 3], 1);
    let expected = layer.forward(&x).unwrap();
    let mut numbers: Vec<f32> = layer
        .parameters()
        .flat_map(|(_, values)| values.into_iter().copied())
        .collect();
    let mut other = DyReluC::layer::<f32>(4).seed(9).build().unwrap();
    assert_ne!(other.forward(&x).unwrap(), expected);
    other.set_parameters(&numbers);
    assert_eq!(other.forward(&x).unwrap(), expected);

    for special in [0.0, -0.0, f32::NAN, 1.0] {
        *numbers.last_mut().unwrap() = special;
        layer.set_parameters(&numbers);
        assert_eq!(
            layer.parameter("attention.bias").unwrap()[[0]].to_bits(),
            special.to_bits()
        );
    }
    let (y, cache) = layer.forward_train(&x).unwrap();
    let grads = layer.backward(&x, &cache, &y).unwrap();
    let flat: Vec<f32> = grads
        .parameters()
        .flat_map(|(_, values)| values.into_iter().copied())
        .collect();
    assert_eq!(grads.flat_parameters(), flat);
}

#[test]
#[should_panic(expected = "as many numbers as the layer has")]
fn a_list_of_another_length_is_refused() {
    DyReluC::layer::<f32>(4)
        .build()
        .unwrap()
        .set_parameters(&[0.0; 3]);
}
