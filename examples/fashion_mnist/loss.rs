//! The softmax cross-entropy.

use ndarray::{Array2, ArrayRef1};

/// The mean loss of logits `[N, classes]`, and its gradient.
pub(crate) fn cross_entropy(mut logits: Array2<f32>, labels: &ArrayRef1<u8>) -> (f32, Array2<f32>) {
    let samples = labels.len() as f32;
    let mut loss = 0.0;
    for (mut row, &label) in logits.outer_iter_mut().zip(labels) {
        let target = row[usize::from(label)];
        let largest = row.fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        loss += sum.ln() + largest - target;
        row /= sum * samples;
        row[usize::from(label)] -= 1.0 / samples;
    }
    (loss / samples, logits)
}

/// How many of the labels have the largest logit, larger than all others.
pub(crate) fn correct(logits: &Array2<f32>, labels: &ArrayRef1<u8>) -> usize {
    let hits = logits.outer_iter().zip(labels).filter(|(row, label)| {
        let label = usize::from(**label);
        row.iter()
            .enumerate()
            .all(|(class, &logit)| class == label || logit < row[label])
    });
    hits.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_loss_is_the_mean_surprise() {
        let logits = array![[0.0, 0.0, 0.0], [1000.0, 1000.0 + f32::ln(3.0), 0.0]];
        let (loss, grad) = cross_entropy(logits, &array![2, 1]);
        let mean = f32::midpoint(f32::ln(3.0), f32::ln(4.0 / 3.0));
        assert!((loss - mean).abs() < 1e-4, "{loss}");
        let expected = array![[1.0, 1.0, -2.0], [1.0, -1.0, 0.0]] / array![[6.0], [8.0]];
        assert!(
            (&grad - expected)
                .iter()
                .all(|difference| difference.abs() < 1e-4),
            "{grad}"
        );
    }

    #[test]
    fn the_largest_logit_decides() {
        let logits = array![[0.0, 2.0, 1.0], [0.0, 2.0, 1.0]];
        assert_eq!(correct(&logits, &array![1, 2]), 1);
    }
}
