//! One contender's turn.

use serde::Serialize;
use std::time::{Duration, Instant};

/// Repetitions that are not measured: the contender before has had the caches.
const WARM_UP: usize = 2;

/// However long one repetition takes, there are as many as this.
const REPETITIONS: usize = 5;

/// Seconds of one repetition.
#[derive(Serialize)]
pub(crate) struct Timing {
    minimum: f64,
    median: f64,
    repetitions: usize,
}

/// Repeats a step until the turn is over.
pub(crate) fn measure(turn: Duration, mut step: impl FnMut()) -> Timing {
    for _ in 0..WARM_UP {
        step();
    }
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < REPETITIONS || start.elapsed() < turn {
        let before = Instant::now();
        step();
        times.push(before.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Timing {
        minimum: times[0],
        median: times[times.len() / 2],
        repetitions: times.len(),
    }
}
