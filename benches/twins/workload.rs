//! [`Workload`]: what the kernels read and where they write.

use super::Kernel;
use dyrelu::kernels::Level;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows of x with their coefficients and gradients.
#[derive(Clone)]
pub(crate) struct Workload {
    len: usize,
    x: Vec<f32>,
    coefficients: Vec<f32>,
    grad_y: Vec<f32>,
    /// y, or the gradient of x.
    output: Vec<f32>,
    /// The means of the rows, or the gradients of the coefficients.
    row_output: Vec<f32>,
}

impl Workload {
    /// `rows` rows of `len` random numbers, each with `set` coefficients.
    pub(crate) fn new(rows: usize, len: usize, set: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut random = |len| (0..len).map(|_| rng.random_range(-2.0..2.0)).collect();
        Self {
            len,
            x: random(rows * len),
            coefficients: random(rows * set),
            grad_y: random(rows * len),
            output: vec![0.0; rows * len],
            row_output: vec![0.0; rows * set.max(1)],
        }
    }

    /// With special numbers in every array, and equal pieces in every other row.
    pub(crate) fn with_special_numbers(mut self) -> Self {
        let special = [
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            f32::MAX,
            1e-40,
        ];
        // Steps that meet some rows of each array and spare others.
        for (array, step) in [
            (&mut self.x, 97),
            (&mut self.coefficients, 31),
            (&mut self.grad_y, 89),
        ] {
            for (i, value) in array.iter_mut().step_by(step).enumerate() {
                *value = special[i % special.len()];
            }
        }
        let set = self.coefficients.len() / (self.x.len() / self.len);
        for row in self.coefficients.chunks_exact_mut(set.max(1)).step_by(2) {
            row.fill(0.5);
        }
        self
    }

    pub(crate) fn elements(&self) -> usize {
        self.x.len()
    }

    pub(crate) fn run(&mut self, level: Level, kernel: Kernel) {
        let (len, coefficients, x) = (self.len, &self.coefficients, &self.x);
        match kernel {
            Kernel::Pool(pool) => pool(level, len, x, &mut self.row_output),
            Kernel::Forward(forward) => forward(level, len, coefficients, x, &mut self.output),
            Kernel::Backward(backward) => backward(
                level,
                len,
                coefficients,
                x,
                &self.grad_y,
                &mut self.output,
                &mut self.row_output,
            ),
        }
    }

    /// What was written.
    pub(crate) fn results(&self) -> impl Iterator<Item = f32> {
        self.output.iter().chain(&self.row_output).copied()
    }
}
