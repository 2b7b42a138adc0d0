//! What a training tells while it runs.

use std::collections::HashMap;
use std::sync::mpsc::Sender;

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};

/// A sign of life.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    /// A batch of this epoch is done.
    Batch {
        /// From 1.
        epoch: usize,
    },
    /// All of an epoch is done, validation included.
    Epoch {
        /// From 1.
        epoch: usize,
        /// Of the training images.
        loss: f64,
        /// In percent, of the validation images.
        accuracy: f64,
    },
}

/// Sends progress to the thread that watches. Burn's text renderer prints a line for each batch.
pub(crate) struct Messenger {
    watcher: Sender<Progress>,
    names: HashMap<MetricId, String>,
    epoch: usize,
    loss: f64,
    accuracy: f64,
}

impl Messenger {
    /// To the receiver of this channel.
    pub(crate) fn new(watcher: Sender<Progress>) -> Self {
        Self {
            watcher,
            names: HashMap::new(),
            epoch: 1,
            loss: f64::NAN,
            accuracy: f64::NAN,
        }
    }

    fn send(&self, progress: Progress) {
        // Nobody watches any more once the watcher has lost its patience.
        let _ = self.watcher.send(progress);
    }

    /// The value of the metric of this name, if this is it: the mean over the epoch so far.
    fn value(&self, state: &MetricState, name: &str) -> Option<f64> {
        match state {
            MetricState::Numeric(entry, Some(value)) if self.names.get(&entry.metric_id)? == name => {
                Some(value.current())
            }
            _ => None,
        }
    }
}

impl MetricsRendererTraining for Messenger {
    fn update_train(&mut self, state: MetricState) {
        self.loss = self.value(&state, "Loss").unwrap_or(self.loss);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.accuracy = self.value(&state, "Accuracy").unwrap_or(self.accuracy);
    }
}

impl TrainingProgressLogger for Messenger {
    fn start(&mut self, _: usize, first: usize, _: Option<usize>, _: Option<&str>) {
        self.epoch = first;
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.send(Progress::Epoch {
            epoch,
            loss: self.loss,
            accuracy: self.accuracy,
        });
        self.epoch = epoch + 1;
    }

    fn update_split(&mut self, _: usize) {
        self.send(Progress::Batch { epoch: self.epoch });
    }

    fn start_split(&mut self, _: &str, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRenderer for Messenger {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names
            .insert(definition.metric_id, definition.name.to_string());
    }
}

/// There is no evaluation.
impl MetricsRendererEvaluation for Messenger {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl EvaluationProgressLogger for Messenger {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}
