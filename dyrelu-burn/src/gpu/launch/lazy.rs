//! Kernels in the queue of Burn's fusion.

use super::{Kernels, run};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_fusion::custom::{CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr};
use burn_fusion::{ExecutionError, FusionBackend, FusionRuntime, FusionTensor};
use core::fmt;

type Runtime = <CubeBackend as FusionBackend>::FusionRuntime;
type Handles = HandleContainer<<Runtime as FusionRuntime>::FusionHandle>;

/// A tensor on a CubeCL device, which may not have been computed yet.
pub(in crate::gpu) type GpuTensor = FusionTensor<FusionCubeRuntime>;

/// As [`launch`](super::launch), for a number of outputs that is not known before.
pub(in crate::gpu) fn launch_all(
    name: &'static str,
    inputs: impl IntoIterator<Item = GpuTensor>,
    outputs: impl IntoIterator<Item = (Shape, DType)>,
    kernels: impl Kernels,
) -> Vec<GpuTensor> {
    let inputs: Vec<_> = inputs.into_iter().collect();
    let client = inputs[0].client.clone();
    let inputs: Vec<_> = inputs.into_iter().map(GpuTensor::into_ir).collect();
    let outputs: Vec<_> = outputs
        .into_iter()
        .map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
        .collect();
    let description = OperationIr::Custom(CustomOpIr::new(name, &inputs, &outputs));
    let operation = Lazy {
        name,
        inputs,
        outputs,
        kernels,
    };
    client.register(StreamId::current(), description, operation)
}

/// An operation that waits in the queue.
struct Lazy<K> {
    name: &'static str,
    inputs: Vec<TensorIr>,
    outputs: Vec<TensorIr>,
    kernels: K,
}

impl<K: Kernels> Operation<Runtime> for Lazy<K> {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        let inputs = self.inputs.iter();
        let inputs: Vec<_> = inputs
            .map(|input| handles.get_float_tensor::<CubeBackend>(input))
            .collect();
        let outputs = self
            .outputs
            .iter()
            .map(|output| (output.shape.clone(), output.dtype));
        let tensors = run(inputs, outputs, &self.kernels)
            .map_err(|error| ExecutionError::generic(error.to_string()))?;
        for (output, tensor) in self.outputs.iter().zip(tensors) {
            handles.register_float_tensor::<CubeBackend>(&output.id, tensor);
        }
        Ok(())
    }
}

impl<K> fmt::Debug for Lazy<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").field(&self.name).finish()
    }
}

/// The shape and the type that a tensor has.
pub(in crate::gpu) fn like(tensor: &GpuTensor) -> (Shape, DType) {
    (tensor.shape.clone(), tensor.dtype)
}

/// Who runs kernels on the tensor's device.
pub(in crate::gpu) fn client(tensor: &GpuTensor) -> Client {
    tensor.client.device().client()
}
