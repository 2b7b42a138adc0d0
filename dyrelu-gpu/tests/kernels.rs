//! The GPU kernels against those of the CPU in double precision, on whatever device there is.

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{assert_slices_close, input};
use cubecl::Device;
use cubecl::prelude::*;
use cubecl::server::Handle;
use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyShiftMax, DyT,
    DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon, OneDynamicPiece, PRelu, Plu, Pwlu, SRelu,
    SqueezeExcite,
};
use dyrelu::kernels::Level;
use dyrelu::kernels::piecewise::{self, PieceSet};
use dyrelu::{DynamicActivation, Sharing, dynamic_activation};
use dyrelu_core::kernels::attention::{self as attention_on_cpu, Scaling};
use dyrelu_core::kernels::hyper as hyper_on_cpu;
use dyrelu_core::{Source, sets};
use dyrelu_gpu::{
    Error, Hyper, Number, Operands, Planes, add_gradients, attention, attention_backward, backward, forward,
    gradient_of_weight, hyper, hyper_backward, means, scores, supports, supports_hyper,
};
use half::{bf16, f16};

macro_rules! lines {
    ($($name:ident: $k:tt $share:tt;)*) => {$(
        #[dynamic_activation(k = $k, share = $share)]
        struct $name;
    )*};
}

lines! {
    A1: 1 "spatial+channel"; A2: 2 "spatial+channel"; A3: 3 "spatial+channel"; A4: 4 "spatial+channel";
    B1: 1 "spatial"; B2: 2 "spatial"; B3: 3 "spatial"; B4: 4 "spatial";
    C1: 1 "none"; C2: 2 "none"; C3: 3 "none"; C4: 4 "none";
}

#[dynamic_activation(k = 3, share = "spatial+channel", combine = "min")]
struct MinA;
#[dynamic_activation(k = 17, share = "spatial", combine = "sum")]
struct ManyB;
#[dynamic_activation(k = 33, share = "none", combine = "sum")]
struct ManyC;
#[dynamic_activation(k = 4, share = "none", combine = "sum", piece = |x, a, b| a * tanh(x) + b, init(a = 0.3, b = 0.1))]
struct SumC;
#[dynamic_activation(
    k = 2, share = "none", init(a = [1.0, 0.1], t = 0.2),
    piece = |x, a, t| if x > t && !(x >= 2.0) { a * x } else { exp_m1(min(x, t)) * a + softplus(x) }
)]
struct BranchesC;
#[dynamic_activation(
    k = 2, share = "spatial", init(a = 0.8, b = 0.3), learned(c = shared(0.5)), squash(b = "sigmoid"),
    piece = |x, a, b, c| a * sigmoid(b * x) * abs(x) / (1.5 + c * c) + cos(x) - 1 / (2 + sin(b))
)]
struct FunctionsB;

/// The shape of x, and how it is stored.
#[derive(Debug, Clone, Copy)]
struct Case {
    samples: usize,
    channels: usize,
    positions: usize,
    number: Number,
}

impl Case {
    const fn new(samples: usize, channels: usize, positions: usize) -> Self {
        Self {
            samples,
            channels,
            positions,
            number: Number::F32,
        }
    }

    /// The numbers as x has them.
    fn round(self, values: Vec<f64>) -> Vec<f64> {
        let round: fn(f64) -> f64 = match self.number {
            Number::F32 => |value| value,
            Number::F16 => |value| f16::from_f64(value).to_f64(),
            Number::Bf16 => |value| bf16::from_f64(value).to_f64(),
        };
        values.into_iter().map(round).collect()
    }

    fn upload(self, client: &Client, values: &[f64]) -> Handle {
        let bytes: Vec<u8> = match self.number {
            Number::F32 => return upload(client, values),
            Number::F16 => values
                .iter()
                .flat_map(|&value| f16::from_f64(value).to_ne_bytes())
                .collect(),
            Number::Bf16 => values
                .iter()
                .flat_map(|&value| bf16::from_f64(value).to_ne_bytes())
                .collect(),
        };
        client.create_from_slice(&bytes)
    }

