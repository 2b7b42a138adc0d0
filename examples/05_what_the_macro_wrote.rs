//! What the macro wrote: the whole expansion, as the macro's own tests keep it.
//!
//! `cargo run --example 05_what_the_macro_wrote`

/// The expansion of the paper's activation. For k = 64 it differs in the number 64.
const DEFAULT: &str = include_str!("../dyrelu-codegen/tests/snapshots/variant_b.rs");

/// The expansion of a piece with `let` and `if`: the gradient is derived, and shares what it can.
const SOFT_THRESHOLD: &str = include_str!("../dyrelu-codegen/tests/snapshots/soft_threshold.rs");

/// The expansion of Meta-ACON: two coefficients are learned, one is dynamic, and nothing stands between the two layers of
/// its hyper function.
const META_ACON: &str = include_str!("../dyrelu-codegen/tests/snapshots/meta_acon.rs");

fn main() {
    for (name, expansion) in [
        ("the paper's piece", DEFAULT),
        ("a piece with `let` and `if`", SOFT_THRESHOLD),
        ("learned and dynamic coefficients", META_ACON),
    ] {
        println!("// {name}: {} lines\n", expansion.lines().count());
        println!("{expansion}");
    }
}
