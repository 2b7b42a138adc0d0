//! What several test files share: random arrays, comparisons, the vectors from PyTorch.
#![allow(dead_code, reason = "each test file uses a part")]

use dyrelu::kernels::piecewise::PieceSet;
use dyrelu::kernels::{self, Level};
use dyrelu::safetensors::{Dtype, SafeTensors};
use dyrelu::{Cache, Context, DynamicActivation, Gradients, Layer, Scalar, Sharing, Source, WithContext};
use ndarray::{Array, ArrayD, ArrayRef, Dimension, IxDyn};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// Numbers from U(−2, 2).
pub(crate) fn random_vec<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..len)
        .map(|_| T::from_f64(rng.random_range(-2.0..2.0)))
        .collect()
}

/// An array of numbers from U(−2, 2).
pub(crate) fn random<T: Scalar>(shape: &[usize], seed: u64) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(shape), random_vec(shape.iter().product(), seed)).unwrap()
}

/// The same array with its channels last in memory.
pub(crate) fn channels_last<T: Clone, D: Dimension>(x: &ArrayRef<T, D>) -> Array<T, D> {
    let mut x = x.to_owned();
    for axis in 2..x.ndim() {
        x.swap_axes(axis - 1, axis);
    }
    let mut x = x.as_standard_layout().into_owned();
    for axis in (2..x.ndim()).rev() {
        x.swap_axes(axis - 1, axis);
    }
    x
}

/// Asserts that the arrays differ by at most `tolerance` times the largest expected magnitude.
#[track_caller]
pub(crate) fn assert_close<T: Scalar, D: Dimension>(
    what: &str,
    found: &ArrayRef<T, D>,
    expected: &ArrayRef<T, D>,
    tolerance: f64,
) {
    assert_eq!(found.shape(), expected.shape(), "{what}: shape");
    let found: Vec<f64> = found.iter().map(|v| v.to_f64()).collect();
    let expected: Vec<f64> = expected.iter().map(|v| v.to_f64()).collect();
    assert_slices_close(what, &found, &expected, tolerance);
}

/// As [`assert_close`], for slices.
#[track_caller]
pub(crate) fn assert_slices_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(0.0, |scale: f64, v| scale.max(v.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{what}: element {i} is {found}, expected {expected} (largest magnitude {scale})"
        );
    }
}

/// Random numbers that `f32` holds exactly, so that both number types see the same input.
pub(crate) fn input(len: usize, seed: u64) -> Vec<f64> {
    random_vec::<f32>(len, seed).into_iter().map(f64::from).collect()
}

/// The numbers in the type of a kernel.
pub(crate) fn narrow<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::from_f64(v)).collect()
}

/// The inverse of [`narrow`].
pub(crate) fn widen<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|v| v.to_f64()).collect()
}

/// Compares what a kernel wrote with what its twin returned.
#[track_caller]
pub(crate) fn check<T: Scalar>(what: &str, level: Level, found: &[T], expected: &[f64], tolerance: f64) {
    assert_slices_close(&format!("{what} ({level:?})"), &widen(found), expected, tolerance);
}

/// Replaces all parameters by random ones that are large enough for the coefficients to matter.
pub(crate) fn randomise<A: DynamicActivation, T: Scalar>(layer: &mut Layer<A, T>, seed: u64) {
    for (i, (_, mut parameter)) in layer.parameters_mut().enumerate() {
        let value = random(parameter.shape(), seed.wrapping_add(1000 * i as u64));
        parameter.assign(&value);
    }
}

/// A layer of any activation, with other options than the default ones where it has them, and random parameters and
/// statistics.
pub(crate) fn any_layer<A: DynamicActivation, T: Scalar>(channels: usize, seed: u64) -> Layer<A, T> {
    let mut builder = A::layer::<T>(channels);
    if !A::NEIGHBOURS.is_empty() {
        let groups = [3, 2, 1]
            .into_iter()
            .find(|&groups| channels.is_multiple_of(groups));
        builder = builder.groups(groups.unwrap());
    }
    if let Some(inputs) = context_channels::<A>(channels) {
        builder = builder.context_channels(inputs);
    }
    if A::SHARING == Sharing::Unshared {
        builder = builder.temperature(2.5).average_attention(0.4).cut_off(0.9);
    }
    let mut layer = builder.build().unwrap();
    randomise(&mut layer, seed);
    if layer.running_statistics().is_some() {
        let context = random_context::<A, T>([7, channels], seed);
        let (_, cache) = bind(&layer, context.as_ref()).forward_train(&random(&[7, channels, 5], seed));
        layer.update_statistics(&cache).unwrap();
    }
    layer
}