    fn download(self, client: &Client, handle: Handle) -> Vec<f64> {
        let bytes = client.read_one(handle).unwrap();
        let pairs = || bytes.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        match self.number {
            Number::F32 => widen(&bytes),
            Number::F16 => pairs().map(|pair| f16::from_ne_bytes(pair).to_f64()).collect(),
            Number::Bf16 => pairs().map(|pair| bf16::from_ne_bytes(pair).to_f64()).collect(),
        }
    }

    /// How far results stored as x may be from exact ones.
    fn tolerance(self) -> f64 {
        match self.number {
            Number::F32 => 1e-5,
            Number::F16 => f16::EPSILON.to_f64(),
            Number::Bf16 => bf16::EPSILON.to_f64(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "input that f32 holds exactly")]
fn upload(client: &Client, values: &[f64]) -> Handle {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|&value| (value as f32).to_ne_bytes())
        .collect();
    client.create_from_slice(&bytes)
}

/// The nearest number that f32 holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "rounds to f32")]
fn single(value: f64) -> f64 {
    (value as f32).into()
}

fn widen(bytes: &[u8]) -> Vec<f64> {
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap()).into())
        .collect()
}

/// Values and gradients of an activation, on both engines.
fn check<A: DynamicActivation>(case: Case) {
    let client = Device::default().client();
    let Case {
        samples,
        channels,
        positions,
        number,
    } = case;
    let (sets, len) = match A::SHARING {
        Sharing::SpatialAndChannel => (1, channels * positions),
        Sharing::Spatial | Sharing::Unshared => (channels, positions),
    };
    let what = format!("{} {case:?}", A::NAME);
    let elements = samples * channels * positions;
    let x = case.round(input(elements, 1));
    let grad_y = case.round(input(elements, 2));
    let coefficients = input(samples * sets * A::Pieces::P * A::Pieces::K, 3);
    let attention: Vec<f64> = match A::SHARING {
        Sharing::Unshared => input(samples * len, 4)
            .into_iter()
            .map(|value| value.abs() / 2.0)
            .collect(),
        _ => vec![],
    };
    let attention: Vec<f64> = attention.into_iter().map(single).collect();

    let operands = piecewise::Operands {
        len,
        coefficients: &coefficients,
        attention: &attention,
    };
    let mut expected_y = vec![0.0; elements];
    A::Pieces::forward(Level::new(), operands, &x, &mut expected_y);
    let [mut expected_x, mut expected_coefficients, mut expected_attention] =
        [elements, coefficients.len(), attention.len()].map(|len| vec![0.0; len]);
    let gradients = piecewise::Gradients {
        x: &mut expected_x,
        coefficients: &mut expected_coefficients,
        attention: &mut expected_attention,
    };
    A::Pieces::backward(Level::new(), operands, &x, &grad_y, gradients);

    let (x, grad_y) = (case.upload(&client, &x), case.upload(&client, &grad_y));
    let coefficients = (!coefficients.is_empty()).then(|| upload(&client, &coefficients));
    let attention = (A::SHARING == Sharing::Unshared).then(|| upload(&client, &attention));
    let operands = Operands {
        samples,
        sets,
        len,
        number,
        x: &x,
        coefficients: coefficients.as_ref(),
        attention: attention.as_ref(),
    };
    let y = forward::<A>(&client, &operands).unwrap();
    let y = case.download(&client, y);
    assert_slices_close(&format!("y of {what}"), &y, &expected_y, case.tolerance());

    let gradients = backward::<A>(&client, &operands, &grad_y).unwrap();
    let grad_x = case.download(&client, gradients.x);
    assert_slices_close(
        &format!("gradient of x of {what}"),
        &grad_x,
        &expected_x,
        case.tolerance(),
    );
    let found = gradients
        .coefficients
        .map_or(vec![], |found| widen(&client.read_one(found).unwrap()));
    assert_slices_close(
        &format!("gradient of coefficients of {what}"),
        &found,
        &expected_coefficients,
        1e-5,
    );
    if let Some(found) = gradients.attention {
        let found = widen(&client.read_one(found).unwrap());
        assert_slices_close(
            &format!("gradient of attention of {what}"),
            &found,
            &expected_attention,
            1e-5,
        );
    }
}

