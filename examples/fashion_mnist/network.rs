//! The network: convolutions with an activation after each, the mean over all positions, a linear classifier.

use ndarray::{Array2, ArrayD, ArrayViewMutD, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::activation::Activation;
use crate::convolution::{Convolution, Patches};
use crate::dataset::CLASSES;
use crate::{Maps, Result};

/// Channels, kernel and stride of the convolutions: 28 × 28 pixels become 13 × 13, 6 × 6, 4 × 4, 2 × 2.
const LAYOUT: [(usize, usize, usize); 4] = [(6, 4, 2), (12, 3, 2), (16, 3, 1), (24, 3, 1)];

pub(crate) struct Network<A> {
    stages: Vec<Stage<A>>,
    /// A convolution of the mean, a map of 1 × 1.
    classifier: Convolution,
}

struct Stage<A> {
    convolution: Convolution,
    activation: A,
}

/// What the backward pass needs to know of a forward pass.
pub(crate) struct Trace<A: Activation> {
    pub(crate) stages: Vec<StageTrace<A>>,
    /// The shape of the last stage's output.
    features: (usize, usize, usize, usize),
    mean: Patches,
}

pub(crate) struct StageTrace<A: Activation> {
    patches: Patches,
    /// The input of the activation.
    pub(crate) maps: Maps,
    pub(crate) cache: A::Cache,
}

impl<A: Activation> Network<A> {
    /// A network with random parameters. Its convolutions depend on the seed only, not on the activation.
    pub(crate) fn new(seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut inputs = 1;
        let mut stages = Vec::new();
        for (outputs, kernel, stride) in LAYOUT {
            let convolution = Convolution::new(inputs, outputs, kernel, stride, &mut rng);
            let activation = A::new(outputs, rng.random())?;
            stages.push(Stage {
                convolution,
                activation,
            });
            inputs = outputs;
        }
        let classifier = Convolution::new(inputs, CLASSES.len(), 1, 1, &mut rng);
        Ok(Self { stages, classifier })
    }

    /// The logits `[N, 10]` of images `[N, 1, 28, 28]`.
    pub(crate) fn forward(&self, images: Maps) -> Result<(Array2<f32>, Trace<A>)> {
        let mut stages = Vec::new();
        let mut x = images;
        for Stage {
            convolution,
            activation,
        } in &self.stages
        {
            let (maps, patches) = convolution.forward(&x);
            let cache;
            (x, cache) = activation.forward(&maps)?;
            stages.push(StageTrace { patches, maps, cache });
        }
        let features = x.dim();
        let mean = x.sum_axis(Axis(3)).sum_axis(Axis(2)) / positions(features);
        let (logits, mean) = self.classifier.forward(&as_maps(mean));
        Ok((
            as_matrix(logits),
            Trace {
                stages,
                features,
                mean,
            },
        ))
    }

    /// The gradients of the [`parameters`](Self::parameters_mut), from that of the logits.
    pub(crate) fn backward(&self, trace: &Trace<A>, grad_logits: Array2<f32>) -> Result<Vec<ArrayD<f32>>> {
        let (grad_mean, classifier) = self.classifier.backward(&trace.mean, &as_maps(grad_logits));
        let mut grad = &(grad_mean / positions(trace.features)) + &Maps::zeros(trace.features);
        let mut grads = vec![classifier.to_vec()];
        for (stage, trace) in self.stages.iter().zip(&trace.stages).rev() {
            let (grad_maps, activation) = stage.activation.backward(&trace.maps, &trace.cache, &grad)?;
            let convolution;
            (grad, convolution) = stage.convolution.backward(&trace.patches, &grad_maps);
            grads.push([convolution.to_vec(), activation].concat());
        }
        Ok(grads.into_iter().rev().flatten().collect())
    }

    /// All parameters, stage by stage.
    pub(crate) fn parameters_mut(&mut self) -> Vec<ArrayViewMutD<'_, f32>> {
        let mut parameters = Vec::new();
        for Stage {
            convolution,
            activation,
        } in &mut self.stages
        {
            parameters.extend(convolution.parameters_mut());
            parameters.extend(activation.parameters_mut());
        }
        parameters.extend(self.classifier.parameters_mut());
        parameters
    }
}

fn positions((.., height, width): (usize, usize, usize, usize)) -> f32 {
    (height * width) as f32
}

/// Maps of 1 × 1 from a row for each sample.
fn as_maps(rows: Array2<f32>) -> Maps {
    rows.insert_axis(Axis(2)).insert_axis(Axis(3))
}

/// A row for each sample from maps of 1 × 1.
fn as_matrix(maps: Maps) -> Array2<f32> {
    maps.remove_axis(Axis(3)).remove_axis(Axis(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::{Dynamic, Relu};
    use crate::{DySwish, loss};
    use ndarray::Array1;

    fn loss<A: Activation>(network: &Network<A>, images: &Maps, labels: &Array1<u8>) -> f32 {
        let (logits, _) = network.forward(images.clone()).unwrap();
        loss::cross_entropy(logits, labels).0
    }

    /// With a smooth activation, along a random direction of each parameter.
    #[test]
    fn gradients_agree_with_finite_differences() {
        /// Large for the rounding of f32, small for the kinks of the hyper functions' hidden units.
        const STEP: f32 = 0.004;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut random =
            |shape: &[usize]| ArrayD::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0));
        let mut network = Network::<Dynamic<DySwish, 3>>::new(3).unwrap();
        let images: Maps = random(&[4, 1, 28, 28]).into_dimensionality().unwrap();
        let labels = Array1::from_vec(vec![0, 9, 4, 4]);
        let (logits, trace) = network.forward(images.clone()).unwrap();
        let grads = network
            .backward(&trace, loss::cross_entropy(logits, &labels).1)
            .unwrap();
        assert_eq!(grads.len(), network.parameters_mut().len());

        for (parameter, grad) in grads.iter().enumerate() {
            let direction = random(grad.shape());
            let length = direction.mapv(|x| x * x).sum().sqrt();
            let direction = direction / length;
            let mut loss_after = |step| {
                network.parameters_mut()[parameter].scaled_add(step, &direction);
                let loss = loss(&network, &images, &labels);
                network.parameters_mut()[parameter].scaled_add(-step, &direction);
                loss
            };
            let found = (loss_after(STEP) - loss_after(-STEP)) / (2.0 * STEP);
            let expected = (grad * &direction).sum();
            assert!(
                (found - expected).abs() < 0.01 * expected.abs() + 1e-4,
                "{parameter}: {found}, expected {expected}"
            );
        }
    }

    #[test]
    fn the_activation_does_not_change_the_convolutions() {
        let mut relu = Network::<Relu>::new(8).unwrap();
        let mut swish = Network::<Dynamic<DySwish, 3>>::new(8).unwrap();
        let [relu, swish] = [relu.parameters_mut(), swish.parameters_mut()];
        assert_eq!(relu[0], swish[0]);
        assert_eq!(relu[2], swish[6]);
        assert_eq!(relu.last(), swish.last());
    }
}
