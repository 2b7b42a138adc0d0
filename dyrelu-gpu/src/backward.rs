//! The gradients: reads x and the gradient of y once, writes that of x once.

use crate::fold::fold;
use crate::formula::{attention_gradient, gradients};
use crate::forward::load_set;
use crate::grid::{Grid, UNITS};
use crate::operands::{Operands, buffer, check_size};
use crate::Error;
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu_core::DynamicActivation;

/// The numbers of all vectors of sums that a unit has in registers.
const REGISTERS: usize = 64;

/// The numbers that a unit reads at once.
const VECTOR: usize = 4;

/// The vectors that a unit adds up before the units of a cube do.
const STEPS: usize = 8;

/// The sums that the units of a cube add up at once.
const TOGETHER: usize = 8;

/// The channels that one unit adds up for the gradient of the attention.
const CHANNELS: usize = 16;

/// The gradients of [`forward`](crate::forward).
#[derive(Debug, Clone)]
pub struct Gradients {
    /// As x. The path through the hyper function is not in it.
    pub x: Handle,
    /// As the coefficients, if a piece has any.
    pub coefficients: Option<Handle>,
    /// As the attention, in mode C.
    pub attention: Option<Handle>,
}

/// The gradients for that of y, `grad_y`, which is stored as x.
///
/// The same input gives the same bits on the same device.
///
/// # Errors
///
/// [`Error`], when the operands are not those of the activation.
pub fn backward<A: DynamicActivation>(
    client: &Client,
    operands: &Operands<'_>,
    grad_y: &Handle,
) -> Result<Gradients, Error> {
    operands.check::<A>()?;
    check_size("gradient of y", operands.size(), grad_y)?;
    let x = client.empty(operands.size());
    let count = Operands::coefficients_of_set::<A>();
    if operands.elements() == 0 {
        let zeros = |len: usize| client.create_from_slice(&vec![0; len * size_of::<f32>()]);
        return Ok(Gradients {
            x,
            coefficients: operands.coefficients.map(|_| zeros(operands.rows() * count)),
            attention: operands.attention.map(|_| zeros(operands.samples * operands.len)),
        });
    }
    let grid = Grid::new(client, operands, VECTOR.min(REGISTERS / count.max(1)), STEPS);
    let parts = operands.coefficients.map(|_| client.empty(operands.rows() * grid.tiles() * count * size_of::<f32>()));
    backward_kernel::launch::<A>(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        operands.x(grid.vector),
        buffer(grad_y, operands.elements() / grid.vector),
        operands.coefficients::<A>().into(),
        operands.attention(grid.vector).into(),
        buffer(&x, operands.elements() / grid.vector),
        parts.as_ref().map(|parts| buffer(parts, operands.rows() * grid.tiles() * count)).into(),
        operands.rows(),
        operands.sets,
        grid.vectors,
        grid.tiles(),
        grid.steps,
        grid.width,
        count,
        operands.number.elem(),
    );
    Ok(Gradients {
        x,
        coefficients: parts.map(|parts| fold(client, parts, operands.rows(), grid.tiles(), count)),
        attention: operands.attention.map(|_| attention::<A>(client, operands, grad_y)),
    })
}

#[cube(launch)]
fn backward_kernel<A: DynamicActivation, F: Float, N: Size>(
    x: &[Vector<F, N>],
    grad_y: &[Vector<F, N>],
    coefficients: ComptimeOption<&[f32]>,
    attention: ComptimeOption<&[Vector<f32, N>]>,
    grad_x: &mut [Vector<F, N>],
    parts: ComptimeOption<&mut [f32]>,
    rows: usize,
    sets: usize,
    vectors: usize,
    tiles: usize,
    #[comptime] steps: usize,
    #[comptime] width: u32,
    #[comptime] count: usize,
    #[define(F)] _number: ElemType,
) {
    let row = CUBE_POS / tiles * CUBE_DIM_Y as usize + UNIT_POS_Y as usize;
    let tile = CUBE_POS % tiles;
    let mut sums = Array::<Vector<f32, N>>::new(comptime![count.max(1)]);
    #[unroll]
    for i in 0..count {
        sums[i] = Vector::new(0.0);
    }
    if row < rows {
        let set = load_set(coefficients, row, count);
        let first = tile * steps * CUBE_DIM_X as usize + UNIT_POS_X as usize;
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            if position < vectors {
                let i = row * vectors + position;
                let pi = attention.map(|attention| attention[row / sets * vectors + position]);
                let mut so_far = Sequence::<Vector<f32, N>>::new();
                #[unroll]
                for j in 0..count {
                    so_far.push(sums[j]);
                }
                let gradients =
                    gradients::<A, N>(Vector::cast_from(x[i]), Vector::cast_from(grad_y[i]), &set, pi, so_far);
                grad_x[i] = Vector::cast_from(*gradients.index(0));
                #[unroll]
                for j in 0..count {
                    sums[j] = *gradients.index(j + 1);
                }
            }
        }
    }
    #[comptime]
    match parts {
        ComptimeOption::Some(parts) => {
            add_up_cube(&sums, parts, row, rows, row * tiles + tile, width, count);
        }
        ComptimeOption::None => {}
    }
}

