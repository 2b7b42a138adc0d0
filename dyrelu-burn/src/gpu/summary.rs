//! [`Means`] and [`Scores`]: what the hyper function and the attention see of x, as operations of Burn's autodiff.

use super::lazy::{Handles, LazyTensor, Runtime, register};
use super::number;
use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
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
use dyrelu_gpu::{Error, Planes, add_gradients, gradient_of_weight, means, scores};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The gradient of x, in parts: from the operation that computes y, from the means and from the scores. The operation whose part
/// is the last one adds them and tells Burn. Burn itself would add them number by number, in several times the time.
#[derive(Debug, Clone, Default)]
pub(super) struct GradX(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    /// How many operations have yet to bring theirs, beside that of y, which is the first.
    missing: usize,
    of_y: Option<LazyTensor>,
    of_means: Option<LazyTensor>,
    /// The weight and the gradient of the scores.
    of_scores: Option<[LazyTensor; 2]>,
}

impl GradX {
    /// An operation will bring its part.
    fn expect(&self) {
        self.lock().missing += 1;
    }

    /// Brings the part of y; it comes back where it is the only one.
    pub(super) fn bring(&self, of_y: LazyTensor) -> Option<LazyTensor> {
        let mut parts = self.lock();
        if parts.missing == 0 {
            return Some(of_y);
        }
        parts.of_y = Some(of_y);
        None
    }

    /// Brings another part, which gives the whole if it is the last one.
    fn bring_next(&self, bring: impl FnOnce(&mut Parts)) -> Option<LazyTensor> {
        let mut parts = self.lock();
        bring(&mut parts);
        parts.missing -= 1;
        (parts.missing == 0).then(|| {
            let grad_x = parts.of_y.take();
            let grad_x = grad_x.expect("y follows from means and scores, so its gradient is computed first");
            let (shape, dtype) = (grad_x.shape.clone(), grad_x.dtype);
            let work = Work::AddGradients {
                grad_x,
                grad_means: parts.of_means.take(),
                weight_and_grad_scores: parts.of_scores.take(),
            };
            work.register(shape, dtype)
        })
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Tracked<C> = FloatTensor<Autodiff<Cube, C>>;

/// From x to the means of its channels.
#[derive(Debug)]
pub(super) struct Means;

impl Means {
    /// The means `[N, C]` of x, `[N, C, S]`, in `f32`.
    pub(super) fn infer(x: LazyTensor) -> LazyTensor {
        let shape = Shape::new([x.shape[0], x.shape[1]]);
        Work::Means { x }.register(shape, DType::F32)
    }

    /// The same as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(x: &Tracked<C>, grad_x: &GradX) -> Tracked<C> {
        let means = Self::infer(x.primitive().clone());
        match Self.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(preparation) => {
                grad_x.expect();
                preparation.finish(grad_x.clone(), means)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(means),
        }
    }
}

impl Backward<Cube, 1> for Means {
    type State = GradX;

    fn backward(self, ops: Ops<GradX, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad_means = grads.consume::<Cube>(&ops.node);
        let whole = ops.state.bring_next(|parts| parts.of_means = Some(grad_means));
        if let ([Some(x)], Some(whole)) = (ops.parents, whole) {
            grads.register::<Cube>(x.id, whole);
        }
    }
}

/// From x to the scores of its positions, which lack a bias.
#[derive(Debug)]
pub(super) struct Scores;

/// What the gradients of the scores' inputs need.
#[derive(Debug, Clone)]
pub(super) struct ScoresState {
    x: NodeId,
    weight: NodeId,
    grad_x: GradX,
}

impl Scores {
    /// The scores `[N, S]` of x, `[N, C, S]`, in `f32`, for a weight `[C]` of `f32`.
    pub(super) fn infer(x: LazyTensor, weight: LazyTensor) -> LazyTensor {
        let shape = Shape::new([x.shape[0], x.shape[2]]);
        Work::Scores { x, weight }.register(shape, DType::F32)
    }

    /// The same as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(
        x: &Tracked<C>,
        weight: &Tracked<C>,
        grad_x: &GradX,
    ) -> Tracked<C> {
        let scores = Self::infer(x.primitive().clone(), weight.primitive().clone());
        let preparation = Self.prepare::<C>([x.node(), weight.node()]).compute_bound();
        match preparation.stateful() {
            OpsKind::Tracked(mut preparation) => {
                if x.is_tracked() {
                    grad_x.expect();
                }
                let state = ScoresState {
                    x: preparation.checkpoint(x),
                    weight: preparation.checkpoint(weight),
                    grad_x: grad_x.clone(),
                };
                preparation.finish(state, scores)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(scores),
        }
    }
}

impl Backward<Cube, 2> for Scores {
    type State = ScoresState;

