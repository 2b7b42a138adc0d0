//! [`Journal`]: what happened in each epoch.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use burn::train::logger::{MetricLogger, TrainingProgressLogger};
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, MetricName, NumericEntry};
use serde::{Deserialize, Deserializer, Serialize};

/// Parts of an epoch for which the loss is kept.
const PARTS: usize = 20;

const NO_PANIC: &str = "nothing panics while it writes";

/// One pass over the training images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// The mean loss of the batches, each before its step.
    #[serde(deserialize_with = "number")]
    pub(crate) loss: f32,
    /// The same for successive parts of the epoch.
    #[serde(deserialize_with = "numbers")]
    pub(crate) losses: Vec<f32>,
    /// The part of the test images that are recognised afterwards, in per cent.
    pub(crate) accuracy: f32,
    /// Without the test.
    pub(crate) seconds: f32,
}

/// Listens to a training. Clones share their content.
///
/// Burn reports metrics from one thread and progress from another one. An epoch is over when the metrics are.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    content: Mutex<Content>,
    /// Another epoch is over.
    news: Condvar,
}

#[derive(Default)]
struct Content {
    epochs: Vec<Epoch>,
    names: HashMap<MetricId, MetricName>,
    /// When the training images of the current epoch started, unless they are over.
    start: Option<Instant>,
    /// What they took, for epochs whose metrics are still under way.
    seconds: VecDeque<f32>,
    /// Of each batch of the current epoch.
    losses: Vec<f64>,
    /// For each batch of the current test, the accuracy and the number of images.
    accuracies: Vec<(f64, usize)>,
}

impl Journal {
    /// A journal of the first epochs.
    pub(crate) fn resume(epochs: Vec<Epoch>) -> Self {
        let journal = Self::default();
        journal.content().epochs = epochs;
        journal
    }

    /// What happened in the first epochs, as soon as these are over.
    pub(crate) fn epochs(&self, count: usize) -> Vec<Epoch> {
        let under_way = |content: &mut Content| content.epochs.len() < count;
        let content = self.0.news.wait_while(self.content(), under_way);
        content.expect(NO_PANIC).epochs[..count].to_vec()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.content.lock().expect(NO_PANIC)
    }
}

impl MetricLogger for Journal {
    fn log(&mut self, update: MetricsUpdate, _epoch: usize, split: &Split) {
        let mut content = self.content();
        for update in update.entries_numeric {
            let value = match update.numeric_entry {
                Some(NumericEntry::Value(value)) => (value, 1),
                Some(NumericEntry::Aggregated {
                    aggregated_value,
                    count,
                }) => (aggregated_value, count),
                // What Burn computed from all batches.
                Some(NumericEntry::Final(_)) | None => continue,
            };
            let name = content
                .names
                .get(&update.entry.metric_id)
                .map(|name| name.as_str());
            match (name, split) {
                (Some("Loss"), Split::Train) => content.losses.push(value.0),
                (Some("Accuracy"), Split::Valid) => content.accuracies.push(value),
                _ => {}
            }
        }
    }

    /// Only what was written in this process; nothing asks.
    fn read_numeric(&mut self, name: &str, _: usize, _: &Split) -> Result<Vec<NumericEntry>, String> {
        Err(format!("the journal does not keep `{name}`"))
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.content().names.insert(definition.metric_id, definition.name);
    }

    /// The test comes after the training.
    fn log_epoch_summary(&mut self, summary: EpochSummary) {
        if summary.split != Split::Valid {
            return;
        }
        let mut content = self.content();
        let losses = mem::take(&mut content.losses);
        let accuracies = mem::take(&mut content.accuracies);
        let seconds = content.seconds.pop_front().unwrap_or_default();
        content.epochs.push(Epoch::new(&losses, &accuracies, seconds));
        self.0.news.notify_all();
    }
}

impl TrainingProgressLogger for Journal {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}

    fn start_split(&mut self, split: &str, _: usize) {
        self.content().start = (split == Split::Train.to_string()).then(Instant::now);
    }

    fn update_split(&mut self, _: usize) {}

    fn end_split(&mut self) {
        let mut content = self.content();
        if let Some(start) = content.start.take() {
            content.seconds.push_back(start.elapsed().as_secs_f32());
        }
    }

    fn update_epoch(&mut self, _: usize) {}

    fn end(&mut self) {}

    fn log_event_training(&mut self, _: String) {}
}

impl Epoch {
    fn new(losses: &[f64], accuracies: &[(f64, usize)], seconds: f32) -> Self {
        let part = losses.len().div_ceil(PARTS).max(1);
        let images: usize = accuracies.iter().map(|(_, images)| images).sum();
        let recognised: f64 = accuracies
            .iter()
            .map(|(accuracy, images)| accuracy * *images as f64)
            .sum();
        Self {
            loss: mean(losses),
            losses: losses.chunks(part).map(mean).collect(),
            accuracy: narrow(recognised / images as f64),
            seconds,
        }
    }
}

/// JSON has no NaN, which the loss of a training that diverged is: it is written as `null`.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    let numbers = Vec::<Option<f32>>::deserialize(deserializer)?;
    Ok(numbers
        .into_iter()
        .map(|number| number.unwrap_or(f32::NAN))
        .collect())
}

fn mean(values: &[f64]) -> f32 {
    narrow(values.iter().sum::<f64>() / values.len() as f64)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are enough for a report"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_are_no_numbers_survive() {
        let json = serde_json::to_string(&Epoch::new(&[1.0, f64::NAN], &[(50.0, 3)], 1.5)).unwrap();
        let epoch: Epoch = serde_json::from_str(&json).unwrap();
        assert!(epoch.loss.is_nan() && epoch.losses[1].is_nan());
        assert_eq!((epoch.losses[0], epoch.accuracy), (1.0, 50.0));
    }

    #[test]
    fn an_epoch_is_the_mean_of_its_batches() {
        let losses: Vec<f64> = (0..40).map(f64::from).collect();
        let epoch = Epoch::new(&losses, &[(50.0, 3), (100.0, 1)], 1.5);
        assert_eq!((epoch.loss, epoch.accuracy, epoch.seconds), (19.5, 62.5, 1.5));
        assert_eq!(epoch.losses.len(), PARTS);
        assert_eq!((epoch.losses[0], epoch.losses[19]), (0.5, 38.5));
    }
}
