//! Saving and loading a [`Layer`] as a safetensors file.

use super::constants::{self, per_piece};
use super::parameters::{self, Declaration, Parameters};
use super::sizes::{Sizes, dynamic_count, has_external_context, hyper_layers, pools_halves, set_shape, sets};
use super::statistics::Statistics;
use super::{Convention, Layer, LayerBuilder, Report, is_normalised};
use crate::kernels::attention::Scaling;
use crate::{Coefficient, DynamicActivation, Error, PerPiece, Scalar, Sharing};
use ndarray::{ArrayD, Axis, IxDyn};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The metadata entry for what is not to be seen from the tensors, such as `channels=64 temperature=10`. One entry only:
/// the crate writes several in the random order of a hash map.
const OPTIONS: &str = "options";

/// The running statistics of a normalised attention, `[1]`.
const RUNNING_MEAN: &str = "attention.norm.running_mean";
const RUNNING_VARIANCE: &str = "attention.norm.running_var";

/// What `PyTorch` saves beside them, a count of batches that nothing here needs.
const BATCHES: &str = "attention.norm.num_batches_tracked";

/// A constant of a coefficient that has it.
type Constant = fn(&Coefficient) -> Option<PerPiece>;

/// The constants that the PyTorch module saves beside the parameters, λ and init of the dynamic coefficients `[D·K]`.
const CONSTANTS: [(&str, Constant); 2] = [
    ("lambdas", constants::lambda),
    ("init_v", |coefficient| {
        constants::lambda(coefficient).map(|_| coefficient.init)
    }),
];

/// A checkpoint is a safetensors file with the [parameters](Layer#parameters) under their names.
///
/// The `state_dict` of the first public PyTorch module, `DyReLUA` and `DyReLUB` in `Islanna/DynamicReLU`, loads
/// unchanged: the names and the order of rows are the same, and its buffers `lambdas` and `init_v` are compared with
/// the constants of the activation. Those of other implementations load by their [`Convention`]. Matrices may also be
/// stored as 1×1 convolutions, with trailing axes of length 1; and numbers as `f16` or `bf16`, which become the layer's
/// number type without loss. No other type does.
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
        safetensors::serialize(Self::views(&self.bytes()), Some(self.metadata())).map_err(Error::Safetensors)
    }

    /// A layer from a file, with the options that it was saved with.
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
    /// activation and number type; [`Error::Option`] when the file does not tell an option that has no default, or
    /// `DYRELU_LEVEL` does not name a level of this machine.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, Error> {
        let tensors = SafeTensors::deserialize(bytes).map_err(Error::Safetensors)?;
        let tensors = Tensors {
            file: &tensors,
            prefix: "",
            convention: Convention::NATIVE,
        };
        let options = Options::read(bytes)?;
        let mut builder = A::layer(tensors.channels::<A>(options.channels)?);
        if hyper_layers::<A>() > 0 {
            let [units, inputs] = tensors.first_layer::<A>()?;
            builder = builder.hidden(units);
            if has_external_context::<A>() {
                builder = builder.context_channels(inputs);
            }
        }
        if let Some(groups) = options.groups.filter(|_| !A::NEIGHBOURS.is_empty()) {
            builder = builder.groups(groups);
        }
        if A::SHARING == Sharing::Unshared {
            builder = options.scale(builder);
        }
        let mut layer = builder.build_with(|sizes| {
            tensors.report::<A, T>(sizes).into_result()?;
            tensors.parameters::<A, T>(sizes)
        })?;
        layer.statistics = tensors.statistics::<A, T>()?;
        Ok(layer)
    }

    /// Replaces all parameters by the tensors whose names begin with `prefix`, such as `"features.3.act."`.
    ///
    /// The options stay as they are.
    ///
    /// # Errors
    ///
    /// As [`from_safetensors`](Self::from_safetensors). The layer is unchanged then.
    pub fn load_tensors(&mut self, tensors: &SafeTensors<'_>, prefix: &str) -> Result<Report, Error> {
        self.load_tensors_as(Convention::NATIVE, tensors, prefix)
    }

    /// [`load_tensors`](Self::load_tensors) from a checkpoint with the names and the order of another implementation.
    ///
    /// # Errors
    ///
    /// The first problem of the report that [`examine_tensors`](Self::examine_tensors) makes. The layer is unchanged
    /// then.
    pub fn load_tensors_as(
        &mut self,
        convention: Convention,
        tensors: &SafeTensors<'_>,
        prefix: &str,
    ) -> Result<Report, Error> {
        let report = self.examine_tensors(convention, tensors, prefix).into_result()?;
        let tensors = Tensors {
            file: tensors,
            prefix,
            convention,
        };
        let parameters = tensors.parameters::<A, T>(self.sizes)?;
        self.statistics = tensors.statistics::<A, T>()?;
        self.parameters = parameters;
        self.generation += 1;
        Ok(report)
    }

    /// What [`load_tensors_as`](Self::load_tensors_as) would make of each tensor of a checkpoint: all problems at once.
    #[must_use]
    pub fn examine_tensors(&self, convention: Convention, tensors: &SafeTensors<'_>, prefix: &str) -> Report {
        let tensors = Tensors {
            file: tensors,
            prefix,
            convention,
        };
        tensors.report::<A, T>(self.sizes)
    }

    /// Name, shape and little-endian bytes of each parameter, and of the running statistics.
    fn bytes(&self) -> Vec<(&'static str, Vec<usize>, Vec<u8>)> {
        let bytes = self.parameters.iter().map(|(name, values)| {
            let mut bytes = Vec::with_capacity(values.len() * size_of::<T>());
            for value in &values {
                value.write_le(&mut bytes);
            }
            (name, values.shape().to_vec(), bytes)
        });
        let mut bytes: Vec<_> = bytes.collect();
        if let Some((mean, variance)) = self.running_statistics() {
            for (name, value) in [(RUNNING_MEAN, mean), (RUNNING_VARIANCE, variance)] {
                let mut le = Vec::new();
                T::from_f64(value).write_le(&mut le);
                bytes.push((name, vec![1], le));
            }
        }
        bytes
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

    /// The options that the tensors do not tell.
    fn metadata(&self) -> HashMap<String, String> {
        let mut options = vec![format!("channels={}", self.sizes.channels)];
        if !A::NEIGHBOURS.is_empty() {
            options.push(format!("groups={}", self.sizes.groups));
        }
        if A::SHARING == Sharing::Unshared {
            let Scaling {
                temperature,
                average,
                cut_off,
            } = self.scaling;
            options.push(format!("temperature={temperature}"));
            options.push(format!("average_attention={average}"));
            options.push(format!("cut_off={cut_off}"));
        }
        HashMap::from([(OPTIONS.to_owned(), options.join(" "))])
    }
}

