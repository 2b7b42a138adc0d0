//! What all pictures have in common. They are SVG: viewers bring the fonts, so none are needed here.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(crate) const INK: RGBColor = RGBColor(51, 51, 51);
pub(crate) const GRID: RGBColor = RGBColor(229, 229, 229);

/// Text of this size with its anchor here.
pub(crate) fn text(size: i32, horizontal: HPos) -> TextStyle<'static> {
    let anchor = Pos::new(horizontal, VPos::Center);
    TextStyle::from(("sans-serif", size)).pos(anchor).color(&INK)
}

/// The range of some values, with a little space on both sides.
pub(crate) fn padded(values: impl Iterator<Item = f32> + Clone) -> Range<f32> {
    let smallest = values.clone().fold(f32::INFINITY, f32::min);
    let largest = values.fold(f32::NEG_INFINITY, f32::max);
    let space = 0.04 * (largest - smallest).max(0.1);
    smallest - space..largest + space
}
