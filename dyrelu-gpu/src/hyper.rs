//! The hyper function of two fully connected layers: from a context to the coefficients of an activation, and the way back.
//!
//! Its arrays are small, so a unit has one number and adds up for itself; what counts is that the launches are few.

use crate::Error;
use crate::grid::{UNITS, cubes};
use crate::operands::{Operands, buffer, check_f32s, f32s};
use crate::squash::{coefficient, grad_raw, inner, residual};
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu_core::{Coefficient, DynamicActivation, Inner, Source, Squash, sets};

/// What a hyper function reads. Arrays are of `f32` and contiguous, the last axis fastest.
#[derive(Debug, Clone, Copy)]
pub struct Hyper<'a> {
    /// N.
    pub samples: usize,
    /// C, the channels of x.
    pub channels: usize,
    /// M, the numbers of a context.
    pub inputs: usize,
    /// H, the hidden units.
    pub hidden: usize,
    /// p, `[N, M]`.
    pub context: &'a Handle,
    /// W₁, `[H, M]`, and b₁, `[H]`.
    pub first: [&'a Handle; 2],
    /// W₂, `[sets · P · K, H]`, and b₂, where there is one set for each channel, or in mode A a single one.
    pub second: [&'a Handle; 2],
}

/// The results of [`hyper`], of which the [backward pass](hyper_backward) needs all but the coefficients.
#[derive(Debug, Clone)]
pub struct HyperOutputs {
    /// `[N, sets, P, K]`.
    pub coefficients: Handle,
    /// inner(W₁ · p + b₁), `[N, H]`.
    pub hidden: Handle,
    /// d = squash(W₂ · hidden + b₂), as the coefficients.
    pub residuals: Handle,
}

/// The gradients of [`hyper`], each as what it is the gradient of.
#[derive(Debug, Clone)]
pub struct HyperGradients {
    /// Of the context.
    pub context: Handle,
    /// Of W₁ and b₁.
    pub first: [Handle; 2],
    /// Of W₂ and b₂.
    pub second: [Handle; 2],
}

/// Whether [`hyper`] is for the activation: it has two layers, all its coefficients are dynamic, and none has a softmax.
#[must_use]
pub fn supports_hyper<A: DynamicActivation>() -> bool {
    let pointwise = |coefficient: &Coefficient| match coefficient.source {
        Source::Dynamic { squash, .. } => squash != Squash::Softmax,
        Source::Learned { .. } => false,
    };
    A::HYPER.layers == 2 && !A::COEFFICIENTS.is_empty() && A::COEFFICIENTS.iter().all(pointwise)
}

impl Hyper<'_> {
    fn outputs<A: DynamicActivation>(&self) -> usize {
        sets::<A>(self.channels) * Operands::coefficients_of_set::<A>()
    }

    fn check<A: DynamicActivation>(&self) -> Result<(), Error> {
        if !supports_hyper::<A>() {
            return Err(Error::Hyper { name: A::NAME });
        }
        let Self {
            samples,
            inputs,
            hidden,
            ..
        } = *self;
        let outputs = self.outputs::<A>();
        for (what, count, handle) in [
            ("the context", samples * inputs, self.context),
            ("the first layer's weight", hidden * inputs, self.first[0]),
            ("the first layer's bias", hidden, self.first[1]),
            ("the second layer's weight", outputs * hidden, self.second[0]),
            ("the second layer's bias", outputs, self.second[1]),
        ] {
            check_f32s(what, count, handle)?;
        }
        Ok(())
    }
}

/// The coefficients init + λ · squash(W₂ · inner(W₁ · p + b₁) + b₂) (paper, equation 3).
///
/// # Errors
///
/// [`Error::Hyper`], when no kernel is for the hyper function; [`Error::Size`], when an array is too small.
pub fn hyper<A: DynamicActivation>(client: &Client, operands: &Hyper<'_>) -> Result<HyperOutputs, Error> {
    operands.check::<A>()?;
    let Hyper {
        samples,
        inputs,
        hidden: units,
        context,
        first,
        second,
        ..
    } = *operands;
    let outputs = operands.outputs::<A>();
    let hidden = f32s(client, samples * units);
    let (coefficients, residuals) = (f32s(client, samples * outputs), f32s(client, samples * outputs));
    if samples > 0 {
        hidden_kernel::launch::<A>(
            client,
            one_each(client, samples * units),
            CubeDim::new_1d(UNITS),
            buffer(context, samples * inputs),
            buffer(first[0], units * inputs),
            buffer(first[1], units),
            buffer(&hidden, samples * units),
            samples,
            inputs,
            units,
        );
        coefficients_kernel::launch::<A>(
            client,
            one_each(client, samples * outputs),
            CubeDim::new_1d(UNITS),
            buffer(&hidden, samples * units),
            buffer(second[0], outputs * units),
            buffer(second[1], outputs),
            buffer(&residuals, samples * outputs),
            buffer(&coefficients, samples * outputs),
            samples,
            units,
            outputs,
        );
    }
    Ok(HyperOutputs {
        coefficients,
        hidden,
        residuals,
    })
}

