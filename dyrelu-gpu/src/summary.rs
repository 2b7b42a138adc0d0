//! What the hyper function and the attention see of x, and the way back: the means of channels and the scores of positions.

use crate::Error;
use crate::backward::{STEPS, WIDTH, add_up_cube, shared_numbers};
use crate::fold::fold;
use crate::grid::{Grid, UNITS, VECTOR, cubes, place};
use crate::operands::{Planes, buffer, check_f32s, f32s, zeros};
use cubecl::prelude::*;
use cubecl::server::Handle;

/// The channels of which a unit adds up the shares in a score.
const CHANNELS: usize = 32;

/// The mean of each channel of each sample, `[N, C]` of `f32`. The same input gives the same bits on the same device.
///
/// # Errors
///
/// [`Error::Size`] and [`Error::Elements`], when x is not what it should be.
pub fn means(client: &Client, x: Planes<'_>) -> Result<Handle, Error> {
    x.rows().check("x")?;
    Ok(row_sums(client, x, None, 1.0 / x.positions as f32))
}

/// The score of each position of each sample, `[N, S]` of `f32`: the `bias`, `[1]`, and the sum over the channels of x times their
/// `weight`, `[C]`. The same input gives the same bits on the same device.
///
/// # Errors
///
/// [`Error::Size`] and [`Error::Elements`], when an array is not what it should be.
pub fn scores(client: &Client, x: Planes<'_>, weight: &Handle, bias: &Handle) -> Result<Handle, Error> {
    x.rows().check("x")?;
    check_f32s("the scores' weight", x.channels, weight)?;
    check_f32s("the scores' bias", 1, bias)?;
    if x.rows().elements() == 0 {
        return Ok(zeros(client, x.samples * x.positions));
    }
    let teams = x.channels.div_ceil(CHANNELS);
    let grid = Grid::new(client, x.rows(), VECTOR, UNITS, 1);
    let parts = f32s(client, x.samples * teams * x.positions);
    scores_kernel::launch(
        client,
        cubes(client, (x.samples * teams).div_ceil(grid.height()) * grid.tiles()),
        grid.cube_dim(),
        grid.vector,
        x.rows().buffer(grid.vector),
        buffer(weight, x.channels),
        buffer(bias, 1),
        buffer(&parts, x.samples * teams * grid.vectors),
        x.samples * teams,
        x.channels,
        teams,
        grid.vectors,
        grid.tiles_of_kernel(),
        CHANNELS.min(x.channels),
        x.number.elem(),
    );
    Ok(fold(client, parts, x.samples, teams, x.positions))
}

#[cube(launch)]
fn scores_kernel<F: Float, N: Size>(
    x: &[Vector<F, N>],
    weight: &[f32],
    bias: &[f32],
    parts: &mut [Vector<f32, N>],
    rows: usize,
    channels: usize,
    teams: usize,
    vectors: usize,
    tiles: ComptimeOption<usize>,
    #[comptime] members: usize,
    #[define(F)] _number: ElemType,
) {
    let place = place(tiles, 1usize);
    let (row, position) = (place.row, place.first);
    if row < rows && position < vectors {
        let sample = row / teams;
        let first = (row - sample * teams) * members;
        let start = sample * channels;
        let mut sum = Vector::<f32, N>::new(select(first == 0, bias[0], 0.0f32));
        #[unroll]
        for member in 0..members {
            let channel = first + member;
            if channel < channels {
                let i = (start + channel) * vectors + position;
                sum += Vector::cast_from(x[i]) * Vector::new(weight[channel]);
            }
        }
        parts[row * vectors + position] = sum;
    }
}

/// The gradient of the `weight` of [`scores`] for that of the scores, `[N, S]` of `f32`. The same input gives the same bits on
/// the same device.
///
/// # Errors
///
/// [`Error::Size`] and [`Error::Elements`], when an array is not what it should be.
pub fn gradient_of_weight(client: &Client, x: Planes<'_>, grad_scores: &Handle) -> Result<Handle, Error> {
    x.rows().check("x")?;
    check_f32s("the gradient of scores", x.samples * x.positions, grad_scores)?;
    if x.rows().elements() == 0 {
        return Ok(zeros(client, x.channels));
    }
    let sums = row_sums(client, x, Some(grad_scores), 1.0);
    Ok(fold(client, sums, 1, x.samples, x.channels))
}

/// The sum of each row times a factor; of its elements times those of `weights`, `[N, S]`, if there are any.
fn row_sums(client: &Client, x: Planes<'_>, weights: Option<&Handle>, factor: f32) -> Handle {
    let grid = Grid::new(client, x.rows(), VECTOR, WIDTH, STEPS);
    let (rows, tiles) = (x.rows().count, grid.tiles());
    let parts = f32s(client, rows * tiles);
    if x.rows().elements() == 0 {
        return parts;
    }
    row_sums_kernel::launch(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        x.rows().buffer(grid.vector),
        weights
            .map(|weights| buffer(weights, x.samples * grid.vectors))
            .into(),
        buffer(&parts, rows * tiles),
        rows,
        x.channels,
        grid.vectors,
        grid.tiles_of_kernel(),
        factor,
        grid.steps,
        grid.width,
        x.number.elem(),
    );
    fold(client, parts, rows, tiles, 1)
}