/// The numbers of its external context that [`any_layer`] sees, if its activation has one.
fn context_channels<A: DynamicActivation>(channels: usize) -> Option<usize> {
    let dynamic = A::COEFFICIENTS.iter();
    let dynamic = dynamic.filter(|coefficient| matches!(coefficient.source, Source::Dynamic { .. }));
    let dynamic = dynamic.count();
    if dynamic == 0 || A::HYPER.context != Context::External {
        return None;
    }
    Some(match (A::HYPER.layers, A::SHARING) {
        (0, Sharing::SpatialAndChannel) => dynamic * A::Pieces::K,
        (0, _) => channels * dynamic * A::Pieces::K,
        _ => 5,
    })
}

/// A context for [`any_layer`] of these samples and channels, if its activation has one.
pub(crate) fn random_context<A: DynamicActivation, T: Scalar>(
    [samples, channels]: [usize; 2],
    seed: u64,
) -> Option<ArrayD<T>> {
    let inputs = context_channels::<A>(channels)?;
    Some(random(&[samples, inputs, 2, 3], seed.wrapping_add(77)))
}

/// A layer with the context that it needs, if any, so that all activations are called in one way.
pub(crate) enum Bound<'a, A: DynamicActivation, T: Scalar> {
    Alone(&'a Layer<A, T>),
    With(WithContext<'a, A, T>),
}

/// See [`Bound`].
pub(crate) fn bind<'a, A: DynamicActivation, T: Scalar>(
    layer: &'a Layer<A, T>,
    context: Option<&ArrayD<T>>,
) -> Bound<'a, A, T> {
    context.map_or(Bound::Alone(layer), |context| {
        Bound::With(layer.with_context(context).unwrap())
    })
}

/// Methods of [`Layer`] and [`WithContext`], which succeed.
macro_rules! methods {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl<A: DynamicActivation, T: Scalar> Bound<'_, A, T> {
            $(pub(crate) fn $name<D: Dimension>(&self, $($argument: $type),*) -> $result {
                match self {
                    Self::Alone(layer) => layer.$name($($argument),*).unwrap(),
                    Self::With(layer) => layer.$name($($argument),*).unwrap(),
                }
            })*
        }
    };
}

methods! {
    forward(x: &ArrayRef<T, D>) -> Array<T, D>;
    forward_into(x: &ArrayRef<T, D>, y: &mut ArrayRef<T, D>) -> ();
    forward_inplace(x: &mut ArrayRef<T, D>) -> ();
    forward_train(x: &ArrayRef<T, D>) -> (Array<T, D>, Cache<T>);
    forward_train_into(x: &ArrayRef<T, D>, y: &mut ArrayRef<T, D>, cache: &mut Cache<T>) -> ();
    backward(x: &ArrayRef<T, D>, cache: &Cache<T>, grad_y: &ArrayRef<T, D>) -> Gradients<T, D>;
    backward_into(
        x: &ArrayRef<T, D>,
        cache: &Cache<T>,
        grad_y: &ArrayRef<T, D>,
        grads: &mut Gradients<T, D>
    ) -> ();
}

/// Every instruction set that this machine has.
pub(crate) fn levels() -> Vec<Level> {
    kernels::levels().into_iter().map(|(_, level)| level).collect()
}

/// The folder with the vectors from PyTorch.
pub(crate) fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// An array of `f64` from a safetensors file.
pub(crate) fn tensor(file: &SafeTensors<'_>, name: &str) -> ArrayD<f64> {
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), Dtype::F64, "{name}");
    let values = tensor
        .data()
        .chunks_exact(8)
        .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
    ArrayD::from_shape_vec(IxDyn(tensor.shape()), values.collect()).unwrap()
}
