//! How many messages there are, and that each independent mistake has its own. The wording of each single
//! message stands in `tests/ui` of the workspace.

use super::{expand, messages_in};

/// Asserts the messages for an attribute, in the order in which they are found.
#[track_caller]
fn check(arguments: &str, expected: &[&str]) {
    assert_eq!(messages_in(expand(arguments, "struct Foo;")), expected);
}

const MISSING_K: &str = "missing argument `k`; expected the number of pieces: `k = 2`";
const MISSING_SHARE: &str =
    r#"missing argument `share`; expected one of "spatial", "spatial+channel", "none""#;

#[test]
fn no_arguments() {
    check("", &[MISSING_K, MISSING_SHARE]);
}

#[test]
fn an_argument_that_is_wrong_is_not_missing() {
    check(
        "k = 0, share = spatial",
        &[
            "`k` must be at least 1, found 0",
            r#"expected a string literal: `share = "spatial"`"#,
        ],
    );
    check(
        r#"k =, shar = "none""#,
        &[
            "expected a value: `k = 2`",
            "unknown argument `shar`; did you mean `share`?",
        ],
    );
}

#[test]
fn a_missing_comma_hides_nothing() {
    check(
        r#"k = 2 share = "spatial" combine = "maximum""#,
        &[
            "expected a comma before `share`",
            "expected a comma before `combine`",
            r#"unknown combination "maximum"; did you mean "max"? expected one of "max", "min", "sum""#,
        ],
    );
}

#[test]
fn a_missing_bar_hides_nothing() {
    check(
        r#"piece = |x, a, b a * x + b, k = 99, share = "spatial""#,
        &["expected `,`", "`k` must be at most 64, found 99"],
    );
}

#[test]
fn a_syntax_error_in_the_piece_hides_nothing() {
    check(
        r#"k = 2, piece = |x, a| a * , share = "none", init(a = one)"#,
        &[
            "unexpected end of input, expected an expression",
            "expected a number such as `0.5`, or a list such as `[1.0, 0.0]`",
        ],
    );
}

#[test]
fn every_mistake_in_a_piece_is_shown() {
    check(
        r#"k = 2, share = "none", init(a = 1.0, b = 1.0, c = 1.0),
           piece = |x, a, b| { let t = y * tanh(q); foo(t) + a % b + x.powi(a) + if x { 1.0 } else { max(x) } }"#,
        &[
            "unknown variable `y` in piece; its parameters are `x`, `a`, `b`",
            "unknown variable `q` in piece; its parameters are `x`, `a`, `b`",
            "unknown function `foo` in piece; supported functions: `exp`, `exp_m1`, `ln`, `ln_1p`, `sqrt`, `sin`, \
             `cos`, `tan`, `tanh`, `sigmoid`, `softplus`, `abs`, `sign`, `recip`, `powi`, `max`, `min`, `relu`, `clamp`",
            "unsupported operator `%` in piece; supported: `+`, `-`, `*`, `/`",
            "the exponent of `powi` is an integer such as in `x.powi(2)`",
            "expected a comparison such as `x > 0.0`",
            "`max` takes 2 arguments, found 1: write `max(x, y)` or `x.max(y)`",
            "no coefficient `c`; the piece declares `a`, `b`",
        ],
    );
}

#[test]
fn a_misplaced_condition_is_one_mistake() {
    let message = "a condition can only stand in an `if`: `if x > 0.0 { x } else { a * x }`";
    let unknown = "unknown variable `y` in piece; its parameters are `x`, `a`";
    check(
        r#"k = 2, share = "none", piece = |x, a| a * (x > 0.0 && !(a > y) || x < a)"#,
        &[unknown, message],
    );
}

#[test]
fn a_rejected_name_may_be_used() {
    check(
        r#"k = 2, share = "none", piece = |x, A, b: f32, (c, d), e| { let F = x; A * b + c - d * F }, init(A = 1, z = 2)"#,
        &[
            "expected a lower-case name: `a`",
            "expected a plain name without a type; every value has the element type of the layer",
            "expected a plain name",
            "expected a lower-case name: `f`",
        ],
    );
}

#[test]
fn each_number_of_a_list_is_checked() {
    check(
        r#"k = 2, share = "none", init(a = [1.0f32, x, 1e999], a = 1.0, 3)"#,
        &[
            "expected a number without the suffix `f32`: `1.0`",
            "expected a number such as `0.5`, or a list such as `[1.0, 0.0]`",
            "this number is too large for an `f64`",
            "duplicate coefficient `a` in `init`",
            "expected `name = value`: `init(a = [1.0, 0.0], b = 0.0)`",
        ],
    );
}

#[test]
fn a_wrong_item_gets_stubs_if_it_is_a_type() {
    let arguments = r#"k = 2, share = "none""#;
    for (item, found, stubs) in [
        ("enum Foo<'a, T: Copy> { A(&'a T) }", "an enum", true),
        ("union Foo { a: u8 }", "a union", true),
        ("pub const fn foo() {}", "a function", false),
        ("trait Foo {}", "a trait", false),
        ("mod foo {}", "a module", false),
    ] {
        let expansion = expand(arguments, item);
        assert_eq!(expansion.to_string().contains("impl"), stubs, "{item}");
        let message = format!("`#[dynamic_activation]` can only be placed on a struct, found {found}");
        assert_eq!(messages_in(expansion), [message]);
    }
}

#[test]
fn macros_by_example_may_pass_arguments_on() {
    use proc_macro2::{Delimiter, Group, TokenStream};
    use quote::quote;
    let invisible = |tokens: TokenStream| Group::new(Delimiter::None, tokens);
    let (k, share) = (invisible(quote!(2)), invisible(quote!("none")));
    let (piece, init) = (invisible(quote!(|x, a| a * x)), invisible(quote!(-1.0)));
    let arguments = quote!(k = #k, share = #share, piece = #piece, init(a = #init));
    assert_eq!(
        messages_in(crate::expand::expand(
            arguments,
            &quote!(
                struct Foo;
            )
        )),
        [""; 0]
    );
}

#[test]
fn spaces_do_not_matter() {
    check(
        r#"k=2,share="none",crate=::dyrelu,piece=|x,a|a*x,init(a=-1.0),lambda(a=[-1,-2])"#,
        &[],
    );
}
