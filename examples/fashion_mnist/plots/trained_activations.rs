//! What the trained activations do.

use std::path::Path;

use ndarray::{ArrayRef2, ArrayView2, Axis};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Result;
use crate::dataset::{CLASSES, SIDE, Split};
use crate::drawing::{Area, GRID, INK, padded, text};
use crate::response::Response;
use crate::training::Outcome;

const WIDTH: u32 = 1600;
const HEADER: u32 = 320;
const ROW: u32 = 360;

/// How many images are shown.
pub(crate) const EXHIBITS: usize = 6;

/// For images from dark to bright (the colour map "viridis").
const COLORS: [RGBColor; EXHIBITS] = [
    RGBColor(68, 1, 84),
    RGBColor(65, 68, 135),
    RGBColor(42, 120, 142),
    RGBColor(34, 168, 132),
    RGBColor(122, 209, 81),
    RGBColor(235, 200, 20),
];

/// Pixels of an image that one square of its thumbnail averages, in each direction.
const COARSENESS: usize = 2;
/// The size of that square.
const SQUARE: i32 = 8;
/// Steps from black to white in a thumbnail.
const SHADES: f32 = 6.0;

/// Draws a row of panels for each outcome, one for each activation of the network of the first seed.
pub(crate) fn draw(path: &Path, outcomes: &[Outcome], exhibits: &Split) -> Result<()> {
    let height = HEADER + ROW * u32::try_from(outcomes.len())?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    legend(&header, exhibits)?;
    for (row, outcome) in body.split_evenly((outcomes.len(), 1)).iter().zip(outcomes) {
        let responses = &outcome.runs[0].responses;
        for ((layer, response), area) in (1..).zip(responses).zip(row.split_evenly((1, responses.len()))) {
            let title = format!("{}, layer {layer}, channel {}", outcome.name, response.channel);
            panel(&area, &title, response)?;
        }
    }
    root.present()?;
    Ok(())
}

fn panel(area: &Area<'_>, title: &str, response: &Response) -> Result<()> {
    let (width, _) = area.dim_in_pixel();
    area.draw_text(title, &text(24, HPos::Center), (width.cast_signed() / 2 + 24, 22))?;
    let points = response.curves.iter().flatten();
    let inputs = padded(points.clone().map(|point| point.0));
    let kink = 0.0_f32.clamp(inputs.start, inputs.end);
    let relu = [inputs.start, kink, inputs.end].map(|x| (x, x.max(0.0)));
    let outputs = padded(points.map(|point| point.1).chain(relu.map(|point| point.1)));
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_top(38)
        .margin_right(26)
        .x_label_area_size(62)
        .y_label_area_size(78)
        .build_cartesian_2d(inputs, outputs)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(20, HPos::Center))
        .axis_desc_style(text(20, HPos::Center))
        .x_desc("input")
        .y_desc("output")
        .x_labels(4)
        .y_labels(4)
        .draw()?;
    for (curve, color) in response.curves.iter().zip(COLORS) {
        chart.draw_series(LineSeries::new(curve.iter().copied(), color.stroke_width(4)))?;
    }
    chart.draw_series([DashedPathElement::new(relu, 24, 16, INK.stroke_width(2))])?;
    Ok(())
}

/// The images with their colours.
fn legend(area: &Area<'_>, exhibits: &Split) -> Result<()> {
    let middle = WIDTH.cast_signed() / 2;
    let title = "Trained activations: output over input for six test images, from dark to bright";
    area.draw_text(title, &text(36, HPos::Center), (middle, 36))?;
    let subtitle = "The channel of each layer that differs most between the images. Dashed: ReLU. \
                    DY-ReLU-C: at the position with the most attention.";
    area.draw_text(subtitle, &text(24, HPos::Center), (middle, 82))?;
    let side = SQUARE * i32::try_from(SIDE / COARSENESS)?;
    let (top, bottom) = (130, 130 + side);
    let images = exhibits.images.outer_iter().zip(&exhibits.labels).zip(COLORS);
    for (left, ((image, label), color)) in (204..).step_by(216).zip(images) {
        let frame = [(left - 8, top - 8), (left + side + 8, bottom + 8)];
        area.draw(&Rectangle::new(frame, color.filled()))?;
        thumbnail(area, &image.index_axis(Axis(0), 0), (left, top))?;
        let name = CLASSES[usize::from(*label)];
        area.draw_text(name, &text(26, HPos::Center), (left + side / 2, bottom + 32))?;
    }
    Ok(())
}

/// Draws an image in squares, those of the same shade side by side in one rectangle.
fn thumbnail(area: &Area<'_>, image: &ArrayRef2<f32>, (left, top): (i32, i32)) -> Result<()> {
    let shade = |pixels: ArrayView2<'_, f32>| {
        let brightness = pixels.sum() / pixels.len() as f32 / 2.0 + 0.5;
        (brightness * SHADES).round() / SHADES
    };
    let shades: Vec<f32> = image
        .exact_chunks((COARSENESS, COARSENESS))
        .into_iter()
        .map(shade)
        .collect();
    for (y, row) in (top..)
        .step_by(SQUARE as usize)
        .zip(shades.chunks(SIDE / COARSENESS))
    {
        let mut x = left;
        for run in row.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
            let end = x + SQUARE * i32::try_from(run.len())?;
            let grey = HSLColor(0.0, 0.0, run[0].into());
            area.draw(&Rectangle::new([(x, y), (end, y + SQUARE)], grey.filled()))?;
            x = end;
        }
    }
    Ok(())
}
