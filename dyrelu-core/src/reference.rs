//! Naive twins of the [`kernels`](crate::kernels): the same functions as plain loops over `f64`.
//!
//! They are what the kernels mean and the oracle of their tests: slow and obviously right. Each takes the
//! arrays that its twin reads and returns those that its twin writes. Where a size of zero leaves nothing to loop
//! over they may panic.

/// Twin of [`kernels::pool`](crate::kernels::pool).
pub mod pool {
    /// The mean of each of `rows` rows of x; 0 for rows without elements.
    #[must_use]
    pub fn forward(rows: usize, len: usize, x: &[f64]) -> Vec<f64> {
        let mut pooled = vec![0.0; rows];
        for r in 0..rows {
            for i in 0..len {
                pooled[r] += x[r * len + i] / len as f64;
            }
        }
        pooled
    }

    /// The gradient of x.
    #[must_use]
    pub fn backward(len: usize, grad_pooled: &[f64]) -> Vec<f64> {
        let mut grad_x = vec![0.0; grad_pooled.len() * len];
        for r in 0..grad_pooled.len() {
            for i in 0..len {
                grad_x[r * len + i] = grad_pooled[r] / len as f64;
            }
        }
        grad_x
    }
}

/// Twin of [`kernels::halves`](crate::kernels::halves).
pub mod halves {
    /// The means of min(x, 0), then those of relu(x), for each sample of x, `[N, C, S]`.
    #[must_use]
    pub fn forward(samples: usize, channels: usize, len: usize, x: &[f64]) -> Vec<f64> {
        let mut pooled = vec![0.0; samples * 2 * channels];
        for n in 0..samples {
            for c in 0..channels {
                for s in 0..len {
                    let value = x[(n * channels + c) * len + s];
                    // Not `f64::min` and `max`, which would drop NaN.
                    let below = if value >= 0.0 { 0.0 } else { value };
                    let above = if value <= 0.0 { 0.0 } else { value };
                    pooled[n * 2 * channels + c] += below / len as f64;
                    pooled[(n * 2 + 1) * channels + c] += above / len as f64;
                }
            }
        }
        pooled
    }

    /// The gradient of x.
    #[must_use]
    pub fn backward(channels: usize, len: usize, x: &[f64], grad_pooled: &[f64]) -> Vec<f64> {
        let mut grad_x = vec![0.0; x.len()];
        for i in 0..x.len() {
            let (n, c) = (i / len / channels, i / len % channels);
            if x[i] < 0.0 {
                grad_x[i] = grad_pooled[n * 2 * channels + c] / len as f64;
            } else if x[i] > 0.0 {
                grad_x[i] = grad_pooled[(n * 2 + 1) * channels + c] / len as f64;
            }
        }
        grad_x
    }
}

/// Twin of [`kernels::linear`](crate::kernels::linear).
pub mod linear {
    /// `y[n, o] = bias[o] + Σ_i weight[o, i] · x[n, i]`.
    #[must_use]
    pub fn forward(inputs: usize, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let (samples, outputs) = (x.len() / inputs, bias.len());
        let mut y = vec![0.0; samples * outputs];
        for n in 0..samples {
            for o in 0..outputs {
                y[n * outputs + o] = bias[o];
                for i in 0..inputs {
                    y[n * outputs + o] += weight[o * inputs + i] * x[n * inputs + i];
                }
            }
        }
        y
    }

    /// The gradients of x, weight and bias.
    #[must_use]
    pub fn backward(inputs: usize, x: &[f64], weight: &[f64], grad_y: &[f64]) -> [Vec<f64>; 3] {
        let (samples, outputs) = (x.len() / inputs, weight.len() / inputs);
        let mut grad_x = vec![0.0; x.len()];
        let mut grad_weight = vec![0.0; weight.len()];
        let mut grad_bias = vec![0.0; outputs];
        for n in 0..samples {
            for o in 0..outputs {
                let grad = grad_y[n * outputs + o];
                grad_bias[o] += grad;
                for i in 0..inputs {
                    grad_x[n * inputs + i] += grad * weight[o * inputs + i];
                    grad_weight[o * inputs + i] += grad * x[n * inputs + i];
                }
            }
        }
        [grad_x, grad_weight, grad_bias]
    }
}

/// Twin of [`kernels::squash`](crate::kernels::squash).
pub mod squash {
    use crate::Squash;

