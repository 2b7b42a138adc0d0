//! The gallery, and other activations of the whole language: against an independent implementation in PyTorch, and against
//! finite differences.

use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::safetensors::SafeTensors;
use dyrelu::{Convention, DynamicActivation, Error, Gradients, Layer, Scalar, dynamic_activation};
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeSet;
use std::fs;

mod common;

#[dynamic_activation(k = 2, share = "spatial", squash = "2steep_hard_sigmoid-1")]
struct DyHeadPaper;
#[dynamic_activation(k = 1, share = "spatial", piece = |x, s| s * x, init(s = 0.0), squash = "steep_hard_sigmoid")]
struct SteepGate;
#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 0)),
    init(a = 1.0, b = 0.0), squash = "2hard_sigmoid-1"
)]
struct LinearShift;
#[dynamic_activation(k = 1, share = "spatial", piece = |x, s| s * x, init(s = 0.0), squash = "hard_sigmoid")]
struct HardGate;
#[dynamic_activation(k = 2, share = "spatial", fixed(b = 0.0))]
struct NoIntercept;
#[dynamic_activation(
    k = 3, share = "spatial", combine = "sum", piece = |x, a, b| a * relu(x - b), learned(b = 0.0), init(a = 0.0),
    squash = "softmax"
)]
struct SoftmaxMixture;
#[dynamic_activation(k = 2, share = "spatial", squash = "tanh", hyper(layers = 1))]
struct OneLayer;
#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, a| a * x, init(a = 0.0), squash = "sigmoid", hyper(layers = 0)
)]
struct ZeroLayers;
#[dynamic_activation(
    k = 2,
    share = "spatial",
    lambda(a = 1.0, b = 1.0),
    squash = "none",
    hyper(context = "external", layers = 0)
)]
struct OutsideCoefficients;

/// The numbers of one case.
struct Case<'a> {
    name: &'a str,
    file: SafeTensors<'a>,
}

