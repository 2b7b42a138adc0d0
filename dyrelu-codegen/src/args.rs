//! [`Args`]: the arguments of the attribute.
//!
//! This stage checks each argument by itself; [`crate::validate`] checks them against each other. Arguments are
//! separated before they are parsed, so that a mistake in one hides none in the others.

mod coefficients;
mod split;

use std::slice;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{ExprClosure, Lit, Path};

pub(crate) use coefficients::{CoefficientEntry, CoefficientList, Values};
use split::{after_equals, visible};

use crate::diagnostics::{Diagnostics, did_you_mean, list_of};
use crate::piece;
use crate::runtime::Runtime;
use crate::spec::{Choice, Combine, MAX_PIECES, Sharing, spellings};

/// What the attribute says, with the spans that later messages need.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) k: Slot<usize>,
    pub(crate) share: Slot<Sharing>,
    pub(crate) piece: Slot<ExprClosure>,
    pub(crate) combine: Slot<Combine>,
    pub(crate) init: Slot<CoefficientList>,
    pub(crate) lambda: Slot<CoefficientList>,
    pub(crate) runtime: Slot<Runtime>,
}

/// The value of an argument.
#[derive(Default)]
pub(crate) enum Slot<T> {
    /// The argument was not written.
    #[default]
    Missing,
    /// It was written, but is wrong. The mistake has been reported.
    Invalid,
    Given(T),
}

impl<T> Slot<T> {
    /// The value if it is there and right, by reference.
    pub(crate) fn as_given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Invalid => None,
        }
    }

    /// The value if it is there and right.
    pub(crate) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Missing | Self::Invalid => None,
        }
    }

    /// The value, or the default if the argument was not written; `None` if it is wrong.
    pub(crate) fn or_default(self, default: impl FnOnce() -> T) -> Option<T> {
        match self {
            Self::Missing => Some(default()),
            Self::Invalid => None,
            Self::Given(value) => Some(value),
        }
    }

    fn fill(&mut self, value: Option<T>) {
        *self = value.map_or(Self::Invalid, Self::Given);
    }
}

/// A slot, whatever its type.
trait Written {
    fn is_written(&self) -> bool;
    /// Marks the argument as wrong.
    fn spoil(&mut self);
}

impl<T> Written for Slot<T> {
    fn is_written(&self) -> bool {
        !matches!(self, Self::Missing)
    }

    fn spoil(&mut self) {
        *self = Self::Invalid;
    }
}

/// The arguments, each as it is written in examples.
const EXAMPLES: [(&str, &str); 7] = [
    ("k", "k = 2"),
    ("share", "share = \"spatial\""),
    ("piece", "piece = |x, a, b| a * x + b"),
    ("combine", "combine = \"max\""),
    ("init", "init(a = [1.0, 0.0], b = 0.0)"),
    ("lambda", "lambda(a = 1.0, b = 0.5)"),
    ("crate", "crate = ::dyrelu"),
];

/// Methods of the layer builder that are easily mistaken for arguments.
const BUILDER_METHODS: [(&str, &str); 4] = [
    ("reduction", ".reduction(8)"),
    ("hidden", ".hidden(16)"),
    ("seed", ".seed(7)"),
    ("temperature", ".temperature(10.0)"),
];

/// The text for `name` in one of the tables above.
fn text_for(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(key, _)| *key == name).map(|(_, text)| *text)
}

/// All arguments, in the order in which messages list them.
pub(crate) fn argument_names() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(name, _)| *name)
}

/// The builder's methods that are easily mistaken for arguments.
fn builder_methods() -> impl Iterator<Item = &'static str> {
    BUILDER_METHODS.iter().map(|(method, _)| *method)
}

/// Parses the tokens between the attribute's parentheses.
pub(crate) fn parse(tokens: TokenStream, diagnostics: &Diagnostics) -> Args {
    let mut args = Args::default();
    for argument in split::arguments(tokens, diagnostics) {
        args.read(&argument, diagnostics);
    }
    args
}

/// An argument's value: the tokens after `name =`.
struct Value<'a> {
    /// How the whole argument should look.
    example: &'static str,
    /// Never empty, and without invisible delimiters round all of it.
    tokens: Vec<TokenTree>,
    diagnostics: &'a Diagnostics,
}

