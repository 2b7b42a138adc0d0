//! Conventions: names and orders of other implementations, for all shapes of outputs.

mod common;

use common::{any_layer, random};
use dyrelu::gallery::MetaAcon;
use dyrelu::safetensors::SafeTensors;
use dyrelu::safetensors::tensor::{Dtype, TensorView, serialize};
use dyrelu::{Convention, DynamicActivation, Error, Layer, OutputOrder, Sharing, dynamic_activation};
use ndarray::{Array, ArrayD, IxDyn};

macro_rules! activations {
    ($($name:ident: $share:literal ($($argument:tt)*);)*) => {$(
        #[dynamic_activation(share = $share, $($argument)*)]
        struct $name;
    )*};
}

activations! {
    A1: "spatial+channel" (k = 1);
    A2: "spatial+channel" (k = 2);
    A3: "spatial+channel" (k = 3);
    A4: "spatial+channel" (k = 4);
    B1: "spatial" (k = 1);
    B2: "spatial" (k = 2);
    B3: "spatial" (k = 3);
    B4: "spatial" (k = 4);
    C3: "none" (k = 3);
    OneOfB: "spatial" (k = 3, piece = |x, a| a * x, init(a = 1.0));
    ThreeOfA: "spatial+channel" (k = 2, piece = |x, a, b, c| a * x * x + b * x + c, init(a = 0.0, b = 1.0, c = 0.0));
    ThreeOfB: "spatial" (k = 2, piece = |x, a, b, c| a * x * x + b * x + c, init(a = 0.0, b = 1.0, c = 0.0));
    MixedB: "spatial" (
        k = 2, piece = |x, a, b, c| a * x * x + b * x + c, learned(b = 1.0), init(a = 0.0, c = 0.0)
    );
    OneLayerA: "spatial+channel" (k = 2, hyper(layers = 1));
    OneLayerB: "spatial" (k = 3, hyper(layers = 1));
}

/// Rows in our order, `[C or 1, D, K]`, as another one has them: by axes instead of indices.
fn reordered(rows: &ArrayD<f64>, order: OutputOrder, shape: [usize; 3]) -> ArrayD<f64> {
    let axes = match order {
        OutputOrder::ChannelCoefficientPiece => [0, 1, 2],
        OutputOrder::CoefficientPieceChannel => [1, 2, 0],
        OutputOrder::PieceCoefficientChannel => [2, 1, 0],
    };
    let units = rows.len() / shape.iter().product::<usize>();
    let split = rows.to_shape((shape[0], shape[1], shape[2], units)).unwrap();
    let moved = split.view().permuted_axes([axes[0], axes[1], axes[2], 3]);
    Array::from_iter(moved.iter().copied())
        .into_shape_with_order(rows.raw_dim())
        .unwrap()
}

fn file(tensors: &[(String, ArrayD<f64>)]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, values), bytes)| {
        (
            name,
            TensorView::new(Dtype::F64, values.shape().to_vec(), bytes).unwrap(),
        )
    });
    serialize(views, None).unwrap()
}

fn check<A: DynamicActivation>(coefficients: usize, pieces: usize) {
    let layer = any_layer::<A, f64>(6, 1);
    let x = random::<f64>(&[2, 6, 5], 2);
    let y = layer.forward(&x).unwrap();
    let sets = if A::SHARING == Sharing::SpatialAndChannel {
        1
    } else {
        6
    };
    for order in [
        OutputOrder::ChannelCoefficientPiece,
        OutputOrder::CoefficientPieceChannel,
        OutputOrder::PieceCoefficientChannel,
    ] {
        for names in Convention::ALL {
            let convention = Convention { order, ..names };
            let last = if A::HYPER.layers == 1 { "fc." } else { "fc2." };
            let tensors = layer.parameters().map(|(name, values)| {
                let values = if name.starts_with(last) {
                    reordered(&values.to_owned(), order, [sets, coefficients, pieces])
                } else {
                    values.to_owned()
                };
                (format!("act.{}", convention.tensor_name(name)), values)
            });
            let bytes = file(&tensors.collect::<Vec<_>>());
            let mut loaded = any_layer::<A, f64>(6, 3);
            assert_ne!(loaded.forward(&x).unwrap(), y);
            loaded
                .load_tensors_as(convention, &SafeTensors::deserialize(&bytes).unwrap(), "act.")
                .unwrap();
            assert_eq!(loaded.forward(&x).unwrap(), y, "{layer:?}, {convention:?}");
        }
    }
}

#[test]
fn every_order_gives_the_same_layer() {
    check::<A1>(2, 1);
    check::<A2>(2, 2);
    check::<A3>(2, 3);
    check::<A4>(2, 4);
    check::<B1>(2, 1);
    check::<B2>(2, 2);
    check::<B3>(2, 3);
    check::<B4>(2, 4);
    check::<C3>(2, 3);
    check::<OneOfB>(1, 3);
    check::<ThreeOfA>(3, 2);
    check::<ThreeOfB>(3, 2);
    check::<MetaAcon>(1, 1);
    // Learned coefficients are none of the outputs.
    check::<MixedB>(2, 2);
    check::<OneLayerA>(2, 2);
    check::<OneLayerB>(2, 3);
}

/// A parameter under our own name is unknown to another convention, and the layer stays as it is.
#[test]
fn names_of_another_convention_are_errors() {
    let mut layer: Layer<B2, f64> = any_layer(6, 1);
    let before = layer.to_safetensors().unwrap();
    let native = any_layer::<B2, f64>(6, 2).to_safetensors().unwrap();
    let native = SafeTensors::deserialize(&native).unwrap();
    for (convention, first) in [
        (
            Convention::DYNAMIC_HEAD,
            "[\"fc.0.weight\", \"fc.0.bias\", \"fc.2.weight\", \"fc.2.bias\"]",
        ),
        (
            Convention::MMDETECTION,
            "[\"conv1.conv.weight\", \"conv1.conv.bias\", \"conv2.conv.weight\", \"conv2.conv.bias\"]",
        ),
    ] {
        let error = layer.load_tensors_as(convention, &native, "").unwrap_err();
        assert!(matches!(error, Error::UnknownTensor { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("the checkpoint has an unknown tensor `fc1.bias`; expected {first}")
        );
        assert!(layer.to_safetensors().unwrap() == before);
    }
    // A file without any tensor of the layer.
    let nothing = file(&[("conv.weight".to_owned(), ArrayD::zeros(IxDyn(&[1])))]);
    let error = layer.load_tensors_as(
        Convention::DYNAMIC_HEAD,
        &SafeTensors::deserialize(&nothing).unwrap(),
        "relu.",
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "the checkpoint has no tensor `relu.fc.0.weight`; expected [\"relu.fc.0.weight\", \"relu.fc.0.bias\", \
         \"relu.fc.2.weight\", \"relu.fc.2.bias\"], found [\"conv.weight\"]"
    );
}
