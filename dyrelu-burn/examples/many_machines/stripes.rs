//! Images of stripes in four directions: something to learn that needs no files and no random numbers.

use burn::data::dataloader::batcher::Batcher;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Height and width of an image.
pub(crate) const SIDE: usize = 8;
/// Horizontal, vertical and the two diagonals.
pub(crate) const CLASSES: usize = 4;

/// One grey image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pixels: Vec<f32>,
    class: usize,
}

impl Image {
    /// The image of this number; the same number gives the same image. Classes take turns, while phase, contrast
    /// and brightness wander.
    pub(crate) fn new(number: usize) -> Self {
        let class = number % CLASSES;
        let phase = wander(number, 0.618_034) * std::f32::consts::TAU;
        let contrast = 0.3 + wander(number, 0.414_214);
        let brightness = wander(number, 0.732_051) - 0.5;
        let pixel = |row: usize, column: usize| {
            let along = match class {
                0 => row,
                1 => column,
                2 => row + column,
                _ => row + SIDE - column,
            };
            brightness + contrast * (1.6 * along as f32 + phase).sin()
        };
        let pixels = (0..SIDE * SIDE).map(|i| pixel(i / SIDE, i % SIDE)).collect();
        Self { pixels, class }
    }

    /// Images of the next `count` numbers.
    pub(crate) fn some(first: usize, count: usize) -> Vec<Self> {
        (first..first + count).map(Self::new).collect()
    }
}

/// Multiples of an irrational number without their integer part fill [0, 1) evenly.
fn wander(number: usize, step: f32) -> f32 {
    (number as f32 * step).fract()
}

/// Images as a network takes them.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// `[N, 1, SIDE, SIDE]`.
    pub(crate) images: Tensor<4>,
    /// `[N]`.
    pub(crate) classes: Tensor<1, Int>,
}

impl Batch {
    /// These images on a device.
    pub(crate) fn new(images: &[Image], device: &Device) -> Self {
        let pixels: Vec<f32> = images
            .iter()
            .flat_map(|image| image.pixels.iter().copied())
            .collect();
        let classes: Vec<i32> = images
            .iter()
            .map(|image| i32::try_from(image.class).unwrap())
            .collect();
        Self {
            images: Tensor::from_data(TensorData::new(pixels, [images.len(), 1, SIDE, SIDE]), device),
            classes: Tensor::from_data(TensorData::new(classes, [images.len()]), device),
        }
    }
}

/// Makes batches of the items of a data loader.
pub(crate) struct Stack;

impl Batcher<Image, Batch> for Stack {
    fn batch(&self, items: Vec<Image>, device: &Device) -> Batch {
        Batch::new(&items, device)
    }
}
