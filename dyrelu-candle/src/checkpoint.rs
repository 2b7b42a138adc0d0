//! Loading a [`Layer`] from the checkpoints of other implementations.

use crate::Layer;
use crate::layer::refuse;
use candle_core::{DType, Device, Result, Tensor, WithDType};
use dyrelu_core::safetensors::SafeTensors;
use dyrelu_core::{Convention, DynamicActivation, Report, Scalar};

/// With our own names a layer loads as all modules of candle do, from a [`VarBuilder`](candle_nn::VarBuilder).
impl<A: DynamicActivation> Layer<A> {
    /// Replaces all parameters, and the running statistics of a normalised attention, by the tensors whose names begin with
    /// `prefix`, such as `"dyhead_tower.3.relu."`, in a checkpoint with the names and the order of another implementation.
    ///
    /// Parameters stay on their devices and keep their number types: those of `f64` are loaded as
    /// `dyrelu_core::Layer<A, f64>` loads them, all others as `Layer<A, f32>`. Variables are set, for all who share them;
    /// other parameters are those of this layer only.
    ///
    /// ```
    /// # use candle_core::{DType, Device};
    /// # use candle_nn::{VarBuilder, VarMap};
    /// # use dyrelu::safetensors::{SafeTensors, serialize, tensor::{Dtype, TensorView}};
    /// # use dyrelu::gallery::DyHead;
    /// # use dyrelu_candle::{LayerConfig, layer};
    /// use dyrelu::Convention;
    ///
    /// # let view = |shape: &[usize]| {
    /// #     TensorView::new(Dtype::F32, shape.into(), &[0; 1024][..4 * shape.iter().product::<usize>()]).unwrap()
    /// # };
    /// # let bytes = serialize([
    /// #     ("tower.3.relu.fc.0.weight", view(&[4, 16])), ("tower.3.relu.fc.0.bias", view(&[4])),
    /// #     ("tower.3.relu.fc.2.weight", view(&[64, 4])), ("tower.3.relu.fc.2.bias", view(&[64])),
    /// # ], None)?;
    /// # let tensors = SafeTensors::deserialize(&bytes)?;
    /// # let vars = VarMap::new();
    /// # let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    /// let mut act = layer::<DyHead>(&LayerConfig::new(16), vb.pp("act"))?;
    /// let report = act.load_tensors_as(Convention::DYNAMIC_HEAD, &tensors, "tower.3.relu.")?;
    /// assert_eq!(report.used.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`dyrelu_core::Layer::load_tensors_as`]. The layer is unchanged then.
    pub fn load_tensors_as(
        &mut self,
        convention: Convention,
        tensors: &SafeTensors<'_>,
        prefix: &str,
    ) -> Result<Report> {
        match self.parameters.dtype() {
            Some(DType::F64) => self.load::<f64>(convention, tensors, prefix),
            _ => self.load::<f32>(convention, tensors, prefix),
        }
    }

    /// What [`load_tensors_as`](Self::load_tensors_as) would make of each tensor of a checkpoint: all problems at once.
    ///
    /// # Errors
    ///
    /// As [`layer`](crate::layer()), for options that make no layer of the ndarray engine.
    pub fn examine_tensors(
        &self,
        convention: Convention,
        tensors: &SafeTensors<'_>,
        prefix: &str,
    ) -> Result<Report> {
        Ok(match self.parameters.dtype() {
            Some(DType::F64) => self
                .unloaded::<f64>()?
                .examine_tensors(convention, tensors, prefix),
            _ => self
                .unloaded::<f32>()?
                .examine_tensors(convention, tensors, prefix),
        })
    }

    /// A layer of the ndarray engine with the same options.
    fn unloaded<T: Scalar>(&self) -> Result<dyrelu_core::Layer<A, T>> {
        self.config().builder().build().map_err(refuse::<A>)
    }

    fn load<T: Scalar + WithDType>(
        &mut self,
        convention: Convention,
        tensors: &SafeTensors<'_>,
        prefix: &str,
    ) -> Result<Report> {
        let mut loaded = self.unloaded::<T>()?;
        let report = loaded
            .load_tensors_as(convention, tensors, prefix)
            .map_err(refuse::<A>)?;
        let values = loaded.parameters().map(|(_, values)| {
            Tensor::from_vec(
                values.iter().copied().collect::<Vec<T>>(),
                values.shape(),
                &Device::Cpu,
            )
        });
        self.parameters.assign(values.collect::<Result<_>>()?)?;
        if let (Some(statistics), Some((mean, variance))) =
            (&mut self.statistics, loaded.running_statistics())
        {
            if !self.parameters.are_variables() {
                *statistics = statistics.unshared()?;
            }
            statistics.set(mean, variance)?;
        }
        Ok(report)
    }
}
