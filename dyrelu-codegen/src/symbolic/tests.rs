//! The algebra against plain arithmetic on random formulas.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::dual::Dual;
use super::eval::evaluate;
use super::expr::{Comparison, ExprId, Expressions, Node};
use super::function::{FUNCTIONS, Form, Function, find_function};
use super::{Formulas, Substitution, differentiate, is_homogeneous};

/// How many parameters the random formulas have.
const PARAMETERS: usize = 3;

/// The seed of the random inputs.
const SEED: u64 = 1;

/// A formula as a plain tree, which is evaluated exactly as it is written.
#[derive(Debug, Clone)]
enum Tree {
    Number(f64),
    Parameter(usize),
    Neg(Box<Tree>),
    Arithmetic(char, Box<[Tree; 2]>),
    Power(Box<Tree>, i32),
    Call(&'static Function, Vec<Tree>),
    If(Comparison, Box<[Tree; 4]>),
}

/// A value, and whether the formula is finite and away from kinks around it.
#[derive(Debug, Clone, Copy)]
struct Sample {
    value: f64,
    finite: bool,
    smooth: bool,
}

impl Tree {
    fn build(&self, e: &mut Expressions) -> ExprId {
        match self {
            Self::Number(value) => e.constant(*value),
            Self::Parameter(position) => e.parameter(*position),
            Self::Neg(u) => {
                let u = u.build(e);
                e.neg(u)
            }
            Self::Arithmetic(operator, operands) => {
                let [u, v] = operands.each_ref().map(|operand| operand.build(e));
                match operator {
                    '+' => e.add(u, v),
                    '-' => e.sub(u, v),
                    '*' => e.mul(u, v),
                    _ => e.div(u, v),
                }
            }
            Self::Power(u, n) => {
                let u = u.build(e);
                e.power(u, *n)
            }
            Self::Call(function, arguments) => {
                let arguments: Vec<ExprId> = arguments.iter().map(|argument| argument.build(e)).collect();
                e.apply(function, &arguments)
            }
            Self::If(comparison, operands) => {
                let [left, right, u, v] = operands.each_ref().map(|operand| operand.build(e));
                let condition = e.compare(*comparison, left, right);
                e.select(condition, u, v)
            }
        }
    }