/// Runs a check for many activations.
macro_rules! for_each {
    ($case:expr, $($activation:ident)*) => {
        $(check::<$activation>($case);)*
    };
}

#[test]
fn paper() {
    for case in [
        Case::new(2, 3, 64),
        Case::new(3, 5, 49),
        Case::new(1, 2, 1),
        Case::new(2, 2, 5000),
    ] {
        for_each!(case, A1 A2 A3 A4 B1 B2 B3 B4 C1 C2 C3 C4);
    }
    // In mode C several teams of a sample, the last one not full.
    for_each!(Case::new(2, 37, 620), C1 C2 C3 C4 ManyC SumC);
}

#[test]
fn pieces_and_combinations() {
    let case = Case::new(2, 3, 60);
    for_each!(case, MinA ManyB ManyC SumC BranchesC FunctionsB);
}

#[test]
fn gallery() {
    let case = Case::new(2, 6, 36);
    for_each!(case, OneDynamicPiece DyHead DyHeadBetween SqueezeExcite ApRelu DynamicSwish MetaAcon AconC);
    for_each!(case, LeakyRelu PRelu Maxout Apl SRelu Plu Pwlu ARelu DyT HardSwish);
}

#[test]
fn many_planes() {
    check::<DyReluB>(Case::new(2, 35_000, 49));
}

/// Not every device knows both types.
#[test]
fn half_precision() {
    for number in [Number::F16, Number::Bf16] {
        if supports::<DyReluB>(&Device::default().client(), number) {
            let case = Case {
                number,
                ..Case::new(2, 3, 96)
            };
            for_each!(case, DyReluA DyReluB DyReluC DynamicSwish SumC);
        } else {
            println!("the device does not know {number:?}");
        }
    }
}

/// What is not finite, and ties: exactly as on the CPU.
#[test]
fn special_numbers() {
    let client = Device::default().client();
    let x = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::MAX,
    ];
    // Two lines that meet at 1, the second one steeper; then one that is −∞ where the other is 0.
    let coefficients = [
        1.0_f32,
        2.0,
        0.0,
        -1.0,
        f32::INFINITY,
        0.0,
        f32::NEG_INFINITY,
        0.0,
    ];
    let x: Vec<f32> = x.iter().chain(&x).copied().collect();
    let grad_y = vec![1.5_f32; 16];
    let operands = piecewise::Operands {
        len: 8,
        coefficients: &coefficients,
        attention: &[],
    };
    let (mut expected_y, mut expected_x, mut expected_coefficients) = ([0.0_f32; 16], [0.0; 16], [0.0; 8]);
    piecewise::forward::<DyReluB, _, 2, 2>(Level::new(), operands, &x, &mut expected_y);
    let gradients = piecewise::Gradients {
        x: &mut expected_x,
        coefficients: &mut expected_coefficients,
        attention: &mut [],
    };
    piecewise::backward::<DyReluB, _, 2, 2>(Level::new(), operands, &x, &grad_y, gradients);

    let up = |values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        client.create_from_slice(&bytes)
    };
    let (x, grad_y, coefficients) = (up(&x), up(&grad_y), up(&coefficients));
    let operands = Operands {
        samples: 1,
        sets: 2,
        len: 8,
        number: Number::F32,
        x: &x,
        coefficients: Some(&coefficients),
        attention: None,
    };
    let same = |what: &str, found: Handle, expected: &[f32]| {
        let found = widen(&client.read_one(found).unwrap());
        for (i, (found, &expected)) in found.iter().zip(expected).enumerate() {
            let expected = f64::from(expected);
            assert!(
                found.to_bits() == expected.to_bits()
                    || found.is_nan() && expected.is_nan()
                    || *found == 0.0 && expected == 0.0,
                "{what}, element {i}: expected {expected}, found {found}"
            );
        }
    };
    same("y", forward::<DyReluB>(&client, &operands).unwrap(), &expected_y);
    let gradients = backward::<DyReluB>(&client, &operands, &grad_y).unwrap();
    same("gradient of x", gradients.x, &expected_x);
    same(
        "gradient of coefficients",
        gradients.coefficients.unwrap(),
        &expected_coefficients,
    );
}

