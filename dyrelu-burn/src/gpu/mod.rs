//! The activation itself on the kernels of dyrelu-gpu, for Burn's CubeCL backends: one lazy operation, and one of Burn's
//! autodiff, from x, coefficients and attention to y. What leads to coefficients and attention are tensor operations.

mod lazy;
mod operation;
mod summary;

use crate::composed::{self, pool, wide};
use crate::strategy::{Strategy, promote};
use crate::with_context::{WithContext, with_one_spatial_axis};
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, NoCheckpointing};
use burn::backend::{Autodiff, Backend};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};
use burn_cubecl::Cube;
use dyrelu_core::{Context, DynamicActivation};
use dyrelu_gpu::Number;
use lazy::Lazy;
use operation::{Inputs, Operation};
use summary::{GradX, Means, Scores};

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
    let grad_x = GradX::default();
    let context = layer.context_of(&rows, |x| match A::HYPER.context {
        Context::Pooled => means(x.clone(), &grad_x),
        _ => pool::<A>(x),
    });
    let coefficients = layer.packed_coefficients(context, wide(x.dtype()), rows.dims()[0]);
    let attention = layer.attention_of(&rows, true, |x, weight| scores(x, weight, &grad_x));
    match apply::<A>(rows, coefficients, attention, grad_x) {
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

/// Does the same for each kind of graph that has `$strategy`.
macro_rules! for_each_strategy {
    ($strategy:expr, $tracked:ident => $result:expr) => {
        match $strategy {
            GradientCheckpointingStrategy::Disabled => {
                type $tracked = Autodiff<Cube, NoCheckpointing>;
                $result
            }
            GradientCheckpointingStrategy::Balanced => {
                type $tracked = Autodiff<Cube, BalancedCheckpointing>;
                $result
            }
        }
    };
}

/// The means `[N, C]` of x, `[N, C, S]`, in `f32`.
fn means(x: Tensor<3>, grad_x: &GradX) -> Tensor<2> {
    match x.gradient_checkpointing_strategy() {
        None => Tensor::from_primitive::<Cube>(Means::infer(primitive::<Cube, 3>(x))),
        Some(strategy) => for_each_strategy!(strategy, Tracked => {
            let means = Means::track(&primitive::<Tracked, 3>(x), grad_x);
            Tensor::from_primitive::<Tracked>(means)
        }),
    }
}

/// The scores `[N, 1, S]` of x, `[N, C, S]`, in `f32`, without a bias.
fn scores(x: Tensor<3>, weight: Tensor<1>, grad_x: &GradX) -> Tensor<3> {
    let strategies = [x.gradient_checkpointing_strategy(), weight.gradient_checkpointing_strategy()];
    let scores: Tensor<2> = match Strategy::new(strategies) {
        Strategy::Mixed => return composed::scores(x, weight),
        Strategy::Untracked => {
            let scores = Scores::infer(primitive::<Cube, 3>(x), primitive::<Cube, 1>(weight));
            Tensor::from_primitive::<Cube>(scores)
        }
        Strategy::Tracked(strategy) => for_each_strategy!(strategy, Tracked => {
            let (x, weight) = (promote(x, strategy), promote(weight, strategy));
            let scores = Scores::track(&primitive::<Tracked, 3>(x), &primitive::<Tracked, 1>(weight), grad_x);
            Tensor::from_primitive::<Tracked>(scores)
        }),
    };
    scores.unsqueeze_dim(1)
}

/// y for x, `[N, C, S]`, the coefficients `[N, C or 1, P, K]` and in mode C the attention `[N, 1, S]`, both of `f32`; none if
/// Burn cannot track their gradients together.
fn apply<A: DynamicActivation>(
    x: Tensor<3>,
    coefficients: Option<Tensor<4>>,
    attention: Option<Tensor<3>>,
    grad_x: GradX,
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
    match strategy {
        Strategy::Mixed => None,
        Strategy::Untracked => {
            let y = Lazy::<A>::forward(Inputs {
                x: primitive::<Cube, 3>(x),
                coefficients: coefficients.map(primitive::<Cube, 4>),
                attention: attention.map(primitive::<Cube, 3>),
            });
            Some(Tensor::from_primitive::<Cube>(y))
        }
        Strategy::Tracked(strategy) => for_each_strategy!(strategy, Tracked => {
            let inputs = Inputs {
                x: primitive::<Tracked, 3>(promote(x, strategy)),
                coefficients: coefficients.map(|tensor| primitive::<Tracked, 4>(promote(tensor, strategy))),
                attention: attention.map(|tensor| primitive::<Tracked, 3>(promote(tensor, strategy))),
            };
            let y = Operation::<A>::default().track(&inputs, grad_x);
            Some(Tensor::from_primitive::<Tracked>(y))
        }),
    }
}

fn primitive<B: Backend, const D: usize>(tensor: Tensor<D>) -> FloatTensor<B> {
    tensor
        .try_into_primitive::<B>()
        .expect("float tensors of one CubeCL device")
}