impl Args {
    fn read(&mut self, argument: &[TokenTree], diagnostics: &Diagnostics) {
        let [TokenTree::Ident(name), rest @ ..] = argument else {
            self.reject_nameless(&argument[0], diagnostics);
            return;
        };
        let key = name.unraw().to_string();
        let Some(example) = text_for(&EXAMPLES, &key) else {
            self.reject_unknown(name, &key, diagnostics);
            return;
        };
        if self.slot(&key).is_written() {
            diagnostics.error(name.span(), format!("duplicate argument `{key}`"));
            return;
        }
        match key.as_str() {
            "init" => self
                .init
                .fill(coefficients::parse(name, rest, example, diagnostics)),
            "lambda" => self
                .lambda
                .fill(coefficients::parse(name, rest, example, diagnostics)),
            _ => self.read_value(&key, value(name, rest, example, diagnostics)),
        }
    }

    fn read_value(&mut self, key: &str, value: Option<Value<'_>>) {
        match key {
            "k" => self.k.fill(value.and_then(|value| value.pieces())),
            "share" => self.share.fill(value.and_then(|value| value.choice())),
            "piece" => self.piece.fill(value.and_then(|value| value.closure())),
            "combine" => self.combine.fill(value.and_then(|value| value.choice())),
            _ => self.runtime.fill(value.and_then(|value| value.runtime())),
        }
    }

    /// The slot of an argument in [`EXAMPLES`].
    fn slot(&mut self, key: &str) -> &mut dyn Written {
        match key {
            "k" => &mut self.k,
            "share" => &mut self.share,
            "piece" => &mut self.piece,
            "combine" => &mut self.combine,
            "init" => &mut self.init,
            "lambda" => &mut self.lambda,
            _ => &mut self.runtime,
        }
    }

    /// Reports an argument that does not begin with a name. What stands in quotes does not count as missing.
    fn reject_nameless(&mut self, first: &TokenTree, diagnostics: &Diagnostics) {
        let text = match literal_of(slice::from_ref(first)) {
            Some(Lit::Str(literal)) => literal.value(),
            _ => String::new(),
        };
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let quoted: Vec<&str> = words.filter(|word| text_for(&EXAMPLES, word).is_some()).collect();
        let example = EXAMPLES[0].1;
        let message = if quoted.is_empty() {
            format!("expected an argument such as `{example}`")
        } else {
            format!("arguments are not put in quotes; write them as in `{example}`")
        };
        diagnostics.error_at(first, message);
        for word in quoted {
            self.excuse(word);
        }
    }

    /// Marks the argument `word`, if it is one that is missing, as wrong, so that it is not reported as missing.
    fn excuse(&mut self, word: &str) {
        if text_for(&EXAMPLES, word).is_some() && !self.slot(word).is_written() {
            self.slot(word).spoil();
        }
    }

    /// Reports an unknown argument. What it was probably meant to be does not count as missing.
    fn reject_unknown(&mut self, name: &Ident, key: &str, diagnostics: &Diagnostics) {
        let suggestion = did_you_mean(key, argument_names().chain(builder_methods()));
        let advice = match suggestion.map(|word| (word, text_for(&BUILDER_METHODS, word))) {
            Some((word, Some(call))) if word == key => {
                format!("it is a method of the layer builder: `{call}`")
            }
            Some((word, Some(call))) => {
                format!("did you mean `{word}`? (it is a method of the layer builder: `{call}`)")
            }
            Some((word, None)) => format!("did you mean `{word}`?"),
            None => format!("expected one of {}", list_of(argument_names())),
        };
        diagnostics.error(name.span(), format!("unknown argument `{key}`; {advice}"));
        if let Some(word) = suggestion {
            self.excuse(word);
        }
    }
}

/// The value in `= value`.
fn value<'a>(
    name: &Ident,
    rest: &[TokenTree],
    example: &'static str,
    diagnostics: &'a Diagnostics,
) -> Option<Value<'a>> {
    let tokens = visible(after_equals(rest).unwrap_or_default());
    if tokens.is_empty() {
        diagnostics.error(name.span(), format!("expected a value: `{example}`"));
        return None;
    }
    Some(Value {
        example,
        tokens,
        diagnostics,
    })
}

