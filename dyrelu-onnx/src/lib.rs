//! Dynamic activations of [dyrelu](https://docs.rs/dyrelu) as graphs of standard [ONNX](https://onnx.ai) operators.
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod attention;
mod coefficients;
mod context;
mod error;
mod expression;
mod graph;
mod proto;
mod recorder;
mod text;

pub use error::Error;
pub use graph::Graph;
