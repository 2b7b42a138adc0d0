//! The contact sheet of the gallery: each activation and its derivative, for five settings of its coefficients.
//!
//! ```console
//! cargo run --release --example gallery [FILE]
//! ```

mod panel;

use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::kernels::piecewise::PieceSet;
use dyrelu::{Coefficient, Combine, DynamicActivation, Piece, Sharing, Source, Squash};
use panel::{Curve, Panel};
use plotters::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const COLUMNS: usize = 6;
const ROWS: usize = 4;
const SIZE: (u32, u32) = (1920, 1400);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "docs/pictures/gallery.svg".to_owned());
    let panels = [
        panel::<DyReluA, 2>("one pair of lines per sample"),
        panel::<DyReluB, 2>("one pair of lines per channel"),
        panel::<DyReluC, 2>("times a spatial attention"),
        panel::<OneDynamicPiece, 2>("one line and zero"),
        panel::<DyHead, 2>("hard sigmoid"),
        panel::<DyHeadBetween, 2>("lines from another array"),
        panel::<DyReluNormalised, 2>("attention of normalised scores"),
        panel::<DyShiftMax, 3>("and the channel of the next group"),
        panel::<DyShiftMaxMicroNet, 3>("and the next channel there"),
        panel::<SqueezeExcite, 1>("one slope in (0, 1)"),
        panel::<ApRelu, 1>("slope below zero in (0, 1)"),
        panel::<DynamicSwish, 1>("Swish with dynamic β"),
        panel::<MetaAcon, 3>("ACON-C with dynamic β"),
        panel::<AconC, 3>("smooth maximum of two lines"),
        panel::<LeakyRelu, 0>("fixed slope"),
        panel::<PRelu, 1>("learned slope"),
        panel::<Maxout, 2>("learned lines"),
        panel::<Apl, 4>("learned hinges"),
        panel::<SRelu, 4>("learned thresholds"),
        panel::<Plu, 0>("fixed"),
        panel::<Pwlu, 7>("learned heights"),
        panel::<ARelu, 2>("two numbers per layer"),
        panel::<DyT, 3>("scaled tanh"),
        panel::<HardSwish, 0>("fixed"),
    ];
    let root = SVGBackend::new(&path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((ROWS, COLUMNS)).iter().zip(&panels) {
        panel.draw(area)?;
    }
    root.present()?;
    println!("{} activations: {path}", panels.len());
    Ok(())
}

/// An activation as it begins, and for four random settings.
fn panel<A: DynamicActivation + Piece<P>, const P: usize>(subtitle: &str) -> Panel {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    Panel {
        title: A::NAME.to_owned(),
        subtitle: subtitle.to_owned(),
        curves: (0..5)
            .map(|setting| curve::<A, P>(setting != 0, &mut rng))
            .collect(),
    }
}

/// The function for one set of arguments. An activation without coefficients is the same for all.
fn curve<A: DynamicActivation + Piece<P>, const P: usize>(random: bool, rng: &mut ChaCha8Rng) -> Curve {
    let pieces = <A::Pieces as PieceSet<A>>::K;
    // Where the attention is lower, so are the coefficients; the mean of it is 1/3.
    let attention = match (A::SHARING, random) {
        (Sharing::Unshared, true) => rng.random_range(0.1..1.0),
        (Sharing::Unshared, false) => 1.0 / 3.0,
        _ => 1.0,
    };
    let mut sets = vec![[0.0; P]; pieces];
    for (p, coefficient) in A::COEFFICIENTS.iter().enumerate() {
        for (k, set) in sets.iter_mut().enumerate() {
            set[p] = attention * value(coefficient, k, random, rng);
        }
    }
    for p in A::COEFFICIENTS.len()..P {
        let neighbour = if random { rng.random_range(-1.5..1.5) } else { 0.0 };
        for set in &mut sets {
            set[p] = neighbour;
        }
    }
    Curve::of(|x| {
        let values = sets.iter().map(|&set| [A::value(x, set), A::grad(x, set).x]);
        let best = values.reduce(|best, new| match A::COMBINE {
            Combine::Max if new[0] > best[0] => new,
            Combine::Min if new[0] < best[0] => new,
            Combine::Max | Combine::Min => best,
            Combine::Sum => [best[0] + new[0], best[1] + new[1]],
        });
        best.expect("an activation has a piece")
    })
}

/// The value of a coefficient: as it begins, or anything that it may become.
fn value(coefficient: &Coefficient, k: usize, random: bool, rng: &mut ChaCha8Rng) -> f64 {
    let init = coefficient.init.of(k);
    match coefficient.source {
        Source::Dynamic { lambda, squash } => {
            let range = match squash {
                Squash::Sigmoid | Squash::HardSigmoid | Squash::SteepHardSigmoid | Squash::Softmax => {
                    0.0..1.0
                }
                _ => -1.0..1.0,
            };
            let middle = f64::midpoint(range.start, range.end);
            init + lambda.of(k) * if random { rng.random_range(range) } else { middle }
        }
        Source::Learned { .. } => init + if random { rng.random_range(-0.6..0.6) } else { 0.0 },
    }
}
