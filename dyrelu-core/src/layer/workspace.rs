//! [`Workspaces`]: memory that a layer keeps from call to call.

use super::plan::Plan;
use super::sizes::{is_static, set_len, sets};
use super::{Cache, Layer};
use crate::kernels::coefficients;
use crate::kernels::hyper::Weights;
use crate::{DynamicActivation, Scalar};
use std::sync::{Mutex, PoisonError};

/// What a call computes besides its results. The arrays keep their memory, so that only the first call of a size
/// allocates.
#[derive(Debug)]
pub(super) struct Workspace<T> {
    /// Of passes that return none.
    pub(super) cache: Cache<T>,
    pub(super) packed: Packed<T>,
    /// The coefficients of a static activation for each sample of the backward pass, which need not be those of the
    /// forward pass. Empty for others.
    pub(super) sets: Vec<T>,
    pub(super) grad_coefficients: Vec<T>,
    /// Of the residuals, and in the same place of the raw values.
    pub(super) grad_residuals: Vec<T>,
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
            packed: Packed {
                generation: None,
                layers: [Vec::new(), Vec::new()],
                template: Vec::new(),
            },
            sets: Vec::new(),
            grad_coefficients: Vec::new(),
            grad_residuals: Vec::new(),
            grad_attention: Vec::new(),
            grad_pooled: Vec::new(),
            grad_hidden: Vec::new(),
            grad_weights: Vec::new(),
        }
    }
}

impl<T: Scalar> Workspace<T> {
    /// Makes place for the gradients of all that stands in a cache.
    pub(super) fn resize<A: DynamicActivation>(&mut self, plan: Plan, cache: &Cache<T>) {
        let samples = plan.extent.samples;
        let coefficients = samples * sets::<A>(plan.extent.channels) * set_len::<A>();
        self.sets.clear();
        if is_static::<A>() && coefficients != 0 {
            let one = &cache.coefficients[..coefficients / samples];
            for _ in 0..samples {
                self.sets.extend(one);
            }
        }
        let grad_weights = match cache.attention.len() {
            0 => 0,
            _ => samples * plan.extent.channels,
        };
        for (array, len) in [
            (&mut self.grad_coefficients, coefficients),
            (&mut self.grad_residuals, cache.residuals.len()),
            (&mut self.grad_attention, cache.attention.len()),
            (&mut self.grad_pooled, cache.pooled.len()),
            (&mut self.grad_hidden, cache.hidden.len()),
            (&mut self.grad_weights, grad_weights),
        ] {
            array.resize(len, T::default());
        }
    }
}

/// The parameters, laid out as the forward pass reads them.
#[derive(Debug)]
pub(super) struct Packed<T> {
    /// Of the parameters that they were made from.
    generation: Option<u64>,
    /// The weights of the hyper function.
    layers: [Vec<T>; 2],
    /// See [`coefficients::Operands::template`].
    template: Vec<T>,
}

/// What coefficients are computed from, besides the context.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operands<'a, T> {
    /// Packed.
    pub(super) hyper: Weights<'a, T>,
    pub(super) coefficients: coefficients::Operands<'a, T>,
}

impl<T: Scalar> Packed<T> {
    /// The parameters of a layer, which are laid out again only if they are other ones than last time.
    pub(super) fn update<'a, A: DynamicActivation>(&'a mut self, layer: &'a Layer<A, T>) -> Operands<'a, T> {
        let hyper = layer.hyper();
        if self.generation != Some(layer.generation) {
            self.generation = Some(layer.generation);
            hyper.layers.pack(layer.level, &mut self.layers);
            let learned = |name| layer.parameters.slice(name);
            layer
                .constants
                .template::<A>(layer.sizes.channels, learned, &mut self.template);
        }
        Operands {
            hyper: Weights {
                layers: hyper.layers.with_packed(&self.layers),
                ..hyper
            },
            coefficients: layer.constants.coefficients::<A>(&self.template),
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