    fn sample(&self, parameters: &[f64]) -> Sample {
        let sample = |tree: &Tree| tree.sample(parameters);
        let (operands, value, distance_to_kink) = match self {
            Self::Number(value) => (vec![], *value, 1.0),
            Self::Parameter(position) => (vec![], parameters[*position], 1.0),
            Self::Neg(u) => (vec![sample(u)], -sample(u).value, 1.0),
            Self::Power(u, n) => (vec![sample(u)], sample(u).value.powi(*n), 1.0),
            Self::Arithmetic(operator, operands) => {
                let samples = operands.each_ref().map(sample);
                let [u, v] = samples.map(|sample| sample.value);
                let value = match operator {
                    '+' => u + v,
                    '-' => u - v,
                    '*' => u * v,
                    _ => u / v,
                };
                (samples.to_vec(), value, 1.0)
            }
            Self::Call(function, arguments) => {
                let samples: Vec<Sample> = arguments.iter().map(sample).collect();
                let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
                let (value, distance) = by_definition(function.name, &values);
                (samples, value, distance)
            }
            Self::If(comparison, operands) => {
                let samples = operands.each_ref().map(sample);
                let [left, right, u, v] = samples.map(|sample| sample.value);
                let holds = comparison.holds(left, right);
                (samples.to_vec(), if holds { u } else { v }, left - right)
            }
        };
        let all = |property: fn(&Sample) -> bool| operands.iter().all(property);
        Sample {
            value,
            finite: value.is_finite() && all(|operand| operand.finite),
            smooth: distance_to_kink.abs() > 1e-3 && all(|operand| operand.smooth),
        }
    }
}

impl Tree {
    /// The value and a derivative by forward differentiation, without any symbolic step.
    fn dual(&self, parameters: &[Dual]) -> Dual {
        let dual = |tree: &Tree| tree.dual(parameters);
        match self {
            Self::Number(value) => Dual::constant(*value),
            Self::Parameter(position) => parameters[*position],
            Self::Neg(u) => -dual(u),
            Self::Power(u, n) => dual(u).powi(*n),
            Self::Arithmetic(operator, operands) => {
                let [u, v] = operands.each_ref().map(dual);
                match operator {
                    '+' => u + v,
                    '-' => u - v,
                    '*' => u * v,
                    _ => u / v,
                }
            }
            Self::Call(function, arguments) => {
                Dual::call(function.name, &arguments.iter().map(dual).collect::<Vec<_>>())
            }
            Self::If(comparison, operands) => {
                let [left, right, u, v] = operands.each_ref().map(dual);
                Dual::select(comparison.holds(left.value, right.value), u, v)
            }
        }
    }
}

/// The function by the definition in a textbook, and how far its arguments are from a kink.
fn by_definition(name: &str, arguments: &[f64]) -> (f64, f64) {
    let u = arguments[0];
    let v = arguments.get(1).copied().unwrap_or_default();
    match name {
        "exp" => (u.exp(), 1.0),
        "exp_m1" => (u.exp_m1(), 1.0),
        "ln" => (u.ln(), 1.0),
        "ln_1p" => (u.ln_1p(), 1.0),
        // Where the square root is zero it has no derivative.
        "sqrt" => (u.sqrt(), u),
        "sin" => (u.sin(), 1.0),
        "cos" => (u.cos(), 1.0),
        "tan" => (u.sin() / u.cos(), 1.0),
        "tanh" => (u.tanh(), 1.0),
        "sigmoid" => (1.0 / (1.0 + (-u).exp()), 1.0),
        "softplus" => (u.max(0.0) + (-u.abs()).exp().ln_1p(), 1.0),
        "abs" => (u.abs(), u),
        "sign" => (if u == 0.0 { 0.0 } else { u.signum() }, u),
        "recip" => (1.0 / u, 1.0),
        "max" => (u.max(v), u - v),
        "min" => (u.min(v), u - v),
        "relu" => (u.max(0.0), u),
        "clamp" => (
            u.max(v).min(arguments[2]),
            (u - v).abs().min((u.max(v) - arguments[2]).abs()),
        ),
        _ => panic!("`{name}` is new: define it here"),
    }
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    use Comparison::{Eq, Ge, Gt, Le, Lt, Ne};
    prop::sample::select(vec![Lt, Le, Gt, Ge, Eq, Ne])
}

/// Random formulas with all operators and functions.
fn trees() -> impl Strategy<Value = Tree> {
    let numbers = prop::sample::select(vec![-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 1.5, 3.0]);
    let leaf =
        prop_oneof![1 => numbers.prop_map(Tree::Number), 3 => (0..PARAMETERS).prop_map(Tree::Parameter)];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let functions: Vec<&Function> = FUNCTIONS
            .iter()
            .filter(|function| !matches!(function.form, Form::Power))
            .collect();
        let boxed = || inner.clone().prop_map(Box::new);
        let call = (
            prop::sample::select(functions),
            prop::collection::vec(inner.clone(), 3),
        )
            .prop_map(|(function, mut arguments)| {
                arguments.truncate(function.arity());
                Tree::Call(function, arguments)
            });
        prop_oneof![
            1 => boxed().prop_map(Tree::Neg),
            4 => (prop::sample::select(vec!['+', '-', '*', '/']), [inner.clone(), inner.clone()])
                .prop_map(|(operator, operands)| Tree::Arithmetic(operator, Box::new(operands))),
            1 => (boxed(), -3..=4).prop_map(|(u, n)| Tree::Power(u, n)),
            4 => call,
            1 => (comparisons(), [inner.clone(), inner.clone(), inner.clone(), inner.clone()])
                .prop_map(|(comparison, operands)| Tree::If(comparison, Box::new(operands))),
        ]
    })
}

fn points() -> impl Strategy<Value = [f64; PARAMETERS]> {
    [-3.0..3.0, -3.0..3.0, -3.0..3.0]
}