/// The gradients of [`hyper`] for that of the coefficients, given two of its results. The same input gives the same bits on the
/// same device.
///
/// # Errors
///
/// As [`hyper`].
pub fn hyper_backward<A: DynamicActivation>(
    client: &Client,
    operands: &Hyper<'_>,
    hidden: &Handle,
    residuals: &Handle,
    grad_coefficients: &Handle,
) -> Result<HyperGradients, Error> {
    operands.check::<A>()?;
    let Hyper {
        samples,
        inputs,
        hidden: units,
        context,
        first,
        second,
        ..
    } = *operands;
    let outputs = operands.outputs::<A>();
    for (what, count, handle) in [
        ("the hidden units", samples * units, hidden),
        ("the residuals", samples * outputs, residuals),
        (
            "the gradient of the coefficients",
            samples * outputs,
            grad_coefficients,
        ),
    ] {
        check_f32s(what, count, handle)?;
    }
    let [grad_raw, grad_hidden] = [samples * outputs, samples * units].map(|len| f32s(client, len));
    let gradients = HyperGradients {
        context: f32s(client, samples * inputs),
        first: [f32s(client, units * inputs), f32s(client, units)],
        second: [f32s(client, outputs * units), f32s(client, outputs)],
    };
    let width = u32::try_from(units)
        .unwrap_or(WIDTH)
        .min(WIDTH)
        .next_power_of_two();
    hidden_gradient_kernel::launch::<A>(
        client,
        cubes(client, samples.max(1) * units.div_ceil(width as usize)),
        CubeDim::new_2d(width, UNITS / width),
        buffer(second[0], outputs * units),
        buffer(hidden, samples * units),
        buffer(residuals, samples * outputs),
        buffer(grad_coefficients, samples * outputs),
        buffer(&grad_raw, samples * outputs),
        buffer(&grad_hidden, samples * units),
        samples,
        units,
        outputs,
        width,
        A::HYPER.inner == Inner::Relu,
    );
    gradients_kernel::launch(
        client,
        one_each(
            client,
            samples * inputs + outputs * (units + 1) + units * (inputs + 1),
        ),
        CubeDim::new_1d(UNITS),
        buffer(first[0], units * inputs),
        buffer(context, samples * inputs),
        buffer(hidden, samples * units),
        buffer(&grad_raw, samples * outputs),
        buffer(&grad_hidden, samples * units),
        buffer(&gradients.context, samples * inputs),
        buffer(&gradients.first[0], units * inputs),
        buffer(&gradients.first[1], units),
        buffer(&gradients.second[0], outputs * units),
        buffer(&gradients.second[1], outputs),
        samples,
        inputs,
        units,
        outputs,
    );
    Ok(gradients)
}

/// The units of a cube along the inputs of a layer; the others of a cube share out the outputs.
const WIDTH: u32 = 32;

/// Cubes with a unit for each of so many numbers.
fn one_each(client: &Client, count: usize) -> CubeCount {
    cubes(client, count.div_ceil(UNITS as usize))
}

#[cube(launch)]
fn hidden_kernel<A: DynamicActivation>(
    context: &[f32],
    weight: &[f32],
    bias: &[f32],
    hidden: &mut [f32],
    samples: usize,
    inputs: usize,
    units: usize,
) {
    if ABSOLUTE_POS < samples * units {
        let value = linear(
            context,
            weight,
            bias,
            ABSOLUTE_POS / units,
            ABSOLUTE_POS % units,
            inputs,
        );
        hidden[ABSOLUTE_POS] = inner::<A>(value);
    }
}

#[cube(launch)]
fn coefficients_kernel<A: DynamicActivation>(
    hidden: &[f32],
    weight: &[f32],
    bias: &[f32],
    residuals: &mut [f32],
    coefficients: &mut [f32],
    samples: usize,
    units: usize,
    outputs: usize,
) {
    if ABSOLUTE_POS < samples * outputs {
        let output = ABSOLUTE_POS % outputs;
        let raw = linear(hidden, weight, bias, ABSOLUTE_POS / outputs, output, units);
        let residual = residual::<A>(raw, output);
        residuals[ABSOLUTE_POS] = residual;
        coefficients[ABSOLUTE_POS] = coefficient::<A>(residual, output);
    }
}