/// y is NaN where it is on the CPU: a driver may make a maximum of a comparison, which loses NaN.
fn check_nan<A: DynamicActivation>() {
    let client = Device::default().client();
    let x = [f64::NAN, 1.5, f64::NAN, -2.5, 0.25, f64::NAN, -0.5, 4.0];
    let coefficients = input(A::Pieces::P * A::Pieces::K, 3);
    let operands = piecewise::Operands {
        len: 8,
        coefficients: &coefficients,
        attention: &[],
    };
    let mut expected = [0.0; 8];
    A::Pieces::forward(Level::new(), operands, &x, &mut expected);
    let (x, coefficients) = (upload(&client, &x), upload(&client, &coefficients));
    let operands = Operands {
        samples: 1,
        sets: 1,
        len: 8,
        number: Number::F32,
        x: &x,
        coefficients: Some(&coefficients),
        attention: None,
    };
    let found = forward::<A>(&client, &operands).unwrap();
    let found = widen(&client.read_one(found).unwrap());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(
            found.is_nan(),
            expected.is_nan(),
            "{}: {found}, expected {expected}",
            A::NAME
        );
    }
}

#[test]
fn nan_stays() {
    macro_rules! check_each {
        ($($activation:ident)*) => {
            $(check_nan::<$activation>();)*
        };
    }
    check_each!(A1 A2 B3 MinA FunctionsB DyHead SqueezeExcite ApRelu DynamicSwish MetaAcon AconC);
    check_each!(LeakyRelu PRelu Maxout Apl SRelu Plu Pwlu ARelu DyT HardSwish);
}

#[test]
fn same_bits() {
    let client = Device::default().client();
    let (x, coefficients) = (upload(&client, &input(1 << 18, 1)), upload(&client, &input(4, 2)));
    let operands = Operands {
        samples: 1,
        sets: 1,
        len: 1 << 18,
        number: Number::F32,
        x: &x,
        coefficients: Some(&coefficients),
        attention: None,
    };
    let run = || {
        let gradients = backward::<DyReluA>(&client, &operands, &x).unwrap();
        client.read_one(gradients.coefficients.unwrap()).unwrap().to_vec()
    };
    let first = run();
    assert!((0..20).all(|_| run() == first));
}

#[test]
fn errors() {
    let client = Device::default().client();
    let buffer = client.empty(64);
    let fitting = Operands {
        samples: 1,
        sets: 2,
        len: 8,
        number: Number::F32,
        x: &buffer,
        coefficients: Some(&buffer),
        attention: None,
    };
    assert!(forward::<DyReluB>(&client, &fitting).is_ok());
    let check = |operands: Operands<'_>, message: &str| {
        assert_eq!(
            forward::<DyReluB>(&client, &operands).unwrap_err().to_string(),
            message
        );
    };
    check(Operands { len: 9, ..fitting }, "expected 72 bytes of x, found 64");
    check(
        Operands {
            sets: 8,
            len: 1,
            ..fitting
        },
        "expected 128 bytes of coefficients, found 64",
    );
    check(
        Operands {
            coefficients: None,
            ..fitting
        },
        "expected 32 bytes of coefficients, found 0",
    );
    check(
        Operands {
            samples: 1 << 31,
            ..fitting
        },
        "expected fewer than 2³² elements, found 34359738368",
    );
    check(
        Operands {
            attention: Some(&buffer),
            ..fitting
        },
        "expected no attention in modes A and B, found one",
    );
    let error = forward::<DyReluC>(&client, &fitting).unwrap_err();
    assert_eq!(
        error,
        Error::Attention {
            expected: "an attention in mode C",
            found: "none"
        }
    );
    let error = forward::<DyShiftMax>(&client, &fitting).unwrap_err();
    assert_eq!(
        error,
        Error::Unsupported {
            name: "DyShiftMax",
            number: Number::F32
        }
    );
}