/// The central difference of `f` at `at`, or `None` if two step sizes disagree: the formula is too steep there.
fn central_difference(f: impl Fn(f64) -> f64, at: f64) -> Option<f64> {
    let slope = |step: f64| (f(at + step) - f(at - step)) / (2.0 * step);
    let (coarse, fine) = (slope(2e-5), slope(1e-5));
    ((coarse - fine).abs() <= 1e-6 * (1.0 + fine.abs())).then_some(fine)
}

/// Asserts that ∂tree/∂parameter is right at `point`; whether the point was good enough to tell.
fn check_derivative(tree: &Tree, parameter: usize, point: [f64; PARAMETERS]) -> bool {
    let sample = tree.sample(&point);
    if !sample.finite || !sample.smooth || sample.value.abs() > 1e4 {
        return false;
    }
    let mut e = Expressions::default();
    let root = tree.build(&mut e);
    let derivative = differentiate(&mut e, root, parameter);
    let found = evaluate(&e, derivative, &point);
    let moved = |value| {
        let mut moved = point;
        moved[parameter] = value;
        tree.sample(&moved).value
    };
    let Some(expected) = central_difference(moved, point[parameter]) else {
        return false;
    };
    assert!(
        (found - expected).abs() <= 1e-4 * (1.0 + expected.abs()),
        "∂/∂{parameter} at {point:?} is {found}, differences give {expected}: {tree:?}"
    );
    true
}

/// Asserts that ∂tree/∂parameter at `point` is that of dual numbers; whether the point was good enough to tell.
fn check_against_dual(tree: &Tree, parameter: usize, point: [f64; PARAMETERS]) -> bool {
    let sample = tree.sample(&point);
    let slope = |position| if position == parameter { 1.0 } else { 0.0 };
    let parameters = [0, 1, 2].map(|i| Dual {
        value: point[i],
        slope: slope(i),
    });
    let Dual {
        value,
        slope: expected,
    } = tree.dual(&parameters);
    // A derivative of that size is that of a formula which cancels, and both ways lose digits differently.
    if !sample.finite
        || !sample.smooth
        || sample.value.abs() > 1e4
        || expected.is_nan()
        || expected.abs() > 1e4
    {
        return false;
    }
    assert!(
        (value - sample.value).abs() <= 1e-9 * (1.0 + value.abs()),
        "value {value}: {tree:?}"
    );
    let mut e = Expressions::default();
    let root = tree.build(&mut e);
    let derivative = differentiate(&mut e, root, parameter);
    let found = evaluate(&e, derivative, &point);
    assert!(
        (found - expected).abs() <= 1e-9 * (1.0 + expected.abs()),
        "∂/∂{parameter} at {point:?} is {found}, dual numbers give {expected}: {tree:?}"
    );
    true
}

