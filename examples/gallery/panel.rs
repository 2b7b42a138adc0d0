//! [`Panel`]: the picture of one activation.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Where drawing goes.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The inputs that are shown.
const X: Range<f64> = -3.0..3.0;

/// The values that are shown.
const Y: Range<f64> = -2.2..3.2;

const INK: RGBColor = RGBColor(60, 60, 60);
const GRID: RGBColor = RGBColor(225, 225, 225);
const FUNCTION: RGBColor = RGBColor(0, 114, 178);
const DERIVATIVE: RGBColor = RGBColor(213, 94, 0);

/// An activation for several settings of its coefficients, of which the first is the one it begins with.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) curves: Vec<Curve>,
}

/// A function and its derivative, on the same inputs.
pub(crate) struct Curve {
    points: Vec<[f64; 3]>,
}

impl Curve {
    /// The function whose value and derivative `evaluate` computes.
    pub(crate) fn of(evaluate: impl Fn(f64) -> [f64; 2]) -> Self {
        let steps = 300;
        let point = |i: i32| {
            let x = X.start + (X.end - X.start) * f64::from(i) / f64::from(steps);
            let [y, slope] = evaluate(x);
            [x, y, slope]
        };
        Self {
            points: (0..=steps).map(point).collect(),
        }
    }
}

impl Panel {
    /// Draws the panel: functions in blue, derivatives in orange, the first setting in strong lines.
    pub(crate) fn draw(&self, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let (width, _) = area.dim_in_pixel();
        let middle = width.cast_signed() / 2;
        area.draw_text(&self.title, &text(26), (middle, 24))?;
        area.draw_text(&self.subtitle, &text(17), (middle, 50))?;
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_top(66)
            .x_label_area_size(26)
            .y_label_area_size(34)
            .build_cartesian_2d(X, Y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_labels(7)
            .y_labels(6)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .label_style(text(16))
            .draw()?;
        for (column, color) in [(2, DERIVATIVE), (1, FUNCTION)] {
            for (i, curve) in self.curves.iter().enumerate().rev() {
                let style = if i == 0 {
                    color.stroke_width(3)
                } else {
                    color.mix(0.4).stroke_width(2)
                };
                for run in visible(&curve.points, column) {
                    chart.draw_series(LineSeries::new(run, style))?;
                }
            }
        }
        Ok(())
    }
}

/// The runs of points that lie inside of the panel. A jump ends a run.
fn visible(points: &[[f64; 3]], column: usize) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    let mut last: Option<f64> = None;
    for point in points {
        let (x, y) = (point[0], point[column]);
        let jumps = last.is_some_and(|last| (y - last).abs() > 0.1);
        last = Some(y);
        if jumps || !Y.contains(&y) {
            runs.push(Vec::new());
        }
        if let (true, Some(run)) = (Y.contains(&y), runs.last_mut()) {
            run.push((x, y));
        }
    }
    runs.retain(|run| run.len() > 1);
    runs.iter().map(|run| without_collinear(run)).collect()
}

/// The same line with fewer points: without those on the way from one neighbour to the other.
fn without_collinear(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let bends = |window: &[(f64, f64)]| (window[0].1 + window[2].1 - 2.0 * window[1].1).abs() > 1e-6;
    let inner = run
        .windows(3)
        .filter(|window| bends(window))
        .map(|window| window[1]);
    let ends = [run[0], run[run.len() - 1]];
    ends[..1]
        .iter()
        .copied()
        .chain(inner)
        .chain(ends[1..].iter().copied())
        .collect()
}

fn text(size: u32) -> TextStyle<'static> {
    let position = Pos::new(HPos::Center, VPos::Center);
    ("sans-serif", size).into_font().color(&INK).pos(position)
}
