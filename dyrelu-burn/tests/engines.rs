//! The engines side by side: every activation of the gallery, and others of the whole language, with the parameters of a layer
//! of the ndarray engine, which has its own tests against PyTorch and finite differences.

mod common;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use common::{
    Path, array, assert_close, gradients, parameters, parameters_of, tensor, training_devices,
    with_parameters,
};
use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::{Context, DynamicActivation, dynamic_activation};
use dyrelu_burn::{Layer, LayerConfig};
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
    k = 2, share = "spatial", init(a = 0.8, b = 0.3, c = 0.5), learned(c = shared(0.5)), squash(b = "sigmoid"),
    piece = |x, a, b, c| a * sigmoid(b * x) * abs(x) / (1.5 + c * c) + cos(x) - 1 / (2 + sin(b))
)]
struct FunctionsB;
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
#[dynamic_activation(k = 2, share = "none", hyper(context = "external"))]
struct OutsideC;
