//! Limits on the size of a piece, checked before it is parsed.
//!
//! `syn` descends recursively, so tokens that open a level each would overflow the stack, whatever happens to
//! the expression later. The check itself uses no recursion.

use proc_macro2::{Span, TokenStream, TokenTree};

/// The largest number of tokens.
const MAX_TOKENS: usize = 2000;
/// The deepest nesting of delimiters.
const MAX_GROUPS: usize = 64;
/// The deepest nesting of any kind. Without optimisation the parser takes up to 16 KiB of stack for each level, so
/// this fits into the 2 MiB of a small thread; the compiler's own have 8 MiB.
const MAX_LEVELS: usize = 128;

/// An error if the piece is too large or nested too deeply to be parsed on a small stack.
pub(super) fn check(tokens: &TokenStream) -> syn::Result<()> {
    let mut count = 0;
    let mut sequences = vec![Sequence::new(tokens, 0)];
    while let Some(sequence) = sequences.last_mut() {
        let Some(tree) = sequence.trees.next() else {
            sequences.pop();
            continue;
        };
        count += 1;
        if count > MAX_TOKENS {
            return error(tree.span(), &format!("a piece has at most {MAX_TOKENS} tokens"));
        }
        let level = sequence.level_of(&tree);
        if level > MAX_LEVELS {
            return error(tree.span(), TOO_DEEP);
        }
        if let TokenTree::Group(group) = tree {
            if sequences.len() > MAX_GROUPS {
                return error(group.span_open(), TOO_DEEP);
            }
            sequences.push(Sequence::new(&group.stream(), level + 1));
        }
    }
    Ok(())
}

const TOO_DEEP: &str = "this piece is nested too deeply; give names to its parts with `let`";

fn error(span: Span, message: &str) -> syn::Result<()> {
    Err(syn::Error::new(span, message))
}

/// The tokens between two delimiters, with an upper bound for how deep the parser is at the current one.
struct Sequence {
    trees: proc_macro2::token_stream::IntoIter,
    /// The level at the sequence's begin.
    outer: usize,
    /// Operators and keywords directly before the current token: each may be a prefix of what follows.
    prefixes: usize,
    /// Tokens since the last `;` that may open a level up to the end of the expression: the `=` of an
    /// assignment, the `<` of generics, the `|` of a closure, a keyword.
    openers: usize,
}

impl Sequence {
    fn new(tokens: &TokenStream, outer: usize) -> Self {
        Self {
            trees: tokens.clone().into_iter(),
            outer,
            prefixes: 0,
            openers: 0,
        }
    }

    /// The level of the next token.
    fn level_of(&mut self, tree: &TokenTree) -> usize {
        let level = |sequence: &Self| sequence.outer + sequence.prefixes + sequence.openers;
        match tree {
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => (self.prefixes, self.openers) = (0, 0),
                ',' => self.prefixes = 0,
                '|' | '<' | '>' | '=' | '@' => {
                    self.prefixes += 1;
                    self.openers += 1;
                }
                _ => self.prefixes += 1,
            },
            TokenTree::Ident(word) if is_opening_keyword(word) => self.openers += 1,
            TokenTree::Ident(_) | TokenTree::Literal(_) | TokenTree::Group(_) => {
                let level = level(self);
                self.prefixes = 0;
                return level;
            }
        }
        level(self)
    }
}

/// Whether the word may begin an expression, a type or a pattern that contains another one.
fn is_opening_keyword(word: &proc_macro2::Ident) -> bool {
    const KEYWORDS: [&str; 26] = [
        "as", "async", "await", "box", "break", "const", "continue", "do", "dyn", "fn", "for", "gen", "if",
        "impl", "in", "loop", "match", "move", "mut", "ref", "return", "static", "try", "unsafe", "while",
        "yield",
    ];
    KEYWORDS.iter().any(|keyword| word == keyword)
}
