//! [`Strategy`]: how the gradients of several tensors are tracked together.

use burn::tensor::{GradientCheckpointingStrategy, Tensor};

/// What an operation on tensors does for their gradients.
pub(crate) enum Strategy {
    /// Nothing: none of them has any.
    Untracked,
    /// A node of the graph of this kind.
    Tracked(GradientCheckpointingStrategy),
    /// They are on devices of different strategies. Burn says what is wrong with that.
    Mixed,
}

impl Strategy {
    /// For tensors with these strategies.
    pub(crate) fn new(strategies: impl IntoIterator<Item = Option<GradientCheckpointingStrategy>>) -> Self {
        let mut strategies = strategies.into_iter().flatten();
        match strategies.next() {
            None => Self::Untracked,
            Some(first) if strategies.any(|other| other != first) => Self::Mixed,
            Some(first) => Self::Tracked(first),
        }
    }
}

/// The tensor as one of autodiff: inputs may be of both kinds.
pub(crate) fn promote<const D: usize>(
    tensor: Tensor<D>,
    strategy: GradientCheckpointingStrategy,
) -> Tensor<D> {
    if tensor.is_autodiff() {
        tensor
    } else {
        tensor.autodiff().with_gradient_checkpointing_strategy(strategy)
    }
}
