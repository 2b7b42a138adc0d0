//! Number literals, as they stand in a piece and in `init` and `lambda`.

use syn::Lit;

/// The value of a number literal, or why it is none.
pub(crate) fn number(literal: &Lit) -> Result<f64, String> {
    let (digits, suffix) = match literal {
        Lit::Int(literal) => (literal.base10_digits(), literal.suffix()),
        Lit::Float(literal) => (literal.base10_digits(), literal.suffix()),
        _ => return Err("expected a number such as `0.5`".to_owned()),
    };
    if !suffix.is_empty() {
        return Err(format!(
            "expected a number without the suffix `{suffix}`: `{digits}`"
        ));
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err("this number is too large for an `f64`".to_owned()),
    }
}
