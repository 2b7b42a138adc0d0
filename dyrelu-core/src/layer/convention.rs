//! [`Convention`]: how public implementations name and order what the hyper function learns.

use crate::{Error, Squash};
use core::str::FromStr;

/// The names of a layer's tensors in the checkpoints of an implementation, and the order of its hyper function's outputs.
///
/// Programs choose one [by name](Self::from_str):
///
/// | name | implementation |
/// |---|---|
/// | `native` | this library |
/// | `seed` | the first public `PyTorch` module, `Islanna/DynamicReLU`, and its forks: our names and order, with buffers `lambdas` and `init_v`; `conv1x1` is the attention of forks with mode C |
/// | `paper` | our names in the order of equation 2, a¹ … aᴷ b¹ … bᴷ for all channels |
/// | `dynamic-head` | `DYReLU` of `microsoft/DynamicHead` and of `GLIP`: `fc.0`, `fc.2`, `spa.0`, `spa.1`; a¹ b¹ a² b² for all channels |
/// | `mmdetection` | `DyReLU` of mmdetection: `conv1.conv`, `conv2.conv`, in the same order |
///
/// A convention says nothing of the formula: that is the activation's. The last two compute [`squash`](Self::squash)
/// otherwise, as the gallery's `DyHead` does.
///
/// ```
/// # use dyrelu::safetensors::{SafeTensors, serialize, tensor::{Dtype, TensorView}};
/// use dyrelu::{Convention, dynamic_activation};
///
/// #[dynamic_activation(k = 2, share = "spatial", squash = "2hard_sigmoid-1")]
/// struct DyHead;
///
/// # let zeros = vec![0; 1024];
/// # let view = |shape: &[usize]| {
/// #     TensorView::new(Dtype::F32, shape.into(), &zeros[..4 * shape.iter().product::<usize>()]).unwrap()
/// # };
/// # let bytes = serialize([
/// #     ("tower.3.relu.fc.0.weight", view(&[4, 16])), ("tower.3.relu.fc.0.bias", view(&[4])),
/// #     ("tower.3.relu.fc.2.weight", view(&[64, 4])), ("tower.3.relu.fc.2.bias", view(&[64])),
/// #     ("tower.3.conv.weight", view(&[1])),
/// # ], None)?;
/// let mut act = DyHead::layer::<f32>(16).build()?;
/// let convention: Convention = "dynamic-head".parse()?;
/// let report = act.load_tensors_as(convention, &SafeTensors::deserialize(&bytes)?, "tower.3.relu.")?;
/// assert_eq!(report.ignored, ["tower.3.conv.weight"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convention {
    /// Its name.
    pub name: &'static str,
    /// The layers that have another name, or whose weights are those of convolutions.
    pub layers: &'static [NamedLayer],
    /// The order of the rows of the hyper function's last layer.
    pub order: OutputOrder,
    /// What the implementation makes of raw values, if that is known. It is not in a checkpoint.
    pub squash: Option<Squash>,
    /// Whether constants are saved beside the parameters, as buffers `lambdas` and `init_v`.
    pub constants: bool,
}

/// A layer in a checkpoint, such as the two fully connected ones of a hyper function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamedLayer {
    /// Our name, such as `fc1` in `fc1.weight`.
    pub native: &'static str,
    /// The name in the checkpoint.
    pub name: &'static str,
    /// The weight's axes of length 1 after its rows and columns: those of a 1×1 convolution.
    pub kernel_axes: usize,
}

/// The order of a hyper function's outputs, the slowest index first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputOrder {
    /// Channel, coefficient, piece: for each channel a¹ … aᴷ b¹ … bᴷ.
    ChannelCoefficientPiece,
    /// Coefficient, piece, channel: all of a¹, …, all of aᴷ, all of b¹, ….
    CoefficientPieceChannel,
    /// Piece, coefficient, channel: all of a¹, all of b¹, all of a², ….
    PieceCoefficientChannel,
}

impl Convention {
    /// That of this library.
    pub const NATIVE: Self = Self {
        name: "native",
        layers: &[],
        order: OutputOrder::ChannelCoefficientPiece,
        squash: None,
        constants: false,
    };

    /// The first public `PyTorch` module, `Islanna/DynamicReLU`, and its forks.
    pub const SEED: Self = Self {
        name: "seed",
        layers: &[renamed("attention", "conv1x1", 2)],
        squash: Some(Squash::CentredSigmoid),
        constants: true,
        ..Self::NATIVE
    };

    /// The order of the paper (equation 2), under our own names.
    pub const PAPER: Self = Self {
        name: "paper",
        order: OutputOrder::CoefficientPieceChannel,
        ..Self::NATIVE
    };

    /// `DYReLU` of `microsoft/DynamicHead` and of `GLIP`.
    pub const DYNAMIC_HEAD: Self = Self {
        name: "dynamic-head",
        layers: &[
            renamed("fc1", "fc.0", 0),
            renamed("fc2", "fc.2", 0),
            renamed("attention", "spa.0", 2),
            renamed("attention.norm", "spa.1", 0),
        ],
        order: OutputOrder::PieceCoefficientChannel,
        squash: Some(Squash::CentredHardSigmoid),
        constants: false,
    };

    /// `DyReLU` of mmdetection.
    pub const MMDETECTION: Self = Self {
        name: "mmdetection",
        layers: &[renamed("fc1", "conv1.conv", 2), renamed("fc2", "conv2.conv", 2)],
        ..Self::DYNAMIC_HEAD
    };

    /// All of the above.
    pub const ALL: [Self; 5] = [
        Self::NATIVE,
        Self::SEED,
        Self::PAPER,
        Self::DYNAMIC_HEAD,
        Self::MMDETECTION,
    ];

    /// The name in a checkpoint of a tensor that is called `native` here, such as `fc1.weight`.
    #[must_use]
    pub fn tensor_name(&self, native: &str) -> String {
        let Some((layer, tensor)) = native.rsplit_once('.') else {
            return native.to_owned();
        };
        let named = self.layers.iter().find(|named| named.native == layer);
        format!("{}.{tensor}", named.map_or(layer, |named| named.name))
    }
}

const fn renamed(native: &'static str, name: &'static str, kernel_axes: usize) -> NamedLayer {
    NamedLayer {
        native,
        name,
        kernel_axes,
    }
}

/// One of [`ALL`](Self::ALL), by its name.
impl FromStr for Convention {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|convention| convention.name == name);
        found.ok_or_else(|| Error::Option {
            option: "the convention",
            expected: "`native`, `seed`, `paper`, `dynamic-head` or `mmdetection`",
            found: format!("`{name}`"),
        })
    }
}

impl OutputOrder {
    /// The row in this order for the i-th in our own. The shape counts channels, or 1 in mode A, dynamic coefficients and
    /// pieces.
    #[must_use]
    pub fn row(self, i: usize, [channels, coefficients, pieces]: [usize; 3]) -> usize {
        let (channel, coefficient, piece) =
            (i / (coefficients * pieces), i / pieces % coefficients, i % pieces);
        match self {
            Self::ChannelCoefficientPiece => i,
            Self::CoefficientPieceChannel => (coefficient * pieces + piece) * channels + channel,
            Self::PieceCoefficientChannel => (piece * coefficients + coefficient) * channels + channel,
        }
    }
}
