//! Tables of the results.

use crate::detection::Detection;
use crate::detector::SIDE;
use crate::garment::Garment;
use crate::markdown;
use crate::rectangle::Rectangle;
use crate::scenes::Difference;

/// A row for each stage of the network.
pub(crate) fn differences(differences: &[Difference]) -> String {
    let rows: Vec<_> = differences
        .iter()
        .map(|difference| {
            [
                difference.stage.clone(),
                format!("{:?}", difference.shape),
                format!("{:.2}", difference.scale),
                format!("{:.1e}", difference.largest),
            ]
        })
        .collect();
    markdown::table(
        ["stage", "shape", "largest value", "largest difference to PyTorch"],
        &rows,
    )
}

/// A row for each detection in a scene, beside the garment that it overlaps most, if it does.
pub(crate) fn detections(detections: &[Detection], garments: &[Garment]) -> String {
    let rows: Vec<_> = detections
        .iter()
        .map(|Detection { score, garment }| {
            let truth = garments
                .iter()
                .map(|truth| (truth, truth.place.overlap(garment.place)))
                .filter(|&(_, overlap)| overlap > 0.0)
                .max_by(|one, other| one.1.total_cmp(&other.1));
            [
                garment.name().to_owned(),
                format!("{score:.2}"),
                pixels(garment.place),
                truth.map_or_else(String::new, |(truth, _)| truth.name().to_owned()),
                truth.map_or_else(String::new, |(truth, _)| pixels(truth.place)),
                truth.map_or_else(String::new, |(_, overlap)| format!("{overlap:.2}")),
            ]
        })
        .collect();
    markdown::table(
        ["detection", "score", "box, pixels", "truth", "its box", "overlap"],
        &rows,
    )
}

fn pixels(place: Rectangle) -> String {
    let sides = [place.left, place.top, place.right, place.bottom];
    let [left, top, right, bottom] = sides.map(|side| side * f32::from(SIDE));
    format!("{left:.0} {top:.0} {right:.0} {bottom:.0}")
}
