//! Dynamic activations: layers whose activation function is computed from their own input.
//!
//! The starting point is Dynamic ReLU (Chen et al., ECCV 2020): y = max over k of aᵏ(x)·x + bᵏ(x), where a
//! small network computes the slopes and intercepts from x. You describe an activation by an attribute, the
//! attribute derives its gradient and writes a specialised implementation, and a [`Layer`] has the parameters:
//!
//! ```
//! use dyrelu::dynamic_activation;
//! use ndarray::Array4;
//!
//! /// DY-ReLU-B: two pieces a·x + b for each sample and channel.
//! #[dynamic_activation(k = 2, share = "spatial")]
//! pub struct DyReluB;
//!
//! /// A formula of your own; its derivatives come by themselves.
//! #[dynamic_activation(
//!     k = 1, share = "spatial", piece = |x, a, b| a * x * sigmoid(b * x), init(a = 1.0, b = 1.0)
//! )]
//! pub struct DynamicSwish;
//!
//! let mut act = DyReluB::layer::<f32>(64).reduction(8).seed(7).build()?;
//! let x = Array4::<f32>::ones((2, 64, 14, 14)); // [N, C, H, W], or any other rank from 2
//! let (y, cache) = act.forward_train(&x)?;
//!
//! let grad_y = y; // of the loss Σ y² / 2
//! let grads = act.backward(&x, &cache, &grad_y)?;
//! for ((_, mut parameter), (_, grad)) in act.parameters_mut().zip(grads.parameters()) {
//!     parameter.scaled_add(-0.01, &grad);
//! }
//! # Ok::<(), dyrelu::Error>(())
//! ```
//!
//! # Where to look
//!
//! | you want to | see |
//! |---|---|
//! | use a published activation, or begin with one | [`gallery`] |
//! | describe an activation: all arguments, the grammar of a formula | [`dynamic_activation`] |
//! | apply, train, save a layer; shapes, ties, special numbers | [`Layer`] |
//! | set the options of a layer | [`LayerBuilder`] |
//! | look at the coefficients | [`Cache`] |
//! | let coefficients follow from another array | [`Layer::with_context`] |
//! | load weights of other implementations | [`Convention`], [`Report`] |
//! | count parameters and multiply-adds | [`LayerBuilder::cost`] |
//! | run a formula on a type of your own | [`Elementwise`], [`Piece`] |
//! | describe an activation without the attribute | [`DynamicActivation`] |
//! | use the kernels on slices | [`kernels`], [`mod@reference`] |
#![forbid(unsafe_code)]

// The gallery is written as users write: generated code names `::dyrelu`.
extern crate self as dyrelu;

pub mod gallery;

pub use dyrelu_core::{
    Attention, Cache, Coefficient, Combine, Context, Convention, Cost, CostModel, DynamicActivation,
    Elementwise, Error, Gradients, Hyper, Inner, Layer, LayerBuilder, NamedLayer, Neighbour, OutputOrder,
    PerPiece, Piece, PieceGrad, Pieces, Report, Scalar, Sharing, Source, Squash, WithContext, kernels,
    reference, safetensors,
};
pub use dyrelu_macros::dynamic_activation;

/// The examples of the documents are tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../dyrelu-macros/docs/dynamic_activation.md")]
    struct Attribute;

    #[doc = include_str!("../docs/writing_an_activation.md")]
    struct Guide;
}
