//! The messages for each mistake: `ui/<topic>/<what_is_wrong>.rs`, with what the compiler says beside it.
//!
//! Update the expectations with `TRYBUILD=overwrite cargo test --test ui`.

#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    let topics = [
        "args",
        "coefficients",
        "hyper",
        "item",
        "kinds",
        "neighbours",
        "piece",
        "pieces",
        "squash",
    ];
    for topic in topics {
        cases.compile_fail(format!("tests/ui/{topic}/*.rs"));
    }
    cases.pass("tests/ui/pass/*.rs");
}
