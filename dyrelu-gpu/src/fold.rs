//! Sums over workgroups, in a fixed order.

use crate::grid::{UNITS, cubes};
use crate::operands::{buffer, f32s};
use cubecl::prelude::*;
use cubecl::server::Handle;

/// The parts that a unit adds up where there are enough units for that.
const PARTS: usize = 16;

/// The sums of `[outer, parts, inner]` over the parts, `[outer, inner]`.
pub(crate) fn fold(client: &Client, array: Handle, outer: usize, parts: usize, inner: usize) -> Handle {
    if parts == 1 {
        return array;
    }
    let sums = f32s(client, outer * inner);
    let height = u32::try_from(parts.div_ceil(PARTS).next_power_of_two()).unwrap_or(UNITS);
    let height = height.min(UNITS / 8);
    fold_kernel::launch(
        client,
        cubes(client, (outer * inner).div_ceil((UNITS / height) as usize)),
        CubeDim::new_2d(UNITS / height, height),
        buffer(&array, outer * parts * inner),
        buffer(&sums, outer * inner),
        outer * inner,
        parts,
        inner,
        height,
    );
    sums
}

#[cube(launch)]
pub(crate) fn fold_kernel(
    array: &[f32],
    sums: &mut [f32],
    count: usize,
    parts: usize,
    inner: usize,
    #[comptime] height: u32,
) {
    let width = comptime![UNITS / height];
    let i = CUBE_POS * width as usize + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    if i < count {
        let first = i / inner * parts * inner + i % inner;
        for step in 0..parts.div_ceil(height as usize) {
            let part = step * height as usize + UNIT_POS_Y as usize;
            if part < parts {
                sum += array[first + part * inner];
            }
        }
    }
    if comptime![height > 1] {
        let mut shared = Shared::<[f32]>::new_slice(comptime![UNITS as usize]);
        shared[UNIT_POS as usize] = sum;
        sync_cube();
        if UNIT_POS_Y == 0 {
            #[unroll]
            for y in 1..height {
                sum += shared[(y * width + UNIT_POS_X) as usize];
            }
        }
    }
    if UNIT_POS_Y == 0 && i < count {
        sums[i] = sum;
    }
}
