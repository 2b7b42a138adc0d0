//! [`Visitor`]: what applies the activations of a network, and may look at them.

use std::fmt;

use burn::tensor::Tensor;

use crate::candidate::Candidate;

/// Where an activation stands in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Stem,
    /// In the block of this index.
    Block(usize, Step),
    Head,
}

/// After which convolution of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Expansion,
    Depthwise,
    Projection,
}

/// Applies the activations of a network in their order.
pub(crate) trait Visitor {
    fn activation<A: Candidate>(&mut self, place: Place, activation: &A, x: Tensor<4>) -> Tensor<4>;
}

/// A [`Visitor`] that does nothing else.
pub(crate) struct Apply;

impl Visitor for Apply {
    fn activation<A: Candidate>(&mut self, _: Place, activation: &A, x: Tensor<4>) -> Tensor<4> {
        activation.forward(x)
    }
}

/// Blocks count from 1.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stem => f.write_str("stem"),
            Self::Block(index, step) => write!(f, "block {}, {step}", index + 1),
            Self::Head => f.write_str("head"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expansion => "expansion",
            Self::Depthwise => "depthwise",
            Self::Projection => "projection",
        })
    }
}
