//! [`Twins`]: layers of the ndarray engine that compute for a layer of candle.

use super::number::Number;
use crate::LayerConfig;
use core::fmt;
use dyrelu_core::{DynamicActivation, Error, Layer};
use std::sync::{Arc, Mutex, PoisonError};

/// Layers of the ndarray engine with the same options, one for each pass that was ever under way at the same time. They
/// keep working memory and a copy of the parameters in the order of the kernels. Clones share them.
pub(crate) struct Twins<A>(Arc<Shared<A>>);

struct Shared<A> {
    config: LayerConfig,
    idle: Mutex<Pool<A>>,
}

/// Layers that are not in use.
pub(super) struct Pool<A> {
    pub(super) f32: Vec<Layer<A, f32>>,
    pub(super) f64: Vec<Layer<A, f64>>,
}

impl<A: DynamicActivation> Twins<A> {
    pub(crate) fn new(config: LayerConfig) -> Self {
        let idle = Mutex::new(Pool {
            f32: vec![],
            f64: vec![],
        });
        Self(Arc::new(Shared { config, idle }))
    }

    /// Runs with a layer that has these parameters.
    pub(super) fn with<T: Number, R>(
        &self,
        parameters: &[T],
        run: impl FnOnce(&mut Layer<A, T>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let idle = || self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let twin = T::pool(&mut idle()).pop();
        let mut twin = match twin {
            Some(twin) => twin,
            None => self.0.config.builder().build()?,
        };
        assign(&mut twin, parameters);
        let result = run(&mut twin);
        T::pool(&mut idle()).push(twin);
        result
    }
}

/// Gives a layer the parameters that stand one after the other, if they are others than before.
fn assign<A: DynamicActivation, T: Number>(twin: &mut Layer<A, T>, parameters: &[T]) {
    let mut rest = parameters;
    let same = twin.parameters().all(|(_, parameter)| {
        let (values, others) = rest.split_at(parameter.len());
        rest = others;
        parameter.as_slice() == Some(values)
    });
    if same {
        return;
    }
    let mut values = parameters.iter();
    for (_, mut parameter) in twin.parameters_mut() {
        parameter
            .iter_mut()
            .zip(&mut values)
            .for_each(|(parameter, value)| *parameter = *value);
    }
}

impl<A> Clone for Twins<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: DynamicActivation> fmt::Debug for Twins<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Twins").field(&A::NAME).finish()
    }
}
