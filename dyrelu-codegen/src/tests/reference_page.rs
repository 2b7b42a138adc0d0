//! The reference page is complete.

use crate::args::argument_names;
use crate::spec::{
    Attention, Choice, Combine, Context, Inner, MAX_COEFFICIENTS, MAX_OPERATIONS, MAX_PIECES, Sharing, Squash,
};
use crate::symbolic::FUNCTIONS;

const PAGE: &str = include_str!("../../../dyrelu-macros/docs/dynamic_activation.md");

#[test]
fn it_has_a_row_for_each_argument() {
    for name in argument_names() {
        assert!(PAGE.contains(&format!("\n| `{name}` |")), "{name}");
    }
}

#[test]
fn it_has_a_row_for_each_function() {
    for function in &FUNCTIONS {
        let call = format!("`{}(u", function.name);
        let mut first_cells = PAGE.lines().filter_map(|line| line.split('|').nth(1));
        assert!(first_cells.any(|cell| cell.contains(&call)), "{}", function.name);
    }
}

#[test]
fn it_has_each_choice() {
    fn check<C: Choice>() {
        for (spelling, _) in C::ALL {
            assert!(PAGE.contains(&format!("`{spelling:?}`")), "{spelling}");
        }
    }
    check::<Sharing>();
    check::<Combine>();
    check::<Squash>();
    check::<Context>();
    check::<Inner>();
    check::<Attention>();
}

#[test]
fn it_states_the_limits() {
    assert!(PAGE.contains(&format!("an integer from 1 to {MAX_PIECES}")));
    assert!(PAGE.contains(&format!("at most {MAX_COEFFICIENTS} coefficients and neighbours")));
    assert!(PAGE.contains(&format!("at most {MAX_OPERATIONS} operations")));
}
