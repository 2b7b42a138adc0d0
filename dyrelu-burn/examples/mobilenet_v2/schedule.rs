//! [`WarmUpCosine`]: the learning rate.

use std::f64::consts::PI;

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use burn::optim::LearningRate;

/// Key of the record.
const STEP: &str = "step";

/// A learning rate that rises linearly, and falls to zero along a cosine; the smaller of both.
#[derive(Debug, Clone)]
pub(crate) struct WarmUpCosine {
    rate: LearningRate,
    /// Steps until the linear part reaches the rate.
    warm_up: usize,
    steps: usize,
    /// The number of steps taken.
    step: usize,
}

impl WarmUpCosine {
    /// A twentieth of the steps is for the warm-up.
    pub(crate) fn new(rate: LearningRate, steps: usize) -> Self {
        Self {
            rate,
            warm_up: (steps / 20).max(1),
            steps: steps.max(1),
            step: 0,
        }
    }
}

impl LrScheduler for WarmUpCosine {
    fn step(&mut self) -> LearningRate {
        let linear = (self.step + 1) as f64 / self.warm_up as f64;
        let cosine = 0.5 * (1.0 + (PI * self.step as f64 / self.steps as f64).cos());
        self.step += 1;
        self.rate * linear.min(cosine)
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar(STEP, self.step)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        self.step = record.scalar(STEP).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        let mut schedule = WarmUpCosine::new(0.1, 100);
        let rates: Vec<f64> = (0..100).map(|_| schedule.step()).collect();
        for (step, expected) in [(0, 0.02), (1, 0.04), (3, 0.08), (50, 0.05), (75, 0.014_644_661)] {
            assert!(
                (rates[step] - expected).abs() < 1e-9,
                "{}, expected {expected}",
                rates[step]
            );
        }
        assert!(rates[4] < 0.1 && rates[4] > 0.099);
        assert!(rates[4..].is_sorted_by(|a, b| a > b));
        assert!(rates[99] > 0.0 && rates[99] < 1e-4);
    }

    #[test]
    fn short_trainings_have_one_step_of_warm_up() {
        let mut schedule = WarmUpCosine::new(1.0, 2);
        for expected in [1.0, 0.5] {
            assert!((schedule.step() - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn a_record_goes_on_where_it_was_made() {
        let mut schedule = WarmUpCosine::new(0.1, 40);
        for _ in 0..7 {
            schedule.step();
        }
        let mut other = WarmUpCosine::new(0.1, 40);
        other.load_record(schedule.to_record());
        assert!((schedule.step() - other.step()).abs() < 1e-15);
    }
}