    /// The residuals.
    #[must_use]
    pub fn forward(squashes: &[Squash], k: usize, raw: &[f64]) -> Vec<f64> {
        let mut residuals = Vec::with_capacity(raw.len());
        for (i, &r) in raw.iter().enumerate() {
            residuals.push(match squashes[i / k % squashes.len()] {
                Squash::CentredSigmoid => 2.0 * sigmoid(r) - 1.0,
                Squash::Sigmoid => sigmoid(r),
                Squash::Tanh => r.tanh(),
                Squash::HardSigmoid => (r / 6.0 + 0.5).clamp(0.0, 1.0),
                Squash::CentredHardSigmoid => (r / 3.0).clamp(-1.0, 1.0),
                Squash::SteepHardSigmoid => (r / 2.0 + 0.5).clamp(0.0, 1.0),
                Squash::CentredSteepHardSigmoid => r.clamp(-1.0, 1.0),
                Squash::Identity => r,
                Squash::Softmax => softmax(k, raw, i),
            });
        }
        residuals
    }

    /// The gradient of the raw values.
    #[must_use]
    pub fn backward(squashes: &[Squash], k: usize, raw: &[f64], grad_residuals: &[f64]) -> Vec<f64> {
        let mut grad_raw = Vec::with_capacity(raw.len());
        for (i, &r) in raw.iter().enumerate() {
            let inside = |limit: f64| if r.abs() < limit { 1.0 } else { 0.0 };
            let slope = match squashes[i / k % squashes.len()] {
                Squash::CentredSigmoid => 2.0 * sigmoid(r) * (1.0 - sigmoid(r)),
                Squash::Sigmoid => sigmoid(r) * (1.0 - sigmoid(r)),
                Squash::Tanh => 1.0 - r.tanh() * r.tanh(),
                Squash::HardSigmoid => inside(3.0) / 6.0,
                Squash::CentredHardSigmoid => inside(3.0) / 3.0,
                Squash::SteepHardSigmoid => inside(1.0) / 2.0,
                Squash::CentredSteepHardSigmoid => inside(1.0),
                Squash::Identity => 1.0,
                Squash::Softmax => {
                    let mut grad = 0.0;
                    for (j, grad_residual) in grad_residuals.iter().enumerate() {
                        let same = if i == j { 1.0 } else { 0.0 };
                        if i / k == j / k {
                            grad += grad_residual * softmax(k, raw, j) * (same - softmax(k, raw, i));
                        }
                    }
                    grad_raw.push(grad);
                    continue;
                }
            };
            grad_raw.push(slope * grad_residuals[i]);
        }
        grad_raw
    }

    fn sigmoid(r: f64) -> f64 {
        1.0 / (1.0 + (-r).exp())
    }

    /// The softmax over the K pieces, at i.
    fn softmax(k: usize, raw: &[f64], i: usize) -> f64 {
        let sum: f64 = raw[i / k * k..][..k].iter().map(|r| r.exp()).sum();
        raw[i].exp() / sum
    }
}

/// Twin of [`kernels::hyper`](crate::kernels::hyper).
pub mod hyper {
    use super::{linear, squash};
    use crate::Inner;
    use crate::kernels::hyper::{Layers, Weights};

    /// The hidden units and the residuals.
    #[must_use]
    pub fn forward(weights: Weights<'_, f64>, context: &[f64]) -> [Vec<f64>; 2] {
        let [hidden, raw] = hidden_and_raw(weights, context);
        [hidden, squash::forward(weights.squashes, weights.k, &raw)]
    }

    /// The gradients of the context, and of the weight and the bias of the first layer and of the second.
    #[must_use]
    pub fn backward(weights: Weights<'_, f64>, context: &[f64], grad_residuals: &[f64]) -> [Vec<f64>; 5] {
        let [hidden, raw] = hidden_and_raw(weights, context);
        let grad_raw = squash::backward(weights.squashes, weights.k, &raw, grad_residuals);
        match weights.layers {
            Layers::None => [grad_raw, Vec::new(), Vec::new(), Vec::new(), Vec::new()],
            Layers::One(layer) => {
                let [context, weight, bias] =
                    linear::backward(layer.inputs, context, layer.weight, &grad_raw);
                [context, weight, bias, Vec::new(), Vec::new()]
            }
            Layers::Two { first, inner, second } => {
                let [mut grad_hidden, weight_2, bias_2] =
                    linear::backward(second.inputs, &hidden, second.weight, &grad_raw);
                for i in 0..hidden.len() {
                    if inner == Inner::Relu && hidden[i] <= 0.0 {
                        grad_hidden[i] = 0.0;
                    }
                }
                let [context, weight_1, bias_1] =
                    linear::backward(first.inputs, context, first.weight, &grad_hidden);
                [context, weight_1, bias_1, weight_2, bias_2]
            }
        }
    }