/// Runs `test` on 4096 random inputs, the same each time; it tells whether an input was of use, and enough must be.
fn run<S: Strategy>(inputs: &S, useful: usize, test: impl Fn(S::Value) -> bool) {
    let count = std::cell::Cell::new(0);
    let config = Config {
        cases: 4096,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(SEED),
        ..Config::default()
    };
    TestRunner::new(config)
        .run(inputs, |input| {
            count.set(count.get() + usize::from(test(input)));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert!(count.get() >= useful, "only {} inputs were of use", count.get());
}

#[test]
fn derivatives_agree_with_dual_numbers() {
    run(
        &(trees(), 0..PARAMETERS, points()),
        1000,
        |(tree, parameter, point)| check_against_dual(&tree, parameter, point),
    );
}

#[test]
fn derivatives_agree_with_differences() {
    run(
        &(trees(), 0..PARAMETERS, points()),
        1000,
        |(tree, parameter, point)| check_derivative(&tree, parameter, point),
    );
}

#[test]
fn each_row_of_the_table_has_the_right_derivative() {
    for function in &FUNCTIONS {
        let points = [-2.3, -0.7, 0.4, 1.9].map(|x| [x, 0.3, 0.9]);
        let calls = if let Form::Power = function.form {
            [-2, -1, 0, 1, 2, 5]
                .map(|n| Tree::Power(Box::new(Tree::Parameter(0)), n))
                .to_vec()
        } else {
            vec![Tree::Call(
                function,
                (0..function.arity()).map(Tree::Parameter).collect(),
            )]
        };
        let tested = points.iter().filter(|&&point| {
            let right = |call, parameter| check_derivative(call, parameter, point);
            calls
                .iter()
                .all(|call| (0..function.arity()).all(|parameter| right(call, parameter)))
        });
        assert!(tested.count() >= 2, "`{}` was not tested", function.name);
    }
}

#[test]
fn simplification_keeps_every_finite_value() {
    run(&(trees(), points()), 1000, |(tree, point)| {
        let sample = tree.sample(&point);
        let mut e = Expressions::default();
        let root = tree.build(&mut e);
        let simplified = evaluate(&e, root, &point);
        // Equal, not close: no rule reorders operations. The sign of a zero may differ.
        assert!(
            !sample.finite || (simplified - sample.value).abs() == 0.0,
            "{simplified}: {tree:?}"
        );
        sample.finite
    });
}

#[test]
fn homogeneous_pieces_scale_with_their_coefficients() {
    run(&(trees(), points()), 100, |(tree, [x, a, b])| {
        let mut e = Expressions::default();
        let root = tree.build(&mut e);
        if !is_homogeneous(&e, root, 2) {
            return false;
        }
        for scale in [0.0, 0.125, 4.0] {
            let scaled = evaluate(&e, root, &[x, scale * a, scale * b]);
            let expected = scale * evaluate(&e, root, &[x, a, b]);
            let equal = (scaled - expected).abs() <= 1e-9 * expected.abs();
            assert!(
                equal || !expected.is_finite() || !scaled.is_finite(),
                "{scaled} {expected}: {tree:?}"
            );
        }
        true
    });
}

#[test]
fn parameters_after_the_coefficients_are_inputs() {
    run(&(trees(), points()), 100, |(tree, [x, a, s])| {
        let mut e = Expressions::default();
        let root = tree.build(&mut e);
        if !is_homogeneous(&e, root, 1) {
            return false;
        }
        let scaled = evaluate(&e, root, &[x, 4.0 * a, s]);
        let expected = 4.0 * evaluate(&e, root, &[x, a, s]);
        let equal = (scaled - expected).abs() <= 1e-9 * expected.abs();
        assert!(
            equal || !expected.is_finite() || !scaled.is_finite(),
            "{scaled} {expected}: {tree:?}"
        );
        true
    });
}

#[test]
fn a_constant_in_place_of_a_parameter_keeps_every_finite_value() {
    run(&(trees(), points()), 1000, |(tree, point)| {
        let mut e = Expressions::default();
        let root = tree.build(&mut e);
        let constant = |position: usize| (position == 1).then_some(point[1]);
        let substituted = Substitution::new(&mut e, &[root], constant)
            .of(root)
            .expect("the root is a part of itself");
        let nodes = e.reachable(&[substituted]);
        assert!(nodes.iter().all(|&id| e.node(id) != Node::Parameter(1)));
        let (expected, found) = (evaluate(&e, root, &point), evaluate(&e, substituted, &point));
        let finite = tree.sample(&point).finite;
        assert!(
            !finite || (found - expected).abs() == 0.0,
            "{found} {expected}: {tree:?}"
        );
        finite
    });
}

/// The root of a formula that `build` makes of the parameters.
fn formula(build: impl FnOnce(&mut Expressions, [ExprId; 3]) -> ExprId) -> (Expressions, ExprId) {
    let mut e = Expressions::default();
    let parameters = [0, 1, 2].map(|position| e.parameter(position));
    let root = build(&mut e, parameters);
    (e, root)
}

fn text(e: &Expressions, root: ExprId) -> String {
    Formulas::new(e, &["x", "a", "b"].map(str::to_owned), &[root])
        .text(root)
        .to_owned()
}

#[test]
fn derivatives_read_like_a_textbook() {
    let (mut e, affine) = formula(|e, [x, a, b]| {
        let product = e.mul(a, x);
        e.add(product, b)
    });
    assert_eq!(
        [0, 1, 2]
            .map(|p| differentiate(&mut e, affine, p))
            .map(|d| text(&e, d)),
        ["a", "x", "1.0"]
    );
    let cases = [
        ("exp", "exp(x)"),
        ("exp_m1", "exp(x)"),
        ("ln", "1.0 / x"),
        ("ln_1p", "1.0 / (1.0 + x)"),
        ("sqrt", "0.5 / sqrt(x)"),
        ("sin", "cos(x)"),
        ("cos", "-sin(x)"),
        ("tan", "(cos(x) + sin(x) / cos(x) * sin(x)) / cos(x)"),
        ("tanh", "1.0 - tanh(x) * tanh(x)"),
        ("sigmoid", "sigmoid(x) * (1.0 - sigmoid(x))"),
        ("softplus", "sigmoid(x)"),
        ("abs", "sign(x)"),
        ("sign", "0.0"),
        ("recip", "-(recip(x) * recip(x))"),
        ("relu", "if x > 0.0 { 1.0 } else { 0.0 }"),
    ];
    for (name, expected) in cases {
        let function = find_function(name).expect("a row of the table");
        let (mut e, call) = formula(|e, [x, ..]| e.apply(function, &[x]));
        let derivative = differentiate(&mut e, call, 0);
        assert_eq!(text(&e, derivative), expected, "{name}");
    }
}

/// Zero below zero, as in PyTorch, and not 0 · ∞.
#[test]
fn a_zero_that_was_chosen_stays_zero() {
    let function = |name| find_function(name).expect("a row");
    let sqrt = function("sqrt");
    let check = |argument: &dyn Fn(&mut Expressions, ExprId) -> ExprId, expected: &str| {
        let (mut e, root) = formula(|e, [x, ..]| {
            let u = argument(e, x);
            e.unary(sqrt, u)
        });
        let derivative = differentiate(&mut e, root, 0);
        assert_eq!(text(&e, derivative), expected);
        let value = evaluate(&e, derivative, &[-1.0, 0.0, 0.0]);
        assert!(value.abs() == 0.0, "{expected}: {value}");
    };
    check(
        &|e, x| e.unary(function("relu"), x),
        "if x > 0.0 { 0.5 / sqrt(relu(x)) } else { 0.0 }",
    );
    check(
        &|e, x| {
            let [zero, one] = [0.0, 1.0].map(|value| e.constant(value));
            e.apply(function("clamp"), &[x, zero, one])
        },
        "if 1.0 < max(x, 0.0) { 0.0 } else { if 0.0 > x { 0.0 } else { 0.5 / sqrt(min(max(x, 0.0), 1.0)) } }",
    );
    // The sign of what was chosen is inside, too.
    check(
        &|e, x| {
            let relu = e.unary(function("relu"), x);
            let minus = e.neg(relu);
            e.neg(minus)
        },
        "if x > 0.0 { 0.5 / sqrt(relu(x)) } else { 0.0 }",
    );
}

#[test]
fn a_factor_of_zero_stays_in_a_value_and_goes_from_a_gradient() {
    let (mut e, root) = formula(|e, [x, a, _]| {
        let zero = e.constant(0.0);
        let ln = e.unary(find_function("ln").expect("a row"), x);
        let kept = e.mul(zero, ln);
        e.add(kept, a)
    });
    assert_eq!(text(&e, root), "0.0 * ln(x) + a");
    let derivative = differentiate(&mut e, root, 1);
    assert_eq!(text(&e, derivative), "1.0");
}

#[test]
fn shared_parts_are_held_once() {
    let (mut e, root) = formula(|e, [x, a, _]| {
        let mut sum = e.mul(a, x);
        for _ in 0..60 {
            let square = e.mul(sum, sum);
            sum = e.add(square, sum);
        }
        sum
    });
    let derivative = differentiate(&mut e, root, 0);
    assert!(e.len() < 600, "{} nodes", e.len());
    assert!(text(&e, derivative).len() < 1000);
}
