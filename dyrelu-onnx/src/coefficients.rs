//! [`coefficients`]: from the context to the arguments of the pieces.

use crate::expression::{Expression, Span};
use crate::proto::Attribute;
use crate::recorder::{Recorder, dimensions};
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{Coefficient, DynamicActivation, Inner, Layer, PerPiece, Scalar, Source, Squash, sets};

/// The parameter of this name, as an initializer of its own shape.
pub(crate) fn parameter<A: DynamicActivation, T: Scalar>(
    recorder: &Recorder,
    layer: &Layer<A, T>,
    name: &str,
) -> String {
    let values = layer.parameter(name).expect("layers have all their parameters");
    recorder.parameter(name, values.shape(), values.iter().map(|value| value.to_f64()))
}

/// The coefficients of each of the P arguments for each of the K pieces.
///
/// The context is `[N, M]`; without dynamic coefficients there is none.
pub(crate) fn coefficients<'g, A: DynamicActivation, T: Scalar>(
    recorder: &'g Recorder,
    layer: &Layer<A, T>,
    context: Option<&str>,
    rank: usize,
) -> Vec<Vec<Expression<'g>>> {
    let residuals = context.map(|context| raw(recorder, layer, context));
    let mut dynamic = residuals.map(|raw| dynamic(recorder, layer, &raw, rank).into_iter());
    let coefficients = A::COEFFICIENTS
        .iter()
        .map(|coefficient| match coefficient.source {
            Source::Learned { .. } => learned(recorder, layer, coefficient.name, rank),
            Source::Dynamic { .. } => {
                let dynamic = dynamic.as_mut().and_then(Iterator::next);
                dynamic.expect("dynamic coefficients have a context")
            }
        });
    coefficients.collect()
}

/// The raw values, `[N, outputs]`.
fn raw<A: DynamicActivation, T: Scalar>(recorder: &Recorder, layer: &Layer<A, T>, context: &str) -> String {
    let linear = |x: &str, layer_name: &str, output: &str| {
        let [weight, bias] =
            ["weight", "bias"].map(|part| parameter(recorder, layer, &format!("{layer_name}.{part}")));
        recorder.node(
            output,
            "Gemm",
            &[x, &weight, &bias],
            vec![Attribute::int("transB", 1)],
        )
    };
    match (A::HYPER.layers, A::HYPER.inner) {
        (0, _) => context.to_owned(),
        (1, _) => linear(context, "fc", "raw"),
        (_, Inner::Identity) => linear(&linear(context, "fc1", "hidden"), "fc2", "raw"),
        (_, Inner::Relu) => {
            let hidden = recorder.node("hidden", "Relu", &[&linear(context, "fc1", "fc1")], Vec::new());
            linear(&hidden, "fc2", "raw")
        }
    }
}

/// A value for each of the K pieces of a learned coefficient.
///
/// The axis of the pieces stands where x has its first positions, until it is split.
fn learned<'g, A: DynamicActivation, T: Scalar>(
    recorder: &'g Recorder,
    layer: &Layer<A, T>,
    name: &str,
    rank: usize,
) -> Vec<Expression<'g>> {
    let k = A::Pieces::K;
    let values = layer.parameter(name).expect("layers have all their parameters");
    let sets = values.shape()[0];
    let span = [false, sets == layer.channels(), false];
    let initializer =
        |dims: &[usize]| recorder.parameter(name, dims, values.iter().map(|value| value.to_f64()));
    if k == 1 {
        let mut dims = vec![1; rank - 1];
        dims[0] = sets;
        return vec![Expression::new(recorder, initializer(&dims), span)];
    }
    let mut dims = vec![1; rank.max(3) - 1];
    dims[..2].copy_from_slice(&[sets, k]);
    split(recorder, &initializer(&dims), 1, &names(name, k), (rank, span))
}

/// Some dynamic coefficients that follow each other and have the same squash.
struct Run {
    squash: Squash,
    coefficients: Vec<(&'static Coefficient, PerPiece)>,
}

/// The dynamic coefficients in runs that one node can squash. A softmax is over the pieces of one coefficient.
fn runs<A: DynamicActivation>() -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for coefficient in A::COEFFICIENTS {
        let Source::Dynamic { lambda, squash } = coefficient.source else {
            continue;
        };
        match runs.last_mut() {
            Some(run) if run.squash == squash && squash != Squash::Softmax => {
                run.coefficients.push((coefficient, lambda));
            }
            _ => runs.push(Run {
                squash,
                coefficients: vec![(coefficient, lambda)],
            }),
        }
    }
    runs
}