impl Case<'_> {
    fn read<T: Scalar>(&self, name: &str) -> ArrayD<T> {
        assert!(self.has(name), "{}: {name}", self.name);
        common::tensor(&self.file, name).mapv(T::from_f64)
    }

    fn has(&self, name: &str) -> bool {
        self.file.names().contains(&name)
    }

    /// A layer with the parameters of the case.
    fn layer<A: DynamicActivation, T: Scalar>(&self) -> Layer<A, T> {
        let x = self.read::<T>("x");
        let mut builder = A::layer::<T>(x.shape()[1]);
        if self.has("fc1.weight") {
            let shape = self.read::<T>("fc1.weight").shape().to_vec();
            builder = builder.hidden(shape[0]);
            if self.has("context") {
                builder = builder.context_channels(shape[1]);
            }
        }
        if !A::NEIGHBOURS.is_empty() {
            builder = builder.groups(3);
        }
        let mut layer = builder.build().unwrap();
        let names: Vec<_> = layer.parameters().map(|(name, _)| name).collect();
        for name in names {
            let values = self.read::<T>(name);
            layer.parameter_mut(name).unwrap().assign(&values);
        }
        layer
    }

    /// The values and all gradients.
    fn check<A: DynamicActivation, T: Scalar>(&self, tolerance: f64) {
        let layer = self.layer::<A, T>();
        let (x, grad_y) = (self.read::<T>("x"), self.read::<T>("grad_y"));
        let (y, grads) = if self.has("context") {
            let context = self.read::<T>("context");
            let layer = layer.with_context(&context).unwrap();
            let (y, cache) = layer.forward_train(&x).unwrap();
            let mut inplace = x.clone();
            layer.forward_inplace(&mut inplace).unwrap();
            assert_eq!(inplace, y, "{}: in place", self.name);
            (y, layer.backward(&x, &cache, &grad_y).unwrap())
        } else {
            let (y, cache) = layer.forward_train(&x).unwrap();
            if layer.running_statistics().is_none() {
                assert_eq!(layer.forward(&x).unwrap(), y, "{}: forward", self.name);
            }
            (y, layer.backward(&x, &cache, &grad_y).unwrap())
        };
        self.check_close("y", &y, "y", tolerance);
        self.check_gradients(&layer, &grads, tolerance);
        self.check_channels_last(&layer, &y, &grads, tolerance);
    }

    fn check_gradients<A: DynamicActivation, T: Scalar>(
        &self,
        layer: &Layer<A, T>,
        grads: &Gradients<T, IxDyn>,
        tolerance: f64,
    ) {
        self.check_close("gradient of x", &grads.x, "grad_x", tolerance);
        if let Some(context) = &grads.context {
            self.check_close("gradient of the context", context, "grad_context", tolerance);
        }
        let expected = self
            .file
            .names()
            .into_iter()
            .filter_map(|name| name.strip_prefix("grad."));
        let names: BTreeSet<_> = layer.parameters().map(|(name, _)| name).collect();
        assert_eq!(names, expected.collect(), "{}: parameters", self.name);
        for (name, grad) in grads.parameters() {
            self.check_close(name, &grad.to_owned(), &format!("grad.{name}"), tolerance);
        }
    }

    /// The same for arrays whose channels are last in memory.
    fn check_channels_last<A: DynamicActivation, T: Scalar>(
        &self,
        layer: &Layer<A, T>,
        y: &ArrayD<T>,
        grads: &Gradients<T, IxDyn>,
        tolerance: f64,
    ) {
        if self.has("context") {
            return;
        }
        let [x, grad_y] = ["x", "grad_y"].map(|name| common::channels_last(&self.read::<T>(name)));
        let (last_y, cache) = layer.forward_train(&x).unwrap();
        let last = layer.backward(&x, &cache, &grad_y).unwrap();
        let close = |found: &ArrayD<T>, expected: &ArrayD<T>, what: &str| {
            close(
                found,
                &expected.mapv(T::to_f64),
                tolerance,
                &format!("{}, channels last: {what}", self.name),
            );
        };
        close(&last_y, y, "y");
        close(&last.x, &grads.x, "gradient of x");
        for ((name, found), (_, expected)) in last.parameters().zip(grads.parameters()) {
            close(&found.to_owned(), &expected.to_owned(), name);
        }
    }

    fn check_close<T: Scalar>(&self, what: &str, found: &ArrayD<T>, expected: &str, tolerance: f64) {
        let expected = self.read::<f64>(expected);
        close(found, &expected, tolerance, &format!("{}: {what}", self.name));
    }
}

/// Every element to `tolerance`, relative to the largest of the array or to 1.
fn close<T: Scalar>(found: &ArrayD<T>, expected: &ArrayD<f64>, tolerance: f64, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let scale = expected
        .iter()
        .fold(1.0, |scale: f64, value| scale.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found.to_f64() - expected).abs();
        assert!(
            error <= tolerance * scale,
            "{what}: {} instead of {expected}",
            found.to_f64()
        );
    }
}

