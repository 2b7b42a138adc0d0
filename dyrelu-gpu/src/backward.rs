//! The gradients: reads x and the gradient of y once, writes that of x once.

use crate::Error;
use crate::fold::fold;
use crate::formula::gradients;
use crate::forward::load_set;
use crate::grid::{Grid, UNITS, cubes};
use crate::operands::{Operands, buffer, check_size};
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu_core::DynamicActivation;

/// The numbers of all sums that a unit has in registers.
const REGISTERS: usize = 64;

/// The numbers that a unit reads at once.
pub(crate) const VECTOR: usize = 4;

/// The units that share a row: fewer than a cube has, so that they add up more themselves, and then in fewer steps together.
pub(crate) const WIDTH: u32 = 64;

/// The vectors that a unit adds up before the units of a cube do.
pub(crate) const STEPS: usize = 16;

/// The same in mode C, where a unit also has the sums of so many gradients of the attention.
const STEPS_WITH_ATTENTION: usize = 8;

/// The channels of which a unit adds up the gradients of the attention.
pub(crate) const CHANNELS: usize = 16;

/// The sums that the units of a cube add up at once.
const TOGETHER: usize = 8;

/// A unit adds up two to the power of so many sums of others at once: units wait for each other less often than by halving.
const RADIX_LOG2: u32 = 3;

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
    operands.check::<A>(client)?;
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
    let vector = VECTOR.min(REGISTERS / count.max(1));
    let (steps, group) = if operands.attention.is_some() {
        // These steps are unrolled, those of many pieces are not to be too many.
        (
            STEPS_WITH_ATTENTION.min(REGISTERS / count.max(1)).max(1),
            Group {
                samples: operands.samples,
                sets: operands.sets,
                members: CHANNELS,
            },
        )
    } else {
        (
            STEPS,
            Group {
                samples: 1,
                sets: operands.rows(),
                members: 1,
            },
        )
    };
    let grid = Grid::new(client, operands.x_rows(), vector, WIDTH, steps);
    let (rows, tiles) = (operands.rows(), grid.tiles());
    let teams = group.sets.div_ceil(group.members).next_multiple_of(grid.height());
    // A kernel has all its arguments, whether it uses them or not.
    let parts = client.empty((rows * tiles * count).max(1) * size_of::<f32>());
    let attention_parts = operands
        .attention
        .map(|_| client.empty(group.samples * teams * operands.len * size_of::<f32>()));
    backward_kernel::launch::<A>(
        client,
        cubes(client, group.samples * teams / grid.height() * tiles),
        grid.cube_dim(),
        grid.vector,
        operands.x_rows().buffer(grid.vector),
        buffer(grad_y, operands.elements() / grid.vector),
        operands.coefficients::<A>().into(),
        operands.attention(grid.vector).into(),
        buffer(&x, operands.elements() / grid.vector),
        buffer(&parts, rows * tiles * count),
        attention_parts
            .as_ref()
            .map(|parts| buffer(parts, group.samples * teams * grid.vectors))
            .into(),
        group.samples,
        group.sets,
        teams,
        grid.vectors,
        tiles,
        group.members,
        grid.steps,
        grid.width,
        count,
        operands.number.elem(),
    );
    Ok(Gradients {
        x,
        coefficients: operands
            .coefficients
            .map(|_| fold(client, parts, rows, tiles, count)),
        attention: attention_parts.map(|parts| fold(client, parts, group.samples, teams, operands.len)),
    })
}

/// Rows that a *team*, the units that share a row, has one after the other: in mode C some channels of a sample, so that
/// what it adds up for the attention are fewer numbers than x; else single rows, and no samples.
struct Group {
    samples: usize,
    /// The rows of a sample.
    sets: usize,
    /// The rows of a team.
    members: usize,
}

#[cube(launch)]
pub(crate) fn backward_kernel<A: DynamicActivation, F: Float, N: Size>(
    x: &[Vector<F, N>],
    grad_y: &[Vector<F, N>],
    coefficients: ComptimeOption<&[f32]>,
    attention: ComptimeOption<&[Vector<f32, N>]>,
    grad_x: &mut [Vector<F, N>],
    parts: &mut [f32],
    attention_parts: ComptimeOption<&mut [Vector<f32, N>]>,
    samples: usize,
    sets: usize,
    teams: usize,
    vectors: usize,
    tiles: usize,
    #[comptime] members: usize,
    #[comptime] steps: usize,
    #[comptime] width: u32,
    #[comptime] count: usize,
    #[define(F)] _number: ElemType,
) {
    let tile = CUBE_POS % tiles;
    let team = CUBE_POS / tiles * CUBE_DIM_Y as usize + UNIT_POS_Y as usize;
    let sample = team / teams;
    let first = tile * steps * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    let with_attention = comptime![attention.is_some()];
    let mut attention_sums = Array::<Vector<f32, N>>::new(steps);
    #[unroll]
    for step in 0..steps {
        attention_sums[step] = Vector::new(0.0);
    }
    let mut sums = Array::<Vector<f32, N>>::new(comptime![count.max(1)]);
    for member in 0..members {
        let set = team % teams * members + member;
        let row = sample * sets + set;
        let is_row = sample < samples && set < sets;
        #[unroll]
        for j in 0..count {
            sums[j] = Vector::new(0.0);
        }
        if is_row {
            let set = load_set(coefficients, row, count);
            #[unroll(with_attention)]
            for step in 0..steps {
                let position = first + step * CUBE_DIM_X as usize;
                if position < vectors {
                    let i = row * vectors + position;
                    let pi = attention.map(|attention| attention[sample * vectors + position]);
                    let mut so_far = Sequence::<Vector<f32, N>>::new();
                    #[unroll]
                    for j in 0..count {
                        so_far.push(sums[j]);
                    }
                    let gradients = gradients::<A, N>(
                        Vector::cast_from(x[i]),
                        Vector::cast_from(grad_y[i]),
                        &set,
                        pi,
                        so_far,
                    );
                    grad_x[i] = Vector::cast_from(*gradients.index(0));
                    #[unroll]
                    for j in 0..count {
                        sums[j] = *gradients.index(j + 1);
                    }
                    if with_attention {
                        attention_sums[step] += *gradients.index(count + 1);
                    }
                }
            }
        }
        if comptime![count > 0] {
            add_up_cube(&sums, parts, is_row, row * tiles + tile, width, count);
        }
    }
    #[comptime]
    match attention_parts {
        ComptimeOption::Some(parts) =>
        {
            #[unroll]
            for step in 0..steps {
                let position = first + step * CUBE_DIM_X as usize;
                if sample < samples && position < vectors {
                    parts[team * vectors + position] = attention_sums[step];
                }
            }
        }
        ComptimeOption::None => {}
    }
}

/// Adds up the sums of the units that share a row, and stores them as a part.
#[cube]
pub(crate) fn add_up_cube<N: Size>(
    sums: &Array<Vector<f32, N>>,
    parts: &mut [f32],
    is_row: bool,
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
        for level in 0..comptime![width.ilog2().div_ceil(RADIX_LOG2)] {
            let left = comptime![width >> (level * RADIX_LOG2)];
            let next = comptime![(left >> RADIX_LOG2).max(1)];
            if UNIT_POS_X < next {
                #[unroll]
                for j in 0..together {
                    let mut sum = shared[j * units + pos];
                    #[unroll]
                    for i in 1..comptime![left / next] {
                        sum += shared[j * units + pos + (i * next) as usize];
                    }
                    shared[j * units + pos] = sum;
                }
            }
            sync_cube();
        }
        if UNIT_POS_X == 0 && is_row {
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
