//! [`launch`]: kernels for tensors of a CubeCL device, at once or, where Burn's fusion is on, when somebody needs the results.

#[cfg(not(feature = "gpu"))]
mod eager;
#[cfg(feature = "gpu")]
mod lazy;

#[cfg(not(feature = "gpu"))]
pub(super) use eager::{GpuTensor, client, launch_all, like};
#[cfg(feature = "gpu")]
pub(super) use lazy::{GpuTensor, client, launch_all, like};

use super::number;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use dyrelu_gpu::{Error, Planes};

/// The kernels of an operation: from its inputs to its outputs.
pub(super) trait Kernels:
    Fn(Vec<CubeTensor>) -> Result<Vec<Handle>, Error> + Send + Sync + 'static
{
}

impl<F: Fn(Vec<CubeTensor>) -> Result<Vec<Handle>, Error> + Send + Sync + 'static> Kernels for F {}

/// An operation by kernels, which see its inputs contiguous: the tensors of these shapes and types that they write.
pub(super) fn launch<const O: usize>(
    name: &'static str,
    inputs: impl IntoIterator<Item = GpuTensor>,
    outputs: [(Shape, DType); O],
    kernels: impl Fn(Vec<CubeTensor>) -> Result<[Handle; O], Error> + Send + Sync + 'static,
) -> [GpuTensor; O] {
    let outputs = launch_all(name, inputs, outputs, move |inputs| Ok(kernels(inputs)?.into()));
    outputs
        .try_into()
        .unwrap_or_else(|_| unreachable!("as many tensors as outputs"))
}

/// Runs the kernels of an operation.
fn run(
    inputs: impl IntoIterator<Item = CubeTensor>,
    outputs: impl IntoIterator<Item = (Shape, DType)>,
    kernels: &impl Kernels,
) -> Result<Vec<CubeTensor>, Error> {
    let inputs: Vec<_> = inputs.into_iter().map(into_contiguous).collect();
    let (client, device) = (inputs[0].client.clone(), inputs[0].device.clone());
    let results = kernels(inputs)?.into_iter().zip(outputs);
    let tensors = results.map(|(handle, (shape, dtype))| {
        CubeTensor::new_contiguous(client.clone(), device.clone(), shape, handle, dtype)
    });
    Ok(tensors.collect())
}

/// The lengths of a tensor's axes.
pub(super) fn dims<const D: usize>(tensor: &GpuTensor) -> [usize; D] {
    like(tensor).0.dims()
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