/// The options in the metadata of a file.
#[derive(Debug, Default)]
struct Options {
    channels: Option<usize>,
    groups: Option<usize>,
    temperature: Option<f64>,
    average_attention: Option<f64>,
    cut_off: Option<f64>,
}

impl Options {
    /// The constants of the attention that a file has.
    fn scale<A: DynamicActivation, T: Scalar>(&self, mut builder: LayerBuilder<A, T>) -> LayerBuilder<A, T> {
        if let Some(temperature) = self.temperature {
            builder = builder.temperature(temperature);
        }
        if let Some(average) = self.average_attention {
            builder = builder.average_attention(average);
        }
        if let Some(cut_off) = self.cut_off {
            builder = builder.cut_off(cut_off);
        }
        builder
    }

    /// The options of a file, which has none if another program has written it.
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(Error::Safetensors)?;
        let text = metadata
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(OPTIONS));
        let Some(text) = text else {
            return Ok(Self::default());
        };
        Self::parse(text).ok_or_else(|| Error::Metadata {
            name: OPTIONS,
            expected: "some of `channels=64 groups=4 temperature=10 average_attention=0.3 cut_off=1` with positive numbers",
            found: text.clone(),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut options = Self::default();
        for option in text.split_whitespace() {
            let (name, value) = option.split_once('=')?;
            match name {
                "channels" => options.channels = Some(positive(value)?),
                "groups" => options.groups = Some(positive(value)?),
                "temperature" => options.temperature = Some(positive_number(value)?),
                "average_attention" => options.average_attention = Some(positive_number(value)?),
                "cut_off" => options.cut_off = Some(positive_number(value)?),
                _ => return None,
            }
        }
        Some(options)
    }
}

fn positive(text: &str) -> Option<usize> {
    text.parse().ok().filter(|&number| number > 0)
}

fn positive_number(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok()?;
    (number > 0.0 && number.is_finite()).then_some(number)
}

/// The tensors of a file that belong to one layer.
#[derive(Clone, Copy)]
struct Tensors<'a> {
    file: &'a SafeTensors<'a>,
    prefix: &'a str,
    convention: Convention,
}

impl<'a> Tensors<'a> {
    /// The name in the file of one of our own.
    fn full_name(self, name: &str) -> String {
        format!("{}{}", self.prefix, self.convention.tensor_name(name))
    }

