//! [`Layout`]: the order in which the elements of an array stand in memory.

use ndarray::{Array, ArrayRef, Dimension};
use std::borrow::Cow;

/// The memory orders that kernels work on. Other arrays are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[N, C, ...]`.
    Rows,
    /// `[N, ..., C]`.
    ChannelsLast,
}

impl Layout {
    /// The layout of an array `[N, C, ...]`, if it has one of them.
    pub(super) fn of<T, D: Dimension>(array: &ArrayRef<T, D>) -> Option<Self> {
        slice(array).map(|(layout, _)| layout)
    }

    /// The layout of an array of this shape in standard layout. A map of one position is both, and rows of one element
    /// are slow.
    pub(super) fn of_standard(shape: &[usize]) -> Self {
        if shape[1] > 1 && shape[2..].iter().all(|&len| len == 1) {
            Self::ChannelsLast
        } else {
            Self::Rows
        }
    }
}

/// The layout and the elements of an array `[N, C, ...]`, unless it has neither layout.
pub(super) fn slice<T, D: Dimension>(array: &ArrayRef<T, D>) -> Option<(Layout, &[T])> {
    if let Some(slice) = array.as_slice() {
        return Some((Layout::of_standard(array.shape()), slice));
    }
    let mut view = array.view();
    for axis in 2..view.ndim() {
        view.swap_axes(axis - 1, axis);
    }
    Some((Layout::ChannelsLast, view.to_slice()?))
}

/// The elements in standard layout: where they stand, or copied. A view of an array of many axes would be allocated.
pub(super) fn rows<T: Clone, D: Dimension>(array: &ArrayRef<T, D>) -> Cow<'_, [T]> {
    match array.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(
            array
                .as_standard_layout()
                .into_owned()
                .into_raw_vec_and_offset()
                .0,
        ),
    }
}

/// As [`slice`], to be changed.
pub(super) fn slice_mut<T, D: Dimension>(array: &mut ArrayRef<T, D>) -> Option<(Layout, &mut [T])> {
    if array.is_standard_layout() {
        return Some((Layout::of_standard(array.shape()), array.as_slice_mut()?));
    }
    let mut view = array.view_mut();
    for axis in 2..view.ndim() {
        view.swap_axes(axis - 1, axis);
    }
    Some((Layout::ChannelsLast, view.into_slice()?))
}

/// Zeros in the shape of x: in its memory order if its channels are last there, in standard layout otherwise.
pub(super) fn zeros_like<T: Clone + Default, D: Dimension>(x: &ArrayRef<T, D>) -> Array<T, D> {
    let mut shape = x.raw_dim();
    if x.is_standard_layout() || Layout::of(x).is_none() {
        return Array::from_elem(shape, T::default());
    }
    shape.slice_mut()[1..].rotate_left(1);
    let mut zeros = Array::from_elem(shape, T::default());
    for axis in (2..x.ndim()).rev() {
        zeros.swap_axes(axis - 1, axis);
    }
    zeros
}
