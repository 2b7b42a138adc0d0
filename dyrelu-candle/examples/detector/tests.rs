//! Tests of the detector: against PyTorch.

use candle_core::Tensor;

use crate::detection::Detection;
use crate::detector::Detector;
use crate::rectangle::Rectangle;
use crate::scenes::Scenes;
use crate::{LIMIT, load};

fn loaded() -> (Detector, Scenes) {
    load().unwrap()
}

#[test]
fn all_stages_are_those_of_pytorch() {
    let (detector, scenes) = loaded();
    let stages = detector.forward(&scenes.images).unwrap().stages;
    let names: Vec<_> = stages.iter().map(|stage| stage.name.as_str()).collect();
    let levels =
        ["backbone", "dyhead_tower.0", "dyhead_tower.1"].map(|name| [0, 1, 2].map(|i| format!("{name}.{i}")));
    let mut expected = levels.concat();
    expected.extend(["logits", "boxes"].map(str::to_owned));
    assert_eq!(names, expected);
    for stage in &stages {
        let difference = scenes.compare(stage).unwrap();
        assert!(
            difference.largest <= LIMIT,
            "{}: {}",
            stage.name,
            difference.largest
        );
    }
}

#[test]
fn detections_are_those_of_pytorch() {
    let (detector, scenes) = loaded();
    let output = detector.forward(&scenes.images).unwrap();
    for (i, found) in Detection::in_scenes(&output).unwrap().iter().enumerate() {
        let expected: Vec<Vec<f32>> = scenes
            .expected(&format!("detections.{i}"))
            .unwrap()
            .to_vec2()
            .unwrap();
        assert_eq!(found.len(), expected.len(), "scene {i}");
        for (found, row) in found.iter().zip(&expected) {
            let [class, score, ref sides @ ..] = row[..] else {
                panic!("{row:?}")
            };
            assert!((found.garment.class as f32 - class).abs() < 0.5);
            assert!((found.score - score).abs() < LIMIT);
            assert!(found.garment.place.overlap(Rectangle::of(sides)) > 0.9999);
        }
    }
}

#[test]
fn a_scene_is_seen_as_it_is_in_a_batch() {
    let (detector, scenes) = loaded();
    let together = detector.forward(&scenes.images).unwrap();
    let alone = detector.forward(&scenes.images.narrow(0, 1, 1).unwrap()).unwrap();
    let difference = (together.logits.narrow(0, 1, 1).unwrap() - alone.logits).unwrap();
    let largest: f32 = Tensor::abs(&difference)
        .unwrap()
        .max_all()
        .unwrap()
        .to_scalar()
        .unwrap();
    assert!(largest < LIMIT, "{largest}");
}
