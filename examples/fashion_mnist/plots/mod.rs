//! The pictures.

pub(crate) mod learning_curves;
pub(crate) mod trained_activations;
