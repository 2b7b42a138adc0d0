//! [`Means`]: the means that the hyper function sees, as one operation of Burn's autodiff.

use super::lazy::{Handles, LazyTensor, Runtime, register};
use super::number;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{Cube, CubeBackend};
use burn_fusion::ExecutionError;
use burn_fusion::custom::{Operation, TensorIr};
use dyrelu_gpu::{Error, Rows, add_gradient_of_means, means};
use std::sync::{Arc, Mutex, PoisonError};

/// The gradient of x without the path through the means, from the operation that computes y to this one: the last step of a
/// backward pass adds both and tells Burn. Burn itself would add them number by number, in several times the time.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<Option<LazyTensor>>>);

impl Held {
    pub(super) fn put(&self, grad_x: LazyTensor) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(grad_x);
    }

    fn take(&self) -> LazyTensor {
        let grad_x = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        grad_x.expect("y follows from the means, so its gradient is computed first")
    }
}

/// From x to its means.
#[derive(Debug)]
pub(super) struct Means;

type Tracked<C> = FloatTensor<Autodiff<Cube, C>>;

impl Means {
    /// The means `[N, C]` of x, `[N, C, S]`, in `f32`.
    pub(super) fn infer(x: LazyTensor) -> LazyTensor {
        let shape = Shape::new([x.shape[0], x.shape[1]]);
        Lazy::register(x, None, shape, DType::F32)
    }

    /// The same as a node of the graph, and where it expects the rest of x's gradient if that is asked for.
    pub(super) fn track<C: CheckpointStrategy>(x: &Tracked<C>) -> (Tracked<C>, Option<Held>) {
        let means = Self::infer(x.primitive().clone());
        match Self.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(preparation) => {
                let held = Held::default();
                (preparation.finish(held.clone(), means), Some(held))
            }
            OpsKind::UnTracked(preparation) => (preparation.finish(means), None),
        }
    }
}

impl Backward<Cube, 1> for Means {
    type State = Held;

    fn backward(self, ops: Ops<Held, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad_means = grads.consume::<Cube>(&ops.node);
        let grad_x = ops.state.take();
        let (shape, dtype) = (grad_x.shape.clone(), grad_x.dtype);
        if let [Some(x)] = ops.parents {
            grads.register::<Cube>(x.id, Lazy::register(grad_x, Some(grad_means), shape, dtype));
        }
    }
}

/// The means of an array, or the array with the gradient of its means added, in the queue of Burn's fusion.
#[derive(Debug)]
struct Lazy {
    array: TensorIr,
    grad_means: Option<TensorIr>,
    output: TensorIr,
}

impl Lazy {
    fn register(array: LazyTensor, grad_means: Option<LazyTensor>, shape: Shape, dtype: DType) -> LazyTensor {
        let client = array.client.clone();
        let (array, grad_means) = (array.into_ir(), grad_means.map(LazyTensor::into_ir));
        let inputs: Vec<_> = [array.clone()].into_iter().chain(grad_means.clone()).collect();
        let mut outputs = register(&client, &inputs, [(shape, dtype)], "Means", |mut outputs| Self {
            array,
            grad_means,
            output: outputs.pop().expect("one output"),
        });
        outputs.pop().expect("one output")
    }

    fn run(&self, array: CubeTensor, grad_means: Option<&CubeTensor>) -> Result<CubeTensor, Error> {
        // Nobody else has the gradient of x, unless an observer of Burn's queue does.
        let array = match grad_means {
            Some(_) if !array.can_mut() => array.copy(),
            _ => array,
        };
        let [samples, channels, positions] = array.meta.shape().dims();
        let rows = Rows {
            rows: samples * channels,
            len: positions,
            number: number(array.dtype).expect("`supports` has asked"),
            values: &array.handle,
        };
        if let Some(grad_means) = grad_means {
            add_gradient_of_means(&array.client, rows, &grad_means.handle)?;
            return Ok(array);
        }
        let means = means(&array.client, rows)?;
        let (shape, dtype) = (self.output.shape.clone(), self.output.dtype);
        Ok(CubeTensor::new_contiguous(
            array.client,
            array.device,
            shape,
            means,
            dtype,
        ))
    }
}

impl Operation<Runtime> for Lazy {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        let mut read = |input: &TensorIr| into_contiguous(handles.get_float_tensor::<CubeBackend>(input));
        let array = read(&self.array);
        let grad_means = self.grad_means.as_ref().map(read);
        let output = self
            .run(array, grad_means.as_ref())
            .map_err(|error| ExecutionError::generic(error.to_string()))?;
        handles.register_float_tensor::<CubeBackend>(&self.output.id, output);
        Ok(())
    }
}
