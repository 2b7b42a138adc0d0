//! Unusual shapes and wrong arguments: each is defined, or a typed error that changes nothing.

mod common;

use common::{random, randomise};
use dyrelu::{DynamicActivation, Error, Layer, dynamic_activation};
use ndarray::{Array, Array2, Array3, Array4, ArrayD, Axis, IxDyn, arr0, arr1, s};

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct DyReluA;
#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;
#[dynamic_activation(k = 2, share = "spatial", piece = |x, a, b| a * tanh(x) + b, init(a = 1.0, b = 0.0))]
struct Smooth;
#[dynamic_activation(k = 2, share = "none")]
struct DyReluC;

fn for_all_modes(check: impl Fn(&dyn Fn(&ArrayD<f64>) -> (ArrayD<f64>, Vec<ArrayD<f64>>))) {
    fn run<A: DynamicActivation>(x: &ArrayD<f64>) -> (ArrayD<f64>, Vec<ArrayD<f64>>) {
        let layer = A::layer::<f64>(x.shape()[1]).build().unwrap();
        let (y, cache) = layer.forward_train(x).unwrap();
        assert_eq!(y.shape(), x.shape());
        let grads = layer.backward(x, &cache, &ArrayD::ones(x.raw_dim())).unwrap();
        assert_eq!(grads.x.shape(), x.shape());
        (y, grads.parameters().map(|(_, grad)| grad.to_owned()).collect())
    }
    check(&run::<DyReluA>);
    check(&run::<DyReluB>);
    check(&run::<DyReluC>);
}

#[test]
fn an_empty_batch_gives_an_empty_output_and_zero_gradients() {
    for_all_modes(|run| {
        let (y, grads) = run(&ArrayD::zeros(IxDyn(&[0, 8, 3, 3])));
        assert!(y.is_empty());
        assert!(grads.iter().all(|grad| grad.iter().all(|&v| v == 0.0)));
    });
}

#[test]
fn an_empty_spatial_axis_gives_an_empty_output_and_zero_gradients() {
    for shape in [[2, 8, 0, 3], [2, 8, 3, 0]] {
        for_all_modes(|run| {
            let (y, grads) = run(&ArrayD::zeros(IxDyn(&shape)));
            assert!(y.is_empty());
            assert!(grads.iter().all(|grad| grad.iter().all(|&v| v == 0.0)));
        });
    }
    // Nothing is computed, however many samples of nothing there are.
    let layer = DyReluB::layer::<f32>(8).build().unwrap();
    assert!(layer.forward(&Array3::zeros((1 << 58, 8, 0))).unwrap().is_empty());
    layer
        .forward_inplace(&mut Array3::zeros((1 << 58, 8, 0)))
        .unwrap();
    // The mean of no elements is 0, so the coefficients are those of an input of zeros.
    let layer = DyReluB::layer::<f64>(8).build().unwrap();
    let (_, of_nothing) = layer.forward_train(&Array3::<f64>::zeros((1, 8, 0))).unwrap();
    let (_, of_zeros) = layer.forward_train(&Array3::<f64>::zeros((1, 8, 5))).unwrap();
    assert_eq!(of_nothing.coefficients(), of_zeros.coefficients());
}

#[test]
fn without_a_spatial_axis_the_mean_is_the_input() {
    let layer = DyReluB::layer::<f64>(8).build().unwrap();
    let x = random::<f64>(&[3, 8], 1);
    let (y, cache) = layer.forward_train(&x).unwrap();
    assert_eq!(cache.pooled().into_dyn(), x);
    let map = x.clone().insert_axis(Axis(2)).insert_axis(Axis(3));
    assert_eq!(
        layer
            .forward(&map)
            .unwrap()
            .remove_axis(Axis(3))
            .remove_axis(Axis(2)),
        y
    );
}

