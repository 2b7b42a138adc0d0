//! What the macro wrote: the expansion of the paper's activation, kept up to date by a test of the macro.
//!
//! `cargo run --example 05_what_the_macro_wrote`

/// `#[dynamic_activation(k = 2, share = "spatial")] pub struct DyReluB;`
const DEFAULT: &str = include_str!("../dyrelu-macros/tests/snapshots/default_b.rs");

/// The same size for any number of pieces.
const SIXTY_FOUR_PIECES: &str = include_str!("../dyrelu-macros/tests/snapshots/k64.rs");

fn main() {
    println!("{DEFAULT}");
    let [two, sixty_four] = [DEFAULT, SIXTY_FOUR_PIECES].map(|expansion| expansion.lines().count());
    println!("// {two} lines for k = 2, {sixty_four} for k = 64");
}
