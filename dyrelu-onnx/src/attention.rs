//! [`attention`]: the factor of each position in mode C.

use crate::coefficients::parameter;
use crate::expression::Expression;
use crate::proto::Attribute;
use crate::recorder::{Recorder, dimensions};
use dyrelu_core::kernels::attention::{EPSILON, Scaling};
use dyrelu_core::{DynamicActivation, Layer, Scalar, Sharing, safetensors::Dtype};

/// π for x of this rank, if the activation has it.
pub(crate) fn attention<'g, A: DynamicActivation, T: Scalar>(
    recorder: &'g Recorder,
    layer: &Layer<A, T>,
    rank: usize,
) -> Option<Expression<'g>> {
    if A::SHARING != Sharing::Unshared {
        return None;
    }
    let scaling = layer.attention_scaling();
    if rank == 2 {
        // The softmax over a single position is 1.
        return Some(Expression::Constant(scaling.average.min(scaling.cut_off)));
    }
    let scores = normalised(recorder, layer, scores(recorder, layer, rank));
    let attention = scaled_softmax(recorder, scaling, &scores, rank);
    Some(Expression::new(recorder, attention, [true, false, true]))
}

/// z, `[N, 1, ...]`: a 1×1 convolution of x to one channel.
///
/// All runtimes have convolutions of single precision over one or two axes, but not all have others.
fn scores<A: DynamicActivation, T: Scalar>(recorder: &Recorder, layer: &Layer<A, T>, rank: usize) -> String {
    let weight = layer
        .parameter("attention.weight")
        .expect("mode C has an attention");
    let mut dims = vec![1; rank];
    dims[1] = layer.channels();
    let weight = recorder.parameter(
        "attention.weight",
        &dims,
        weight.iter().map(|value| value.to_f64()),
    );
    let bias = parameter(recorder, layer, "attention.bias");
    if T::DTYPE == Dtype::F32 && rank <= 4 {
        // The defaults, written out: some runtimes take those of images for lines too.
        let attributes = vec![
            Attribute::ints("kernel_shape", vec![1; rank - 2]),
            Attribute::ints("pads", vec![0; 2 * (rank - 2)]),
        ];
        return recorder.node("scores", "Conv", &["x", &weight, &bias], attributes);
    }
    let products = recorder.node("mul", "Mul", &["x", &weight], Vec::new());
    let sums = recorder.node(
        "sum",
        "ReduceSum",
        &[&products, &recorder.integers(&[1])],
        Vec::new(),
    );
    recorder.node("scores", "Add", &[&sums, &bias], Vec::new())
}

/// Scores of a normalised attention, normalised by its running statistics; others as they are.
fn normalised<A: DynamicActivation, T: Scalar>(
    recorder: &Recorder,
    layer: &Layer<A, T>,
    scores: String,
) -> String {
    let Some((mean, variance)) = layer.running_statistics() else {
        return scores;
    };
    if T::DTYPE == Dtype::F64 {
        // The operator's own ε has single precision.
        let number = |name| layer.parameter(name).expect("normalised scores have both")[[0]].to_f64();
        let scale = number("attention.norm.weight") / (variance + EPSILON).sqrt();
        let offset = number("attention.norm.bias") - mean * scale;
        let scaled = recorder.node("scaled", "Mul", &[&scores, &recorder.number(scale)], Vec::new());
        return recorder.node(
            "normalised",
            "Add",
            &[&scaled, &recorder.number(offset)],
            Vec::new(),
        );
    }
    let [weight, bias] =
        ["attention.norm.weight", "attention.norm.bias"].map(|name| parameter(recorder, layer, name));
    let statistics = [
        ("attention.norm.running_mean", mean),
        ("attention.norm.running_var", variance),
    ];
    let [mean, variance] =
        statistics.map(|(name, value)| recorder.parameter(name, &[1], [value].into_iter()));
    #[expect(clippy::cast_possible_truncation, reason = "attributes have single precision")]
    let epsilon = Attribute::float("epsilon", EPSILON as f32);
    let inputs = [scores, weight, bias, mean, variance];
    let inputs = inputs.each_ref().map(String::as_str);
    recorder.node("normalised", "BatchNormalization", &inputs, vec![epsilon])
}

/// min(S · average · softmax(z / τ), cut-off) over all S positions.
///
/// With e = exp(z / τ − max) it is S · softmax = e / mean(e): the graph needs no S, and no other shape than that of x.
fn scaled_softmax(recorder: &Recorder, scaling: Scaling, scores: &str, rank: usize) -> String {
    let positions = dimensions(&(2..rank).collect::<Vec<_>>());
    let over_positions = |name: &str, operator: &str, values: &str| {
        let axes = Attribute::ints("axes", positions.clone());
        recorder.node(name, operator, &[values], vec![axes])
    };
    let binary =
        |name: &str, operator: &str, a: &str, b: &str| recorder.node(name, operator, &[a, b], Vec::new());
    let scores = match scaling.temperature {
        1.0 => scores.to_owned(),
        temperature => binary("cooled", "Div", scores, &recorder.number(temperature)),
    };
    let largest = over_positions("largest", "ReduceMax", &scores);
    let powers = recorder.node(
        "powers",
        "Exp",
        &[&binary("centred", "Sub", &scores, &largest)],
        Vec::new(),
    );
    let mean = over_positions("mean", "ReduceMean", &powers);
    let divisor = binary("divisor", "Div", &mean, &recorder.number(scaling.average));
    let ratio = binary("ratio", "Div", &powers, &divisor);
    binary("attention", "Min", &ratio, &recorder.number(scaling.cut_off))
}
