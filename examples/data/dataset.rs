//! Fashion-MNIST: 28 × 28 grey images of ten kinds of clothes.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array3, Array4, Axis};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::idx;

/// Batches of maps, `[N, C, H, W]`.
pub(crate) type Maps = Array4<f32>;

/// What the labels mean.
pub(crate) const CLASSES: [&str; 10] = [
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Height and width of an image.
pub(crate) const SIDE: usize = 28;

/// The images to train on, and those to test with.
pub(crate) struct Dataset {
    pub(crate) train: Split,
    pub(crate) test: Split,
}

/// Images with their labels.
pub(crate) struct Split {
    /// `[N, 1, 28, 28]`, grey values from −1, black, to 1, white.
    pub(crate) images: Maps,
    /// `[N]`, an index into [`CLASSES`] each.
    pub(crate) labels: Array1<u8>,
}

/// A dataset that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "there is no {} in `{}`; run from the root of the repository, whose \
         `examples/data` has a part of Fashion-MNIST, or name the directory of the IDX files with --data",
        names.join(" or "), directory.display()
    )]
    Missing { names: [String; 3], directory: PathBuf },
    #[error(transparent)]
    File(#[from] idx::Error),
    #[error("`{}` holds no images of {SIDE} × {SIDE} pixels, its shape is {shape:?}", path.display())]
    Shape { path: PathBuf, shape: Vec<usize> },
    #[error("`{}` holds {labels} labels for {images} images", path.display())]
    Count {
        path: PathBuf,
        images: usize,
        labels: usize,
    },
    #[error("`{}` holds the label {label} at index {index}, the largest is 9", path.display())]
    Label { path: PathBuf, index: usize, label: u8 },
}

impl Dataset {
    /// Reads the four files of a directory: those of the whole Fashion-MNIST, packed or not, or else those of
    /// the part that is in this repository.
    pub(crate) fn read(directory: &Path) -> Result<Self, Error> {
        Ok(Self {
            train: Split::read(directory, "train", "fashion-4000")?,
            test: Split::read(directory, "t10k", "fashion-1000")?,
        })
    }
}

impl Split {
    fn read(directory: &Path, split: &str, subset: &str) -> Result<Self, Error> {
        let path = find(directory, &format!("{split}-images-idx3-ubyte"), subset)?;
        let images: Array3<u8> = idx::read(&path)?;
        if images.is_empty() || images.shape()[1..] != [SIDE, SIDE] {
            return Err(Error::Shape {
                path,
                shape: images.shape().to_vec(),
            });
        }
        let path = find(directory, &format!("{split}-labels-idx1-ubyte"), subset)?;
        let labels: Array1<u8> = idx::read(&path)?;
        if labels.len() != images.len_of(Axis(0)) {
            return Err(Error::Count {
                path,
                images: images.len_of(Axis(0)),
                labels: labels.len(),
            });
        }
        if let Some(index) = labels
            .iter()
            .position(|&label| usize::from(label) >= CLASSES.len())
        {
            return Err(Error::Label {
                path,
                index,
                label: labels[index],
            });
        }
        let images = images
            .mapv(|grey| f32::from(grey) / 127.5 - 1.0)
            .insert_axis(Axis(1));
        Ok(Self { images, labels })
    }

    /// The images at these indices.
    pub(crate) fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: self.images.select(Axis(0), indices),
            labels: self.labels.select(Axis(0), indices),
        }
    }

    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }
}

/// Gives each image its own polarity, contrast and brightness, as global properties that do not change its
/// class: maybe its negative, with the grey values squeezed into a random part of their range.
pub(crate) fn jitter(images: &mut Maps, rng: &mut ChaCha8Rng) {
    for mut image in images.outer_iter_mut() {
        let polarity = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let contrast = rng.random_range(0.3..1.0);
        let brightness = rng.random_range(contrast - 1.0..1.0 - contrast);
        image.mapv_inplace(|grey| polarity * contrast * grey + brightness);
    }
}

