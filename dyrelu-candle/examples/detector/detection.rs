//! [`Detection`]: what the detector sees somewhere.

use candle_nn::ops::sigmoid;

use crate::Result;
use crate::detector::Output;
use crate::garment::Garment;
use crate::rectangle::Rectangle;

/// The least score of a detection.
const LEAST_SCORE: f32 = 0.5;

/// Boxes that overlap as much as this show the same garment.
const SAME: f32 = 0.5;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Detection {
    /// From 0 to 1.
    pub(crate) score: f32,
    pub(crate) garment: Garment,
}

impl Detection {
    /// The detections in each scene, the surest first.
    pub(crate) fn in_scenes(output: &Output) -> Result<Vec<Vec<Self>>> {
        let scores = sigmoid(&output.logits)?.to_vec3()?;
        let boxes = output.boxes.to_vec3()?;
        let scenes = scores.iter().zip(&boxes);
        Ok(scenes
            .map(|(scores, boxes)| Self::in_scene(scores, boxes))
            .collect())
    }

    /// The detections in a scene, for the scores and the box of each position.
    fn in_scene(scores: &[Vec<f32>], boxes: &[Vec<f32>]) -> Vec<Self> {
        let positions = scores.iter().zip(boxes);
        let mut candidates: Vec<_> = positions
            .map(|(scores, sides)| Self::at_position(scores, sides))
            .filter(|candidate| candidate.score >= LEAST_SCORE)
            .collect();
        candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
        let mut found: Vec<Self> = Vec::new();
        for candidate in candidates {
            if found.iter().all(|better| !better.shows_the_same_as(candidate)) {
                found.push(candidate);
            }
        }
        found
    }

    /// The best class of a position.
    fn at_position(scores: &[f32], sides: &[f32]) -> Self {
        let best = scores
            .iter()
            .copied()
            .enumerate()
            .max_by(|one, other| one.1.total_cmp(&other.1));
        let (class, score) = best.expect("there are classes");
        let place = Rectangle::of(sides);
        Self {
            score,
            garment: Garment { class, place },
        }
    }

    fn shows_the_same_as(self, other: Self) -> bool {
        self.garment.place.overlap(other.garment.place) >= SAME
    }
}
