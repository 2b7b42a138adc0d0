//! [`Case`]: layers of all kinds, with inputs and what the layer makes of them.
#![allow(dead_code, reason = "each user of the cases uses a part")]

use dyrelu::gallery::{
    ARelu, AconC, ApRelu, Apl, DyHead, DyHeadBetween, DyReluA, DyReluB, DyReluC, DyReluNormalised,
    DyShiftMax, DyShiftMaxMicroNet, DyT, DynamicSwish, HardSwish, LeakyRelu, Maxout, MetaAcon,
    OneDynamicPiece, PRelu, Plu, Pwlu, SRelu, SqueezeExcite,
};
use dyrelu::{
    Coefficient, Combine, DynamicActivation, Elementwise, Layer, LayerBuilder, PerPiece, Piece, PieceGrad,
    Pieces, Scalar, Sharing, dynamic_activation,
};
use dyrelu_onnx::{Error, Graph};
use ndarray::{ArrayD, IxDyn};

/// C: divisible by the groups.
pub(crate) const CHANNELS: usize = 12;

/// A layer whose parameters are all different.
pub(crate) struct Case<A: DynamicActivation, T: Scalar> {
    pub(crate) name: String,
    pub(crate) layer: Layer<A, T>,
}

/// Inputs with their names, and the output of the layer.
pub(crate) struct Pass<T> {
    pub(crate) inputs: Vec<(&'static str, ArrayD<T>)>,
    pub(crate) y: ArrayD<T>,
}

/// What is done with each case.
pub(crate) trait Visitor {
    fn visit<A: DynamicActivation, T: Scalar>(&mut self, case: &Case<A, T>);
}

impl<A: DynamicActivation, T: Scalar> Case<A, T> {
    pub(crate) fn new(name: &str) -> Self {
        let mut builder = A::layer::<T>(CHANNELS);
        if A::HYPER.layers == 2 {
            builder = builder.hidden(5);
        }
        if !A::NEIGHBOURS.is_empty() {
            builder = builder.groups(3);
        }
        Self::of(name, builder)
    }

    pub(crate) fn of(name: &str, builder: LayerBuilder<A, T>) -> Self {
        let mut layer = builder.build().unwrap();
        for (seed, (name, mut values)) in (1..).zip(layer.parameters_mut()) {
            // Learned coefficients stay near their initial values.
            let scale = if name.starts_with("fc") || name == "attention.weight" {
                2.0
            } else {
                0.4
            };
            let moved = &values + &random(values.shape(), seed).mapv(|value: f64| T::from_f64(scale * value));
            values.assign(&moved);
        }
        layer.set_running_statistics(0.3, 1.7);
        Self {
            name: name.to_owned(),
            layer,
        }
    }

    /// Whether there is an external context.
    pub(crate) fn has_context(&self) -> bool {
        self.layer.bare().is_err()
    }

    /// The rank of the context for x of this rank.
    fn context_rank(rank: usize) -> usize {
        if A::HYPER.layers == 0 { 2 } else { rank }
    }

    pub(crate) fn graph(&self, rank: usize) -> Result<Graph, Error> {
        if self.has_context() {
            Graph::with_context(&self.layer, rank, Self::context_rank(rank))
        } else {
            Graph::new(&self.layer, rank)
        }
    }

    /// Two passes of different batches and images.
    pub(crate) fn passes(&self, rank: usize) -> [Pass<T>; 2] {
        let shapes: [(usize, [usize; 3]); 2] = [(2, [5, 3, 4]), (3, [1, 7, 2])];
        shapes.map(|(samples, spatial)| {
            let shape = [&[samples, CHANNELS], &spatial[..rank - 2]].concat();
            self.pass(rank, &shape)
        })
    }

    fn pass(&self, rank: usize, shape: &[usize]) -> Pass<T> {
        let x = random(shape, 20).mapv(|value: f64| T::from_f64(2.0 * value));
        if !self.has_context() {
            let y = self.layer.forward(&x).unwrap();
            return Pass {
                inputs: vec![("x", x)],
                y,
            };
        }
        let mut context_shape = vec![3; Self::context_rank(rank)];
        context_shape[..2].copy_from_slice(&[shape[0], Self::context_channels()]);
        let context = random(&context_shape, 30).mapv(T::from_f64);
        let y = self.layer.with_context(&context).unwrap().forward(&x).unwrap();
        Pass {
            inputs: vec![("x", x), ("context", context)],
            y,
        }
    }

    /// M; of a hyper function without layers, K = 2 is assumed.
    fn context_channels() -> usize {
        let outputs = CHANNELS * A::COEFFICIENTS.len() * 2;
        if A::HYPER.layers == 0 { outputs } else { CHANNELS }
    }
}

/// Numbers from −1 to 1, without a pattern.
fn random(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    })
}

macro_rules! dynamic_relus {
    ($($name:ident: $k:literal $share:literal;)*) => {$(
        #[dynamic_activation(k = $k, share = $share)]
        pub(crate) struct $name;
    )*};
}

dynamic_relus! {
    A1: 1 "spatial+channel"; A2: 2 "spatial+channel"; A3: 3 "spatial+channel"; A4: 4 "spatial+channel";
    B1: 1 "spatial"; B2: 2 "spatial"; B3: 3 "spatial"; B4: 4 "spatial";
    C1: 1 "none"; C2: 2 "none"; C3: 3 "none"; C4: 4 "none";
}

