//! [`Attention`]: from the scores of mode C to its attention, as one operation of Burn's autodiff.

use super::launch::{GpuTensor, launch, like};
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;
use dyrelu_core::kernels::attention::Scaling;
use dyrelu_gpu::{attention, attention_backward};

/// π = min(γ · softmax(z / τ), cut-off).
#[derive(Debug, Clone)]
pub(super) struct Attention(pub(super) Scaling);

type Tracked<C> = FloatTensor<Autodiff<Cube, C>>;

impl Attention {
    /// π for the scores, both `[N, 1, S]` of `f32`.
    pub(super) fn infer(&self, scores: GpuTensor) -> GpuTensor {
        let [attention, _] = self.forward(scores);
        attention
    }

    /// The same as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(self, scores: &Tracked<C>) -> Tracked<C> {
        let [attention, softmax] = self.forward(scores.primitive().clone());
        match self.prepare::<C>([scores.node()]).compute_bound().stateful() {
            OpsKind::Tracked(preparation) => preparation.finish(softmax, attention),
            OpsKind::UnTracked(preparation) => preparation.finish(attention),
        }
    }

    /// π and the softmax.
    fn forward(&self, scores: GpuTensor) -> [GpuTensor; 2] {
        let Self(scaling) = *self;
        let outputs = [like(&scores), like(&scores)];
        launch("attention", [scores], outputs, move |tensors| {
            let scores = &tensors[0];
            attention(&scores.client, rows(scores), scaling, &scores.handle)
        })
    }
}

/// N and S.
fn rows(scores: &CubeTensor) -> [usize; 2] {
    let [samples, _, positions] = scores.meta.shape().dims();
    [samples, positions]
}

impl Backward<Cube, 1> for Attention {
    type State = GpuTensor;

    fn backward(self, ops: Ops<GpuTensor, 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let grad_attention = grads.consume::<Cube>(&ops.node);
        let (softmax, Self(scaling)) = (ops.state, self);
        let output = like(&softmax);
        let inputs = [softmax, grad_attention];
        let [grad_scores] = launch("attention_backward", inputs, [output], move |tensors| {
            let [softmax, grad] = &tensors[..] else {
                unreachable!("two inputs")
            };
            let result = attention_backward(
                &softmax.client,
                rows(softmax),
                scaling,
                &softmax.handle,
                &grad.handle,
            );
            Ok([result?])
        });
        if let [Some(scores)] = ops.parents {
            grads.register::<Cube>(scores.id, grad_scores);
        }
    }
}
