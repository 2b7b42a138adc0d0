//! The activation itself: reads x once, writes y once.

use crate::Error;
use crate::formula::value;
use crate::grid::{Grid, UNITS, VECTOR, place};
use crate::operands::{Operands, buffer};
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu_core::DynamicActivation;

/// The vectors that a unit computes, so that their loads overlap.
const STEPS: usize = 4;

/// y, stored as x.
///
/// # Errors
///
/// [`Error`], when the operands are not those of the activation.
pub fn forward<A: DynamicActivation>(client: &Client, operands: &Operands<'_>) -> Result<Handle, Error> {
    operands.check::<A>(client)?;
    let y = client.empty(operands.size());
    if operands.elements() == 0 {
        return Ok(y);
    }
    let grid = Grid::new(client, operands.x_rows(), VECTOR, UNITS, STEPS);
    forward_kernel::launch::<A>(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        operands.x_rows().buffer(grid.vector),
        operands.coefficients::<A>().into(),
        operands.attention(grid.vector).into(),
        buffer(&y, operands.elements() / grid.vector),
        operands.rows(),
        operands.sets,
        grid.vectors,
        grid.tiles_of_kernel(),
        grid.steps,
        Operands::coefficients_of_set::<A>(),
        operands.number.elem(),
    );
    Ok(y)
}

#[cube(launch)]
pub(crate) fn forward_kernel<A: DynamicActivation, F: Float, N: Size>(
    x: &[Vector<F, N>],
    coefficients: ComptimeOption<&[f32]>,
    attention: ComptimeOption<&[Vector<f32, N>]>,
    y: &mut [Vector<F, N>],
    rows: usize,
    sets: usize,
    vectors: usize,
    tiles: ComptimeOption<usize>,
    #[comptime] steps: usize,
    #[comptime] count: usize,
    #[define(F)] _number: ElemType,
) {
    let place = place(tiles, steps);
    let (row, first) = (place.row, place.first);
    if row < rows {
        let set = load_set(coefficients, row, count);
        let start = row / sets * vectors;
        #[unroll]
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            if position < vectors {
                let i = row * vectors + position;
                let pi = attention.map(|attention| attention[start + position]);
                y[i] = Vector::cast_from(value::<A, N>(Vector::cast_from(x[i]), &set, pi));
            }
        }
    }
}

/// The coefficients of a row.
#[cube]
pub(crate) fn load_set(
    coefficients: ComptimeOption<&[f32]>,
    row: usize,
    #[comptime] count: usize,
) -> Sequence<f32> {
    let mut set = Sequence::<f32>::new();
    #[unroll]
    for i in 0..count {
        set.push(coefficients.unwrap()[row * count + i]);
    }
    set
}
