//! Whether abstraction costs nothing: counts the instructions of the kernels that descriptions lead to, next to those
//! of the same kernels written by hand, and fails when there are too many.
//!
//! ```console
//! cargo bench --bench instructions
//! ```
//!
//! needs valgrind, whose callgrind counts: the benchmark runs itself under it, once for each kernel. The numbers do
//! not depend on the machine's load, so the limits are tight. They are for AVX2, which every valgrind knows.

mod twins;

use dyrelu::kernels::Level;
use std::env;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use twins::{Kernel, PAIRS, Pair, Workload};

/// Rows and their length: no multiple of the lanes, half a multiple, long.
const SIZES: [[usize; 2]; 3] = [[64, 49], [64, 196], [4, 4096]];

/// Instructions that a row may cost in addition to the limit, whatever its length: its slices are checked.
const ROW: f64 = 8.0;

/// How many times the instructions of the hand-written kernel the other one may take. Custom pieces have no limit:
/// whoever writes such a kernel by hand would also simplify its formula.
fn ratio_limit(kernel: &str) -> Option<f64> {
    match kernel {
        // Sums and coefficients need more than the sixteen registers that there are. Which of them the compiler keeps
        // in memory changes with every edit of either kernel; the arithmetic is the same.
        "backward affine K=3" | "backward affine K=4" => Some(1.06),
        "pool" => Some(1.01),
        _ => kernel.contains("affine").then_some(1.01),
    }
}

/// Instructions for each element of a long row. A loop that is not vectorised takes eight times as many.
fn count_limit(kernel: &str) -> Option<f64> {
    match kernel {
        "pool" => Some(0.5),
        "forward affine K=2" => Some(1.3),
        "backward affine K=2" => Some(3.3),
        "forward swish K=2" => Some(12.5),
        "backward swish K=2" => Some(18.5),
        _ => None,
    }
}

fn main() -> ExitCode {
    let Some(level) = avx2() else {
        eprintln!("this machine lacks AVX2, which the limits are for");
        return ExitCode::FAILURE;
    };
    if let Some(case) = env::args().skip_while(|argument| argument != "--count").nth(1) {
        run_once(level, &case);
        return ExitCode::SUCCESS;
    }
    let mut passed = true;
    println!("Instructions for each element of f32, AVX2. After the slash: the limit.\n");
    println!("| kernel | row | generated | by hand | ratio |");
    println!("|---|--:|--:|--:|--:|");
    for (index, pair) in PAIRS.iter().enumerate() {
        for [rows, len] in SIZES {
            let elements = (rows * len) as f64;
            let [generated, written] = ["generated", "written"]
                .map(|side| count(&format!("{index} {side} {rows} {len}")) as f64 / elements);
            let most = count_limit(pair.name).filter(|_| len >= 4096);
            let most_ratio = ratio_limit(pair.name).map(|limit| limit + ROW / len as f64 / written);
            println!(
                "| {} | {len} | {} | {written:.3} | {} |",
                pair.name,
                with_limit(generated, most, &mut passed),
                with_limit(generated / written, most_ratio, &mut passed),
            );
        }
    }
    println!();
    for pair in PAIRS {
        for level in [level, Level::new()] {
            if !agree(level, pair) {
                println!("{}: the results differ ({level:?})", pair.name);
                passed = false;
            }
        }
    }
    if passed {
        println!("All are within their limits.");
        ExitCode::SUCCESS
    } else {
        println!("FAILED: something above is beyond its limit.");
        ExitCode::FAILURE
    }
}

/// A number as it stands in the table.
fn with_limit(value: f64, limit: Option<f64>, passed: &mut bool) -> String {
    match limit {
        None => format!("{value:.3}"),
        Some(limit) if value <= limit => format!("{value:.3} / {limit:.3}"),
        Some(limit) => {
            *passed = false;
            format!("**{value:.3}** / {limit:.3}")
        }
    }
}

/// AVX2, if the machine has it.
fn avx2() -> Option<Level> {
    #[cfg(target_arch = "x86_64")]
    return Level::new().as_avx2().map(Level::Avx2);
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// Whether the two kernels of a pair compute the same, special numbers included.
fn agree(level: Level, pair: Pair) -> bool {
    SIZES.into_iter().all(|[rows, len]| {
        let workload = Workload::new(rows, len, pair.set);
        [workload.clone(), workload.with_special_numbers()]
            .into_iter()
            .all(|workload| {
                let [generated, written] = [pair.generated, pair.written].map(|kernel| {
                    let mut workload = workload.clone();
                    workload.run(level, kernel);
                    workload
                });
                generated
                    .results()
                    .zip(written.results())
                    .all(|(a, b)| close(a, b))
            })
    })
}

/// Both NaN, both the same infinity, or equal but for the order of sums.
fn close(a: f32, b: f32) -> bool {
    a.is_nan() && b.is_nan() || a.total_cmp(&b).is_eq() || (a - b).abs() <= 1e-5 * a.abs().max(1.0)
}

/// The instructions of one kernel at one size.
fn count(case: &str) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*counted_call*")
        .arg(env::current_exe().expect("the path of this program"))
        .args(["--count", case])
        .output()
        .expect("valgrind is installed");
    let messages = String::from_utf8_lossy(&output.stderr);
    messages
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .filter(|&count| count > 0)
        .unwrap_or_else(|| panic!("no count in the messages of valgrind:\n{messages}"))
}

/// What runs under valgrind: the number of a pair, which of its kernels, the number of rows and their length.
fn run_once(level: Level, case: &str) {
    let words: Vec<&str> = case.split(' ').collect();
    let [index, side, rows, len] = words[..] else {
        panic!("four words, found {case:?}");
    };
    let [index, rows, len] = [index, rows, len].map(|number| number.parse().expect("a number"));
    let pair: Pair = PAIRS[index];
    let kernel = if side == "generated" {
        pair.generated
    } else {
        pair.written
    };
    let mut workload = Workload::new(rows, len, pair.set);
    counted_call(&mut workload, level, kernel);
    black_box(workload);
}

/// Callgrind counts what happens in here; it finds the function by its name.
#[inline(never)]
fn counted_call(workload: &mut Workload, level: Level, kernel: Kernel) {
    workload.run(level, kernel);
}
