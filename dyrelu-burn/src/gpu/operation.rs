//! [`Operation`]: the activation as one operation of Burn's autodiff.

use super::launch::{GpuTensor, launch, launch_all, like, planes};
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
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::tensor::CubeTensor;
use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::DynamicActivation;
use dyrelu_gpu::{Error, Operands, backward, forward};

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

    fn into_array(self) -> [Option<I>; 3] {
        [Some(self.x), self.coefficients, self.attention]
    }

    /// As many others, in the order of the array.
    fn like_these<J>(&self, others: impl IntoIterator<Item = J>) -> Inputs<J> {
        let mut others = others.into_iter();
        self.as_ref().map(|_| others.next().expect("one for each"))
    }
}

impl Inputs<CubeTensor> {
    /// What the kernels read.
    fn operands(&self) -> Operands<'_> {
        let x = planes(&self.x);
        let sets = match &self.coefficients {
            Some(coefficients) => coefficients.meta.shape()[1],
            None => x.channels,
        };
        Operands {
            samples: x.samples,
            sets,
            len: x.channels / sets * x.positions,
            number: x.number,
            x: x.values,
            coefficients: self.coefficients.as_ref().map(|tensor| &tensor.handle),
            attention: self.attention.as_ref().map(|tensor| &tensor.handle),
        }
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
    /// y.
    pub(super) fn infer(inputs: Inputs<GpuTensor>) -> GpuTensor {
        let present = inputs.as_ref().map(|_| ());
        let output = like(&inputs.x);
        let inputs = inputs.into_array().into_iter().flatten();
        let [y] = launch(type_name::<A>(), inputs, [output], move |tensors| {
            let inputs = present.like_these(tensors);
            Ok([forward::<A>(&inputs.x.client, &inputs.operands())?])
        });
        y
    }

    /// The gradients for that of y.
    fn gradients(inputs: Inputs<GpuTensor>, grad_y: GpuTensor) -> Inputs<GpuTensor> {
        let present = inputs.as_ref().map(|_| ());
        let inputs = inputs.into_array().into_iter().flatten();
        let inputs: Vec<_> = inputs.collect();
        let outputs: Vec<_> = inputs.iter().map(like).collect();
        let tensors = [grad_y].into_iter().chain(inputs);
        let launch = {
            let present = present.clone();
            move |mut tensors: Vec<CubeTensor>| -> Result<Vec<Handle>, Error> {
                let grad_y = tensors.remove(0);
                let inputs = present.like_these(tensors);
                let gradients = backward::<A>(&inputs.x.client, &inputs.operands(), &grad_y.handle)?;
                let others = [gradients.coefficients, gradients.attention];
                Ok([gradients.x]
                    .into_iter()
                    .chain(others.into_iter().flatten())
                    .collect())
            }
        };
        present.like_these(launch_all(type_name::<Self>(), tensors, outputs, launch))
    }

    /// y as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(
        self,
        inputs: &Inputs<Tracked<C>>,
        grad_x: GradX,
    ) -> Tracked<C> {
        let y = Self::infer(inputs.as_ref().map(|input| input.primitive().clone()));
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
        let inputs = inputs.map(|node| checkpointer.retrieve_node_output::<GpuTensor>(node));
        let grad_y = grads.consume::<Cube>(&ops.node);
        let Inputs {
            x,
            coefficients,
            attention,
        } = Self::gradients(inputs, grad_y);
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
            .map(|node| states.get_state::<GpuTensor>(&node));
        states.save(out_node, Operation::<A>::infer(inputs));
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
