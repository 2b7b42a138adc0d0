//! Accuracy and loss over the epochs.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Result;
use crate::drawing::{Area, GRID, INK, padded, text};
use crate::spread::Spread;
use crate::training::{Epoch, Outcome};

const SIZE: (u32, u32) = (1600, 760);
const HEADER: u32 = 130;

/// Distinguishable with every kind of colour vision (Okabe and Ito).
const COLORS: [RGBColor; 5] = [
    RGBColor(80, 80, 80),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Draws the mean over the seeds as a line and the standard deviation as a band.
pub(crate) fn draw(path: &Path, outcomes: &[Outcome]) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    legend(&header, outcomes)?;
    let (left, right) = body.split_horizontally(SIZE.0 / 2);
    panel(&left, "test accuracy, %", outcomes, |epoch| epoch.accuracy)?;
    panel(&right, "training loss", outcomes, |epoch| epoch.loss)?;
    root.present()?;
    Ok(())
}

fn legend(area: &Area<'_>, outcomes: &[Outcome]) -> Result<()> {
    let seeds = outcomes[0].runs.len();
    let title = format!("Learning curves (seeds: {seeds}; line: mean, band: standard deviation)");
    area.draw_text(&title, &text(36, HPos::Center), (SIZE.0.cast_signed() / 2, 38))?;
    for ((x, color), outcome) in (140..).step_by(290).zip(COLORS.iter().cycle()).zip(outcomes) {
        area.draw(&PathElement::new(
            [(x, 100), (x + 60, 100)],
            color.stroke_width(5),
        ))?;
        area.draw_text(outcome.name, &text(28, HPos::Left), (x + 74, 100))?;
    }
    Ok(())
}

fn panel(area: &Area<'_>, name: &str, outcomes: &[Outcome], value: fn(&Epoch) -> f32) -> Result<()> {
    let epochs = outcomes[0].runs[0].epochs.len();
    let curves: Vec<Vec<(usize, Spread)>> = outcomes.iter().map(|outcome| curve(outcome, value)).collect();
    let edges = curves
        .iter()
        .flatten()
        .flat_map(|(_, spread)| [low(spread), high(spread)]);
    let mut chart = ChartBuilder::on(area)
        .margin(24)
        .x_label_area_size(80)
        .y_label_area_size(100)
        .build_cartesian_2d(1..epochs.max(2), padded(edges))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(24, HPos::Center))
        .axis_desc_style(text(28, HPos::Center))
        .x_desc("epoch")
        .y_desc(name)
        .draw()?;
    for (curve, color) in curves.iter().zip(COLORS.iter().cycle()) {
        let above = curve.iter().map(|(epoch, spread)| (*epoch, high(spread)));
        let below = curve.iter().map(|(epoch, spread)| (*epoch, low(spread)));
        let band: Vec<_> = above.chain(below.rev()).collect();
        chart.draw_series([Polygon::new(band, color.mix(0.13))])?;
    }
    for (curve, color) in curves.iter().zip(COLORS.iter().cycle()) {
        let line = curve.iter().map(|(epoch, spread)| (*epoch, spread.mean));
        chart.draw_series(LineSeries::new(line, color.filled().stroke_width(4)).point_size(5))?;
    }
    Ok(())
}

/// The number of each epoch, from 1, with the spread of its value over the seeds.
fn curve(outcome: &Outcome, value: fn(&Epoch) -> f32) -> Vec<(usize, Spread)> {
    let epochs = 0..outcome.runs[0].epochs.len();
    let spread = |epoch: usize| Spread::of(outcome.runs.iter().map(|run| value(&run.epochs[epoch])));
    epochs.map(|epoch| (epoch + 1, spread(epoch))).collect()
}

fn low(spread: &Spread) -> f32 {
    spread.mean - spread.deviation.unwrap_or(0.0)
}

fn high(spread: &Spread) -> f32 {
    spread.mean + spread.deviation.unwrap_or(0.0)
}
