//! [`Hyper`] from `hyper(context = "pooled", layers = 2, inner = "relu")`.

use proc_macro2::{Ident, Span, TokenTree};
use syn::Lit;
use syn::ext::IdentExt;

use super::entries::{Entry, List};
use super::value::{Value, literal_of};
use super::{builder_call, builder_methods, text_for};
use crate::diagnostics::{did_you_mean, list_of};
use crate::spec::{Context, Hyper, Inner};

const OPTIONS: [&str; 3] = ["context", "layers", "inner"];

/// The options, each as it is written in an example.
const EXAMPLES: [(&str, &str); 3] = [
    ("context", "hyper(context = \"external\")"),
    ("layers", "hyper(layers = 1)"),
    ("inner", "hyper(inner = \"none\")"),
];

/// The advice for someone who writes the option `name` as an argument.
pub(super) fn advice_for(name: &str) -> Option<String> {
    let example = text_for(&EXAMPLES, name)?;
    Some(format!("it is an option of `hyper`: `{example}`"))
}

/// One option.
enum Setting {
    Context(Context),
    /// The number, and where it is written.
    Layers(usize, Span),
    Inner(Inner),
}

/// The hyper function; what is not written is as in the paper.
pub(super) fn parse(list: &List<'_>, rest: &[TokenTree]) -> Option<Hyper> {
    let entries = list.parse(rest, read)?;
    let diagnostics = list.diagnostics;
    if entries.is_empty() {
        let message = format!(
            "expected at least one of {}: `hyper(inner = \"none\")`",
            list_of(OPTIONS)
        );
        diagnostics.error(list.argument.span(), message);
        return None;
    }
    let mut hyper = Hyper::PAPER;
    let mut inner: Option<&Ident> = None;
    let mut number = None;
    for Entry { name, value } in &entries {
        match value.as_ref()? {
            Setting::Context(context) => hyper.context = *context,
            Setting::Layers(layers, span) => {
                hyper.layers = *layers;
                number = Some(*span);
            }
            Setting::Inner(value) => {
                hyper.inner = *value;
                inner = Some(name);
            }
        }
    }
    let halves_are_raw = hyper.layers == 0 && hyper.context == Context::PooledHalves;
    let number = number.filter(|_| halves_are_raw);
    if let Some(number) = number {
        diagnostics.error(
            number,
            "the means of both halves are not in the order of the raw values, so they need a layer: `layers = 1`",
        );
    }
    if let Some(inner) = inner.filter(|_| hyper.layers != 2) {
        let message = format!(
            "`inner` stands between two layers, so there is none with `layers = {}`; remove it",
            hyper.layers
        );
        diagnostics.error(inner.span(), message);
        return None;
    }
    number.is_none().then_some(hyper)
}

fn read(value: &Value<'_>) -> Option<Setting> {
    match value.name.unraw().to_string().as_str() {
        "context" => value.choice().map(Setting::Context),
        "layers" => layers(value),
        "inner" => value.choice().map(Setting::Inner),
        key => {
            let advice = match builder_call(key) {
                Some(call) => format!("it is a method of the layer builder: `{call}`"),
                None => match did_you_mean(key, OPTIONS.into_iter().chain(builder_methods())) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("expected one of {}", list_of(OPTIONS)),
                },
            };
            value
                .diagnostics
                .error(value.name.span(), format!("unknown option `{key}`; {advice}"));
            None
        }
    }
}

fn layers(value: &Value<'_>) -> Option<Setting> {
    match literal_of(&value.tokens) {
        Some(Lit::Int(literal)) if literal.suffix().is_empty() => match literal.base10_digits() {
            "0" => Some(Setting::Layers(0, literal.span())),
            "1" => Some(Setting::Layers(1, literal.span())),
            "2" => Some(Setting::Layers(2, literal.span())),
            digits => value.reject(format!("`layers` must be 0, 1 or 2, found {digits}")),
        },
        _ => value.reject("expected an integer: `layers = 2`"),
    }
}
