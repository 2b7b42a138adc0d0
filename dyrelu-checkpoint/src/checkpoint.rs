//! [`Checkpoint`]: the tensors of a file, whatever wrote it.

use crate::{Error, FoundActivation};
use dyrelu_core::{Convention, replace_file};
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::Path;

/// The bytes that the tensors of a `PyTorch` checkpoint may have in any case, …
pub(crate) const ALWAYS: u64 = 1 << 28;

/// … and how many times as many as their file. Weights that are tied are written once and read several times; a tensor that
/// repeats one number may claim any size.
pub(crate) const MAX_EXPANSION: u64 = 16;

/// The tensors of a checkpoint, as the bytes of a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    bytes: Vec<u8>,
}

/// What a header has in place of a tensor.
const METADATA: &str = "__metadata__";

const CHECKED: &str = "the bytes were checked";

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

    /// Whether they are the same.
    pub(crate) fn is(&self, view: &TensorView<'_>) -> bool {
        (self.dtype, &*self.shape, &*self.bytes) == (view.dtype(), view.shape(), view.data())
    }
}

impl Checkpoint {
    /// Reads a file: a safetensors file, or what `torch.save` wrote, in its present format or an older one; a `state_dict`, or a
    /// whole module in the present format. The content decides, not the name.
    ///
    /// Names are paths: a `state_dict` that is saved as the entry `model` of a dictionary has tensors `model.…`. Numbers and
    /// texts beside tensors are left out. No code of the file is run. What its reader,
    /// [`pytorch_reader`], cannot represent makes the whole file unreadable: tensors that are sparse, quantised or complex, and
    /// keys of dictionaries that are neither texts nor integers.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be read; [`Error::Damaged`], [`Error::Pytorch`], [`Error::Tensor`],
    /// [`Error::Expanded`] or [`Error::Name`] when it is damaged or hostile.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |cause| Error::File {
            action: "read",
            path: path.into(),
            cause,
        };
        // A safetensors file has the length of its header first, in eight bytes, and then the header, which is JSON.
        let mut start = vec![];
        let mut file = fs::File::open(path).map_err(unreadable)?;
        file.by_ref()
            .take(9)
            .read_to_end(&mut start)
            .map_err(unreadable)?;
        if start.get(8) != Some(&b'{') {
            let file_bytes = file.metadata().map_err(unreadable)?.len();
            return Self::from_pytorch(path, file_bytes);
        }
        file.read_to_end(&mut start).map_err(unreadable)?;
        Self::from_safetensors(start).map_err(|error| match error {
            Error::Safetensors(cause) => Error::Damaged {
                path: path.into(),
                cause,
            },
            other => other,
        })
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
        let tensors: BTreeMap<_, _> = reader.into_tensors().into_iter().collect();
        let mut bytes = 0_usize;
        for (name, tensor) in &tensors {
            bytes = bytes.saturating_add(tensor.byte_len());
            if bytes as u64 > file_bytes.saturating_mul(MAX_EXPANSION).max(ALWAYS) {
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
        Self::of(&tensors.collect::<Result<_, Error>>()?, None)
    }

    /// A checkpoint of named tensors.
    pub(crate) fn of(
        tensors: &BTreeMap<String, Tensor>,
        metadata: Option<HashMap<String, String>>,
    ) -> Result<Self, Error> {
        if tensors.contains_key(METADATA) {
            return Err(Error::Name(METADATA));
        }
        let views = tensors.iter().map(|(name, tensor)| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?;
            Ok((name, view))
        });
        let views = views.collect::<Result<Vec<_>, Error>>()?;
        Self::from_safetensors(safetensors::serialize(views, metadata)?)
    }

    /// What a safetensors file says of itself, such as the options of a layer.
    pub(crate) fn metadata(&self) -> Option<HashMap<String, String>> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes)
            .unwrap_or_else(|error| unreachable!("{CHECKED}: {error}"));
        header.metadata().clone()
    }

    /// The tensors.
    #[must_use]
    pub fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap_or_else(|error| unreachable!("{CHECKED}: {error}"))
    }

    /// The dynamic activations among the tensors, by name. The number of `coefficients` of a piece is not to be seen from
    /// a file: 2 for a slope and an intercept, 1 for slopes only.
    ///
    /// Two fully connected layers are taken for a hyper function if they have the names of a [`Convention`] and the last one as many
    /// outputs as coefficients are needed: for each channel (modes B and C); or, for mode A, as many as the buffer `lambdas`
    /// has, or as 2 to 4 pieces need, if there are not more hidden units than channels. So a small classifier may look like an
    /// activation of mode A, with one coefficient any perceptron like one of mode B, and mode A with very few channels like
    /// mode B.
    #[must_use]
    pub fn activations(&self, coefficients: usize) -> Vec<FoundActivation> {
        FoundActivation::all(&self.tensors(), coefficients)
    }

    /// Those of [`activations`](Self::activations) that have the names of this convention. [`Convention::PAPER`] has those of
    /// `NATIVE`, and is found nowhere else.
    #[must_use]
    pub fn activations_as(&self, convention: Convention, coefficients: usize) -> Vec<FoundActivation> {
        FoundActivation::all_as(&self.tensors(), convention, coefficients)
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
