//! [`Rectangle`]: a box in a scene.

/// The sides of a box, in sides of the scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rectangle {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Rectangle {
    /// From the four numbers in this order.
    pub(crate) fn of(sides: &[f32]) -> Self {
        let &[left, top, right, bottom] = sides else {
            panic!("a box has four sides, not {}", sides.len());
        };
        Self {
            left,
            top,
            right,
            bottom,
        }
    }

    /// The common area, over that of both together: 1 for the same boxes, 0 for separate ones.
    pub(crate) fn overlap(self, other: Self) -> f32 {
        let common = Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        };
        common.area() / (self.area() + other.area() - common.area())
    }

    fn area(self) -> f32 {
        (self.right - self.left).max(0.0) * (self.bottom - self.top).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_common_part() {
        let square = Rectangle::of(&[0.0, 0.0, 0.5, 0.5]);
        for (sides, expected) in [
            ([0.0, 0.0, 0.5, 0.5], 1.0),
            ([0.25, 0.0, 0.75, 0.5], 1.0 / 3.0),
            ([0.25, 0.25, 0.5, 0.5], 0.25),
            ([0.5, 0.0, 1.0, 0.5], 0.0),
            ([0.75, 0.75, 1.0, 1.0], 0.0),
        ] {
            let other = Rectangle::of(&sides);
            assert!((square.overlap(other) - expected).abs() < 1e-6, "{sides:?}");
            assert!((other.overlap(square) - expected).abs() < 1e-6, "{sides:?}");
        }
    }
}
