//! Saving and loading: what comes back, and how wrong files are refused.

mod common;

use common::{random, randomise};
use dyrelu::safetensors::tensor::{Dtype, TensorView, serialize};
use dyrelu::{Convention, DynamicActivation, Error, Layer, Scalar, dynamic_activation};
use std::collections::HashMap;

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct DyReluA;
#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;
#[dynamic_activation(k = 2, share = "none")]
struct DyReluC;

fn round_trip<A: DynamicActivation, T: Scalar>() {
    let mut builder = A::layer::<T>(8).hidden(3);
    if A::NAME == "DyReluC" {
        builder = builder.temperature(2.5).average_attention(0.25).cut_off(0.8);
    }
    let mut layer = builder.build().unwrap();
    randomise(&mut layer, 1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layer.safetensors");
    layer.save_safetensors(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), layer.to_safetensors().unwrap());

    let loaded = Layer::<A, T>::load_safetensors(&path).unwrap();
    assert_eq!((loaded.channels(), loaded.hidden()), (8, 3));
    assert_eq!(loaded.attention_scaling(), layer.attention_scaling());
    let x = random::<T>(&[2, 8, 3, 3], 2);
    assert!(loaded.forward(&x).unwrap() == layer.forward(&x).unwrap());

    // A second save replaces the first as a whole.
    layer.parameter_mut("fc1.bias").unwrap().fill(T::from_f64(0.5));
    layer.save_safetensors(&path).unwrap();
    let loaded = Layer::<A, T>::load_safetensors(&path).unwrap();
    assert!(loaded.parameter("fc1.bias") == layer.parameter("fc1.bias"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn what_is_saved_comes_back() {
    round_trip::<DyReluA, f32>();
    round_trip::<DyReluB, f32>();
    round_trip::<DyReluC, f32>();
    round_trip::<DyReluA, f64>();
    round_trip::<DyReluB, f64>();
    round_trip::<DyReluC, f64>();
}

#[test]
fn files_that_cannot_be_read_or_written_are_errors() {
    let error = Layer::<DyReluB, f32>::load_safetensors("no/such/file").unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("cannot read `no/such/file`: ") && message.len() > 30,
        "{message}"
    );
    let layer = DyReluB::layer::<f32>(8).build().unwrap();
    let error = layer.save_safetensors("no/such/file").unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("cannot write `no/such/file`: ") && message.len() > 30,
        "{message}"
    );
    let directory = tempfile::tempdir().unwrap();
    let error = layer.save_safetensors(directory.path()).unwrap_err();
    assert!(error.to_string().ends_with(": not a regular file"), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Nobody else is locked out of a new file, and a link stays a link.
#[cfg(unix)]
#[test]
fn permissions_and_links_are_as_usual() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let [file, link, plain] = ["file", "link", "plain"].map(|name| directory.path().join(name));
    std::fs::write(&plain, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let layer = DyReluB::layer::<f32>(8).build().unwrap();
    layer.save_safetensors(&file).unwrap();
    layer.save_safetensors(&link).unwrap();
    let mode = |path| std::fs::symlink_metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&file), mode(&plain));
    // Who has made a file private keeps it so, also where a process has died before and left its own.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let left = format!(".file.{}.0.tmp", std::process::id());
    std::fs::write(directory.path().join(left), "").unwrap();
    layer.save_safetensors(&file).unwrap();
    assert_eq!(mode(&file) & 0o777, 0o600);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read(&file).unwrap(), layer.to_safetensors().unwrap());
}

/// Name, shape and values of the tensors of a checkpoint for 4 channels and one hidden unit.
fn tensors() -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    vec![
        ("fc1.weight", vec![1, 4], vec![1.0; 4]),
        ("fc1.bias", vec![1], vec![2.0]),
        ("fc2.weight", vec![16, 1], vec![3.0; 16]),
        ("fc2.bias", vec![16], vec![4.0; 16]),
    ]
}

