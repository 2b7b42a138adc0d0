//! Between Flex's tensors and ndarray's arrays, without a copy.

use super::number::Number;
use burn::backend::flex::{FlexTensor, Layout};
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn, ShapeBuilder};

/// The tensor, or a copy if it is mirrored or repeats elements along an axis.
pub(super) fn dense<T: Number>(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let mut axes = layout
        .shape()
        .iter()
        .zip(layout.strides())
        .filter(|&(&len, _)| len > 1);
    if layout.num_elements() == 0 || axes.clone().all(|(_, &stride)| stride > 0) {
        return tensor;
    }
    if axes.all(|(_, &stride)| stride == 0) {
        // The gradient of a sum is one number, repeated. Flex would copy it element by element.
        let number = T::storage(&tensor)[layout.start_offset()];
        return T::filled(layout.shape().clone(), number);
    }
    tensor.to_contiguous()
}

/// The elements of a [dense](dense) tensor.
pub(super) fn view<T: Number>(tensor: &FlexTensor) -> ArrayViewD<'_, T> {
    let layout = tensor.layout();
    let shape = IxDyn(layout.shape().as_slice());
    let view = if layout.num_elements() == 0 {
        ArrayViewD::from_shape(shape, &[])
    } else {
        let strides: Vec<_> = layout
            .strides()
            .iter()
            .map(|stride| stride.unsigned_abs())
            .collect();
        let elements = &T::storage(tensor)[layout.start_offset()..];
        ArrayViewD::from_shape(shape.strides(IxDyn(&strides)), elements)
    };
    view.expect("a layout within the memory")
}

/// The elements to be changed, if they are in standard layout and nobody else's.
pub(super) fn view_mut<T: Number>(tensor: &mut FlexTensor) -> Option<ArrayViewMutD<'_, T>> {
    let layout = tensor.layout();
    let (start, end) = layout.contiguous_offsets()?;
    let shape = IxDyn(layout.shape().as_slice());
    let elements = T::storage_mut(tensor)?;
    Some(
        ArrayViewMutD::from_shape(shape, &mut elements[start..end])
            .expect("as many elements as the shape has"),
    )
}

/// The array as a tensor of the same memory order.
pub(super) fn tensor<T: Number>(array: ArrayD<T>) -> FlexTensor {
    let shape = array.shape().to_vec();
    let strides = array.strides().to_vec();
    let (elements, offset) = array.into_raw_vec_and_offset();
    let layout = Layout::new(shape.into(), strides, offset.unwrap_or(0));
    FlexTensor::new(T::bytes(elements), layout, T::dtype())
}
