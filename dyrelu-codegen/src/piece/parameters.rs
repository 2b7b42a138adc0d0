//! [`Signature`] and [`Parameters`]: the names between the bars of one closure, and of all.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{ExprClosure, Pat, ReturnType};

use crate::diagnostics::Diagnostics;
use crate::kinds::{Kind, Kinds};
use crate::spec::MAX_COEFFICIENTS;

/// The parameters of one closure: the input, then others of any kind.
pub(crate) struct Signature {
    pub(crate) names: Vec<Ident>,
    /// Identifiers in parameters that are wrong. The body may use them without further complaint.
    pub(crate) rejected: Vec<Ident>,
}

/// The parameters of all closures.
pub(crate) struct Parameters {
    /// One for each closure, `None` for what is no closure.
    pub(crate) signatures: Vec<Option<Signature>>,
    /// In the order of the closures' parameters.
    pub(crate) coefficients: Vec<Ident>,
    /// In the order of the argument `neighbours`.
    pub(crate) neighbours: Vec<Ident>,
    /// In the order of the argument `fixed`.
    pub(crate) constants: Vec<Ident>,
    /// Names in `learned`, `fixed` or `neighbours` that closures use although none declares them.
    undeclared: Vec<Undeclared>,
    /// Whether no parameter can be meant to be of another kind, by an argument that is wrong or misspells its name.
    pub(crate) kinds_are_known: bool,
}

/// A name that is lacking between the bars of a closure.
struct Undeclared {
    name: Ident,
    /// How that closure should begin.
    head: String,
}

impl Parameters {
    /// The parameters of `closures`. Names that coefficients of different closures share are reported.
    pub(crate) fn of(closures: &[Option<&ExprClosure>], kinds: &Kinds, diagnostics: &Diagnostics) -> Self {
        let signature =
            |closure: Option<&ExprClosure>| closure.map(|closure| Signature::of(closure, diagnostics));
        let mut parameters = Self {
            signatures: closures.iter().copied().map(signature).collect(),
            coefficients: Vec::new(),
            neighbours: Vec::new(),
            constants: Vec::new(),
            undeclared: Vec::new(),
            kinds_are_known: false,
        };
        let mut named = kinds.all().iter();
        parameters.kinds_are_known = kinds.complete && named.all(|(name, _)| parameters.declares(name));
        parameters.undeclared = parameters.undeclared(closures, kinds);
        let declared = |name: &&Ident| parameters.declares(name);
        let neighbours = kinds.names(Kind::Neighbour).filter(declared).cloned().collect();
        let constants = kinds.names(Kind::Fixed).filter(declared).cloned().collect();
        parameters.coefficients = parameters.distinct_coefficients(kinds, diagnostics);
        parameters.neighbours = neighbours;
        parameters.constants = constants;
        parameters.check_count(diagnostics);
        parameters
    }

    /// Whether all parameters are right, so that any other name is a mistake where it stands.
    pub(crate) fn are_complete(&self) -> bool {
        let is_complete = |signature: &Option<Signature>| {
            let signature = signature.as_ref();
            signature.is_some_and(|signature| signature.rejected.is_empty() && !signature.names.is_empty())
        };
        self.signatures.iter().all(is_complete)
    }

