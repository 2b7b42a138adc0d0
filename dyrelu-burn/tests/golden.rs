//! Layers against PyTorch: both paths, both float types, with and without gradient checkpointing.

mod common;
mod vectors;

use burn::tensor::DType;
use common::{Path, training_devices};
use vectors::{Pass, check_vectors};

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let passes = training_devices().into_iter().flat_map(|(_, device)| {
        [(DType::F64, 1e-12), (DType::F32, 1e-5)].map(|(dtype, tolerance)| Pass {
            device: device.clone(),
            dtype,
            tolerance,
            paths: &[Path::Fused, Path::Composed],
        })
    });
    check_vectors(&passes.collect::<Vec<_>>());
}
