//! The hyper function of two fully connected layers: from a context to the coefficients of an activation, and the way back.
//!
//! Its arrays are small, so a unit has one number and adds up for itself; what counts is that the launches are few.

use crate::Error;
use crate::grid::{UNITS, cubes};
use crate::operands::{Operands, buffer, check_size};
use crate::squash::{coefficient, grad_raw, residual};
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
            check_size(what, count * size_of::<f32>(), handle)?;
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
    let (coefficients, residuals) = (
        f32s(client, samples * outputs),
        f32s(client, samples * outputs),
    );
    if samples > 0 {
        hidden_kernel::launch(
            client,
            one_each(client, samples * units),
            CubeDim::new_1d(UNITS),
            buffer(context, samples * inputs),
            buffer(first[0], units * inputs),
            buffer(first[1], units),
            buffer(&hidden, samples * units),
            inputs,
            A::HYPER.inner == Inner::Relu,
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
            units,
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
        check_size(what, count * size_of::<f32>(), handle)?;
    }
    let grad_raw = f32s(client, samples * outputs);
    if samples > 0 {
        grad_raw_kernel::launch::<A>(
            client,
            one_each(client, samples * outputs),
            CubeDim::new_1d(UNITS),
            buffer(residuals, samples * outputs),
            buffer(grad_coefficients, samples * outputs),
            buffer(&grad_raw, samples * outputs),
        );
    }
    let relu = (A::HYPER.inner == Inner::Relu).then_some(hidden);
    let grad_hidden = linear_input(client, [samples, units, outputs], second[0], &grad_raw, relu);
    Ok(HyperGradients {
        context: linear_input(client, [samples, inputs, units], first[0], &grad_hidden, None),
        first: linear_weight(client, [samples, inputs, units], context, &grad_hidden),
        second: linear_weight(client, [samples, units, outputs], hidden, &grad_raw),
    })
}

/// The gradient of a fully connected layer's input, `[N, I]`, for that of its output, `[N, O]`; 0 where the input is not positive
/// if it is what a relu made.
fn linear_input(
    client: &Client,
    [samples, inputs, outputs]: [usize; 3],
    weight: &Handle,
    grad: &Handle,
    relu: Option<&Handle>,
) -> Handle {
    let result = f32s(client, samples * inputs);
    if samples * inputs > 0 {
        let width = WIDTH.min((inputs as u32).next_power_of_two());
        linear_input_kernel::launch(
            client,
            cubes(client, samples * inputs.div_ceil(width as usize)),
            CubeDim::new_2d(width, UNITS / width),
            buffer(weight, outputs * inputs),
            buffer(grad, samples * outputs),
            relu.map(|input| buffer(input, samples * inputs)).into(),
            buffer(&result, samples * inputs),
            samples,
            inputs,
            outputs,
            width,
        );
    }
    result
}

/// The gradients of a fully connected layer's weight, `[O, I]`, and bias, `[O]`, for that of its output, `[N, O]`.
fn linear_weight(
    client: &Client,
    [samples, inputs, outputs]: [usize; 3],
    input: &Handle,
    grad: &Handle,
) -> [Handle; 2] {
    let (weight, bias) = (f32s(client, outputs * inputs), f32s(client, outputs));
    if outputs > 0 {
        linear_weight_kernel::launch(
            client,
            one_each(client, outputs * (inputs + 1)),
            CubeDim::new_1d(UNITS),
            buffer(input, samples * inputs),
            buffer(grad, samples * outputs),
            buffer(&weight, outputs * inputs),
            buffer(&bias, outputs),
            samples,
            inputs,
            outputs,
        );
    }
    [weight, bias]
}

/// The units of a cube along the inputs of a layer; the others of a cube share out the outputs.
const WIDTH: u32 = 32;

fn f32s(client: &Client, count: usize) -> Handle {
    client.empty(count.max(1) * size_of::<f32>())
}

/// Cubes with a unit for each of so many numbers.
fn one_each(client: &Client, count: usize) -> CubeCount {
    cubes(client, count.div_ceil(UNITS as usize))
}