    fn backward(self, ops: Ops<ScoresState, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad_scores = grads.consume::<Cube>(&ops.node);
        let ScoresState { x, weight, grad_x } = ops.state;
        let x: LazyTensor = checkpointer.retrieve_node_output(x);
        let weight: LazyTensor = checkpointer.retrieve_node_output(weight);
        let [parent_x, parent_weight] = ops.parents;
        if let Some(parent) = parent_weight {
            let grad_scores = grad_scores.clone();
            let shape = weight.shape.clone();
            let work = Work::GradientOfWeight { x, grad_scores };
            grads.register::<Cube>(parent.id, work.register(shape, DType::F32));
        }
        if let Some(parent) = parent_x {
            let whole = grad_x.bring_next(|parts| parts.of_scores = Some([weight, grad_scores]));
            if let Some(whole) = whole {
                grads.register::<Cube>(parent.id, whole);
            }
        }
    }
}

/// A kernel in the queue of Burn's fusion.
#[derive(Debug)]
struct Lazy {
    work: Work<TensorIr>,
    output: TensorIr,
}

/// What a kernel reads.
#[derive(Debug, Clone)]
enum Work<T> {
    Means {
        x: T,
    },
    Scores {
        x: T,
        weight: T,
    },
    GradientOfWeight {
        x: T,
        grad_scores: T,
    },
    /// Gives the gradient of x with all that is to be added.
    AddGradients {
        grad_x: T,
        grad_means: Option<T>,
        weight_and_grad_scores: Option<[T; 2]>,
    },
}

impl<T> Work<T> {
    fn map<U>(self, mut with: impl FnMut(T) -> U) -> Work<U> {
        match self {
            Self::Means { x } => Work::Means { x: with(x) },
            Self::Scores { x, weight } => Work::Scores {
                x: with(x),
                weight: with(weight),
            },
            Self::GradientOfWeight { x, grad_scores } => Work::GradientOfWeight {
                x: with(x),
                grad_scores: with(grad_scores),
            },
            Self::AddGradients {
                grad_x,
                grad_means,
                weight_and_grad_scores,
            } => Work::AddGradients {
                grad_x: with(grad_x),
                grad_means: grad_means.map(&mut with),
                weight_and_grad_scores: weight_and_grad_scores.map(|tensors| tensors.map(with)),
            },
        }
    }
}

impl Work<LazyTensor> {
    /// Puts the kernel in the queue.
    fn register(self, shape: Shape, dtype: DType) -> LazyTensor {
        let (Work::Means { x: first }
        | Work::Scores { x: first, .. }
        | Work::GradientOfWeight { x: first, .. }
        | Work::AddGradients { grad_x: first, .. }) = &self;
        let client = first.client.clone();
        let mut inputs = vec![];
        let work = self.map(|tensor| {
            let input = tensor.into_ir();
            inputs.push(input.clone());
            input
        });
        let mut outputs = register(&client, &inputs, [(shape, dtype)], "Summary", |mut outputs| Lazy {
            work,
            output: outputs.pop().expect("one output"),
        });
        outputs.pop().expect("one output")
    }
}

impl Lazy {
    fn run(&self, handles: &mut Handles) -> Result<CubeTensor, Error> {
        let read = |input: TensorIr| into_contiguous(handles.get_float_tensor::<CubeBackend>(&input));
        let (like, result) = match self.work.clone().map(read) {
            Work::Means { x } => {
                let means = means(&x.client, planes(&x))?;
                (x, means)
            }
            Work::Scores { x, weight } => {
                let scores = scores(&x.client, planes(&x), &weight.handle)?;
                (x, scores)
            }
            Work::GradientOfWeight { x, grad_scores } => {
                let gradient = gradient_of_weight(&x.client, planes(&x), &grad_scores.handle)?;
                (x, gradient)
            }
            Work::AddGradients {
                grad_x,
                grad_means,
                weight_and_grad_scores,
            } => {
                // Nobody else has it, unless an observer of Burn's queue does.
                let grad_x = if grad_x.can_mut() { grad_x } else { grad_x.copy() };
                let weight_and_grad_scores = weight_and_grad_scores.as_ref();
                add_gradients(
                    &grad_x.client,
                    planes(&grad_x),
                    grad_means.as_ref().map(|tensor| &tensor.handle),
                    weight_and_grad_scores.map(|[weight, scores]| (&weight.handle, &scores.handle)),
                )?;
                return Ok(grad_x);
            }
        };
        let (shape, dtype) = (self.output.shape.clone(), self.output.dtype);
        Ok(CubeTensor::new_contiguous(
            like.client,
            like.device,
            shape,
            result,
            dtype,
        ))
    }
}

/// An array as the kernels take it.
fn planes(array: &CubeTensor) -> Planes<'_> {
    let [samples, channels, positions] = array.meta.shape().dims();
    Planes {
        samples,
        channels,
        positions,
        number: number(array.dtype).expect("`supports` has asked"),
        values: &array.handle,
    }
}

impl Operation<Runtime> for Lazy {
    fn execute(&self, handles: &mut Handles) -> Result<(), ExecutionError> {
        let output = self
            .run(handles)
            .map_err(|error| ExecutionError::generic(error.to_string()))?;
        handles.register_float_tensor::<CubeBackend>(&self.output.id, output);
        Ok(())
    }
}
