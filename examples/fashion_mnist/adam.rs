//! The optimiser Adam (Kingma and Ba, 2015).

use ndarray::{ArrayD, ArrayViewMutD, Zip};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Running means of the gradients and of their squares, one array for each parameter.
#[derive(Default)]
pub(crate) struct Adam {
    steps: i32,
    means: Vec<ArrayD<f32>>,
    squares: Vec<ArrayD<f32>>,
}

impl Adam {
    /// One step with this learning rate. The parameters must be the same every time.
    pub(crate) fn step(&mut self, parameters: Vec<ArrayViewMutD<'_, f32>>, grads: &[ArrayD<f32>], rate: f32) {
        if self.steps == 0 {
            self.means = grads.iter().map(|grad| ArrayD::zeros(grad.dim())).collect();
            self.squares.clone_from(&self.means);
        }
        self.steps += 1;
        let bias1 = 1.0 - BETA1.powi(self.steps);
        let bias2 = 1.0 - BETA2.powi(self.steps);
        let state = self.means.iter_mut().zip(&mut self.squares);
        for ((parameter, grad), (mean, square)) in parameters.into_iter().zip(grads).zip(state) {
            Zip::from(parameter).and(grad).and(mean).and(square).for_each(
                |parameter, &grad, mean, square| {
                    *mean += (1.0 - BETA1) * (grad - *mean);
                    *square += (1.0 - BETA2) * (grad * grad - *square);
                    *parameter -= rate * (*mean / bias1) / ((*square / bias2).sqrt() + EPSILON);
                },
            );
        }
    }
}