#[test]
fn nothing() {
    check::<DyReluB>(Case::new(0, 3, 7));
    check::<DyReluC>(Case::new(2, 3, 0));
}

/// What the hyper function and the attention see of x, and the gradients on the way back.
#[test]
fn summary() {
    let client = Device::default().client();
    for (samples, channels, positions, number) in [
        (2, 3, 1, Number::F32),
        (3, 5, 49, Number::F32),
        (2, 37, 64, Number::F32),
        (2, 7, 3136, Number::F32),
        (1, 2, 20_001, Number::F32),
        (2, 7, 196, Number::F16),
        (0, 3, 7, Number::F32),
        (2, 3, 0, Number::F32),
    ] {
        let case = Case {
            number,
            ..Case::new(samples, channels, positions)
        };
        let rows = samples * channels;
        let (x, weight) = (case.round(input(rows * positions, 1)), input(channels, 2));
        let (grad_means, grad_scores) = (input(rows, 3), input(samples * positions, 4));
        let [of_weight, of_means, of_scores] =
            [&weight, &grad_means, &grad_scores].map(|values| upload(&client, values));
        let handle = case.upload(&client, &x);
        let planes = Planes {
            samples,
            channels,
            positions,
            number,
            values: &handle,
        };
        let compare = |what: &str, found: Handle, expected: &[f64]| {
            let found = if expected.is_empty() {
                vec![]
            } else {
                widen(&client.read_one(found).unwrap())
            };
            assert_slices_close(&format!("{case:?}: {what}"), &found, expected, 1e-5);
        };
        // The row of an element, and its place in the array of scores.
        let row = |i: usize| i / positions;
        let place = |i: usize| row(i) / channels * positions + i % positions;

        let mut sums = vec![0.0; rows];
        let mut scores_of_x = vec![0.75; samples * positions];
        let mut by_weight = vec![0.0; channels];
        for (i, x) in x.iter().enumerate() {
            sums[row(i)] += x / positions as f64;
            scores_of_x[place(i)] += x * weight[row(i) % channels];
            by_weight[row(i) % channels] += x * grad_scores[place(i)];
        }
        if positions > 0 {
            compare("means", means(&client, planes).unwrap(), &sums);
        }
        compare(
            "scores",
            scores(&client, planes, &of_weight, &upload(&client, &[0.75])).unwrap(),
            &scores_of_x,
        );
        compare(
            "gradient of the weight",
            gradient_of_weight(&client, planes, &of_scores).unwrap(),
            &by_weight,
        );

        let mut expected = x;
        for (with_means, with_scores) in [(true, false), (false, true), (true, true)] {
            let means = with_means.then_some(&of_means);
            let scores = with_scores.then_some((&of_weight, &of_scores));
            add_gradients(&client, planes, means, scores).unwrap();
            for (i, value) in expected.iter_mut().enumerate() {
                if with_means {
                    *value += grad_means[row(i)] / positions as f64;
                }
                if with_scores {
                    *value += weight[row(i) % channels] * grad_scores[place(i)];
                }
            }
            expected = case.round(expected);
            if expected.is_empty() {
                continue;
            }
            let found = case.download(&client, handle.clone());
            assert_slices_close(
                &format!("{case:?}: gradient of x"),
                &found,
                &expected,
                case.tolerance(),
            );
        }
    }
}

