//! Training loss and accuracy over the epochs.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::Result;
use crate::contender::Outcome;
use crate::drawing::{Area, GRID, INK, padded, text};
use crate::run::Run;
use crate::spread::Spread;

const SIZE: (u32, u32) = (1600, 760);
const HEADER: u32 = 130;

/// Distinguishable with every kind of colour vision (Okabe and Ito).
const COLORS: [RGBColor; 6] = [
    RGBColor(80, 80, 80),
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// A curve: the spread over the seeds at each time, in epochs.
type Curve = Vec<(f32, Spread)>;

/// Draws the mean over the seeds as a line, and the standard deviation as a band or a bar.
pub(crate) fn draw(path: &Path, outcomes: &[Outcome]) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (header, body) = root.split_vertically(HEADER);
    legend(&header, outcomes)?;
    let (left, right) = body.split_horizontally(SIZE.0 / 2);
    loss(&left, outcomes)?;
    accuracy(&right, outcomes)?;
    root.present()?;
    Ok(())
}

fn legend(area: &Area<'_>, outcomes: &[Outcome]) -> Result<()> {
    let seeds = outcomes[0].runs.len();
    let title = format!("Learning curves (seeds: {seeds}; line: mean, band and bar: standard deviation)");
    area.draw_text(&title, &text(36, HPos::Center), (SIZE.0.cast_signed() / 2, 38))?;
    for ((x, color), outcome) in (90..).step_by(245).zip(COLORS).zip(outcomes) {
        area.draw(&PathElement::new(
            [(x, 100), (x + 50, 100)],
            color.stroke_width(5),
        ))?;
        area.draw_text(outcome.name, &text(28, HPos::Left), (x + 62, 100))?;
    }
    Ok(())
}

/// The loss at many times of an epoch, which starts high: on a logarithmic axis.
fn loss(area: &Area<'_>, outcomes: &[Outcome]) -> Result<()> {
    let curves: Vec<Curve> = outcomes
        .iter()
        .map(|outcome| curve(&outcome.runs, losses))
        .collect();
    let spreads = || curves.iter().flatten().map(|(_, spread)| spread);
    let lowest = spreads().map(low).fold(f32::INFINITY, f32::min).max(1e-3);
    let highest = spreads().map(high).fold(lowest, f32::max);
    let epochs = outcomes[0].runs[0].epochs.len() as f32;
    let mut chart = ChartBuilder::on(area)
        .margin(24)
        .x_label_area_size(80)
        .y_label_area_size(100)
        .build_cartesian_2d(0.0..epochs, (lowest * 0.95..highest * 1.05).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(24, HPos::Center))
        .axis_desc_style(text(28, HPos::Center))
        .x_desc("epoch")
        .y_desc("training loss")
        .y_label_formatter(&|loss| format!("{loss:.1}"))
        .draw()?;
    for (curve, color) in curves.iter().zip(COLORS) {
        let above = curve.iter().map(|(epoch, spread)| (*epoch, high(spread)));
        let below = curve
            .iter()
            .map(|(epoch, spread)| (*epoch, low(spread).max(lowest)));
        let band: Vec<_> = above.chain(below.rev()).collect();
        chart.draw_series([Polygon::new(band, color.mix(0.1))])?;
    }
    for (curve, color) in curves.iter().zip(COLORS) {
        let line = curve.iter().map(|(epoch, spread)| (*epoch, spread.mean));
        chart.draw_series(LineSeries::new(line, color.stroke_width(3)))?;
    }
    Ok(())
}

/// The accuracy after each epoch, those of the activations side by side.
fn accuracy(area: &Area<'_>, outcomes: &[Outcome]) -> Result<()> {
    let curves: Vec<Curve> = outcomes
        .iter()
        .map(|outcome| curve(&outcome.runs, accuracies))
        .collect();
    let edges = curves
        .iter()
        .flatten()
        .flat_map(|(_, spread)| [low(spread), high(spread)]);
    let epochs = outcomes[0].runs[0].epochs.len();
    let mut chart = ChartBuilder::on(area)
        .margin(24)
        .x_label_area_size(80)
        .y_label_area_size(100)
        .build_cartesian_2d(0.5..epochs as f32 + 0.5, padded(edges))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(24, HPos::Center))
        .axis_desc_style(text(28, HPos::Center))
        .x_labels(epochs.min(10))
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .x_desc("epoch")
        .y_desc("test accuracy, %")
        .draw()?;
    for ((index, curve), color) in curves.iter().enumerate().zip(COLORS) {
        let aside = 0.1 * (index as f32 - (curves.len() - 1) as f32 / 2.0);
        let line = curve.iter().map(|(epoch, spread)| (epoch + aside, spread.mean));
        chart.draw_series(LineSeries::new(line, color.filled().stroke_width(2)).point_size(6))?;
        let bars = curve.iter().map(|(epoch, spread)| {
            let x = epoch + aside;
            PathElement::new([(x, low(spread)), (x, high(spread))], color.stroke_width(3))
        });
        chart.draw_series(bars)?;
    }
    Ok(())
}

/// The spread of what each run gives.
fn curve(runs: &[Run], values: fn(&Run) -> Vec<(f32, f32)>) -> Curve {
    let runs: Vec<_> = runs.iter().map(values).collect();
    let times = runs[0].iter().map(|(time, _)| *time);
    times
        .enumerate()
        .map(|(index, time)| (time, Spread::of(runs.iter().map(|run| run[index].1))))
        .collect()
}

/// The loss in the middle of each part of an epoch.
fn losses(run: &Run) -> Vec<(f32, f32)> {
    let epochs = run.epochs.iter().enumerate();
    let parts = epochs.flat_map(|(epoch, of)| {
        let count = of.losses.len() as f32;
        let parts = of.losses.iter().enumerate();
        parts.map(move |(part, &loss)| (epoch as f32 + (part as f32 + 0.5) / count, loss))
    });
    parts.collect()
}

/// The accuracy at the end of each epoch.
fn accuracies(run: &Run) -> Vec<(f32, f32)> {
    let epochs = run.epochs.iter().enumerate();
    epochs
        .map(|(epoch, of)| ((epoch + 1) as f32, of.accuracy))
        .collect()
}

fn low(spread: &Spread) -> f32 {
    spread.mean - spread.deviation.unwrap_or(0.0)
}

fn high(spread: &Spread) -> f32 {
    spread.mean + spread.deviation.unwrap_or(0.0)
}
