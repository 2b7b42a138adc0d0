//! The layer on Burn's tensor operations: any backend, device and float type.
//!
//! No tensor is divided by a number: Burn 0.22.1 computes the gradient of that in `f32`, for `f64` too.
//!
//! x → pool → hyper → coefficients (→ attention) → pieces → y, as in the kernels, with all spatial axes in one.

mod expression;
mod squash;

use crate::parameters::Parameters;
use crate::statistics::Statistics;
use burn::tensor::{DType, Int, Tensor, TensorData, activation};
use dyrelu_core::kernels::attention::{EPSILON, Scaling};
use dyrelu_core::kernels::neighbours;
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{Coefficient, Context, DynamicActivation, Inner, Source};
use expression::Expression;

/// The float type of the hyper function and of the attention's softmax for an input: no narrower than `f32`.
pub(crate) fn wide(dtype: DType) -> DType {
    if dtype == DType::F64 { dtype } else { DType::F32 }
}

/// `tensor` with another float type.
pub(crate) fn cast<const D: usize>(tensor: Tensor<D>, dtype: DType) -> Tensor<D> {
    if tensor.dtype() == dtype {
        tensor
    } else {
        tensor.cast(dtype)
    }
}

/// What the hyper function sees of x, `[N, C, S]`: the means of its channels or of their halves, `[N, M]`, of a [wide] type.
pub(crate) fn pool<A: DynamicActivation>(x: &Tensor<3>) -> Tensor<2> {
    let x = cast(x.clone(), wide(x.dtype()));
    if !matches!(A::HYPER.context, Context::PooledHalves) {
        return mean(x);
    }
    let not_below = x.clone().greater_equal_elem(0.0);
    let not_above = x.clone().lower_equal_elem(0.0);
    let halves = [x.clone().mask_fill(not_below, 0.0), x.mask_fill(not_above, 0.0)];
    Tensor::cat(halves.map(mean).to_vec(), 1)
}

/// The mean over the last axis.
pub(crate) fn mean(x: Tensor<3>) -> Tensor<2> {
    x.mean_dim(2).squeeze_dim(2)
}

/// The coefficients of each of the P arguments for each of the K pieces, `[N or 1, C or 1, 1]`.
///
/// The context is `[N, M]`; without dynamic coefficients there is none.
pub(crate) fn coefficients<A: DynamicActivation>(
    parameters: &Parameters,
    context: Option<Tensor<2>>,
    dtype: DType,
) -> Vec<Vec<Tensor<3>>> {
    let residuals = context.map(|context| residuals::<A>(parameters, context));
    let mut d = 0;
    let mut coefficients = vec![];
    for Coefficient { name, init, source } in A::COEFFICIENTS {
        let pieces = 0..A::Pieces::K;
        match source {
            Source::Learned { .. } => {
                let values = cast(parameters.matrix(name), dtype);
                coefficients.push(
                    pieces
                        .map(|k| values.clone().narrow(1, k, 1).unsqueeze())
                        .collect(),
                );
            }
            Source::Dynamic { lambda, .. } => {
                let residuals = residuals.clone().expect("dynamic coefficients have a context");
                let of_piece = |k| {
                    let residual = residuals
                        .clone()
                        .narrow(2, d, 1)
                        .narrow(3, k, 1)
                        .squeeze_dim::<3>(3);
                    residual.mul_scalar(lambda.of(k)).add_scalar(init.of(k))
                };
                coefficients.push(pieces.map(of_piece).collect());
                d += 1;
            }
        }
    }
    coefficients
}

/// The same in one tensor `[N, C or 1, P, K]`, if all coefficients are dynamic: a few operations instead of a few for each.
pub(crate) fn dynamic_coefficients<A: DynamicActivation>(
    parameters: &Parameters,
    context: Tensor<2>,
) -> Option<Tensor<4>> {
    let mut constants = [vec![], vec![]];
    for Coefficient { init, source, .. } in A::COEFFICIENTS {
        let Source::Dynamic { lambda, .. } = source else {
            return None;
        };
        for k in 0..A::Pieces::K {
            constants[0].push(lambda.of(k));
            constants[1].push(init.of(k));
        }
    }
    let options = (&context.device(), context.dtype());
    let shape = [1, 1, A::COEFFICIENTS.len(), A::Pieces::K];
    let [lambda, init] = constants.map(|numbers| Tensor::from_data(TensorData::new(numbers, shape), options));
    Some(residuals::<A>(parameters, context) * lambda + init)
}

