//! What several test files share: layers with given parameters, and the passes of both engines side by side.
#![allow(dead_code, reason = "each test file uses a part")]

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::VarBuilder;
use dyrelu::{DynamicActivation, Scalar};
use dyrelu_candle::{Layer, LayerConfig, WithContext};
use ndarray::ArrayD;
use std::collections::{BTreeMap, HashMap};

/// Named arrays.
pub(crate) type Arrays = BTreeMap<String, ArrayD<f64>>;

/// Named tensors.
pub(crate) type Tensors = HashMap<String, Tensor>;

/// The numbers of a tensor.
pub(crate) fn array(tensor: &Tensor) -> ArrayD<f64> {
    let numbers = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    ArrayD::from_shape_vec(tensor.dims(), numbers.to_vec1().unwrap()).unwrap()
}

/// The array as a tensor of this float type.
pub(crate) fn tensor(array: &ArrayD<f64>, dtype: DType) -> Tensor {
    let numbers: Vec<f64> = array.iter().copied().collect();
    let tensor = Tensor::from_vec(numbers, array.shape(), &Device::Cpu).unwrap();
    tensor.to_dtype(dtype).unwrap()
}

/// The array as a variable of this float type.
pub(crate) fn variable(array: &ArrayD<f64>, dtype: DType) -> Tensor {
    Var::from_tensor(&tensor(array, dtype)).unwrap().into_inner()
}

/// Variables with these values.
pub(crate) fn variables(values: &Arrays, dtype: DType) -> Tensors {
    let values = values.iter();
    values
        .map(|(name, value)| (name.clone(), variable(value, dtype)))
        .collect()
}

/// The same values without gradients.
pub(crate) fn frozen(tensors: &Tensors) -> Tensors {
    let tensors = tensors.iter();
    tensors
        .map(|(name, value)| (name.clone(), value.copy().unwrap().detach()))
        .collect()
}

/// A layer of these parameters.
pub(crate) fn layer_of<A: DynamicActivation>(config: &LayerConfig, parameters: &Tensors) -> Layer<A> {
    let dtype = parameters.values().next().map_or(DType::F32, Tensor::dtype);
    let vb = VarBuilder::from_tensors(parameters.clone(), dtype, &Device::Cpu);
    dyrelu_candle::layer(config, vb).unwrap()
}

/// The gradients of all parameters that have one.
pub(crate) fn gradients<A: DynamicActivation>(layer: &Layer<A>, grads: &GradStore) -> Arrays {
    let gradients = layer
        .parameters()
        .filter_map(|(name, value)| Some((name.to_owned(), array(grads.get(value)?))));
    gradients.collect()
}

/// Which of the two ways to compute a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Path {
    /// That of `forward`: by the kernels.
    Fused,
    /// By tensor operations.
    Composed,
}

impl Path {
    pub(crate) const BOTH: [Self; 2] = [Self::Fused, Self::Composed];

    pub(crate) fn forward<A: DynamicActivation>(self, layer: &Layer<A>, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Fused => layer.forward(x),
            Self::Composed => layer.forward_composed(x),
        }
    }

    pub(crate) fn train<A: DynamicActivation>(self, layer: &Layer<A>, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Fused => layer.forward_t(x, true),
            Self::Composed => layer.forward_composed_t(x, true),
        }
    }

    pub(crate) fn train_with<A: DynamicActivation>(
        self,
        layer: &WithContext<'_, A>,
        x: &Tensor,
    ) -> Result<Tensor> {
        match self {
            Self::Fused => layer.forward_t(x, true),
            Self::Composed => layer.forward_composed_t(x, true),
        }
    }
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
