//! The layer on candle's tensor operations: any device and float type.
//!
//! x → pool → hyper → coefficients (→ attention) → pieces → y, as in the kernels, with all spatial axes in one.

mod expression;
mod squash;

use crate::parameters::Parameters;
use crate::statistics::Statistics;
use candle_core::{DType, Device, Result, Tensor};
use dyrelu_core::kernels::attention::{EPSILON, Scaling};
use dyrelu_core::kernels::neighbours;
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{Coefficient, Context, DynamicActivation, Inner, Source};
use expression::Expression;

/// The float type of the hyper function and of the attention's softmax for an input: no narrower than `f32`.
pub(crate) fn wide(dtype: DType) -> DType {
    if dtype == DType::F64 { dtype } else { DType::F32 }
}

/// What the hyper function sees of x, `[N, C, S]`: the means of its channels or of their halves, `[N, M]`.
pub(crate) fn pool<A: DynamicActivation>(x: &Tensor) -> Result<Tensor> {
    if !matches!(A::HYPER.context, Context::PooledHalves) {
        return mean(x);
    }
    let zeros = x.zeros_like()?;
    let negative = x.ge(0.0)?.where_cond(&zeros, x)?;
    let positive = x.le(0.0)?.where_cond(&zeros, x)?;
    Tensor::cat(&[mean(&negative)?, mean(&positive)?], 1)
}

/// The mean over the last axis; 0 if that has no elements.
pub(crate) fn mean(x: &Tensor) -> Result<Tensor> {
    let (samples, channels, positions) = x.dims3()?;
    if positions == 0 {
        return Tensor::zeros((samples, channels), x.dtype(), x.device());
    }
    x.mean(2)
}

/// x where it is positive or NaN, and 0 elsewhere. The gradient at 0 is 0, not 1 as that of candle's own.
fn relu(x: &Tensor) -> Result<Tensor> {
    x.le(0.0)?.where_cond(&x.zeros_like()?, x)
}

/// The softmax over an axis.
fn softmax(x: &Tensor, axis: usize) -> Result<Tensor> {
    // The largest value only prevents an overflow: no gradient goes through it.
    let max = x.detach().max_keepdim(axis)?;
    let powers = x.broadcast_sub(&max)?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(axis)?)
}

/// min(x, limit), with the gradient 1 at the limit. NaN stays NaN.
fn at_most(x: &Tensor, limit: f64) -> Result<Tensor> {
    x.gt(limit)?.where_cond(&full_like(x, limit)?, x)
}

/// max(x, limit), with the gradient 1 at the limit. NaN stays NaN.
fn at_least(x: &Tensor, limit: f64) -> Result<Tensor> {
    x.lt(limit)?.where_cond(&full_like(x, limit)?, x)
}

/// The same number everywhere.
fn full_like(x: &Tensor, value: f64) -> Result<Tensor> {
    number(value, x.dtype(), x.device())?
        .broadcast_as(x.shape())?
        .contiguous()
}

/// A tensor of no axes. Not every device has `f64`, so it is made on the CPU.
fn number(value: f64, dtype: DType, device: &Device) -> Result<Tensor> {
    Tensor::new(value, &Device::Cpu)?
        .to_dtype(dtype)?
        .to_device(device)
}

/// The coefficients of each of the P arguments for each of the K pieces, `[N or 1, C or 1, 1]`.
///
/// The context is `[N, M]`; without dynamic coefficients there is none.
pub(crate) fn coefficients<A: DynamicActivation>(
    parameters: &Parameters,
    context: Option<&Tensor>,
    dtype: DType,
) -> Result<Vec<Vec<Tensor>>> {
    let residuals = context
        .map(|context| residuals::<A>(parameters, context))
        .transpose()?;
    let mut d = 0;
    let mut coefficients = vec![];
    for Coefficient { name, init, source } in A::COEFFICIENTS {
        let pieces = 0..A::Pieces::K;
        let pieces = match (source, &residuals) {
            (Source::Learned { .. }, _) => {
                let values = parameters.matrix(name, dtype)?;
                let of_piece = |k| values.narrow(1, k, 1)?.unsqueeze(0)?.contiguous();
                pieces.map(of_piece).collect::<Result<Vec<_>>>()?
            }
            (Source::Dynamic { lambda, .. }, Some(residuals)) => {
                let of_piece = |k| {
                    let residual = residuals.narrow(2, d, 1)?.narrow(3, k, 1)?.squeeze(3)?;
                    residual.contiguous()?.affine(lambda.of(k), init.of(k))
                };
                let pieces = pieces.map(of_piece).collect::<Result<Vec<_>>>()?;
                d += 1;
                pieces
            }
            (Source::Dynamic { .. }, None) => unreachable!("dynamic coefficients have a context"),
        };
        coefficients.push(pieces);
    }
    Ok(coefficients)
}

