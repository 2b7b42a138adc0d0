//! The generated documentation: what the activation computes, and the gradient that was derived.

use std::fmt::Write;

use crate::spec::{
    ActivationSpec, Attention, Choice, CoefficientSpec, Combine, Hyper, PerPiece, Sharing, Shift, Source,
    Squash,
};
use crate::symbolic::Formulas;

/// How many constants of a list are shown.
const SHOWN: usize = 4;

/// The description of the activation, in Markdown.
pub(super) fn description(spec: &ActivationSpec) -> String {
    let piece = &spec.piece;
    let names = piece.names_of_parameters();
    let formulas = Formulas::new(&piece.expressions, &names, &piece.roots());
    let code = |node| format!("`{}`", formulas.text(node));
    // Even in code, a bar ends the cell of a table.
    let cell = |node| code(node).replace('|', "\\|");
    let mut text = definitions(&formulas);
    let (value, coefficients) = (code(piece.value), coefficients(spec));
    let whole = if spec.k == 1 { "y" } else { "piece" };
    // Writing to a string cannot fail.
    let _ = match spec.k {
        1 => writeln!(text, "y = {value}{coefficients}.\n"),
        k => writeln!(
            text,
            "The {} of k = {k} pieces {value}{coefficients}.\n",
            combine(spec)
        ),
    };
    let input = &names[0];
    let _ = writeln!(text, "∂{whole}/∂{input} = {}\n", code(piece.gradient[0]));
    if names.len() > 1 {
        let what = if spec.neighbours.is_empty() {
            "coefficient"
        } else {
            "argument"
        };
        let _ = writeln!(
            text,
            "| {what} | init | lambda | ∂{whole}/∂{what} |\n|---|---|---|---|"
        );
    }
    let coefficients = spec.coefficients.iter().map(coefficient_cells);
    let neighbours = spec.neighbours.iter().copied().map(neighbour_cells);
    let rows = names[1..].iter().zip(coefficients.chain(neighbours));
    for ((name, (init, lambda)), &derivative) in rows.zip(&piece.gradient[1..]) {
        let _ = writeln!(text, "| `{name}` | {init} | {lambda} | {} |", cell(derivative));
    }
    text + &hyper(spec) + attention(spec)
}

/// The cells `init` and `lambda` of a coefficient.
fn coefficient_cells(spec: &CoefficientSpec) -> (String, String) {
    let source = match &spec.source {
        Source::Dynamic {
            lambda,
            squash: Squash::CentredSigmoid,
        } => constants_text(lambda),
        Source::Dynamic { lambda, squash } => {
            format!("{}, squash = {:?}", constants_text(lambda), squash.spelling())
        }
        Source::Learned { shared: false } => "learned for each channel".to_owned(),
        Source::Learned { shared: true } => "learned, one for all channels".to_owned(),
    };
    (constants_text(&spec.init), source)
}

/// The same cells of a neighbour.
fn neighbour_cells(shift: Shift) -> (String, String) {
    let Shift { groups, channels } = shift;
    ("–".to_owned(), format!("neighbour, shift({groups}, {channels})"))
}

/// Whose the coefficients are, if there are any.
fn coefficients(spec: &ActivationSpec) -> String {
    let count = spec.coefficients.len();
    let is_dynamic = |coefficient: &&CoefficientSpec| matches!(coefficient.source, Source::Dynamic { .. });
    let dynamic = spec.coefficients.iter().filter(is_dynamic).count();
    let sharing = sharing(spec);
    if count == 0 {
        String::new()
    } else if dynamic == count {
        format!(", with coefficients {sharing}")
    } else if dynamic > 0 {
        format!(", with learned coefficients, and dynamic ones {sharing}")
    } else {
        ", with learned coefficients".to_owned()
    }
}

/// The hyper function, if there is one other than the paper's.
fn hyper(spec: &ActivationSpec) -> String {
    if spec.hyper == Hyper::PAPER {
        return String::new();
    }
    let Hyper {
        context,
        layers,
        inner,
    } = spec.hyper;
    let inner = if layers == 2 {
        format!(", inner = {:?}", inner.spelling())
    } else {
        String::new()
    };
    let context = context.spelling();
    format!("\nThe hyper function is `hyper(context = {context:?}, layers = {layers}{inner})`.\n")
}

fn attention(spec: &ActivationSpec) -> &'static str {
    match spec.attention {
        Attention::Softmax => "",
        Attention::Normalised => {
            "\nThe scores of the attention are normalised (`attention = \"normalised\"`).\n"
        }
    }
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
