//! [`Parameters`]: the parameters of a layer, as Burn sees them.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::nn::Initializer;
use burn::tensor::{DType, Device, Tensor, TensorData};
use dyrelu_core::{Declaration, Initial};

/// The type of the container that Burn's visitors are told. It is none of those whose weights an adapter would transpose:
/// a weight is `[outputs, inputs]` here and in every file.
pub(crate) const CONTAINER: &str = "Struct:DynamicActivation";

/// Parameters with the names, shapes and order of the ndarray engine.
#[derive(Debug, Clone)]
pub(crate) struct Parameters(Vec<(&'static str, Parameter)>);

#[derive(Debug, Clone)]
enum Parameter {
    Vector(Param<Tensor<1>>),
    Matrix(Param<Tensor<2>>),
}

/// Does the same for both kinds of parameters.
macro_rules! for_each_kind {
    ($parameter:expr, $value:ident => $result:expr) => {
        match $parameter {
            Parameter::Vector($value) => Parameter::Vector($result),
            Parameter::Matrix($value) => Parameter::Matrix($result),
        }
    };
}

impl Parameters {
    /// Parameters whose values are drawn when they are first needed, as Burn's modules do.
    pub(crate) fn new(declarations: Vec<Declaration>, device: &Device) -> Self {
        let declarations = declarations.into_iter();
        Self(
            declarations
                .map(|Declaration { name, shape, initial }| {
                    let parameter = match *shape {
                        [len] => Parameter::Vector(lazy([len], initial, device)),
                        [rows, columns] => Parameter::Matrix(lazy([rows, columns], initial, device)),
                        _ => unreachable!("a parameter is a vector or a matrix"),
                    };
                    (name, parameter)
                })
                .collect(),
        )
    }

    /// The vector of this name.
    pub(crate) fn vector(&self, name: &str) -> Tensor<1> {
        match self.find(name) {
            Parameter::Vector(vector) => dequantised(vector.val()),
            Parameter::Matrix(_) => unreachable!("`{name}` is a matrix"),
        }
    }

    /// The matrix of this name; a vector has one column.
    pub(crate) fn matrix(&self, name: &str) -> Tensor<2> {
        match self.find(name) {
            Parameter::Vector(vector) => dequantised(vector.val()).unsqueeze_dim(1),
            Parameter::Matrix(matrix) => dequantised(matrix.val()),
        }
    }

    fn find(&self, name: &str) -> &Parameter {
        let mut parameters = self.0.iter();
        let found = parameters.find_map(|(found, parameter)| (*found == name).then_some(parameter));
        found.unwrap_or_else(|| unreachable!("a description with `{name}` has declared it"))
    }

    /// All values one after the other, if there are any.
    #[cfg(feature = "flex")]
    pub(crate) fn flat(&self) -> Option<Tensor<1>> {
        let values = self.0.iter().map(|(_, parameter)| match parameter {
            Parameter::Vector(vector) => dequantised(vector.val()),
            Parameter::Matrix(matrix) => dequantised(matrix.val()).flatten(0, 1),
        });
        let values: Vec<_> = values.collect();
        (!values.is_empty()).then(|| Tensor::cat(values, 0))
    }

    /// The number type of the parameters, if there are any.
    pub(crate) fn dtype(&self) -> Option<DType> {
        self.0.first().map(|(_, parameter)| match parameter {
            Parameter::Vector(vector) => vector.base().dtype(),
            Parameter::Matrix(matrix) => matrix.base().dtype(),
        })
    }

    /// Gives all parameters other values, in their order.
    pub(crate) fn assign(&mut self, values: impl Iterator<Item = TensorData>) {
        for ((_, parameter), values) in self.0.iter_mut().zip(values) {
            *parameter = for_each_kind!(parameter, value => loaded(value.clone(), values));
        }
    }

    fn replace(self, mut with: impl FnMut(&'static str, Parameter) -> Parameter) -> Self {
        let parameters = self.0.into_iter();
        Self(
            parameters
                .map(|(name, parameter)| (name, with(name, parameter)))
                .collect(),
        )
    }
}

/// The numbers of a tensor that may be quantised.
fn dequantised<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if matches!(tensor.dtype(), DType::QFloat(_)) {
        tensor.dequantize()
    } else {
        tensor
    }
}

/// The same parameter with other values, as when a record is loaded.
fn loaded<const D: usize>(parameter: Param<Tensor<D>>, values: TensorData) -> Param<Tensor<D>> {
    let (id, device) = (parameter.id, parameter.lazy_device());
    let values = match parameter.base().dtype() {
        DType::QFloat(_) => Tensor::from_data(values, &device),
        dtype => Tensor::from_data(values, (&device, dtype)),
    };
    parameter.transform_for_load(values, id)
}

/// A parameter that gets its values when they are first needed.
fn lazy<const D: usize>(shape: [usize; D], initial: Initial, device: &Device) -> Param<Tensor<D>> {
    let constants = match initial {
        Initial::Uniform { inputs } => {
            let bound = 1.0 / (inputs as f64).sqrt();
            return Initializer::Uniform {
                min: -bound,
                max: bound,
            }
            .init(shape, device);
        }
        Initial::Constant(value) => return Initializer::Constant { value }.init(shape, device),
        Initial::PerPiece(constants) => constants,
    };
    let init = move |device: &Device, require_grad: bool| {
        let pieces = shape.get(1).copied().unwrap_or(1);
        let values = (0..shape.iter().product()).map(|i| constants.of(i % pieces));
        let tensor = Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device);
        if require_grad {
            tensor.require_grad()
        } else {
            tensor
        }
    };
    Param::uninitialized(ParamId::new(), init, device.clone(), true, shape.into())
}

/// Each parameter has the path of its name: `fc1`, `weight`.
impl Module for Parameters {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0
            .iter()
            .fold(devices, |devices, (_, parameter)| match parameter {
                Parameter::Vector(vector) => vector.collect_devices(devices),
                Parameter::Matrix(matrix) => matrix.collect_devices(devices),
            })
    }

    fn fork(self, device: &Device) -> Self {
        self.replace(|_, parameter| for_each_kind!(parameter, value => value.fork(device)))
    }

    fn to_device(self, device: &Device) -> Self {
        self.replace(|_, parameter| for_each_kind!(parameter, value => value.to_device(device)))
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (name, parameter) in &self.0 {
            for part in name.split('.') {
                visitor.enter_module(part, CONTAINER);
            }
            match parameter {
                Parameter::Vector(vector) => vector.visit(visitor),
                Parameter::Matrix(matrix) => matrix.visit(visitor),
            }
            for part in name.rsplit('.') {
                visitor.exit_module(part, CONTAINER);
            }
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.replace(|name, parameter| {
            for part in name.split('.') {
                mapper.enter_module(part, CONTAINER);
            }
            let parameter = for_each_kind!(parameter, value => Module::map(value, mapper));
            for part in name.rsplit('.') {
                mapper.exit_module(part, CONTAINER);
            }
            parameter
        })
    }

    fn materialize(self) -> Self {
        self.replace(|_, parameter| for_each_kind!(parameter, value => value.materialize()))
    }

    fn valid(&self) -> Self {
        let parameters = self.0.iter();
        Self(
            parameters
                .map(|(name, parameter)| (*name, for_each_kind!(parameter, value => value.valid())))
                .collect(),
        )
    }

    fn train(self) -> Self {
        self.replace(|_, parameter| for_each_kind!(parameter, value => value.train()))
    }
}
