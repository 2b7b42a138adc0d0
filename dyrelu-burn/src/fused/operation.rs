//! [`Operation`]: a whole layer as one operation of Burn's autodiff.

use super::Number;
use super::arrays::{dense, tensor, view, view_mut};
use super::backing::Backing;
use crate::Layer;
use crate::statistics::Statistics;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::retro_forward::RetroForward;
use burn::backend::autodiff::checkpoint::state::BackwardStates;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use core::fmt;
use core::marker::PhantomData;
use dyrelu_core::{Cache, DynamicActivation, Error, WithContext};
use ndarray::Array1;

/// What the operation reads, or the gradients of it.
#[derive(Debug, Clone)]
pub(super) struct Inputs<I> {
    /// `[N, C, ...]`.
    pub(super) x: I,
    /// All parameters one after the other, if there are any.
    pub(super) parameters: Option<I>,
    /// `[N, M, ...]`, if there is one.
    pub(super) context: Option<I>,
}

impl<I> Inputs<I> {
    fn map<J>(self, mut with: impl FnMut(I) -> J) -> Inputs<J> {
        Inputs {
            x: with(self.x),
            parameters: self.parameters.map(&mut with),
            context: self.context.map(&mut with),
        }
    }

    fn as_ref(&self) -> Inputs<&I> {
        Inputs {
            x: &self.x,
            parameters: self.parameters.as_ref(),
            context: self.context.as_ref(),
        }
    }

    fn into_array(self) -> [Option<I>; 3] {
        [Some(self.x), self.parameters, self.context]
    }
}

/// A pass of a layer `A` on numbers of the type `T`.
pub(super) struct Operation<A, T> {
    backing: Backing<A>,
    statistics: Option<Statistics>,
    number: PhantomData<fn() -> T>,
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
pub(super) struct State<T> {
    inputs: Inputs<NodeId>,
    cache: Cache<T>,
}

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

impl<A: DynamicActivation, T: Number> Operation<A, T> {
    pub(super) fn new(layer: &Layer<A>) -> Self {
        Self {
            backing: layer.backing.clone(),
            statistics: layer.statistics.clone(),
            number: PhantomData,
        }
    }

    /// y without gradients, in the place of x if nobody else needs that.
    pub(super) fn infer(&self, inputs: Inputs<FlexTensor>) -> FlexTensor {
        let Inputs {
            mut x,
            parameters,
            context,
        } = inputs.map(dense::<T>);
        let y = self.backing.with(parameters.as_ref(), |backing| {
            if let Some(statistics) = &self.statistics {
                let [mean, variance] = statistics.numbers();
                backing.set_running_statistics(mean, variance);
            }
            with_context(backing, context.as_ref(), |layer| {
                if let Some(mut x) = view_mut::<T>(&mut x) {
                    return layer.forward_inplace(&mut x).map(|()| None);
                }
                layer.forward(&view(&x)).map(Some)
            })
        });
        y.map_or(x, tensor)
    }

    /// y, with what its gradients need.
    fn forward(&self, inputs: &Inputs<FlexTensor>) -> (FlexTensor, Cache<T>) {
        let inputs = inputs.clone().map(dense::<T>);
        self.backing.with(inputs.parameters.as_ref(), |backing| {
            let (y, cache) = with_context(backing, inputs.context.as_ref(), |layer| {
                layer.forward_train(&view(&inputs.x))
            });
            (tensor(y), cache)
        })
    }

    /// The gradients for that of y.
    fn backward(
        &self,
        inputs: &Inputs<FlexTensor>,
        cache: &Cache<T>,
        grad_y: FlexTensor,
    ) -> Inputs<FlexTensor> {
        let inputs = inputs.clone().map(dense::<T>);
        let grad_y = dense::<T>(grad_y);
        let grads = self.backing.with(inputs.parameters.as_ref(), |backing| {
            with_context(backing, inputs.context.as_ref(), |layer| {
                layer.backward(&view(&inputs.x), cache, &view(&grad_y))
            })
        });
        let parameters = Array1::from_vec(grads.flat_parameters()).into_dyn();
        Inputs {
            x: tensor(grads.x),
            parameters: inputs.parameters.map(|_| tensor(parameters)),
            context: grads.context.map(tensor),
        }
    }

