//! [`Backing`]: layers of the ndarray engine that compute for a layer of candle.

use super::number::Number;
use crate::LayerConfig;
use core::fmt;
use dyrelu_core::{DynamicActivation, Error, Layer, Scalar};
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
        parameters: &[T],
        run: impl FnOnce(&mut Layer<A, T>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let idle = || self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let backing = T::idle(&mut idle()).pop();
        let mut backing = match backing {
            Some(backing) => backing,
            None => self.0.config.builder().build()?,
        };
        assign(&mut backing, parameters);
        let result = run(&mut backing);
        T::idle(&mut idle()).push(backing);
        result
    }
}

/// Gives a layer the parameters that stand one after the other, if they are others than before.
fn assign<A: DynamicActivation, T: Number>(backing: &mut Layer<A, T>, parameters: &[T]) {
    let mut rest = parameters;
    let same = backing.parameters().all(|(_, parameter)| {
        let (values, others) = rest.split_at(parameter.len());
        rest = others;
        // Bit by bit: zeros of different signs are different parameters, and NaN is the same as itself. All of them, as a
        // loop that ends early has no vectors.
        let bits = |number: &T| Scalar::to_f64(*number).to_bits();
        let pairs = parameter.iter().zip(values);
        pairs.fold(0, |difference, (a, b)| difference | (bits(a) ^ bits(b))) == 0
    });
    if same {
        return;
    }
    let mut values = parameters.iter();
    for (_, mut parameter) in backing.parameters_mut() {
        parameter
            .iter_mut()
            .zip(&mut values)
            .for_each(|(parameter, value)| *parameter = *value);
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
