//! Kernels at once.

use super::{Kernels, run};
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::tensor::CubeTensor;

/// A tensor on a CubeCL device. If this is the wrong type, then another crate of your program has switched `burn/fusion` on:
/// take the feature `gpu` of dyrelu-burn instead of `cubecl`.
pub(in crate::gpu) type GpuTensor = CubeTensor;

/// As [`launch`](super::launch), for a number of outputs that is not known before.
pub(in crate::gpu) fn launch_all(
    _name: &'static str,
    inputs: impl IntoIterator<Item = GpuTensor>,
    outputs: impl IntoIterator<Item = (Shape, DType)>,
    kernels: impl Kernels,
) -> Vec<GpuTensor> {
    run(inputs, outputs, &kernels).expect("operands that `supports` has seen")
}

/// The shape and the type that a tensor has.
pub(in crate::gpu) fn like(tensor: &GpuTensor) -> (Shape, DType) {
    (tensor.meta.shape().clone(), tensor.dtype)
}

/// Who runs kernels on the tensor's device.
pub(in crate::gpu) fn client(tensor: &GpuTensor) -> Client {
    tensor.client.clone()
}