    /// Moves the running statistics towards those of a batch.
    fn update_statistics(&self, inputs: &Inputs<FlexTensor>, cache: &Cache<T>) {
        let Some(statistics) = &self.statistics else {
            return;
        };
        let [mean, variance] = statistics.numbers();
        let moved = self.backing.with(inputs.parameters.as_ref(), |backing| {
            backing.set_running_statistics(mean, variance);
            backing.update_statistics(cache).expect("the cache of this pass");
            backing.running_statistics()
        });
        if let Some((mean, variance)) = moved {
            statistics.set(mean, variance);
        }
    }

    /// y as a node of the graph.
    pub(super) fn track<C: CheckpointStrategy>(self, inputs: &Inputs<Tracked<C>>) -> Tracked<C> {
        let primitives = inputs.as_ref().map(|input| input.primitive().clone());
        let (y, cache) = self.forward(&primitives);
        self.update_statistics(&primitives, &cache);
        let nodes = inputs.as_ref().into_array().map(|input| match input {
            Some(input) => input.node(),
            None => Tracked::<C>::new(FlexTensor::empty([0].into(), T::dtype())).node(),
        });
        let again = Again {
            operation: self.clone(),
            inputs: inputs.as_ref().map(Tracked::<C>::id),
        };
        let preparation = self
            .prepare::<C>(nodes)
            .memory_bound()
            .retro_forward(again)
            .parents(inputs.as_ref().into_array().into_iter().flatten());
        match preparation.stateful() {
            OpsKind::Tracked(mut preparation) => {
                let inputs = inputs.as_ref().map(|input| preparation.checkpoint(input));
                preparation.finish(State { inputs, cache }, y)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(y),
        }
    }
}

impl<A: DynamicActivation, T: Number> Backward<Flex, 3> for Operation<A, T> {
    type State = State<T>;

    fn backward(self, ops: Ops<State<T>, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let State { inputs, cache } = ops.state;
        let inputs = inputs.map(|node| checkpointer.retrieve_node_output::<FlexTensor>(node));
        let grad_y = grads.consume::<Flex>(&ops.node);
        let gradients = Operation::backward(&self, &inputs, &cache, grad_y);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients.into_array()) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Computes y again, where gradient checkpointing has not kept it.
struct Again<A, T> {
    operation: Operation<A, T>,
    inputs: Inputs<NodeId>,
}

impl<A: DynamicActivation, T: Number> RetroForward for Again<A, T> {
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let inputs = self
            .inputs
            .clone()
            .map(|node| states.get_state::<FlexTensor>(&node));
        let (y, _) = self.operation.forward(&inputs);
        states.save(out_node, y);
    }
}

/// Runs with a layer and its context, if it has one.
fn with_context<A: DynamicActivation, T: Number, R>(
    backing: &dyrelu_core::Layer<A, T>,
    context: Option<&FlexTensor>,
    run: impl FnOnce(WithContext<'_, A, T>) -> Result<R, Error>,
) -> R {
    let layer = match context {
        Some(context) => backing.with_context(&view(context)),
        None => backing.bare(),
    };
    layer.and_then(run).expect("shapes that were checked")
}

impl<A, T> Clone for Operation<A, T> {
    fn clone(&self) -> Self {
        Self {
            backing: self.backing.clone(),
            statistics: self.statistics.clone(),
            number: PhantomData,
        }
    }
}

impl<A: DynamicActivation, T> fmt::Debug for Operation<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&A::NAME).finish()
    }
}

impl<A: DynamicActivation, T> fmt::Debug for Again<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Again").field(&self.operation).finish()
    }
}