#[dynamic_activation(
    k = 3, share = "spatial", combine = "sum", piece = |x, a, b| a * relu(x - b), learned(b = 0.0), init(a = 0.0),
    squash = "softmax"
)]
struct SoftmaxMixture;
#[dynamic_activation(
    k = 2, share = "spatial", combine = "min", piece = |x, a, b, c| a * x + b * tanh(c * x),
    init(a = [1.0, 0.5], b = 0.2, c = 1.0), lambda(a = 1.0, b = [0.3, 0.6], c = 0.5),
    squash(a = "tanh", b = "steep_hard_sigmoid", c = "hard_sigmoid"), hyper(layers = 1)
)]
struct MixedSquashes;
#[dynamic_activation(
    k = 2, share = "spatial", piece = |x, a, b| a * x + b, init(a = [1.0, 0.0], b = 0.0),
    squash(a = "softmax", b = "2steep_hard_sigmoid-1"), hyper(inner = "none")
)]
struct SoftmaxSlopes;
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
#[dynamic_activation(k = 1, share = "none", piece = |x, a, b| a * x * sigmoid(b * x), init(a = 1.0, b = 1.0))]
struct AttentiveSwish;
#[dynamic_activation(k = 3, share = "none", learned(a = [1.0, 0.0, -0.5], b = shared(0.1)))]
struct AttentiveMaxout;
/// By hand, because the attribute refuses a piece that does not depend on x.
struct WithoutX;

impl Piece<1> for WithoutX {
    fn value<E: Elementwise>(_: E, [a]: [E; 1]) -> E {
        a.clone() * a
    }

    fn grad<E: Elementwise>(x: E, [a]: [E; 1]) -> PieceGrad<E, 1> {
        PieceGrad {
            x: x.lift(0.0),
            coefficients: [a.clone() + a],
        }
    }
}

impl DynamicActivation for WithoutX {
    const NAME: &'static str = "WithoutX";
    const SHARING: Sharing = Sharing::Unshared;
    const COMBINE: Combine = Combine::Max;
    const COEFFICIENTS: &'static [Coefficient] = &[Coefficient::dynamic("a", PerPiece::Each(&[0.5, 1.0]))];
    const HOMOGENEOUS: bool = false;
    type Pieces = Pieces<2, 1>;
}

/// By hand too.
struct One;

impl Piece<0> for One {
    fn value<E: Elementwise>(x: E, []: [E; 0]) -> E {
        x.lift(1.0)
    }

    fn grad<E: Elementwise>(x: E, []: [E; 0]) -> PieceGrad<E, 0> {
        PieceGrad {
            x: x.lift(0.0),
            coefficients: [],
        }
    }
}

impl DynamicActivation for One {
    const NAME: &'static str = "One";
    const SHARING: Sharing = Sharing::Spatial;
    const COMBINE: Combine = Combine::Sum;
    const COEFFICIENTS: &'static [Coefficient] = &[];
    const HOMOGENEOUS: bool = false;
    type Pieces = Pieces<1, 0>;
}

#[dynamic_activation(k = 1, share = "spatial", piece = |x| x)]
struct Identity;
#[dynamic_activation(
    k = 1, share = "spatial+channel", learned(a = 0.5, b = 1.0),
    piece = |x, a, b| abs(x) * a + cos(x) + sin(b * x) + exp(-x) + exp_m1(0.1 * x) + sqrt(x * x + 1.0) + sign(x)
        + tan(0.2 * x)
)]
struct ManyFunctions;
#[dynamic_activation(
    k = 1, share = "spatial", learned(a = 0.5),
    piece = |x, a| softplus(x) + ln(exp(x) + 2.0) + ln_1p(x * x) + recip(2.0 + a * a) + powi(x, 3) / 8.0
        + if x > a && !(x >= 1.5) || x == 0.0 { x - a } else { clamp(x, a - 1.0, a + 1.0) }
)]
struct MoreFunctions;

/// Its parameters are called as inputs and outputs of graphs are.
#[dynamic_activation(
    k = 1, share = "spatial", piece = |v, x, y| max(x * v, 0.0) + min(max(-y, v), y), learned(x = 1.0, y = 0.7)
)]
struct TakenNames;

macro_rules! cases {
    ($($group:ident: $($activation:ident)*;)*) => {$(
        pub(crate) fn $group<T: Scalar>(visitor: &mut impl Visitor) {
            $(visitor.visit(&Case::<$activation, T>::new(stringify!($activation)));)*
        }
    )*};
}

cases! {
    dynamic_relu: A1 A2 A3 A4 B1 B2 B3 B4 C1 C2 C3 C4;
    gallery: ARelu AconC ApRelu Apl DyHead DyHeadBetween DyReluA DyReluB DyReluC DyReluNormalised DyShiftMax
        DyShiftMaxMicroNet DyT DynamicSwish HardSwish LeakyRelu Maxout MetaAcon OneDynamicPiece PRelu Plu Pwlu SRelu
        SqueezeExcite;
    language: SoftmaxMixture MixedSquashes SoftmaxSlopes ZeroLayers OutsideCoefficients AttentiveSwish AttentiveMaxout
        WithoutX One Identity ManyFunctions MoreFunctions TakenNames;
}
