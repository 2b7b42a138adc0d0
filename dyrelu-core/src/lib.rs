//! The ndarray engine of [dyrelu](https://docs.rs/dyrelu): kernels and layers of dynamic activations.
//!
//! Use the crate `dyrelu`, which re-exports everything here beside the attribute `#[dynamic_activation]`.
//!
//! ```text
//! Piece, DynamicActivation       what the attribute implements
//!          │
//!          ▼
//! Layer<A, T>                    checks shapes, holds the parameters
//!          │
//!          ▼
//! kernels: x → pool → hyper → coefficients (→ attention) → piecewise → y
//!          │
//!          ▼
//! Elementwise on SIMD lanes      the piece's own arithmetic
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "kernels must be inlined into the loop of their instruction set"
)]

mod activation;
mod cost;
mod count;
mod elementwise;
mod error;
mod finiteness;
pub mod kernels;
mod lanes;
mod layer;
mod parallel;
mod piece;
pub mod reference;
mod scalar;

pub use activation::{
    Attention, Coefficient, Combine, Context, DynamicActivation, Hyper, Inner, Neighbour, PerPiece, Sharing,
    Source, Squash,
};
pub use cost::{Cost, CostModel};
pub use elementwise::Elementwise;
pub use error::Error;
pub use kernels::piecewise::Pieces;
pub use layer::{
    Cache, Convention, Declaration, Gradients, Initial, Layer, LayerBuilder, NamedLayer, OutputOrder, Report,
    WithContext,
};
#[doc(hidden)]
pub use layer::{has_external_context, is_normalised, is_static, replace_file, sets};
pub use piece::{Piece, PieceGrad};
pub use safetensors;
pub use scalar::Scalar;
