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
fn commas_between_bars_separate_parameters() {
    check(
        r#"k = 2, share = "none", piece = |x, Some(a)| a * x"#,
        &["expected a plain name"],
    );
    check(
        r#"k = 2, share = "none", piece = |x, a = 1.0| a * x"#,
        &["expected `,`"],
    );
    check(
        r#"share = "none", piece = |x, a a * x, reduction = 8, k = 2"#,
        &[
            "expected `,`",
            "unknown argument `reduction`; it is a method of the layer builder: `.reduction(8)`",
        ],
    );
}

#[test]
fn a_semicolon_separates_and_is_one_mistake() {
    let message = "expected `,`, found `;`";
    check(r#"k = 2; share = "spatial""#, &[message]);
    check(r#"k = 2, share = "spatial";"#, &[message]);
    check(r#"k = 2,; share = "spatial""#, &[message]);
}

#[test]
fn an_argument_in_quotes_or_capitals_is_not_missing() {
    let quoted = "arguments are not put in quotes; write them as in `k = 2`";
    check(r#""k = 2", "share = spatial""#, &[quoted, quoted]);
    check(r#""k = 2, share = spatial""#, &[quoted]);
    check(r#""k = 2""#, &[quoted, MISSING_SHARE]);
    check(
        r#"K = 2, share = "none""#,
        &["unknown argument `K`; did you mean `k`?"],
    );
}

#[test]
fn other_names_of_a_choice_are_understood() {
    for (name, meant) in [
        ("channel+spatial", "spatial+channel"),
        ("a", "spatial+channel"),
        ("DY-ReLU-C", "none"),
        ("None", "none"),
        ("SPATIAL", "spatial"),
    ] {
        let message = format!(
            r#"unknown sharing mode {name:?}; did you mean {meant:?}? expected one of "spatial", "spatial+channel", "none""#
        );
        check(&format!("k = 2, share = {name:?}"), &[&message]);
    }
    let message = r#"expected a string literal: `share = "spatial"`"#;
    for value in ["Spatial", "B", r#""spatial"x"#, "7"] {
        check(&format!("k = 2, share = {value}"), &[message]);
    }
}

#[test]
fn numbers_may_have_a_minus() {
    check(r#"k = -2, share = "none""#, &["`k` must be at least 1, found -2"]);
    check(
        r#"k = -99999999999999999999999, share = "none""#,
        &["`k` must be at least 1, found -99999999999999999999999"],
    );
    check(r#"k = --2, share = "none""#, &["expected an integer: `k = 2`"]);
    check(
        r#"k = 2, share = "none", init(a = --1)"#,
        &["expected a number such as `0.5`, or a list such as `[1.0, 0.0]`"],
    );
}

#[test]
fn a_definition_that_is_wrong_is_one_mistake() {
    let body = |body: &str| format!(r#"k = 2, share = "none", init(a = 1.0), piece = |x, a| {body}"#);
    let condition = "a condition can only stand in an `if`: `if x > 0.0 { x } else { a * x }`";
    let assignment = "assignments are not supported in a piece; use `let name = …;`";
    let only_let = "only `let name = …;` may stand before the last expression of a block";
    check(
        &body("{ let t = x > 0.0; if t && !t { a } else { x } }"),
        &[condition],
    );
    check(&body("{ t = x; t * a }"), &[assignment]);
    check(&body("{ t += x; t * a }"), &[assignment]);
    check(&body("{ const C: f64 = 2.0; C * x * a }"), &[only_let]);
}

#[test]
fn a_star_before_a_value_is_one_mistake() {
    let body = |body: &str| format!(r#"k = 2, share = "none", init(a = 1.0), piece = |x, a| {body}"#);
    let star = "a piece has no `*` before a value; a power is written `x.powi(2)`, a product `a * x`";
    check(&body("a ** x"), &[star]);
    check(&body("*x * a"), &[star]);
    let parentheses = "only `let name = …;` may stand before the last expression of a block; put what is a part of \
                       that expression into parentheses";
    check(&body("{ if x > a { x } else { a } * a }"), &[parentheses]);
    check(&body("{ if x > a { x } else { a } * a + x }"), &[parentheses]);
    check(&body("{ if x > a { x } else { a } - a * x }"), &[parentheses]);
}

#[test]
fn a_second_attribute_is_one_mistake() {
    let expansion = expand(
        r#"k = 2, share = "none""#,
        r#"#[::dyrelu::dynamic_activation(k = 3, share = "none")] struct Foo;"#,
    );
    assert!(
        !expansion.to_string().contains("impl"),
        "the second attribute brings the implementations"
    );
    assert_eq!(
        messages_in(expansion),
        ["a struct has one `#[dynamic_activation]`; remove this one"]
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
fn a_name_that_is_no_parameter_is_one_mistake() {
    let message = "`q` is in `learned(…)` but no parameter of the piece; write `|x, a, q| …`";
    for arguments in [
        r#"k = 1, share = "none", piece = |x, a| if q > x { a * q } else { a }, init(a = 1.0), learned(q = 1.0)"#,
        r#"k = 1, share = "none", piece = |x, a| a * x + q, init(a = 1.0, q = 1.0), learned(q = 1.0), lambda(q = 1.0)"#,
        r#"k = 2, share = "none", piece = [|x, a| a * x + q, |y| y], init(a = 1.0), learned(q = 1.0)"#,
    ] {
        check(arguments, &[message]);
    }
    check(
        r#"k = 1, share = "none", piece = |x, a| { let q = a * x; q * q }, init(a = 1.0), learned(q = 1.0)"#,
        &["no coefficient `q`; the piece declares `a`"],
    );
}

#[test]
fn a_coefficient_without_a_derivative_is_one_mistake() {
    check(
        r#"k = 1, share = "none", piece = |x, a, t| if x > t { a * x } else { 0.0 }"#,
        &[
            "coefficient `a` of a custom piece needs its initial value: add `a = 0.0` to `init(…)`",
            "the derivative by `t` is zero, so it could never be learned; make it a constant: `fixed(t = …)`",
        ],
    );
    check(
        r#"k = 1, share = "none", piece = |x, a, t| if x > t { a * x } else { 0.0 }, init(a = 1.0), fixed(t = 0.5)"#,
        &[],
    );
}

#[test]
fn a_missing_comma_between_entries_hides_nothing() {
    check(
        r#"k = 2, share = "none", init(a = 1.0 b = one)"#,
        &[
            "expected a comma before `b`",
            "expected a number such as `0.5`, or a list such as `[1.0, 0.0]`",
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
    let (function, list, two) = (
        invisible(quote!(tanh)),
        invisible(quote!([#init, 1.0])),
        invisible(quote!(2)),
    );
    let exponent = quote!(x.powi(-#two));
    let (nested, lists) = (invisible(quote!(#list)), invisible(quote!((a = #two))));
    let custom = quote!(
        k = #k, share = #share, piece = |x, a| a * #function(x) + #exponent, init(a = #nested), lambda #lists
    );
    assert_eq!(
        messages_in(crate::expand::expand(
            custom,
            &quote!(
                struct Foo;
            )
        )),
        [""; 0]
    );
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
fn macros_by_example_may_pass_new_arguments_on() {
    use proc_macro2::{Delimiter, Group, TokenStream};
    use quote::quote;
    let invisible = |tokens: TokenStream| Group::new(Delimiter::None, tokens);
    let (number, shift, word) = (
        invisible(quote!(-0.5)),
        invisible(quote!(shift(1, 0))),
        invisible(quote!("tanh")),
    );
    let first = invisible(quote!(|x, a, c| a * x * c));
    let pieces = invisible(quote!([#first, |x, p, s| p * max(x, s)]));
    let options = invisible(quote!((inner = "none")));
    let arguments = quote!(
        k = 2, share = "none", piece = #pieces, init(a = #number), squash(a = #word), learned(p = shared(#number)),
        fixed(c = #number), neighbours(s = #shift), hyper #options, attention = "normalised"
    );
    let item = quote!(
        struct Foo;
    );
    assert_eq!(messages_in(crate::expand::expand(arguments, &item)), [""; 0]);
}

#[test]
fn spaces_do_not_matter() {
    check(
        r#"k=2,share="none",crate=::dyrelu,piece=|x,a|a*x,init(a=-1.0),lambda(a=[-1,-2])"#,
        &[],
    );
}

#[test]
fn a_misspelt_kind_is_one_mistake() {
    check(
        r#"k = 1, share = "spatial", piece = |x, slope| slope * x, learned(slop = 1.0)"#,
        &["no coefficient `slop`; did you mean `slope`? the piece declares `slope`"],
    );
    check(
        r#"k = 1, share = "spatial", piece = |x, p| p * x, learned = 1.0"#,
        &["expected a list of coefficients: `learned(p = 1.0)`"],
    );
}

#[test]
fn a_parameter_that_may_be_meant_to_be_fixed_is_no_mistake_in_two_pieces() {
    let pieces = r#"k = 2, share = "spatial", piece = [|x, a, c| a * x * c, |x, b, c| b * x * c],"#;
    check(
        &format!("{pieces} fixed(cc = 2.0)"),
        &["no constant `cc`; did you mean `c`? the piece declares `a`, `c`, `b`"],
    );
    check(
        &format!("{pieces} fixed = 2.0"),
        &["expected a list of constants: `fixed(c = 1.0)`"],
    );
}

#[test]
fn a_misspelt_argument_is_not_where_it_should_not_be() {
    check(
        r#"k = 1, share = "spatial", piece = |x| relu(x), atention = "softmax", hypr(layers = 1)"#,
        &[
            "unknown argument `atention`; did you mean `attention`?",
            "unknown argument `hypr`; did you mean `hyper`?",
        ],
    );
}

#[test]
fn a_name_has_one_kind() {
    check(
        r#"k = 2, share = "spatial", neighbours(a = shift(0, 1)), fixed(a = 1.0, b = 2.0), learned(b = 0.0)"#,
        &[
            "`b` is learned already; remove one of both",
            "`a` is fixed already; remove one of both",
        ],
    );
}

#[test]
fn a_piece_needs_no_coefficients() {
    for arguments in [
        r#"k = 1, share = "spatial", piece = |x| max(x, 0.0)"#,
        r#"k = 2, share = "spatial", piece = [|x| x, |x| 0.0]"#,
        r#"k = 1, share = "spatial", piece = |x, c| c * x, fixed(c = 2.0)"#,
        r#"k = 1, share = "spatial", piece = |x, s| max(x, s), neighbours(s = shift(0, 1))"#,
    ] {
        check(arguments, &[]);
    }
}

#[test]
fn constants_and_neighbours_may_stand_in_all_pieces() {
    check(
        r#"k = 2, share = "spatial", piece = [|x, a, c, s| a * x * c + s, |y, b, c, s| b * y + c + s],
           init(a = 1.0, b = [2.0]), fixed(c = 3.0), neighbours(s = shift(1, 0))"#,
        &[],
    );
}

#[test]
fn a_free_name_is_proposed() {
    check(
        r#"k = 3, share = "spatial", piece = [|x, a| a * x, |x, a2| a2 * x, |x, a| a * x], learned(a = 1.0, a2 = 1.0)"#,
        &[
            "pieces that differ have coefficients of their own, and another piece has the name `a`; name this one `a3`",
        ],
    );
}

#[test]
fn a_list_of_closures_is_one_formula() {
    check(
        r#"k = 2, share = "spatial", piece = [|x, a| a * x, |x, b| b], init(a = [1.0, 2.0], b = [0.0]), lambda(b = [])"#,
        &[
            "`init(a = …)` has 2 values but `a` belongs to one of the pieces; give a single number",
            "`lambda(b = …)` has 0 values but `b` belongs to one of the pieces; give a single number",
        ],
    );
    check(
        r#"k = 2, share = "spatial", combine = max, piece = [|x, a| a * x, , |x, b| b * y]"#,
        &[
            r#"expected a string literal: `combine = "max"`"#,
            "expected a closure between the commas: `piece = [|x, a| a * x, |x| 0.0]`",
            "unknown variable `y` in piece; its parameters are `x`, `b`",
        ],
    );
    check(
        r#"k = 1, share = "spatial", piece = [,]"#,
        &["expected a closure between the commas: `piece = [|x, a| a * x, |x| 0.0]`"],
    );
}

#[test]
fn other_names_of_a_squash_are_understood() {
    for (name, meant) in [
        ("identity", "none"),
        ("Linear", "none"),
        ("hard_sigmoid(3,6)", "hard_sigmoid"),
        ("hard_sigmoid(1, 2)", "steep_hard_sigmoid"),
        ("hard_tanh", "2steep_hard_sigmoid-1"),
        ("2σ-1", "2sigmoid-1"),
        ("logistic", "sigmoid"),
        ("tanh(r / 2)", "2sigmoid-1"),
        ("Tanh", "tanh"),
    ] {
        let message = format!(
            r#"unknown squash {name:?}; did you mean {meant:?}? expected one of "2sigmoid-1", "sigmoid", "tanh", "2hard_sigmoid-1", "hard_sigmoid", "2steep_hard_sigmoid-1", "steep_hard_sigmoid", "none", "softmax""#
        );
        check(
            &format!(r#"k = 2, share = "none", squash = {name:?}"#),
            &[&message],
        );
    }
}

#[test]
fn each_option_of_the_hyper_function_is_checked() {
    check(
        r#"k = 2, share = "none", hyper(context = "pool", layers = -1, inner = relu, seed = 7, depth = 2, "x")"#,
        &[
            r#"unknown context "pool"; did you mean "pooled"? expected one of "pooled", "pooled halves", "external""#,
            "`layers` must be 0, 1 or 2, found -1",
            r#"expected a string literal: `inner = "relu"`"#,
            "unknown option `seed`; it is a method of the layer builder: `.seed(7)`",
            "unknown option `depth`; expected one of `context`, `layers`, `inner`",
            r#"expected `name = value`: `hyper(context = "pooled", layers = 2, inner = "relu")`"#,
        ],
    );
}
