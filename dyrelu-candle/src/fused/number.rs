//! [`Number`]: the float types that the kernels are for.

use super::twins::Pool;
use candle_core::WithDType;
use dyrelu_core::{DynamicActivation, Layer, Scalar};

/// `f32` or `f64`.
pub(super) trait Number: Scalar + WithDType {
    /// The layers of this float type.
    fn pool<A: DynamicActivation>(pool: &mut Pool<A>) -> &mut Vec<Layer<A, Self>>;
}

macro_rules! number {
    ($float:ident) => {
        impl Number for $float {
            fn pool<A: DynamicActivation>(pool: &mut Pool<A>) -> &mut Vec<Layer<A, Self>> {
                &mut pool.$float
            }
        }
    };
}

number!(f32);
number!(f64);
