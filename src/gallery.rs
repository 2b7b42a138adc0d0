//! Published activations, each in a few lines: to use, and to begin your own with.
//!
//! ![Each activation of the gallery and its derivative, for five settings of its coefficients][picture]
//!
//! `cargo run --release --example gallery` draws the picture again. Every one is compared, values and all gradients, with
//! an independent implementation in `PyTorch` (`tests/gallery` in the repository).
//!
//! | | coefficients |
//! |---|---|
//! | [`DyReluA`], [`DyReluB`], [`DyReluC`], [`OneDynamicPiece`] | dynamic |
//! | [`DyHead`], [`DyHeadBetween`], [`DyReluNormalised`] | dynamic, as in `DynamicHead` |
//! | [`DyShiftMax`], [`DyShiftMaxMicroNet`] | dynamic, and neighbouring channels |
//! | [`SqueezeExcite`], [`ApRelu`], [`DynamicSwish`] | dynamic |
//! | [`MetaAcon`] | dynamic and learned |
//! | [`AconC`], [`PRelu`], [`Maxout`], [`Apl`], [`SRelu`], [`Pwlu`], [`ARelu`], [`DyT`] | learned |
//! | [`LeakyRelu`], [`Plu`], [`HardSwish`] | none |
//!
//! Batch normalisation inside of a hyper function, which some authors use, is left out: it fails for a batch of one.
//!
//! [picture]: https://raw.githubusercontent.com/dyrelu/dyrelu/main/docs/pictures/gallery.svg

use crate::dynamic_activation;

/// DY-ReLU-A: one pair of lines for each sample (Chen et al., "Dynamic ReLU", ECCV 2020,
/// [arXiv:2003.10027](https://arxiv.org/abs/2003.10027)).
///
/// The paper takes `.reduction(8)`.
#[dynamic_activation(k = 2, share = "spatial+channel")]
#[derive(Debug, Clone, Copy)]
pub struct DyReluA;

/// DY-ReLU-B: one pair of lines for each sample and channel (the paper of [`DyReluA`]).
#[dynamic_activation(k = 2, share = "spatial")]
#[derive(Debug, Clone, Copy)]
pub struct DyReluB;

/// DY-ReLU-C: DY-ReLU-B times a spatial attention (the paper of [`DyReluA`]).
#[dynamic_activation(k = 2, share = "none")]
#[derive(Debug, Clone, Copy)]
pub struct DyReluC;

/// One dynamic line and the constant 0, max(a(x)·x + b(x), 0) (the paper of [`DyReluA`], Table 6).
#[dynamic_activation(
    k = 2, share = "spatial", piece = [|x, a, b| a * x + b, |x| 0.0],
    init(a = 1.0, b = 0.0), lambda(b = 0.5)
)]
#[derive(Debug, Clone, Copy)]
pub struct OneDynamicPiece;

/// The task-aware attention of Dynamic Head (Dai et al., "Dynamic Head", CVPR 2021,
/// [arXiv:2106.08322](https://arxiv.org/abs/2106.08322)), as its code has it: DY-ReLU-B with a hard sigmoid.
///
/// For weights of the authors' code or of mmdetection see [`Convention`](crate::Convention). The hidden units there are
/// `.reduction(4)`; other reductions are rounded, `.divisible_by(4)`.
#[dynamic_activation(k = 2, share = "spatial", squash = "2hard_sigmoid-1")]
#[derive(Debug, Clone, Copy)]
pub struct DyHead;

/// [`DyHead`] whose lines follow from another array, as between the feature maps of a pyramid.
#[dynamic_activation(
    k = 2,
    share = "spatial",
    squash = "2hard_sigmoid-1",
    hyper(context = "external")
)]
#[derive(Debug, Clone, Copy)]
pub struct DyHeadBetween;

/// DY-ReLU-C with the attention of the Dynamic Head code (`use_spatial`): scores pass a batch normalisation, and τ is 1.
///
/// Call [`update_statistics`](crate::Layer::update_statistics) in training.
#[dynamic_activation(k = 2, share = "none", squash = "2hard_sigmoid-1", attention = "normalised")]
#[derive(Debug, Clone, Copy)]
pub struct DyReluNormalised;

/// Dynamic Shift-Max: max over k of a(x)·x + b(x)·s, where s is the same channel of the next group (Li et al.,
/// "`MicroNet`", ICCV 2021, [arXiv:2108.05894](https://arxiv.org/abs/2108.05894), equation 5 with J = K = 2).
///
/// Set the number of groups, `.groups(g)`. `MicroNet` rounds the hidden units, `.divisible_by(4)`.
#[dynamic_activation(
    k = 2, share = "spatial", piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 0)),
    init(a = [1.0, 0.0], b = 0.0), squash = "2hard_sigmoid-1"
)]
#[derive(Debug, Clone, Copy)]
pub struct DyShiftMax;

