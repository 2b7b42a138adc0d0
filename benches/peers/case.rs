//! A layer with an input, and what can be asked of it.

use crate::Work;
use crate::timing::{Timing, measure};
use dyrelu::kernels::{Level, pool};
use dyrelu::safetensors::tensor::{Dtype, TensorView};
use dyrelu::safetensors::{SafeTensors, serialize};
use dyrelu::{Cache, DynamicActivation, Gradients, Layer};
use ndarray::{Array4, ArrayViewD, Ix4};
use rayon::prelude::*;
use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

/// What the names of the layer's parameters begin with in a file.
const PARAMETERS: &str = "parameters.";

/// The size of all arrays of a cold case together, far above that of any cache.
const COLD_BYTES: usize = 256 << 20;

/// A [`Case`] of any activation.
pub(crate) trait Contender {
    /// The output and all gradients, as the bytes of a safetensors file.
    fn compute(&mut self) -> Result<Vec<u8>, Box<dyn Error>>;

    /// Repeats a work until the turn is over.
    fn time(&mut self, work: Work, turn: Duration) -> Timing;
}

pub(crate) struct Case<A> {
    layer: Layer<A, f32>,
    hot: Arrays,
    cache: Cache<f32>,
    grad_y: Array4<f32>,
    grads: Gradients<f32, Ix4>,
    cold: Option<Rotation>,
}

/// The input and the output of one forward pass.
struct Arrays {
    x: Array4<f32>,
    y: Array4<f32>,
}

/// Arrays that take turns, so that none is in a cache when its turn comes.
struct Rotation {
    arrays: Vec<Arrays>,
    next: usize,
}

impl<A: DynamicActivation> Case<A> {
    /// A case from a file with the tensors `x`, `grad_y` and the parameters.
    pub(crate) fn open(tensors: &[u8]) -> Result<Self, Box<dyn Error>> {
        let tensors = SafeTensors::deserialize(tensors)?;
        let x = read(&tensors, "x")?;
        let grad_y = read(&tensors, "grad_y")?;
        let mut layer = A::layer(x.shape()[1]).reduction(4).build()?;
        layer.load_tensors(&tensors, PARAMETERS)?;
        let (y, cache) = layer.forward_train(&x)?;
        let grads = layer.backward(&x, &cache, &grad_y)?;
        Ok(Self {
            layer,
            hot: Arrays { x, y },
            cache,
            grad_y,
            grads,
            cold: None,
        })
    }

    fn forward_backward(&mut self) {
        let Arrays { x, y } = &mut self.hot;
        self.layer
            .forward_train_into(black_box(x), y, &mut self.cache)
            .expect("arrays that fit");
        self.layer
            .backward_into(x, &self.cache, &self.grad_y, &mut self.grads)
            .expect("arrays that fit");
        black_box((y, &mut self.grads));
    }
}

impl<A: DynamicActivation> Contender for Case<A> {
    fn compute(&mut self) -> Result<Vec<u8>, Box<dyn Error>> {
        self.forward_backward();
        let mut arrays = vec![
            ("y", self.hot.y.view().into_dyn()),
            ("x", self.grads.x.view().into_dyn()),
        ];
        arrays.extend(self.grads.parameters());
        let arrays = arrays
            .into_iter()
            .map(|(name, array)| (name, array.shape().to_vec(), bytes(&array)));
        let arrays: Vec<_> = arrays.collect();
        let mut views = Vec::new();
        for (name, shape, bytes) in &arrays {
            views.push((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
        }
        Ok(serialize(views, None)?)
    }

    fn time(&mut self, work: Work, turn: Duration) -> Timing {
        match work {
            Work::Forward => measure(turn, || forward(&self.layer, &mut self.hot)),
            Work::ForwardBackward => measure(turn, || self.forward_backward()),
            Work::Copy => in_pool(|| measure(turn, || copy(&mut self.hot))),
            Work::Reread => in_pool(|| measure(turn, || reread(&self.hot.x))),
            Work::ColdForward => {
                let rotation = self.cold.get_or_insert_with(|| Rotation::of(&self.hot.x));
                measure(turn, || forward(&self.layer, rotation.next()))
            }
            Work::ColdCopy => {
                let rotation = self.cold.get_or_insert_with(|| Rotation::of(&self.hot.x));
                in_pool(|| measure(turn, || copy(rotation.next())))
            }
        }
    }
}

impl Rotation {
    fn of(x: &Array4<f32>) -> Self {
        let count = COLD_BYTES / (2 * size_of_val(slice(x)));
        let arrays = (0..count).map(|_| Arrays {
            x: x.clone(),
            y: x.clone(),
        });
        Self {
            arrays: arrays.collect(),
            next: 0,
        }
    }

    fn next(&mut self) -> &mut Arrays {
        self.next = (self.next + 1) % self.arrays.len();
        &mut self.arrays[self.next]
    }
}

fn forward<A: DynamicActivation>(layer: &Layer<A, f32>, Arrays { x, y }: &mut Arrays) {
    layer.forward_into(black_box(x), y).expect("arrays that fit");
    black_box(y);
}

/// On one of the pool's own threads, from where the memory floor hands parts to the others at the least cost. Layers
/// are called from outside, as by anyone.
fn in_pool(run: impl FnOnce() -> Timing + Send) -> Timing {
    rayon::scope(|_| run())
}

/// On all threads.
fn copy(Arrays { x, y }: &mut Arrays) {
    let part = x.len().div_ceil(rayon::current_num_threads());
    let parts = y.as_slice_mut().expect("standard layout").par_chunks_mut(part);
    parts
        .zip(slice(black_box(x)).par_chunks(part))
        .for_each(|(y, x)| y.copy_from_slice(x));
    black_box(y);
}

/// On all threads.
fn reread(x: &Array4<f32>) {
    let [samples, channels, height, width] = *x.shape() else {
        unreachable!("four axes")
    };
    let mut sums = vec![0.0; samples * channels];
    let part = sums.len().div_ceil(rayon::current_num_threads());
    let level = Level::new();
    sums.par_chunks_mut(part)
        .zip(slice(black_box(x)).par_chunks(part * height * width))
        .for_each(|(sums, x)| pool::forward(level, height * width, x, sums));
    black_box(sums);
}

fn slice(array: &Array4<f32>) -> &[f32] {
    array.as_slice().expect("standard layout")
}

fn read(tensors: &SafeTensors<'_>, name: &str) -> Result<Array4<f32>, Box<dyn Error>> {
    let tensor = tensors.tensor(name)?;
    let shape: [usize; 4] = tensor.shape().try_into()?;
    let (values, _) = tensor.data().as_chunks();
    let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
    Ok(Array4::from_shape_vec(shape, values.collect())?)
}

fn bytes(array: &ArrayViewD<'_, f32>) -> Vec<u8> {
    array.iter().flat_map(|value| value.to_le_bytes()).collect()
}
