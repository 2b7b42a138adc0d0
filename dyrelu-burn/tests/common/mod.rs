//! What several test files share: parameters by name, and the passes of both engines side by side.
#![allow(dead_code, reason = "each test file uses a part")]

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use dyrelu::{Context, DynamicActivation, Scalar, Source};
use dyrelu_burn::{Layer, LayerConfig, WithContext};
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// Named arrays.
pub(crate) type Arrays = BTreeMap<String, ArrayD<f64>>;

/// The numbers of a tensor.
pub(crate) fn array<const D: usize>(tensor: Tensor<D>) -> ArrayD<f64> {
    let data = tensor.into_data();
    let shape = data.shape().to_vec();
    ArrayD::from_shape_vec(shape, data.iter::<f64>().collect()).unwrap()
}

/// The array as a tensor of this float type.
pub(crate) fn tensor<const D: usize>(array: &ArrayD<f64>, device: &Device, dtype: DType) -> Tensor<D> {
    let numbers: Vec<f64> = array.iter().copied().collect();
    Tensor::from_data(TensorData::new(numbers, array.shape().to_vec()), (device, dtype))
}

/// Replaces the parameters, or reads them.
pub(crate) struct Parameters<'a> {
    path: Vec<String>,
    values: &'a Arrays,
    dtype: DType,
}

/// The module with these values for all its parameters and running states.
pub(crate) fn with_parameters<M: Module>(module: M, values: &Arrays, dtype: DType) -> M {
    let path = vec![];
    module.map(&mut Parameters { path, values, dtype })
}

impl ModuleMapper for Parameters<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, name: &str, _: &str) {
        assert_eq!(self.path.pop().as_deref(), Some(name));
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = &self.values[&self.path.join(".")];
        param.map(|old| {
            assert_eq!(old.dims().as_slice(), values.shape(), "{:?}", self.path);
            let new = tensor(values, &old.device(), self.dtype);
            if old.is_require_grad() {
                new.require_grad()
            } else {
                new
            }
        })
    }
}

/// Reads parameters, or their gradients.
struct Reader<'a> {
    path: Vec<String>,
    grads: Option<&'a Gradients>,
    found: Arrays,
}

impl ModuleVisitor for Reader<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, name: &str, _: &str) {
        assert_eq!(self.path.pop().as_deref(), Some(name));
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = match self.grads {
            None => param.val(),
            Some(grads) => match param.val().grad(grads) {
                Some(grad) => grad,
                None => return,
            },
        };
        self.found.insert(self.path.join("."), array(value));
    }
}

/// All parameters and running states.
pub(crate) fn parameters<M: Module>(module: &M) -> Arrays {
    read(module, None)
}

/// The gradients of all parameters that have one.
pub(crate) fn gradients<M: Module>(module: &M, grads: &Gradients) -> Arrays {
    read(module, Some(grads))
}

fn read<M: Module>(module: &M, grads: Option<&Gradients>) -> Arrays {
    let mut reader = Reader {
        path: vec![],
        grads,
        found: Arrays::new(),
    };
    module.visit(&mut reader);
    reader.found
}

/// Which of the two ways to compute a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Path {
    /// That of `forward`: by the kernels, on Flex.
    Fused,
    /// By tensor operations.
    Composed,
}

impl Path {
    pub(crate) fn forward<A: DynamicActivation, const D: usize>(
        self,
        layer: &Layer<A>,
        x: Tensor<D>,
    ) -> Tensor<D> {
        match self {
            Self::Fused => layer.forward(x),
            Self::Composed => layer.forward_composed(x),
        }
    }

    pub(crate) fn forward_with<A: DynamicActivation, const D: usize>(
        self,
        layer: &WithContext<'_, A>,
        x: Tensor<D>,
    ) -> Tensor<D> {
        match self {
            Self::Fused => layer.forward(x),
            Self::Composed => layer.forward_composed(x),
        }
    }
}

/// The options of a layer of so many channels.
pub(crate) fn config<A: DynamicActivation>(channels: usize) -> LayerConfig {
    let groups = A::NEIGHBOURS.iter().any(|neighbour| neighbour.groups != 0);
    LayerConfig::new(channels)
        .with_hidden(Some(4))
        .with_groups(groups.then_some(3))
        .with_context_channels((has_context::<A>() && A::HYPER.layers != 0).then_some(5))
}

/// The layer of the ndarray engine with the same options.
pub(crate) fn twin<A: DynamicActivation, T: Scalar>(config: &LayerConfig) -> dyrelu::Layer<A, T> {
    let mut builder = A::layer(config.channels).hidden(4).seed(3);
    if let Some(groups) = config.groups {
        builder = builder.groups(groups);
    }
    if let Some(channels) = config.context_channels {
        builder = builder.context_channels(channels);
    }
    builder.build().unwrap()
}

/// Whether the activation has an external context.
pub(crate) fn has_context<A: DynamicActivation>() -> bool {
    let is_dynamic = |source: &Source| matches!(source, Source::Dynamic { .. });
    A::HYPER.context == Context::External
        && A::COEFFICIENTS
            .iter()
            .any(|coefficient| is_dynamic(&coefficient.source))
}

/// The parameters and running statistics of a layer of the ndarray engine.
pub(crate) fn parameters_of<A: DynamicActivation, T: Scalar>(layer: &dyrelu::Layer<A, T>) -> Arrays {
    let parameters = layer
        .parameters()
        .map(|(name, value)| (name.to_owned(), value.mapv(Scalar::to_f64)));
    let mut parameters: Arrays = parameters.collect();
    if let Some((mean, variance)) = layer.running_statistics() {
        for (name, value) in [("running_mean", mean), ("running_var", variance)] {
            parameters.insert(
                format!("attention.norm.{name}"),
                ArrayD::from_elem(vec![1], value),
            );
        }
    }
    parameters
}

/// Asserts that the arrays differ by at most `tolerance` times the largest expected magnitude, or times 1 if that is 0.
#[track_caller]
pub(crate) fn assert_close(what: &str, found: &ArrayD<f64>, expected: &ArrayD<f64>, tolerance: f64) {
    let scale = largest(expected);
    let scale = if scale == 0.0 { 1.0 } else { scale };
    assert_within(what, found, expected, tolerance * scale);
}

/// Asserts that the arrays differ by at most `distance`.
#[track_caller]
pub(crate) fn assert_within(what: &str, found: &ArrayD<f64>, expected: &ArrayD<f64>, distance: f64) {
    assert_eq!(found.shape(), expected.shape(), "{what}: shape");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= distance,
            "{what}, element {i}: expected {expected:e} ± {distance:e}, found {found:e}"
        );
    }
}

/// The largest magnitude.
pub(crate) fn largest(array: &ArrayD<f64>) -> f64 {
    array.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// The devices of Flex on which a layer can be trained.
pub(crate) fn training_devices() -> [(&'static str, Device); 2] {
    [
        ("autodiff", Device::flex().autodiff()),
        (
            "checkpointing",
            Device::flex().autodiff().gradient_checkpointing(),
        ),
    ]
}