fn file(
    tensors: &[(&'static str, Vec<usize>, Vec<f32>)],
    metadata: Option<HashMap<String, String>>,
) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    serialize(views, metadata).unwrap()
}

/// Both ways to load must refuse, and the layer that was there must be the same as before.
#[track_caller]
fn refuse<A: DynamicActivation, T: Scalar>(bytes: &[u8], message: &str) -> Error {
    let mut layer = A::layer::<T>(4).hidden(1).build().unwrap();
    let before = layer.to_safetensors().unwrap();
    if let Ok(tensors) = dyrelu::safetensors::SafeTensors::deserialize(bytes) {
        assert!(layer.load_tensors(&tensors, "").is_err());
        assert!(layer.to_safetensors().unwrap() == before, "the layer has changed");
    }
    let error = Layer::<A, T>::from_safetensors(bytes).unwrap_err();
    assert_eq!(error.to_string(), message);
    error
}

#[test]
fn missing_and_unknown_tensors_are_errors() {
    let mut missing = tensors();
    missing.remove(1);
    refuse::<DyReluB, f32>(
        &file(&missing, None),
        "the checkpoint has no tensor `fc1.bias`; \
         expected [\"fc1.weight\", \"fc1.bias\", \"fc2.weight\", \"fc2.bias\"], \
         found [\"fc1.weight\", \"fc2.bias\", \"fc2.weight\"]",
    );
    let mut unknown = tensors();
    unknown.push(("conv.weight", vec![1], vec![0.0]));
    refuse::<DyReluB, f32>(
        &file(&unknown, None),
        "the checkpoint has an unknown tensor `conv.weight`; \
         expected [\"fc1.weight\", \"fc1.bias\", \"fc2.weight\", \"fc2.bias\"]",
    );
    // A layer with attention is not one without.
    let c = DyReluC::layer::<f32>(4)
        .hidden(1)
        .build()
        .unwrap()
        .to_safetensors()
        .unwrap();
    let error = Layer::<DyReluB, f32>::from_safetensors(&c).unwrap_err();
    assert!(matches!(error, Error::UnknownTensor { name, .. } if name == "attention.bias"));
    let error = Layer::<DyReluC, f32>::from_safetensors(&file(&tensors(), None)).unwrap_err();
    assert!(matches!(error, Error::MissingTensor { name, .. } if name == "attention.weight"));
}

#[test]
fn wrong_shapes_and_types_are_errors() {
    let with = |i: usize, shape: Vec<usize>| {
        let mut tensors = tensors();
        tensors[i].2 = vec![0.0; shape.iter().product()];
        tensors[i].1 = shape;
        file(&tensors, None)
    };
    let expected = "expected the tensor";
    refuse::<DyReluB, f32>(
        &with(2, vec![8, 1]),
        &format!("{expected} `fc2.weight` to have shape [16, 1], found [8, 1]"),
    );
    refuse::<DyReluB, f32>(
        &with(3, vec![4, 4]),
        &format!("{expected} `fc2.bias` to have shape [16], found [4, 4]"),
    );
    refuse::<DyReluB, f32>(
        &with(0, vec![4]),
        &format!(
            "{expected} `fc1.weight` to have shape [hidden units, channels], each at least 1, found [4]"
        ),
    );
    refuse::<DyReluB, f32>(
        &with(0, vec![0, 4]),
        &format!(
            "{expected} `fc1.weight` to have shape [hidden units, channels], each at least 1, found [0, 4]"
        ),
    );
    // The same file is a layer of mode A with another number of outputs: refused as well.
    refuse::<DyReluA, f32>(
        &file(&tensors(), None),
        &format!("{expected} `fc2.weight` to have shape [4, 1], found [16, 1]"),
    );
    refuse::<DyReluB, f64>(
        &file(&tensors(), None),
        &format!("{expected} `fc1.weight` to hold F64, found F32"),
    );
}

#[test]
fn wrong_metadata_is_an_error() {
    let mut tensors = tensors();
    tensors.push(("attention.weight", vec![1, 4, 1, 1], vec![0.0; 4]));
    tensors.push(("attention.bias", vec![1], vec![0.0]));
    let with = |options: &str| {
        file(
            &tensors,
            Some(HashMap::from([("options".to_owned(), options.to_owned())])),
        )
    };
    // Weights of 1×1 convolutions load; without a temperature it is the default.
    let layer = Layer::<DyReluC, f32>::from_safetensors(&file(&tensors, None)).unwrap();
    assert!((layer.temperature() - 10.0).abs() < f64::EPSILON);
    let layer = Layer::<DyReluC, f32>::from_safetensors(&with("channels=4 temperature=2")).unwrap();
    assert!((layer.temperature() - 2.0).abs() < f64::EPSILON);
    for options in [
        "temperature=hot",
        "temperature=-1",
        "temperature=0",
        "temperature=inf",
        "temperature=NaN",
        "temperature=",
        "channels=0",
        "channels=-4",
        "channels=4.5",
        "groups=0",
        "4",
        "colour=red",
    ] {
        let error = Layer::<DyReluC, f32>::from_safetensors(&with(options)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "expected the metadata `options` to be some of `channels=64 groups=4 temperature=10 average_attention=0.3 \
                 cut_off=1` with positive numbers, found `{options}`"
            )
        );
    }
}

