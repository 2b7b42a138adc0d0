#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod activation;
mod checkpoint;
mod composed;
mod config;
#[cfg(feature = "flex")]
mod fused;
#[cfg(feature = "cubecl")]
mod gpu;
mod layer;
mod parameters;
mod statistics;
#[cfg(any(feature = "flex", feature = "gpu"))]
mod strategy;
mod with_context;

pub use activation::Activation;
pub use config::LayerConfig;
pub use layer::Layer;
pub use with_context::WithContext;

/// The examples of the documents are tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../docs/burn.md")]
    struct Guide;
}
