//! Snapshots of expansions, to be read: `tests/snapshots`. Update them with `UPDATE_EXPECT=1 cargo test`.

use expect_test::{ExpectFile, expect_file};

use super::{expand, messages_in};

/// The expansion, formatted.
fn pretty(arguments: &str, item: &str) -> String {
    let expansion = expand(arguments, item);
    assert_eq!(messages_in(expansion.clone()), [""; 0]);
    prettyplease::unparse(&syn::parse2(expansion).expect("the expansion is a file"))
}

#[track_caller]
fn check(arguments: &str, item: &str, expected: &ExpectFile) {
    expected.assert_eq(&pretty(arguments, item));
}

#[test]
fn variant_a() {
    check(
        r#"k = 2, share = "spatial+channel""#,
        "pub struct DyReluA;",
        &expect_file!["../../tests/snapshots/variant_a.rs"],
    );
}

#[test]
fn variant_b() {
    check(
        r#"k = 2, share = "spatial""#,
        "pub struct DyReluB;",
        &expect_file!["../../tests/snapshots/variant_b.rs"],
    );
}

#[test]
fn variant_c() {
    check(
        r#"k = 2, share = "none""#,
        "pub struct DyReluC;",
        &expect_file!["../../tests/snapshots/variant_c.rs"],
    );
}

#[test]
fn soft_threshold_with_let_and_if() {
    check(
        r#"k = 3, share = "spatial", combine = "sum",
           piece = |x, gain, threshold| {
               let size = abs(x) - threshold;
               if size > 0.0 && !(gain == 0.0) { gain * sign(x) * size } else { 0.0 }
           },
           init(gain = [1.0, 0.5, -0.25], threshold = 0.1), lambda(gain = 2.0)"#,
        "pub(crate) struct SoftThreshold;",
        &expect_file!["../../tests/snapshots/soft_threshold.rs"],
    );
}

#[test]
fn gated_tanh_with_shared_parts() {
    check(
        r#"k = 2, share = "none", combine = "min", crate = ::renamed,
           piece = |x, a, t, b| { let s = tanh(x / t); a * s * exp(-(x * x)) + b / sqrt(1.0 + s * s) },
           init(a = 1.0, t = 1.0, b = [0.0, 1.0])"#,
        "/// Documented.\n#[derive(Debug, Clone)] pub struct Gated { pub(crate) field: u8 }",
        &expect_file!["../../tests/snapshots/gated_tanh.rs"],
    );
}

#[test]
fn every_function() {
    check(
        r#"k = 1, share = "spatial", combine = "max",
           piece = |x, a| a * (exp(x) + exp_m1(x) + ln(x) + ln_1p(x) + sqrt(x) + sin(x) + cos(x) + tan(x) + tanh(x)
               + sigmoid(x) + softplus(x) + abs(x) + sign(x) + recip(x) + powi(x, 3) + powi(x, -2) + max(x, a)
               + min(x, a) + relu(x) + x.clamp(-1.0, 1.0)),
           init(a = 1.0)"#,
        "struct Everything;",
        &expect_file!["../../tests/snapshots/every_function.rs"],
    );
}

#[test]
fn static_prelu() {
    check(
        r#"k = 1, share = "spatial", piece = |x, a| max(x, 0.0) + a * min(x, 0.0), learned(a = shared(0.25))"#,
        "pub struct PRelu;",
        &expect_file!["../../tests/snapshots/prelu.rs"],
    );
}

#[test]
fn meta_acon_with_coefficients_of_both_kinds() {
    check(
        r#"k = 1, share = "spatial", piece = |x, p, q, beta| (p - q) * x * sigmoid(beta * (p - q) * x) + q * x,
           learned(p = 1.0, q = 0.0), init(beta = 0.0), squash = "sigmoid", hyper(inner = "none")"#,
        "pub struct MetaAcon;",
        &expect_file!["../../tests/snapshots/meta_acon.rs"],
    );
}

#[test]
fn pieces_that_differ() {
    check(
        r#"k = 3, share = "none", combine = "min", attention = "normalised",
           piece = [|x, a, b, c| { let t = a * x; t + b * c }, |y, slope, c| slope * y * c, |z| 6.0],
           init(a = 1.0, b = [0.5], slope = 2.0), squash(b = "none", slope = "2hard_sigmoid-1"), lambda(a = 0.5),
           fixed(c = 3.0), hyper(context = "external", layers = 1)"#,
        "pub struct Capped;",
        &expect_file!["../../tests/snapshots/pieces_that_differ.rs"],
    );
}

#[test]
fn dy_shift_max() {
    check(
        r#"k = 2, share = "spatial", piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 0)),
           init(a = [1.0, 0.0], b = 0.0), squash = "2hard_sigmoid-1""#,
        "pub struct DyShiftMax;",
        &expect_file!["../../tests/snapshots/dy_shift_max.rs"],
    );
}