    /// The inputs' names, one for each closure.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Ident> {
        let signatures = self.signatures.iter().flatten();
        signatures.filter_map(|signature| signature.names.first())
    }

    /// The other parameters' names, of each closure after the other.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Ident> {
        let signatures = self.signatures.iter().flatten();
        signatures.flat_map(|signature| signature.names.iter().skip(1))
    }

    /// Whether any closure has the parameter `name` after its input.
    pub(crate) fn declares(&self, name: &Ident) -> bool {
        self.others().any(|other| other.unraw() == name.unraw())
    }

    /// The arguments of the piece after the input: coefficients, then neighbours.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Ident> {
        self.coefficients.iter().chain(&self.neighbours)
    }

    /// The place of `name` among the input, the arguments and the constants.
    pub(crate) fn position(&self, name: &Ident) -> Option<usize> {
        let mut names = self.arguments().chain(&self.constants);
        let position = names.position(|other| other.unraw() == name.unraw());
        position.map(|position| 1 + position)
    }

    /// Names that arguments give a kind and that closures use, although these have no such parameter.
    pub(super) fn undeclared_names(&self) -> impl Iterator<Item = &Ident> {
        self.undeclared.iter().map(|undeclared| &undeclared.name)
    }

    /// How the first closure that uses `name` should begin, if only the parameter is missing.
    pub(crate) fn head_with(&self, name: &Ident) -> Option<&str> {
        let mut all = self.undeclared.iter();
        let undeclared = all.find(|undeclared| undeclared.name.unraw() == name.unraw())?;
        Some(&undeclared.head)
    }

    fn undeclared(&self, closures: &[Option<&ExprClosure>], kinds: &Kinds) -> Vec<Undeclared> {
        let mut undeclared = Vec::new();
        for (closure, signature) in closures.iter().zip(&self.signatures) {
            let (Some(closure), Some(signature)) = (closure, signature) else {
                continue;
            };
            let body = closure.body.to_token_stream();
            let names = kinds.all().iter().map(|(name, _)| name);
            let is_input = |name: &Ident| self.inputs().any(|input| input.unraw() == name.unraw());
            let missing: Vec<&Ident> = names
                .filter(|name| !self.declares(name) && !is_input(name) && uses(body.clone(), name))
                .collect();
            let all = signature.names.iter().chain(missing.iter().copied());
            let all: Vec<String> = all.map(Ident::to_string).collect();
            let head = format!("|{}| …", all.join(", "));
            undeclared.extend(missing.into_iter().map(|name| Undeclared {
                name: name.clone(),
                head: head.clone(),
            }));
        }
        undeclared
    }

    fn distinct_coefficients(&self, kinds: &Kinds, diagnostics: &Diagnostics) -> Vec<Ident> {
        let mut coefficients: Vec<Ident> = Vec::new();
        let is_coefficient = |name: &&Ident| matches!(kinds.kind(name), Kind::Dynamic | Kind::Learned);
        for name in self.others().filter(is_coefficient) {
            let is_same = |other: &Ident| other.unraw() == name.unraw();
            if !coefficients.iter().any(is_same) && !self.inputs().any(is_same) {
                coefficients.push(name.clone());
            } else if self.kinds_are_known {
                let free = self.free_name(&name.unraw().to_string());
                let message = format!(
                    "pieces that differ have coefficients of their own, and another piece has the name `{}`; name \
                     this one `{free}`",
                    name.unraw()
                );
                diagnostics.error(name.span(), message);
            }
        }
        coefficients
    }

    /// `name2`, or with the next number of which no parameter has the name.
    fn free_name(&self, name: &str) -> String {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_taken = |name: &String| {
            self.inputs()
                .chain(self.others())
                .any(|other| other.unraw() == name)
        };
        let mut names = (2..).map(|number| format!("{stem}{number}"));
        names
            .find(|name| !is_taken(name))
            .expect("there are more numbers than parameters")
    }

    fn check_count(&self, diagnostics: &Diagnostics) {
        let count = self.arguments().count();
        if let Some(excess) = self.arguments().nth(MAX_COEFFICIENTS) {
            let what = if self.neighbours.is_empty() {
                "coefficients"
            } else {
                "coefficients and neighbours"
            };
            let pieces = match self.signatures.len() {
                1 => "a piece has at most",
                _ => "pieces that differ have together at most",
            };
            let message = format!("{pieces} {MAX_COEFFICIENTS} {what}, found {count}");
            diagnostics.error(excess.span(), message);
        }
    }
}

