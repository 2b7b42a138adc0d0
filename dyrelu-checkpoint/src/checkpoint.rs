//! [`Checkpoint`]: the tensors of a file, whatever wrote it.

use crate::{Error, FoundActivation};
use dyrelu_core::replace_file;
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How many times as large as their file the tensors of a `PyTorch` checkpoint may be. Weights that are tied are written
/// once and read several times; a tensor that repeats one number may claim any size.
pub(crate) const MAX_EXPANSION: u64 = 16;

/// The tensors of a checkpoint, as the bytes of a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    bytes: Vec<u8>,
}

/// A tensor that no file has.
pub(crate) struct Tensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Tensor {
    pub(crate) fn copy(view: &TensorView<'_>) -> Self {
        Self {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        }
    }
}

impl Checkpoint {
    /// Reads a file: a safetensors file, or what `torch.save` wrote, now or years ago, be it a `state_dict` or a whole
    /// module. The content decides, not the name.
    ///
    /// Names are paths: a `state_dict` that is saved as the entry `model` of a dictionary has tensors `model.…`. What is
    /// not a tensor is left out. No code of the file is run.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be read; [`Error::Safetensors`], [`Error::Pytorch`], [`Error::Tensor`] or
    /// [`Error::Expanded`] when it is damaged or hostile.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|cause| Error::File {
            action: "read",
            path: path.into(),
            cause,
        })?;
        let named_safetensors = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
        // A safetensors file has the length of its header first, and then the header, which is JSON.
        if named_safetensors || bytes.get(8) == Some(&b'{') {
            return Self::from_safetensors(bytes);
        }
        Self::from_pytorch(path, bytes.len() as u64)
    }

    /// The tensors of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::Safetensors`] when the bytes are none.
    pub fn from_safetensors(bytes: Vec<u8>) -> Result<Self, Error> {
        SafeTensors::deserialize(&bytes)?;
        Ok(Self { bytes })
    }

    fn from_pytorch(path: &Path, file_bytes: u64) -> Result<Self, Error> {
        let reader = PytorchReader::new(path).map_err(|cause| Error::Pytorch {
            path: path.into(),
            cause,
        })?;
        let mut tensors: Vec<_> = reader.into_tensors().into_iter().collect();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut bytes = 0_usize;
        for (name, tensor) in &tensors {
            bytes = bytes.saturating_add(tensor.byte_len());
            if bytes as u64 > file_bytes.saturating_mul(MAX_EXPANSION) {
                return Err(Error::Expanded {
                    name: name.clone(),
                    path: path.into(),
                    bytes,
                    file_bytes,
                });
            }
        }
        let tensors = tensors.into_iter().map(|(name, tensor)| {
            let bytes = tensor.read().map_err(|cause| Error::Tensor {
                name: name.clone(),
                path: path.into(),
                cause,
            })?;
            let (dtype, shape) = (dtype(tensor.dtype()), tensor.shape().to_vec());
            Ok((name, Tensor { dtype, shape, bytes }))
        });
        Self::of(&tensors.collect::<Result<_, Error>>()?)
    }

    /// A checkpoint of named tensors.
    pub(crate) fn of(tensors: &BTreeMap<String, Tensor>) -> Result<Self, Error> {
        let views = tensors.iter().map(|(name, tensor)| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?;
            Ok((name, view))
        });
        let views = views.collect::<Result<Vec<_>, Error>>()?;
        let bytes = safetensors::serialize(views, None)?;
        Ok(Self { bytes })
    }

    /// The tensors.
    #[must_use]
    pub fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap_or_else(|error| unreachable!("it was checked: {error}"))
    }

    /// The dynamic activations among the tensors, by name. The number of `coefficients` of a piece is not to be seen from
    /// a file: 2 for a slope and an intercept, 1 for slopes only.
    ///
    /// Two fully connected layers are taken for a hyper function if they have the names of a
    /// [convention](dyrelu_core::Convention) and the last one as many outputs as coefficients are needed: for each channel
    /// (B and C), or, in mode A, for 2 to 4 pieces, or as many as the buffer `lambdas` has. So a small classifier may look
    /// like an activation of mode A.
    #[must_use]
    pub fn activations(&self, coefficients: usize) -> Vec<FoundActivation> {
        FoundActivation::all(&self.tensors(), coefficients)
    }

    /// The bytes of a safetensors file with these tensors.
    #[must_use]
    pub fn as_safetensors(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes a safetensors file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        replace_file(path, &self.bytes).map_err(|cause| Error::File {
            action: "write",
            path: path.into(),
            cause,
        })
    }
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}
