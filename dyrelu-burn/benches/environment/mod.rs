//! The environment of the benchmarks: one thread, and memory that stays with the process.
//!
//! The allocator of glibc returns large buffers to the system and asks for them again, which costs more than a kernel.

use std::process::{Command, exit};

const ENVIRONMENT: [(&str, &str); 4] = [
    ("RAYON_NUM_THREADS", "1"),
    ("MALLOC_TRIM_THRESHOLD_", "4000000000"),
    ("MALLOC_MMAP_THRESHOLD_", "4000000000"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// Starts the program again in this environment, unless it is there already.
pub(crate) fn prepare() {
    let is_set = |(name, value): &(&str, &str)| std::env::var(name).as_deref() == Ok(value);
    if ENVIRONMENT.iter().all(is_set) {
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program).envs(ENVIRONMENT).status();
    exit(status.expect("this program again").code().unwrap_or(1));
}
