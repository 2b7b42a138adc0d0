//! [`Operation`]: the activation as one operation of Burn's autodiff.

use super::lazy::{Lazy, LazyTensor};
use super::summary::GradX;
use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::retro_forward::RetroForward;
use burn::backend::autodiff::checkpoint::state::BackwardStates;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn_cubecl::Cube;
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::DynamicActivation;

/// What the operation reads, or the gradients of it.
#[derive(Debug, Clone)]
pub(super) struct Inputs<I> {
    /// `[N, C, S]`.
    pub(super) x: I,
    /// `[N, C or 1, P, K]`, if a piece has any.
    pub(super) coefficients: Option<I>,
    /// `[N, 1, S]`, in mode C.
    pub(super) attention: Option<I>,
}

impl<I> Inputs<I> {
    pub(super) fn map<J>(self, mut with: impl FnMut(I) -> J) -> Inputs<J> {
        Inputs {
            x: with(self.x),
            coefficients: self.coefficients.map(&mut with),
            attention: self.attention.map(&mut with),
        }
    }

    pub(super) fn as_ref(&self) -> Inputs<&I> {
        Inputs {
            x: &self.x,
            coefficients: self.coefficients.as_ref(),
            attention: self.attention.as_ref(),
        }
    }

    pub(super) fn into_array(self) -> [Option<I>; 3] {
        [Some(self.x), self.coefficients, self.attention]
    }
}

/// A pass of an activation `A`.
pub(super) struct Operation<A>(PhantomData<fn() -> A>);

impl<A> Default for Operation<A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

type Tracked<C> = FloatTensor<Autodiff<Cube, C>>;

impl<A: DynamicActivation> Operation<A> {
    /// y as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(
        self,
        inputs: &Inputs<Tracked<C>>,
        grad_x: GradX,
    ) -> Tracked<C> {
        let y = Lazy::<A>::forward(inputs.as_ref().map(|input| input.primitive().clone()));
        let nodes = inputs.as_ref().into_array().map(|input| match input {
            Some(input) => input.node(),
            // A node has three parents: one that nobody asks the gradient of.
            None => Tracked::<C>::new(y.clone()).node(),
        });
        let again = Again::<A> {
            inputs: inputs.as_ref().map(Tracked::<C>::id),
            activation: self.0,
        };
        let preparation = self
            .prepare::<C>(nodes)
            .memory_bound()
            .retro_forward(again)
            .parents(inputs.as_ref().into_array().into_iter().flatten());
        match preparation.stateful() {
            OpsKind::Tracked(mut preparation) => {
                let inputs = inputs.as_ref().map(|input| preparation.checkpoint(input));
                preparation.finish(State { inputs, grad_x }, y)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(y),
        }
    }
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(super) struct State {
    inputs: Inputs<NodeId>,
    grad_x: GradX,
}

impl<A: DynamicActivation> Backward<Cube, 3> for Operation<A> {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let State { inputs, grad_x } = ops.state;
        let inputs = inputs.map(|node| checkpointer.retrieve_node_output::<LazyTensor>(node));
        let grad_y = grads.consume::<Cube>(&ops.node);
        let Inputs {
            x,
            coefficients,
            attention,
        } = Lazy::<A>::backward(inputs, grad_y);
        let x = grad_x.bring(x);
        for (parent, gradient) in ops.parents.into_iter().zip([x, coefficients, attention]) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Cube>(parent.id, gradient);
            }
        }
    }
}

/// Computes y again, where gradient checkpointing has not kept it.
struct Again<A> {
    inputs: Inputs<NodeId>,
    activation: PhantomData<fn() -> A>,
}

impl<A: DynamicActivation> RetroForward for Again<A> {
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let inputs = self
            .inputs
            .clone()
            .map(|node| states.get_state::<LazyTensor>(&node));
        states.save(out_node, Lazy::<A>::forward(inputs));
    }
}

impl<A> Clone for Operation<A> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<A: DynamicActivation> fmt::Debug for Operation<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&A::NAME).finish()
    }
}

impl<A: DynamicActivation> fmt::Debug for Again<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Again").field(&A::NAME).finish()
    }
}
