//! The engines side by side: every activation of the gallery, and others of the whole language, with the parameters of a layer
//! of the ndarray engine, which has its own tests against PyTorch and finite differences.

mod common;

use burn::module::Module;
use burn::tensor::DType;
use common::{
    Path, array, assert_close, config, gradients, has_context, parameters, parameters_of, tensor,
    training_devices, twin, with_parameters,
};
use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::{DynamicActivation, dynamic_activation};
use dyrelu_burn::Layer;
use ndarray::{ArrayD, IxDyn};

#[dynamic_activation(k = 3, share = "spatial+channel", combine = "min")]
struct MinA;
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
#[dynamic_activation(
    k = 3, share = "spatial", combine = "sum", piece = |x, a, b| a * relu(x - b), learned(b = [-0.5, 0.0, 0.5]), init(a = 0.0),
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
#[dynamic_activation(k = 2, share = "none", hyper(context = "external"))]
struct OutsideC;

/// Numbers from about −2 to 2 without ties.
fn numbers<T: dyrelu::Scalar>(shape: &[usize], seed: f64) -> ArrayD<T> {
    let mut i = 0.0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        i += 1.0;
        T::from_f64(2.0 * f64::sin(i * i * 0.7 + seed))
    })
}

fn to_f64<T: dyrelu::Scalar>(array: &ArrayD<T>) -> ArrayD<f64> {
    array.mapv(dyrelu::Scalar::to_f64)
}

/// Values, coefficients and all gradients for one shape of x.
fn check_shape<A: DynamicActivation, T: dyrelu::Scalar, const D: usize>(shape: [usize; D], dtype: DType) {
    let config = config::<A>(6);
    let mut ndarray = twin::<A, T>(&config);
    let values = parameters_of(&ndarray);
    let (x, grad_y) = (numbers::<T>(&shape, 0.1), numbers::<T>(&shape, 0.2));
    let inputs = config
        .context_channels
        .unwrap_or(if A::HYPER.layers == 0 { 24 } else { 6 });
    let context = has_context::<A>().then(|| numbers::<T>(&[shape[0], inputs, 2], 0.3));

    let (expected, cache, grads) = {
        let layer = match &context {
            Some(context) => ndarray.with_context(context),
            None => ndarray.bare(),
        };
        let layer = layer.unwrap();
        let (y, cache) = layer.forward_train(&x).unwrap();
        let grads = layer.backward(&x, &cache, &grad_y).unwrap();
        (y, cache, grads)
    };
    ndarray.update_statistics(&cache).unwrap();

    for (name, device) in training_devices() {
        for path in [Path::Fused, Path::Composed] {
            let what = |what: &str| format!("{} {shape:?} {dtype:?}, {name}, {path:?}: {what}", A::NAME);
            // The kernels are the same; tensor operations round in another order.
            let tolerance = match (path, dtype) {
                (Path::Fused, _) => 0.0,
                (Path::Composed, DType::F64) => 1e-12,
                (Path::Composed, _) => 1e-5,
            };
            let layer: Layer<A> = with_parameters(config.init(&device), &values, dtype);
            let x = tensor::<D>(&to_f64(&x), &device, dtype).require_grad();
            let context = context
                .as_ref()
                .map(|context| tensor::<3>(&to_f64(context), &device, dtype).require_grad());
            let (y, coefficients) = match &context {
                Some(context) => {
                    let layer = layer.with_context(context.clone());
                    (
                        path.forward_with(&layer, x.clone()),
                        layer.coefficients(x.clone()),
                    )
                }
                None => (path.forward(&layer, x.clone()), layer.coefficients(x.clone())),
            };
            assert_close(&what("y"), &array(y.clone()), &to_f64(&expected), tolerance);
            let of_cache = to_f64(&cache.coefficients().into_dyn().to_owned());
            let close = if dtype == DType::F64 { 1e-12 } else { 1e-5 };
            assert_close(&what("coefficients"), &array(coefficients), &of_cache, close);

            let tracked = (y * tensor::<D>(&to_f64(&grad_y), &device, dtype))
                .sum()
                .backward();
            let grad_x = array(x.grad(&tracked).unwrap());
            assert_close(&what("gradient of x"), &grad_x, &to_f64(&grads.x), tolerance);
            if let (Some(context), Some(expected)) = (context, &grads.context) {
                let found = array(context.grad(&tracked).unwrap());
                assert_close(
                    &what("gradient of the context"),
                    &found,
                    &to_f64(expected),
                    tolerance,
                );
            }
            let found = gradients(&layer, &tracked);
            assert_eq!(found.len(), grads.parameters().len(), "{}", what("gradients"));
            for (name, expected) in grads.parameters() {
                assert_close(
                    &what(name),
                    &found[name],
                    &to_f64(&expected.to_owned()),
                    tolerance,
                );
            }
            // Running statistics have moved by this one pass; all else is as it was.
            for (name, expected) in parameters_of(&ndarray) {
                assert_close(
                    &what(&name),
                    &parameters(&layer.valid())[&name],
                    &expected,
                    tolerance.max(1e-7),
                );
            }
        }
    }
}

fn check<A: DynamicActivation>() {
    check_shape::<A, f32, 2>([4, 6], DType::F32);
    check_shape::<A, f32, 3>([3, 6, 7], DType::F32);
    check_shape::<A, f32, 4>([2, 6, 3, 5], DType::F32);
    check_shape::<A, f32, 5>([1, 6, 2, 3, 2], DType::F32);
    check_shape::<A, f64, 4>([2, 6, 3, 5], DType::F64);
}

macro_rules! activations {
    ($($test:ident: $($activation:ty),*;)*) => {$(
        #[test]
        fn $test() {
            $(check::<$activation>();)*
        }
    )*};
}

activations! {
    dynamic_relu: DyReluA, DyReluB, DyReluC, MinA, OneDynamicPiece;
    formulas: DynamicSwish, SumC, BranchesC, FunctionsB, SoftmaxMixture;
    normalised: DyReluNormalised;
    hyper_functions: ApRelu, DyHead, DyHeadBetween, OneLayer, ZeroLayers, OutsideCoefficients, OutsideC, SqueezeExcite;
    neighbours: DyShiftMax, DyShiftMaxMicroNet;
    learned: ARelu, AconC, Apl, DyT, HardSwish, LeakyRelu, Maxout, MetaAcon, PRelu, Plu, Pwlu, SRelu;
}
