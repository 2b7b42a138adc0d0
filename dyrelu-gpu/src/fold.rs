//! Sums over workgroups, in a fixed order.

use crate::grid::{UNITS, cubes};
use crate::operands::buffer;
use cubecl::prelude::*;
use cubecl::server::Handle;

/// The sums of `[outer, parts, inner]` over the parts, `[outer, inner]`.
pub(crate) fn fold(client: &Client, array: Handle, outer: usize, parts: usize, inner: usize) -> Handle {
    if parts == 1 {
        return array;
    }
    let sums = client.empty(outer * inner * size_of::<f32>());
    fold_kernel::launch(
        client,
        cubes(client, (outer * inner).div_ceil(UNITS as usize)),
        CubeDim::new_1d(UNITS),
        buffer(&array, outer * parts * inner),
        buffer(&sums, outer * inner),
        parts,
        inner,
    );
    sums
}

#[cube(launch)]
pub(crate) fn fold_kernel(array: &[f32], sums: &mut [f32], parts: usize, inner: usize) {
    if ABSOLUTE_POS < sums.len() {
        let first = ABSOLUTE_POS / inner * parts * inner + ABSOLUTE_POS % inner;
        let mut sum = 0.0f32;
        for part in 0..parts {
            sum += array[first + part * inner];
        }
        sums[ABSOLUTE_POS] = sum;
    }
}