/// Truncated at every length, and with every byte of the header changed: an error or a valid layer, no panic.
#[test]
fn damaged_files_are_errors() {
    let bytes = file(&tensors(), None);
    for len in 0..bytes.len() {
        assert!(
            matches!(
                Layer::<DyReluB, f32>::from_safetensors(&bytes[..len]),
                Err(Error::Safetensors(_))
            ),
            "{len}"
        );
    }
    let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    for i in 0..header {
        for flip in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[i] ^= flip;
            let _ = Layer::<DyReluB, f32>::from_safetensors(&damaged);
        }
    }
}

/// Headers that promise more than the file holds.
#[test]
fn hostile_files_are_errors() {
    let hostile = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        Layer::<DyReluB, f32>::from_safetensors(&bytes).unwrap_err()
    };
    for header in [
        "",
        "{}",
        "[]",
        "{",
        r#"{"fc1.weight":{"dtype":"F32","shape":[18446744073709551615,4],"data_offsets":[0,16]}}"#,
        r#"{"fc1.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
        r#"{"fc1.weight":{"dtype":"F32","shape":[0,4294967296],"data_offsets":[0,0]}}"#,
        r#"{"fc1.weight":{"dtype":"F32","shape":[4294967296,1048576,0],"data_offsets":[0,0]}}"#,
        r#"{"fc1.weight":{"dtype":"F32","shape":[1,4],"data_offsets":[16,0]}}"#,
        r#"{"fc1.weight":{"dtype":"F99","shape":[1,4],"data_offsets":[0,16]}}"#,
    ] {
        let error = hostile(header);
        assert!(
            matches!(
                error,
                Error::Safetensors(_) | Error::MissingTensor { .. } | Error::TensorShape { .. }
            ),
            "{header}: {error}"
        );
    }
    let huge = u64::MAX.to_le_bytes();
    assert!(matches!(
        Layer::<DyReluB, f32>::from_safetensors(&huge),
        Err(Error::Safetensors(_))
    ));
}

/// The constants that the PyTorch module saves must be those of the activation, each of them.
#[test]
fn other_constants_are_refused() {
    let with = |name: &'static str, values: [f32; 4]| {
        let mut tensors = tensors();
        tensors.push((name, vec![4], values.to_vec()));
        file(&tensors, None)
    };
    assert!(Layer::<DyReluB, f32>::from_safetensors(&with("lambdas", [1.0, 1.0, 0.5, 0.5])).is_ok());
    assert!(Layer::<DyReluB, f32>::from_safetensors(&with("init_v", [1.0, 0.0, 0.0, 0.0])).is_ok());
    refuse::<DyReluB, f32>(
        &with("lambdas", [1.0, 1.0, 1.0, 1.0]),
        "expected the constants `lambdas` to be [1.0, 1.0, 0.5, 0.5], found [1.0, 1.0, 1.0, 1.0]",
    );
    refuse::<DyReluB, f32>(
        &with("init_v", [1.0, 0.25, 0.0, 0.0]),
        "expected the constants `init_v` to be [1.0, 0.0, 0.0, 0.0], found [1.0, 0.25, 0.0, 0.0]",
    );
}

/// A checkpoint of a whole network: the layer takes the tensors under its prefix.
#[test]
fn a_layer_loads_its_part_of_a_network() {
    let prefixed = tensors().into_iter().map(|(name, shape, values)| {
        let name: &'static str = match name {
            "fc1.weight" => "features.3.act.fc1.weight",
            "fc1.bias" => "features.3.act.fc1.bias",
            "fc2.weight" => "features.3.act.fc2.weight",
            _ => "features.3.act.fc2.bias",
        };
        (name, shape, values)
    });
    let mut network: Vec<_> = prefixed.collect();
    network.push(("features.0.conv.weight", vec![2], vec![0.0; 2]));
    let bytes = file(&network, None);
    let network = dyrelu::safetensors::SafeTensors::deserialize(&bytes).unwrap();

    let mut layer = DyReluB::layer::<f32>(4).hidden(1).build().unwrap();
    layer.load_tensors(&network, "features.3.act.").unwrap();
    assert!(
        layer
            .parameter("fc2.bias")
            .unwrap()
            .iter()
            .all(|&v| (v - 4.0).abs() < f32::EPSILON)
    );
    let error = layer.load_tensors(&network, "features.4.").unwrap_err();
    assert!(matches!(error, Error::MissingTensor { name, .. } if name == "features.4.fc1.weight"));
}

