//! Shows what an attribute describes: formula, gradient, coefficients, cost, and a plot.
//!
//! ```console
//! cargo run --example inspect -- 'k = 2, share = "spatial"'
//! cargo run --example inspect -- 'k = 1, share = "spatial", piece = |x, b| x * sigmoid(b * x), init(b = 1.0)' --channels 96
//! ```

#[path = "../gallery/panel.rs"]
mod panel;

use clap::Parser;
use dyrelu::{Attention, Context, CostModel, Hyper, Inner, Sharing};
use dyrelu_codegen::{Activation, Coefficient, Mistake, Source};
use panel::{Curve, Panel};
use plotters::prelude::*;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shows what an attribute describes.
#[derive(Parser)]
struct Options {
    /// The text of the attribute, with or without `#[dynamic_activation(` and `)]`.
    attribute: String,
    /// The channels of a layer whose cost is shown.
    #[arg(long, default_value_t = 64)]
    channels: usize,
    /// Its input is a map of this width and height.
    #[arg(long, default_value_t = 56)]
    side: usize,
    /// Channels per hidden unit.
    #[arg(long, default_value_t = 4)]
    reduction: usize,
    /// Where the plot goes.
    #[arg(long, default_value = "target/inspect.svg")]
    output: PathBuf,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let options = Options::parse();
    let text = arguments(&options.attribute);
    let activation = match dyrelu_codegen::inspect(text) {
        Ok(activation) => activation,
        Err(mistakes) => {
            for mistake in &mistakes {
                show_mistake(text, mistake);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    show_formula(&activation);
    show_coefficients(&activation);
    show_cost(&activation, &options);
    if let Some(directory) = options.output.parent() {
        std::fs::create_dir_all(directory)?;
    }
    plot(&activation, &options)?;
    println!("\nplot: {}", options.output.display());
    Ok(ExitCode::SUCCESS)
}

/// What stands between the parentheses of the attribute, if there is more around it: a path, an item after it.
fn arguments(text: &str) -> &str {
    let inside = text
        .split_once("dynamic_activation(")
        .and_then(|(_, rest)| rest.rsplit_once(")]"));
    inside.map_or(text, |(arguments, _)| arguments).trim()
}

/// The message, and the line with the mistake underlined, as the compiler shows it.
fn show_mistake(text: &str, mistake: &Mistake) {
    eprintln!("error: {}", mistake.message);
    if let Some(line) = text.lines().nth(mistake.line - 1) {
        let end = if mistake.end_line == mistake.line {
            mistake.end_column
        } else {
            line.chars().count() + 1
        };
        let width = end.saturating_sub(mistake.column).max(1);
        eprintln!(
            "  | {line}\n  | {}{}\n",
            " ".repeat(mistake.column - 1),
            "^".repeat(width)
        );
    }
}

fn show_formula(activation: &Activation) {
    let Activation {
        k,
        combine,
        share,
        input,
        ..
    } = activation;
    for definition in &activation.definitions {
        println!("{definition}");
    }
    match k {
        1 => println!("y = {}", activation.formula),
        _ => println!("y = {combine} of {k} pieces {}", activation.formula),
    }
    for neighbour in &activation.neighbours {
        println!(
            "    where {} is {input} {} groups and {} channels further",
            neighbour.name, neighbour.groups, neighbour.channels
        );
    }
    for derivative in &activation.derivatives {
        println!("∂/∂{} = {}", derivative.by, derivative.formula);
    }
    println!("\nshare = {share:?}");
    if let Some(hyper) = activation.hyper {
        let between = match hyper.layers {
            2 => format!(", {} between them", hyper.inner),
            _ => String::new(),
        };
        println!(
            "hyper function: {}, {} layers{between}",
            hyper.context, hyper.layers
        );
    }
    if let Some(attention) = activation.attention {
        println!(
            "attention: {attention}, times the {}",
            if activation.homogeneous {
                "output"
            } else {
                "coefficients"
            }
        );
    }
}

fn show_coefficients(activation: &Activation) {
    if activation.coefficients.is_empty() {
        return println!("no coefficients");
    }
    println!(
        "
coefficient  source               init                 lambda               squash"
    );
    for Coefficient { name, init, source } in &activation.coefficients {
        let (kind, lambda, squash) = match source {
            Source::Dynamic { lambda, squash } => ("dynamic", format!("{lambda:?}"), *squash),
            Source::Learned { shared: true } => ("learned, one for all", String::new(), ""),
            Source::Learned { shared: false } => ("learned", String::new(), ""),
        };
        println!(
            "{name:<12} {kind:<20} {:<20} {lambda:<20} {squash}",
            format!("{init:?}")
        );
    }
}

fn show_cost(activation: &Activation, options: &Options) {
    let learned = |wanted: bool| {
        let kinds = activation
            .coefficients
            .iter()
            .map(|coefficient| &coefficient.source);
        kinds
            .filter(|source| matches!(source, Source::Learned { shared } if *shared == wanted))
            .count()
    };
    let (channels, positions) = (options.channels, options.side * options.side);
    let hyper = activation.hyper.map_or(Hyper::PAPER, |hyper| Hyper {
        context: match hyper.context {
            "pooled halves" => Context::PooledHalves,
            "external" => Context::External,
            _ => Context::Pooled,
        },
        layers: hyper.layers,
        inner: if hyper.inner == "none" {
            Inner::Identity
        } else {
            Inner::Relu
        },
    });
    let model = CostModel {
        sharing: match activation.share {
            "spatial+channel" => Sharing::SpatialAndChannel,
            "none" => Sharing::Unshared,
            _ => Sharing::Spatial,
        },
        pieces: activation.k,
        dynamic: activation.coefficients.len() - learned(true) - learned(false),
        learned: learned(false),
        learned_shared: learned(true),
        hyper,
        attention: match activation.attention {
            Some("normalised") => Attention::Normalised,
            _ => Attention::Softmax,
        },
        homogeneous: activation.homogeneous,
        multiplications: activation.multiplications(),
    };
    let hidden = (channels / options.reduction.max(1)).max(1);
    let Some(cost) = model.cost(channels, positions, hidden, channels) else {
        return println!("\nthe cost is too large to be counted");
    };
    let units = match activation.hyper {
        Some(hyper) if hyper.layers == 2 => format!(", {hidden} hidden units"),
        _ => String::new(),
    };
    println!(
        "\nfor {channels} channels of {side}×{side}{units}:",
        side = options.side
    );
    println!("{:>12} parameters", cost.parameters);
    println!("{:>12} multiply-adds in the pieces", cost.pieces);
    println!("{:>12} in the hyper function", cost.hyper);
    println!("{:>12} in the attention", cost.attention);
}

/// The function as it begins, and where its coefficients move by a third of what they can.
fn plot(activation: &Activation, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let moved = |by: f64| {
        Curve::of(|x| {
            let values = (0..activation.k).map(|k| {
                let mut arguments: Vec<f64> = activation
                    .coefficients
                    .iter()
                    .map(|Coefficient { init, source, .. }| match source {
                        Source::Dynamic { lambda, .. } => init[k] + by * lambda[k],
                        Source::Learned { .. } => init[k] + by,
                    })
                    .collect();
                arguments.resize(arguments.len() + activation.neighbours.len(), 0.0);
                [
                    activation.value(x, &arguments),
                    activation.gradient(x, &arguments)[0],
                ]
            });
            let combined = values.reduce(|best, new| match activation.combine {
                "sum" => [best[0] + new[0], best[1] + new[1]],
                "min" if new[0] < best[0] => new,
                "max" if new[0] > best[0] => new,
                _ => best,
            });
            combined.unwrap_or([0.0; 2])
        })
    };
    let panel = Panel {
        title: activation.formula.chars().take(60).collect(),
        subtitle: "the function (blue) and its derivative (orange), as it begins and with other coefficients"
            .to_owned(),
        curves: [0.0, -0.33, 0.33].map(moved).into(),
    };
    let root = SVGBackend::new(&options.output, (900, 700)).into_drawing_area();
    root.fill(&WHITE)?;
    panel.draw(&root)?;
    root.present()?;
    Ok(())
}
