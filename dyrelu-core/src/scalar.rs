//! [`Scalar`]: the number types that a layer can hold, `f32` and `f64`.

use crate::Elementwise;
use fearless_simd::{Bytes, Simd, SimdBase, SimdFloat, SimdFloatElement, SimdMask};

/// The lane mask of a native vector of `T` on the instruction set `S`.
pub(crate) type NativeMask<S, T> = <<T as SimdFloatElement>::Native<S> as SimdBase<S>>::Mask;

/// A number type of layers: `f32` or `f64`.
///
/// Sealed: a layer's kernels, its files and its initialisation are defined for these two. To run a *piece* on
/// another type, implement [`Elementwise`] for it.
pub trait Scalar:
    Elementwise<Mask = bool> + SimdFloatElement + Send + Sync + sealed::Sealed + 'static
{
    /// The type's name in a safetensors file.
    #[doc(hidden)]
    const DTYPE: safetensors::Dtype;

    /// The number nearest to `value`.
    #[must_use]
    fn from_f64(value: f64) -> Self;

    /// The same number; exact.
    #[must_use]
    fn to_f64(self) -> f64;

    /// Appends the number's bytes, least significant first.
    #[doc(hidden)]
    fn write_le(self, bytes: &mut Vec<u8>);

    /// The number in `bytes`, least significant first; `bytes` holds exactly one.
    #[doc(hidden)]
    fn read_le(bytes: &[u8]) -> Self;

    /// How eˣ is computed on lanes.
    #[doc(hidden)]
    const EXP: ExpConstants;

    /// `vector` where `mask` holds and zero elsewhere, as one bitwise operation: a select against a zero
    /// vector would cost a register more.
    #[doc(hidden)]
    fn keep<S: Simd>(mask: NativeMask<S, Self>, vector: Self::Native<S>) -> Self::Native<S>;
}

/// The constants of the exponential function for one floating-point format.
///
/// eˣ = 2ⁿ · eʳ with n = round(x / ln 2) and r = x − n · ln 2, where ln 2 is split in two so that n · `ln2_high`
/// is exact. The addition of `shift` leaves n in the low bits of the sum, from where it becomes an exponent.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct ExpConstants {
    /// Below this eˣ is zero.
    pub(crate) low: f64,
    /// Above this eˣ is infinite.
    pub(crate) high: f64,
    pub(crate) ln2_high: f64,
    pub(crate) ln2_low: f64,
    /// 1.5 · 2^`mantissa_bits` + the format's exponent bias.
    pub(crate) shift: f64,
    pub(crate) mantissa_bits: u32,
    /// The degree of the Taylor polynomial of eʳ on |r| ≤ ln 2 / 2, where the next term is below the format's
    /// precision.
    pub(crate) degree: usize,
}

macro_rules! scalar {
    ($float:ty, $dtype:ident, $exp:expr) => {
        impl sealed::Sealed for $float {}

        impl Scalar for $float {
            const DTYPE: safetensors::Dtype = safetensors::Dtype::$dtype;
            const EXP: ExpConstants = $exp;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                <Self as Elementwise>::lift(&0.0, value)
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            fn write_le(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }

            fn read_le(bytes: &[u8]) -> Self {
                let mut buffer = [0; size_of::<Self>()];
                buffer.copy_from_slice(bytes);
                Self::from_le_bytes(buffer)
            }

            #[inline(always)]
            fn keep<S: Simd>(mask: NativeMask<S, Self>, vector: Self::Native<S>) -> Self::Native<S> {
                let mask: <Self::Native<S> as SimdFloat<S>>::Bits = mask.to_vector().bitcast();
                <Self::Native<S> as SimdFloat<S>>::from_bits(vector.to_bits() & mask)
            }
        }
    };
}

scalar!(
    f32,
    F32,
    ExpConstants {
        low: -104.0,
        high: 89.0,
        ln2_high: 0.693_359_375,
        ln2_low: -2.121_944_400_546_905_8e-4,
        shift: 12_582_912.0 + 127.0,
        mantissa_bits: 23,
        degree: 7,
    }
);
scalar!(
    f64,
    F64,
    ExpConstants {
        low: -746.0,
        high: 710.0,
        ln2_high: 0.693_147_180_369_123_8,
        ln2_low: 1.908_214_929_270_587_7e-10,
        shift: 6_755_399_441_055_744.0 + 1023.0,
        mantissa_bits: 52,
        degree: 13,
    }
);

mod sealed {
    pub trait Sealed {}
}
