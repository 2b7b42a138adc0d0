//! [`Args`]: the arguments of the attribute.
//!
//! This stage checks each argument by itself; [`crate::validate`] checks them against each other. Arguments are
//! separated before they are parsed, so that a mistake in one hides none in the others.

mod entries;
mod hyper;
mod neighbours;
mod numbers;
mod pieces;
mod split;
mod value;

use std::slice;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::Lit;
use syn::ext::IdentExt;

use entries::List;
pub(crate) use entries::{Entries, Entry};
pub(crate) use numbers::{Learned, Values};
pub(crate) use pieces::Pieces;
use split::visible;
use value::{Value, literal_of};

use crate::diagnostics::{Diagnostics, did_you_mean, list_of};
use crate::runtime::Runtime;
use crate::spec::{Attention, Combine, Hyper, Sharing, Shift, Squash};

/// What the attribute says, with the spans that later messages need.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) k: Slot<usize>,
    pub(crate) share: Slot<Sharing>,
    pub(crate) piece: Slot<Pieces>,
    pub(crate) combine: Slot<Combine>,
    pub(crate) init: Slot<Entries<Values>>,
    pub(crate) lambda: Slot<Entries<Values>>,
    pub(crate) squash: Slot<Squashes>,
    pub(crate) learned: Slot<Entries<Learned>>,
    pub(crate) fixed: Slot<Entries<f64>>,
    pub(crate) neighbours: Slot<Entries<Shift>>,
    pub(crate) hyper: Slot<Hyper>,
    pub(crate) attention: Slot<Attention>,
    pub(crate) runtime: Slot<Runtime>,
    /// The names of the arguments, as they are written.
    names: Vec<Ident>,
}

/// The value of `squash`.
pub(crate) enum Squashes {
    /// One for all dynamic coefficients.
    All(SpeltSquash),
    /// One for each of some.
    Some(Entries<SpeltSquash>),
}

/// A squash, and where it is written.
pub(crate) struct SpeltSquash {
    pub(crate) squash: Squash,
    pub(crate) span: Span,
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
const EXAMPLES: [(&str, &str); 13] = [
    ("k", "k = 2"),
    ("share", "share = \"spatial\""),
    ("piece", "piece = |x, a, b| a * x + b"),
    ("combine", "combine = \"max\""),
    ("init", "init(a = [1.0, 0.0], b = 0.0)"),
    ("lambda", "lambda(a = 1.0, b = 0.5)"),
    ("squash", "squash = \"sigmoid\""),
    ("learned", "learned(p = 1.0)"),
    ("fixed", "fixed(c = 1.0)"),
    ("neighbours", "neighbours(s = shift(1, 0))"),
    (
        "hyper",
        "hyper(context = \"pooled\", layers = 2, inner = \"relu\")",
    ),
    ("attention", "attention = \"normalised\""),
    ("crate", "crate = ::dyrelu"),
];

/// Methods of the layer builder that are easily mistaken for arguments.
const BUILDER_METHODS: [(&str, &str); 10] = [
    ("reduction", ".reduction(8)"),
    ("hidden", ".hidden(16)"),
    ("divisible_by", ".divisible_by(4)"),
    ("at_least", ".at_least(4)"),
    ("groups", ".groups(4)"),
    ("context_channels", ".context_channels(128)"),
    ("seed", ".seed(7)"),
    ("temperature", ".temperature(10.0)"),
    ("average_attention", ".average_attention(0.5)"),
    ("cut_off", ".cut_off(0.5)"),
];

/// What papers call a method of the layer builder.
const BUILDER_ALIASES: [(&str, &str); 1] = [("tau", "temperature")];

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

/// The call of the builder's method `name`, or of the one that papers call so.
fn builder_call(name: &str) -> Option<&'static str> {
    let method = text_for(&BUILDER_ALIASES, name).unwrap_or(name);
    text_for(&BUILDER_METHODS, method)
}

/// Parses the tokens between the attribute's parentheses.
pub(crate) fn parse(tokens: TokenStream, diagnostics: &Diagnostics) -> Args {
    let mut args = Args::default();
    for argument in split::arguments(tokens, diagnostics) {
        args.read(&argument, diagnostics);
    }
    args
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
        self.names.push(name.clone());
        let list = |entry| List {
            argument: name,
            example,
            entry,
            diagnostics,
        };
        let value = || Value::of_argument(name, rest, example, diagnostics);
        match key.as_str() {
            "k" => self.k.fill(value().and_then(|value| value.count())),
            "share" => self.share.fill(value().and_then(|value| value.choice())),
            "piece" => self.piece.fill(value().and_then(|value| value.pieces())),
            "combine" => self.combine.fill(value().and_then(|value| value.choice())),
            "init" => self.init.fill(list("coefficient").parse(rest, Value::per_piece)),
            "lambda" => self
                .lambda
                .fill(list("coefficient").parse(rest, Value::per_piece)),
            "squash" if matches!(*visible(rest), [TokenTree::Group(_)]) => {
                let some = match value::without_equals(rest) {
                    Some(literal) => value::reject_squash(&literal, diagnostics),
                    None => list("coefficient").parse(rest, Value::squash),
                };
                self.squash.fill(some.map(Squashes::Some));
            }
            "squash" => {
                let all = value().and_then(|value| value.squash());
                self.squash.fill(all.map(Squashes::All));
            }
            "learned" => self.learned.fill(list("coefficient").parse(rest, Value::learned)),
            "fixed" => self.fixed.fill(list("constant").parse(rest, Value::constant)),
            "neighbours" => self.neighbours.fill(list("neighbour").parse(rest, Value::shift)),
            "hyper" => self.hyper.fill(hyper::parse(&list("option"), rest)),
            "attention" => self.attention.fill(value().and_then(|value| value.choice())),
            _ => self.runtime.fill(value().and_then(|value| value.runtime())),
        }
    }

    /// Where the argument `key` is written, if it is.
    pub(crate) fn span_of(&self, key: &str) -> Option<Span> {
        let name = self.names.iter().find(|name| name.unraw() == key);
        name.map(Ident::span)
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
            "squash" => &mut self.squash,
            "learned" => &mut self.learned,
            "fixed" => &mut self.fixed,
            "neighbours" => &mut self.neighbours,
            "hyper" => &mut self.hyper,
            "attention" => &mut self.attention,
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
        let own = builder_call(key)
            .map(|call| format!("it is a method of the layer builder: `{call}`"))
            .or_else(|| hyper::advice_for(key));
        if let Some(advice) = own {
            diagnostics.error(name.span(), format!("unknown argument `{key}`; {advice}"));
            return;
        }
        let suggestion = did_you_mean(key, argument_names().chain(builder_methods()));
        let advice = match suggestion.map(|word| (word, text_for(&BUILDER_METHODS, word))) {
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