/// [`DyShiftMax`] as the authors' code has it: s is the *next* channel of the next group.
#[dynamic_activation(
    k = 2, share = "spatial", piece = |x, s, a, b| a * x + b * s, neighbours(s = shift(1, 1)),
    init(a = [1.0, 0.0], b = 0.0), squash = "2hard_sigmoid-1"
)]
#[derive(Debug, Clone, Copy)]
pub struct DyShiftMaxMicroNet;

/// Squeeze-and-Excitation as an activation: one line through the origin, its slope in (0, 1) (Hu et al.,
/// "Squeeze-and-Excitation Networks", CVPR 2018, [arXiv:1709.01507](https://arxiv.org/abs/1709.01507)).
///
/// The paper takes `.reduction(16)`.
#[dynamic_activation(k = 1, share = "spatial", piece = |x, s| s * x, init(s = 0.0), squash = "sigmoid")]
#[derive(Debug, Clone, Copy)]
pub struct SqueezeExcite;

/// Adaptively parametric ReLU: relu(x) + s(x)·min(x, 0), where s follows from the means of the negative and of the
/// positive part of x (Zhao et al., "Deep Residual Networks With Adaptively Parametric Rectifier Linear Units for Fault
/// Diagnosis", IEEE Transactions on Industrial Electronics 68, 2021).
///
/// The paper takes as many hidden units as channels, `.reduction(1)`.
#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, s| relu(x) + s * min(x, 0.0), init(s = 0.0),
    squash = "sigmoid", hyper(context = "pooled halves")
)]
#[derive(Debug, Clone, Copy)]
pub struct ApRelu;

/// Swish with a dynamic β, x·σ(β(x)·x): between a line and ReLU (after Ramachandran et al., "Searching for Activation
/// Functions", 2017, [arXiv:1710.05941](https://arxiv.org/abs/1710.05941)).
#[dynamic_activation(k = 1, share = "spatial", piece = |x, beta| x * sigmoid(beta * x), init(beta = 1.0))]
#[derive(Debug, Clone, Copy)]
pub struct DynamicSwish;

/// Meta-ACON: ACON-C whose β follows from the input (Ma et al., "Activate or Not", CVPR 2021,
/// [arXiv:2009.04759](https://arxiv.org/abs/2009.04759)).
///
/// The authors' code takes `.reduction(16).at_least(16)`, and draws p and q from a normal distribution; here they begin
/// with Swish.
#[dynamic_activation(
    k = 1, share = "spatial", learned(p = 1.0, q = 0.0),
    piece = |x, p, q, beta| { let slope = p - q; slope * x * sigmoid(beta * slope * x) + q * x },
    init(beta = 0.0), squash = "sigmoid", hyper(inner = "none")
)]
#[derive(Debug, Clone, Copy)]
pub struct MetaAcon;

/// ACON-C: (p − q)·x·σ(β·(p − q)·x) + q·x, a smooth maximum of p·x and q·x (the paper of [`MetaAcon`]).
#[dynamic_activation(
    k = 1, share = "spatial", learned(p = 1.0, q = 0.0, beta = 1.0),
    piece = |x, p, q, beta| { let slope = p - q; slope * x * sigmoid(beta * slope * x) + q * x }
)]
#[derive(Debug, Clone, Copy)]
pub struct AconC;

/// Leaky ReLU, x or 0.01·x (Maas et al., "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013).
#[dynamic_activation(k = 2, share = "spatial", piece = [|x| x, |x, slope| slope * x], fixed(slope = 0.01))]
#[derive(Debug, Clone, Copy)]
pub struct LeakyRelu;

/// Parametric ReLU: the slope of the negative side is learned (He et al., "Delving Deep into Rectifiers", ICCV 2015,
/// [arXiv:1502.01852](https://arxiv.org/abs/1502.01852)).
#[dynamic_activation(k = 1, share = "spatial", piece = |x, a| if x > 0.0 { x } else { a * x }, learned(a = 0.25))]
#[derive(Debug, Clone, Copy)]
pub struct PRelu;

/// The maximum of two learned lines: Maxout (Goodfellow et al., "Maxout Networks", ICML 2013,
/// [arXiv:1302.4389](https://arxiv.org/abs/1302.4389)) of one linear map instead of two.
#[dynamic_activation(k = 2, share = "spatial", learned(a = [1.0, 0.0], b = 0.0))]
#[derive(Debug, Clone, Copy)]
pub struct Maxout;

