//! [`Statistics`]: what a normalised attention remembers of the scores that it was trained on.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Init, VarBuilder};
use dyrelu_core::kernels::attention::MOMENTUM;

/// The running mean and variance of the scores, with the names that batch normalisation gives them.
#[derive(Debug, Clone)]
pub(crate) struct Statistics {
    running_mean: Var,
    running_var: Var,
}

impl Statistics {
    /// Those that are loaded, or of the standard normal distribution.
    pub(crate) fn new(vb: &VarBuilder<'_>) -> Result<Self> {
        let load = |name, init| Var::from_tensor(&vb.get_with_hints(1, name, Init::Const(init))?);
        Ok(Self {
            running_mean: load("attention.norm.running_mean", 0.0)?,
            running_var: load("attention.norm.running_var", 1.0)?,
        })
    }

    /// The same numbers in variables of their own.
    pub(crate) fn unshared(&self) -> Result<Self> {
        let copy = |running: &Var| Var::from_tensor(&running.as_detached_tensor());
        Ok(Self {
            running_mean: copy(&self.running_mean)?,
            running_var: copy(&self.running_var)?,
        })
    }

    /// The mean and the variance, `[1]`, in another float type.
    pub(crate) fn values(&self, dtype: DType) -> Result<[Tensor; 2]> {
        let value = |running: &Var| running.as_detached_tensor().to_dtype(dtype);
        Ok([value(&self.running_mean)?, value(&self.running_var)?])
    }

    /// The mean and the variance.
    pub(crate) fn numbers(&self) -> Result<[f64; 2]> {
        let [mean, variance] = self.values(DType::F64)?;
        let number = |value: Tensor| value.squeeze(0)?.to_scalar();
        Ok([number(mean)?, number(variance)?])
    }

    /// Replaces both.
    pub(crate) fn set(&self, mean: f64, variance: f64) -> Result<()> {
        for (running, number) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            let number = Tensor::new(&[number], &Device::Cpu)?.to_dtype(running.dtype())?;
            running.set(&number.to_device(running.device())?)?;
        }
        Ok(())
    }

    /// Moves towards the mean and the unbiased variance of a batch, `[1]` each.
    pub(crate) fn update(&self, mean: &Tensor, variance: &Tensor) -> Result<()> {
        for (running, batch) in [(&self.running_mean, mean), (&self.running_var, variance)] {
            let batch = batch.detach().to_dtype(running.dtype())?;
            let moved = ((running.as_detached_tensor() * (1.0 - MOMENTUM))? + (batch * MOMENTUM)?)?;
            running.set(&moved)?;
        }
        Ok(())
    }
}
