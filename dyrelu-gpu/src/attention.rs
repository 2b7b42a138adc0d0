//! The attention of mode C from its scores, and the way back.

use crate::Error;
use crate::grid::{UNITS, cubes};
use crate::operands::{buffer, check_f32s, f32s};
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu_core::kernels::attention::Scaling;

/// The attention π = min(γ · softmax(z / τ), cut-off) for scores z (paper, equation 4), and that softmax, which the
/// [backward pass](attention_backward) needs. All are `[N, S]` of `f32`.
///
/// A sample becomes NaN if a score is NaN or +∞, or all are −∞, as in PyTorch.
///
/// # Errors
///
/// [`Error::Size`], when the scores are too few.
pub fn attention(
    client: &Client,
    [samples, positions]: [usize; 2],
    scaling: Scaling,
    scores: &Handle,
) -> Result<[Handle; 2], Error> {
    let count = samples * positions;
    check_f32s("the scores", count, scores)?;
    let [inverse_temperature, gamma, cut_off] = constants(scaling, positions);
    let [softmax, attention] = [(); 2].map(|()| f32s(client, count));
    if count > 0 {
        attention_kernel::launch(
            client,
            cubes(client, samples),
            CubeDim::new_1d(UNITS),
            buffer(scores, count),
            buffer(&softmax, count),
            buffer(&attention, count),
            samples,
            positions,
            inverse_temperature,
            gamma,
            cut_off,
        );
    }
    Ok([attention, softmax])
}

/// The gradient of the scores for that of the [`attention`], given the softmax.
///
/// # Errors
///
/// [`Error::Size`], when an array is too small.
pub fn attention_backward(
    client: &Client,
    [samples, positions]: [usize; 2],
    scaling: Scaling,
    softmax: &Handle,
    grad_attention: &Handle,
) -> Result<Handle, Error> {
    let count = samples * positions;
    check_f32s("the softmax", count, softmax)?;
    check_f32s("the gradient of the attention", count, grad_attention)?;
    let [inverse_temperature, gamma, cut_off] = constants(scaling, positions);
    let grad_scores = f32s(client, count);
    if count > 0 {
        attention_backward_kernel::launch(
            client,
            cubes(client, samples),
            CubeDim::new_1d(UNITS),
            buffer(softmax, count),
            buffer(grad_attention, count),
            buffer(&grad_scores, count),
            samples,
            positions,
            inverse_temperature,
            gamma,
            cut_off,
        );
    }
    Ok(grad_scores)
}

/// 1 / τ, γ and the cut-off.
#[expect(clippy::cast_possible_truncation, reason = "rounds to f32")]
fn constants(scaling: Scaling, positions: usize) -> [f32; 3] {
    let Scaling {
        temperature, cut_off, ..
    } = scaling;
    [1.0 / temperature, scaling.gamma(positions), cut_off].map(|constant| constant as f32)
}

#[cube(launch)]
fn attention_kernel(
    scores: &[f32],
    softmax: &mut [f32],
    attention: &mut [f32],
    samples: usize,
    positions: usize,
    inverse_temperature: f32,
    gamma: f32,
    cut_off: f32,
) {
    let start = CUBE_POS * positions;
    // There may be more cubes than samples, all units of which leave together.
    if CUBE_POS < samples {
        let mut largest = f32::new(f32::MIN);
        let mut position = UNIT_POS as usize;
        while position < positions {
            let score = scores[start + position];
            // NaN stays; what the sum of the exponentials then is, is NaN in any case.
            largest = select(score > largest, score, largest);
            position += UNITS as usize;
        }
        let largest = over_cube(largest, true);
        let mut sum = 0.0f32;
        let mut position = UNIT_POS as usize;
        while position < positions {
            let exponential = ((scores[start + position] - largest) * inverse_temperature).exp();
            softmax[start + position] = exponential;
            sum += exponential;
            position += UNITS as usize;
        }
        let inverse_sum = 1.0 / over_cube(sum, false);
        let mut position = UNIT_POS as usize;
        while position < positions {
            let share = softmax[start + position] * inverse_sum;
            let scaled = share * gamma;
            softmax[start + position] = share;
            // A driver may make a minimum of a plain `select`, which loses NaN.
            let kept = scaled.is_nan() || scaled <= cut_off;
            attention[start + position] = select(kept, scaled, cut_off);
            position += UNITS as usize;
        }
    }
}

#[cube(launch)]
fn attention_backward_kernel(
    softmax: &[f32],
    grad_attention: &[f32],
    grad_scores: &mut [f32],
    samples: usize,
    positions: usize,
    inverse_temperature: f32,
    gamma: f32,
    cut_off: f32,
) {
    let start = CUBE_POS * positions;
    if CUBE_POS < samples {
        let mut sum = 0.0f32;
        let mut position = UNIT_POS as usize;
        while position < positions {
            let share = softmax[start + position];
            let grad = uncut(share, grad_attention[start + position], gamma, cut_off);
            sum += share * grad;
            position += UNITS as usize;
        }
        let mean = over_cube(sum, false);
        let mut position = UNIT_POS as usize;
        while position < positions {
            let share = softmax[start + position];
            let grad = uncut(share, grad_attention[start + position], gamma, cut_off);
            grad_scores[start + position] = share * (grad - mean) * inverse_temperature;
            position += UNITS as usize;
        }
    }
}

/// The gradient of a softmax, 0 where the attention is cut off.
#[cube]
fn uncut(share: f32, grad: f32, gamma: f32, cut_off: f32) -> f32 {
    select(share * gamma > cut_off, 0.0f32, grad * gamma)
}

/// The sum of the values of all units of a cube, or the largest of them.
#[cube]
fn over_cube(value: f32, #[comptime] largest: bool) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(comptime![UNITS as usize]);
    sync_cube();
    shared[UNIT_POS as usize] = value;
    sync_cube();
    #[unroll]
    for level in 0..comptime![UNITS.ilog2()] {
        let left = comptime![UNITS >> (level + 1)];
        if UNIT_POS < left {
            let (a, b) = (shared[UNIT_POS as usize], shared[(UNIT_POS + left) as usize]);
            shared[UNIT_POS as usize] = if comptime![largest] {
                select(b > a, b, a)
            } else {
                a + b
            };
        }
        sync_cube();
    }
    shared[0]
}