/// The dynamic coefficients for raw values, `[N, C or 1, D, K]` in one axis.
fn dynamic<'g, A: DynamicActivation, T: Scalar>(
    recorder: &'g Recorder,
    layer: &Layer<A, T>,
    raw: &str,
    rank: usize,
) -> Vec<Vec<Expression<'g>>> {
    let sets = sets::<A>(layer.channels());
    let runs = runs::<A>();
    let lens: Vec<_> = runs
        .iter()
        .map(|run| run.coefficients.len() * A::Pieces::K)
        .collect();
    // 0 stands for the samples of the raw values.
    let mut shape = vec![1; rank.max(3)];
    shape[..3].copy_from_slice(&[0, sets, lens.iter().sum()]);
    let raw = recorder.node("sets", "Reshape", &[raw, &recorder.integers(&shape)], Vec::new());
    let raw = if let [_] = *runs {
        vec![raw]
    } else {
        let names: Vec<_> = runs
            .iter()
            .map(|run| format!("raw_{}", run.coefficients[0].0.name))
            .collect();
        let lens = recorder.integers(&lens);
        recorder.nodes(&names, "Split", &[&raw, &lens], vec![Attribute::int("axis", 2)])
    };
    let span = [true, sets == layer.channels(), false];
    let runs = runs.iter().zip(raw);
    runs.flat_map(|(run, raw)| run.pieces(recorder, &raw, A::Pieces::K, (rank, span)))
        .collect()
}

impl Run {
    /// The coefficients for raw values, K for each.
    fn pieces<'g>(
        &self,
        recorder: &'g Recorder,
        raw: &str,
        k: usize,
        (rank, span): (usize, Span),
    ) -> Vec<Vec<Expression<'g>>> {
        let (function, scale, offset) = squash(recorder, self.squash, raw);
        // init + lambda · (scale · f + offset), with all constants in one product and one sum.
        let scales = self.constants(k, |_, lambda| lambda * scale);
        let offsets = self.constants(k, |init, lambda| init + lambda * offset);
        let mut dims = vec![1; rank.max(3) - 2];
        dims[0] = scales.len();
        let [scales, offsets] =
            [scales, offsets].map(|values| Expression::constants(recorder, &dims, &values));
        let values = Expression::new(recorder, function, span) * scales + offsets;
        let names = self
            .coefficients
            .iter()
            .flat_map(|(coefficient, _)| names(coefficient.name, k));
        let names: Vec<_> = names.collect();
        let pieces = split(recorder, &values.name(recorder), 2, &names, (rank, span));
        pieces.chunks_exact(k).map(<[_]>::to_vec).collect()
    }

    /// A constant for each coefficient and piece, from init and lambda.
    fn constants(&self, k: usize, constant: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let coefficients = self.coefficients.iter();
        let constants = coefficients
            .flat_map(|(coefficient, lambda)| (0..k).map(|k| constant(coefficient.init.of(k), lambda.of(k))));
        constants.collect()
    }
}

/// A function f of the raw values, and two numbers: the residual is scale · f + offset.
fn squash(recorder: &Recorder, squash: Squash, raw: &str) -> (String, f64, f64) {
    let function =
        |operator: &str, attributes| recorder.node(&operator.to_lowercase(), operator, &[raw], attributes);
    let clip = |limit: f64| {
        let [low, high] = [-limit, limit].map(|limit| recorder.number(limit));
        recorder.node("clip", "Clip", &[raw, &low, &high], Vec::new())
    };
    match squash {
        Squash::CentredSigmoid => (function("Sigmoid", Vec::new()), 2.0, -1.0),
        Squash::Sigmoid => (function("Sigmoid", Vec::new()), 1.0, 0.0),
        Squash::Tanh => (function("Tanh", Vec::new()), 1.0, 0.0),
        Squash::HardSigmoid => (clip(3.0), 1.0 / 6.0, 0.5),
        Squash::CentredHardSigmoid => (clip(3.0), 1.0 / 3.0, 0.0),
        Squash::SteepHardSigmoid => (clip(1.0), 0.5, 0.5),
        Squash::CentredSteepHardSigmoid => (clip(1.0), 1.0, 0.0),
        Squash::Identity => (raw.to_owned(), 1.0, 0.0),
        Squash::Softmax => (function("Softmax", vec![Attribute::int("axis", 2)]), 1.0, 0.0),
    }
}

/// A name for each of K pieces.
fn names(coefficient: &str, k: usize) -> Vec<String> {
    if k == 1 {
        return vec![coefficient.to_owned()];
    }
    (1..=k).map(|k| format!("{coefficient}_{k}")).collect()
}

/// What stands side by side along an axis. Along the others it broadcasts to the shape of x.
fn split<'g>(
    recorder: &'g Recorder,
    values: &str,
    axis: usize,
    names: &[String],
    (rank, span): (usize, Span),
) -> Vec<Expression<'g>> {
    let parts = if let [_] = names {
        vec![values.to_owned()]
    } else {
        let axis = dimensions(&[axis])[0];
        recorder.nodes(names, "Split", &[values], vec![Attribute::int("axis", axis)])
    };
    let parts = parts.into_iter().map(|part| {
        let part = if rank == 2 {
            // x has no positions, in whose place the axis stood.
            let squeezed = recorder.integers(&[axis]);
            recorder.node("squeeze", "Squeeze", &[&part, &squeezed], Vec::new())
        } else {
            part
        };
        Expression::new(recorder, part, span)
    });
    parts.collect()
}
