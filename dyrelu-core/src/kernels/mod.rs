//! The kernels: slices in, slices out, one implementation for every instruction set. None but [`linear::pack`]
//! and [`neighbours::sources`] allocates.
//!
//! In the order in which the data passes: [`pool`] or [`halves`], [`hyper`] (with its parts [`linear`] and [`squash`]),
//! [`coefficients`], in mode C [`attention`], and [`piecewise`] or [`neighbours`]. Each module has a `forward` and a `backward`,
//! and a naive twin of the same name in [`reference`](crate::reference). The arrays are contiguous, the last axis fastest:
//!
//! | name | shape | |
//! |---|---|---|
//! | x, y and their gradients | `[N, C, S]` | S counts the positions of all spatial axes |
//! | pooled | `[N, C]` | |
//! | the means of both halves | `[N, 2·C]` | instead of pooled |
//! | hidden | `[N, H]` | two layers only |
//! | raw, residuals, coefficients | `[N, C or 1, P, K]` | without the P's that are neighbours |
//! | scores, softmax, attention π | `[N, S]` | mode C only |
//!
//! The kernels that read x are in [`channels_last`] once more, for x, y and their gradients of the shape `[N, S, C]`.
//!
//! A kernel takes the [`Level`], the instruction set that it runs on; [`Level::new`] detects the best one, and
//! [`levels`] names all. (Layers take the best one, or the one that [`DYRELU_LEVEL`](crate::LayerBuilder::build) names.)
//! Lengths that do not fit together are a bug of the caller and panic: layers check shapes once, at their
//! public methods.
//!
//! # Reproducibility
//!
//! The same input gives the same bits on the same level. Between levels the last bits differ: sums are split
//! over more or fewer lanes, and AVX2 and above fuse multiplications with additions. For the same reason a partial
//! sum near the largest number may overflow on one level and not on another.

pub mod attention;
pub mod channels_last;
pub mod coefficients;
pub mod halves;
pub mod hyper;
pub(crate) mod level;
pub mod linear;
pub mod neighbours;
pub mod piecewise;
pub mod pool;
pub mod squash;

pub use fearless_simd::Level;
pub use level::levels;
