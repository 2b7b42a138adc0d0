//! Dynamic activations of [dyrelu](https://docs.rs/dyrelu) as modules of [candle](https://github.com/huggingface/candle).
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod checkpoint;
mod composed;
mod config;
mod fused;
mod layer;
mod parameters;
mod statistics;
mod with_context;

pub use config::LayerConfig;
pub use layer::{Layer, layer};
pub use with_context::WithContext;

/// The examples of the documents are tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../docs/candle.md")]
    struct Guide;
}
