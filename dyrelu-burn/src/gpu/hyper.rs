//! [`HyperFunction`]: the hyper function of two layers, as one operation of Burn's autodiff.

use super::launch::{GpuTensor, dims, launch, like};
use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{DynamicActivation, sets};
use dyrelu_gpu::{Hyper, hyper, hyper_backward};

/// What the hyper function reads, or the gradients of it: the context `[N, M]`, W₁ `[H, M]`, b₁ `[H]`, W₂ `[O, H]` and b₂ `[O]`.
pub(super) type Inputs<I> = [I; 5];

/// The hyper function of an activation `A` whose x has so many channels.
pub(super) struct HyperFunction<A> {
    channels: usize,
    activation: PhantomData<fn() -> A>,
}

type Tracked<C> = FloatTensor<Autodiff<Cube, C>>;

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(super) struct State {
    inputs: Inputs<NodeId>,
    hidden: GpuTensor,
    residuals: GpuTensor,
}

impl<A: DynamicActivation> HyperFunction<A> {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels,
            activation: PhantomData,
        }
    }

    /// The coefficients `[N, C or 1, P, K]`.
    pub(super) fn infer(&self, inputs: Inputs<GpuTensor>) -> GpuTensor {
        let [coefficients, ..] = self.forward(inputs);
        coefficients
    }

    /// The same as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(self, inputs: &Inputs<Tracked<C>>) -> Tracked<C> {
        let [coefficients, hidden, residuals] =
            self.forward(inputs.each_ref().map(|input| input.primitive().clone()));
        let nodes = inputs.each_ref().map(Tracked::<C>::node);
        match self.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut preparation) => {
                let state = State {
                    inputs: inputs.each_ref().map(|input| preparation.checkpoint(input)),
                    hidden,
                    residuals,
                };
                preparation.finish(state, coefficients)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(coefficients),
        }
    }

    /// The coefficients, the hidden units and the residuals.
    fn forward(&self, inputs: Inputs<GpuTensor>) -> [GpuTensor; 3] {
        let channels = self.channels;
        let [samples, _] = dims(&inputs[0]);
        let [units, _] = dims(&inputs[1]);
        let coefficients = Shape::new([samples, sets::<A>(channels), A::Pieces::P, A::Pieces::K]);
        let hidden = Shape::new([samples, units]);
        let outputs = [coefficients.clone(), hidden, coefficients].map(|shape| (shape, DType::F32));
        launch("hyper", inputs, outputs, move |tensors| {
            let outputs = hyper::<A>(&tensors[0].client, &operands(channels, &tensors))?;
            Ok([outputs.coefficients, outputs.hidden, outputs.residuals])
        })
    }
}

/// What the kernels read.
fn operands(channels: usize, inputs: &[CubeTensor]) -> Hyper<'_> {
    let [context, w1, b1, w2, b2] = inputs else {
        unreachable!("five inputs")
    };
    let [samples, inputs] = context.meta.shape().dims();
    Hyper {
        samples,
        channels,
        inputs,
        hidden: w1.meta.shape()[0],
        context: &context.handle,
        first: [&w1.handle, &b1.handle],
        second: [&w2.handle, &b2.handle],
    }
}

impl<A: DynamicActivation> Backward<Cube, 5> for HyperFunction<A> {
    type State = State;

    fn backward(self, ops: Ops<State, 5>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let grad_coefficients = grads.consume::<Cube>(&ops.node);
        let State {
            inputs,
            hidden,
            residuals,
        } = ops.state;
        let inputs = inputs.map(|node| checkpointer.retrieve_node_output::<GpuTensor>(node));
        let outputs = inputs.each_ref().map(like);
        let tensors = inputs.into_iter().chain([hidden, residuals, grad_coefficients]);
        let channels = self.channels;
        let gradients = launch("hyper_backward", tensors, outputs, move |tensors| {
            let (inputs, others) = tensors.split_at(5);
            let [hidden, residuals, grad_coefficients] = others else {
                unreachable!("three others")
            };
            let gradients = hyper_backward::<A>(
                &hidden.client,
                &operands(channels, inputs),
                &hidden.handle,
                &residuals.handle,
                &grad_coefficients.handle,
            )?;
            let ([w1, b1], [w2, b2]) = (gradients.first, gradients.second);
            Ok([gradients.context, w1, b1, w2, b2])
        });
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<Cube>(parent.id, gradient);
            }
        }
    }
}

impl<A> Clone for HyperFunction<A> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<A: DynamicActivation> fmt::Debug for HyperFunction<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HyperFunction").field(&A::NAME).finish()
    }
}
