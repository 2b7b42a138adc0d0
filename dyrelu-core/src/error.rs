//! [`Error`]: everything that can be wrong with an input, an option or a checkpoint.

use std::path::PathBuf;

/// Why a layer refused to work. The layer and all arguments are unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input without a batch and a channel axis.
    #[error("expected an input of rank 2 or more, [N, channels, ...], found shape {found:?}")]
    Rank {
        /// The input's shape.
        found: Vec<usize>,
    },

    /// An input with the wrong number of channels.
    #[error("expected {expected} channels in axis 1, found shape {found:?}")]
    Channels {
        /// The layer's channels.
        expected: usize,
        /// The input's shape.
        found: Vec<usize>,
    },

    /// An output or a gradient that is not shaped as the input.
    #[error("expected the {array} in the shape of the input, {expected:?}, found {found:?}")]
    Shape {
        /// Which array it is.
        array: &'static str,
        /// The input's shape.
        expected: Vec<usize>,
        /// The array's shape.
        found: Vec<usize>,
    },

    /// A cache that was made from an input of another shape, or by a layer of another activation. (One that was made by a
    /// layer of the same activation and size with other parameters cannot be told apart.)
    #[error("expected the cache of this input and layer, {expected}, found one for {found}")]
    Cache {
        /// The sizes and the sharing mode of the input and the layer.
        expected: String,
        /// Those of the cache.
        found: String,
    },

    /// A context that is missing, needless or of a shape that does not fit.
    #[error("expected {expected}, found {found}")]
    Context {
        /// The shape that it should have, or what to do.
        expected: String,
        /// Its shape.
        found: String,
    },

    /// An option of the builder that makes no layer.
    #[error("expected {option} to be {expected}, found {found}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },

    /// A checkpoint without one of the layer's parameters.
    #[error(
        "the checkpoint has no tensor `{name}`; expected {expected:?}, found {}",
        some(found)
    )]
    MissingTensor {
        /// The missing tensor's name.
        name: String,
        /// The names of all tensors that the layer needs.
        expected: Vec<String>,
        /// The names of the tensors in the checkpoint.
        found: Vec<String>,
    },

    /// A checkpoint with a tensor that the layer does not know: it belongs to another kind of layer.
    #[error("the checkpoint has an unknown tensor `{name}`; expected {expected:?}")]
    UnknownTensor {
        /// The unknown tensor's name.
        name: String,
        /// The names of all tensors that the layer needs.
        expected: Vec<String>,
    },

    /// A tensor of the wrong shape in a checkpoint.
    #[error("expected the tensor `{name}` to have shape {expected}, found {found:?}")]
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape that the layer needs.
        expected: String,
        /// The shape in the checkpoint.
        found: Vec<usize>,
    },

    /// A tensor of the wrong number type in a checkpoint.
    #[error("expected the tensor `{name}` to hold {expected}, found {found}")]
    TensorType {
        /// The tensor's name.
        name: String,
        /// The layer's number type.
        expected: safetensors::Dtype,
        /// The number type in the checkpoint.
        found: safetensors::Dtype,
    },

    /// A checkpoint that was made for other constants: the layer would compute another function.
    #[error("expected the constants `{name}` to be {expected:?}, found {found:?}")]
    Constants {
        /// The tensor's or the metadata entry's name.
        name: String,
        /// The constants of the layer.
        expected: Vec<f64>,
        /// Those of the checkpoint.
        found: Vec<f64>,
    },

    /// A text in a checkpoint's metadata that is no valid setting.
    #[error("expected the metadata `{name}` to be {expected}, found `{found}`")]
    Metadata {
        /// The entry's name.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },

    /// Bytes that are no safetensors file.
    #[error("not a valid safetensors file: {0}")]
    Safetensors(safetensors::SafeTensorError),

    /// A file that cannot be read or written.
    #[error("cannot {action} `{}`: {cause}", path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

/// The names of a whole network's tensors are too many to be read.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 16;
    match names.split_at_checked(SHOWN) {
        Some((shown, rest)) if !rest.is_empty() => format!("{shown:?} and {} more", rest.len()),
        _ => format!("{names:?}"),
    }
}
