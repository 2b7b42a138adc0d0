//! [`Scenes`]: the scenes to look at, what is in them, and what PyTorch made of them.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, safetensors};

use crate::Result;
use crate::detector::Stage;
use crate::garment::Garment;
use crate::rectangle::Rectangle;

pub(crate) struct Scenes {
    /// `[N, 1, 64, 64]`, grey values from 0 to 1.
    pub(crate) images: Tensor,
    /// The garments in each scene.
    pub(crate) garments: Vec<Vec<Garment>>,
    tensors: HashMap<String, Tensor>,
}

/// How far a stage is from PyTorch's.
pub(crate) struct Difference {
    pub(crate) stage: String,
    pub(crate) shape: Vec<usize>,
    /// The largest absolute value of the stage.
    pub(crate) scale: f32,
    pub(crate) largest: f32,
}

impl Scenes {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let tensors = safetensors::load(path, &Device::Cpu)?;
        let bytes = tensor(&tensors, "scenes")?;
        let garments = (0..bytes.dim(0)?).map(|i| garments(tensor(&tensors, &format!("truth.{i}"))?));
        Ok(Self {
            // By a power of two, which is exact.
            images: (bytes.to_dtype(DType::F32)? / 256.0)?,
            garments: garments.collect::<Result<_>>()?,
            tensors,
        })
    }

    /// A tensor that PyTorch has made.
    pub(crate) fn expected(&self, name: &str) -> Result<&Tensor> {
        tensor(&self.tensors, name)
    }

    pub(crate) fn compare(&self, stage: &Stage) -> Result<Difference> {
        let expected = self.expected(&stage.name)?;
        Ok(Difference {
            stage: stage.name.clone(),
            shape: stage.values.dims().to_vec(),
            scale: largest(expected)?,
            largest: largest(&(&stage.values - expected)?)?,
        })
    }
}

/// The largest absolute value; NaN, if there is one, which candle's maximum may miss.
fn largest(values: &Tensor) -> Result<f32> {
    let values: Vec<f32> = values.flatten_all()?.to_vec1()?;
    let largest = values.into_iter().map(f32::abs).max_by(f32::total_cmp);
    Ok(largest.ok_or("a stage has no values")?)
}

fn tensor<'a>(tensors: &'a HashMap<String, Tensor>, name: &str) -> Result<&'a Tensor> {
    let missing = || format!("there is no tensor `{name}` among those from PyTorch");
    Ok(tensors.get(name).ok_or_else(missing)?)
}

/// The garments of rows with a class and a box.
fn garments(rows: &Tensor) -> Result<Vec<Garment>> {
    let rows: Vec<Vec<f32>> = rows.to_vec2()?;
    Ok(rows
        .iter()
        .map(|row| Garment::of(row[0], Rectangle::of(&row[1..])))
        .collect())
}