/// The file of this name in a directory: plain, packed, or that of the part in this repository.
fn find(directory: &Path, name: &str, subset: &str) -> Result<PathBuf, Error> {
    let names = [
        name.to_owned(),
        format!("{name}.gz"),
        format!("{subset}-{name}.gz"),
    ];
    let mut paths = names.iter().map(|name| directory.join(name));
    match paths.find(|path| path.exists()) {
        Some(path) => Ok(path),
        None => Err(Error::Missing {
            names,
            directory: directory.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::fs;
    use tempfile::TempDir;

    /// The directory of the part that is in this repository, from any of its packages.
    fn subset() -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut directories = package.ancestors().map(|ancestor| ancestor.join("examples/data"));
        directories.find(|directory| directory.exists()).unwrap()
    }

    /// A directory with three black training images and their labels.
    fn directory(image_shape: [u8; 3], labels: &[u8]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        let pixels = image_shape.iter().map(|&size| usize::from(size)).product();
        write(
            &directory,
            "train-images-idx3-ubyte",
            &image_shape,
            &vec![0; pixels],
        );
        write(
            &directory,
            "train-labels-idx1-ubyte",
            &[u8::try_from(labels.len()).unwrap()],
            labels,
        );
        directory
    }

    /// Writes an IDX file.
    fn write(directory: &TempDir, name: &str, shape: &[u8], data: &[u8]) {
        let mut bytes = vec![0, 0, 8, u8::try_from(shape.len()).unwrap()];
        for &size in shape {
            bytes.extend(u32::from(size).to_be_bytes());
        }
        bytes.extend(data);
        fs::write(directory.path().join(name), bytes).unwrap();
    }

    fn read(directory: &TempDir) -> Result<Split, Error> {
        Split::read(directory.path(), "train", "fashion-4000")
    }

    #[test]
    fn the_images_of_this_repository_are_complete() {
        let Dataset { train, test } = Dataset::read(&subset()).unwrap();
        assert_eq!(train.images.dim(), (4000, 1, SIDE, SIDE));
        assert_eq!(test.images.dim(), (1000, 1, SIDE, SIDE));
        assert!(train.images.iter().all(|grey| (-1.0..=1.0).contains(grey)));
        for class in 0..10 {
            let count = test.labels.iter().filter(|&&label| label == class).count();
            assert!(count > 80, "{count} of class {class}");
        }
    }

    #[test]
    fn valid_files_are_read() {
        let split = read(&directory([3, 28, 28], &[0, 9, 4])).unwrap();
        assert_eq!(split.len(), 3);
        assert_eq!(split.images, Maps::from_elem((3, 1, SIDE, SIDE), -1.0));
        assert_eq!(split.labels.to_vec(), [0, 9, 4]);
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let error = Dataset::read(Path::new("no/such")).err().unwrap();
        assert_eq!(
            error.to_string(),
            "there is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz or \
             fashion-4000-train-images-idx3-ubyte.gz in `no/such`; run from the root of the repository, whose \
             `examples/data` has a part of Fashion-MNIST, or name the directory of the IDX files with --data"
        );
    }

    #[test]
    fn files_that_do_not_fit_are_found() {
        for shape in [[3, 28, 27], [3, 14, 14], [0, 28, 28]] {
            let error = read(&directory(shape, &[0, 0, 0])).err().unwrap();
            assert!(matches!(error, Error::Shape { .. }), "{error}");
        }
        let error = read(&directory([3, 28, 28], &[0, 0])).err().unwrap();
        assert!(
            matches!(
                error,
                Error::Count {
                    images: 3,
                    labels: 2,
                    ..
                }
            ),
            "{error}"
        );
        let error = read(&directory([3, 28, 28], &[0, 10, 0])).err().unwrap();
        assert!(
            matches!(
                error,
                Error::Label {
                    index: 1,
                    label: 10,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn jitter_is_the_same_for_the_same_seed_and_stays_in_range() {
        let images = Maps::from_shape_fn((40, 1, 2, 1), |(_, _, y, _)| if y == 0 { -1.0 } else { 1.0 });
        let jittered = |seed| {
            let mut images = images.clone();
            jitter(&mut images, &mut ChaCha8Rng::seed_from_u64(seed));
            images
        };
        assert_eq!(jittered(1), jittered(1));
        assert_ne!(jittered(1), jittered(2));
        let negatives = jittered(1)
            .outer_iter()
            .filter(|image| image[[0, 0, 0]] > image[[0, 1, 0]])
            .count();
        assert!((10..30).contains(&negatives), "{negatives}");
        assert!(jittered(1).iter().all(|grey| (-1.0..=1.0).contains(grey)));
    }
}
