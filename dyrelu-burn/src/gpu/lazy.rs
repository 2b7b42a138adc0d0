//! [`enqueue`]: a kernel in the queue of Burn's fusion.

use super::number;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_fusion::custom::{CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr};
use burn_fusion::{ExecutionError, FusionBackend, FusionRuntime, FusionTensor};
use core::fmt;
use dyrelu_gpu::{Error, Planes};

type Runtime = <CubeBackend as FusionBackend>::FusionRuntime;
type Handles = HandleContainer<<Runtime as FusionRuntime>::FusionHandle>;

/// A tensor that may not have been computed yet.
pub(super) type LazyTensor = FusionTensor<FusionCubeRuntime>;

/// Puts an operation in the queue, which will `launch` kernels for its inputs, made contiguous, and gives the tensors that these
/// will write.
pub(super) fn enqueue<const O: usize>(
    name: &'static str,
    inputs: impl IntoIterator<Item = LazyTensor>,
    outputs: [(Shape, DType); O],
    launch: impl Fn(Vec<CubeTensor>) -> Result<[Handle; O], Error> + Send + Sync + 'static,
) -> [LazyTensor; O] {
    let outputs = enqueue_all(name, inputs, outputs, move |inputs| Ok(launch(inputs)?.into()));
    outputs
        .try_into()
        .unwrap_or_else(|_| unreachable!("as many tensors as outputs"))
}

/// The same for a number of outputs that is not known before.
pub(super) fn enqueue_all(
    name: &'static str,
    inputs: impl IntoIterator<Item = LazyTensor>,
    outputs: impl IntoIterator<Item = (Shape, DType)>,
    launch: impl Fn(Vec<CubeTensor>) -> Result<Vec<Handle>, Error> + Send + Sync + 'static,
) -> Vec<LazyTensor> {
    let inputs: Vec<_> = inputs.into_iter().collect();
    let client = inputs[0].client.clone();
    let inputs: Vec<_> = inputs.into_iter().map(LazyTensor::into_ir).collect();
    let outputs: Vec<_> = outputs
        .into_iter()
        .map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
        .collect();
    let description = OperationIr::Custom(CustomOpIr::new(name, &inputs, &outputs));
    let operation = Lazy {
        name,
        inputs,
        outputs,
        launch,
    };
    client.register(StreamId::current(), description, operation)
}

/// An operation that waits in the queue.
struct Lazy<F> {
    name: &'static str,
    inputs: Vec<TensorIr>,
    outputs: Vec<TensorIr>,
    launch: F,
}

impl<F> Operation<Runtime> for Lazy<F>
where
    F: Fn(Vec<CubeTensor>) -> Result<Vec<Handle>, Error> + Send + Sync,
{
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        let inputs = self.inputs.iter();
        let inputs: Vec<_> = inputs
            .map(|input| into_contiguous(handles.get_float_tensor::<CubeBackend>(input)))
            .collect();
        let (client, device) = (inputs[0].client.clone(), inputs[0].device.clone());
        let results = (self.launch)(inputs).map_err(|error| ExecutionError::generic(error.to_string()))?;
        for (output, handle) in self.outputs.iter().zip(results) {
            let (client, device, shape) = (client.clone(), device.clone(), output.shape.clone());
            let tensor = CubeTensor::new_contiguous(client, device, shape, handle, output.dtype);
            handles.register_float_tensor::<CubeBackend>(&output.id, tensor);
        }
        Ok(())
    }
}

impl<F> fmt::Debug for Lazy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").field(&self.name).finish()
    }
}

/// The shape and the type that a tensor has.
pub(super) fn like(tensor: &LazyTensor) -> (Shape, DType) {
    (tensor.shape.clone(), tensor.dtype)
}

/// An array `[N, C, S]` as the kernels take it.
pub(super) fn planes(array: &CubeTensor) -> Planes<'_> {
    let [samples, channels, positions] = array.meta.shape().dims();
    Planes {
        samples,
        channels,
        positions,
        number: number(array.dtype).expect("`supports` has asked"),
        values: &array.handle,
    }
}
