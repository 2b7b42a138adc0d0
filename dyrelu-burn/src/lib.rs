//! Dynamic activations of [dyrelu](https://docs.rs/dyrelu) as modules of [Burn](https://burn.dev).
#![forbid(unsafe_code)]

mod activation;
mod config;

pub use activation::Activation;
pub use config::LayerConfig;
