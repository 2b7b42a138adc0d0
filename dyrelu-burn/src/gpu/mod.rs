//! The activation itself on the kernels of dyrelu-gpu, for Burn's CubeCL backends: one lazy operation, and one of Burn's
//! autodiff, from x, coefficients and attention to y. What leads to coefficients and attention are tensor operations.

mod lazy;
mod means;
mod operation;

use crate::composed::{pool, wide};
use crate::strategy::{Strategy, promote};
use crate::with_context::{WithContext, with_one_spatial_axis};
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, NoCheckpointing};
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};
use burn_cubecl::Cube;
use dyrelu_core::{Context, DynamicActivation};
use dyrelu_gpu::Number;
use lazy::Lazy;
use means::{Held, Means};
use operation::{Inputs, Operation};

/// y; or x back, if no kernel is for it.
#[expect(clippy::result_large_err, reason = "it is x, and no error")]
pub(crate) fn forward<A: DynamicActivation, const D: usize>(
    layer: &WithContext<'_, A>,
    x: Tensor<D>,
) -> Result<Tensor<D>, Tensor<D>> {
    if !supports::<A, D>(&x) {
        return Err(x);
    }
    let rows = with_one_spatial_axis(x.clone());
    let mut held = None;
    let context = layer.context_of(&rows, |x| match A::HYPER.context {
        Context::Pooled => {
            let means;
            (means, held) = means_of(x.clone());
            means
        }
        _ => pool::<A>(x),
    });
    let coefficients = layer.packed_coefficients(context, wide(x.dtype()), rows.dims()[0]);
    let attention = layer.attention_of(&rows, true);
    match apply::<A>(rows, coefficients, attention, held) {
        Some(y) => Ok(y.reshape(x.dims())),
        None => Err(x),
    }
}

fn supports<A: DynamicActivation, const D: usize>(x: &Tensor<D>) -> bool {
    let elements = x.shape().num_elements();
    let Some(number) = number(x.dtype()) else {
        return false;
    };
    let Ok(tensor) = x.clone().inner().try_into_primitive::<Cube>() else {
        return false;
    };
    elements != 0
        && u32::try_from(elements).is_ok()
        && dyrelu_gpu::supports::<A>(&tensor.client.device().client(), number)
}

/// The float type as the kernels name it, if they have it.
fn number(dtype: DType) -> Option<Number> {
    match dtype {
        DType::F32 => Some(Number::F32),
        DType::F16 => Some(Number::F16),
        DType::BF16 => Some(Number::Bf16),
        _ => None,
    }
}

/// The means `[N, C]` of x, `[N, C, S]`, in `f32`, and where their operation expects the rest of x's gradient.
fn means_of(x: Tensor<3>) -> (Tensor<2>, Option<Held>) {
    macro_rules! track {
        ($strategy:ty) => {{
            type Tracked = burn::backend::Autodiff<Cube, $strategy>;
            let (means, held) = Means::track::<$strategy>(&x.try_into_primitive::<Tracked>().expect(IS_CUBE));
            (Tensor::from_primitive::<Tracked>(means), held)
        }};
    }
    match x.gradient_checkpointing_strategy() {
        None => {
            let means = Means::infer(x.try_into_primitive::<Cube>().expect(IS_CUBE));
            (Tensor::from_primitive::<Cube>(means), None)
        }
        Some(GradientCheckpointingStrategy::Disabled) => track!(NoCheckpointing),
        Some(GradientCheckpointingStrategy::Balanced) => track!(BalancedCheckpointing),
    }
}

/// y for x, `[N, C, S]`, the coefficients `[N, C or 1, P, K]` and in mode C the attention `[N, 1, S]`, both of `f32`; none if
/// Burn cannot track their gradients together.
fn apply<A: DynamicActivation>(
    x: Tensor<3>,
    coefficients: Option<Tensor<4>>,
    attention: Option<Tensor<3>>,
    held: Option<Held>,
) -> Option<Tensor<3>> {
    let strategy = Strategy::new([
        x.gradient_checkpointing_strategy(),
        coefficients
            .as_ref()
            .and_then(Tensor::gradient_checkpointing_strategy),
        attention
            .as_ref()
            .and_then(Tensor::gradient_checkpointing_strategy),
    ]);
    let strategy = match strategy {
        Strategy::Tracked(strategy) => strategy,
        Strategy::Mixed => return None,
        Strategy::Untracked => {
            let y = Lazy::<A>::forward(Inputs {
                x: x.try_into_primitive::<Cube>().expect(IS_CUBE),
                coefficients: coefficients.map(|tensor| tensor.try_into_primitive::<Cube>().expect(IS_CUBE)),
                attention: attention.map(|tensor| tensor.try_into_primitive::<Cube>().expect(IS_CUBE)),
            });
            return Some(Tensor::from_primitive::<Cube>(y));
        }
    };
    macro_rules! track {
        ($strategy:ty) => {{
            type Tracked = burn::backend::Autodiff<Cube, $strategy>;
            let y = Operation::<A>::default().track::<$strategy>(
                &Inputs {
                    x: promote(x, strategy)
                        .try_into_primitive::<Tracked>()
                        .expect(IS_CUBE),
                    coefficients: coefficients.map(|tensor| {
                        promote(tensor, strategy)
                            .try_into_primitive::<Tracked>()
                            .expect(IS_CUBE)
                    }),
                    attention: attention.map(|tensor| {
                        promote(tensor, strategy)
                            .try_into_primitive::<Tracked>()
                            .expect(IS_CUBE)
                    }),
                },
                held,
            );
            Some(Tensor::from_primitive::<Tracked>(y))
        }};
    }
    match strategy {
        GradientCheckpointingStrategy::Disabled => track!(NoCheckpointing),
        GradientCheckpointingStrategy::Balanced => track!(BalancedCheckpointing),
    }
}

const IS_CUBE: &str = "float tensors of one CubeCL device";
