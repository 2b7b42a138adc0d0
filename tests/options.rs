//! The options of a layer and its context: what they mean, and the messages for those that make no layer.

mod common;

use common::random;
use dyrelu::gallery::{
    ARelu, ApRelu, DyHead, DyHeadBetween, DyReluB, DyReluNormalised, DyShiftMax, HardSwish, MetaAcon, PRelu,
    SRelu,
};
use dyrelu::{DynamicActivation, Error, Layer, LayerBuilder, dynamic_activation};
use ndarray::{Array, ArrayD, IxDyn, ShapeBuilder};

#[dynamic_activation(k = 2, share = "spatial", hyper(layers = 1))]
struct OneLayer;
#[dynamic_activation(k = 1, share = "spatial", piece = |x, a| a * x, init(a = 1.0), hyper(layers = 0))]
struct ZeroLayers;
#[dynamic_activation(k = 2, share = "spatial+channel", hyper(layers = 0))]
struct ZeroLayersA;
#[dynamic_activation(k = 2, share = "spatial", hyper(context = "external", layers = 0))]
struct OutsideCoefficients;
#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, s, a| a * max(x, s), neighbours(s = shift(0, 1)), init(a = 1.0)
)]
struct NextChannel;

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "as a builder is written")]
fn refuse<A: DynamicActivation>(layer: LayerBuilder<A, f32>, message: &str) {
    let error = layer.clone().build().unwrap_err();
    assert!(matches!(error, Error::Option { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
    // The attention costs the same for all constants.
    if !["temperature", "average attention", "cut-off"]
        .iter()
        .any(|option| message.starts_with(&format!("expected {option}")))
    {
        assert_eq!(layer.cost(1).unwrap_err().to_string(), message);
    }
}

#[test]
fn options_that_make_no_layer_are_errors() {
    refuse(
        DyShiftMax::layer(6),
        "expected groups to be set: a neighbour is groups further, found none",
    );
    for groups in [0, 4, 5, 12] {
        let message = format!("expected groups to be a divisor of the channels, found {groups}");
        refuse(DyShiftMax::layer(6).groups(groups), &message);
        refuse(NextChannel::layer(6).groups(groups), &message);
    }
    let message = "expected groups to be left alone: only `neighbours(…)` has them, found 1";
    refuse(DyReluB::layer(6).groups(1), message);
    refuse(PRelu::layer(6).groups(1), message);

    let message =
        "expected context channels to be left alone: only `hyper(context = \"external\")` has them, found 6";
    refuse(DyReluB::layer(6).context_channels(6), message);
    refuse(ApRelu::layer(6).context_channels(6), message);
    refuse(PRelu::layer(6).context_channels(6), message);
    refuse(
        DyHeadBetween::layer(6).context_channels(0),
        "expected context channels to be at least 1, found 0",
    );

    refuse(
        DyReluB::layer(6).divisible_by(0),
        "expected divisor of the hidden units to be at least 1, found 0",
    );
    refuse(
        DyReluB::layer(6).at_least(0),
        "expected least hidden units to be at least 1, found 0",
    );
    refuse(
        DyHeadBetween::layer(6).reduction(0),
        "expected reduction to be at least 1, found 0",
    );
    refuse(
        ApRelu::layer(6).hidden(0),
        "expected hidden units to be at least 1, found 0",
    );

    refuse(
        OutsideCoefficients::layer(6).context_channels(6),
        "expected inputs of a hyper function without layers to be as many as it has outputs, found 6 inputs and 24 outputs",
    );
    refuse(
        ZeroLayersA::layer(6),
        "expected inputs of a hyper function without layers to be as many as it has outputs, found 6 inputs and 4 outputs",
    );
    assert!(ZeroLayersA::layer::<f32>(4).build().is_ok());
    assert!(
        OutsideCoefficients::layer::<f32>(6)
            .context_channels(24)
            .build()
            .is_ok()
    );

    refuse(
        SRelu::layer(6).temperature(1.0),
        "expected temperature to be left alone: only `share = \"none\"` has a spatial attention, found 1.0",
    );
    refuse(
        DyReluB::layer(6).average_attention(1.0),
        "expected average attention to be left alone: only `share = \"none\"` has a spatial attention, found 1.0",
    );
    refuse(
        DyReluB::layer(6).cut_off(0.5),
        "expected cut-off to be left alone: only `share = \"none\"` has a spatial attention, found 0.5",
    );
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-39, 1e39] {
        let message =
            |option| format!("expected {option} to be positive and finite, as its inverse, found {wrong:?}");
        refuse(
            DyReluNormalised::layer(6).temperature(wrong),
            &message("temperature"),
        );
        refuse(
            DyReluNormalised::layer(6).average_attention(wrong),
            &message("average attention"),
        );
        refuse(DyReluNormalised::layer(6).cut_off(wrong), &message("cut-off"));
    }
    refuse(SRelu::layer(0), "expected channels to be at least 1, found 0");
}

/// More of anything than can be counted, or than memory has.
#[test]
fn sizes_without_bounds_are_errors() {
    for channels in [usize::MAX, usize::MAX / 2, usize::MAX / 4 + 1, 1 << 62] {
        let message = format!("expected channels to be small enough to count the outputs, found {channels}");
        refuse(DyReluB::layer(channels).hidden(1), &message);
        refuse(
            DyHeadBetween::layer(channels).context_channels(1).hidden(1),
            &message,
        );
    }
    // Two numbers for each channel.
    refuse(
        ApRelu::layer(usize::MAX / 2 + 1),
        &format!(
            "expected channels to be small enough to count the outputs, found {}",
            usize::MAX / 2 + 1
        ),
    );
    for layer in [
        PRelu::layer::<f32>(usize::MAX).build().map(|_| ()),
        SRelu::layer::<f32>(1 << 60).build().map(|_| ()),
        MetaAcon::layer::<f32>(1 << 60).hidden(1).build().map(|_| ()),
        DyReluB::layer::<f32>(16).at_least(1 << 60).build().map(|_| ()),
        DyReluB::layer::<f32>(16)
            .divisible_by(usize::MAX)
            .build()
            .map(|_| ()),
        NextChannel::layer::<f32>(1 << 60).hidden(1).build().map(|_| ()),
    ] {
        assert!(matches!(layer, Err(Error::Option { .. })), "{layer:?}");
    }
}

fn hidden<A: DynamicActivation>(layer: LayerBuilder<A, f32>) -> usize {
    layer.build().unwrap().hidden()
}

/// As `make_divisible` of the `MobileNet` family: new = max(d, int(v + d/2) // d · d), and once more d if new < 0.9·v.
#[test]
fn hidden_units_are_rounded_as_in_the_mobile_net_family() {
    // v, d and what a Python interpreter printed.
    let table = [
        (17, 1, 17),
        (22, 1, 22),
        (37, 1, 37),
        (127, 1, 127),
        (4, 2, 4),
        (9, 2, 10),
        (14, 2, 14),
        (19, 2, 20),
        (29, 2, 30),
        (44, 2, 44),
        (1, 3, 3),
        (6, 3, 6),
        (11, 3, 12),
        (36, 3, 36),
        (1, 4, 4),
        (3, 4, 4),
        (4, 4, 4),
        (5, 4, 8),
        (6, 4, 8),
        (9, 4, 12),
        (10, 4, 12),
        (11, 4, 12),
        (14, 4, 16),
        (17, 4, 16),
        (18, 4, 20),
        (19, 4, 20),
        (22, 4, 24),
        (29, 4, 28),
        (35, 4, 36),
        (36, 4, 36),
        (37, 4, 36),
        (44, 4, 44),
        (53, 4, 52),
        (85, 4, 84),
        (127, 4, 128),
        (255, 4, 256),
        (5, 5, 5),
        (10, 5, 10),
        (35, 5, 35),
        (85, 5, 85),
        (255, 5, 255),
        (1, 8, 8),
        (3, 8, 8),
        (4, 8, 8),
        (5, 8, 8),
        (6, 8, 8),
        (9, 8, 16),
        (10, 8, 16),
        (11, 8, 16),
        (14, 8, 16),
        (17, 8, 16),
        (18, 8, 24),
        (19, 8, 24),
        (22, 8, 24),
        (29, 8, 32),
        (35, 8, 32),
        (36, 8, 40),
        (37, 8, 40),
        (44, 8, 48),
        (53, 8, 56),
        (85, 8, 88),
        (127, 8, 128),
        (255, 8, 256),
        (17, 16, 16),
        (22, 16, 32),
        (37, 16, 48),
        (127, 16, 128),
        (4, 32, 32),
        (9, 32, 32),
        (14, 32, 32),
        (19, 32, 32),
        (29, 32, 32),
        (44, 32, 64),
    ];
    for (units, divisor, expected) in table {
        let layer = DyHead::layer(units).reduction(1).divisible_by(divisor);
        assert_eq!(
            hidden(layer.clone()),
            expected,
            "{units} to a multiple of {divisor}"
        );
        // A given number is not rounded, a minimum comes after.
        assert_eq!(hidden(layer.clone().hidden(units)), units);
        assert_eq!(hidden(layer.at_least(expected + 1)), expected + 1);
    }
    // No unit at all.
    assert_eq!(hidden(DyHead::layer(7).reduction(8).divisible_by(4)), 4);
    assert_eq!(hidden(DyHead::layer(7).reduction(8)), 1);
}

#[test]
fn hidden_units_follow_from_what_the_hyper_function_sees() {
    assert_eq!(
        hidden(DyHeadBetween::layer(64).context_channels(24).reduction(4)),
        6
    );
    assert_eq!(hidden(DyHeadBetween::layer(64).reduction(4)), 16);
    // The means of both halves are two numbers for a channel, but the paper's hidden units are as many as channels.
    assert_eq!(hidden(ApRelu::layer(64).reduction(1)), 64);
    assert_eq!(hidden(DyReluB::layer(64).reduction(32).at_least(16)), 16);
    assert_eq!(hidden(DyReluB::layer(64).reduction(2).at_least(16)), 32);
}

/// Where there are no hidden units, options that would count them say nothing.
#[test]
fn activations_without_hidden_units_ignore_their_options() {
    type Set<A> = fn(LayerBuilder<A, f32>) -> LayerBuilder<A, f32>;
    fn check<A: DynamicActivation>(channels: usize) {
        let plain = A::layer::<f32>(channels).build().unwrap();
        let options: [Set<A>; 5] = [
            |layer| layer.reduction(0),
            |layer| layer.reduction(1),
            |layer| layer.hidden(3),
            |layer| layer.at_least(0),
            |layer| layer.divisible_by(0),
        ];
        for option in options {
            let layer = option(A::layer::<f32>(channels)).build().unwrap();
            assert_eq!(layer.hidden(), 0);
            assert!(layer.parameters().eq(plain.parameters()), "{layer:?}");
        }
    }
    check::<PRelu>(6);
    check::<HardSwish>(6);
    check::<ARelu>(6);
    check::<OneLayer>(6);
    check::<ZeroLayers>(6);
    check::<OutsideCoefficients>(6);
}

#[test]
fn groups_are_what_was_set() {
    let groups = |layer: LayerBuilder<NextChannel, f32>| layer.build().unwrap().groups();
    assert_eq!(groups(NextChannel::layer(6)), 1);
    assert_eq!(groups(NextChannel::layer(6).groups(3)), 3);
    assert_eq!(DyReluB::layer::<f32>(6).build().unwrap().groups(), 1);
    // One channel in each group has no neighbour but itself.
    let layer = NextChannel::layer::<f64>(6).groups(6).build().unwrap();
    let x = random::<f64>(&[2, 6, 5], 1);
    let (y, cache) = layer.forward_train(&x).unwrap();
    let slopes = cache.coefficients().to_owned();
    let expected = Array::from_shape_fn((2, 6, 5), |(n, c, s)| slopes[[n, c, 0, 0]] * x[[n, c, s]]);
    common::assert_close("the channel itself", &y, &expected.into_dyn(), 1e-15);
}

#[track_caller]
fn context_message<R>(result: Result<R, Error>, message: &str) {
    let error = result.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Context { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

/// Every method refuses, and leaves what it would have written to.
#[test]
fn a_context_that_is_missing_or_does_not_fit_is_an_error_of_every_method() {
    let layer: Layer<DyHeadBetween, f64> = DyHeadBetween::layer(6).context_channels(5).build().unwrap();
    let x = random::<f64>(&[3, 6, 4], 1);
    let right = layer
        .with_context(&random::<f64>(&[3, 5], 2))
        .map(|layer| layer.forward_train(&x));
    let (right, cache) = right.unwrap().unwrap();
    let bound = layer.with_context(&random::<f64>(&[3, 5], 2)).unwrap();
    let mut grads = bound.backward(&x, &cache, &x).unwrap();
    let before = grads.x.clone();

    let missing = "expected a context beside x: call `with_context`, found none";
    let (mut y, mut kept) = (right.clone(), cache.clone());
    context_message(layer.forward(&x), missing);
    context_message(layer.forward_into(&x, &mut y), missing);
    context_message(layer.forward_inplace(&mut y), missing);
    context_message(layer.forward_train(&x), missing);
    context_message(layer.forward_train_into(&x, &mut y, &mut kept), missing);
    context_message(layer.backward(&x, &cache, &x), missing);
    context_message(layer.backward_into(&x, &cache, &x, &mut grads), missing);

    let two = layer.with_context(&random::<f64>(&[2, 5, 1, 7], 2)).unwrap();
    let other = "expected a context [3, 5, ...] for x of this batch size, found [2, 5, 1, 7]";
    context_message(two.forward(&x), other);
    context_message(two.forward_into(&x, &mut y), other);
    context_message(two.forward_inplace(&mut y), other);
    context_message(two.forward_train(&x), other);
    context_message(two.forward_train_into(&x, &mut y, &mut kept), other);
    context_message(two.backward(&x, &cache, &x), other);
    context_message(two.backward_into(&x, &cache, &x, &mut grads), other);
    assert_eq!((&y, &grads.x), (&right, &before));
    assert_eq!(kept.coefficients(), cache.coefficients());

    // What is wrong with x comes first.
    let channels = two.forward(&random::<f64>(&[3, 7, 4], 1)).unwrap_err();
    assert!(matches!(channels, Error::Channels { .. }), "{channels:?}");

    for (shape, found) in [
        (&[][..], "[]"),
        (&[3], "[3]"),
        (&[3, 6], "[3, 6]"),
        (&[5, 3, 5], "[5, 3, 5]"),
    ] {
        let message = format!("expected a context [N, 5, ...], found {found}");
        context_message(layer.with_context(&random::<f64>(shape, 1)), &message);
    }
    let alone = "expected no context: only `hyper(context = \"external\")` has one, found [3, 6]";
    let vectors = random::<f64>(&[3, 6], 1);
    context_message(
        DyReluB::layer::<f64>(6).build().unwrap().with_context(&vectors),
        alone,
    );
    context_message(
        PRelu::layer::<f64>(6).build().unwrap().with_context(&vectors),
        alone,
    );
    context_message(
        ApRelu::layer::<f64>(3).build().unwrap().with_context(&vectors),
        alone,
    );
}

/// A context in any memory order is its means, and its gradient is theirs, spread out.
#[test]
fn a_context_is_its_means() {
    let mut layer = DyHeadBetween::layer::<f64>(6)
        .context_channels(5)
        .build()
        .unwrap();
    common::randomise(&mut layer, 1);
    let (x, map) = (random::<f64>(&[2, 6, 4], 2), random::<f64>(&[2, 5, 3, 4], 3));
    let means = map
        .to_shape(IxDyn(&[2, 5, 12]))
        .unwrap()
        .mean_axis(ndarray::Axis(2))
        .unwrap();
    let of_means = layer.with_context(&means).unwrap();
    let (expected, cache) = of_means.forward_train(&x).unwrap();
    let expected_grads = of_means.backward(&x, &cache, &x).unwrap().context.unwrap();
    let spread = expected_grads
        .mapv(|grad| grad / 12.0)
        .into_shape_with_order(IxDyn(&[2, 5, 1, 1]))
        .unwrap();
    let spread = spread.broadcast(IxDyn(&[2, 5, 3, 4])).unwrap().to_owned();

    let mut fortran = ArrayD::zeros(IxDyn(&[2, 5, 3, 4]).f());
    fortran.assign(&map);
    for context in [map.clone(), common::channels_last(&map), fortran.clone()] {
        let bound = layer.with_context(&context).unwrap();
        let (y, cache) = bound.forward_train(&x).unwrap();
        common::assert_close("y", &y, &expected, 1e-14);
        let mut grads = bound.backward(&x, &cache, &x).unwrap();
        common::assert_close("gradient", grads.context.as_ref().unwrap(), &spread, 1e-13);
        // The place for a gradient may have any order, or none may be there.
        for place in [Some(fortran.clone()), Some(random::<f64>(&[2, 5], 1)), None] {
            grads.context = place;
            bound.backward_into(&x, &cache, &x, &mut grads).unwrap();
            common::assert_close("gradient", grads.context.as_ref().unwrap(), &spread, 1e-13);
        }
    }
}