/// An output of a fully connected layer.
#[cube]
fn linear(input: &[f32], weight: &[f32], bias: &[f32], sample: usize, output: usize, inputs: usize) -> f32 {
    let mut sum = 0.0f32;
    for i in 0..inputs {
        sum += input[sample * inputs + i] * weight[output * inputs + i];
    }
    sum + bias[output]
}

/// The gradients of the raw values and of the hidden units.
#[cube(launch)]
fn hidden_gradient_kernel<A: DynamicActivation>(
    weight: &[f32],
    hidden: &[f32],
    residuals: &[f32],
    grad_coefficients: &[f32],
    by_raw: &mut [f32],
    by_hidden: &mut [f32],
    samples: usize,
    units: usize,
    outputs: usize,
    #[comptime] width: u32,
    #[comptime] relu: bool,
) {
    let tiles = units.div_ceil(width as usize);
    let sample = CUBE_POS / tiles;
    let unit = CUBE_POS % tiles * width as usize + UNIT_POS_X as usize;
    let is_unit = sample < samples && unit < units;
    let height = comptime![UNITS / width];
    let mut sum = 0.0f32;
    if is_unit {
        for step in 0..outputs.div_ceil(height as usize) {
            let output = step * height as usize + UNIT_POS_Y as usize;
            if output < outputs {
                let i = sample * outputs + output;
                let grad = grad_raw::<A>(residuals[i], grad_coefficients[i], output);
                sum += weight[output * units + unit] * grad;
                if unit == 0 {
                    by_raw[i] = grad;
                }
            }
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(comptime![UNITS as usize]);
    shared[UNIT_POS as usize] = sum;
    sync_cube();
    if UNIT_POS_Y == 0 && is_unit {
        for y in 1..height {
            sum += shared[(y * width + UNIT_POS_X) as usize];
        }
        let i = sample * units + unit;
        if comptime![relu] {
            sum = select(hidden[i] <= 0.0, 0.0f32, sum);
        }
        by_hidden[i] = sum;
    }
}

/// What follows from these: the gradients of the context and of all parameters.
#[cube(launch)]
fn gradients_kernel(
    first_weight: &[f32],
    context: &[f32],
    hidden: &[f32],
    by_raw: &[f32],
    by_hidden: &[f32],
    by_context: &mut [f32],
    by_first_weight: &mut [f32],
    by_first_bias: &mut [f32],
    by_second_weight: &mut [f32],
    by_second_bias: &mut [f32],
    samples: usize,
    inputs: usize,
    units: usize,
    outputs: usize,
) {
    let first = samples * inputs;
    let second = first + units * (inputs + 1);
    if ABSOLUTE_POS < first {
        let (sample, input) = (ABSOLUTE_POS / inputs, ABSOLUTE_POS % inputs);
        let mut sum = 0.0f32;
        for unit in 0..units {
            sum += first_weight[unit * inputs + input] * by_hidden[sample * units + unit];
        }
        by_context[ABSOLUTE_POS] = sum;
    } else if ABSOLUTE_POS < second {
        let i = ABSOLUTE_POS - first;
        linear_gradients(
            context,
            by_hidden,
            by_first_weight,
            by_first_bias,
            i,
            samples,
            inputs,
            units,
        );
    } else if ABSOLUTE_POS - second < outputs * (units + 1) {
        let i = ABSOLUTE_POS - second;
        linear_gradients(
            hidden,
            by_raw,
            by_second_weight,
            by_second_bias,
            i,
            samples,
            units,
            outputs,
        );
    }
}

/// One number of the gradients of a fully connected layer: of a row of the weight, or after these of the bias.
#[cube]
fn linear_gradients(
    input: &[f32],
    grad: &[f32],
    by_weight: &mut [f32],
    by_bias: &mut [f32],
    i: usize,
    samples: usize,
    inputs: usize,
    outputs: usize,
) {
    let (output, column) = (i / (inputs + 1), i % (inputs + 1));
    let mut sum = 0.0f32;
    if column < inputs {
        for sample in 0..samples {
            sum += grad[sample * outputs + output] * input[sample * inputs + column];
        }
        by_weight[output * inputs + column] = sum;
    } else {
        for sample in 0..samples {
            sum += grad[sample * outputs + output];
        }
        by_bias[output] = sum;
    }
}
