//! The layer on the kernels of dyrelu, for `f32` and `f64` on the CPU: one operation of candle's graph from x, parameters and
//! context to y.

mod arrays;
mod backing;
mod number;
mod operation;

pub(crate) use backing::Backing;

use crate::Layer;
use candle_core::{DType, Device, Result, Tensor};
use dyrelu_core::DynamicActivation;
use number::Number;
use operation::{Operation, Pass};

/// y; none if no kernel is for it.
pub(crate) fn forward<A: DynamicActivation>(
    layer: &Layer<A>,
    x: &Tensor,
    context: Option<&Tensor>,
    train: bool,
) -> Result<Option<Tensor>> {
    match x.dtype() {
        DType::F32 => forward_numbers::<A, f32>(layer, x, context, train),
        DType::F64 => forward_numbers::<A, f64>(layer, x, context, train),
        _ => Ok(None),
    }
}

fn forward_numbers<A: DynamicActivation, T: Number>(
    layer: &Layer<A>,
    x: &Tensor,
    context: Option<&Tensor>,
    train: bool,
) -> Result<Option<Tensor>> {
    let parameters = layer.parameters().map(|(_, parameter)| parameter);
    let inputs: Vec<_> = parameters.chain(context).chain([x]).collect();
    if !inputs.iter().all(|input| input.device().is_cpu()) {
        return Ok(None);
    }
    let tracked = inputs.iter().any(|input| input.track_op());
    if tracked && !train && layer.statistics.is_some() {
        // No kernel has the gradient of scores that running statistics have normalised.
        return Ok(None);
    }
    let dtype = x.dtype();
    let parameters = layer.parameters.flat(dtype)?;
    let operation = Operation::<A, T>::new(
        layer,
        context.is_some(),
        if tracked || train {
            Pass::Train
        } else {
            Pass::Infer
        },
    );
    let context = match context {
        Some(context) => context.to_dtype(dtype)?,
        None => Tensor::zeros(0, dtype, &Device::Cpu)?,
    };
    x.apply_op3(&parameters, &context, operation).map(Some)
}
