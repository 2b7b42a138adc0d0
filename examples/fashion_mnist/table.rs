//! The result as a table.

use crate::markdown;
use crate::spread::Spread;
use crate::training::{Epoch, Outcome};

const COLUMNS: [&str; 5] = [
    "activation",
    "test accuracy, %",
    "training loss",
    "parameters",
    "training, s",
];

/// A row for each outcome, below a header.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    markdown::table(COLUMNS, &rows)
}

fn row(Outcome { name, runs }: &Outcome) -> [String; COLUMNS.len()] {
    let last =
        |value: fn(&Epoch) -> f32| Spread::of(runs.iter().filter_map(|run| run.epochs.last()).map(value));
    let seconds = Spread::of(runs.iter().map(|run| run.duration.as_secs_f32()));
    [
        (*name).to_owned(),
        format!("{:.1}", last(|epoch| epoch.accuracy)),
        format!("{:.3}", last(|epoch| epoch.loss)),
        runs[0].parameters.to_string(),
        format!("{:.1}", seconds.mean),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::Run;
    use std::time::Duration;

    fn run(loss: f32, accuracy: f32) -> Run {
        let epochs = vec![
            Epoch {
                loss: 2.0,
                accuracy: 10.0,
            },
            Epoch { loss, accuracy },
        ];
        Run {
            epochs,
            parameters: 6236,
            duration: Duration::from_millis(1500),
            responses: Vec::new(),
        }
    }

    #[test]
    fn columns_are_aligned() {
        let outcomes = [
            Outcome {
                name: "ReLU",
                runs: vec![run(0.4, 80.0), run(0.5, 81.0)],
            },
            Outcome {
                name: "DY-ReLU-A",
                runs: vec![run(0.25, 100.0)],
            },
        ];
        assert_eq!(
            table(&outcomes),
            "\
| activation | test accuracy, % | training loss | parameters | training, s |
|:-----------|-----------------:|--------------:|-----------:|------------:|
| ReLU       |       80.5 ± 0.7 | 0.450 ± 0.071 |       6236 |         1.5 |
| DY-ReLU-A  |            100.0 |         0.250 |       6236 |         1.5 |
"
        );
    }
}
