//! [`Number`]: the float types that the kernels are for, as Flex stores them.

use super::twins::Pool;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bytes, Element, Shape};
use dyrelu_core::{DynamicActivation, Scalar};

/// `f32` or `f64`.
pub(super) trait Number: Scalar + Element {
    /// All that the tensor's memory holds.
    fn storage(tensor: &FlexTensor) -> &[Self];

    /// The same to be changed, if it is nobody else's.
    fn storage_mut(tensor: &mut FlexTensor) -> Option<&mut [Self]>;

    /// A tensor with the same number everywhere.
    fn filled(shape: Shape, number: Self) -> FlexTensor;

    fn bytes(numbers: Vec<Self>) -> Bytes;

    /// The layers of this float type.
    fn pool<A: DynamicActivation>(pool: &mut Pool<A>) -> &mut Vec<dyrelu_core::Layer<A, Self>>;
}

macro_rules! number {
    ($float:ident) => {
        impl Number for $float {
            fn storage(tensor: &FlexTensor) -> &[Self] {
                tensor.storage()
            }

            fn storage_mut(tensor: &mut FlexTensor) -> Option<&mut [Self]> {
                tensor.try_storage_mut()
            }

            fn filled(shape: Shape, number: Self) -> FlexTensor {
                FlexTensor::filled_typed(shape, Self::dtype(), number)
            }

            fn bytes(numbers: Vec<Self>) -> Bytes {
                Bytes::from_elems(numbers)
            }

            fn pool<A: DynamicActivation>(pool: &mut Pool<A>) -> &mut Vec<dyrelu_core::Layer<A, Self>> {
                &mut pool.$float
            }
        }
    };
}

number!(f32);
number!(f64);