/// Adds up the sums of the units that share a row, and stores them as a part.
#[cube]
fn add_up_cube<N: Size>(
    sums: &Array<Vector<f32, N>>,
    parts: &mut [f32],
    row: usize,
    rows: usize,
    part: usize,
    #[comptime] width: u32,
    #[comptime] count: usize,
) {
    let units = comptime![UNITS as usize];
    let mut shared = Shared::<[f32]>::new_slice(comptime![TOGETHER.min(count) * UNITS as usize]);
    let pos = UNIT_POS as usize;
    #[unroll]
    for group in 0..comptime![count.div_ceil(TOGETHER)] {
        let start = comptime![group * TOGETHER];
        let together = comptime![TOGETHER.min(count - start)];
        sync_cube();
        #[unroll]
        for j in 0..together {
            shared[j * units + pos] = sum_of_lanes(sums[start + j]);
        }
        sync_cube();
        #[unroll]
        for halving in 0..comptime![width.ilog2()] {
            let half = comptime![width >> (halving + 1)];
            if UNIT_POS_X < half {
                #[unroll]
                for j in 0..together {
                    let other = shared[j * units + pos + half as usize];
                    shared[j * units + pos] += other;
                }
            }
            sync_cube();
        }
        if UNIT_POS_X == 0 && row < rows {
            #[unroll]
            for j in 0..together {
                parts[part * count + start + j] = shared[j * units + pos];
            }
        }
    }
}

#[cube]
fn sum_of_lanes<N: Size>(vector: Vector<f32, N>) -> f32 {
    let mut sum = vector.extract(0usize);
    #[unroll]
    for lane in 1..N::value() {
        sum += vector.extract(lane);
    }
    sum
}

/// The gradient of the attention: a pass of its own over x and the gradient of y, as what is shared by channels is not shared by
/// positions.
fn attention<A: DynamicActivation>(client: &Client, operands: &Operands<'_>, grad_y: &Handle) -> Handle {
    let chunks = operands.sets.div_ceil(CHANNELS);
    let rows = Operands { sets: chunks, ..*operands };
    let grid = Grid::new(client, &rows, VECTOR, 1);
    let parts = client.empty(rows.elements() * size_of::<f32>());
    attention_kernel::launch::<A>(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        operands.x(grid.vector),
        buffer(grad_y, operands.elements() / grid.vector),
        operands.coefficients::<A>().into(),
        operands.attention(grid.vector).into(),
        buffer(&parts, rows.elements() / grid.vector),
        rows.rows(),
        operands.sets,
        grid.vectors,
        grid.tiles(),
        CHANNELS,
        Operands::coefficients_of_set::<A>(),
        operands.number.elem(),
    );
    fold(client, parts, operands.samples, chunks, operands.len)
}

#[cube(launch)]
fn attention_kernel<A: DynamicActivation, F: Float, N: Size>(
    x: &[Vector<F, N>],
    grad_y: &[Vector<F, N>],
    coefficients: ComptimeOption<&[f32]>,
    attention: ComptimeOption<&[Vector<f32, N>]>,
    parts: &mut [Vector<f32, N>],
    rows: usize,
    sets: usize,
    vectors: usize,
    tiles: usize,
    #[comptime] channels: usize,
    #[comptime] count: usize,
    #[define(F)] _number: ElemType,
) {
    let row = CUBE_POS / tiles * CUBE_DIM_Y as usize + UNIT_POS_Y as usize;
    let position = CUBE_POS % tiles * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    if row < rows && position < vectors {
        let chunks = sets.div_ceil(channels);
        let (sample, chunk) = (row / chunks, row % chunks);
        let pi = attention.map(|attention| attention[sample * vectors + position]);
        let mut sum = Vector::<f32, N>::new(0.0);
        for channel in 0..channels {
            let channel = chunk * channels + channel;
            if channel < sets {
                let set = load_set(coefficients, sample * sets + channel, count);
                let i = (sample * sets + channel) * vectors + position;
                sum += attention_gradient::<A, N>(
                    Vector::cast_from(x[i]),
                    Vector::cast_from(grad_y[i]),
                    &set,
                    pi,
                );
            }
        }
        parts[row * vectors + position] = sum;
    }
}
