//! [`Error`]: why a layer was not exported.

use std::path::PathBuf;

/// Why there is no graph, or no file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rank without a batch and a channel axis.
    #[error("expected a rank of {array} of 2 or more, [N, channels, ...], found {found}")]
    Rank {
        /// `x` or `context`.
        array: &'static str,
        /// The rank.
        found: usize,
    },

    /// An external context that is missing or needless.
    #[error("expected {expected}, found {found}")]
    Context {
        /// What to do.
        expected: &'static str,
        /// What was done.
        found: &'static str,
    },

    /// A file that cannot be written.
    #[error("cannot write `{}`: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}
