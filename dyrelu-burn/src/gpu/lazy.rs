//! [`Lazy`]: a kernel in the queue of Burn's fusion.

use super::number;
use super::operation::Inputs;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_fusion::custom::{CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorIr};
use burn_fusion::{Client, ExecutionError, FusionBackend, FusionRuntime, FusionTensor};
use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::DynamicActivation;
use dyrelu_gpu::{Error, Gradients, Operands, backward, forward};

pub(super) type Runtime = <CubeBackend as FusionBackend>::FusionRuntime;
pub(super) type Handles = HandleContainer<<Runtime as FusionRuntime>::FusionHandle>;

/// A tensor that may not have been computed yet.
pub(super) type LazyTensor = FusionTensor<FusionCubeRuntime>;

/// y, or the gradients for that of y.
pub(super) struct Lazy<A> {
    inputs: Inputs<TensorIr>,
    grad_y: Option<TensorIr>,
    outputs: Vec<TensorIr>,
    activation: PhantomData<fn() -> A>,
}

impl<A: DynamicActivation> Lazy<A> {
    /// y.
    pub(super) fn forward(inputs: Inputs<LazyTensor>) -> LazyTensor {
        let shapes = vec![(inputs.x.shape.clone(), inputs.x.dtype)];
        let mut outputs = Self::register(inputs, None, shapes);
        outputs.pop().expect("y")
    }

    /// The gradients for that of y.
    pub(super) fn backward(inputs: Inputs<LazyTensor>, grad_y: LazyTensor) -> Inputs<LazyTensor> {
        let shapes = inputs.as_ref().into_array().into_iter().flatten();
        let shapes = shapes.map(|input| (input.shape.clone(), input.dtype)).collect();
        let present = inputs.as_ref().map(|_| ());
        let mut outputs = Self::register(inputs, Some(grad_y), shapes).into_iter();
        present.map(|()| outputs.next().expect("a gradient for each input"))
    }

    /// Puts the kernel in the queue.
    fn register(
        inputs: Inputs<LazyTensor>,
        grad_y: Option<LazyTensor>,
        outputs: Vec<(Shape, DType)>,
    ) -> Vec<LazyTensor> {
        let client = inputs.x.client.clone();
        let inputs = inputs.map(LazyTensor::into_ir);
        let grad_y = grad_y.map(LazyTensor::into_ir);
        let all: Vec<_> = inputs
            .clone()
            .into_array()
            .into_iter()
            .flatten()
            .chain(grad_y.clone())
            .collect();
        register(&client, &all, outputs, type_name::<Self>(), |outputs| Self {
            inputs,
            grad_y,
            outputs,
            activation: PhantomData,
        })
    }

    fn run(&self, handles: &mut Handles) -> Result<Vec<CubeTensor>, Error> {
        let mut read = |input: &TensorIr| into_contiguous(handles.get_float_tensor::<CubeBackend>(input));
        let inputs = self.inputs.as_ref().map(&mut read);
        let grad_y = self.grad_y.as_ref().map(&mut read);
        let [samples, channels, positions] = inputs.x.meta.shape().dims();
        let sets = inputs
            .coefficients
            .as_ref()
            .map_or(channels, |tensor| tensor.meta.shape()[1]);
        let operands = Operands {
            samples,
            sets,
            len: channels / sets * positions,
            number: number(inputs.x.dtype).expect("`supports` has asked"),
            x: &inputs.x.handle,
            coefficients: inputs.coefficients.as_ref().map(|tensor| &tensor.handle),
            attention: inputs.attention.as_ref().map(|tensor| &tensor.handle),
        };
        let CubeTensor { client, device, .. } = &inputs.x;
        let results = match grad_y {
            None => [Some(forward::<A>(client, &operands)?), None, None],
            Some(grad_y) => {
                let Gradients {
                    x,
                    coefficients,
                    attention,
                } = backward::<A>(client, &operands, &grad_y.handle)?;
                [Some(x), coefficients, attention]
            }
        };
        let results = self.outputs.iter().zip(results.into_iter().flatten());
        let tensor = |(output, handle): (&TensorIr, Handle)| {
            let (client, device) = (client.clone(), device.clone());
            CubeTensor::new_contiguous(client, device, output.shape.clone(), handle, output.dtype)
        };
        Ok(results.map(tensor).collect())
    }
}

/// Puts an operation in the queue that is made for its outputs, and gives these.
pub(super) fn register<O: Operation<Runtime> + 'static>(
    client: &Client<FusionCubeRuntime>,
    inputs: &[TensorIr],
    outputs: impl IntoIterator<Item = (Shape, DType)>,
    name: &'static str,
    operation: impl FnOnce(Vec<TensorIr>) -> O,
) -> Vec<LazyTensor> {
    let outputs = outputs.into_iter();
    let outputs: Vec<_> = outputs
        .map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
        .collect();
    let description = OperationIr::Custom(CustomOpIr::new(name, inputs, &outputs));
    client.register(StreamId::current(), description, operation(outputs))
}

impl<A: DynamicActivation> Operation<Runtime> for Lazy<A> {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        let results = self
            .run(handles)
            .map_err(|error| ExecutionError::generic(error.to_string()))?;
        for (output, tensor) in self.outputs.iter().zip(results) {
            handles.register_float_tensor::<CubeBackend>(&output.id, tensor);
        }
        Ok(())
    }
}

impl<A: DynamicActivation> fmt::Debug for Lazy<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").field(&A::NAME).finish()
    }
}