#[cube(launch)]
fn hidden_kernel(
    context: &[f32],
    weight: &[f32],
    bias: &[f32],
    hidden: &mut [f32],
    inputs: usize,
    #[comptime] relu: bool,
) {
    if ABSOLUTE_POS < hidden.len() {
        let units = bias.len();
        let mut value = linear(context, weight, bias, ABSOLUTE_POS / units, ABSOLUTE_POS % units, inputs);
        if comptime![relu] {
            value = select(value <= 0.0, 0.0f32, value);
        }
        hidden[ABSOLUTE_POS] = value;
    }
}

#[cube(launch)]
fn coefficients_kernel<A: DynamicActivation>(
    hidden: &[f32],
    weight: &[f32],
    bias: &[f32],
    residuals: &mut [f32],
    coefficients: &mut [f32],
    units: usize,
) {
    if ABSOLUTE_POS < residuals.len() {
        let outputs = bias.len();
        let output = ABSOLUTE_POS % outputs;
        let raw = linear(hidden, weight, bias, ABSOLUTE_POS / outputs, output, units);
        let residual = residual::<A>(raw, output);
        residuals[ABSOLUTE_POS] = residual;
        coefficients[ABSOLUTE_POS] = coefficient::<A>(residual, output);
    }
}

/// An output of a fully connected layer.
#[cube]
fn linear(
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    sample: usize,
    output: usize,
    inputs: usize,
) -> f32 {
    let mut sum = 0.0f32;
    for i in 0..inputs {
        sum += input[sample * inputs + i] * weight[output * inputs + i];
    }
    sum + bias[output]
}

#[cube(launch)]
fn grad_raw_kernel<A: DynamicActivation>(residuals: &[f32], grad_coefficients: &[f32], result: &mut [f32]) {
    if ABSOLUTE_POS < result.len() {
        result[ABSOLUTE_POS] = grad_raw::<A>(
            residuals[ABSOLUTE_POS],
            grad_coefficients[ABSOLUTE_POS],
            ABSOLUTE_POS,
        );
    }
}

#[cube(launch)]
fn linear_input_kernel(
    weight: &[f32],
    grad: &[f32],
    relu: ComptimeOption<&[f32]>,
    result: &mut [f32],
    samples: usize,
    inputs: usize,
    outputs: usize,
    #[comptime] width: u32,
) {
    let tiles = inputs.div_ceil(width as usize);
    let sample = CUBE_POS / tiles;
    let input = CUBE_POS % tiles * width as usize + UNIT_POS_X as usize;
    let is_input = sample < samples && input < inputs;
    let height = comptime![UNITS / width];
    let mut sum = 0.0f32;
    if is_input {
        for step in 0..outputs.div_ceil(height as usize) {
            let output = step * height as usize + UNIT_POS_Y as usize;
            if output < outputs {
                sum += weight[output * inputs + input] * grad[sample * outputs + output];
            }
        }
    }
    let mut shared = Shared::<[f32]>::new_slice(comptime![UNITS as usize]);
    shared[UNIT_POS as usize] = sum;
    sync_cube();
    if UNIT_POS_Y == 0 && is_input {
        let mut sum = 0.0f32;
        for y in 0..height {
            sum += shared[(y * width + UNIT_POS_X) as usize];
        }
        let i = sample * inputs + input;
        #[comptime]
        if let ComptimeOption::Some(relu) = relu {
            sum = select(relu[i] <= 0.0, 0.0f32, sum);
        }
        result[i] = sum;
    }
}

#[cube(launch)]
fn linear_weight_kernel(
    input: &[f32],
    grad: &[f32],
    by_weight: &mut [f32],
    by_bias: &mut [f32],
    samples: usize,
    inputs: usize,
    outputs: usize,
) {
    let output = ABSOLUTE_POS / (inputs + 1);
    let i = ABSOLUTE_POS % (inputs + 1);
    if output < outputs {
        let mut sum = 0.0f32;
        if i < inputs {
            for sample in 0..samples {
                sum += grad[sample * outputs + output] * input[sample * inputs + i];
            }
            by_weight[output * inputs + i] = sum;
        } else {
            for sample in 0..samples {
                sum += grad[sample * outputs + output];
            }
            by_bias[output] = sum;
        }
    }
}
