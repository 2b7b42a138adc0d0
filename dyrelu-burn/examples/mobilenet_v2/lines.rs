//! [`Lines`]: the progress as text, a line for each epoch.

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};

use crate::journal::Journal;

/// What shows the progress where standard output is no terminal. Burn's own renderer prints a line for each batch.
pub(crate) struct Lines {
    /// What is trained.
    label: String,
    epochs: usize,
    journal: Journal,
}

impl Lines {
    pub(crate) fn new(label: &str, epochs: usize, journal: Journal) -> Self {
        Self {
            label: label.to_owned(),
            epochs,
            journal,
        }
    }
}

impl TrainingProgressLogger for Lines {
    fn start(&mut self, _: usize, starting_epoch: usize, _: Option<usize>, _: Option<&str>) {
        if starting_epoch > 1 {
            println!("{}: resumed after epoch {}", self.label, starting_epoch - 1);
        }
    }

    fn update_epoch(&mut self, epoch: usize) {
        if let Some(last) = self.journal.epochs(epoch).last() {
            println!(
                "{}: epoch {epoch} of {}: training loss {:.3}, test accuracy {:.2} %, {:.1} s",
                self.label, self.epochs, last.loss, last.accuracy, last.seconds
            );
        }
    }

    fn start_split(&mut self, _: &str, _: usize) {}

    fn update_split(&mut self, _: usize) {}

    fn end_split(&mut self) {}

    fn end(&mut self) {}

    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRendererTraining for Lines {
    fn update_train(&mut self, _: MetricState) {}

    fn update_valid(&mut self, _: MetricState) {}
}

impl MetricsRenderer for Lines {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, _: MetricDefinition) {}
}

/// There is no evaluation besides the one in each epoch.
impl EvaluationProgressLogger for Lines {
    fn start_global_progress(&mut self, _: usize) {}

    fn start_test(&mut self, _: &str, _: usize) {}

    fn update_test_progress(&mut self, _: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _: String) {}
}

impl MetricsRendererEvaluation for Lines {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}
