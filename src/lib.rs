//! dyrelu
pub use dyrelu_core::*;
pub use dyrelu_macros::dynamic_activation;
