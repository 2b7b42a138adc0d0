//! A convolution as a matrix product ("im2col").

use ndarray::linalg::general_mat_mul;
use ndarray::{
    Array1, Array2, Array3, Array5, ArrayD, ArrayView3, ArrayViewMutD, Axis, AxisDescription, Slice,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::Maps;

const SAME_SIZE: &str = "only the grouping of the axes changes";

/// A convolution without padding.
pub(crate) struct Convolution {
    /// `[outputs, inputs · kernel²]`
    weight: Array2<f32>,
    /// `[outputs]`
    bias: Array1<f32>,
    kernel: usize,
    stride: usize,
}

/// The patches of its input that a convolution multiplies with its weight.
pub(crate) struct Patches {
    /// `[N, inputs, kernel², H', W']`
    pixels: Array5<f32>,
    /// The shape of the input, `[N, inputs, H, W]`.
    input: (usize, usize, usize, usize),
}

impl Convolution {
    /// A convolution with uniform weights that keep the variance through a ReLU (He initialisation).
    pub(crate) fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let fan_in = inputs * kernel * kernel;
        let bound = (6.0 / fan_in as f32).sqrt();
        let weight = Array2::from_shape_simple_fn((outputs, fan_in), || rng.random_range(-bound..bound));
        Self {
            weight,
            bias: Array1::zeros(outputs),
            kernel,
            stride,
        }
    }

    pub(crate) fn forward(&self, x: &Maps) -> (Maps, Patches) {
        let patches = self.patches(x);
        let (samples, .., height, width) = patches.pixels.dim();
        let mut y = Array3::zeros((samples, self.bias.len(), height * width));
        y += &self.bias.view().insert_axis(Axis(1));
        for (patches, mut y) in patches.columns().outer_iter().zip(y.outer_iter_mut()) {
            general_mat_mul(1.0, &self.weight, &patches, 1.0, &mut y);
        }
        let y = y
            .into_shape_with_order((samples, self.bias.len(), height, width))
            .expect(SAME_SIZE);
        (y, patches)
    }

    /// The gradient of the input and those of the [`parameters`](Self::parameters_mut).
    pub(crate) fn backward(&self, patches: &Patches, grad: &Maps) -> (Maps, [ArrayD<f32>; 2]) {
        let columns = patches.columns();
        let (samples, outputs, height, width) = grad.dim();
        let grad = grad
            .to_shape((samples, outputs, height * width))
            .expect(SAME_SIZE);
        let mut grad_columns = Array3::zeros(columns.dim());
        let mut grad_weight = Array2::zeros(self.weight.dim());
        for ((columns, grad), mut grad_columns) in columns
            .outer_iter()
            .zip(grad.outer_iter())
            .zip(grad_columns.outer_iter_mut())
        {
            general_mat_mul(1.0, &grad, &columns.t(), 1.0, &mut grad_weight);
            general_mat_mul(1.0, &self.weight.t(), &grad, 0.0, &mut grad_columns);
        }
        let grad_bias = grad.sum_axis(Axis(2)).sum_axis(Axis(0));
        let grad_pixels = grad_columns
            .into_shape_with_order(patches.pixels.dim())
            .expect(SAME_SIZE);
        (
            self.scatter(&grad_pixels, patches.input),
            [grad_weight.into_dyn(), grad_bias.into_dyn()],
        )
    }

    pub(crate) fn parameters_mut(&mut self) -> [ArrayViewMutD<'_, f32>; 2] {
        [self.weight.view_mut().into_dyn(), self.bias.view_mut().into_dyn()]
    }

    /// Copies the patches out of the maps.
    fn patches(&self, x: &Maps) -> Patches {
        let input = x.dim();
        let positions = |size: usize| (size - self.kernel) / self.stride + 1;
        let (samples, channels, height, width) = input;
        let area = self.kernel * self.kernel;
        let mut pixels = Array5::zeros((samples, channels, area, positions(height), positions(width)));
        for (pixel, mut pixels) in pixels.axis_iter_mut(Axis(2)).enumerate() {
            pixels.assign(&x.slice_each_axis(|axis| self.visits(pixel, axis)));
        }
        Patches { pixels, input }
    }

    /// Adds the gradients of the patches to where their pixels came from.
    fn scatter(&self, grad_pixels: &Array5<f32>, input: (usize, usize, usize, usize)) -> Maps {
        let mut grad_x = Maps::zeros(input);
        for (pixel, grad_pixels) in grad_pixels.axis_iter(Axis(2)).enumerate() {
            let mut visited = grad_x.slice_each_axis_mut(|axis| self.visits(pixel, axis));
            visited += &grad_pixels;
        }
        grad_x
    }

    /// Where along an axis of the maps this pixel of the kernel comes to lie.
    fn visits(&self, pixel: usize, axis: AxisDescription) -> Slice {
        let first = match axis.axis {
            Axis(2) => pixel / self.kernel,
            Axis(3) => pixel % self.kernel,
            _ => return Slice::from(..),
        };
        let end = axis.len - self.kernel + first + 1;
        Slice::from(first..end).step_by(self.stride.cast_signed())
    }
}

impl Patches {
    /// Each patch as a column: `[N, inputs · kernel², H' · W']`.
    fn columns(&self) -> ArrayView3<'_, f32> {
        let (samples, channels, area, height, width) = self.pixels.dim();
        self.pixels
            .view()
            .into_shape_with_order((samples, channels * area, height * width))
            .expect(SAME_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// The gradients are checked with those of the whole network.
    #[test]
    fn an_output_is_the_sum_of_weighted_pixels() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut convolution = Convolution::new(3, 4, 2, 2, &mut rng);
        convolution.bias.mapv_inplace(|_| rng.random_range(-1.0..1.0));
        let x = Maps::from_shape_simple_fn((2, 3, 5, 7), || rng.random_range(-1.0..1.0));

        let (y, _) = convolution.forward(&x);
        assert_eq!(y.dim(), (2, 4, 2, 3));
        for ((n, output, row, column), &found) in y.indexed_iter() {
            let mut expected = convolution.bias[output];
            for (index, weight) in convolution.weight.row(output).indexed_iter() {
                let (input, i, j) = (index / 4, index / 2 % 2, index % 2);
                expected += weight * x[[n, input, 2 * row + i, 2 * column + j]];
            }
            assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
        }
    }
}
