//! Saving and loading a [`Layer`] as a safetensors file.

use super::parameters;
use super::{Layer, set_len};
use crate::{DynamicActivation, Error, Scalar, Sharing};
use ndarray::{ArrayD, IxDyn};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::path::Path;

/// The metadata entry for τ.
const TEMPERATURE: &str = "temperature";

/// The constants that the common PyTorch modules save beside the parameters, as λ and init `[P·K]`.
const LAMBDAS: &str = "lambdas";
const INIT_V: &str = "init_v";

/// A checkpoint is a safetensors file with the [parameters](Layer#parameters) under their names.
///
/// Those of the common PyTorch modules load unchanged: the names and the order of rows are the same, matrices
/// may be stored as 1×1 convolutions with trailing axes of length 1, and the buffers `lambdas` and `init_v`
/// are compared with the constants of the activation.
impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// Writes the layer to a file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let bytes = self.bytes();
        safetensors::serialize_to_file(Self::views(&bytes), self.metadata(), path).map_err(|source| {
            Error::File {
                action: "write",
                path: path.into(),
                source: source.into(),
            }
        })
    }

    /// The bytes that [`save_safetensors`](Self::save_safetensors) writes.
    ///
    /// # Errors
    ///
    /// [`Error::Safetensors`] when the format does not allow it; no layer is known for which that is so.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        Ok(safetensors::serialize(
            Self::views(&self.bytes()),
            self.metadata(),
        )?)
    }

    /// A layer from a file, with the channels, the hidden units and the temperature that it was saved with.
    ///
    /// ```
    /// # use dyrelu::{Layer, dynamic_activation};
    /// # #[dynamic_activation(k = 2, share = "spatial")]
    /// # struct DyReluB;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("act.safetensors");
    /// let act = DyReluB::layer::<f32>(64).build()?;
    /// act.save_safetensors(&path)?;
    /// let act = Layer::<DyReluB, f32>::load_safetensors(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be read, and as [`from_safetensors`](Self::from_safetensors).
    pub fn load_safetensors(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::File {
            action: "read",
            path: path.into(),
            source: source.into(),
        })?;
        Self::from_safetensors(&bytes)
    }

    /// A layer from the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::Safetensors`], [`Error::MissingTensor`], [`Error::UnknownTensor`], [`Error::TensorShape`],
    /// [`Error::TensorType`], [`Error::Constants`] or [`Error::Metadata`] for bytes that are no layer of this
    /// activation and number type.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Error> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let fc1_weight = Tensors {
            tensors: &tensors,
            prefix: "",
        }
        .get::<A>(parameters::FC1_WEIGHT)?;
        let (hidden, channels) = match *fc1_weight.shape() {
            [hidden, channels, ..] if hidden > 0 && channels > 0 => (hidden, channels),
            _ => {
                return Err(Error::TensorShape {
                    name: parameters::FC1_WEIGHT.into(),
                    expected: "[hidden units, channels], each at least 1".into(),
                    found: fc1_weight.shape().into(),
                });
            }
        };
        let mut builder = A::layer(channels).hidden(hidden);
        if let Some(temperature) = temperature::<A>(bytes)? {
            builder = builder.temperature(temperature);
        }
        let mut layer = builder.build()?;
        layer.load_tensors(&tensors, "")?;
        Ok(layer)
    }

    /// Replaces all parameters by the tensors whose names begin with `prefix`, such as `"features.3.act."`.
    ///
    /// The temperature stays as it is.
    ///
    /// # Errors
    ///
    /// As [`from_safetensors`](Self::from_safetensors). The layer is unchanged then.
    pub fn load_tensors(&mut self, tensors: &SafeTensors<'_>, prefix: &str) -> Result<(), Error> {
        let tensors = Tensors { tensors, prefix };
        tensors.check_names::<A>()?;
        tensors.check_constants::<A, T>(LAMBDAS, &self.lambda)?;
        tensors.check_constants::<A, T>(INIT_V, &self.init)?;
        let mut loaded = self.parameters.clone();
        for (name, mut parameter) in loaded.iter_mut() {
            let value = tensors.read::<A, T>(name, parameter.shape())?;
            parameter.assign(&value);
        }
        self.parameters = loaded;
        Ok(())
    }

    /// Name, shape and little-endian bytes of each parameter.
    fn bytes(&self) -> Vec<(&'static str, Vec<usize>, Vec<u8>)> {
        let bytes = self.parameters.iter().map(|(name, values)| {
            let mut bytes = Vec::with_capacity(values.len() * size_of::<T>());
            for value in &values {
                value.write_le(&mut bytes);
            }
            (name, values.shape().to_vec(), bytes)
        });
        bytes.collect()
    }

    fn views<'a>(
        bytes: &'a [(&'static str, Vec<usize>, Vec<u8>)],
    ) -> impl Iterator<Item = (&'static str, TensorView<'a>)> {
        bytes.iter().map(|(name, shape, bytes)| {
            let view =
                TensorView::new(T::DTYPE, shape.clone(), bytes).expect("as many bytes as the shape has");
            (*name, view)
        })
    }

    /// τ in mode C. One entry only: the crate writes several in the random order of a hash map.
    fn metadata(&self) -> Option<HashMap<String, String>> {
        (A::SHARING == Sharing::Unshared)
            .then(|| HashMap::from([(TEMPERATURE.to_owned(), self.temperature.to_string())]))
    }
}

