//! [`Conversion`]: a checkpoint in another convention.

use crate::checkpoint::Tensor;
use crate::constants::{self, INIT_V, LAMBDAS};
use crate::{Checkpoint, Error, FoundActivation};
use dyrelu_core::Convention;
use safetensors::tensor::TensorView;
use std::collections::BTreeMap;

/// The tensors of an activation, by our names.
const TENSORS: [&str; 13] = [
    "fc1.weight",
    "fc1.bias",
    "fc2.weight",
    "fc2.bias",
    "attention.weight",
    "attention.bias",
    "attention.norm.weight",
    "attention.norm.bias",
    "attention.norm.running_mean",
    "attention.norm.running_var",
    "attention.norm.num_batches_tracked",
    LAMBDAS,
    INIT_V,
];

/// What [`Checkpoint::convert`] makes of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The new one.
    pub checkpoint: Checkpoint,
    /// What became of the tensors of the activations.
    pub changes: Vec<Change>,
}

/// What becomes of a tensor of an activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It has a name in the new convention, which may be the same.
    Named {
        /// The name before.
        old: String,
        /// The name after.
        new: String,
        /// Whether its rows stand in another order.
        reordered: bool,
    },
    /// It has the constants of DY-ReLU, which the new convention does not save.
    LeftOut {
        /// Its name.
        old: String,
    },
    /// It has the constants of DY-ReLU, which the file did not have.
    Added {
        /// Its name.
        new: String,
    },
}

impl Checkpoint {
    /// The same checkpoint with the tensors of these activations in another convention: their names, the order of the rows
    /// of the last layer, and weights as matrices or 1×1 convolutions. All other tensors stay as they are.
    ///
    /// Numbers are moved, never computed, and the metadata of a safetensors file stays: the way back gives the same tensors.
    /// (Weights of convolutions in one dimension, `[…, 1]`, come back as those of two, `[…, 1, 1]`.) The constants `lambdas`
    /// and `init_v` of DY-ReLU belong to the convention `seed` only, and are added and left out; others stay.
    ///
    /// A formula is not converted: what was trained with a hard sigmoid needs one, whatever its tensors are called.
    ///
    /// # Errors
    ///
    /// [`Error::Unnamed`] when the convention has no name for a tensor, such as the attention in that of mmdetection;
    /// [`Error::Taken`] when another tensor has a new name already; [`Error::Rows`] when a last layer is not that of the
    /// activation.
    pub fn convert(&self, activations: &[FoundActivation], to: Convention) -> Result<Conversion, Error> {
        let tensors = self.tensors();
        let mut rest: BTreeMap<_, _> = tensors.iter().collect();
        let mut moved = vec![];
        for activation in activations {
            for native in TENSORS {
                let step = Step {
                    activation,
                    native,
                    to,
                };
                match rest.remove(&*step.old_name()) {
                    Some(tensor) => moved.push(step.take(&tensor)?),
                    None => moved.extend(step.add()),
                }
            }
        }
        let mut converted: BTreeMap<_, _> = rest
            .into_iter()
            .map(|(name, tensor)| (name.to_owned(), Tensor::copy(&tensor)))
            .collect();
        let mut changes = vec![];
        for (change, tensor) in moved {
            if let Some(tensor) = tensor
                && converted.insert(change.new_name().to_owned(), tensor).is_some()
            {
                return Err(Error::Taken(change.new_name().to_owned()));
            }
            changes.push(change);
        }
        Ok(Conversion {
            checkpoint: Self::of(&converted, self.metadata())?,
            changes,
        })
    }
}

impl Change {
    /// The name after, or before if there is none.
    fn new_name(&self) -> &str {
        match self {
            Self::Named { new, .. } | Self::Added { new } => new,
            Self::LeftOut { old } => old,
        }
    }
}

/// What is to be done with one tensor of an activation, which is called `native` here.
struct Step<'a> {
    activation: &'a FoundActivation,
    native: &'static str,
    to: Convention,
}

impl Step<'_> {
    fn old_name(&self) -> String {
        let name = self.activation.convention.tensor_name(self.native);
        format!("{}{name}", self.activation.prefix)
    }

    /// A tensor that is there.
    fn take(&self, tensor: &TensorView<'_>) -> Result<(Change, Option<Tensor>), Error> {
        let old = self.old_name();
        // What comes back when it is added again.
        if !self.to.constants && self.constant().is_some_and(|constant| constant.is(tensor)) {
            return Ok((Change::LeftOut { old }, None));
        }
        let name = self.to.tensor_name(self.native);
        // A convention that names layers names all that its implementation has.
        if self.native.starts_with("attention.") && !self.to.layers.is_empty() && name == self.native {
            return Err(Error::Unnamed {
                name: old,
                convention: self.to.name,
            });
        }
        let (bytes, reordered) = self.rows(tensor)?;
        let new = format!("{}{name}", self.activation.prefix);
        let tensor = Tensor {
            dtype: tensor.dtype(),
            shape: self.shape(tensor.shape()),
            bytes,
        };
        Ok((Change::Named { old, new, reordered }, Some(tensor)))
    }

    /// A tensor that is not there.
    fn add(&self) -> Option<(Change, Option<Tensor>)> {
        let tensor = self.constant().filter(|_| self.to.constants)?;
        let new = self.old_name();
        Some((Change::Added { new }, Some(tensor)))
    }

    /// The constant of DY-ReLU with this name, in the type of the weights.
    fn constant(&self) -> Option<Tensor> {
        let (dtype, [_, coefficients, pieces]) = (self.activation.dtype, self.activation.rows());
        Some(Tensor {
            dtype,
            shape: vec![coefficients * pieces],
            bytes: constants::of_dy_relu(self.native, coefficients, pieces, dtype)?,
        })
    }

    /// The bytes of a tensor with its rows in the new order, and whether that is another one.
    fn rows(&self, tensor: &TensorView<'_>) -> Result<(Vec<u8>, bool), Error> {
        let (from, to, data) = (self.activation.convention.order, self.to.order, tensor.data());
        if !self.native.starts_with("fc2.") || from == to {
            return Ok((data.to_vec(), false));
        }
        let shape = self.activation.rows();
        let rows = shape.iter().product();
        if tensor.shape().first() != Some(&rows) {
            return Err(Error::Rows {
                name: self.old_name(),
                expected: rows,
                found: tensor.shape().to_vec(),
            });
        }
        let row_bytes = data.len() / rows;
        let mut moved = vec![0; data.len()];
        for i in 0..rows {
            let (old, new) = (from.row(i, shape) * row_bytes, to.row(i, shape) * row_bytes);
            moved[new..][..row_bytes].copy_from_slice(&data[old..][..row_bytes]);
        }
        Ok((moved, true))
    }

    /// The shape of a tensor with as many axes for a kernel as the convention has.
    fn shape(&self, shape: &[usize]) -> Vec<usize> {
        let layer = self.native.strip_suffix(".weight");
        let Some(layer) = layer.filter(|layer| *layer != "attention.norm") else {
            return shape.to_vec();
        };
        let named = self.to.layers.iter().find(|named| named.native == layer);
        let [rows, columns, ..] = *shape else {
            return shape.to_vec();
        };
        let kernel = vec![1; named.map_or(0, |named| named.kernel_axes)];
        [vec![rows, columns], kernel].concat()
    }
}
