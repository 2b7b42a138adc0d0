//! What to write instead of functions that other libraries have.

/// Foreign names, and the advice on each.
const FOREIGN: [(&str, &str); 46] = [
    ("signum", "did you mean `sign`? it is 0 at 0"),
    ("sgn", "did you mean `sign`?"),
    (
        "pow",
        "a power needs a whole exponent: `x.powi(2)`; otherwise write `exp(p * ln(x))`",
    ),
    (
        "powf",
        "a power needs a whole exponent: `x.powi(2)`; otherwise write `exp(p * ln(x))`",
    ),
    ("square", "write `x * x`"),
    ("cube", "write `x.powi(3)`"),
    ("log", "did you mean `ln`?"),
    ("log2", "write `ln(x) / 0.6931471805599453`"),
    ("log10", "write `ln(x) / 2.302585092994046`"),
    ("log1p", "did you mean `ln_1p`?"),
    ("expm1", "did you mean `exp_m1`?"),
    ("exp2", "write `exp(0.6931471805599453 * x)`"),
    ("logistic", "did you mean `sigmoid`?"),
    ("expit", "did you mean `sigmoid`?"),
    ("hard_sigmoid", "write `clamp(x / 6.0 + 0.5, 0.0, 1.0)`"),
    ("silu", "write `x * sigmoid(x)`"),
    ("swish", "write `x * sigmoid(x)`"),
    ("hard_swish", "write `x * clamp(x / 6.0 + 0.5, 0.0, 1.0)`"),
    ("mish", "write `x * tanh(softplus(x))`"),
    ("gelu", "write `x * sigmoid(1.702 * x)`, or the form with `tanh`"),
    (
        "erf",
        "there is no derivative rule for it; approximate it with `tanh`",
    ),
    ("elu", "write `if x > 0.0 { x } else { exp_m1(x) }`"),
    ("leaky_relu", "write `max(x, 0.01 * x)`"),
    ("prelu", "write `max(x, a * x)` with a coefficient `a`"),
    ("relu6", "write `clamp(x, 0.0, 6.0)`"),
    ("hard_tanh", "write `clamp(x, -1.0, 1.0)`"),
    ("softsign", "write `x / (1.0 + abs(x))`"),
    ("softmax", "a piece sees one element at a time"),
    ("mean", "a piece sees one element at a time"),
    (
        "sum",
        "a piece sees one element at a time; use `combine = \"sum\"` to add pieces",
    ),
    ("mul_add", "write `a * b + c`"),
    ("fma", "write `a * b + c`"),
    ("hypot", "write `sqrt(x * x + y * y)`"),
    ("cbrt", "there is no cube root; write `exp(ln(x) / 3.0)`"),
    ("rsqrt", "write `1.0 / sqrt(x)`"),
    ("sinh", "write `0.5 * (exp(x) - exp(-x))`"),
    ("cosh", "write `0.5 * (exp(x) + exp(-x))`"),
    ("asin", "there is no derivative rule for it"),
    ("acos", "there is no derivative rule for it"),
    (
        "atan",
        "there is no derivative rule for it; `tanh` and `x / (1.0 + abs(x))` are similar",
    ),
    ("atan2", "there is no derivative rule for it"),
    ("floor", "its derivative is zero, so nothing could be learned"),
    ("ceil", "its derivative is zero, so nothing could be learned"),
    ("round", "its derivative is zero, so nothing could be learned"),
    ("maximum", "did you mean `max`?"),
    ("minimum", "did you mean `min`?"),
];

/// The advice for someone who calls the function `name`, which a piece does not have.
pub(super) fn advice_for(name: &str) -> Option<&'static str> {
    FOREIGN
        .iter()
        .find(|(foreign, _)| *foreign == name)
        .map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::FOREIGN;
    use crate::symbolic::find_function;
    use crate::tests::{expand, messages_in};

    #[test]
    fn advice_is_on_foreign_functions_only_and_can_be_followed() {
        for (name, advice) in FOREIGN {
            assert!(find_function(name).is_none(), "`{name}` is no longer foreign");
            let code = advice.split('`').skip(1).step_by(2);
            for formula in code.filter(|code| code.contains(['(', '*']) && !code.contains('=')) {
                let arguments = format!(
                    r#"k = 1, share = "none", init(a = 1, b = 1, c = 1, y = 1, p = 1),
                       piece = |x, a, b, c, y, p| a * x + b * c + y * p + {formula}"#
                );
                let messages = messages_in(expand(&arguments, "struct Foo;"));
                assert!(messages.is_empty(), "`{name}`: {messages:?}");
            }
        }
    }
}
