//! The picture of scenes, detections and truth.

use std::path::Path;

use candle_core::Tensor;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Result;
use crate::detection::Detection;
use crate::detector::SIDE;
use crate::rectangle::Rectangle as Sides;
use crate::scenes::Scenes;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Pixels of the picture for one of a scene, and around it.
const SCALE: i32 = 5;
const MARGIN: i32 = 24;

/// Shades of grey. The background, which is noise, has the first.
const SHADES: u8 = 8;

const FOUND: RGBColor = RGBColor(230, 159, 0);
const TRUTH: RGBColor = RGBColor(86, 180, 233);

/// Draws the scenes side by side, with what there is in blue, and what was found in orange.
pub(crate) fn draw(path: &Path, scenes: &Scenes, detections: &[Vec<Detection>]) -> Result<()> {
    let side = (i32::from(SIDE) * SCALE + 2 * MARGIN).unsigned_abs();
    let count = detections.len();
    let root = SVGBackend::new(path, (side * u32::try_from(count)?, side)).into_drawing_area();
    root.fill(&WHITE)?;
    for (i, area) in root.split_evenly((1, count)).iter().enumerate() {
        scene(area, &scenes.images.get(i)?.get(0)?)?;
        for garment in &scenes.garments[i] {
            outline(area, garment.place, TRUTH, 1)?;
        }
        for Detection { score, garment } in &detections[i] {
            outline(area, garment.place, FOUND, 2)?;
            let [left, top, ..] = corners(garment.place);
            let label = format!("{} {score:.2}", garment.name());
            area.draw_text(&label, &label_style(), (left, top - 8))?;
        }
    }
    root.present()?;
    Ok(())
}

/// The grey values. Neighbours of the same shade are drawn at once.
fn scene(area: &Area<'_>, image: &Tensor) -> Result<()> {
    let end = MARGIN + i32::from(SIDE) * SCALE;
    area.draw(&Rectangle::new([(MARGIN, MARGIN), (end, end)], BLACK.filled()))?;
    let rows: Vec<Vec<f32>> = image.to_vec2()?;
    let mut top = MARGIN;
    for row in &rows {
        let mut left = MARGIN;
        for run in row.chunk_by(|one, other| shade(*one) == shade(*other)) {
            let right = left + i32::try_from(run.len())? * SCALE;
            let shade = shade(run[0]);
            if shade > 0 {
                let grey = RGBColor(shade, shade, shade).filled();
                area.draw(&Rectangle::new([(left, top), (right, top + SCALE)], grey))?;
            }
            left = right;
        }
        top += SCALE;
    }
    Ok(())
}

/// From 0 to 255, in steps.
fn shade(grey: f32) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "grey values are from 0 to 1"
    )]
    let step = (grey * f32::from(SHADES)) as u8;
    step * (u8::MAX / (SHADES - 1))
}

fn outline(area: &Area<'_>, place: Sides, color: RGBColor, width: u32) -> Result<()> {
    let [left, top, right, bottom] = corners(place);
    let corners = [(left, top), (right, bottom)];
    area.draw(&Rectangle::new(corners, color.stroke_width(width)))?;
    Ok(())
}

/// Left, top, right and bottom in the picture.
fn corners(place: Sides) -> [i32; 4] {
    let scale = f32::from(SIDE) * SCALE as f32;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "boxes are not far outside of the scene"
    )]
    [place.left, place.top, place.right, place.bottom].map(|side| MARGIN + (side * scale).round() as i32)
}

fn label_style() -> TextStyle<'static> {
    let position = Pos::new(HPos::Left, VPos::Center);
    ("sans-serif", 13).into_font().color(&FOUND).pos(position)
}