#[test]
fn a_single_position_has_an_attention_of_one_third() {
    let layer = DyReluC::layer::<f64>(5).build().unwrap();
    let (_, cache) = layer.forward_train(&random::<f64>(&[2, 5, 1, 1], 1)).unwrap();
    assert!(
        cache
            .attention()
            .unwrap()
            .iter()
            .all(|&pi| (pi - 1.0 / 3.0).abs() < 1e-15)
    );
}

#[test]
fn fewer_channels_than_the_reduction_leave_one_hidden_unit() {
    let layer = DyReluB::layer::<f32>(3).reduction(8).build().unwrap();
    assert_eq!(layer.hidden(), 1);
    assert_eq!(
        DyReluB::layer::<f32>(31).reduction(8).build().unwrap().hidden(),
        3
    );
    assert!(layer.forward(&Array4::zeros((2, 3, 4, 4))).is_ok());
}

#[test]
fn a_layer_without_channels_is_an_error() {
    let message = |layer: Result<Layer<DyReluB, f32>, Error>| layer.unwrap_err().to_string();
    assert_eq!(
        message(DyReluB::layer(0).build()),
        "expected channels to be at least 1, found 0"
    );
    assert_eq!(
        message(DyReluB::layer(8).reduction(0).build()),
        "expected reduction to be at least 1, found 0"
    );
    assert_eq!(
        message(DyReluB::layer(8).hidden(0).build()),
        "expected hidden units to be at least 1, found 0"
    );
    assert_eq!(
        message(DyReluB::layer(8).temperature(1.0).build()),
        "expected temperature to be left alone: only `share = \"none\"` has a spatial attention, found 1.0"
    );
    assert_eq!(
        message(DyReluB::layer(usize::MAX / 2).hidden(4).build()),
        "expected channels to be small enough to count the outputs, found 9223372036854775807"
    );
    assert!(matches!(
        DyReluB::layer::<f32>(1 << 44).hidden(1).build(),
        Err(Error::Option { .. })
    ));
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-39] {
        assert!(matches!(
            DyReluC::layer::<f32>(8).temperature(temperature).build(),
            Err(Error::Option {
                option: "temperature",
                ..
            })
        ));
    }
}

#[test]
fn wrong_inputs_are_errors() {
    let layer = DyReluB::layer::<f32>(8).build().unwrap();
    assert_eq!(
        layer
            .forward(&Array4::zeros((2, 7, 4, 4)))
            .unwrap_err()
            .to_string(),
        "expected 8 channels in axis 1, found shape [2, 7, 4, 4]"
    );
    let rank = "expected an input of rank 2 or more, [N, channels, ...], found shape";
    assert_eq!(
        layer.forward(&arr1(&[1.0; 8])).unwrap_err().to_string(),
        format!("{rank} [8]")
    );
    assert_eq!(
        layer.forward(&arr0(1.0)).unwrap_err().to_string(),
        format!("{rank} []")
    );

    let x = random::<f32>(&[2, 8, 3], 1);
    let mut y = random::<f32>(&[2, 8, 4], 2);
    let before = y.clone();
    assert_eq!(
        layer.forward_into(&x, &mut y).unwrap_err().to_string(),
        "expected the output in the shape of the input, [2, 8, 3], found [2, 8, 4]"
    );
    assert_eq!(y, before);
    let mut x7 = random::<f32>(&[2, 7, 3], 1);
    let before = x7.clone();
    assert!(matches!(
        layer.forward_inplace(&mut x7),
        Err(Error::Channels { .. })
    ));
    assert_eq!(x7, before);

    let (y, cache) = layer.forward_train(&x).unwrap();
    assert!(matches!(
        layer.backward(&x, &cache, &random(&[2, 8, 4], 1)),
        Err(Error::Shape {
            array: "gradient of the output",
            ..
        })
    ));
    let other = random::<f32>(&[3, 8, 3], 1);
    assert_eq!(
        layer.backward(&other, &cache, &other).unwrap_err().to_string(),
        "expected the cache of this input and layer, DyReluB with N = 3, 8 channels, 3 positions, 2 hidden units, \
         2 coefficients, K = 2, sharing mode Spatial, found one for DyReluB with N = 2, 8 channels, 3 positions, 2 hidden units, \
         2 coefficients, K = 2, sharing mode Spatial"
    );
    let (_, of_mode_a) = DyReluA::layer::<f32>(8)
        .build()
        .unwrap()
        .forward_train(&x)
        .unwrap();
    assert!(matches!(
        layer.backward(&x, &of_mode_a, &y),
        Err(Error::Cache { .. })
    ));
    // The same sizes, and another formula.
    let (_, of_another) = Smooth::layer::<f32>(8)
        .build()
        .unwrap()
        .forward_train(&x)
        .unwrap();
    let error = layer.backward(&x, &of_another, &y).unwrap_err().to_string();
    assert!(error.contains("found one for Smooth with N = 2"), "{error}");
}

