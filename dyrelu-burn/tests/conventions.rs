//! Checkpoints of public implementations, from PyTorch (`tests/conventions`): Burn's layers compute the same.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use dyrelu::safetensors::{Dtype, SafeTensors};
use dyrelu::{Convention, DynamicActivation, dynamic_activation};
use dyrelu_burn::{Layer, LayerConfig};
use std::path::PathBuf;

#[dynamic_activation(k = 2, share = "spatial", squash = "2hard_sigmoid-1")]
struct Head;

#[dynamic_activation(k = 2, share = "none", squash = "2hard_sigmoid-1", attention = "normalised")]
struct HeadSpatial;

#[dynamic_activation(k = 3, share = "none")]
struct DyReluC;

/// A tensor of a file, as `f64`.
fn read(tensors: &SafeTensors<'_>, name: &str) -> TensorData {
    let tensor = tensors.tensor(name).unwrap();
    let values: Vec<f64> = if tensor.dtype() == Dtype::F64 {
        let numbers = tensor.data().chunks_exact(8);
        numbers
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    } else {
        let numbers = tensor.data().chunks_exact(4);
        numbers
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()).into())
            .collect()
    };
    TensorData::new(values, tensor.shape().to_vec())
}

/// The layer computes what PyTorch computed, by kernels and by tensor operations, and still wants gradients.
fn check<A: DynamicActivation, const D: usize>(file: &str, convention: Convention, prefix: &str) {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conventions"));
    let bytes = std::fs::read(directory.join(format!("{file}.safetensors"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let io = std::fs::read(directory.join(format!("{file}_io.safetensors"))).unwrap();
    let io = SafeTensors::deserialize(&io).unwrap();
    let device = Device::flex().autodiff();
    let x = Tensor::<D>::from_data(read(&io, &format!("{prefix}x")), (&device, DType::F32));
    let expected = Tensor::<D>::from_data(read(&io, &format!("{prefix}y")), (&device, DType::F32));

    let mut act: Layer<A> = LayerConfig::new(8).with_hidden(Some(2)).init(&device);
    let examined = act.examine_tensors(convention, &tensors, prefix).unwrap();
    let report = act.load_tensors_as(convention, &tensors, prefix).unwrap();
    assert_eq!(examined.to_string(), report.to_string());
    let nothing = act.examine_tensors(convention, &tensors, "nothing.").unwrap();
    assert!(nothing.used.is_empty() && nothing.problems.len() >= 4);
    assert!(report.used.len() >= 4 && !report.ignored.is_empty());

    let largest = |y: Tensor<D>| y.abs().max().into_scalar::<f32>();
    let trained = act.valid();
    let plain = x.clone().inner();
    for y in [trained.forward(plain.clone()), trained.forward_composed(plain)] {
        let expected = expected.clone().inner();
        let difference = largest(y - expected.clone());
        assert!(
            difference <= 1e-6 * largest(expected).max(1.0),
            "{file}: {difference:e}"
        );
    }
    let grads = GradientsParams::from_grads(act.forward(x).sum().backward(), &act);
    let parameters = A::layer::<f32>(8).build().unwrap();
    assert_eq!(grads.len(), parameters.parameters().len());

    // What is refused changes nothing.
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
}

#[test]
fn burn_layers_compute_what_pytorch_computes() {
    let head = Convention::DYNAMIC_HEAD;
    check::<Head, 4>("dynamic_head_f32", head, "dyhead_tower.0.relu.");
    check::<Head, 4>(
        "mmdetection_f32",
        Convention::MMDETECTION,
        "neck.dyhead_blocks.0.task_attn_module.",
    );
    check::<HeadSpatial, 4>("dynamic_head_spatial_f32", head, "dyhead_tower.0.relu.");
    check::<DyReluC, 3>("seed_c_f32", Convention::SEED, "features.3.act.");
}
