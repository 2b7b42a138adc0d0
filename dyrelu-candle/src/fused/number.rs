//! [`Number`]: the float types that the kernels are for.

use super::backing::Idle;
use candle_core::WithDType;
use dyrelu_core::{DynamicActivation, Layer, Scalar};

/// `f32` or `f64`.
pub(super) trait Number: Scalar + WithDType {
    /// The layers of this float type.
    fn idle<A: DynamicActivation>(layers: &mut Idle<A>) -> &mut Vec<Layer<A, Self>>;
}

macro_rules! number {
    ($float:ident) => {
        impl Number for $float {
            fn idle<A: DynamicActivation>(layers: &mut Idle<A>) -> &mut Vec<Layer<A, Self>> {
                &mut layers.$float
            }
        }
    };
}

number!(f32);
number!(f64);
