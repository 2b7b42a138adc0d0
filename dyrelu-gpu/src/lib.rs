//! GPU kernels of dynamic activations, from the same description as all other engines of [dyrelu](https://docs.rs/dyrelu).
//!
#![cfg_attr(feature = "cubecl", doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
#![cfg(feature = "cubecl")]
#![allow(
    clippy::extra_unused_type_parameters,
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::used_underscore_binding,
    clippy::wildcard_imports,
    reason = "what `cube` expands to, and functions that take their arguments as it passes them"
)]

mod attention;
mod backward;
#[cfg(all(test, feature = "cuda-source"))]
mod cuda;
mod error;
mod fold;
mod formula;
mod forward;
mod grid;
mod hyper;
mod operands;
mod recorded;
mod squash;
mod summary;

pub use attention::{attention, attention_backward};
pub use backward::{Gradients, backward};
pub use cubecl;
pub use error::Error;
pub use forward::forward;
pub use hyper::{Hyper, HyperGradients, HyperOutputs, hyper, hyper_backward, supports_hyper};
pub use operands::{Number, Operands, Planes, supports};
pub use summary::{add_gradients, gradient_of_weight, means, scores};