/// What is wrong with a checkpoint is said at once, and the layer stays as it is.
#[test]
fn a_report_names_every_tensor() {
    let mut tensors = tensors();
    tensors[2].1 = vec![4, 4];
    tensors.remove(3);
    tensors.push(("lambdas", vec![4], vec![1.0, 1.0, 0.5, 0.5]));
    tensors.push(("init_v", vec![4], vec![0.0; 4]));
    tensors.push(("norm.weight", vec![1], vec![0.0]));
    let bytes = file(&tensors, None);
    let file = dyrelu::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut layer = DyReluB::layer::<f32>(4).hidden(1).build().unwrap();
    let report = layer.examine_tensors(Convention::SEED, &file, "");
    assert_eq!(
        report.to_string(),
        "used     fc1.bias\n\
         used     fc1.weight\n\
         used     lambdas\n\
         unknown  norm.weight\n\
         wrong    init_v: expected [1.0, 0.0, 0.0, 0.0], found [0.0, 0.0, 0.0, 0.0]\n\
         wrong    fc2.weight: expected shape [16, 1], found [4, 4]\n\
         missing  fc2.bias\n"
    );
    let before = layer.to_safetensors().unwrap();
    let error = layer.load_tensors_as(Convention::SEED, &file, "").unwrap_err();
    assert!(matches!(error, Error::UnknownTensor { name, .. } if name == "norm.weight"));
    assert!(layer.to_safetensors().unwrap() == before);
    // Under another prefix nothing is this layer's.
    let report = layer.examine_tensors(Convention::SEED, &file, "act.");
    assert_eq!(
        (report.used.len(), report.ignored.len(), report.problems.len()),
        (0, 6, 4)
    );
}

/// A network has more tensors than a message can list.
#[test]
fn a_message_does_not_list_a_whole_network() {
    let names: Vec<String> = (0..100).map(|i| format!("conv{i:02}")).collect();
    let views = names
        .iter()
        .map(|name| (name, TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap()));
    let bytes = serialize(views, None).unwrap();
    let error = Layer::<DyReluB, f32>::from_safetensors(&bytes)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("\"conv14\", \"conv15\"] and 84 more"), "{error}");
}

/// Numbers of both half formats, from the tables of IEEE 754 and of bfloat16, become `f32` without loss; `f64` does not.
#[test]
fn half_precision_loads() {
    #[dynamic_activation(k = 1, share = "spatial", piece = |x, a| a * x, learned(a = 1.0))]
    struct Line;
    let cases: [(Dtype, u16, f32); 14] = [
        (Dtype::F16, 0x0000, 0.0),
        (Dtype::F16, 0x8000, -0.0),
        (Dtype::F16, 0x0001, 5.960_464_5e-8),
        (Dtype::F16, 0x03ff, 6.097_555e-5),
        (Dtype::F16, 0x0400, 6.103_515_6e-5),
        (Dtype::F16, 0x3c01, 1.000_976_6),
        (Dtype::F16, 0x3555, 0.333_251_95),
        (Dtype::F16, 0xc000, -2.0),
        (Dtype::F16, 0x7bff, 65504.0),
        (Dtype::F16, 0xfc00, f32::NEG_INFINITY),
        (Dtype::F16, 0x7e00, f32::NAN),
        (Dtype::BF16, 0x3f80, 1.0),
        (Dtype::BF16, 0xc049, -3.140_625),
        (Dtype::BF16, 0x0001, 9.183_55e-41),
    ];
    for (dtype, bits, expected) in cases {
        let bits = bits.to_le_bytes();
        let view = TensorView::new(dtype, vec![1], &bits).unwrap();
        let bytes = serialize([("a", view)], None).unwrap();
        let layer = Layer::<Line, f32>::from_safetensors(&bytes).unwrap();
        let found = layer.parameter("a").unwrap()[[0]];
        assert!(
            found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan(),
            "{dtype} {bits:?}: {found}"
        );
    }
    let view = TensorView::new(Dtype::F64, vec![1], &[0; 8]).unwrap();
    let bytes = serialize([("a", view)], None).unwrap();
    let error = Layer::<Line, f32>::from_safetensors(&bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected the tensor `a` to hold F32, found F64"
    );
}

/// Learned coefficients with the names of the constants that the PyTorch module saves are parameters all the same.
#[test]
fn coefficients_named_as_constants_come_back() {
    #[dynamic_activation(
        k = 1, share = "spatial", piece = |x, lambdas, init_v| lambdas * x + init_v,
        learned(lambdas = 1.0, init_v = 0.0)
    )]
    struct Confusing;
    let mut layer = Confusing::layer::<f32>(4).build().unwrap();
    randomise(&mut layer, 1);
    let loaded = Layer::<Confusing, f32>::from_safetensors(&layer.to_safetensors().unwrap()).unwrap();
    assert!(loaded.parameters().eq(layer.parameters()));
}
