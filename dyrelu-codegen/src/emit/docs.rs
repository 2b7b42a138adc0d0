//! The generated documentation: what the activation computes, and the gradient that was derived.

use std::fmt::Write;

use syn::ext::IdentExt;

use crate::spec::{ActivationSpec, Combine, PerPiece, Sharing};
use crate::symbolic::Formulas;

/// How many constants of a list are shown.
const SHOWN: usize = 4;

/// The description of the activation, in Markdown.
pub(super) fn description(spec: &ActivationSpec) -> String {
    let piece = &spec.piece;
    let names: Vec<String> = piece
        .parameters
        .iter()
        .map(|parameter| parameter.name.unraw().to_string())
        .collect();
    let formulas = Formulas::new(&piece.expressions, &names, &piece.roots());
    let code = |node| format!("`{}`", formulas.text(node));
    // Even in code, a bar ends the cell of a table.
    let cell = |node| code(node).replace('|', "\\|");
    let mut text = definitions(&formulas);
    let (combine, k, value, sharing) = (combine(spec), spec.k, code(piece.value), sharing(spec));
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "The {combine} of k = {k} pieces {value}, with coefficients {sharing}.\n"
    );
    let input = &names[0];
    let _ = writeln!(text, "∂piece/∂{input} = {}\n", code(piece.gradient[0]));
    text.push_str("| coefficient | init | lambda | ∂piece/∂coefficient |\n|---|---|---|---|\n");
    for ((name, constants), &derivative) in names[1..]
        .iter()
        .zip(&spec.coefficients)
        .zip(&piece.gradient[1..])
    {
        let (init, lambda) = (constants_text(&constants.init), constants_text(&constants.lambda));
        let _ = writeln!(text, "| `{name}` | {init} | {lambda} | {} |", cell(derivative));
    }
    text
}

/// The parts of long formulas.
fn definitions(formulas: &Formulas) -> String {
    if formulas.definitions.is_empty() {
        return String::new();
    }
    let lines = formulas.definitions.join("\n");
    format!("Parts of the formulas below:\n\n```text\n{lines}\n```\n\n")
}

fn combine(spec: &ActivationSpec) -> &'static str {
    match spec.combine {
        Combine::Max => "maximum",
        Combine::Min => "minimum",
        Combine::Sum => "sum",
    }
}

fn sharing(spec: &ActivationSpec) -> &'static str {
    match spec.sharing {
        Sharing::SpatialAndChannel => "for each sample (`share = \"spatial+channel\"`)",
        Sharing::Spatial => "for each sample and channel (`share = \"spatial\"`)",
        Sharing::Unshared => "for each element (`share = \"none\"`)",
    }
}

fn constants_text(constants: &PerPiece) -> String {
    match constants {
        PerPiece::Same(value) => format!("{value:?}"),
        PerPiece::First(value) => format!("{value:?}, 0.0, …"),
        PerPiece::Each(values) => {
            let shown: Vec<String> = values
                .iter()
                .take(SHOWN)
                .map(|value| format!("{value:?}"))
                .collect();
            shown.join(", ") + if values.len() > SHOWN { ", …" } else { "" }
        }
    }
}
