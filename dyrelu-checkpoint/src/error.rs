//! [`Error`]: what can be wrong with a checkpoint file.

use std::io;
use std::path::PathBuf;

/// Why a checkpoint cannot be read, converted or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read or written.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },

    /// Bytes that are no safetensors file, or tensors that make none.
    #[error("not a valid safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),

    /// A file that begins as a safetensors file and is none.
    #[error("`{}` is not a valid safetensors file: {cause}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: safetensors::SafeTensorError,
    },

    /// A file that is no safetensors file, and no `PyTorch` checkpoint that can be read.
    #[error("cannot read `{}` as a safetensors file or a PyTorch checkpoint: {cause}", path.display())]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: pytorch_reader::PytorchError,
    },

    /// A tensor with a name that means something else in a safetensors file.
    #[error("a tensor cannot be called `{0}`")]
    Name(&'static str),

    /// A tensor whose bytes are not where the file says.
    #[error("cannot read the tensor `{name}` of `{}`: {cause}", path.display())]
    Tensor {
        /// The tensor's name.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },

    /// Tensors that repeat a few stored numbers so often that they are much larger than their file.
    #[error(
        "with the tensor `{name}` those of `{}` would take {bytes} bytes or more, but the file has {file_bytes}; {ALWAYS} bytes \
         are read, or {MAX_EXPANSION} times those of the file",
        path.display(),
        ALWAYS = crate::checkpoint::ALWAYS,
        MAX_EXPANSION = crate::checkpoint::MAX_EXPANSION
    )]
    Expanded {
        /// The tensor's name.
        name: String,
        /// The file.
        path: PathBuf,
        /// The bytes of the tensors up to this one.
        bytes: usize,
        /// The bytes of the file.
        file_bytes: u64,
    },

    /// A tensor that a convention has no name for.
    #[error("the convention `{convention}` has no name for the tensor `{name}`")]
    Unnamed {
        /// The tensor's name.
        name: String,
        /// The convention's name.
        convention: &'static str,
    },

    /// A new name that another tensor has already.
    #[error("two tensors would have the name `{0}`")]
    Taken(String),

    /// A last layer that does not have as many rows as an activation has coefficients.
    #[error("expected the tensor `{name}` to have {expected} rows, found shape {found:?}")]
    Rows {
        /// The tensor's name.
        name: String,
        /// The number of rows.
        expected: usize,
        /// Its shape.
        found: Vec<usize>,
    },
}