    fn hidden_and_raw(weights: Weights<'_, f64>, context: &[f64]) -> [Vec<f64>; 2] {
        match weights.layers {
            Layers::None => [Vec::new(), context.to_vec()],
            Layers::One(layer) => {
                let raw = linear::forward(layer.inputs, context, layer.weight, layer.bias);
                [Vec::new(), raw]
            }
            Layers::Two { first, inner, second } => {
                let mut hidden = linear::forward(first.inputs, context, first.weight, first.bias);
                for value in &mut hidden {
                    if inner == Inner::Relu && *value <= 0.0 {
                        *value = 0.0;
                    }
                }
                let raw = linear::forward(second.inputs, &hidden, second.weight, second.bias);
                [hidden, raw]
            }
        }
    }
}

/// Twin of [`kernels::coefficients`](crate::kernels::coefficients).
pub mod coefficients {
    use crate::kernels::coefficients::Operands;

    /// The template, plus λ · residual for each dynamic coefficient.
    #[must_use]
    pub fn forward(operands: Operands<'_, f64>, residuals: &[f64], rows: usize) -> Vec<f64> {
        let Operands {
            pieces,
            template,
            coefficients,
            lambda,
            ..
        } = operands;
        let set = coefficients * pieces;
        let mut values = vec![0.0; rows * set];
        for i in 0..values.len() {
            values[i] = template[i % template.len()];
            let (row, p, k) = (i / set, i % set / pieces, i % pieces);
            if let Some(d) = operands.dynamic.iter().position(|&dynamic| dynamic == p) {
                values[i] += lambda[d * pieces + k] * residuals[row * lambda.len() + d * pieces + k];
            }
        }
        values
    }

    /// The gradient of the residuals.
    #[must_use]
    pub fn backward(operands: Operands<'_, f64>, grad_coefficients: &[f64]) -> Vec<f64> {
        let Operands {
            pieces,
            dynamic,
            coefficients,
            lambda,
            ..
        } = operands;
        let mut grads = Vec::new();
        for set in grad_coefficients.chunks(coefficients * pieces) {
            for (d, p) in dynamic.iter().enumerate() {
                for k in 0..pieces {
                    grads.push(lambda[d * pieces + k] * set[p * pieces + k]);
                }
            }
        }
        grads
    }
}

/// Twin of [`kernels::attention`](crate::kernels::attention).
pub mod attention {
    use crate::kernels::attention::Operands;

    /// The softmax and the attention.
    #[must_use]
    pub fn forward(operands: Operands<'_, f64>, bias: f64, x: &[f64]) -> [Vec<f64>; 2] {
        let Operands {
            positions,
            scaling,
            weight,
        } = operands;
        let channels = weight.len();
        let samples = x.len() / (channels * positions);
        let mut softmax = vec![0.0; samples * positions];
        for n in 0..samples {
            let row = &mut softmax[n * positions..][..positions];
            for s in 0..positions {
                let mut z = bias;
                for c in 0..channels {
                    z += weight[c] * x[(n * channels + c) * positions + s];
                }
                row[s] = z / scaling.temperature;
            }
            let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|z| (z - max).exp()).sum();
            for z in row {
                *z = (*z - max).exp() / sum;
            }
        }
        let gamma = positions as f64 * scaling.average;
        // Not `f64::min`, which would turn NaN into a number.
        let cut_off = |pi: f64| if pi > scaling.cut_off { scaling.cut_off } else { pi };
        let attention = softmax.iter().map(|s| cut_off(gamma * s)).collect();
        [softmax, attention]
    }

    /// The gradients of x and of the weight; that of the bias is zero.
    #[must_use]
    pub fn backward(
        operands: Operands<'_, f64>,
        x: &[f64],
        softmax: &[f64],
        grad_attention: &[f64],
    ) -> [Vec<f64>; 2] {
        let Operands {
            positions,
            scaling,
            weight,
        } = operands;
        let channels = weight.len();
        let gamma = positions as f64 * scaling.average;
        let mut grad_x = vec![0.0; x.len()];
        let mut grad_weight = vec![0.0; channels];
        for n in 0..softmax.len() / positions {
            let softmax = &softmax[n * positions..][..positions];
            let grad_softmax: Vec<f64> = (0..positions)
                .map(|s| {
                    if gamma * softmax[s] > scaling.cut_off {
                        0.0
                    } else {
                        gamma * grad_attention[n * positions + s]
                    }
                })
                .collect();
            let mean: f64 = softmax.iter().zip(&grad_softmax).map(|(s, grad)| s * grad).sum();
            for s in 0..positions {
                let grad_z = softmax[s] * (grad_softmax[s] - mean) / scaling.temperature;
                for c in 0..channels {
                    let i = (n * channels + c) * positions + s;
                    grad_x[i] = weight[c] * grad_z;
                    grad_weight[c] += x[i] * grad_z;
                }
            }
        }
        [grad_x, grad_weight]
    }
}

