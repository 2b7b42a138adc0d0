//! [`Workspaces`]: memory that a layer keeps from call to call.

use super::Cache;
use crate::Scalar;
use crate::kernels::Level;
use crate::kernels::hyper::Weights;
use std::sync::{Mutex, PoisonError};

/// What a call computes besides its results. The arrays keep their memory, so that only the first call of a size
/// allocates.
#[derive(Debug)]
pub(super) struct Workspace<T> {
    /// Of passes that return none.
    pub(super) cache: Cache<T>,
    pub(super) weights: PackedWeights<T>,
    /// Of the coefficients, and in the same place of the residuals and raw values.
    pub(super) grad_coefficients: Vec<T>,
    pub(super) grad_attention: Vec<T>,
    pub(super) grad_pooled: Vec<T>,
    pub(super) grad_hidden: Vec<T>,
    /// Of the attention's weight, for each sample.
    pub(super) grad_weights: Vec<T>,
}

impl<T> Default for Workspace<T> {
    fn default() -> Self {
        Self {
            cache: Cache::default(),
            weights: PackedWeights {
                generation: None,
                layers: [Vec::new(), Vec::new()],
            },
            grad_coefficients: Vec::new(),
            grad_attention: Vec::new(),
            grad_pooled: Vec::new(),
            grad_hidden: Vec::new(),
            grad_weights: Vec::new(),
        }
    }
}

impl<T: Scalar> Workspace<T> {
    /// Makes place for the gradients of all that stands in a cache.
    pub(super) fn resize(&mut self, cache: &Cache<T>) {
        let grad_weights = match cache.attention.len() {
            0 => 0,
            _ => cache.pooled.len(),
        };
        for (array, len) in [
            (&mut self.grad_coefficients, cache.coefficients.len()),
            (&mut self.grad_attention, cache.attention.len()),
            (&mut self.grad_pooled, cache.pooled.len()),
            (&mut self.grad_hidden, cache.hidden.len()),
            (&mut self.grad_weights, grad_weights),
        ] {
            array.resize(len, T::default());
        }
    }
}

/// The weights of the hyper function, laid out as the forward pass reads them.
#[derive(Debug)]
pub(super) struct PackedWeights<T> {
    /// Of the parameters that they were made from.
    generation: Option<u64>,
    layers: [Vec<T>; 2],
}

impl<T: Scalar> PackedWeights<T> {
    /// The weights of this generation, which are laid out again only if they are other ones than last time.
    pub(super) fn update<'a>(
        &'a mut self,
        level: Level,
        generation: u64,
        weights: Weights<'a, T>,
    ) -> Weights<'a, T> {
        if self.generation != Some(generation) {
            self.generation = Some(generation);
            weights.layers.pack(level, &mut self.layers);
        }
        Weights {
            layers: weights.layers.with_packed(&self.layers),
            ..weights
        }
    }
}

/// A workspace for each call that was under way at the same time.
#[derive(Debug)]
pub(super) struct Workspaces<T>(Mutex<Vec<Workspace<T>>>);

impl<T> Default for Workspaces<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Workspaces<T> {
    /// Lends a workspace to `run`. If `run` panics, the workspace is gone.
    pub(super) fn with<R>(&self, run: impl FnOnce(&mut Workspace<T>) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = lock().pop().unwrap_or_default();
        let result = run(&mut workspace);
        lock().push(workspace);
        result
    }
}
