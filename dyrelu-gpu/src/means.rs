//! The means that the hyper function sees, and the way back through them.

use crate::Error;
use crate::backward::{STEPS, VECTOR, WIDTH, add_up_cube};
use crate::fold::fold;
use crate::grid::{Grid, UNITS};
use crate::operands::{Rows, buffer, check_size};
use cubecl::prelude::*;
use cubecl::server::Handle;

/// The mean of each row, in `f32`. The same input gives the same bits on the same device.
///
/// # Errors
///
/// [`Error`], when x is smaller than the rows are.
pub fn means(client: &Client, x: Rows<'_>) -> Result<Handle, Error> {
    x.check("x")?;
    let grid = Grid::new(client, x, VECTOR, WIDTH, STEPS);
    let (rows, tiles) = (x.rows, grid.tiles());
    let parts = client.empty((rows * tiles).max(1) * size_of::<f32>());
    if x.elements() == 0 {
        return Ok(parts);
    }
    means_kernel::launch(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        x.buffer(grid.vector),
        buffer(&parts, rows * tiles),
        rows,
        grid.vectors,
        tiles,
        1.0 / x.len as f32,
        grid.steps,
        grid.width,
        x.number.elem(),
    );
    Ok(fold(client, parts, rows, tiles, 1))
}

#[cube(launch)]
fn means_kernel<F: Float, N: Size>(
    x: &[Vector<F, N>],
    parts: &mut [f32],
    rows: usize,
    vectors: usize,
    tiles: usize,
    factor: f32,
    #[comptime] steps: usize,
    #[comptime] width: u32,
    #[define(F)] _number: ElemType,
) {
    let tile = CUBE_POS % tiles;
    let row = CUBE_POS / tiles * CUBE_DIM_Y as usize + UNIT_POS_Y as usize;
    let first = tile * steps * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    let mut sum = Vector::<f32, N>::new(0.0);
    if row < rows {
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            if position < vectors {
                sum += Vector::<f32, N>::cast_from(x[row * vectors + position]);
            }
        }
    }
    let mut sums = Array::<Vector<f32, N>>::new(1usize);
    sums[0] = sum * Vector::new(factor);
    add_up_cube(&sums, parts, row < rows, row * tiles + tile, width, 1usize);
}

/// Adds to the gradient of x, in place, what comes through the means: the gradient of its row's mean divided by the row's length.
///
/// # Errors
///
/// [`Error`], when an array is smaller than the rows are.
pub fn add_gradient_of_means(client: &Client, grad_x: Rows<'_>, grad_means: &Handle) -> Result<(), Error> {
    grad_x.check("gradient of x")?;
    check_size(
        "gradient of the means",
        grad_x.rows * size_of::<f32>(),
        grad_means,
    )?;
    if grad_x.elements() == 0 {
        return Ok(());
    }
    let grid = Grid::new(client, grad_x, VECTOR, UNITS, STEPS);
    add_kernel::launch(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        grad_x.buffer(grid.vector),
        buffer(grad_means, grad_x.rows),
        grad_x.rows,
        grid.vectors,
        grid.tiles(),
        1.0 / grad_x.len as f32,
        grid.steps,
        grad_x.number.elem(),
    );
    Ok(())
}

#[cube(launch)]
fn add_kernel<F: Float, N: Size>(
    grad_x: &mut [Vector<F, N>],
    grad_means: &[f32],
    rows: usize,
    vectors: usize,
    tiles: usize,
    factor: f32,
    #[comptime] steps: usize,
    #[define(F)] _number: ElemType,
) {
    let row = CUBE_POS / tiles * CUBE_DIM_Y as usize + UNIT_POS_Y as usize;
    if row < rows {
        let of_mean = Vector::<f32, N>::new(grad_means[row] * factor);
        let first = CUBE_POS % tiles * steps * CUBE_DIM_X as usize + UNIT_POS_X as usize;
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            if position < vectors {
                let i = row * vectors + position;
                grad_x[i] = Vector::cast_from(Vector::<f32, N>::cast_from(grad_x[i]) + of_mean);
            }
        }
    }
}