/// Owned arrays, views, slices with steps and reversed axes, transposed arrays, shared arrays.
#[test]
fn every_kind_of_array_is_an_input() {
    let mut layer = DyReluC::layer::<f32>(6).build().unwrap();
    randomise(&mut layer, 1);
    let x = random::<f32>(&[4, 6, 5, 7], 2)
        .into_dimensionality::<ndarray::Ix4>()
        .unwrap();
    let y = layer.forward(&x).unwrap();
    assert_eq!(layer.forward(&x.view()).unwrap(), y);
    assert_eq!(layer.forward(&x.to_shared()).unwrap(), y);
    assert_eq!(
        layer.forward(&x.clone().into_dyn()).unwrap(),
        y.clone().into_dyn()
    );

    let reversed = x.slice(s![..;2, .., ..;-1, ..]);
    assert_eq!(
        layer.forward(&reversed).unwrap(),
        layer.forward(&reversed.to_owned()).unwrap()
    );
    // Channels last in memory, as an NHWC framework has them.
    let channels_last = x
        .view()
        .permuted_axes([0, 2, 3, 1])
        .as_standard_layout()
        .into_owned();
    let channels_last = channels_last.permuted_axes([0, 3, 1, 2]);
    assert_eq!(layer.forward(&channels_last).unwrap(), y);
    let fortran = Array::from_shape_fn(ndarray::ShapeBuilder::f((4, 6, 5, 7)), |i| x[i]);
    assert_eq!(layer.forward(&fortran).unwrap(), y);
    let broadcast = x.slice(s![.., .., 0..1, 0..1]);
    let broadcast = broadcast.broadcast((4, 6, 3, 3)).unwrap();
    assert_eq!(
        layer.forward(&broadcast).unwrap(),
        layer.forward(&broadcast.to_owned()).unwrap()
    );
}

#[test]
fn outputs_of_any_strides_and_in_place() {
    let layer = DyReluC::layer::<f64>(3).build().unwrap();
    for shape in [[2, 3, 1], [2, 3, 5], [2, 3, 8], [2, 3, 16], [2, 3, 31]] {
        let x = random::<f64>(&shape, 1)
            .into_dimensionality::<ndarray::Ix3>()
            .unwrap();
        let y = layer.forward(&x).unwrap();

        let mut out = Array::zeros((shape[2], shape[1], shape[0])).reversed_axes();
        layer.forward_into(&x, &mut out).unwrap();
        assert_eq!(out, y);
        let mut out = Array3::zeros((shape[0], shape[1], shape[2]));
        layer.forward_into(&x, &mut out).unwrap();
        assert_eq!(out, y);

        let mut inplace = x.clone();
        layer.forward_inplace(&mut inplace).unwrap();
        assert_eq!(inplace, y);
        let mut inplace = x.t().to_owned().reversed_axes();
        layer.forward_inplace(&mut inplace).unwrap();
        assert_eq!(inplace, y);

        let (_, cache) = layer.forward_train(&x).unwrap();
        let grads = layer.backward(&x, &cache, &y).unwrap();
        let strided = y.t().as_standard_layout().into_owned().reversed_axes();
        assert_eq!(layer.backward(&x, &cache, &strided).unwrap().x, grads.x);
    }
}

