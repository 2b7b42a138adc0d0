//! [`Means`] and [`Scores`]: what the hyper function and the attention see of x, as operations of Burn's autodiff.

use super::launch::{GpuTensor, dims, launch, like, planes};
use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::Cube;
use dyrelu_gpu::{add_gradients, gradient_of_weight, means, scores};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The gradient of x, in parts: from the operation that computes y, from the means and from the scores. The operation whose part
/// is the last one adds them and tells Burn. Burn itself would add them number by number, in several times the time.
#[derive(Debug, Clone, Default)]
pub(super) struct GradX(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    /// How many operations have yet to bring theirs, beside that of y, which is the first.
    missing: usize,
    of_y: Option<GpuTensor>,
    of_means: Option<GpuTensor>,
    /// The weight and the gradient of the scores.
    of_scores: Option<[GpuTensor; 2]>,
}

impl GradX {
    /// An operation will bring its part.
    fn expect(&self) {
        self.lock().missing += 1;
    }

    /// Brings the part of y; it comes back where it is the only one.
    pub(super) fn bring(&self, of_y: GpuTensor) -> Option<GpuTensor> {
        let mut parts = self.lock();
        if parts.missing == 0 {
            return Some(of_y);
        }
        parts.of_y = Some(of_y);
        None
    }

    /// Brings another part, which gives the whole if it is the last one.
    fn bring_next(&self, bring: impl FnOnce(&mut Parts)) -> Option<GpuTensor> {
        let mut parts = self.lock();
        bring(&mut parts);
        parts.missing -= 1;
        (parts.missing == 0).then(|| {
            let of_y = parts.of_y.take();
            let of_y = of_y.expect("y follows from means and scores, so its gradient is computed first");
            sum_of_parts(of_y, parts.of_means.take(), parts.of_scores.take())
        })
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gradient of x with the parts that come through means and scores, the latter as the weight and the gradient of the scores.
fn sum_of_parts(
    of_y: GpuTensor,
    of_means: Option<GpuTensor>,
    of_scores: Option<[GpuTensor; 2]>,
) -> GpuTensor {
    let output = like(&of_y);
    let with_means = of_means.is_some();
    let parts = of_means.into_iter().chain(of_scores.into_iter().flatten());
    let [whole] = launch(
        "add_gradients",
        [of_y].into_iter().chain(parts),
        [output],
        move |tensors| {
            let mut tensors = tensors.into_iter();
            let of_y = tensors.next().expect("the part of y");
            // Nobody else has it, unless an observer of Burn's queue does.
            let whole = if of_y.can_mut() { of_y } else { of_y.copy() };
            let of_means = with_means.then(|| tensors.next().expect("the part of the means"));
            let of_scores = tensors.next().zip(tensors.next());
            add_gradients(
                &whole.client,
                planes(&whole),
                of_means.as_ref().map(|of_means| &of_means.handle),
                of_scores
                    .as_ref()
                    .map(|(weight, scores)| (&weight.handle, &scores.handle)),
            )?;
            Ok([whole.handle])
        },
    );
    whole
}

type Tracked<C> = FloatTensor<Autodiff<Cube, C>>;

/// From x to the means of its channels.
#[derive(Debug)]
pub(super) struct Means;

impl Means {
    /// The means `[N, C]` of x, `[N, C, S]`, in `f32`.
    pub(super) fn infer(x: GpuTensor) -> GpuTensor {
        let [samples, channels, _] = dims(&x);
        let shape = Shape::new([samples, channels]);
        let [means] = launch("means", [x], [(shape, DType::F32)], |tensors| {
            let x = &tensors[0];
            Ok([means(&x.client, planes(x))?])
        });
        means
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
        let of_means = grads.consume::<Cube>(&ops.node);
        let whole = ops.state.bring_next(|parts| parts.of_means = Some(of_means));
        if let ([Some(x)], Some(whole)) = (ops.parents, whole) {
            grads.register::<Cube>(x.id, whole);
        }
    }
}

/// From x to the scores of its positions.
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
    /// The scores `[N, 1, S]` of x, `[N, C, S]`, for a weight `[C]` and a bias `[1]`, all but x of `f32`.
    pub(super) fn infer(inputs: [GpuTensor; 3]) -> GpuTensor {
        let [samples, _, positions] = dims(&inputs[0]);
        let shape = Shape::new([samples, 1, positions]);
        let [scores] = launch("scores", inputs, [(shape, DType::F32)], |tensors| {
            let [x, weight, bias] = &tensors[..] else {
                unreachable!("three inputs")
            };
            Ok([scores(&x.client, planes(x), &weight.handle, &bias.handle)?])
        });
        scores
    }

    /// The same as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(inputs: &[Tracked<C>; 3], grad_x: &GradX) -> Tracked<C> {
        let scores = Self::infer(inputs.each_ref().map(|input| input.primitive().clone()));
        let preparation = Self
            .prepare::<C>(inputs.each_ref().map(Tracked::<C>::node))
            .compute_bound();
        let [x, weight, _] = inputs;
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

impl Backward<Cube, 3> for Scores {
    type State = ScoresState;

    fn backward(self, ops: Ops<ScoresState, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad_scores = grads.consume::<Cube>(&ops.node);
        let ScoresState { x, weight, grad_x } = ops.state;
        let x: GpuTensor = checkpointer.retrieve_node_output(x);
        let weight: GpuTensor = checkpointer.retrieve_node_output(weight);
        let [of_x, of_weight, of_bias] = ops.parents;
        if of_weight.is_some() || of_bias.is_some() {
            let outputs = [like(&weight), (Shape::new([1]), DType::F32)];
            let inputs = [x, grad_scores.clone()];
            let gradients = launch("gradient_of_weight", inputs, outputs, |tensors| {
                let [x, grad_scores] = &tensors[..] else {
                    unreachable!("two inputs")
                };
                // The bias shifts all scores of a sample alike, which the softmax does not see.
                let of_bias = x.client.create_from_slice(&0.0_f32.to_ne_bytes());
                let of_weight = gradient_of_weight(&x.client, planes(x), &grad_scores.handle)?;
                Ok([of_weight, of_bias])
            });
            for (parent, gradient) in [of_weight, of_bias].into_iter().zip(gradients) {
                if let Some(parent) = parent {
                    grads.register::<Cube>(parent.id, gradient);
                }
            }
        }
        if let Some(parent) = of_x {
            let whole = grad_x.bring_next(|parts| parts.of_scores = Some([weight, grad_scores]));
            if let Some(whole) = whole {
                grads.register::<Cube>(parent.id, whole);
            }
        }
    }
}
