//! GPU kernels of dynamic activations, from the same description as all other engines of
//! [dyrelu](https://docs.rs/dyrelu).
//!
//! ```text
//! Piece::value, Piece::grad      generic over the kind of number
//!          │
//!          ▼
//! Recorded                       a number that writes down what is done to it, as CubeCL's intermediate code
//!          │
//!          ▼
//! forward, backward              a kernel around it: loads, sums, stores
//!          │
//!          ▼
//! WGSL, SPIR-V, PTX, …           by CubeCL, for the device that the client is for
//! ```
//!
//! [`forward`] reads x once and writes y once; [`backward`] reads x and the gradient of y once and writes that of x, and adds up
//! those of the coefficients in registers, then in the workgroup, then over workgroups in a fixed order. In memory x is `f32`,
//! `f16` or `bf16`; arithmetic and sums are `f32`.
//!
//! [`means`] reads x once, and [`add_gradient_of_means`] adds what comes back through them.
//!
//! The hyper function and the attention's softmax are operations on small arrays, which a framework has: the crate
//! `dyrelu-burn` puts both together.
#![forbid(unsafe_code)]
#![allow(
    clippy::extra_unused_type_parameters,
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::used_underscore_binding,
    clippy::wildcard_imports,
    reason = "what `cube` expands to, and functions that take their arguments as it passes them"
)]

mod backward;
mod error;
mod fold;
mod formula;
mod forward;
mod grid;
mod means;
mod operands;
mod recorded;

pub use backward::{Gradients, backward};
pub use cubecl;
pub use error::Error;
pub use forward::forward;
pub use means::{add_gradient_of_means, means};
pub use operands::{Number, Operands, Rows, supports};