#[test]
fn the_same_seed_gives_the_same_layer_in_both_types() {
    let parameters = |seed| {
        let layer = DyReluC::layer::<f64>(16).seed(seed).build().unwrap();
        layer
            .parameters()
            .flat_map(|(_, value)| value.into_iter().copied().collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(parameters(7), parameters(7));
    assert_ne!(parameters(7), parameters(8));
    let single = DyReluC::layer::<f32>(16).seed(7).build().unwrap();
    let single: Vec<f32> = single
        .parameters()
        .flat_map(|(_, v)| v.into_iter().copied().collect::<Vec<_>>())
        .collect();
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what is tested")]
    let rounded: Vec<f32> = parameters(7).iter().map(|&v| v as f32).collect();
    assert_eq!(single, rounded);

    // U(−1/√inputs, 1/√inputs): nearly all of the range and nothing else.
    let layer = DyReluC::layer::<f64>(64).hidden(400).build().unwrap();
    for (name, value) in layer.parameters() {
        let inputs: f64 = if name.starts_with("fc2") { 400.0 } else { 64.0 };
        let largest = value.iter().fold(0.0, |largest: f64, v| largest.max(v.abs())) * inputs.sqrt();
        assert!(largest <= 1.0, "{name}: {largest}");
        if value.len() > 100 {
            assert!(
                largest > 0.97 && (value.mean().unwrap() * inputs.sqrt()).abs() < 0.05,
                "{name}: {largest}"
            );
        }
    }
}

#[test]
fn parameters_have_the_documented_names_and_shapes() {
    fn shapes<A: DynamicActivation>() -> Vec<(&'static str, Vec<usize>)> {
        let layer = A::layer::<f32>(8).reduction(4).build().unwrap();
        layer
            .parameters()
            .map(|(name, value)| (name, value.shape().to_vec()))
            .collect()
    }
    let fc1 = [("fc1.weight", vec![2, 8]), ("fc1.bias", vec![2])];
    let a = [("fc2.weight", vec![4, 2]), ("fc2.bias", vec![4])];
    let b = [("fc2.weight", vec![32, 2]), ("fc2.bias", vec![32])];
    let attention = [("attention.weight", vec![1, 8]), ("attention.bias", vec![1])];
    assert_eq!(shapes::<DyReluA>(), [&fc1[..], &a].concat());
    assert_eq!(shapes::<DyReluB>(), [&fc1[..], &b].concat());
    assert_eq!(shapes::<DyReluC>(), [&fc1[..], &b, &attention].concat());

    let mut layer = DyReluB::layer::<f32>(8).build().unwrap();
    assert_eq!(layer.parameter_count(), 16 + 2 + 64 + 32);
    assert!(layer.parameter("fc3.weight").is_none());
    layer.parameter_mut("fc2.bias").unwrap().fill(0.25);
    assert_eq!(
        layer.parameter("fc2.bias").unwrap(),
        ArrayD::from_elem(IxDyn(&[32]), 0.25)
    );
    assert_eq!(
        format!("{layer:?}"),
        "DyReluB { channels: 8, hidden: 2, parameters: 114, .. }"
    );
}

/// With zero weights in the second layer, the coefficients are their init: the layer is ReLU, in C a third.
#[test]
fn zero_weights_give_relu() {
    fn forward<A: DynamicActivation>(x: &Array2<f64>) -> Array2<f64> {
        let mut layer = A::layer::<f64>(6).build().unwrap();
        for (_, mut parameter) in layer.parameters_mut().skip(2) {
            parameter.fill(0.0);
        }
        layer.forward(x).unwrap()
    }
    let x = random::<f64>(&[4, 6], 3).into_dimensionality().unwrap();
    let relu = x.mapv(|v| v.max(0.0));
    assert_eq!(forward::<DyReluA>(&x), relu);
    assert_eq!(forward::<DyReluB>(&x), relu);
    common::assert_close("C", &forward::<DyReluC>(&x), &(relu / 3.0), 1e-15);
}
