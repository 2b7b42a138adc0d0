//! [`Batches`]: images in batches, as Burn's loop takes them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::dataset::{SIDE, Split};

/// Images with their labels.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// `[N, 1, side, side]`
    pub(crate) images: Tensor<4>,
    /// `[N]`
    pub(crate) labels: Tensor<1, Int>,
}

/// Loads the images of a split.
///
/// Burn's own loader goes on with its random numbers from epoch to epoch; after a restart it would repeat the order of the
/// first one. Here the order follows from the seed and the number of the epoch.
pub(crate) struct Batches {
    split: Arc<Split>,
    /// Those of the split that belong to it: all, or the share of one of several devices.
    indices: Range<usize>,
    /// The number of images in a batch.
    batch: usize,
    side: usize,
    order: Order,
    device: Device,
}

/// In which order the images come.
enum Order {
    AsStored,
    /// In another one in each epoch, without those that do not fill a batch.
    Shuffled {
        seed: u64,
        epoch: AtomicU64,
    },
}

impl Batches {
    /// Batches of all images in their order.
    pub(crate) fn of(split: &Arc<Split>, batch: usize, side: usize) -> Self {
        Self {
            indices: 0..split.len(),
            split: Arc::clone(split),
            batch,
            side,
            order: Order::AsStored,
            device: Device::default(),
        }
    }

    /// In a random order, where the first iteration is that of the epoch of this index.
    pub(crate) fn shuffled(self, seed: u64, epoch: u64) -> Self {
        let epoch = AtomicU64::new(epoch);
        Self {
            order: Order::Shuffled { seed, epoch },
            ..self
        }
    }

    /// The number of batches in an epoch.
    pub(crate) fn count(&self) -> usize {
        match self.order {
            Order::AsStored => self.indices.len().div_ceil(self.batch),
            Order::Shuffled { .. } => self.indices.len() / self.batch,
        }
    }

    /// These images as one batch.
    fn load(&self, indices: &[usize]) -> Batch {
        let Split { images, labels } = self.split.select(indices);
        let shape = images.shape().to_vec();
        let images = TensorData::new(images.into_raw_vec_and_offset().0, shape);
        let labels: Vec<i64> = labels.iter().copied().map(i64::from).collect();
        let labels = TensorData::new(labels, [indices.len()]);
        let mut images = Tensor::from_data(images, &self.device);
        if self.side != SIDE {
            let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_align_corners(false)
                .with_output_size([self.side; 2]);
            images = interpolate(images, options);
        }
        Batch {
            images,
            labels: Tensor::from_data(labels, &self.device),
        }
    }
}

impl DataLoader<Batch> for Batches {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let mut indices: Vec<usize> = self.indices.clone().collect();
        if let Order::Shuffled { seed, epoch } = &self.order {
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            rng.set_stream(epoch.fetch_add(1, Ordering::Relaxed));
            indices.shuffle(&mut rng);
            indices.truncate(self.count() * self.batch);
        }
        Box::new(Iter {
            batches: self,
            indices,
            done: 0,
        })
    }

    fn num_items(&self) -> usize {
        match self.order {
            Order::AsStored => self.indices.len(),
            Order::Shuffled { .. } => self.count() * self.batch,
        }
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            device: device.clone(),
            ..self.share(self.indices.clone())
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let first = self.indices.start;
        Arc::new(self.share(first + start..first + end))
    }
}

impl Batches {
    fn share(&self, indices: Range<usize>) -> Self {
        let order = match &self.order {
            Order::AsStored => Order::AsStored,
            Order::Shuffled { seed, epoch } => Order::Shuffled {
                seed: *seed,
                epoch: AtomicU64::new(epoch.load(Ordering::Relaxed)),
            },
        };
        Self {
            split: Arc::clone(&self.split),
            indices,
            order,
            device: self.device.clone(),
            ..*self
        }
    }
}

/// The batches of an epoch.
struct Iter<'a> {
    batches: &'a Batches,
    indices: Vec<usize>,
    /// The number of images that were loaded.
    done: usize,
}

impl Iterator for Iter<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.indices[self.done..].chunks(self.batches.batch).next()?;
        self.done += batch.len();
        Some(Ok(self.batches.load(batch)))
    }
}

impl DataLoaderIterator<Batch> for Iter<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.done, self.indices.len(), Some("images".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Maps;
    use ndarray::Array1;

    /// Images that are as bright as their index.
    fn split(count: u8) -> Arc<Split> {
        Arc::new(Split {
            images: Maps::from_shape_fn((count.into(), 1, SIDE, SIDE), |(n, ..)| n as f32),
            labels: Array1::from_iter(0..count),
        })
    }

    /// The labels of each batch of the next epoch.
    fn epoch(batches: &dyn DataLoader<Batch>) -> Vec<Vec<i64>> {
        let labels = |batch: Result<Batch, _>| batch.unwrap().labels.try_into_vec_as().unwrap();
        batches.iter().map(labels).collect()
    }

    #[test]
    fn all_images_come_in_their_order() {
        let batches = Batches::of(&split(5), 2, SIDE);
        assert_eq!(batches.num_items(), 5);
        assert_eq!(epoch(&batches), [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn each_epoch_has_an_order_that_follows_from_its_number() {
        let batches = Batches::of(&split(9), 4, SIDE).shuffled(3, 0);
        assert_eq!((batches.num_items(), batches.count()), (8, 2));
        let [first, second] = [epoch(&batches), epoch(&batches)];
        assert_ne!(first, second);
        assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
        assert_eq!(epoch(&Batches::of(&split(9), 4, SIDE).shuffled(3, 1)), second);
        let moved = Batches::of(&split(9), 4, SIDE)
            .shuffled(3, 1)
            .to_device(&Device::flex());
        assert_eq!(epoch(&*moved), second);
        assert_ne!(epoch(&Batches::of(&split(9), 4, SIDE).shuffled(4, 0)), first);
    }

    #[test]
    fn a_slice_has_its_own_images() {
        let slice = Batches::of(&split(9), 2, SIDE).shuffled(1, 0).slice(4, 9);
        let mut labels = epoch(&*slice).concat();
        labels.sort_unstable();
        assert_eq!(labels.len(), 4);
        assert!(labels[0] >= 4, "{labels:?}");
    }

    #[test]
    fn images_are_scaled_to_the_resolution() {
        let batch = Batches::of(&split(3), 3, 56).iter().next().unwrap().unwrap();
        assert_eq!(batch.images.dims(), [3, 1, 56, 56]);
        let brightest: f32 = batch.images.max().into_scalar();
        assert!((brightest - 2.0).abs() < 1e-6, "{brightest}");
    }
}
