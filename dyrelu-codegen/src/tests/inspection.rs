//! What `inspect` tells, against closed forms.

use crate::{Activation, Source, inspect};

fn activation(text: &str) -> Activation {
    inspect(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    let close = |(u, v): (&f64, &f64)| (u - v).abs() <= 1e-12 * v.abs().max(1.0);
    assert_eq!(found.len(), expected.len());
    assert!(
        found.iter().zip(expected).all(close),
        "{found:?}, expected {expected:?}"
    );
}

#[test]
fn the_paper_s_activation() {
    let act = activation(r#"k = 3, share = "none""#);
    assert_eq!((act.k, act.pieces, act.share, act.combine), (3, 3, "none", "max"));
    assert_eq!((act.input.as_str(), act.formula.as_str()), ("x", "a * x + b"));
    assert_eq!(act.attention, Some("softmax"));
    assert!(act.homogeneous);
    assert_eq!(act.multiplications(), 1);
    let a = &act.coefficients[0];
    assert_eq!((a.name.as_str(), &*a.init), ("a", &[1.0, 0.0, 0.0][..]));
    let expected = Source::Dynamic {
        lambda: vec![0.5; 3],
        squash: "2sigmoid-1",
    };
    assert_eq!(act.coefficients[1].source, expected);
    let derivatives: Vec<&str> = act
        .derivatives
        .iter()
        .map(|derivative| derivative.formula.as_str())
        .collect();
    assert_eq!(derivatives, ["a", "x", "1.0"]);
    let hyper = act.hyper.expect("there are dynamic coefficients");
    assert_eq!((hyper.context, hyper.layers, hyper.inner), ("pooled", 2, "relu"));
}

#[test]
fn an_activation_can_go_to_another_thread() {
    let act = activation(r#"k = 2, share = "spatial""#);
    let thread = std::thread::spawn(move || act.value(3.0, &[2.0, 1.0]));
    assert_close(&[thread.join().expect("no panic")], &[7.0]);
}

#[test]
fn meta_acon() {
    let act = activation(
        r#"k = 1, share = "spatial", piece = |x, p, q, beta| (p - q) * x * sigmoid(beta * (p - q) * x) + q * x,
           learned(p = 1.0, q = 0.0), init(beta = 0.0), squash = "sigmoid", hyper(inner = "none")"#,
    );
    let (x, p, q, beta) = (0.7_f64, 1.25, -0.5, 1.5);
    let d = p - q;
    let sigmoid = 1.0 / (1.0 + (-beta * d * x).exp());
    let slope = sigmoid * (1.0 - sigmoid);
    assert_close(&[act.value(x, &[p, q, beta])], &[d * x * sigmoid + q * x]);
    let by_d = x * sigmoid + d * x * slope * beta * x;
    assert_close(
        &act.gradient(x, &[p, q, beta]),
        &[
            d * sigmoid + d * x * slope * beta * d + q,
            by_d,
            x - by_d,
            d * x * slope * d * x,
        ],
    );
    assert_eq!(act.coefficients[0].source, Source::Learned { shared: false });
    assert!(!act.homogeneous);
    // d·x, its product with σ, β·d, its product with x, q·x.
    assert_eq!(act.multiplications(), 5);
}

#[test]
fn the_first_of_equal_pieces_that_differ_wins() {
    for (combine, value, gradient) in [
        ("max", 6.0, [2.0, 3.0, 0.0]),
        ("min", 6.0, [2.0, 3.0, 0.0]),
        ("sum", 12.0, [2.0, 3.0, 1.0]),
    ] {
        let act = activation(&format!(
            r#"k = 2, share = "spatial", combine = "{combine}", piece = [|x, a| a * x, |y, b| b], init(a = 1.0, b = 0.0)"#
        ));
        assert_eq!((act.k, act.pieces, act.combine), (1, 2, combine));
        assert_close(&[act.value(3.0, &[2.0, 6.0])], &[value]);
        assert_close(&act.gradient(3.0, &[2.0, 6.0]), &gradient);
    }
}

#[test]
fn constants_are_part_of_the_formula() {
    let act = activation(
        r#"k = 1, share = "spatial", piece = |x, c, a, t| if x > c && !(a < t) { a * x } else { c * x / t },
           fixed(c = 0.5, t = 2.0), init(a = 1.0)"#,
    );
    assert_eq!(
        act.formula,
        "if x > 0.5 && !(a < 2.0) { a * x } else { 0.5 * x / 2.0 }"
    );
    assert_eq!(act.derivatives.len(), 2);
    assert_close(&act.gradient(3.0, &[4.0]), &[4.0, 3.0]);
    assert_close(&act.gradient(3.0, &[1.0]), &[0.25, 0.0]);
    // The default piece keeps its defaults where a part of it is fixed.
    let act = activation(r#"k = 2, share = "spatial", fixed(b = 0.0)"#);
    assert_eq!(
        (act.formula.as_str(), &*act.coefficients[0].init),
        ("a * x", &[1.0, 0.0][..])
    );
    let act = activation(r#"k = 2, share = "spatial", fixed(a = 1.0)"#);
    assert_eq!(
        (act.formula.as_str(), &*act.coefficients[0].init),
        ("x + b", &[0.0, 0.0][..])
    );
}

#[test]
fn neighbours_come_last_and_are_no_coefficients() {
    let act = activation(
        r#"k = 2, share = "spatial", piece = |x, s, a, t, b| a * x + b * s * t,
           neighbours(t = shift(0, -1), s = shift(1, 0)), init(a = [1.0, 0.0], b = 0.0), squash = "2hard_sigmoid-1""#,
    );
    let by: Vec<&str> = act
        .derivatives
        .iter()
        .map(|derivative| derivative.by.as_str())
        .collect();
    assert_eq!(by, ["x", "a", "b", "t", "s"]);
    assert_eq!((act.neighbours[0].groups, act.neighbours[0].channels), (0, -1));
    assert!(act.homogeneous);
    assert_close(
        &act.gradient(2.0, &[3.0, 5.0, 7.0, 11.0]),
        &[3.0, 2.0, 77.0, 55.0, 35.0],
    );
}

#[test]
fn no_coefficient_and_no_hyper_function() {
    let act = activation(r#"k = 1, share = "spatial", piece = |x| max(x, 0.0)"#);
    assert!(act.coefficients.is_empty() && act.hyper.is_none() && act.attention.is_none());
    assert_close(&[act.value(-1.0, &[])], &[0.0]);
    assert_close(&act.gradient(2.0, &[]), &[1.0]);
}

#[test]
fn powers_count_as_repeated_squaring() {
    for (n, count) in [(2, 1), (3, 2), (4, 2), (7, 4), (8, 3), (-1, 1), (-2, 2)] {
        let act = activation(&format!(r#"k = 1, share = "spatial", piece = |x| powi(x, {n})"#));
        assert_eq!(act.multiplications(), count, "{n}");
    }
    let act = activation(r#"k = 1, share = "spatial", piece = |x| tanh(x * x) * (x * x) / recip(x)"#);
    assert_eq!(act.multiplications(), 4);
}

#[test]
fn mistakes_have_their_place() {
    let places = |text: &str| -> Vec<(usize, usize, usize, usize)> {
        let mistakes = inspect(text).expect_err("mistakes");
        mistakes
            .iter()
            .map(|m| (m.line, m.column, m.end_line, m.end_column))
            .collect()
    };
    assert_eq!(places(r#"k = 99, share = "spatial""#), [(1, 5, 1, 7)]);
    assert_eq!(
        places("k = 2, share = \"none\",\npiece = |σ, a|\n  tahn(a * σ) + y, init(a = 1.0)"),
        [(3, 3, 3, 7), (3, 17, 3, 18)]
    );
    // What is missing has no place, and what is no text of the language ends it.
    assert_eq!(places("k = 2"), [(1, 1, 1, 1)]);
    assert_eq!(inspect("k = 2)").expect_err("an unbalanced text").len(), 1);
    assert_eq!(inspect("k = \"").expect_err("an unbalanced text").len(), 1);
}

#[test]
#[should_panic(expected = "the formula has 2 arguments after its input")]
fn a_wrong_number_of_arguments_panics() {
    let _ = activation(r#"k = 2, share = "none""#).value(1.0, &[1.0]);
}
