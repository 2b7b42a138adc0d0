//! Times of the kernels that descriptions lead to, next to those of the same kernels written by hand and, where NaN
//! need not propagate, written in intrinsics.
//!
//! ```console
//! cargo bench --bench handwritten
//! ```
//!
//! Other programs disturb a measurement only upwards, so the kernels take turns, many times, and the shortest time of
//! each counts. Everything fits into a second-level cache.

mod twins;

use dyrelu::kernels::Level;
use std::time::{Duration, Instant};
use twins::{Kernel, PAIRS, Pair, Workload};

/// Rows and their length.
const SIZES: [[usize; 2]; 3] = [[1024, 49], [64, 784], [16, 3136]];

const ROUNDS: usize = 600;

/// One measurement takes about this long.
const BATCH: Duration = Duration::from_micros(100);

fn main() {
    println!("Nanoseconds for each element of f32, and ratios of times.\n");
    println!(
        "| level | kernel | row | generated, ns | by hand, ns | generated / by hand | generated / intrinsics |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|");
    for level in levels() {
        for pair in PAIRS {
            for [rows, len] in SIZES {
                let workload = Workload::new(rows, len, pair.set);
                let mut kernels = vec![pair.generated, pair.written];
                kernels.extend(intrinsics(level, pair));
                let times = shortest_times(level, workload, &kernels);
                let against_intrinsics = match times.get(2) {
                    Some(time) => format!("{:.3}", times[0] / time),
                    None => String::new(),
                };
                println!(
                    "| {} | {} | {len} | {:.4} | {:.4} | {:.3} | {against_intrinsics} |",
                    name(level),
                    pair.name,
                    times[0],
                    times[1],
                    times[0] / times[1],
                );
            }
        }
    }
}

/// AVX2, and what is better.
fn levels() -> Vec<Level> {
    let best = Level::new();
    #[cfg(target_arch = "x86_64")]
    if let (Level::Avx512(_), Some(avx2)) = (best, best.as_avx2()) {
        return vec![Level::Avx2(avx2), best];
    }
    vec![best]
}

fn name(level: Level) -> String {
    let debug = format!("{level:?}");
    debug.split('(').next().unwrap_or(&debug).to_owned()
}

/// The kernel in intrinsics, if there is one for this pair and level.
#[cfg(target_arch = "x86_64")]
fn intrinsics(level: Level, pair: Pair) -> Option<Kernel> {
    if !matches!(level, Level::Avx2(_) | Level::Avx512(_)) {
        return None;
    }
    match pair.name {
        "forward affine K=2" => Some(Kernel::Forward(twins::intrinsics::forward::<2>)),
        "forward affine K=4" => Some(Kernel::Forward(twins::intrinsics::forward::<4>)),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn intrinsics(_: Level, _: Pair) -> Option<Kernel> {
    None
}

/// Nanoseconds for each element, for each kernel.
fn shortest_times(level: Level, mut workload: Workload, kernels: &[Kernel]) -> Vec<f64> {
    let mut repeat = |kernel, calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            workload.run(level, kernel);
        }
        start.elapsed() / calls
    };
    let once = repeat(kernels[0], 10).max(Duration::from_nanos(1));
    let calls = u32::try_from(BATCH.as_nanos() / once.as_nanos())
        .unwrap_or(1)
        .max(1);
    let mut shortest = vec![Duration::MAX; kernels.len()];
    for round in 0..ROUNDS {
        for turn in 0..kernels.len() {
            // Each kernel comes first in as many rounds as any other.
            let kernel = (round + turn) % kernels.len();
            shortest[kernel] = shortest[kernel].min(repeat(kernels[kernel], calls));
        }
    }
    let elements = workload.elements() as f64;
    shortest
        .into_iter()
        .map(|time| time.as_nanos() as f64 / elements)
        .collect()
}
