//! The layer on the kernels of dyrelu-gpu, for Burn's CubeCL backends: x → means → hyper function → coefficients → y, and in mode C
//! x → scores → attention, each arrow one operation of Burn's autodiff.

mod attention;
mod hyper;
mod launch;
mod operation;
mod summary;

use crate::Layer;
use crate::composed::{self, cast, pool, wide};
use crate::strategy::{Strategy, promote};
use crate::with_context::{WithContext, with_one_spatial_axis};
use attention::Attention;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, GradientCheckpointingStrategy, Tensor};
use burn_cubecl::Cube;
use burn_dispatch::{DispatchKindConversion, DispatchTensor};
use dyrelu_core::kernels::attention::Scaling;
use dyrelu_core::{Context, DynamicActivation};
use dyrelu_gpu::{Number, supports_hyper};
use hyper::HyperFunction;
use launch::GpuTensor;
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
    let coefficients = context
        .clone()
        .and_then(|context| coefficients(layer.layer, context))
        .or_else(|| layer.packed_coefficients(context, wide(x.dtype()), rows.dims()[0]));
    let attention = layer
        .scores_of(&rows, true, |x, weight, bias| scores(x, weight, bias, &grad_x))
        .map(|scores| attention(scores, layer.layer.scaling));
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
        && dyrelu_gpu::supports::<A>(&launch::client(&tensor), number)
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

/// Does the same for each kind of graph, whose type is `$Strategy`.
macro_rules! for_each_strategy {
    ($strategy:expr, $Strategy:ident => $result:expr) => {
        match $strategy {
            GradientCheckpointingStrategy::Disabled => {
                type $Strategy = NoCheckpointing;
                $result
            }
            GradientCheckpointingStrategy::Balanced => {
                type $Strategy = BalancedCheckpointing;
                $result
            }
        }
    };
}

/// The means `[N, C]` of x, `[N, C, S]`, in `f32`.
fn means(x: Tensor<3>, grad_x: &GradX) -> Tensor<2> {
    match x.gradient_checkpointing_strategy() {
        None => Tensor::from_primitive::<Cube>(Means::infer(primitive(x))),
        Some(strategy) => for_each_strategy!(strategy, S => {
            let means = Means::track::<S>(&tracked::<S, _>(x, strategy), grad_x);
            Tensor::from_primitive::<Autodiff<Cube, S>>(means)
        }),
    }
}

/// The scores `[N, 1, S]` of x, `[N, C, S]`, for a weight `[C]` and a bias `[1]`, all but x of `f32`.
fn scores(x: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>, grad_x: &GradX) -> Tensor<3> {
    let strategy = Strategy::new([
        x.gradient_checkpointing_strategy(),
        weight.gradient_checkpointing_strategy(),
        bias.gradient_checkpointing_strategy(),
    ]);
    match strategy {
        Strategy::Mixed => composed::scores(x, weight, bias),
        Strategy::Untracked => {
            let scores = Scores::infer([primitive(x), primitive(weight), primitive(bias)]);
            Tensor::from_primitive::<Cube>(scores)
        }
        Strategy::Tracked(strategy) => for_each_strategy!(strategy, S => {
            let inputs = [
                tracked::<S, _>(x, strategy),
                tracked::<S, _>(weight, strategy),
                tracked::<S, _>(bias, strategy),
            ];
            Tensor::from_primitive::<Autodiff<Cube, S>>(Scores::track::<S>(&inputs, grad_x))
        }),
    }
}

/// The coefficients `[N, C or 1, P, K]` for a context, if the hyper function has a kernel.
fn coefficients<A: DynamicActivation>(layer: &Layer<A>, context: Tensor<2>) -> Option<Tensor<4>> {
    if !supports_hyper::<A>() {
        return None;
    }
    let weight = |name| cast(layer.parameters.matrix(name), DType::F32);
    let bias = |name| cast(layer.parameters.vector(name), DType::F32);
    let (w1, b1, w2, b2) = (
        weight("fc1.weight"),
        bias("fc1.bias"),
        weight("fc2.weight"),
        bias("fc2.bias"),
    );
    let strategy = Strategy::new([
        context.gradient_checkpointing_strategy(),
        w1.gradient_checkpointing_strategy(),
        b1.gradient_checkpointing_strategy(),
        w2.gradient_checkpointing_strategy(),
        b2.gradient_checkpointing_strategy(),
    ]);
    let function = HyperFunction::<A>::new(layer.config().channels);
    Some(match strategy {
        Strategy::Mixed => return None,
        Strategy::Untracked => {
            let inputs = [
                primitive(context),
                primitive(w1),
                primitive(b1),
                primitive(w2),
                primitive(b2),
            ];
            Tensor::from_primitive::<Cube>(function.infer(inputs))
        }
        Strategy::Tracked(strategy) => for_each_strategy!(strategy, S => {
            let inputs = [
                tracked::<S, _>(context, strategy),
                tracked::<S, _>(w1, strategy),
                tracked::<S, _>(b1, strategy),
                tracked::<S, _>(w2, strategy),
                tracked::<S, _>(b2, strategy),
            ];
            Tensor::from_primitive::<Autodiff<Cube, S>>(function.track::<S>(&inputs))
        }),
    })
}

/// π, `[N, 1, S]`, for the scores.
fn attention(scores: Tensor<3>, scaling: Scaling) -> Tensor<3> {
    let attention = Attention(scaling);
    match scores.gradient_checkpointing_strategy() {
        None => Tensor::from_primitive::<Cube>(attention.infer(primitive(scores))),
        Some(strategy) => for_each_strategy!(strategy, S => {
            let attention = attention.track::<S>(&tracked::<S, _>(scores, strategy));
            Tensor::from_primitive::<Autodiff<Cube, S>>(attention)
        }),
    }
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
            let y = Operation::<A>::infer(Inputs {
                x: primitive(x),
                coefficients: coefficients.map(primitive),
                attention: attention.map(primitive),
            });
            Some(Tensor::from_primitive::<Cube>(y))
        }
        Strategy::Tracked(strategy) => for_each_strategy!(strategy, S => {
            let inputs = Inputs {
                x: tracked::<S, _>(x, strategy),
                coefficients: coefficients.map(|tensor| tracked::<S, _>(tensor, strategy)),
                attention: attention.map(|tensor| tracked::<S, _>(tensor, strategy)),
            };
            let y = Operation::<A>::default().track::<S>(&inputs, grad_x);
            Some(Tensor::from_primitive::<Autodiff<Cube, S>>(y))
        }),
    }
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> GpuTensor {
    tensor.try_into_primitive::<Cube>().expect(IS_CUBE)
}

/// The tensor as one of a graph of this kind.
fn tracked<S: CheckpointStrategy, const D: usize>(
    tensor: Tensor<D>,
    strategy: GradientCheckpointingStrategy,
) -> FloatTensor<Autodiff<Cube, S>>
where
    DispatchTensor: DispatchKindConversion<Autodiff<Cube, S>>,
{
    let tensor = promote(tensor, strategy);
    tensor.try_into_primitive::<Autodiff<Cube, S>>().expect(IS_CUBE)
}

const IS_CUBE: &str = "float tensors of one CubeCL device";
