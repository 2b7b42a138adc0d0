//! The activations that are compared; `activations.py` describes the same ones.

use crate::case::{Case, Contender};
use dyrelu::dynamic_activation;
use std::error::Error;

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct A;

#[dynamic_activation(k = 2, share = "spatial")]
struct B;

#[dynamic_activation(k = 2, share = "none")]
struct C;

/// B with four pieces.
#[dynamic_activation(k = 4, share = "spatial")]
struct B4;

#[dynamic_activation(
    k = 2,
    share = "spatial",
    piece = |x, a, b, c| a * x * sigmoid(b * x) + c,
    init(a = [1.0, 0.5], b = 1.0, c = 0.0)
)]
struct Swish;

#[dynamic_activation(
    k = 2,
    share = "spatial",
    piece = |x, a, b, c| if x > c { a * (x - c) } else { b * (x - c) },
    init(a = [1.0, 0.5], b = [0.25, 0.0], c = 0.0)
)]
struct Branch;

/// The case of an activation, from the bytes of a safetensors file.
pub(crate) fn open(activation: &str, tensors: &[u8]) -> Result<Box<dyn Contender>, Box<dyn Error>> {
    Ok(match activation {
        "A" => Box::new(Case::<A>::open(tensors)?),
        "B" => Box::new(Case::<B>::open(tensors)?),
        "C" => Box::new(Case::<C>::open(tensors)?),
        "B4" => Box::new(Case::<B4>::open(tensors)?),
        "swish" => Box::new(Case::<Swish>::open(tensors)?),
        "branch" => Box::new(Case::<Branch>::open(tensors)?),
        _ => return Err(format!("unknown activation `{activation}`").into()),
    })
}
