//! What trained activations do: output over input, for a few images.

use ndarray::Axis;

use crate::activation::Activation;
use crate::network::{Network, StageTrace};
use crate::spread::Spread;
use crate::{Maps, Result};

/// Pieces of a curve.
const STEPS: u8 = 32;

/// The activation of one channel, as each image's own function.
pub(crate) struct Response {
    pub(crate) channel: usize,
    /// For each image the points (input, output).
    pub(crate) curves: Vec<Vec<(f32, f32)>>,
}

impl Response {
    /// For each activation of the network, the channel whose function differs most between the images.
    pub(crate) fn of_network<A: Activation>(network: &Network<A>, images: &Maps) -> Result<Vec<Self>> {
        let (_, trace) = network.forward(images.clone())?;
        Ok(trace.stages.iter().map(Self::most_varied).collect())
    }

    fn most_varied<A: Activation>(trace: &StageTrace<A>) -> Self {
        (0..trace.maps.dim().1)
            .map(|channel| Self::of_channel(trace, channel))
            .max_by(|a, b| a.variation().total_cmp(&b.variation()))
            .expect("there are channels")
    }

    /// The response over the range of inputs that the images cause in this channel.
    fn of_channel<A: Activation>(trace: &StageTrace<A>, channel: usize) -> Self {
        let inputs = trace.maps.index_axis(Axis(1), channel);
        let first = inputs.fold(f32::INFINITY, |a, &b| a.min(b));
        let last = inputs.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let input = |point| first + (last - first) * f32::from(point) / f32::from(STEPS);
        let curve = |sample| {
            let points = (0..=STEPS).map(input);
            points
                .map(|x| (x, A::response(&trace.cache, sample, channel, x)))
                .collect()
        };
        Self {
            channel,
            curves: (0..trace.maps.dim().0).map(curve).collect(),
        }
    }

    /// The deviation of the outputs between the images, in total.
    fn variation(&self) -> f32 {
        let outputs = |point: usize| self.curves.iter().map(move |curve| curve[point].1);
        (0..=usize::from(STEPS))
            .filter_map(|point| Spread::of(outputs(point)).deviation)
            .sum()
    }
}
