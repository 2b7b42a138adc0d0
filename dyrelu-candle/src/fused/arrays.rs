//! Between candle's tensors and ndarray's arrays.

use super::number::Number;
use candle_core::{CpuStorage, Device, Error, Layout, Result, Shape, Storage, Tensor};
use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};

/// The elements where they stand.
pub(super) fn view<'a, T: Number>(storage: &'a CpuStorage, layout: &Layout) -> Result<ArrayViewD<'a, T>> {
    let shape = IxDyn(layout.dims());
    let elements = storage.as_slice::<T>()?;
    if layout.shape().elem_count() == 0 {
        return ArrayViewD::from_shape(shape, &[]).map_err(Error::wrap);
    }
    let strides = IxDyn(layout.stride());
    ArrayViewD::from_shape(shape.strides(strides), &elements[layout.start_offset()..]).map_err(Error::wrap)
}

/// The elements of a tensor that stand one after the other.
pub(super) fn slice<'a, T: Number>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| Error::RequiresContiguous { op: "parameters" }.bt())?;
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// The memory of a tensor on the CPU.
pub(super) fn cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => Err(Error::msg("a gradient on another device than the CPU")),
    }
}

/// The elements in standard layout, of an array that is not a part of another one.
pub(super) fn elements<T: Number>(array: ArrayD<T>) -> Vec<T> {
    let array = if array.is_standard_layout() {
        array
    } else {
        array.as_standard_layout().into_owned()
    };
    array.into_raw_vec_and_offset().0
}

/// The array as a tensor.
pub(super) fn tensor<T: Number>(array: ArrayD<T>) -> Result<Tensor> {
    let shape = Shape::from(array.shape());
    Tensor::from_vec(elements(array), shape, &Device::Cpu)
}
