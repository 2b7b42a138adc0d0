//! The kernels of a few activations as they come from their descriptions, and their twins: the same functions,
//! written by hand for that very activation and K.
//!
//! A twin gives the same results, special numbers included: NaN of any piece reaches y, the first of equal pieces
//! wins, a piece that lost adds nothing to gradients, long sums move on to `f64`.
#![allow(dead_code, reason = "each benchmark uses a part")]
#![expect(clippy::cast_possible_truncation, reason = "sums of f64 are rounded to f32")]
#![expect(
    clippy::inline_always,
    reason = "what is not inlined has the baseline instruction set"
)]

mod affine1;
mod affine2;
mod affine3;
mod affine4;
mod branch2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod intrinsics;
mod lanes;
mod pool;
mod swish2;
mod workload;

pub(crate) use workload::Workload;

use dyrelu::kernels::piecewise::{self, Operands, PieceSet};
use dyrelu::kernels::{Level, pool as generic_pool};
use dyrelu::{DynamicActivation, dynamic_activation};

/// Vectors that are added up before a sum moves on to `f64`.
const BLOCK: usize = 64;

/// From so many vectors in a row on, a maximum first takes all numbers for finite.
const LONG: usize = 8;

#[dynamic_activation(k = 1, share = "spatial")]
pub(crate) struct Affine1;

#[dynamic_activation(k = 2, share = "spatial")]
pub(crate) struct Affine2;

#[dynamic_activation(k = 3, share = "spatial")]
pub(crate) struct Affine3;

#[dynamic_activation(k = 4, share = "spatial")]
pub(crate) struct Affine4;

#[dynamic_activation(
    k = 2, share = "spatial", piece = |x, a, b, c| a * x * sigmoid(b * x) + c, init(a = 1.0, b = 1.0, c = 0.0)
)]
pub(crate) struct Swish2;

#[dynamic_activation(
    k = 2, share = "spatial", piece = |x, a, b, c| if x > c { a * (x - c) } else { b * (x - c) },
    init(a = 1.0, b = 0.0, c = 0.0)
)]
pub(crate) struct Branch2;

/// Instruction set, length of a row, x, means of the rows.
type Pool = fn(Level, usize, &[f32], &mut [f32]);

/// Instruction set, length of a row, coefficients, x, y.
type Forward = fn(Level, usize, &[f32], &[f32], &mut [f32]);

/// Instruction set, length of a row, coefficients, x, and the gradients of y, of x and of the coefficients.
type Backward = fn(Level, usize, &[f32], &[f32], &[f32], &mut [f32], &mut [f32]);

/// A kernel, which reads and writes a [`Workload`].
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    Pool(Pool),
    Forward(Forward),
    Backward(Backward),
}

/// A kernel from a description and the one written by hand.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    /// Coefficients of a row, K times P.
    pub(crate) set: usize,
    pub(crate) generated: Kernel,
    pub(crate) written: Kernel,
}

pub(crate) const PAIRS: [Pair; 13] = [
    Pair {
        name: "pool",
        set: 0,
        generated: Kernel::Pool(generic_pool::forward),
        written: Kernel::Pool(pool::forward),
    },
    forward::<Affine1>("forward affine K=1", affine1::forward),
    forward::<Affine2>("forward affine K=2", affine2::forward),
    forward::<Affine3>("forward affine K=3", affine3::forward),
    forward::<Affine4>("forward affine K=4", affine4::forward),
    backward::<Affine1>("backward affine K=1", affine1::backward),
    backward::<Affine2>("backward affine K=2", affine2::backward),
    backward::<Affine3>("backward affine K=3", affine3::backward),
    backward::<Affine4>("backward affine K=4", affine4::backward),
    forward::<Swish2>("forward swish K=2", swish2::forward),
    backward::<Swish2>("backward swish K=2", swish2::backward),
    forward::<Branch2>("forward branch K=2", branch2::forward),
    backward::<Branch2>("backward branch K=2", branch2::backward),
];

const fn forward<A: DynamicActivation>(name: &'static str, written: Forward) -> Pair {
    Pair {
        name,
        set: A::Pieces::K * A::Pieces::P,
        generated: Kernel::Forward(generated_forward::<A>),
        written: Kernel::Forward(written),
    }
}

const fn backward<A: DynamicActivation>(name: &'static str, written: Backward) -> Pair {
    Pair {
        name,
        set: A::Pieces::K * A::Pieces::P,
        generated: Kernel::Backward(generated_backward::<A>),
        written: Kernel::Backward(written),
    }
}

fn generated_forward<A: DynamicActivation>(
    level: Level,
    len: usize,
    coefficients: &[f32],
    x: &[f32],
    y: &mut [f32],
) {
    A::Pieces::forward(level, operands(len, coefficients), x, y);
}

fn generated_backward<A: DynamicActivation>(
    level: Level,
    len: usize,
    coefficients: &[f32],
    x: &[f32],
    grad_y: &[f32],
    grad_x: &mut [f32],
    grad_coefficients: &mut [f32],
) {
    let grads = piecewise::Gradients {
        x: grad_x,
        coefficients: grad_coefficients,
        attention: &mut [],
    };
    A::Pieces::backward(level, operands(len, coefficients), x, grad_y, grads);
}

fn operands(len: usize, coefficients: &[f32]) -> Operands<'_, f32> {
    Operands {
        len,
        coefficients,
        attention: &[],
    }
}