/// Twin of [`kernels::piecewise`](crate::kernels::piecewise).
pub mod piecewise {
    use crate::kernels::piecewise::Operands;
    use crate::{Combine, DynamicActivation, Piece, Sharing};

    /// The activation.
    #[must_use]
    pub fn forward<A: DynamicActivation + Piece<P>, const K: usize, const P: usize>(
        operands: Operands<'_, f64>,
        x: &[f64],
    ) -> Vec<f64> {
        let mut y = Vec::with_capacity(x.len());
        for i in 0..x.len() {
            let (sets, pi) = sets::<A, K, P>(operands, x.len(), i);
            let values = sets.map(|set| A::value(x[i], set.map(|c| pi * c)));
            y.push(combine::<A, K>(values).0);
        }
        y
    }

    /// The gradients of x, the coefficients and the attention.
    #[must_use]
    pub fn backward<A: DynamicActivation + Piece<P>, const K: usize, const P: usize>(
        operands: Operands<'_, f64>,
        x: &[f64],
        grad_y: &[f64],
    ) -> [Vec<f64>; 3] {
        let mut grad_x = vec![0.0; x.len()];
        let mut grad_coefficients = vec![0.0; operands.coefficients.len()];
        let mut grad_attention = vec![0.0; operands.attention.len()];
        for i in 0..x.len() {
            let (sets, pi) = sets::<A, K, P>(operands, x.len(), i);
            let (_, winner) = combine::<A, K>(sets.map(|set| A::value(x[i], set.map(|c| pi * c))));
            for k in 0..K {
                if winner.is_some_and(|winner| winner != k) {
                    continue;
                }
                let grad = A::grad(x[i], sets[k].map(|c| pi * c));
                grad_x[i] += grad_y[i] * grad.x;
                for p in 0..P {
                    let row = i / operands.len;
                    grad_coefficients[(row * P + p) * K + k] += grad_y[i] * grad.coefficients[p] * pi;
                    if A::SHARING == Sharing::Unshared {
                        grad_attention[attention_index(operands, x.len(), i)] +=
                            grad_y[i] * grad.coefficients[p] * sets[k][p];
                    }
                }
            }
        }
        [grad_x, grad_coefficients, grad_attention]
    }

    /// The coefficients of each piece at element i, and π there.
    fn sets<A: DynamicActivation, const K: usize, const P: usize>(
        operands: Operands<'_, f64>,
        elements: usize,
        i: usize,
    ) -> ([[f64; P]; K], f64) {
        let row = i / operands.len;
        let coefficient = |k, p| operands.coefficients[(row * P + p) * K + k];
        let sets = core::array::from_fn(|k| core::array::from_fn(|p| coefficient(k, p)));
        let pi = match A::SHARING {
            Sharing::Unshared => operands.attention[attention_index(operands, elements, i)],
            _ => 1.0,
        };
        (sets, pi)
    }

    fn attention_index(operands: Operands<'_, f64>, elements: usize, i: usize) -> usize {
        let channels = elements / operands.attention.len();
        i / (channels * operands.len) * operands.len + i % operands.len
    }

    /// The combined value, and the piece that gives it unless all do.
    pub(super) fn combine<A: DynamicActivation, const K: usize>(values: [f64; K]) -> (f64, Option<usize>) {
        if A::COMBINE == Combine::Sum {
            return (values.iter().sum(), None);
        }
        let mut winner = 0;
        for k in 1..K {
            let better = match A::COMBINE {
                Combine::Max => values[k] > values[winner],
                _ => values[k] < values[winner],
            };
            if better || values[k].is_nan() {
                winner = k;
            }
        }
        (values[winner], Some(winner))
    }
}

