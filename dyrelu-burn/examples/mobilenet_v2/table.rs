//! The results as tables.

use crate::contender::Outcome;
use crate::journal::Epoch;
use crate::markdown;
use crate::portrait::Coefficients;
use crate::run::Run;
use crate::spread::Spread;

/// A row for each activation.
pub(crate) fn results(outcomes: &[Outcome]) -> String {
    let header = [
        "activation",
        "parameters",
        "multiply-adds",
        "test accuracy, %",
        "of each seed",
        "training loss",
        "s per epoch",
    ];
    let rows: Vec<_> = outcomes.iter().map(result).collect();
    markdown::table(header, &rows)
}

fn result(Outcome { name, runs }: &Outcome) -> [String; 7] {
    let last = |value: fn(&Epoch) -> f32| runs.iter().filter_map(|run| run.epochs.last()).map(value);
    let accuracies = last(|epoch| epoch.accuracy);
    let seeds: Vec<String> = accuracies
        .clone()
        .map(|accuracy| format!("{accuracy:.2}"))
        .collect();
    let seconds = runs.iter().flat_map(|run| &run.epochs).map(|epoch| epoch.seconds);
    [
        (*name).to_owned(),
        runs[0].parameters.to_string(),
        runs[0].multiply_adds.to_string(),
        format!("{:.2}", Spread::of(accuracies)),
        seeds.join(" "),
        format!("{:.3}", Spread::of(last(|epoch| epoch.loss))),
        format!("{:.1}", Spread::of(seconds).mean),
    ]
}

/// A row for each dynamic activation of each network, with the means over the seeds, and one for all of a network. Empty
/// without dynamic activations.
pub(crate) fn coefficients(outcomes: &[Outcome]) -> String {
    let header = [
        "activation",
        "layer",
        "slope < 0 or > 1, %",
        "intercept beyond ±0.05, %",
        "mean distance of slopes",
    ];
    let rows: Vec<_> = outcomes.iter().flat_map(layers).collect();
    if rows.is_empty() {
        return String::new();
    }
    markdown::table(header, &rows)
}

fn layers(Outcome { name, runs }: &Outcome) -> Vec<[String; 5]> {
    let portraits = &runs[0].portraits;
    let mut rows: Vec<_> = portraits
        .iter()
        .enumerate()
        .map(|(layer, portrait)| {
            let of_layer: Vec<_> = runs.iter().map(|run| run.portraits[layer].coefficients).collect();
            row(name, &portrait.place, &of_layer)
        })
        .collect();
    if !portraits.is_empty() {
        let all = |run: &Run| -> Vec<_> {
            run.portraits
                .iter()
                .map(|portrait| portrait.coefficients)
                .collect()
        };
        let all: Vec<_> = runs.iter().flat_map(all).collect();
        rows.push(row(name, "all", &all));
    }
    rows
}

fn row(name: &str, layer: &str, coefficients: &[Coefficients]) -> [String; 5] {
    let mean = |value: fn(&Coefficients) -> f32| Spread::of(coefficients.iter().map(value)).mean;
    let distances: Vec<f32> = coefficients.iter().filter_map(|layer| layer.distance).collect();
    let distance = match distances[..] {
        [] => "one piece".to_owned(),
        _ => format!("{:.3}", Spread::of(distances.iter().copied()).mean),
    };
    [
        name.to_owned(),
        layer.to_owned(),
        format!("{:.0}", mean(|layer| layer.slope)),
        format!("{:.0}", mean(|layer| layer.intercept)),
        distance,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portrait::Portrait;

    fn run(accuracy: f32, portraits: Vec<Portrait>) -> Run {
        let epoch = |loss, accuracy| Epoch {
            loss,
            losses: Vec::new(),
            accuracy,
            seconds: 1.5,
        };
        Run {
            seed: 0,
            parameters: 2758,
            multiply_adds: 1234,
            epochs: vec![epoch(2.0, 10.0), epoch(0.5, accuracy)],
            portraits,
        }
    }

    fn portrait(place: &str, slope: f32, distance: Option<f32>) -> Portrait {
        Portrait {
            place: place.to_owned(),
            points: Vec::new(),
            coefficients: Coefficients {
                slope,
                intercept: 10.0,
                distance,
            },
        }
    }

    #[test]
    fn results_are_those_of_the_last_epoch() {
        let outcomes = [Outcome {
            name: "ReLU",
            runs: vec![run(80.0, Vec::new()), run(81.0, Vec::new())],
        }];
        assert_eq!(
            results(&outcomes),
            "\
| activation | parameters | multiply-adds | test accuracy, % | of each seed | training loss | s per epoch |
|:-----------|-----------:|--------------:|-----------------:|-------------:|--------------:|------------:|
| ReLU       |       2758 |          1234 |     80.50 ± 0.71 |  80.00 81.00 | 0.500 ± 0.000 |         1.5 |
"
        );
        assert_eq!(coefficients(&outcomes), "");
    }

    #[test]
    fn coefficients_are_means_over_the_seeds() {
        let portraits = |slope| vec![portrait("stem", slope, Some(0.5)), portrait("head", 0.0, None)];
        let outcomes = [Outcome {
            name: "DY",
            runs: vec![run(80.0, portraits(20.0)), run(80.0, portraits(40.0))],
        }];
        assert_eq!(
            coefficients(&outcomes),
            "\
| activation | layer | slope < 0 or > 1, % | intercept beyond ±0.05, % | mean distance of slopes |
|:-----------|------:|--------------------:|--------------------------:|------------------------:|
| DY         |  stem |                  30 |                        10 |                   0.500 |
| DY         |  head |                   0 |                        10 |               one piece |
| DY         |   all |                  15 |                        10 |                   0.500 |
"
        );
    }
}
