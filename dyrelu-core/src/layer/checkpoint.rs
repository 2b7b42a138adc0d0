//! Saving and loading a [`Layer`] as a safetensors file.

use super::builder::constants;
use super::parameters::{self, Parameters};
use super::{Layer, set_len};
use crate::{Coefficient, DynamicActivation, Error, PerPiece, Scalar, Sharing};
use ndarray::{ArrayD, IxDyn};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// The metadata entry for τ.
const TEMPERATURE: &str = "temperature";

/// The constants that the PyTorch module saves beside the parameters, as λ and init `[P·K]`.
const LAMBDAS: &str = "lambdas";
const INIT_V: &str = "init_v";

/// A checkpoint is a safetensors file with the [parameters](Layer#parameters) under their names.
///
/// The `state_dict` of the first public PyTorch module, `DyReLUA` and `DyReLUB` in `Islanna/DynamicReLU`, loads
/// unchanged: the names and the order of rows are the same, and its buffers `lambdas` and `init_v` are compared with
/// the constants of the activation. Matrices may also be stored as 1×1 convolutions, with trailing axes of length 1.
///
/// The formula is not in the file: load it into the activation that it was saved from.
impl<A: DynamicActivation, T: Scalar> Layer<A, T> {
    /// Writes the layer to a file, which is replaced as a whole or not at all: the bytes go to a new file beside it,
    /// which then takes its name. A symbolic link is followed.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let bytes = self.to_safetensors()?;
        replace_file(path, &bytes).map_err(|cause| Error::File {
            action: "write",
            path: path.into(),
            cause,
        })
    }

    /// The bytes that [`save_safetensors`](Self::save_safetensors) writes.
    ///
    /// # Errors
    ///
    /// [`Error::Safetensors`] when the format does not allow it; no layer is known for which that is so.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, Error> {
        safetensors::serialize(Self::views(&self.bytes()), self.metadata()).map_err(Error::Safetensors)
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
        let bytes = fs::read(path).map_err(|cause| Error::File {
            action: "read",
            path: path.into(),
            cause,
        })?;
        Self::from_safetensors(&bytes)
    }

    /// A layer from the bytes of a safetensors file.
    ///
    /// # Errors
    ///
    /// [`Error::Safetensors`], [`Error::MissingTensor`], [`Error::UnknownTensor`], [`Error::TensorShape`],
    /// [`Error::TensorType`], [`Error::Constants`] or [`Error::Metadata`] for bytes that are no layer of this
    /// activation and number type; [`Error::Option`] when `DYRELU_LEVEL` does not name a level of this machine.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Error> {
        let tensors = SafeTensors::deserialize(bytes).map_err(Error::Safetensors)?;
        let tensors = Tensors {
            tensors: &tensors,
            prefix: "",
        };
        let fc1_weight = tensors.get::<A>(parameters::FC1_WEIGHT)?;
        let (hidden, channels) = match *fc1_weight.shape() {
            [hidden, channels, ref rest @ ..] if hidden > 0 && channels > 0 && all_one(rest) => {
                (hidden, channels)
            }
            ref found => {
                return Err(Error::TensorShape {
                    name: parameters::FC1_WEIGHT.into(),
                    expected: "[hidden units, channels], each at least 1".into(),
                    found: found.into(),
                });
            }
        };
        let mut builder = A::layer(channels).hidden(hidden);
        if let Some(temperature) = temperature::<A>(bytes)? {
            builder = builder.temperature(temperature);
        }
        builder.build_with(|channels, hidden| tensors.parameters::<A, T>(channels, hidden))
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
        self.parameters = tensors.parameters::<A, T>(self.channels, self.hidden)?;
        self.generation += 1;
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
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(Error::Safetensors)?;
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
        if !tensor.shape().strip_prefix(shape).is_some_and(all_one) {
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

    /// All parameters of a layer, if the tensors are exactly those of such a layer.
    fn parameters<A: DynamicActivation, T: Scalar>(
        self,
        channels: usize,
        hidden: usize,
    ) -> Result<Parameters<T>, Error> {
        self.check_names::<A>()?;
        self.check_constants::<A, T>(LAMBDAS, parameters::lambda_of)?;
        self.check_constants::<A, T>(INIT_V, |coefficient| coefficient.init)?;
        Parameters::new::<A>(channels, hidden, |parameter| {
            self.read::<A, T>(parameter.name, &parameter.shape)
        })
    }

    /// The constants of a checkpoint, if it has them, must be those of the activation.
    fn check_constants<A: DynamicActivation, T: Scalar>(
        self,
        name: &str,
        constant: fn(&Coefficient) -> PerPiece,
    ) -> Result<(), Error> {
        if !self.contains(name) {
            return Ok(());
        }
        let expected = constants::<A, T>(constant);
        let found = self.read::<A, T>(name, &[set_len::<A>()])?;
        if found.iter().eq(&expected) {
            return Ok(());
        }
        Err(Error::Constants {
            name: self.full_name(name),
            expected: expected.into_iter().map(T::to_f64).collect(),
            found: found.into_iter().map(T::to_f64).collect(),
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

fn all_one(axes: &[usize]) -> bool {
    axes.iter().all(|&len| len == 1)
}

/// Writes a new file beside `path` and gives it that name, so that there is always one whole file.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) if target.is_file() => target,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(error),
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let mut file = fs::File::create_new(&temporary)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