/// The residuals of the dynamic coefficients, `[N, C or 1, D, K]`.
fn residuals<A: DynamicActivation>(parameters: &Parameters, context: &Tensor) -> Result<Tensor> {
    let linear = |x: &Tensor, name: &str| {
        let weight = parameters.get(&format!("{name}.weight"), x.dtype())?;
        let bias = parameters.get(&format!("{name}.bias"), x.dtype())?;
        x.matmul(&weight.t()?)?.broadcast_add(&bias)
    };
    let raw = match A::HYPER.layers {
        0 => context.clone(),
        1 => linear(context, "fc")?,
        _ => {
            let hidden = linear(context, "fc1")?;
            let hidden = match A::HYPER.inner {
                Inner::Relu => relu(&hidden)?,
                Inner::Identity => hidden,
            };
            linear(&hidden, "fc2")?
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
    let (samples, outputs) = raw.dims2()?;
    squash::forward(
        &squashes,
        &raw.reshape((samples, outputs / (dynamic * k), dynamic, k))?,
    )
}

/// The attention π of mode C for x, `[N, 1, S]`.
pub(crate) fn attention(
    parameters: &Parameters,
    statistics: Option<&Statistics>,
    scaling: Scaling,
    x: &Tensor,
    train: bool,
) -> Result<Tensor> {
    let (samples, _, positions) = x.dims3()?;
    let dtype = x.dtype();
    if samples * positions == 0 {
        return Tensor::zeros((samples, 1, positions), dtype, x.device());
    }
    let weight = parameters.get("attention.weight", dtype)?;
    let bias = parameters.get("attention.bias", dtype)?;
    let weight = weight.broadcast_left(samples)?.contiguous()?;
    let mut scores = weight.matmul(&x.contiguous()?)?.broadcast_add(&bias)?;
    if let Some(statistics) = statistics {
        let weight = parameters.get("attention.norm.weight", dtype)?;
        let bias = parameters.get("attention.norm.bias", dtype)?;
        scores = normalise(statistics, &scores, train)?
            .broadcast_mul(&weight)?
            .broadcast_add(&bias)?;
    }
    let softmax = softmax(&(scores * (1.0 / scaling.temperature))?, 2)?;
    at_most(&(softmax * scaling.gamma(positions))?, scaling.cut_off)
}

/// Scores of the mean 0 and the variance 1: in training those of this batch, which move the running statistics.
fn normalise(statistics: &Statistics, scores: &Tensor, train: bool) -> Result<Tensor> {
    let count = scores.elem_count() as f64;
    let (centred, variance) = if train {
        let mean = scores.mean_all()?.reshape(1)?;
        let centred = scores.broadcast_sub(&mean)?;
        let variance = centred.sqr()?.mean_all()?.reshape(1)?;
        if count > 1.0 {
            statistics.update(&mean, &(&variance * (count / (count - 1.0)))?)?;
        }
        (centred, variance)
    } else {
        let [mean, variance] = statistics.values(scores.dtype())?;
        (scores.broadcast_sub(&mean)?, variance)
    };
    centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)
}

/// y for x, `[N, C, S]`, its coefficients and in mode C its attention, all of one float type.
pub(crate) fn apply<A: DynamicActivation>(
    x: &Tensor,
    groups: usize,
    coefficients: &[Vec<Tensor>],
    attention: Option<Tensor>,
) -> Result<Tensor> {
    let neighbours = neighbours::<A>(x, groups)?;
    // π · piece(x, c) = piece(x, π · c) for a homogeneous piece.
    let (inner, outer) = if A::HOMOGENEOUS {
        (None, attention)
    } else {
        (attention, None)
    };
    let coefficients = coefficients.iter().map(|pieces| {
        let pieces = pieces.iter().map(|piece| for_each_channel(piece, x));
        pieces.collect::<Result<Vec<_>>>()
    });
    let coefficients = coefficients.collect::<Result<Vec<_>>>()?;
    let y = A::Pieces::value(Expression::from(x), |k, p| match (coefficients.get(p), &inner) {
        (Some(pieces), None) => Expression::from(&pieces[k]),
        (Some(pieces), Some(attention)) => Expression::from(&pieces[k]) * Expression::from(attention),
        (None, _) => Expression::from(&neighbours[p - coefficients.len()]),
    });
    let y = y.into_tensor(x)?;
    match outer {
        Some(attention) => y.broadcast_mul(&attention),
        None => Ok(y),
    }
}

/// A coefficient that all channels share, for each of them: its gradient is a sum over positions and then over channels,
/// which candle computes faster than one over both at once, and with smaller errors.
fn for_each_channel(coefficient: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (samples, _, _) = coefficient.dims3()?;
    coefficient.broadcast_as((samples, x.dim(1)?, 1))?.contiguous()
}

/// The channel-shifted copies of x that a piece sees.
fn neighbours<A: DynamicActivation>(x: &Tensor, groups: usize) -> Result<Vec<Tensor>> {
    let channels = x.dim(1)?;
    let sources = neighbours::sources(A::NEIGHBOURS, channels, groups);
    let copies = sources.chunks_exact(channels.max(1)).map(|sources| {
        let sources = sources.iter().map(|&source| u32::try_from(source));
        let sources = sources.collect::<core::result::Result<Vec<_>, _>>()?;
        x.index_select(&Tensor::from_vec(sources, channels, x.device())?, 1)
    });
    copies.collect()
}