    /// The names after the prefix.
    fn names(self) -> impl Iterator<Item = &'a str> {
        self.file
            .names()
            .into_iter()
            .filter_map(move |name| name.strip_prefix(self.prefix))
    }

    fn get<A: DynamicActivation>(self, name: &'static str) -> Result<TensorView<'a>, Error> {
        self.file
            .tensor(&self.full_name(name))
            .map_err(|_| Error::MissingTensor {
                name: self.full_name(name),
                expected: self.expected_names::<A>(),
                found: sorted(self.file.names().into_iter().map(str::to_owned)),
            })
    }

    /// A tensor of a number type that `T` holds without loss, and of this shape, perhaps followed by axes of length 1.
    fn check<A: DynamicActivation, T: Scalar>(
        self,
        name: &'static str,
        shape: &[usize],
    ) -> Result<TensorView<'a>, Error> {
        let tensor = self.get::<A>(name)?;
        if ![T::DTYPE, Dtype::F16, Dtype::BF16].contains(&tensor.dtype()) {
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
        Ok(tensor)
    }

    /// The values of such a tensor.
    fn read<A: DynamicActivation, T: Scalar>(
        self,
        name: &'static str,
        shape: &[usize],
    ) -> Result<ArrayD<T>, Error> {
        let tensor = self.check::<A, T>(name, shape)?;
        let bytes = tensor.data();
        let halves = || {
            bytes
                .chunks_exact(2)
                .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let values = match tensor.dtype() {
            Dtype::F16 => halves().map(|bits| T::from_f64(f16(bits))).collect(),
            Dtype::BF16 => halves().map(|bits| T::from_f64(bf16(bits))).collect(),
            _ => bytes.chunks_exact(size_of::<T>()).map(T::read_le).collect(),
        };
        Ok(ArrayD::from_shape_vec(IxDyn(shape), values).expect("the length was checked with the file"))
    }

    /// The two axes of a matrix, which may be followed by axes of length 1.
    fn matrix<A: DynamicActivation>(self, name: &'static str, expected: &str) -> Result<[usize; 2], Error> {
        match *self.get::<A>(name)?.shape() {
            [rows, columns, ref rest @ ..] if rows > 0 && columns > 0 && all_one(rest) => Ok([rows, columns]),
            ref found => Err(Error::TensorShape {
                name: name.into(),
                expected: expected.into(),
                found: found.into(),
            }),
        }
    }

    /// The units and the inputs of the hyper function's first layer.
    fn first_layer<A: DynamicActivation>(self) -> Result<[usize; 2], Error> {
        let name = match hyper_layers::<A>() {
            1 => parameters::FC_WEIGHT,
            _ => parameters::FC1_WEIGHT,
        };
        self.matrix::<A>(name, "[hidden units, channels], each at least 1")
    }

    /// C, from the options or else from the tensors.
    fn channels<A: DynamicActivation>(self, option: Option<usize>) -> Result<usize, Error> {
        if let Some(channels) = option {
            return Ok(channels);
        }
        if !has_external_context::<A>() && hyper_layers::<A>() > 0 {
            let [_, inputs] = self.first_layer::<A>()?;
            return Ok(if pools_halves::<A>() { inputs / 2 } else { inputs });
        }
        if A::SHARING == Sharing::Unshared {
            let [_, channels] = self.matrix::<A>(
                parameters::ATTENTION_WEIGHT,
                "[1, channels], at least one channel",
            )?;
            return Ok(channels);
        }
        // A learned coefficient with a value for each channel has at least two, or one for the only channel.
        for (_, coefficient, sets) in parameters::learned::<A>(2) {
            if sets == 2
                && let Some(&channels) = self.get::<A>(coefficient.name)?.shape().first()
            {
                return Ok(channels);
            }
        }
        Err(Error::Metadata {
            name: OPTIONS,
            expected: "`channels=…`, which no tensor of this activation tells",
            found: String::new(),
        })
    }

    /// What a layer of these sizes makes of each tensor of the file.
    fn report<A: DynamicActivation, T: Scalar>(self, sizes: Sizes) -> Report {
        let mut report = Report::default();
        let ignored = self.file.names().into_iter().filter(|name| {
            name.strip_prefix(self.prefix)
                .is_none_or(|name| self.ignores::<A>(name))
        });
        report.ignored = sorted(ignored.map(str::to_owned));
        report.problems.extend(self.unknown::<A>());
        let mut note = |name, result: Result<(), Error>| match result {
            Ok(()) => report.used.push(self.full_name(name)),
            Err(problem) => report.problems.push(problem),
        };
        for (name, constant) in CONSTANTS {
            if self.has_constants::<A>(name) {
                note(name, self.check_constants::<A, T>(name, constant));
            }
        }
        for Declaration { name, shape, .. } in parameters::declare::<A>(sizes) {
            note(name, self.check::<A, T>(name, &shape).map(drop));
        }
        if is_normalised::<A>() {
            for name in [RUNNING_MEAN, RUNNING_VARIANCE] {
                note(name, self.check::<A, T>(name, &[1]).map(drop));
            }
        }
        report.used.sort();
        report
    }

    /// All parameters of a layer.
    fn parameters<A: DynamicActivation, T: Scalar>(self, sizes: Sizes) -> Result<Parameters<T>, Error> {
        Parameters::new::<A>(sizes, |parameter| {
            let values = self.read::<A, T>(parameter.name, &parameter.shape)?;
            if !parameters::OUTPUTS.contains(&parameter.name) {
                return Ok(values);
            }
            let [_, pieces] = set_shape::<A>();
            let shape = [sets::<A>(sizes.channels), dynamic_count::<A>(), pieces];
            let rows: Vec<usize> = (0..sizes.outputs)
                .map(|i| self.convention.order.row(i, shape))
                .collect();
            Ok(values.select(Axis(0), &rows))
        })
    }

    /// The running statistics, of an activation that has them.
    fn statistics<A: DynamicActivation, T: Scalar>(self) -> Result<Statistics, Error> {
        if !is_normalised::<A>() {
            return Ok(Statistics::default());
        }
        let number = |name| Ok(self.read::<A, T>(name, &[1])?[[0]].to_f64());
        Ok(Statistics {
            mean: number(RUNNING_MEAN)?,
            variance: number(RUNNING_VARIANCE)?,
        })
    }

    /// Whether the file has these constants. A learned coefficient may have the same name.
    fn has_constants<A: DynamicActivation>(self, name: &str) -> bool {
        !tensor_names::<A>().contains(&name) && self.names().any(|found| found == name)
    }

    /// The constants of a checkpoint must be those of the activation.
    fn check_constants<A: DynamicActivation, T: Scalar>(
        self,
        name: &'static str,
        constant: Constant,
    ) -> Result<(), Error> {
        let expected = per_piece::<A, T>(constant);
        let found = self.read::<A, T>(name, &[expected.len()])?;
        if found.iter().eq(&expected) {
            return Ok(());
        }
        Err(Error::Constants {
            name: self.full_name(name),
            expected: expected.into_iter().map(T::to_f64).collect(),
            found: found.into_iter().map(T::to_f64).collect(),
        })
    }

    /// Tensors that the layer does not know: they belong to something else, and the layer would be wrong.
    fn unknown<A: DynamicActivation>(self) -> Vec<Error> {
        let known = tensor_names::<A>()
            .iter()
            .map(|name| self.convention.tensor_name(name))
            .chain(CONSTANTS.map(|(name, _)| name.to_owned()))
            .collect::<Vec<_>>();
        let unknown = self
            .names()
            .filter(|name| !known.iter().any(|known| known == name) && !self.ignores::<A>(name));
        let unknown = sorted(unknown.map(|name| format!("{}{name}", self.prefix)));
        let errors = unknown.into_iter().map(|name| Error::UnknownTensor {
            name,
            expected: self.expected_names::<A>(),
        });
        errors.collect()
    }

    /// Whether a tensor of the layer means nothing to it.
    fn ignores<A: DynamicActivation>(self, name: &str) -> bool {
        is_normalised::<A>() && name == self.convention.tensor_name(BATCHES)
    }

    fn expected_names<A: DynamicActivation>(self) -> Vec<String> {
        tensor_names::<A>()
            .iter()
            .map(|name| self.full_name(name))
            .collect()
    }
}

/// The names of all tensors of a layer's checkpoint.
fn tensor_names<A: DynamicActivation>() -> Vec<&'static str> {
    let mut names = parameters::names::<A>();
    if is_normalised::<A>() {
        names.extend([RUNNING_MEAN, RUNNING_VARIANCE]);
    }
    names
}

