//! What several test files share: random arrays, comparisons, the vectors from PyTorch.
#![allow(dead_code, reason = "each test file uses a part")]

use dyrelu::kernels::{self, Level};
use dyrelu::safetensors::{Dtype, SafeTensors};
use dyrelu::{DynamicActivation, Layer, Scalar};
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

/// Replaces all parameters by random ones that are large enough for the coefficients to matter.
pub(crate) fn randomise<A: DynamicActivation, T: Scalar>(layer: &mut Layer<A, T>, seed: u64) {
    for (i, (_, mut parameter)) in layer.parameters_mut().enumerate() {
        let value = random(parameter.shape(), seed.wrapping_add(1000 * i as u64));
        parameter.assign(&value);
    }
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