impl Value<'_> {
    /// Reports a mistake at the value.
    fn reject<T>(&self, message: String) -> Option<T> {
        self.diagnostics.error_at(self.stream(), message);
        None
    }

    /// Reports that the value should have been a `what`.
    fn expected<T>(&self, what: &str) -> Option<T> {
        self.reject(format!("expected {what}: `{}`", self.example))
    }

    fn stream(&self) -> TokenStream {
        self.tokens.iter().cloned().collect()
    }

    /// The value of `k`.
    fn pieces(&self) -> Option<usize> {
        let Some(Lit::Int(literal)) = literal_of(&self.tokens) else {
            return self.expected("an integer");
        };
        if !literal.suffix().is_empty() {
            return self.expected("an integer without a suffix");
        }
        let digits = literal.base10_digits();
        match digits.parse() {
            Ok(k @ 1..=MAX_PIECES) => Some(k),
            Err(_) if !digits.starts_with('-') => self.too_many_pieces(digits),
            Ok(1..) => self.too_many_pieces(digits),
            Ok(0) | Err(_) => self.reject(format!("`k` must be at least 1, found {digits}")),
        }
    }

    fn too_many_pieces<T>(&self, digits: &str) -> Option<T> {
        self.reject(format!("`k` must be at most {MAX_PIECES}, found {digits}"))
    }

    /// The value of `share` or `combine`.
    fn choice<C: Choice>(&self) -> Option<C> {
        let text = match literal_of(&self.tokens) {
            Some(Lit::Str(literal)) if literal.suffix().is_empty() => literal.value(),
            _ => return self.unquoted::<C>(),
        };
        if let Some((_, choice)) = C::ALL.iter().find(|(spelling, _)| *spelling == text) {
            return Some(*choice);
        }
        let suggestion = meant_choice::<C>(&text)
            .map_or_else(String::new, |spelling| format!(" did you mean {spelling:?}?"));
        let (what, all) = (C::WHAT, spellings::<C>());
        self.reject(format!(
            "unknown {what} {text:?};{suggestion} expected one of {all}"
        ))
    }

    /// Reports a choice that is no string, with the text that should be there.
    fn unquoted<C: Choice>(&self) -> Option<C> {
        let text: String = self.tokens.iter().map(ToString::to_string).collect();
        let key = self.example.split_once(' ').map_or(self.example, |(key, _)| key);
        let spelling = meant_choice::<C>(&text).unwrap_or(C::ALL[0].0);
        self.reject(format!("expected a string literal: `{key} = {spelling:?}`"))
    }

    /// The value of `piece`.
    fn closure(&self) -> Option<ExprClosure> {
        match piece::parse(self.stream()) {
            Ok(Some(closure)) => Some(closure),
            Ok(None) => self.expected("a closure"),
            Err(error) => {
                self.diagnostics.report(error);
                None
            }
        }
    }

    /// The value of `crate`.
    fn runtime(&self) -> Option<Runtime> {
        let Ok(path) = Path::parse_mod_style.parse2(self.stream()) else {
            return self.expected("a path");
        };
        let first = path
            .segments
            .first()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default();
        match first.as_str() {
            "crate" | "$crate" => Some(Runtime::new(&path)),
            _ if path.leading_colon.is_some() => Some(Runtime::new(&path)),
            "self" | "super" => self.expected("an absolute path"),
            _ => {
                let text = path.to_token_stream().to_string().replace(' ', "");
                self.diagnostics
                    .error_at(path, format!("expected an absolute path: `crate = ::{text}`"));
                None
            }
        }
    }
}

/// The spelling of the choice that `text` probably means.
fn meant_choice<C: Choice>(text: &str) -> Option<&'static str> {
    let alias = C::ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(text));
    alias
        .map(|(_, spelling)| *spelling)
        .or_else(|| did_you_mean(text, C::ALL.iter().map(|(spelling, _)| *spelling)))
}

/// The literal that `trees` are, with a minus if it is a negative number, also inside invisible delimiters.
fn literal_of(trees: &[TokenTree]) -> Option<Lit> {
    syn::parse2(trees.iter().cloned().collect()).ok()
}