/// Twin of [`kernels::neighbours`](crate::kernels::neighbours).
pub mod neighbours {
    use super::piecewise::combine;
    use crate::kernels::neighbours::Operands;
    use crate::{DynamicActivation, Piece, Sharing};

    /// The activation.
    #[must_use]
    pub fn forward<A: DynamicActivation + Piece<P>, const K: usize, const P: usize>(
        operands: Operands<'_, f64>,
        x: &[f64],
    ) -> Vec<f64> {
        let mut y = Vec::with_capacity(x.len());
        for i in 0..x.len() {
            let place = Place::of::<A>(operands, i);
            let values = place
                .arguments::<A, K, P>(operands, x)
                .map(|arguments| A::value(x[i], arguments));
            y.push(combine::<A, K>(values).0);
        }
        y
    }

    /// The gradients of x, the coefficients and the attention.
    #[must_use]
    pub fn backward<A: DynamicActivation + Piece<P>, const K: usize, const P: usize>(
        operands: Operands<'_, f64>,
        x: &[f64],
        grad_y: &[f64],
    ) -> [Vec<f64>; 3] {
        let mut grad_x = vec![0.0; x.len()];
        let mut grad_coefficients = vec![0.0; operands.coefficients.len()];
        let mut grad_attention = vec![0.0; operands.attention.len()];
        let of_piece = P - A::NEIGHBOURS.len();
        for i in 0..x.len() {
            let place = Place::of::<A>(operands, i);
            let arguments = place.arguments::<A, K, P>(operands, x);
            let (_, winner) = combine::<A, K>(arguments.map(|arguments| A::value(x[i], arguments)));
            for (k, &arguments) in arguments.iter().enumerate() {
                if winner.is_some_and(|winner| winner != k) {
                    continue;
                }
                let grad = A::grad(x[i], arguments);
                grad_x[i] += grad_y[i] * grad.x;
                for p in 0..of_piece {
                    let coefficient = (place.set * of_piece + p) * K + k;
                    let by_argument = grad_y[i] * grad.coefficients[p];
                    grad_coefficients[coefficient] += by_argument * place.pi(operands);
                    if let Some(score) = place.score {
                        grad_attention[score] += by_argument * operands.coefficients[coefficient];
                    }
                }
                for p in of_piece..P {
                    grad_x[place.neighbour(operands, p - of_piece)] += grad_y[i] * grad.coefficients[p];
                }
            }
        }
        [grad_x, grad_coefficients, grad_attention]
    }

    /// Where an element of x is, and what belongs to it.
    struct Place {
        n: usize,
        c: usize,
        s: usize,
        /// The row of its coefficients.
        set: usize,
        /// The element of its attention, in mode C.
        score: Option<usize>,
    }

    impl Place {
        fn of<A: DynamicActivation>(operands: Operands<'_, f64>, i: usize) -> Self {
            let (row, s) = (i / operands.positions, i % operands.positions);
            let (n, c) = (row / operands.channels, row % operands.channels);
            let score = n * operands.positions + s;
            Self {
                n,
                c,
                s,
                set: if A::SHARING == Sharing::SpatialAndChannel {
                    n
                } else {
                    row
                },
                score: (A::SHARING == Sharing::Unshared).then_some(score),
            }
        }

        fn pi(&self, operands: Operands<'_, f64>) -> f64 {
            self.score.map_or(1.0, |score| operands.attention[score])
        }

        /// The element of x that is neighbour j.
        fn neighbour(&self, operands: Operands<'_, f64>, j: usize) -> usize {
            let source = operands.sources[j * operands.channels + self.c];
            (self.n * operands.channels + source) * operands.positions + self.s
        }

        /// The coefficients of each piece, times π, and the neighbours.
        fn arguments<A: DynamicActivation, const K: usize, const P: usize>(
            &self,
            operands: Operands<'_, f64>,
            x: &[f64],
        ) -> [[f64; P]; K] {
            let of_piece = P - A::NEIGHBOURS.len();
            let argument = |k, p| {
                if p < of_piece {
                    self.pi(operands) * operands.coefficients[(self.set * of_piece + p) * K + k]
                } else {
                    x[self.neighbour(operands, p - of_piece)]
                }
            };
            core::array::from_fn(|k| core::array::from_fn(|p| argument(k, p)))
        }
    }
}
