//! [`LayerConfig`]: the options of a layer.

use burn::config::Config;

/// The options of a [`Layer`](crate::Layer).
#[derive(Config, Debug)]
pub struct LayerConfig {
    /// C, the number of channels of the inputs.
    pub channels: usize,
    /// C divided by the number of hidden units of the hyper function. The paper uses 8.
    #[config(default = 4)]
    pub reduction: usize,
    /// The least number of hidden units that a reduction gives.
    #[config(default = 1)]
    pub at_least: usize,
}