/// The residuals of the dynamic coefficients, `[N, C or 1, D, K]`.
fn residuals<A: DynamicActivation>(parameters: &Parameters, context: Tensor<2>) -> Tensor<4> {
    let dtype = context.dtype();
    let linear = |x: Tensor<2>, name: &str| {
        let weight = cast(parameters.matrix(&format!("{name}.weight")), dtype);
        let bias = cast(parameters.vector(&format!("{name}.bias")), dtype);
        x.matmul(weight.transpose()) + bias.unsqueeze()
    };
    let raw = match A::HYPER.layers {
        0 => context,
        1 => linear(context, "fc"),
        _ => {
            let hidden = linear(context, "fc1");
            let hidden = match A::HYPER.inner {
                Inner::Relu => activation::relu(hidden),
                Inner::Identity => hidden,
            };
            linear(hidden, "fc2")
        }
    };
    let squashes = A::COEFFICIENTS
        .iter()
        .filter_map(|coefficient| match coefficient.source {
            Source::Dynamic { squash, .. } => Some(squash),
            Source::Learned { .. } => None,
        });
    let squashes: Vec<_> = squashes.collect();
    let (dynamic, k) = (squashes.len(), A::Pieces::K);
    let [samples, outputs] = raw.dims();
    squash::forward(
        &squashes,
        raw.reshape([samples, outputs / (dynamic * k), dynamic, k]),
    )
}

/// The scores of mode C's attention for x, `[N, 1, S]`, of a [wide] type, for their weight `[C]` and their bias `[1]`.
pub(crate) fn scores(x: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<3> {
    let x = cast(x, weight.dtype());
    let [samples, channels, _] = x.dims();
    let weight = weight.reshape([1, 1, channels]).expand([samples, 1, channels]);
    weight.matmul(x) + bias.unsqueeze()
}

/// The scores of a normalised attention. In training, a pass that `moves` the running statistics does so once.
pub(crate) fn normalised(
    parameters: &Parameters,
    statistics: &Statistics,
    scores: Tensor<3>,
    moves: bool,
) -> Tensor<3> {
    let vector = |name| cast(parameters.vector(name), scores.dtype()).unsqueeze();
    let (weight, bias) = (vector("attention.norm.weight"), vector("attention.norm.bias"));
    normalise(statistics, scores, moves) * weight + bias
}

/// The attention π of mode C for its scores, both `[N, 1, S]`.
pub(crate) fn attention(scores: Tensor<3>, scaling: Scaling) -> Tensor<3> {
    let positions = scores.dims()[2];
    activation::softmax(scores.mul_scalar(1.0 / scaling.temperature), 2)
        .mul_scalar(scaling.gamma(positions))
        .clamp_max(scaling.cut_off)
}

/// Scores of the mean 0 and the variance 1: in training those of this batch, which may move the running statistics.
fn normalise(statistics: &Statistics, scores: Tensor<3>, moves: bool) -> Tensor<3> {
    let dtype = scores.dtype();
    let count = scores.shape().num_elements() as f64;
    let (centred, variance) = if statistics.is_training() && scores.is_autodiff() {
        let mean = scores.clone().mean();
        let centred = scores - mean.clone().unsqueeze();
        let variance = centred.clone().square().mean();
        if moves && count > 1.0 {
            statistics.update(mean, variance.clone().mul_scalar(count / (count - 1.0)));
        }
        (centred, variance)
    } else {
        let [mean, variance] = statistics
            .values(&scores.device())
            .map(|value| cast(value, dtype));
        (scores - mean.unsqueeze(), variance)
    };
    centred / variance.add_scalar(EPSILON).sqrt().unsqueeze()
}

/// y for x, `[N, C, S]`, its coefficients and in mode C its attention, all of one float type.
pub(crate) fn apply<A: DynamicActivation>(
    x: &Tensor<3>,
    groups: usize,
    coefficients: &[Vec<Tensor<3>>],
    attention: Option<Tensor<3>>,
) -> Tensor<3> {
    let neighbours = neighbours::<A>(x, groups);
    // π · piece(x, c) = piece(x, π · c) for a homogeneous piece.
    let (inner, outer) = if A::HOMOGENEOUS {
        (None, attention)
    } else {
        (attention, None)
    };
    let y = A::Pieces::value(Expression::Tensor(x.clone()), |k, p| {
        Expression::Tensor(match (coefficients.get(p), &inner) {
            (Some(pieces), None) => pieces[k].clone(),
            (Some(pieces), Some(attention)) => pieces[k].clone() * attention.clone(),
            (None, _) => neighbours[p - coefficients.len()].clone(),
        })
    });
    let y = y.into_tensor(x);
    match outer {
        Some(attention) => y * attention,
        None => y,
    }
}

/// The channel-shifted copies of x that a piece sees.
fn neighbours<A: DynamicActivation>(x: &Tensor<3>, groups: usize) -> Vec<Tensor<3>> {
    let channels = x.dims()[1];
    let sources = neighbours::sources(A::NEIGHBOURS, channels, groups);
    let copies = sources.chunks_exact(channels).map(|sources| {
        #[expect(clippy::cast_possible_wrap, reason = "a channel")]
        let sources: Vec<_> = sources.iter().map(|&source| source as i64).collect();
        let shape = [channels];
        x.clone().select(
            1,
            Tensor::<1, Int>::from_data(TensorData::new(sources, shape), &x.device()),
        )
    });
    copies.collect()
}