/// Adaptive piecewise linear unit with two hinges, relu(x) + Σ aₛ·relu(bₛ − x) (Agostinelli et al., "Learning Activation
/// Functions to Improve Deep Neural Networks", 2015, [arXiv:1412.6830](https://arxiv.org/abs/1412.6830)).
#[dynamic_activation(
    k = 3, share = "spatial", combine = "sum",
    piece = [|x| relu(x), |x, a1, b1| a1 * relu(b1 - x), |x, a2, b2| a2 * relu(b2 - x)],
    learned(a1 = 0.0, b1 = 0.0, a2 = 0.0, b2 = 1.0)
)]
#[derive(Debug, Clone, Copy)]
pub struct Apl;

/// S-shaped ReLU: three lines that meet at learned thresholds (Jin et al., "Deep Learning with S-shaped Rectified Linear
/// Activation Units", AAAI 2016, [arXiv:1512.07030](https://arxiv.org/abs/1512.07030)).
///
/// It begins as a leaky ReLU, as in the paper.
#[dynamic_activation(
    k = 1, share = "spatial", learned(tr = 1.0, ar = 1.0, tl = 0.0, al = 0.2),
    piece = |x, tr, ar, tl, al| {
        if x >= tr { tr + ar * (x - tr) } else if x <= tl { tl + al * (x - tl) } else { x }
    }
)]
#[derive(Debug, Clone, Copy)]
pub struct SRelu;

/// Piecewise linear unit, the identity between two flatter lines (Nicolae, "PLU", 2018,
/// [arXiv:1809.09534](https://arxiv.org/abs/1809.09534)).
#[dynamic_activation(
    k = 1, share = "spatial", fixed(alpha = 0.1, c = 1.0),
    piece = |x, alpha, c| max(alpha * (x + c) - c, min(alpha * (x - c) + c, x))
)]
#[derive(Debug, Clone, Copy)]
pub struct Plu;

/// Piecewise linear unit with learned heights at −2, −1, 0, 1 and 2, and learned slopes outside (Zhou et al., "Learning
/// Specialized Activation Functions with the Piecewise Linear Unit", ICCV 2021,
/// [arXiv:2104.03693](https://arxiv.org/abs/2104.03693)). It begins as ReLU.
///
/// The paper sets the bounds from statistics of a first phase of training; here they are a part of the formula.
#[dynamic_activation(
    k = 1, share = "spatial",
    piece = |x, left, y0, y1, y2, y3, y4, right| {
        left * min(x + 2.0, 0.0) + y0 + (y1 - y0) * clamp(x + 2.0, 0.0, 1.0) + (y2 - y1) * clamp(x + 1.0, 0.0, 1.0)
            + (y3 - y2) * clamp(x, 0.0, 1.0) + (y4 - y3) * clamp(x - 1.0, 0.0, 1.0) + right * relu(x - 2.0)
    }, learned(left = 0.0, y0 = 0.0, y1 = 0.0, y2 = 0.0, y3 = 1.0, y4 = 2.0, right = 1.0)
)]
#[derive(Debug, Clone, Copy)]
pub struct Pwlu;

/// Attention-based ReLU: two learned numbers for the whole layer scale the negative and the positive side (Chen et al.,
/// "`AReLU`", 2020, [arXiv:2006.13858](https://arxiv.org/abs/2006.13858)).
#[dynamic_activation(
    k = 1, share = "spatial+channel", learned(alpha = 0.9, beta = 2.0),
    piece = |x, alpha, beta| relu(x) * (1.0 + sigmoid(beta)) + clamp(alpha, 0.01, 0.99) * min(x, 0.0)
)]
#[derive(Debug, Clone, Copy)]
pub struct ARelu;

/// Dynamic Tanh, γ·tanh(α·x) + β in place of a normalisation (Zhu et al., "Transformers without Normalization",
/// CVPR 2025, [arXiv:2503.10622](https://arxiv.org/abs/2503.10622)). In spite of its name, nothing follows from the input.
#[dynamic_activation(
    k = 1, share = "spatial", piece = |x, alpha, gamma, beta| gamma * tanh(alpha * x) + beta,
    learned(alpha = shared(0.5), gamma = 1.0, beta = 0.0)
)]
#[derive(Debug, Clone, Copy)]
pub struct DyT;

/// Hard Swish, x·clamp(x / 6 + ½, 0, 1) (Howard et al., "Searching for `MobileNetV3`", ICCV 2019,
/// [arXiv:1905.02244](https://arxiv.org/abs/1905.02244)).
#[dynamic_activation(k = 1, share = "spatial", piece = |x| x * clamp(x / 6.0 + 0.5, 0.0, 1.0))]
#[derive(Debug, Clone, Copy)]
pub struct HardSwish;
