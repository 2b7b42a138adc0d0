//! The layer on the kernels of dyrelu, for `f32` and `f64` on the CPU backend Flex: one operation of Burn's autodiff from
//! x, parameters and context to y.

mod arrays;
mod backing;
mod number;
mod operation;

pub(crate) use backing::Backing;

use crate::Layer;
use crate::composed::cast;
use crate::strategy::{Strategy, promote};
use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, NoCheckpointing};
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};
use dyrelu_core::DynamicActivation;
use number::Number;
use operation::{Inputs, Operation};

/// y; or x back, if no kernel is for it.
#[expect(clippy::result_large_err, reason = "it is x, and no error")]
pub(crate) fn forward<A: DynamicActivation, const D: usize>(
    layer: &Layer<A>,
    x: Tensor<D>,
    context: Option<Tensor<3>>,
) -> Result<Tensor<D>, Tensor<D>> {
    match x.dtype() {
        // First of all: elsewhere the parameters need not even be put together.
        _ if !is_flex(&x) => Err(x),
        DType::F32 => forward_numbers::<A, f32, D>(layer, x, context),
        DType::F64 => forward_numbers::<A, f64, D>(layer, x, context),
        _ => Err(x),
    }
}

#[expect(clippy::result_large_err, reason = "it is x, and no error")]
fn forward_numbers<A: DynamicActivation, T: Number, const D: usize>(
    layer: &Layer<A>,
    x: Tensor<D>,
    context: Option<Tensor<3>>,
) -> Result<Tensor<D>, Tensor<D>> {
    let dtype = x.dtype();
    let parameters = layer.parameters.flat().map(|parameters| cast(parameters, dtype));
    let context = context.map(|context| cast(context, dtype));
    if !(parameters.as_ref().is_none_or(is_flex) && context.as_ref().is_none_or(is_flex)) {
        return Err(x);
    }
    let operation = Operation::<A, T>::new(layer);
    let strategy = Strategy::new([
        x.gradient_checkpointing_strategy(),
        parameters
            .as_ref()
            .and_then(Tensor::gradient_checkpointing_strategy),
        context.as_ref().and_then(Tensor::gradient_checkpointing_strategy),
    ]);
    let strategy = match strategy {
        Strategy::Tracked(strategy) => strategy,
        Strategy::Mixed => return Err(x),
        Strategy::Untracked => {
            let y = operation.infer(Inputs {
                x: x.try_into_primitive::<Flex>().expect(IS_FLEX),
                parameters: parameters.map(|tensor| tensor.try_into_primitive::<Flex>().expect(IS_FLEX)),
                context: context.map(|tensor| tensor.try_into_primitive::<Flex>().expect(IS_FLEX)),
            });
            return Ok(Tensor::from_primitive::<Flex>(y));
        }
    };
    if layer
        .statistics
        .as_ref()
        .is_some_and(|statistics| !statistics.is_training())
    {
        // No kernel has the gradient of scores that running statistics have normalised.
        return Err(x);
    }
    macro_rules! track {
        ($strategy:ty) => {{
            type Tracked = burn::backend::Autodiff<Flex, $strategy>;
            let y = operation.track::<$strategy>(&Inputs {
                x: promote(x, strategy)
                    .try_into_primitive::<Tracked>()
                    .expect(IS_FLEX),
                parameters: parameters.map(|tensor| {
                    promote(tensor, strategy)
                        .try_into_primitive::<Tracked>()
                        .expect(IS_FLEX)
                }),
                context: context.map(|tensor| {
                    promote(tensor, strategy)
                        .try_into_primitive::<Tracked>()
                        .expect(IS_FLEX)
                }),
            });
            Ok(Tensor::from_primitive::<Tracked>(y))
        }};
    }
    match strategy {
        GradientCheckpointingStrategy::Disabled => track!(NoCheckpointing),
        GradientCheckpointingStrategy::Balanced => track!(BalancedCheckpointing),
    }
}

const IS_FLEX: &str = "a float tensor of Flex";

fn is_flex<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.clone().inner().try_into_primitive::<Flex>().is_ok()
}
