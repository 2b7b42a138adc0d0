//! [`Backing`]: layers of the ndarray engine that compute for a layer of Burn.

use super::number::Number;
use crate::LayerConfig;
use burn::backend::flex::FlexTensor;
use core::fmt;
use dyrelu_core::{DynamicActivation, Layer};
use std::sync::{Arc, Mutex, PoisonError};

/// Layers of the ndarray engine with the same options, one for each pass that was ever under way at the same time. They
/// keep working memory and a copy of the parameters in the order of the kernels. Clones share them.
pub(crate) struct Backing<A>(Arc<Shared<A>>);

struct Shared<A> {
    config: LayerConfig,
    idle: Mutex<Idle<A>>,
}

/// Layers that are not in use.
pub(super) struct Idle<A> {
    pub(super) f32: Vec<Layer<A, f32>>,
    pub(super) f64: Vec<Layer<A, f64>>,
}

impl<A: DynamicActivation> Backing<A> {
    pub(crate) fn new(config: LayerConfig) -> Self {
        let idle = Mutex::new(Idle {
            f32: vec![],
            f64: vec![],
        });
        Self(Arc::new(Shared { config, idle }))
    }

    /// Runs with a layer that has these parameters.
    pub(super) fn with<T: Number, R>(
        &self,
        parameters: Option<&FlexTensor>,
        run: impl FnOnce(&mut Layer<A, T>) -> R,
    ) -> R {
        let idle = || self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let backing = T::idle(&mut idle()).pop();
        let mut backing = backing.unwrap_or_else(|| {
            let backing = self.0.config.builder().build();
            backing.unwrap_or_else(|error| panic!("{}: {error}", A::NAME))
        });
        backing.set_parameters(parameters.map(T::storage).unwrap_or_default());
        let result = run(&mut backing);
        T::idle(&mut idle()).push(backing);
        result
    }
}

impl<A> Clone for Backing<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: DynamicActivation> fmt::Debug for Backing<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backing").field(&A::NAME).finish()
    }
}
