//! The gradients: reads x and the gradient of y once, writes that of x once.

use crate::Error;
use crate::fold::fold;
use crate::formula::gradients;
use crate::forward::load_set;
use crate::grid::{Grid, UNITS, VECTOR, cubes, place};
use crate::operands::{Operands, buffer, check_size, f32s, zeros};
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu_core::DynamicActivation;

/// The numbers of all sums that a unit has in registers.
const REGISTERS: usize = 64;

/// The units that share a row: fewer than a cube has, so that they add up more themselves, and then in fewer steps together.
pub(crate) const WIDTH: u32 = 64;

/// The vectors that a unit adds up before the units of a cube do.
pub(crate) const STEPS: usize = 16;

/// The same in mode C, where a unit also has the sums of so many gradients of the attention.
const STEPS_WITH_ATTENTION: usize = 8;

/// The channels of which a unit adds up the gradients of the attention.
const CHANNELS: usize = 16;

/// The numbers that the units of a cube can share: 16 KiB, which every device has.
const SHARED: usize = 4096;

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
        return Ok(Gradients {
            x,
            coefficients: operands
                .coefficients
                .map(|_| zeros(client, operands.rows() * count)),
            attention: operands
                .attention
                .map(|_| zeros(client, operands.samples * operands.len)),
        });
    }
    let vector = VECTOR.min(REGISTERS / count.max(1));
    let (steps, units, group) = if operands.attention.is_some() {
        (
            // These steps are unrolled, those of many pieces are not to be too many.
            STEPS_WITH_ATTENTION.min(REGISTERS / count.max(1)).max(1),
            // Few units, so that the sums of all members have room.
            WIDTH,
            Group {
                samples: operands.samples,
                sets: operands.sets,
                members: members(count),
            },
        )
    } else {
        (
            STEPS,
            UNITS,
            Group {
                samples: 1,
                sets: operands.rows(),
                members: 1,
            },
        )
    };
    let grid = Grid {
        units,
        ..Grid::new(client, operands.x_rows(), vector, WIDTH, steps)
    };
    let (rows, tiles) = (operands.rows(), grid.tiles());
    let teams = group.sets.div_ceil(group.members).next_multiple_of(grid.height());
    // A kernel has all its arguments, whether it uses them or not.
    let parts = f32s(client, rows * tiles * count);
    let attention_parts = operands
        .attention
        .map(|_| f32s(client, group.samples * teams * operands.len));
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
        grid.tiles_of_kernel(),
        group.members,
        grid.steps,
        grid.units,
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

/// The members of a team in mode C: as many as have room for their sums.
pub(crate) fn members(count: usize) -> usize {
    let room = (SHARED / WIDTH as usize / count.max(1)).clamp(1, CHANNELS);
    1 << room.ilog2()
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
    tiles: ComptimeOption<usize>,
    #[comptime] members: usize,
    #[comptime] steps: usize,
    #[comptime] units: u32,
    #[comptime] width: u32,
    #[comptime] count: usize,
    #[define(F)] _number: ElemType,
) {
    let place = place(tiles, steps);
    let (team, first) = (place.row, place.first);
    let sample = team / teams;
    let first_set = (team - sample * teams) * members;
    let with_attention = comptime![attention.is_some()];
    let mut attention_sums = Array::<Vector<f32, N>>::new(steps);
    #[unroll]
    for step in 0..steps {
        attention_sums[step] = Vector::new(0.0);
    }
    // A team has the same attention for all its members.
    let mut pis = Array::<Vector<f32, N>>::new(steps);
    #[comptime]
    if let ComptimeOption::Some(attention) = attention {
        #[unroll]
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            pis[step] = Vector::new(0.0);
            if sample < samples && position < vectors {
                pis[step] = attention[sample * vectors + position];
            }
        }
    }
    let mut sums = Array::<Vector<f32, N>>::new(comptime![count.max(1)]);
    let mut shared = Shared::<[f32]>::new_slice(comptime![shared_numbers(members, count, units)]);
    #[unroll(members == 1)]
    for member in 0..members {
        let set = first_set + member;
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
                    let pi = attention.map(|_| pis[step]);
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
        if comptime![members > 1] {
            share(&sums, &mut shared, member, 0usize, count, units);
        }
    }
    let row = sample * sets + first_set;
    let rows = select(sample < samples, sets.saturating_sub(first_set), 0usize);
    add_up_cube(
        &sums,
        &mut shared,
        parts,
        rows,
        row * place.tiles + place.tile,
        place.tiles,
        members,
        count,
        units,
        width,
    );
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

/// The numbers that units share to add up so many sums of so many members, or as many as there is room for.
pub(crate) fn shared_numbers(members: usize, count: usize, units: u32) -> usize {
    (members * count.max(1) * units as usize).min(SHARED)
}

/// Puts `count` sums of each unit, from the number `start` on, where those of its cube can be added up.
#[cube]
fn share<N: Size>(
    sums: &Array<Vector<f32, N>>,
    shared: &mut Shared<[f32]>,
    member: usize,
    #[comptime] start: usize,
    #[comptime] count: usize,
    #[comptime] units: u32,
) {
    #[unroll]
    for j in 0..count {
        shared[(member * count + j) * units as usize + UNIT_POS as usize] = sum_of_lanes(sums[start + j]);
    }
}

/// Adds up `count` sums of the units that share a row, and stores them as a part of the row, `distance` parts from row to row, for
/// so many `rows`. Of several members the units have [`share`]d all their sums before.
#[cube]
pub(crate) fn add_up_cube<N: Size>(
    sums: &Array<Vector<f32, N>>,
    shared: &mut Shared<[f32]>,
    parts: &mut [f32],
    rows: usize,
    part: usize,
    distance: usize,
    #[comptime] members: usize,
    #[comptime] count: usize,
    #[comptime] units: u32,
    #[comptime] width: u32,
) {
    let (cube, width) = comptime![(units as usize, width as usize)];
    // Units add up in two steps, about as many numbers in each.
    let middle = comptime![1usize << (width.ilog2() / 2)];
    let (x, row) = (UNIT_POS_X as usize, UNIT_POS_Y as usize * width);
    // There are several groups only of a single member with many pieces.
    let together = comptime![(SHARED / cube / members).min(count).max(1)];
    #[unroll]
    for group in 0..comptime![count.div_ceil(together)] {
        let start = comptime![group * together];
        let here = comptime![together.min(count - start)];
        let all = comptime![members * here];
        if comptime![group > 0] {
            sync_cube();
        }
        if comptime![members == 1] {
            share(sums, shared, 0usize, start, here, units);
        }
        sync_cube();
        if comptime![middle > 1] {
            #[unroll]
            for round in 0..comptime![(all * middle).div_ceil(width)] {
                let task = round * width + x;
                if task < all * middle {
                    let first = task / middle * cube + row + task % middle;
                    let mut sum = shared[first];
                    #[unroll]
                    for i in 1..comptime![width / middle] {
                        sum += shared[first + i * middle];
                    }
                    shared[first] = sum;
                }
            }
            sync_cube();
        }
        #[unroll]
        for round in 0..comptime![all.div_ceil(width)] {
            let task = round * width + x;
            if task < all && task / here < rows {
                let first = task * cube + row;
                let mut sum = shared[first];
                #[unroll]
                for i in 1..comptime![if middle > 1 { middle } else { width }] {
                    sum += shared[first + i];
                }
                parts[(part + task / here * distance) * count + start + task % here] = sum;
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