/// The hyper function, forward and backward.
#[expect(clippy::too_many_lines, reason = "both passes on both engines")]
fn check_hyper<A: DynamicActivation>([samples, channels, inputs, units]: [usize; 4]) {
    let client = Device::default().client();
    let (count, k) = (A::Pieces::P * A::Pieces::K, A::Pieces::K);
    let outputs = sets::<A>(channels) * count;
    let numbers = |len: usize, seed: u64| -> Vec<f64> {
        let numbers = input(len, seed).into_iter();
        numbers.map(single).collect()
    };
    let context = numbers(samples * inputs, 1);
    // As large as an initialiser makes them.
    let weight = |rows: usize, columns: usize, seed| -> Vec<f64> {
        let numbers = numbers(rows * columns, seed).into_iter();
        numbers
            .map(|value| single(value / (columns as f64).sqrt()))
            .collect()
    };
    let weights = [
        weight(units, inputs, 2),
        numbers(units, 3),
        weight(outputs, units, 4),
        numbers(outputs, 5),
    ];
    let grad_coefficients = numbers(samples * outputs, 6);
    let (squashes, constants): (Vec<_>, Vec<_>) = A::COEFFICIENTS
        .iter()
        .map(|coefficient| match coefficient.source {
            Source::Dynamic { lambda, squash } => (squash, (coefficient.init, lambda)),
            Source::Learned { .. } => unreachable!("dynamic coefficients only"),
        })
        .unzip();
    let constants_of = |i: usize| {
        let (init, lambda) = constants[i % count / k];
        (init.of(i % k), lambda.of(i % k))
    };

    let linear = |inputs, weight, bias| hyper_on_cpu::Linear { inputs, weight, bias };
    let on_cpu = hyper_on_cpu::Weights {
        layers: hyper_on_cpu::Layers::Two {
            first: linear(inputs, &weights[0], &weights[1]),
            inner: A::HYPER.inner,
            second: linear(units, &weights[2], &weights[3]),
        },
        squashes: &squashes,
        k,
    };
    let mut expected_hidden = vec![0.0; samples * units];
    let mut residuals = vec![0.0; samples * outputs];
    hyper_on_cpu::forward(
        Level::new(),
        on_cpu,
        &context,
        &mut expected_hidden,
        &mut residuals,
    );
    let coefficients = residuals.iter().enumerate().map(|(i, residual)| {
        let (init, lambda) = constants_of(i);
        init + lambda * residual
    });
    let coefficients: Vec<f64> = coefficients.collect();
    let mut grad_residuals: Vec<f64> = grad_coefficients.clone();
    for (i, grad) in grad_residuals.iter_mut().enumerate() {
        *grad *= constants_of(i).1;
    }
    let mut expected = [samples * inputs, samples * units].map(|len| vec![0.0; len]);
    let mut of_weights = weights.each_ref().map(|weight| vec![0.0; weight.len()]);
    {
        let [context_grad, hidden_grad] = &mut expected;
        let [w1, b1, w2, b2] = &mut of_weights;
        hyper_on_cpu::backward(
            Level::new(),
            on_cpu,
            hyper_on_cpu::Activations {
                context: &context,
                hidden: &expected_hidden,
                residuals: &residuals,
            },
            &mut grad_residuals,
            hyper_on_cpu::Gradients {
                context: context_grad,
                hidden: hidden_grad,
                layers: [[w1, b1], [w2, b2]],
            },
        );
    }

    let [context, grad_coefficients] = [&context, &grad_coefficients].map(|values| upload(&client, values));
    let [w1, b1, w2, b2] = weights.each_ref().map(|weight| upload(&client, weight));
    let operands = Hyper {
        samples,
        channels,
        inputs,
        hidden: units,
        context: &context,
        first: [&w1, &b1],
        second: [&w2, &b2],
    };
    let compare = |what: &str, found: &Handle, expected: &[f64]| {
        let found = widen(&client.read_one(found.clone()).unwrap());
        let what = format!("{} {samples}×{inputs}, {units} units: {what}", A::NAME);
        assert_slices_close(&what, &found[..expected.len()], expected, 1e-5);
    };
    let found = hyper::<A>(&client, &operands).unwrap();
    compare("hidden units", &found.hidden, &expected_hidden);
    compare("residuals", &found.residuals, &residuals);
    compare("coefficients", &found.coefficients, &coefficients);
    let gradients = hyper_backward::<A>(
        &client,
        &operands,
        &found.hidden,
        &found.residuals,
        &grad_coefficients,
    )
    .unwrap();
    compare("gradient of the context", &gradients.context, &expected[0]);
    let found = gradients.first.iter().chain(&gradients.second);
    for (i, (found, expected)) in found.zip(&of_weights).enumerate() {
        compare(&format!("gradient of parameter {i}"), found, expected);
    }
}

