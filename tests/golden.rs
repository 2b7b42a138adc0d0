//! Layers against PyTorch: the vectors in `tests/golden`, made by `tests/golden/make_golden.py`.

mod common;

use common::{assert_close, golden, tensor};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{DynamicActivation, Layer, dynamic_activation};
use ndarray::{ArrayD, Axis, IxDyn};
use std::collections::HashMap;

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

#[dynamic_activation(
    k = 3, share = "spatial", init(a = [1.0, -0.5, 0.25], b = [0.1, 0.0, -0.2]), lambda(a = 0.7, b = 0.25)
)]
struct B3Constants;

#[dynamic_activation(
    k = 2, share = "none", init(a = [1.0, 0.25], b = [0.0, 0.1]), lambda(a = [0.7, 0.7], b = 0.25)
)]
struct C2Constants;

/// The parameters' names in the vectors' files.
const NAMES: [(&str, &str); 6] = [
    ("fc1.weight", "fc1.weight"),
    ("fc1.bias", "fc1.bias"),
    ("fc2.weight", "fc2.weight"),
    ("fc2.bias", "fc2.bias"),
    ("attention.weight", "att.weight"),
    ("attention.bias", "att.bias"),
];

fn check<A: DynamicActivation>(file: &SafeTensors<'_>, metadata: &HashMap<String, String>) {
    let get = |name: &str| tensor(file, name);
    let x = get("x");
    let mut builder = A::layer::<f64>(x.shape()[1]).hidden(metadata["hidden"].parse().unwrap());
    if let Ok(temperature) = metadata["tau"].parse() {
        builder = builder.temperature(temperature);
    }
    let mut layer = builder.build().unwrap();
    let names = &NAMES[..layer.parameters().len()];
    for (ours, theirs) in names {
        let mut parameter = layer.parameter_mut(ours).unwrap();
        let value = get(&format!("param.{theirs}"))
            .into_shape_with_order(parameter.shape())
            .unwrap();
        parameter.assign(&value);
    }

    let (y, cache) = layer.forward_train(&x).unwrap();
    assert_close("y", &y, &get("y"), 1e-12);
    assert_eq!(layer.forward(&x).unwrap(), y);
    for (p, name) in ["mid.coef_a", "mid.coef_b"].into_iter().enumerate() {
        assert_close(
            name,
            &cache.coefficients().index_axis(Axis(2), p).into_dyn(),
            &get(name),
            1e-12,
        );
    }
    assert_eq!(cache.attention().is_some(), metadata["mode"] == "C");
    if let Some(attention) = cache.attention() {
        assert_close("mid.pi", &attention.into_dyn(), &get("mid.pi"), 1e-12);
    }

    let grads = layer.backward(&x, &cache, &get("grad_y")).unwrap();
    assert_close("dx", &grads.x, &get("dx"), 1e-12);
    for (ours, theirs) in names {
        let grad = grads.parameter(ours).unwrap();
        let expected = get(&format!("grad.{theirs}"))
            .into_shape_with_order(grad.shape())
            .unwrap();
        if *ours == "attention.bias" {
            // Exactly zero for us; PyTorch's sum of terms that cancel is not.
            assert_eq!(grad.iter().copied().collect::<Vec<_>>(), [0.0]);
            assert!(expected.iter().all(|v| v.abs() < 1e-14), "{expected}");
        } else {
            assert_close(ours, &grad, &expected, 1e-12);
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let mut cases = 0;
    for entry in std::fs::read_dir(golden()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path
            .extension()
            .is_none_or(|extension| extension != "safetensors")
            || name.starts_with("islanna")
        {
            continue;
        }
        println!("{name}");
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let metadata = SafeTensors::read_metadata(&bytes)
            .unwrap()
            .1
            .metadata()
            .clone()
            .unwrap();
        let case = match (metadata["mode"].as_str(), metadata["k"].as_str()) {
            _ if name == "b_k3_constants.safetensors" => check::<B3Constants>,
            _ if name == "c_k2_constants.safetensors" => check::<C2Constants>,
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
        case(&file, &metadata);
        cases += 1;
    }
    assert_eq!(cases, 46);
}

/// The checkpoints of the first public PyTorch module of Dynamic ReLU load as they are.
fn check_checkpoint<A: DynamicActivation>(name: &str) {
    let io = std::fs::read(golden().join(format!("{name}.io.safetensors"))).unwrap();
    let io = SafeTensors::deserialize(&io).unwrap();
    let (x, y) = (tensor(&io, "x"), tensor(&io, "y"));

    let path = golden().join(format!("{name}.state_dict.safetensors"));
    let layer = Layer::<A, f64>::load_safetensors(path).unwrap();
    assert_close(name, &layer.forward(&x).unwrap(), &y, 1e-12);

    let path = golden().join(format!("{name}.state_dict_f32.safetensors"));
    let layer = Layer::<A, f32>::load_safetensors(path).unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "the f32 checkpoint's precision")]
    let single = |values: &ArrayD<f64>| values.mapv(|v| v as f32);
    assert_close(name, &layer.forward(&single(&x)).unwrap(), &single(&y), 1e-5);
}

#[test]
fn checkpoints_of_the_pytorch_module_load_unchanged() {
    check_checkpoint::<A2>("islanna_a_k2_2d");
    check_checkpoint::<B2>("islanna_b_k2_2d");
    check_checkpoint::<B3>("islanna_b_k3_1d");
}

/// A checkpoint with other constants would be another function.
#[test]
fn a_checkpoint_for_other_constants_is_refused() {
    let path = golden().join("islanna_b_k3_1d.state_dict.safetensors");
    let error = Layer::<B3Constants, f64>::load_safetensors(path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected the constants `lambdas` to be [0.7, 0.7, 0.7, 0.25, 0.25, 0.25], \
         found [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]"
    );
}

#[test]
fn a_rank_two_input_is_a_map_of_one_position() {
    let bytes = std::fs::read(golden().join("b_k2_odd_hw1.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let x = tensor(&file, "x");
    let flat = x.clone().into_shape_with_order(IxDyn(&x.shape()[..2])).unwrap();
    let layer = B2::layer::<f64>(x.shape()[1]).build().unwrap();
    let y = layer
        .forward(&x)
        .unwrap()
        .into_shape_with_order(flat.shape())
        .unwrap();
    assert_eq!(layer.forward(&flat).unwrap(), y);
}
