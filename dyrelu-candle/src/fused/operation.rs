//! [`Operation`]: a whole layer as one operation of candle's graph.

use super::Number;
use super::arrays::{cpu, elements, slice, tensor, view};
use super::backing::Backing;
use crate::Layer;
use crate::layer::refuse;
use crate::statistics::Statistics;
use candle_core::{CpuStorage, CustomOp3, Error, Layout, Result, Shape, Tensor};
use dyrelu_core::{Cache, DynamicActivation, WithContext};
use ndarray::{Array1, ArrayD, ArrayViewD, ArrayViewMutD, Axis, Slice};
use std::sync::OnceLock;

/// Elements of x that a cache has room for.
const GROUP: usize = 1 << 18;

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

    /// y without gradients.
    fn infer(&self, inputs: &Inputs<'_, T>) -> Result<Vec<T>> {
        let statistics = self.statistics.as_ref().map(Statistics::numbers).transpose()?;
        let pass = self.backing.with(inputs.parameters, |backing| {
            if let Some([mean, variance]) = statistics {
                backing.set_running_statistics(mean, variance);
            }
            // Several threads have more to do in all samples at once, and neighbours may not be overwritten.
            if threads() == 1 && A::NEIGHBOURS.is_empty() {
                return inputs.infer_by_groups(backing);
            }
            let mut y = ArrayD::from_elem(inputs.x.raw_dim(), T::default());
            inputs.of(backing)?.forward_into(&inputs.x, &mut y)?;
            Ok(elements(y))
        });
        pass.map_err(refuse::<A>)
    }

    /// y, with what its gradients need.
    fn train(&self, inputs: &Inputs<'_, T>) -> Result<Vec<T>> {
        let statistics = self.statistics.as_ref().map(Statistics::numbers).transpose()?;
        let mut y = ArrayD::from_elem(inputs.x.raw_dim(), T::default());
        let mut cache = Cache::default();
        let pass = self.backing.with(inputs.parameters, |backing| {
            inputs
                .of(backing)?
                .forward_train_into(&inputs.x, &mut y, &mut cache)?;
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
        Ok(elements(y))
    }
}

impl<T: Number> Inputs<'_, T> {
    /// y without gradients. Some samples at a time are copied, and overwritten while they are in the cache: a y that begins
    /// as zeros would be written twice.
    fn infer_by_groups<A: DynamicActivation>(
        &self,
        backing: &dyrelu_core::Layer<A, T>,
    ) -> core::result::Result<Vec<T>, dyrelu_core::Error> {
        let mut y = Vec::with_capacity(self.x.len());
        for group in self.groups() {
            let start = y.len();
            match group.x.as_slice() {
                Some(x) => y.extend_from_slice(x),
                None => y.extend(group.x.iter()),
            }
            let shape = group.x.raw_dim();
            let mut y = ArrayViewMutD::from_shape(shape, &mut y[start..]).expect("as many elements as x");
            group.of(backing)?.forward_inplace(&mut y)?;
        }
        Ok(y)
    }

    /// The inputs of some samples after the other: of as many as a cache has room for.
    fn groups(&self) -> impl Iterator<Item = Inputs<'_, T>> {
        let samples = self.x.len_of(Axis(0));
        let group = (GROUP * samples / self.x.len().max(1)).max(1);
        (0..samples).step_by(group).map(move |start| {
            let some = Slice::from(start..samples.min(start + group));
            Inputs {
                x: self.x.slice_axis(Axis(0), some),
                parameters: self.parameters,
                context: self
                    .context
                    .as_ref()
                    .map(|context| context.slice_axis(Axis(0), some)),
            }
        })
    }

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
        let y = match self.pass {
            Pass::Infer => self.infer(&inputs)?,
            Pass::Train => self.train(&inputs)?,
        };
        Ok((T::to_cpu_storage_owned(y), x_layout.shape().clone()))
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
        let of_parameters = Array1::from_vec(grads.flat_parameters()).into_dyn();
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

/// How many threads the kernels have.
#[cfg(feature = "rayon")]
fn threads() -> usize {
    rayon::current_num_threads()
}

/// How many threads the kernels have.
#[cfg(not(feature = "rayon"))]
fn threads() -> usize {
    1
}
