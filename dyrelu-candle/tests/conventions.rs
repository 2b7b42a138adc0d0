//! Checkpoints of public implementations, from PyTorch (`tests/conventions`): candle's layers compute the same.

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{Convention, DynamicActivation, dynamic_activation};
use dyrelu_candle::{Layer, LayerConfig, layer};
use std::path::PathBuf;

#[dynamic_activation(k = 2, share = "spatial", squash = "2hard_sigmoid-1")]
struct Head;

#[dynamic_activation(k = 2, share = "none", squash = "2hard_sigmoid-1", attention = "normalised")]
struct HeadSpatial;

#[dynamic_activation(k = 3, share = "none")]
struct DyReluC;

/// The layer computes what PyTorch computed, by kernels and by tensor operations, and its variables are those that train.
fn check<A: DynamicActivation>(
    file: &str,
    convention: Convention,
    prefix: &str,
    dtype: DType,
    tolerance: f64,
) {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conventions"));
    let bytes = std::fs::read(directory.join(format!("{file}.safetensors"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let io = candle_core::safetensors::load(directory.join(format!("{file}_io.safetensors")), &Device::Cpu)
        .unwrap();
    let [x, expected] = ["x", "y"].map(|name| io[&format!("{prefix}{name}")].to_dtype(DType::F64).unwrap());

    let vars = VarMap::new();
    let config = LayerConfig {
        hidden: Some(2),
        ..LayerConfig::new(8)
    };
    let vb = VarBuilder::from_varmap(&vars, dtype, &Device::Cpu);
    let mut act = layer::<A>(&config, vb.pp("act")).unwrap();
    let examined = act.examine_tensors(convention, &tensors, prefix).unwrap();
    let report = act.load_tensors_as(convention, &tensors, prefix).unwrap();
    assert_eq!(examined.to_string(), report.to_string());
    let nothing = act.examine_tensors(convention, &tensors, "nothing.").unwrap();
    assert!(nothing.used.is_empty() && nothing.problems.len() >= 4);
    assert!(report.used.len() >= 4 && !report.ignored.is_empty());
    let first = vars.data().lock().unwrap()["act.fc1.bias"]
        .as_tensor()
        .to_dtype(DType::F64)
        .unwrap();
    let name = format!("{prefix}{}", convention.tensor_name("fc1.bias"));
    let stored = VarBuilder::from_slice_safetensors(&bytes, DType::F64, &Device::Cpu).unwrap();
    assert_eq!(
        first.to_vec1::<f64>().unwrap(),
        stored.get(2, &name).unwrap().to_vec1::<f64>().unwrap()
    );

    let x = x.to_dtype(dtype).unwrap();
    let largest = |y: &Tensor| y.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
    for y in [act.forward_t(&x, false), act.forward_composed(&x)] {
        let difference = largest(&(y.unwrap().to_dtype(DType::F64).unwrap() - &expected).unwrap());
        assert!(
            difference <= tolerance * largest(&expected).max(1.0),
            "{file}: {difference:e}"
        );
    }

    // What is refused changes nothing.
    let before = act.forward_t(&x, false).unwrap();
    let error = act
        .load_tensors_as(convention, &tensors, "nothing.")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!(
            "no tensor `nothing.{}`",
            convention.tensor_name("fc1.weight")
        )),
        "{error}"
    );
    let same = (act.forward_t(&x, false).unwrap() - before)
        .unwrap()
        .to_dtype(DType::F64)
        .unwrap();
    assert!(largest(&same) == 0.0);
}

#[test]
fn candle_layers_compute_what_pytorch_computes() {
    let head = Convention::DYNAMIC_HEAD;
    check::<Head>("dynamic_head_f32", head, "dyhead_tower.0.relu.", DType::F32, 1e-6);
    check::<Head>(
        "dynamic_head_f64",
        head,
        "dyhead_tower.0.relu.",
        DType::F64,
        1e-12,
    );
    check::<Head>(
        "mmdetection_f64",
        Convention::MMDETECTION,
        "neck.dyhead_blocks.0.task_attn_module.",
        DType::F64,
        1e-12,
    );
    check::<HeadSpatial>(
        "dynamic_head_spatial_f32",
        head,
        "dyhead_tower.0.relu.",
        DType::F32,
        1e-6,
    );
    check::<HeadSpatial>(
        "dynamic_head_spatial_f64",
        head,
        "dyhead_tower.0.relu.",
        DType::F64,
        1e-12,
    );
    check::<DyReluC>(
        "seed_c_f64",
        Convention::SEED,
        "features.3.act.",
        DType::F64,
        1e-12,
    );
}

/// What a clone of a frozen layer loads is its own, running statistics too.
#[test]
fn a_clone_loads_for_itself() {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conventions"));
    let bytes = std::fs::read(directory.join("dynamic_head_spatial_f32.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let config = LayerConfig {
        hidden: Some(2),
        ..LayerConfig::new(8)
    };
    let zeros = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let act = layer::<HeadSpatial>(&config, zeros).unwrap();
    let x = Tensor::randn(0_f32, 1.0, (2, 8, 3, 3), &Device::Cpu).unwrap();
    let y = |act: &Layer<HeadSpatial>| {
        let y = act.forward_t(&x, false).unwrap();
        y.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let before = y(&act);
    let mut clone = act.clone();
    clone
        .load_tensors_as(Convention::DYNAMIC_HEAD, &tensors, "dyhead_tower.0.relu.")
        .unwrap();
    assert_ne!(y(&clone), before);
    assert_eq!(y(&act), before);
}
