//! [`Garment`]: what is to be seen in a scene.

use crate::rectangle::Rectangle;

/// The classes of Fashion-MNIST.
pub(crate) const CLASSES: [&str; 10] = [
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Garment {
    /// An index into [`CLASSES`].
    pub(crate) class: usize,
    pub(crate) place: Rectangle,
}

impl Garment {
    /// Tensors of floats have classes, too.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    pub(crate) fn of(class: f32, place: Rectangle) -> Self {
        Self {
            class: class as usize,
            place,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        CLASSES[self.class]
    }
}