/// τ from the metadata of a file, if the activation has one and the file says it.
fn temperature<A: DynamicActivation>(bytes: &[u8]) -> Result<Option<f64>, Error> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    let text = metadata
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(TEMPERATURE));
    let Some(text) = text.filter(|_| A::SHARING == Sharing::Unshared) else {
        return Ok(None);
    };
    match text.parse::<f64>() {
        Ok(temperature) if temperature > 0.0 && temperature.is_finite() => Ok(Some(temperature)),
        _ => Err(Error::Metadata {
            name: TEMPERATURE,
            expected: "a positive number",
            found: text.clone(),
        }),
    }
}

/// The tensors of a file that belong to one layer.
#[derive(Clone, Copy)]
struct Tensors<'a> {
    tensors: &'a SafeTensors<'a>,
    prefix: &'a str,
}

impl<'a> Tensors<'a> {
    fn full_name(self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The names after the prefix.
    fn names(self) -> impl Iterator<Item = &'a str> {
        self.tensors
            .names()
            .into_iter()
            .filter_map(move |name| name.strip_prefix(self.prefix))
    }

    fn contains(self, name: &str) -> bool {
        self.names().any(|found| found == name)
    }

    fn get<A: DynamicActivation>(self, name: &str) -> Result<TensorView<'a>, Error> {
        self.tensors
            .tensor(&self.full_name(name))
            .map_err(|_| Error::MissingTensor {
                name: self.full_name(name),
                expected: self.expected_names::<A>(),
                found: sorted(self.tensors.names().into_iter().map(str::to_owned)),
            })
    }

    /// The values of a tensor, if it has this shape, perhaps followed by axes of length 1.
    fn read<A: DynamicActivation, T: Scalar>(self, name: &str, shape: &[usize]) -> Result<ArrayD<T>, Error> {
        let tensor = self.get::<A>(name)?;
        if tensor.dtype() != T::DTYPE {
            let (expected, found) = (T::DTYPE, tensor.dtype());
            return Err(Error::TensorType {
                name: self.full_name(name),
                expected,
                found,
            });
        }
        if !tensor
            .shape()
            .strip_prefix(shape)
            .is_some_and(|rest| rest.iter().all(|&len| len == 1))
        {
            return Err(Error::TensorShape {
                name: self.full_name(name),
                expected: format!("{shape:?}"),
                found: tensor.shape().into(),
            });
        }
        let values = tensor
            .data()
            .chunks_exact(size_of::<T>())
            .map(T::read_le)
            .collect();
        Ok(ArrayD::from_shape_vec(IxDyn(shape), values).expect("the length was checked with the file"))
    }

    /// The constants of a checkpoint, if it has them, must be those of the layer.
    fn check_constants<A: DynamicActivation, T: Scalar>(
        self,
        name: &str,
        expected: &[T],
    ) -> Result<(), Error> {
        if !self.contains(name) {
            return Ok(());
        }
        let found = self.read::<A, T>(name, &[set_len::<A>()])?;
        if found.iter().eq(expected) {
            return Ok(());
        }
        let to_f64 = |values: &mut dyn Iterator<Item = &T>| values.map(|value| value.to_f64()).collect();
        Err(Error::Constants {
            name: self.full_name(name),
            expected: to_f64(&mut expected.iter()),
            found: to_f64(&mut found.iter()),
        })
    }

    /// A tensor that the layer does not know belongs to something else, and the layer would be wrong.
    fn check_names<A: DynamicActivation>(self) -> Result<(), Error> {
        let expected = parameters::names::<A>();
        let unknown = self
            .names()
            .filter(|name| !expected.contains(name) && ![LAMBDAS, INIT_V].contains(name));
        match sorted(unknown.map(|name| self.full_name(name)))
            .into_iter()
            .next()
        {
            None => Ok(()),
            Some(name) => Err(Error::UnknownTensor {
                name,
                expected: self.expected_names::<A>(),
            }),
        }
    }

    fn expected_names<A: DynamicActivation>(self) -> Vec<String> {
        parameters::names::<A>()
            .iter()
            .map(|name| self.full_name(name))
            .collect()
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