fn all_one(axes: &[usize]) -> bool {
    axes.iter().all(|&len| len == 1)
}

/// A number of five bits of exponent and ten of mantissa.
fn f16(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match (exponent, bits & 0x3ff) {
        (0, _) => mantissa * 2.0_f64.powi(-24),
        (0x1f, 0) => f64::INFINITY,
        (0x1f, _) => f64::NAN,
        _ => (1024.0 + mantissa) * 2.0_f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

/// The upper half of an `f32`.
fn bf16(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

/// Writes a new file beside `path` and gives it that name, so that there is always one whole file.
///
/// # Errors
///
/// When the file cannot be written; the one that was there is unchanged then.
#[doc(hidden)]
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) if target.is_file() => target,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(error),
    };
    let (mut file, temporary) = create_beside(&target)?;
    let permissions = match fs::metadata(&target) {
        Ok(metadata) => file.set_permissions(metadata.permissions()),
        // There is none yet.
        Err(_) => Ok(()),
    };
    let written = permissions
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file in the same directory. One that a process has left there which died has another number.
fn create_beside(target: &Path) -> io::Result<(fs::File, PathBuf)> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    let mut number = 0_u32;
    loop {
        let path = target.with_file_name(format!(".{name}.{process}.{number}.tmp"));
        match fs::File::create_new(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