#[dynamic_activation(
    k = 3, share = "spatial", piece = |x, a, b, c, d, e| a * x + b * sigmoid(c * x) + d * x * e,
    init(a = [1.0, 0.5, 0.0], b = 0.1, c = 1.0, d = 0.0, e = [0.0, 1.0, 2.0]), lambda(a = [1.0, 0.0, 2.0], e = 0.25),
    squash(a = "tanh", b = "sigmoid", c = "hard_sigmoid", d = "none", e = "2hard_sigmoid-1"),
    hyper(inner = "none")
)]
struct Squashes;

#[test]
fn hyper_functions() {
    for shape in [[3, 5, 5, 4], [1, 1, 1, 1], [17, 40, 300, 70], [2, 96, 96, 33]] {
        check_hyper::<DyReluA>(shape);
        check_hyper::<DyReluB>(shape);
        check_hyper::<DyHead>(shape);
        check_hyper::<ApRelu>(shape);
        check_hyper::<Squashes>(shape);
    }
    assert!(!supports_hyper::<PRelu>());
}

/// A mean that is no number reaches all coefficients of its sample, and no others.
#[test]
fn hyper_function_of_nan() {
    let client = Device::default().client();
    let [context, ones, zeros] =
        [&[f64::NAN, 1.0, 1.0, 1.0][..], &[1.0; 16], &[0.0; 8]].map(|values| upload(&client, values));
    let operands = Hyper {
        samples: 2,
        channels: 2,
        inputs: 2,
        hidden: 2,
        context: &context,
        first: [&ones, &zeros],
        second: [&ones, &zeros],
    };
    let found = hyper::<DyReluB>(&client, &operands).unwrap().coefficients;
    let found = widen(&client.read_one(found).unwrap());
    assert!(found[..8].iter().all(|value| value.is_nan()), "{found:?}");
    assert!(found[8..].iter().all(|value| value.is_finite()), "{found:?}");
}

#[test]
fn attentions() {
    let client = Device::default().client();
    for (samples, positions, scaling) in [
        (2, 1, Scaling::PAPER),
        (3, 49, Scaling::PAPER),
        (1, 1000, Scaling::PAPER),
        (
            2,
            3136,
            Scaling {
                temperature: 0.5,
                average: 0.9,
                cut_off: 1.5,
            },
        ),
    ] {
        let count = samples * positions;
        let numbers = |seed| -> Vec<f64> {
            let numbers = input(count, seed).into_iter();
            numbers.map(single).collect()
        };
        let (scores, grad) = (numbers(1), numbers(2));
        let operands = attention_on_cpu::Operands {
            positions,
            scaling,
            weight: &[],
        };
        let (mut softmax, mut expected) = (scores.clone(), vec![0.0; count]);
        attention_on_cpu::softmax(Level::new(), operands, &mut softmax, &mut expected);
        let mut expected_grad = grad.clone();
        attention_on_cpu::softmax_backward(Level::new(), operands, &softmax, &mut expected_grad);

        let [scores, grad] = [scores, grad].map(|values| upload(&client, &values));
        let [found, softmax] = attention(&client, [samples, positions], scaling, &scores).unwrap();
        let found_grad = attention_backward(&client, [samples, positions], scaling, &softmax, &grad).unwrap();
        for (what, found, expected) in [
            ("π", found, &expected),
            ("gradient of scores", found_grad, &expected_grad),
        ] {
            let found = widen(&client.read_one(found).unwrap());
            assert_slices_close(&format!("{what}, {samples}×{positions}"), &found, expected, 1e-5);
        }
    }
    // Whatever a sample has that is no number, the other sample is left alone.
    for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut scores = vec![0.5; 600];
        scores[..300].fill(f64::NEG_INFINITY);
        scores[100] = special;
        let scores = upload(&client, &scores);
        let [found, _] = attention(&client, [2, 300], Scaling::PAPER, &scores).unwrap();
        let found = widen(&client.read_one(found).unwrap());
        assert!(
            found[..300].iter().all(|value| value.is_nan()),
            "{special}: {found:?}"
        );
        assert!(found[300..].iter().all(|value| (value - 1.0 / 3.0).abs() < 1e-6));
    }
}
