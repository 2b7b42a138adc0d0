//! Which names the arguments may use: those of parameters, and each where its kind has what is said of it.

use proc_macro2::Ident;
use syn::ext::IdentExt;

use crate::args::{Args, Entry, Slot, Squashes};
use crate::diagnostics::{Diagnostics, did_you_mean, list_of};
use crate::kinds::{Kind, Kinds};
use crate::piece::Parameters;

/// Reports names that no parameter has, and what is said of parameters that do not have it.
pub(super) fn check(args: &Args, kinds: &Kinds, parameters: &Parameters, diagnostics: &Diagnostics) {
    if !parameters.are_complete() {
        return;
    }
    let names = Names {
        args,
        kinds,
        parameters,
        diagnostics,
    };
    for (name, kind) in kinds.all() {
        names.declared(name, *kind);
    }
    let nothing_is_dynamic = parameters.kinds_are_known
        && !parameters
            .coefficients
            .iter()
            .any(|name| kinds.kind(name) == Kind::Dynamic);
    if nothing_is_dynamic {
        names.nothing_is_dynamic();
    } else {
        names.dynamic(&args.init, |text| {
            format!("`learned({text} = …)` holds its initial value")
        });
        names.dynamic(&args.lambda, |_| "it has no lambda".to_owned());
        if let Slot::Given(Squashes::Some(entries)) = &args.squash {
            names.all_dynamic(entries, |_| "it has no squash".to_owned());
        }
    }
}

struct Names<'a> {
    args: &'a Args,
    kinds: &'a Kinds,
    parameters: &'a Parameters,
    diagnostics: &'a Diagnostics,
}

impl Names<'_> {
    /// Reports what only dynamic coefficients have, where there is none.
    fn nothing_is_dynamic(&self) {
        for (argument, rest) in [
            ("init", "there is no initial value but that in `learned(…)`"),
            ("lambda", "there is no residual to be multiplied"),
            ("squash", "there is nothing to be squashed"),
            ("hyper", "there is no hyper function"),
        ] {
            if let Some(span) = self.args.span_of(argument) {
                let message = format!("no coefficient is dynamic, so {rest}; remove `{argument}`");
                self.diagnostics.error(span, message);
            }
        }
    }

    /// Every name in `list` must be that of a dynamic coefficient. `instead` tells what a learned one has.
    fn dynamic<V>(&self, list: &Slot<Vec<Entry<V>>>, instead: impl Fn(&str) -> String) {
        if let Slot::Given(entries) = list {
            self.all_dynamic(entries, instead);
        }
    }

    fn all_dynamic<V>(&self, entries: &[Entry<V>], instead: impl Fn(&str) -> String) {
        for Entry { name, .. } in entries {
            if !self.declared(name, Kind::Dynamic) {
                continue;
            }
            let text = name.unraw().to_string();
            let kind = self.kinds.kind(name);
            let why = match kind {
                Kind::Dynamic => continue,
                Kind::Learned => instead(&text),
                Kind::Fixed => format!("`fixed({text} = …)` holds its value"),
                Kind::Neighbour => "an element of the input".to_owned(),
            };
            let message = format!("`{text}` is {}: {why}; remove it here", kind.adjective());
            self.diagnostics.error(name.span(), message);
        }
    }

    /// Whether a closure has the parameter `name`, which is meant to be of `kind`; reports it if not.
    fn declared(&self, name: &Ident, kind: Kind) -> bool {
        let text = name.unraw().to_string();
        let declares = self.parameters.declares(name);
        // A coefficient that has the name of another piece's input has been reported in that piece.
        let reported = declares && kind.noun() == Kind::Dynamic.noun();
        if !reported && self.parameters.inputs().any(|input| input.unraw() == text) {
            let message = format!(
                "`{text}` is the input of a piece and can be no {}; choose another name",
                kind.noun()
            );
            self.diagnostics.error(name.span(), message);
            return false;
        }
        if declares {
            return true;
        }
        if let Some(head) = self.parameters.head_with(name) {
            // Once, where its kind stands.
            let argument = self.kinds.kind(name).argument().filter(|_| kind != Kind::Dynamic);
            if let Some(argument) = argument {
                let message =
                    format!("`{text}` is in `{argument}(…)` but no parameter of the piece; write `{head}`");
                self.diagnostics.error(name.span(), message);
            }
            return false;
        }
        let noun = kind.noun();
        // Those of the kind, or what could be meant to become of it.
        let known: Vec<String> = self
            .candidates(kind)
            .map(|name| name.unraw().to_string())
            .collect();
        let advice = match did_you_mean(&text, known.iter().map(String::as_str)) {
            Some(similar) => format!(" did you mean `{similar}`?"),
            None => String::new(),
        };
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            list_of(&known)
        };
        self.diagnostics.error(
            name.span(),
            format!("no {noun} `{text}`;{advice} the piece declares {known}"),
        );
        false
    }

    /// The parameters, each once, that could be of `kind`: those of which no other argument says what they are.
    fn candidates(&self, kind: Kind) -> impl Iterator<Item = &Ident> {
        let Parameters {
            coefficients,
            neighbours,
            constants,
            ..
        } = self.parameters;
        let all = coefficients.iter().chain(neighbours).chain(constants);
        all.filter(move |name| {
            let other = self.kinds.kind(name);
            other == kind || other == Kind::Dynamic
        })
    }
}
