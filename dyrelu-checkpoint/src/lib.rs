//! Checkpoints from elsewhere for [dyrelu](https://docs.rs/dyrelu).
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod checkpoint;
mod constants;
mod conversion;
mod error;
mod found_activation;

pub use checkpoint::Checkpoint;
pub use conversion::{Change, Conversion};
pub use error::Error;
pub use found_activation::FoundActivation;

/// The examples of the documents are tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../docs/checkpoints.md")]
    struct Guide;
}