#[cube(launch)]
fn row_sums_kernel<F: Float, N: Size>(
    x: &[Vector<F, N>],
    weights: ComptimeOption<&[Vector<f32, N>]>,
    parts: &mut [f32],
    rows: usize,
    channels: usize,
    vectors: usize,
    tiles: ComptimeOption<usize>,
    factor: f32,
    #[comptime] steps: usize,
    #[comptime] width: u32,
    #[define(F)] _number: ElemType,
) {
    let place = place(tiles, steps);
    let (row, first) = (place.row, place.first);
    let mut sum = Vector::<f32, N>::new(0.0);
    if row < rows {
        let start = row / channels * vectors;
        // So that their loads overlap.
        #[unroll]
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            if position < vectors {
                let element = Vector::<f32, N>::cast_from(x[row * vectors + position]);
                #[comptime]
                match weights {
                    ComptimeOption::Some(weights) => {
                        sum += element * weights[start + position];
                    }
                    ComptimeOption::None => sum += element,
                }
            }
        }
    }
    let mut sums = Array::<Vector<f32, N>>::new(1usize);
    sums[0] = sum * Vector::new(factor);
    let mut shared = Shared::<[f32]>::new_slice(comptime![shared_numbers(1, 1, UNITS)]);
    add_up_cube(
        &sums,
        &mut shared,
        parts,
        select(row < rows, 1usize, 0usize),
        row * place.tiles + place.tile,
        place.tiles,
        1usize,
        1usize,
        UNITS,
        width,
    );
}

/// Adds to the gradient of x, in place, what comes through [`means`] and [`scores`]: the gradient of its channel's mean, `[N, C]`,
/// divided by the number of positions; and its channel's weight, `[C]`, times the gradient of its position's score, `[N, S]`.
///
/// # Errors
///
/// [`Error::Size`] and [`Error::Elements`], when an array is not what it should be.
pub fn add_gradients(
    client: &Client,
    grad_x: Planes<'_>,
    grad_means: Option<&Handle>,
    weight_and_grad_scores: Option<(&Handle, &Handle)>,
) -> Result<(), Error> {
    grad_x.rows().check("gradient of x")?;
    let Planes {
        samples,
        channels,
        positions,
        ..
    } = grad_x;
    if let Some(grad_means) = grad_means {
        check_f32s("the gradient of means", samples * channels, grad_means)?;
    }
    if let Some((weight, grad_scores)) = weight_and_grad_scores {
        check_f32s("the scores' weight", channels, weight)?;
        check_f32s("the gradient of scores", samples * positions, grad_scores)?;
    }
    if grad_x.rows().elements() == 0 {
        return Ok(());
    }
    let grid = Grid::new(client, grad_x.rows(), VECTOR, UNITS, STEPS);
    add_kernel::launch(
        client,
        grid.cube_count(client),
        grid.cube_dim(),
        grid.vector,
        grad_x.rows().buffer(grid.vector),
        grad_means
            .map(|grad_means| buffer(grad_means, samples * channels))
            .into(),
        weight_and_grad_scores
            .map(|(weight, _)| buffer(weight, channels))
            .into(),
        weight_and_grad_scores
            .map(|(_, grad_scores)| buffer(grad_scores, samples * grid.vectors))
            .into(),
        samples * channels,
        channels,
        grid.vectors,
        grid.tiles_of_kernel(),
        1.0 / positions as f32,
        grid.steps,
        grad_x.number.elem(),
    );
    Ok(())
}

#[cube(launch)]
fn add_kernel<F: Float, N: Size>(
    grad_x: &mut [Vector<F, N>],
    grad_means: ComptimeOption<&[f32]>,
    weight: ComptimeOption<&[f32]>,
    grad_scores: ComptimeOption<&[Vector<f32, N>]>,
    rows: usize,
    channels: usize,
    vectors: usize,
    tiles: ComptimeOption<usize>,
    factor: f32,
    #[comptime] steps: usize,
    #[define(F)] _number: ElemType,
) {
    let place = place(tiles, steps);
    let (row, first) = (place.row, place.first);
    if row < rows {
        let sample = row / channels;
        let mut of_mean = Vector::<f32, N>::new(0.0);
        #[comptime]
        if let ComptimeOption::Some(grad_means) = grad_means {
            of_mean = Vector::new(grad_means[row] * factor);
        }
        let mut of_score = Vector::<f32, N>::new(0.0);
        #[comptime]
        if let ComptimeOption::Some(weight) = weight {
            of_score = Vector::new(weight[row - sample * channels]);
        }
        let start = sample * vectors;
        for step in 0..steps {
            let position = first + step * CUBE_DIM_X as usize;
            if position < vectors {
                let i = row * vectors + position;
                let mut sum = Vector::<f32, N>::cast_from(grad_x[i]) + of_mean;
                #[comptime]
                if let ComptimeOption::Some(grad_scores) = grad_scores {
                    sum += of_score * grad_scores[start + position];
                }
                grad_x[i] = Vector::cast_from(sum);
            }
        }
    }
}
