//! [`Portrait`]: what a trained dynamic activation does.

use burn::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::visitor::{Place, Visitor};

/// Elements of which input and output are kept.
const POINTS: usize = 2000;

/// From here on the paper calls an intercept large.
const LARGE_INTERCEPT: f32 = 0.05;

/// A dynamic activation of a trained network, on test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Portrait {
    pub(crate) place: String,
    /// Inputs and outputs of some elements.
    pub(crate) points: Vec<(f32, f32)>,
    pub(crate) coefficients: Coefficients,
}

/// What the paper reports of coefficients (section 5.2), where each image gives each channel a function of its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Coefficients {
    /// The part of the functions, in per cent, with a slope below 0 or above 1.
    pub(crate) slope: f32,
    /// Those with an intercept of more than 0.05, up or down.
    pub(crate) intercept: f32,
    /// The mean of |a¹ − a²|, unless there is one piece.
    pub(crate) distance: Option<f32>,
}

/// Makes the portraits while it applies the activations.
#[derive(Default)]
pub(crate) struct Painter {
    pub(crate) portraits: Vec<Portrait>,
}

impl Visitor for Painter {
    fn activation<A: Candidate>(&mut self, place: Place, activation: &A, x: Tensor<4>) -> Tensor<4> {
        let y = activation.forward(x.clone());
        if let Some(coefficients) = activation.coefficients(x.clone()) {
            self.portraits.push(Portrait {
                place: place.to_string(),
                points: points(x, y.clone()),
                coefficients: Coefficients::of(coefficients),
            });
        }
        y
    }
}

/// Some elements, the same in each run; with three decimals, which a picture does not show.
fn points(x: Tensor<4>, y: Tensor<4>) -> Vec<(f32, f32)> {
    let [x, y] = [x, y].map(values);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let rounded = |value: f32| (value * 1e3).round() / 1e3;
    let points = (0..POINTS).map(|_| {
        let index = rng.random_range(0..x.len());
        (rounded(x[index]), rounded(y[index]))
    });
    points.collect()
}

impl Coefficients {
    /// From `[N, C or 1, P, K]`, where the slopes of the pieces come before their intercepts.
    fn of(coefficients: Tensor<4>) -> Self {
        let [samples, sets, names, pieces] = coefficients.dims();
        let values = values(coefficients);
        let functions = || {
            values
                .chunks_exact(names * pieces)
                .map(|function| function.split_at(pieces))
        };
        let count = (samples * sets) as f32;
        let share = |of: fn(&[f32], &[f32]) -> bool| {
            100.0
                * functions()
                    .filter(|(slopes, intercepts)| of(slopes, intercepts))
                    .count() as f32
                / count
        };
        let distance = functions()
            .map(|(slopes, _)| (slopes[0] - slopes[pieces - 1]).abs())
            .sum::<f32>();
        Self {
            slope: share(|slopes, _| slopes.iter().any(|slope| !(0.0..=1.0).contains(slope))),
            intercept: share(|_, intercepts| intercepts.iter().any(|b| b.abs() > LARGE_INTERCEPT)),
            distance: (pieces > 1).then_some(distance / count),
        }
    }
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("a network computes floats")
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn functions_are_counted_by_slopes_and_intercepts() {
        let device = Device::flex();
        // a¹, a², b¹, b² of two channels of two samples.
        let coefficients = Tensor::<1>::from_floats(
            [
                [1.0, 0.0, 0.0, 0.0],
                [1.5, 0.0, 0.05, -0.06],
                [0.5, -0.5, 0.1, 0.0],
                [1.0, 1.0, 0.0, 0.0],
            ]
            .as_flattened(),
            &device,
        );
        let found = Coefficients::of(coefficients.reshape([2, 2, 2, 2]));
        assert_eq!(
            (found.slope, found.intercept, found.distance),
            (50.0, 50.0, Some(0.875))
        );
        let one_piece = Tensor::from_floats([[[[1.0], [0.0]]]], &device);
        assert_eq!(
            Coefficients::of(one_piece),
            Coefficients {
                slope: 0.0,
                intercept: 0.0,
                distance: None
            }
        );
    }
}
