//! What the network needs of an activation: ReLU, or a layer of dyrelu.

use std::array;

use dyrelu::{Cache, Combine, DynamicActivation, Layer, Piece, Sharing};
use ndarray::{ArrayD, ArrayViewMutD, Zip};

use crate::{Maps, Result};

/// An activation of maps.
pub(crate) trait Activation: Sized {
    /// What the backward pass needs to know of a forward pass.
    type Cache;

    /// An activation of maps with this many channels.
    fn new(channels: usize, seed: u64) -> Result<Self>;

    fn forward(&self, x: &Maps) -> Result<(Maps, Self::Cache)>;

    /// The gradient of x and those of the [`parameters`](Self::parameters_mut).
    fn backward(&self, x: &Maps, cache: &Self::Cache, grad: &Maps) -> Result<(Maps, Vec<ArrayD<f32>>)>;

    fn parameters_mut(&mut self) -> Vec<ArrayViewMutD<'_, f32>>;

    /// What one channel of a sample made of `x` in the forward pass.
    fn response(cache: &Self::Cache, sample: usize, channel: usize, x: f32) -> f32;
}

/// max(x, 0).
pub(crate) struct Relu;

impl Activation for Relu {
    type Cache = ();

    fn new(_channels: usize, _seed: u64) -> Result<Self> {
        Ok(Self)
    }

    fn forward(&self, x: &Maps) -> Result<(Maps, ())> {
        Ok((x.mapv(|x| x.max(0.0)), ()))
    }

    fn backward(&self, x: &Maps, (): &(), grad: &Maps) -> Result<(Maps, Vec<ArrayD<f32>>)> {
        let grad_x = Zip::from(x)
            .and(grad)
            .map_collect(|&x, &grad| if x > 0.0 { grad } else { 0.0 });
        Ok((grad_x, Vec::new()))
    }

    fn parameters_mut(&mut self) -> Vec<ArrayViewMutD<'_, f32>> {
        Vec::new()
    }

    fn response((): &(), _sample: usize, _channel: usize, x: f32) -> f32 {
        x.max(0.0)
    }
}

/// A dynamic activation whose pieces have P coefficients.
pub(crate) struct Dynamic<D, const P: usize>(Layer<D, f32>);

impl<D: DynamicActivation + Piece<P>, const P: usize> Activation for Dynamic<D, P> {
    type Cache = Cache<f32>;

    fn new(channels: usize, seed: u64) -> Result<Self> {
        Ok(Self(D::layer(channels).reduction(4).seed(seed).build()?))
    }

    fn forward(&self, x: &Maps) -> Result<(Maps, Self::Cache)> {
        Ok(self.0.forward_train(x)?)
    }

    fn backward(&self, x: &Maps, cache: &Self::Cache, grad: &Maps) -> Result<(Maps, Vec<ArrayD<f32>>)> {
        let grads = self.0.backward(x, cache, grad)?;
        let parameters = grads.parameters().map(|(_, grad)| grad.to_owned()).collect();
        Ok((grads.x, parameters))
    }

    fn parameters_mut(&mut self) -> Vec<ArrayViewMutD<'_, f32>> {
        self.0.parameters_mut().map(|(_, parameter)| parameter).collect()
    }

    /// In mode C, where every position has its own function: that of the position with the most attention.
    fn response(cache: &Self::Cache, sample: usize, channel: usize, x: f32) -> f32 {
        let coefficients = cache.coefficients();
        let set = if D::SHARING == Sharing::SpatialAndChannel {
            0
        } else {
            channel
        };
        let attention = cache
            .attention()
            .map_or(1.0, |attention| attention.row(sample).fold(0.0, |a, &b| b.max(a)));
        let pieces = (0..coefficients.dim().3).map(|k| {
            D::value(
                x,
                array::from_fn(|p| attention * coefficients[[sample, set, p, k]]),
            )
        });
        match D::COMBINE {
            Combine::Max => pieces.fold(f32::NEG_INFINITY, f32::max),
            Combine::Min => pieces.fold(f32::INFINITY, f32::min),
            Combine::Sum => pieces.sum(),
        }
    }
}
