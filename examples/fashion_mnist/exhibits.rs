//! The images to show what trained activations do.

use crate::dataset::Split;

/// `count` images of different brightness, from dark to bright.
pub(crate) fn by_brightness(split: &Split, count: usize) -> Split {
    let brightness: Vec<f32> = split.images.outer_iter().map(|image| image.sum()).collect();
    let mut order: Vec<usize> = (0..split.len()).collect();
    order.sort_by(|&a, &b| brightness[a].total_cmp(&brightness[b]));
    let chosen: Vec<usize> = (0..count)
        .map(|i| order[(2 * i + 1) * order.len() / (2 * count)])
        .collect();
    split.select(&chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Maps;
    use ndarray::Array1;

    #[test]
    fn exhibits_go_from_dark_to_bright() {
        let images = Maps::from_shape_fn((9, 1, 1, 1), |(n, ..)| [8., 0., 3., 1., 7., 2., 4., 6., 5.][n]);
        let split = Split {
            images,
            labels: Array1::zeros(9),
        };
        assert_eq!(
            by_brightness(&split, 3).images.into_raw_vec_and_offset().0,
            [1., 4., 7.]
        );
    }
}
