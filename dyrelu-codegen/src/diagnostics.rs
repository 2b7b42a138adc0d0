//! [`Diagnostics`]: collects the mistakes of one attribute, to show them together.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The mistakes found so far.
///
/// Stages report here and go on, so one compile shows every independent mistake. Whoever creates a collector
/// must call [`finish`](Self::finish): dropping it otherwise panics, so that no mistake gets lost.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    errors: RefCell<Vec<syn::Error>>,
    finished: Cell<bool>,
}

impl Diagnostics {
    /// Reports a mistake at `span`.
    pub(crate) fn error(&self, span: Span, message: impl Display) {
        self.report(syn::Error::new(span, message));
    }

    /// Reports a mistake at all of `tokens`.
    pub(crate) fn error_at(&self, tokens: impl ToTokens, message: impl Display) {
        self.report(syn::Error::new_spanned(tokens, message));
    }

    /// Reports a mistake that `syn` found.
    pub(crate) fn report(&self, error: syn::Error) {
        self.errors.borrow_mut().push(error);
    }

    /// How many mistakes there are, to see whether a step has added any.
    pub(crate) fn count(&self) -> usize {
        self.errors.borrow().len()
    }

    /// The `result` of all stages, or all mistakes in the order in which they were found.
    ///
    /// # Panics
    ///
    /// When there is no result although nobody reported a mistake.
    pub(crate) fn finish<T>(self, result: Option<T>) -> Result<T, Vec<syn::Error>> {
        self.finished.set(true);
        let errors = self.errors.take();
        if errors.is_empty() {
            Ok(result.expect("a stage that gives no result reports why"))
        } else {
            Err(errors)
        }
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        assert!(
            self.finished.get() || std::thread::panicking(),
            "mistakes were collected but never shown"
        );
    }
}

/// The candidate that `word` is probably a misspelling of; capital letters count as small ones.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// High enough that unrelated words get no suggestion.
    const SIMILAR: f64 = 0.8;
    let word = word.to_lowercase();
    // Of similar words the one with the fewest slips, and of those the one of the same length: a swap of letters
    // is more likely than a letter too many.
    let slips = |candidate: &str| {
        let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
        (distance, word.len().abs_diff(candidate.len()))
    };
    let similar = |candidate: &&str| strsim::jaro_winkler(&word, &candidate.to_lowercase()) > SIMILAR;
    candidates
        .into_iter()
        .filter(similar)
        .min_by_key(|candidate| slips(candidate))
}

/// The items in backticks, separated by commas: "`a`, `b`".
pub(crate) fn list_of<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("`{item}`")).collect();
    items.join(", ")
}

/// `count` things, with an s unless there is one.
pub(crate) fn count_of(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