fn with_case<R>(name: &str, run: impl FnOnce(&Case<'_>) -> R) -> R {
    let bytes = fs::read(format!("tests/gallery/{name}.safetensors")).unwrap();
    run(&Case {
        name,
        file: SafeTensors::deserialize(&bytes).unwrap(),
    })
}

/// The loss Σ y · `grad_y`, with x, the context and the parameters moved along fixed random directions by `step`.
fn loss_at<A: DynamicActivation>(case: &Case<'_>, step: f64) -> f64 {
    let moved = |seed: u64, array: &ArrayD<f64>| array + &(common::random::<f64>(array.shape(), seed) * step);
    let mut layer = case.layer::<A, f64>();
    for (seed, (_, mut values)) in (10..).zip(layer.parameters_mut()) {
        let new = moved(seed, &values.to_owned());
        values.assign(&new);
    }
    let x = moved(1, &case.read("x"));
    let (y, _) = if case.has("context") {
        let context = moved(2, &case.read("context"));
        layer.with_context(&context).unwrap().forward_train(&x).unwrap()
    } else {
        layer.forward_train(&x).unwrap()
    };
    (y * case.read::<f64>("grad_y")).sum()
}

fn check_differences<A: DynamicActivation>(case: &Case<'_>) {
    let layer = case.layer::<A, f64>();
    let (x, grad_y) = (case.read::<f64>("x"), case.read::<f64>("grad_y"));
    let grads = if case.has("context") {
        let context = case.read::<f64>("context");
        let layer = layer.with_context(&context).unwrap();
        let (_, cache) = layer.forward_train(&x).unwrap();
        layer.backward(&x, &cache, &grad_y).unwrap()
    } else {
        let (_, cache) = layer.forward_train(&x).unwrap();
        layer.backward(&x, &cache, &grad_y).unwrap()
    };
    let along = |seed: u64, grad: &ArrayD<f64>| (grad * &common::random::<f64>(grad.shape(), seed)).sum();
    let mut expected = along(1, &grads.x);
    if let Some(context) = &grads.context {
        expected += along(2, context);
    }
    for (seed, (_, grad)) in (10..).zip(grads.parameters()) {
        expected += along(seed, &grad.to_owned());
    }
    let step = 1e-5;
    let found = (loss_at::<A>(case, step) - loss_at::<A>(case, -step)) / (2.0 * step);
    assert!(
        (found - expected).abs() < 1e-7 * expected.abs().max(1.0),
        "{}: {found} {expected}",
        case.name
    );
}

macro_rules! cases {
    ($($activation:ident $case:ident;)*) => {
        /// All gradients to 1e-12 in `f64`, and to the precision of `f32`.
        mod is_as_in_pytorch {
            $(#[test]
            fn $case() {
                super::with_case(stringify!($case), |case| {
                    case.check::<super::$activation, f64>(1e-12);
                    case.check::<super::$activation, f32>(2e-5);
                });
            })*
        }

        /// The gradient along random directions is the difference quotient.
        mod is_as_finite_differences_say {
            $(#[test]
            fn $case() {
                super::with_case(stringify!($case), super::check_differences::<super::$activation>);
            })*
        }

        #[test]
        fn every_file_is_a_case() {
            let cases = [$(stringify!($case)),*];
            let others = ["dy_relu_normalised_eval", "dynamic_head_port", "mmdetection_port", "paper_order"];
            for entry in fs::read_dir("tests/gallery").unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "safetensors") {
                    let name = path.file_stem().unwrap().to_str().unwrap();
                    assert!(cases.contains(&name) || others.contains(&name), "{name}");
                }
            }
        }
    };
}

cases! {
    DyReluA dy_relu_a;
    DyReluB dy_relu_b;
    DyReluC dy_relu_c;
    DyReluNormalised dy_relu_normalised;
    OneDynamicPiece table6_one_piece;
    NoIntercept table6_no_intercept;
    DyHead dy_head;
    DyHeadPaper dy_head_paper;
    SteepGate se_steep;
    DyHeadBetween dy_head_external;
    DyShiftMax dy_shift_max;
    DyShiftMaxMicroNet dy_shift_max_code;
    LinearShift dy_shift_max_linear;
    MetaAcon meta_acon;
    AconC acon_c;
    ApRelu aprelu;
    SqueezeExcite se;
    HardGate se_hard;
    PRelu prelu;
    LeakyRelu leaky_relu;
    Maxout maxout;
    Apl apl;
    SRelu srelu;
    Plu plu;
    Pwlu pwlu;
    ARelu arelu;
    DyT dyt;
    DynamicSwish dynamic_swish;
    HardSwish hard_swish;
    SoftmaxMixture softmax_mixture;
    OneLayer one_layer;
    ZeroLayers zero_layers;
    OutsideCoefficients outside_coefficients;
}

