//! A layer with an input, and what can be asked of it.

use crate::Work;
use crate::timing::{Timing, measure};
use dyrelu::kernels::{Level, pool};
use dyrelu::safetensors::tensor::{Dtype, TensorView};
use dyrelu::safetensors::{SafeTensors, serialize};
use dyrelu::{DynamicActivation, Layer};
use ndarray::{Array4, ArrayViewD};
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
    fn compute(&self) -> Result<Vec<u8>, Box<dyn Error>>;

    /// Repeats a work until the turn is over.
    fn time(&mut self, work: Work, turn: Duration) -> Timing;
}

pub(crate) struct Case<A> {
    layer: Layer<A, f32>,
    grad_y: Array4<f32>,
    hot: Arrays,
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
        let hot = Arrays::of(read(&tensors, "x")?);
        let mut layer = A::layer(hot.x.shape()[1]).reduction(4).build()?;
        layer.load_tensors(&tensors, PARAMETERS)?;
        Ok(Self {
            layer,
            grad_y: read(&tensors, "grad_y")?,
            hot,
            cold: None,
        })
    }

    fn time_cold(&mut self, turn: Duration, work: impl Fn(&Layer<A, f32>, &mut Arrays)) -> Timing {
        let rotation = self.cold.get_or_insert_with(|| Rotation::of(&self.hot.x));
        measure(turn, || work(&self.layer, rotation.next()))
    }
}

impl<A: DynamicActivation> Contender for Case<A> {
    fn compute(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let (y, cache) = self.layer.forward_train(&self.hot.x)?;
        let grads = self.layer.backward(&self.hot.x, &cache, &self.grad_y)?;
        let mut tensors = vec![
            ("y", bytes(y.view().into_dyn())),
            ("x", bytes(grads.x.view().into_dyn())),
        ];
        tensors.extend(grads.parameters().map(|(name, grad)| (name, bytes(grad))));
        let views = tensors
            .iter()
            .map(|(name, (shape, bytes))| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
        Ok(serialize(views.collect::<Result<Vec<_>, Box<dyn Error>>>()?, None)?)
    }

    fn time(&mut self, work: Work, turn: Duration) -> Timing {
        match work {
            Work::Forward => measure(turn, || forward(&self.layer, &mut self.hot)),
            Work::ForwardBackward => measure(turn, || {
                let (y, cache) = self.layer.forward_train(&self.hot.x).expect("an input that fits");
                let grads = self.layer.backward(&self.hot.x, &cache, &self.grad_y);
                black_box((y, grads.expect("a gradient that fits")));
            }),
            Work::Copy => measure(turn, || copy(&mut self.hot)),
            Work::Reread => measure(turn, || reread(&self.hot.x)),
            Work::ColdForward => self.time_cold(turn, forward),
            Work::ColdCopy => self.time_cold(turn, |_, arrays| copy(arrays)),
        }
    }
}

impl Arrays {
    fn of(x: Array4<f32>) -> Self {
        let y = Array4::zeros(x.raw_dim());
        Self { x, y }
    }
}

impl Rotation {
    fn of(x: &Array4<f32>) -> Self {
        let count = COLD_BYTES / (2 * size_of_val(slice(x)));
        Self {
            arrays: (0..count).map(|_| Arrays::of(x.clone())).collect(),
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

fn copy(Arrays { x, y }: &mut Arrays) {
    let y_slice = y.as_slice_mut().expect("standard layout");
    y_slice.copy_from_slice(slice(black_box(x)));
    black_box(y);
}

fn reread(x: &Array4<f32>) {
    let [samples, channels, height, width] = *x.shape() else {
        unreachable!("four axes")
    };
    let mut sums = vec![0.0; samples * channels];
    pool::forward(Level::new(), height * width, slice(black_box(x)), &mut sums);
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

/// Shape and little-endian bytes.
fn bytes(array: ArrayViewD<'_, f32>) -> (Vec<usize>, Vec<u8>) {
    let bytes = array.iter().flat_map(|value| value.to_le_bytes()).collect();
    (array.shape().to_vec(), bytes)
}
