//! Layers on a GPU of Burn, or its software driver, against the layer of the ndarray engine in double precision and against
//! PyTorch.

mod common;
mod vectors;

use burn::module::Module;
use burn::tensor::{DType, Device};
use common::{
    Path, array, assert_close, config, gradients, has_context, parameters_of, tensor, twin, with_parameters,
};
use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::{DynamicActivation, dynamic_activation};
use dyrelu_burn::Layer;
use ndarray::{ArrayD, IxDyn};
use vectors::{Pass, check_vectors};

#[dynamic_activation(k = 3, share = "spatial+channel", combine = "min")]
struct MinA;
#[dynamic_activation(k = 4, share = "none", combine = "sum", piece = |x, a, b| a * tanh(x) + b, init(a = 0.3, b = 0.1))]
struct SumC;

#[dynamic_activation(k = 2, share = "spatial", hyper(context = "external"))]
struct ConditionedB;
#[dynamic_activation(k = 2, share = "none", hyper(context = "external", layers = 1))]
struct ConditionedC;

/// Numbers from about −2 to 2 without ties, which f16 holds exactly.
fn numbers(shape: &[usize], seed: f64) -> ArrayD<f64> {
    let mut i = 0.0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        i += 1.0;
        (2048.0 * f64::sin(i * i * 0.7 + seed)).round() / 1024.0
    })
}

/// The devices on which a layer can be trained.
fn training_devices() -> [(&'static str, Device); 2] {
    let device = || Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    [
        ("autodiff", device().autodiff()),
        ("checkpointing", device().autodiff().gradient_checkpointing()),
    ]
}

/// Values and all gradients for one shape of x.
fn check_shape<A: DynamicActivation, const D: usize>(shape: [usize; D], dtype: DType) {
    let config = config::<A>(shape[1]);
    let ndarray = twin::<A, f64>(&config);
    let values = parameters_of(&ndarray);
    let (x, grad_y) = (numbers(&shape, 0.1), numbers(&shape, 0.2));
    let context = has_context::<A>().then(|| numbers(&[shape[0], config.context_channels.unwrap(), 2], 0.3));
    let (expected, grads) = {
        let layer = match &context {
            Some(context) => ndarray.with_context(context),
            None => ndarray.bare(),
        };
        let layer = layer.unwrap();
        let (y, cache) = layer.forward_train(&x).unwrap();
        let grads = layer.backward(&x, &cache, &grad_y).unwrap();
        (y, grads)
    };

    for (name, device) in training_devices() {
        for path in [Path::Fused, Path::Composed] {
            let what = |what: &str| format!("{} {shape:?} {dtype:?}, {name}, {path:?}: {what}", A::NAME);
            let (of_x, of_parameters) = match (dtype, path) {
                (DType::F32, _) => (1e-5, 1e-5),
                // y and the gradient of x are stored so; the rest is not rounded by the kernels.
                (_, Path::Fused) => (1e-3, 1e-3),
                (_, Path::Composed) => continue,
            };
            let layer: Layer<A> = with_parameters(config.init(&device), &values, DType::F32);
            let x = tensor::<D>(&x, &device, dtype).require_grad();
            let context = context
                .as_ref()
                .map(|context| tensor::<3>(context, &device, dtype).require_grad());
            let y = match &context {
                Some(context) => path.forward_with(&layer.with_context(context.clone()), x.clone()),
                None => path.forward(&layer, x.clone()),
            };
            assert_close(&what("y"), &array(y.clone()), &expected, of_x);
            let tracked = (y * tensor::<D>(&grad_y, &device, dtype)).sum().backward();
            let grad_x = array(x.grad(&tracked).unwrap());
            assert_close(&what("gradient of x"), &grad_x, &grads.x, of_x);
            if let (Some(context), Some(expected)) = (&context, &grads.context) {
                let found = array(context.grad(&tracked).unwrap());
                assert_close(&what("gradient of the context"), &found, expected, of_x);
            }
            let found = gradients(&layer, &tracked);
            assert_eq!(found.len(), grads.parameters().len(), "{}", what("gradients"));
            for (name, expected) in grads.parameters() {
                assert_close(&what(name), &found[name], &expected.to_owned(), of_parameters);
            }
            let layer = layer.valid();
            let plain = match context {
                Some(context) => path.forward_with(&layer.with_context(context.inner()), x.inner()),
                None => path.forward(&layer, x.inner()),
            };
            if A::ATTENTION == dyrelu::Attention::Softmax {
                assert_close(&what("y without gradients"), &array(plain), &expected, of_x);
            }
        }
    }
}

fn check<A: DynamicActivation>() {
    check_shape::<A, 2>([4, 6], DType::F32);
    check_shape::<A, 3>([3, 6, 7], DType::F32);
    check_shape::<A, 4>([2, 6, 8, 6], DType::F32);
    check_shape::<A, 5>([1, 6, 2, 3, 2], DType::F32);
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
    dynamic_relu: DyReluA, DyReluB, DyReluC, OneDynamicPiece;
    combinations: MinA, SumC, DynamicSwish;
    conditioned: ConditionedB, ConditionedC;
    normalised: DyReluNormalised;
    hyper_functions: ApRelu, DyHead, DyHeadBetween, SqueezeExcite;
    learned: ARelu, AconC, Apl, DyT, Maxout, MetaAcon, PRelu, Pwlu, SRelu;
    without_coefficients: HardSwish, LeakyRelu, Plu;
    without_kernels: DyShiftMax, DyShiftMaxMicroNet;
}

/// With the fusion of Burn 0.22.1 by the kernels only: tensor operations then give a wrong gradient of x for the shape `[1, 1, 4]` of
/// some vectors if channels are last, and the right one without it.
#[test]
fn pytorch() {
    let paths: &[Path] = if cfg!(feature = "gpu") {
        &[Path::Fused]
    } else {
        &[Path::Fused, Path::Composed]
    };
    check_vectors(&training_devices().map(|(_, device)| Pass {
        device,
        dtype: DType::F32,
        tolerance: 1e-5,
        paths,
    }));
}

#[test]
fn large() {
    check_shape::<DyReluB, 4>([1, 3, 224, 224], DType::F32);
    check_shape::<DyReluB, 4>([2, 70, 7, 7], DType::F32);
}

#[test]
fn half_precision() {
    check_shape::<DyReluA, 4>([2, 6, 8, 6], DType::F16);
    check_shape::<DyReluB, 4>([2, 6, 8, 6], DType::F16);
    check_shape::<DyReluC, 4>([2, 6, 8, 6], DType::F16);
}