/// Evaluation, with given running statistics.
#[test]
fn a_normalised_attention_is_as_in_pytorch_when_it_is_evaluated() {
    with_case("dy_relu_normalised_eval", |case| {
        let mut layer = DyReluNormalised::layer::<f64>(6).hidden(1).build().unwrap();
        let wanted = |name: &str| {
            ["fc1.", "fc2.", "attention."]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        let tensors: Vec<_> = case
            .file
            .tensors()
            .into_iter()
            .filter(|(name, _)| wanted(name))
            .collect();
        let bytes = dyrelu::safetensors::serialize(tensors, None).unwrap();
        layer
            .load_tensors(&SafeTensors::deserialize(&bytes).unwrap(), "")
            .unwrap();
        let y = layer.forward(&case.read("x")).unwrap();
        case.check_close("y", &y, "y", 1e-12);
        let loaded =
            Layer::<DyReluNormalised, f64>::from_safetensors(&layer.to_safetensors().unwrap()).unwrap();
        assert_eq!(loaded.forward(&case.read("x")).unwrap(), y, "saved and loaded");
    });
}

#[test]
fn running_statistics_are_as_in_pytorch() {
    with_case("dy_relu_normalised", |case| {
        let mut layer = case.layer::<DyReluNormalised, f64>();
        let (_, cache) = layer.forward_train(&case.read("x")).unwrap();
        layer.update_statistics(&cache).unwrap();
        let (mean, variance) = layer.running_statistics().unwrap();
        let expected = |name: &str| case.read::<f64>(name)[[0]];
        assert!((mean - expected("updated.running_mean")).abs() < 1e-14);
        assert!((variance - expected("updated.running_var")).abs() < 1e-14);
    });
}

/// The names, the order of outputs and the hard sigmoid of the ports give the ports' numbers.
#[test]
fn weights_of_the_ports_give_the_ports_numbers() {
    for (name, convention) in [
        ("dynamic_head_port", Convention::DYNAMIC_HEAD),
        ("mmdetection_port", Convention::MMDETECTION),
    ] {
        with_case(name, |case| check_convention::<DyHead>(case, convention));
    }
    with_case("paper_order", |case| {
        check_convention::<DyReluB>(case, Convention::PAPER);
    });
}

fn check_convention<A: DynamicActivation>(case: &Case<'_>, convention: Convention) {
    let names = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].map(|name| convention.tensor_name(name));
    let tensors = case
        .file
        .tensors()
        .into_iter()
        .filter(|(name, _)| names.contains(name));
    let tensors: Vec<_> = tensors
        .map(|(name, view)| (format!("tower.3.relu.{name}"), view))
        .collect();
    assert_eq!(tensors.len(), 4);
    let bytes = dyrelu::safetensors::serialize(tensors, None).unwrap();
    let mut layer = A::layer::<f64>(12).build().unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    layer
        .load_tensors_as(convention, &tensors, "tower.3.relu.")
        .unwrap();
    let (x, grad_y) = (case.read::<f64>("x"), case.read::<f64>("grad_y"));
    let (y, cache) = layer.forward_train(&x).unwrap();
    case.check_close("y", &y, "y", 1e-12);
    let grads = layer.backward(&x, &cache, &grad_y).unwrap();
    case.check_close("gradient of x", &grads.x, "grad_x", 1e-12);

    let native = layer.load_tensors(&tensors, "tower.3.relu.");
    assert_eq!(native.is_ok(), convention == Convention::PAPER, "{native:?}");
}

#[test]
fn a_context_that_does_not_fit_is_an_error() {
    let (x, vectors) = (ArrayD::<f32>::zeros(IxDyn(&[2, 6, 4])), |shape: &[usize]| {
        ArrayD::<f32>::zeros(IxDyn(shape))
    });
    let layer = DyHeadBetween::layer::<f32>(6)
        .context_channels(5)
        .build()
        .unwrap();
    let message = |error: Result<_, Error>| error.map(|_: ArrayD<f32>| ()).unwrap_err().to_string();
    assert_eq!(
        message(layer.forward(&x)),
        "expected a context beside x: call `with_context`, found none"
    );
    let with = |shape: &[usize]| {
        layer
            .with_context(&vectors(shape))
            .and_then(|layer| layer.forward(&x))
    };
    assert_eq!(
        message(with(&[2, 6])),
        "expected a context [N, 5, ...], found [2, 6]"
    );
    assert_eq!(message(with(&[2])), "expected a context [N, 5, ...], found [2]");
    assert_eq!(
        message(with(&[3, 5, 7])),
        "expected a context [2, 5, ...] for x of this batch size, found [3, 5, 7]"
    );
    assert!(with(&[2, 5, 7]).is_ok());
    let layer = DyHead::layer::<f32>(6).build().unwrap();
    assert_eq!(
        message(
            layer
                .with_context(&vectors(&[2, 6]))
                .and_then(|layer| layer.forward(&x))
        ),
        "expected no context: only `hyper(context = \"external\")` has one, found [2, 6]"
    );
}
