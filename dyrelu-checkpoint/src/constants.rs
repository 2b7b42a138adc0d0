//! The constants that the seed implementation saves beside its parameters.

use safetensors::Dtype;

/// λ of each coefficient of each piece.
pub(crate) const LAMBDAS: &str = "lambdas";

/// Their initial values.
pub(crate) const INIT_V: &str = "init_v";

/// The bytes of a constant of DY-ReLU for pieces of one or two coefficients, in a float type: λ = 1 for slopes and ½ for
/// intercepts, which begin as the identity.
pub(crate) fn of_dy_relu(name: &str, coefficients: usize, pieces: usize, dtype: Dtype) -> Option<Vec<u8>> {
    if ![LAMBDAS, INIT_V].contains(&name) {
        return None;
    }
    let numbers = (0..coefficients * pieces).map(|i| match (name, i / pieces, i) {
        (LAMBDAS, 0, _) | (INIT_V, _, 0) => 1.0,
        (LAMBDAS, ..) => 0.5,
        _ => 0.0,
    });
    numbers
        .map(|number| bytes(number, dtype))
        .collect::<Option<Vec<_>>>()
        .map(|bytes| bytes.concat())
}

/// The little-endian bytes of 0, ½ or 1.
fn bytes(number: f32, dtype: Dtype) -> Option<Vec<u8>> {
    let upper_half = |bits: u32| ((bits >> 16) as u16).to_le_bytes().to_vec();
    Some(match dtype {
        Dtype::F64 => f64::from(number).to_le_bytes().to_vec(),
        Dtype::F32 => number.to_le_bytes().to_vec(),
        Dtype::BF16 => upper_half(number.to_bits()),
        // Three bits less of exponent, whose bias is 112 less.
        Dtype::F16 if number == 0.0 => vec![0, 0],
        Dtype::F16 => upper_half((number.to_bits() - (112 << 23)) << 3),
        _ => return None,
    })
}