impl Signature {
    /// The parameters of `closure`. Mistakes are reported and leave `rejected` non-empty, or too few names.
    fn of(closure: &ExprClosure, diagnostics: &Diagnostics) -> Self {
        check_head(closure, diagnostics);
        let mut signature = Self {
            names: Vec::new(),
            rejected: Vec::new(),
        };
        for pattern in &closure.inputs {
            signature.add(pattern, diagnostics);
        }
        if closure.inputs.is_empty() {
            let (begin, end) = (&closure.inputs_begin, &closure.inputs_end);
            diagnostics.error_at(quote::quote!(#begin #end), "a piece needs an input: `|x, a| …`");
        }
        signature
    }

    fn add(&mut self, pattern: &Pat, diagnostics: &Diagnostics) {
        match plain_name(pattern, diagnostics) {
            Some(name) if self.names.iter().any(|other| other.unraw() == name.unraw()) => {
                diagnostics.error(name.span(), format!("duplicate parameter `{}`", name.unraw()));
                self.rejected.push(name);
            }
            Some(name) => self.names.push(name),
            None => self.rejected.extend(identifiers(pattern.to_token_stream())),
        }
    }
}

/// The name that `pattern` is; reports any other pattern.
pub(super) fn plain_name(pattern: &Pat, diagnostics: &Diagnostics) -> Option<Ident> {
    match pattern {
        Pat::Ident(plain) if plain.attrs.is_empty() && plain.subpat.is_none() => {
            if let Some(by_ref) = &plain.by_ref {
                diagnostics.error_at(by_ref, "expected a plain name without `ref`");
            } else if let Some(mutability) = &plain.mutability {
                diagnostics.error_at(
                    mutability,
                    "expected a plain name without `mut`; shadow the name with `let` instead",
                );
            } else if check_name(&plain.ident, diagnostics) {
                return Some(plain.ident.clone());
            }
        }
        Pat::Type(typed) => diagnostics.error_at(
            typed,
            "expected a plain name without a type; every value has the element type of the layer",
        ),
        Pat::Wild(wild) => diagnostics.error_at(wild, "expected a name; `_` names nothing, so remove it"),
        other => diagnostics.error_at(other, "expected a plain name"),
    }
    None
}

/// A pattern that looks like a constant could match one, and a capital letter is how constants look.
fn check_name(name: &Ident, diagnostics: &Diagnostics) -> bool {
    let text = name.unraw().to_string();
    let lower: String = text.to_lowercase();
    if text == "self" {
        diagnostics.error(name.span(), "expected a plain name, found the keyword `self`");
    } else if text != lower {
        diagnostics.error(name.span(), format!("expected a lower-case name: `{lower}`"));
    } else {
        return true;
    }
    false
}

/// What may stand around the parameters: nothing.
fn check_head(closure: &ExprClosure, diagnostics: &Diagnostics) {
    for attribute in &closure.attrs {
        diagnostics.error_at(attribute, "attributes are not supported in a piece");
    }
    let words = [
        closure.lifetimes.as_ref().map(ToTokens::to_token_stream),
        closure.constness.as_ref().map(ToTokens::to_token_stream),
        closure.asyncness.as_ref().map(ToTokens::to_token_stream),
        closure.capture.as_ref().map(ToTokens::to_token_stream),
    ];
    for word in words.into_iter().flatten() {
        diagnostics.error_at(word, "expected a plain closure: `|x, a, b| a * x + b`");
    }
    if let ReturnType::Type(arrow, ty) = &closure.output {
        let message = "a piece has no return type; every value has the element type of the layer";
        diagnostics.error_at(
            TokenStream::from_iter([arrow.to_token_stream(), ty.to_token_stream()]),
            message,
        );
    }
}

/// Whether `name` stands in `tokens`, which do not define it themselves.
fn uses(tokens: TokenStream, name: &Ident) -> bool {
    let identifiers = identifiers(tokens);
    let is_name = |other: &Ident| other.unraw() == name.unraw();
    let mut pairs = identifiers.windows(2);
    identifiers.iter().any(is_name) && !pairs.any(|pair| pair[0] == "let" && is_name(&pair[1]))
}

/// All identifiers in `tokens`, of which a rejected pattern may have meant to make variables.
pub(super) fn identifiers(tokens: TokenStream) -> Vec<Ident> {
    let inside = |tree| match tree {
        TokenTree::Ident(identifier) => vec![identifier],
        TokenTree::Group(group) => identifiers(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    tokens.into_iter().flat_map(inside).collect()
}
