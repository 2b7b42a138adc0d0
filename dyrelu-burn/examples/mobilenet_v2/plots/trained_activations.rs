//! What the trained dynamic activations do: outputs over inputs, as in Figure 4 of the paper.

use std::collections::BTreeMap;
use std::path::Path;

use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Result;
use crate::contender::Outcome;
use crate::drawing::{Area, GRID, INK, padded, text};
use crate::portrait::Portrait;

const WIDTH: u32 = 1800;
const HEADER: u32 = 110;
const ROW: u32 = 340;

/// Panels in a row.
const PANELS: usize = 6;

/// Cells of a panel in each direction.
const CELLS: f32 = 48.0;

const DENSE: RGBColor = RGBColor(0, 114, 178);

/// Draws a row of panels for each outcome that has dynamic activations: some layers of the network of the first seed, from
/// the first to the last. Nothing if there is none.
pub(crate) fn draw(path: &Path, outcomes: &[Outcome]) -> Result<bool> {
    let dynamic: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !outcome.runs[0].portraits.is_empty())
        .collect();
    if dynamic.is_empty() {
        return Ok(false);
    }
    let height = HEADER + ROW * u32::try_from(dynamic.len())?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    let title = "Trained activations: output over input on test images";
    let middle = WIDTH.cast_signed() / 2;
    header.draw_text(title, &text(36, HPos::Center), (middle, 36))?;
    let subtitle = "All channels and positions; the darker, the more elements. Dashed: ReLU.";
    header.draw_text(subtitle, &text(24, HPos::Center), (middle, 82))?;
    for (row, outcome) in body.split_evenly((dynamic.len(), 1)).iter().zip(dynamic) {
        let portraits = chosen(&outcome.runs[0].portraits);
        for (area, portrait) in row.split_evenly((1, PANELS)).iter().zip(portraits) {
            panel(area, &format!("{}, {}", outcome.name, portrait.place), portrait)?;
        }
    }
    root.present()?;
    Ok(true)
}

/// At most as many as there are panels, with the first and the last one.
fn chosen(portraits: &[Portrait]) -> impl Iterator<Item = &Portrait> {
    let count = portraits.len().min(PANELS);
    let last = portraits.len() - 1;
    (0..count).map(move |panel| &portraits[panel * last / (count - 1).max(1)])
}

fn panel(area: &Area<'_>, title: &str, portrait: &Portrait) -> Result<()> {
    let (width, _) = area.dim_in_pixel();
    area.draw_text(title, &text(20, HPos::Center), (width.cast_signed() / 2 + 20, 20))?;
    let points = &portrait.points;
    let inputs = padded(points.iter().map(|point| point.0));
    let kink = 0.0_f32.clamp(inputs.start, inputs.end);
    let relu = [inputs.start, kink, inputs.end].map(|x| (x, x.max(0.0)));
    let outputs = padded(
        points
            .iter()
            .map(|point| point.1)
            .chain(relu.map(|point| point.1)),
    );
    let cell = (
        (inputs.end - inputs.start) / CELLS,
        (outputs.end - outputs.start) / CELLS,
    );
    let (left, bottom) = (inputs.start, outputs.start);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_top(36)
        .margin_right(20)
        .x_label_area_size(56)
        .y_label_area_size(66)
        .build_cartesian_2d(inputs, outputs)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(18, HPos::Center))
        .axis_desc_style(text(18, HPos::Center))
        .x_desc("input")
        .y_desc("output")
        .x_labels(4)
        .y_labels(4)
        .draw()?;
    let counts = counts(points, (left, bottom), cell);
    let most = counts.values().copied().max().unwrap_or(1);
    let cells = counts.iter().map(|(&(column, row), &count)| {
        let corner = |column: u16, row: u16| {
            (
                left + f32::from(column) * cell.0,
                bottom + f32::from(row) * cell.1,
            )
        };
        let darkness = (1.0 + f64::from(count)).ln() / (1.0 + f64::from(most)).ln();
        let color = DENSE.mix(0.15 + 0.85 * darkness);
        Rectangle::new([corner(column, row), corner(column + 1, row + 1)], color.filled())
    });
    chart.draw_series(cells)?;
    chart.draw_series([DashedPathElement::new(relu, 10, 8, INK.stroke_width(2))])?;
    Ok(())
}

/// How many points lie in each cell that is not empty.
fn counts(points: &[(f32, f32)], (left, bottom): (f32, f32), cell: (f32, f32)) -> BTreeMap<(u16, u16), u32> {
    let mut counts = BTreeMap::new();
    for (x, y) in points {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the axes are padded around the points"
        )]
        let index = (((x - left) / cell.0) as u16, ((y - bottom) / cell.1) as u16);
        *counts.entry(index).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_counted_by_cell() {
        let points = [(0.0, 0.0), (0.1, 0.9), (1.5, 0.2), (1.6, 0.3)];
        let counts = counts(&points, (-0.5, -0.5), (1.0, 1.0));
        assert_eq!(counts, BTreeMap::from([((0, 0), 1), ((0, 1), 1), ((2, 0), 2)]));
    }
}
