//! [`Weights`]: a place in a checkpoint.

use std::fmt::Display;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use dyrelu::safetensors::SafeTensors;
use dyrelu::{Convention, DynamicActivation};
use dyrelu_candle::{Layer, LayerConfig, layer};

use crate::Result;

/// The tensors below a prefix: as candle's layers want them, and as those of dyrelu do.
#[derive(Clone)]
pub(crate) struct Weights<'a> {
    pub(crate) vb: VarBuilder<'a>,
    tensors: &'a SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    pub(crate) fn new(vb: VarBuilder<'a>, tensors: &'a SafeTensors<'a>) -> Self {
        Self { vb, tensors }
    }

    /// The tensors whose names go on with this.
    pub(crate) fn at(&self, name: impl Display) -> Self {
        Self {
            vb: self.vb.pp(name),
            tensors: self.tensors,
        }
    }

    /// The activation that is here, under the names and in the order of this convention.
    pub(crate) fn activation<A: DynamicActivation>(
        &self,
        channels: usize,
        convention: Convention,
    ) -> Result<Layer<A>> {
        let prefix = format!("{}.", self.vb.prefix());
        let zeros = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let mut activation = layer(&LayerConfig::new(channels), zeros)?;
        activation.load_tensors_as(convention, self.tensors, &prefix)?;
        Ok(activation)
    }
}
