//! [`Error`]: what a kernel cannot be launched with.

use crate::Number;
use thiserror::Error;

/// What is wrong with the operands of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no kernels for the activation on this device.
    #[error(
        "`{name}` of {number:?} has no GPU kernels: expected pieces without neighbours, and a device that knows the numbers"
    )]
    Unsupported {
        /// Its name.
        name: &'static str,
        /// How x is stored.
        number: Number,
    },

    /// There is no kernel for the hyper function.
    #[error(
        "the hyper function of `{name}` has no GPU kernel: expected two layers, dynamic coefficients only, and no softmax"
    )]
    Hyper {
        /// The activation's name.
        name: &'static str,
    },

    /// A buffer that is too small.
    #[error("expected {expected} bytes of {what}, found {found}")]
    Size {
        /// What it holds.
        what: &'static str,
        /// What x asks for.
        expected: u64,
        /// What it has.
        found: u64,
    },

    /// More elements than kernels can count.
    #[error("expected fewer than 2³² elements, found {elements}")]
    Elements {
        /// As many.
        elements: usize,
    },

    /// An attention in modes A and B, or none in mode C.
    #[error("expected {expected}, found {found}")]
    Attention {
        /// What the activation's sharing asks for.
        expected: &'static str,
        /// What there is.
        found: &'static str,
    },
}
