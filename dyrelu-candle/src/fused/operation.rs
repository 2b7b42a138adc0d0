//! [`Operation`]: a whole layer as one operation of candle's graph.

use super::Number;
use super::arrays::{cpu, elements, slice, tensor, view};
use super::backing::Backing;
use crate::Layer;
use crate::layer::refuse;
use crate::statistics::Statistics;
use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};
use dyrelu_core::{Cache, DynamicActivation, WithContext};
use ndarray::{Array1, ArrayD, ArrayViewD, IxDyn};
use std::sync::OnceLock;

/// One pass of a layer `A` on numbers of the type `T`: from x, `[N, C, ...]`, all parameters one after the other, and a
/// context, `[N, M, T]`, or an empty tensor for none.
pub(super) struct Operation<A, T> {
    backing: Backing<A>,
    statistics: Option<Statistics>,
    has_context: bool,
    pass: Pass,
    /// What the backward pass needs.
    cache: OnceLock<Cache<T>>,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Infer,
    Train,
}

/// The inputs of a pass.
struct Inputs<'a, T> {
    x: ArrayViewD<'a, T>,
    parameters: &'a [T],
    context: Option<ArrayViewD<'a, T>>,
}

impl<A: DynamicActivation, T: Number> Operation<A, T> {
    pub(super) fn new(layer: &Layer<A>, has_context: bool, pass: Pass) -> Self {
        Self {
            backing: layer.backing.clone(),
            statistics: layer.statistics.clone(),
            has_context,
            pass,
            cache: OnceLock::new(),
        }
    }

    fn inputs<'a>(
        &self,
        [x, parameters, context]: [(&'a CpuStorage, &'a Layout); 3],
    ) -> Result<Inputs<'a, T>> {
        Ok(Inputs {
            x: view(x.0, x.1)?,
            parameters: slice(parameters.0, parameters.1)?,
            context: self.has_context.then(|| view(context.0, context.1)).transpose()?,
        })
    }

    fn infer(&self, inputs: &Inputs<'_, T>, y: &mut ArrayD<T>) -> Result<()> {
        let statistics = self.statistics.as_ref().map(Statistics::numbers).transpose()?;
        let pass = self.backing.with(inputs.parameters, |backing| {
            if let Some([mean, variance]) = statistics {
                backing.set_running_statistics(mean, variance);
            }
            inputs.of(backing)?.forward_into(&inputs.x, y)
        });
        pass.map_err(refuse::<A>)
    }

    fn train(&self, inputs: &Inputs<'_, T>, y: &mut ArrayD<T>) -> Result<()> {
        let statistics = self.statistics.as_ref().map(Statistics::numbers).transpose()?;
        let mut cache = Cache::default();
        let pass = self.backing.with(inputs.parameters, |backing| {
            inputs.of(backing)?.forward_train_into(&inputs.x, y, &mut cache)?;
            if let Some([mean, variance]) = statistics {
                backing.set_running_statistics(mean, variance);
                backing.update_statistics(&cache)?;
            }
            Ok(backing.running_statistics())
        });
        let moved = pass.map_err(refuse::<A>)?;
        if let (Some(statistics), Some((mean, variance))) = (&self.statistics, moved) {
            statistics.set(mean, variance)?;
        }
        self.cache.get_or_init(|| cache);
        Ok(())
    }
}

impl<T: Number> Inputs<'_, T> {
    /// The layer and its context.
    fn of<'a, A: DynamicActivation>(
        &self,
        backing: &'a dyrelu_core::Layer<A, T>,
    ) -> core::result::Result<WithContext<'a, A, T>, dyrelu_core::Error> {
        match &self.context {
            Some(context) => backing.with_context(context),
            None => backing.bare(),
        }
    }
}

impl<A: DynamicActivation, T: Number> CustomOp3 for Operation<A, T> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
        context: &CpuStorage,
        context_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = self.inputs([
            (x, x_layout),
            (parameters, parameters_layout),
            (context, context_layout),
        ])?;
        let mut y = ArrayD::from_elem(IxDyn(x_layout.dims()), T::default());
        match self.pass {
            Pass::Infer => self.infer(&inputs, &mut y)?,
            Pass::Train => self.train(&inputs, &mut y)?,
        }
        Ok((T::to_cpu_storage_owned(elements(y)), x_layout.shape().clone()))
    }

    /// Gradients of those arguments that want one.
    fn bwd(
        &self,
        x: &Tensor,
        parameters: &Tensor,
        context: &Tensor,
        _: &Tensor,
        grad_y: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_x, of_parameters, of_context, of_y] =
            [x, parameters, context, grad_y].map(Tensor::storage_and_layout);
        let inputs = self.inputs([
            (cpu(&of_x.0)?, of_x.1),
            (cpu(&of_parameters.0)?, of_parameters.1),
            (cpu(&of_context.0)?, of_context.1),
        ])?;
        let grad_y = view(cpu(&of_y.0)?, of_y.1)?;
        let cache = self
            .cache
            .get()
            .ok_or_else(|| Error::BackwardNotSupported { op: A::NAME }.bt())?;
        let pass = self.backing.with(inputs.parameters, |backing| {
            inputs.of(backing)?.backward(&inputs.x, cache, &grad_y)
        });
        let grads = pass.map_err(refuse::<A>)?;
        let of_parameters = grads.parameters().flat_map(|(_, grad)| grad.into_iter().copied());
        let of_parameters = of_parameters.collect::<Array1<T>>().into_dyn();
        let of = |argument: &Tensor, grad: ArrayD<T>| argument.track_op().then(|| tensor(grad)).transpose();
        Ok((
            of(x, grads.x)?,
            of(parameters, of_parameters)?,
            match grads.context {
                Some(grad) => of(context, grad)?,
                None => None,
            },
        ))
    }
}