#[test]
fn the_size_does_not_depend_on_k() {
    let expansion = |k: u32| pretty(&format!(r#"k = {k}, share = "spatial""#), "struct Foo;");
    assert_eq!(
        expansion(64),
        expansion(2)
            .replace("k = 2", "k = 64")
            .replace("Pieces<2, ", "Pieces<64, ")
    );
}

#[test]
fn the_item_is_re_emitted_as_it_was() {
    let item = "#[doc = \"d\"] #[repr(C)] pub(super) struct Foo < > (pub u8, [u8; 1 + 1]) where u8: Copy;";
    for arguments in [r#"k = 2, share = "none""#, "nonsense"] {
        let expansion = expand(arguments, item).to_string();
        let item: proc_macro2::TokenStream = item.parse().expect("tokens");
        assert!(expansion.starts_with(&item.to_string()), "{expansion}");
    }
}

#[test]
fn equal_input_gives_equal_output() {
    let arguments = r#"k = 2, share = "none", init(a = 0.5, b = 0.0, c = 1.0),
        piece = |x, a, b, c| { let t = tanh(a * x + b); c * t * t + if t > a { t / b } else { exp(t) } }"#;
    let first = expand(arguments, "struct Foo;").to_string();
    for _ in 0..100 {
        assert_eq!(expand(arguments, "struct Foo;").to_string(), first);
    }
}

#[test]
fn writing_the_default_piece_out_changes_nothing() {
    let written = r#"k = 2, share = "spatial", piece = |x, a, b| a * x + b"#;
    let default = r#"k = 2, share = "spatial""#;
    assert_eq!(pretty(written, "struct Foo;"), pretty(default, "struct Foo;"));
}

#[test]
fn the_documentation_of_a_long_formula_names_its_parts() {
    let steps = "let t = if t > a || x > t { tanh(t) } else { t / (t1 + x) };".repeat(12);
    let arguments = format!(
        r#"k = 2, share = "none", piece = |x, a, t1| {{ let t = a * x; {steps} t }}, init(a = 1.0, t1 = 0.0)"#
    );
    let expansion = pretty(&arguments, "struct Foo;");
    let (_, description) = expansion.split_once("/**").expect("a description");
    let (description, _) = description.split_once("*/").expect("its end");
    assert!(!description.contains('…'), "{description}");
    assert!(description.len() < 20_000, "{description}");
    let definitions: Vec<&str> = description
        .lines()
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .filter(|name| name.starts_with('t'))
        .collect();
    assert_eq!(definitions[0], "t2", "`t1` is a parameter");
    // Whatever is used is defined before.
    let words = description.split(|c: char| !c.is_alphanumeric());
    for name in words.filter(|word| word.strip_prefix('t').is_some_and(|n| n.parse::<u32>().is_ok())) {
        let is_first = |start: &str| description.find(name) == description.find(start);
        assert!(
            name == "t1" || is_first(&format!("{name} = ")),
            "{name} in {description}"
        );
    }
}

#[test]
fn the_documentation_shows_the_formula_as_it_was_written() {
    let formulas = [
        "a - (x - b) - (b * a + x)",
        "a / (x / b) * (b * (x / a))",
        "-((a + x) * b / powi(-x, -3))",
        "-0.5 - x + max(a, b + 1e-300) * softplus(x)",
        "if x > a && (!(a != b) || x <= 1.0) { tanh(x) } else { if a == b { b } else { a + x } }",
        "(if x < a { b } else { a }) * (1.0 + exp(-(x * x)))",
    ];
    for formula in formulas {
        let arguments =
            format!(r#"k = 2, share = "none", piece = |x, a, b| {formula}, init(a = 1.0, b = 0.0)"#);
        let expansion = pretty(&arguments, "struct Foo;");
        assert!(expansion.contains(&format!("pieces `{formula}`,")), "{expansion}");
    }
}

#[test]
fn the_documentation_gives_no_name_to_a_condition() {
    let long = ["exp(a * x)"; 16].join(" + ");
    let arguments = format!(
        r#"k = 1, share = "none", piece = |x, a, t| if a * x > t && x < a {{ t * ({long}) }} else {{ a * x }}, init(a = 1.0, t = 0.0)"#
    );
    let expansion = pretty(&arguments, "struct Foo;");
    assert!(expansion.contains("if a * x > t && x < a {"), "{expansion}");
    let mut definitions = expansion
        .lines()
        .filter(|line| line.contains("`t1 = ") || line.contains("`t2 = "));
    assert!(definitions.all(|line| !line.contains("&&")), "{expansion}");
}
