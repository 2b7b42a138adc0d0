//! [`Convention`]: how public implementations name and order what the hyper function learns.

use super::parameters::{FC1_BIAS, FC1_WEIGHT, FC2_BIAS, FC2_WEIGHT};

/// The names of a hyper function's two layers in a checkpoint, and the order of its outputs.
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
/// #     ("relu.fc.0.weight", view(&[4, 16])), ("relu.fc.0.bias", view(&[4])),
/// #     ("relu.fc.2.weight", view(&[64, 4])), ("relu.fc.2.bias", view(&[64])),
/// # ], None)?;
/// let mut act = DyHead::layer::<f32>(16).build()?;
/// act.load_tensors_as(Convention::DYNAMIC_HEAD, &SafeTensors::deserialize(&bytes)?, "relu.")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convention {
    /// In place of `fc1.weight`, `fc1.bias`, `fc2.weight` and `fc2.bias`.
    pub names: [&'static str; 4],
    /// The order of the rows of the last layer.
    pub order: OutputOrder,
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
    /// That of this library, which is also that of the first public `PyTorch` module, `Islanna/DynamicReLU`, and of its
    /// forks.
    pub const NATIVE: Self = Self {
        names: [FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS],
        order: OutputOrder::ChannelCoefficientPiece,
    };

    /// The order of the paper (equation 2), under our own names.
    pub const PAPER: Self = Self {
        order: OutputOrder::CoefficientPieceChannel,
        ..Self::NATIVE
    };

    /// `DYReLU` of `microsoft/DynamicHead` and of `GLIP`.
    pub const DYNAMIC_HEAD: Self = Self {
        names: ["fc.0.weight", "fc.0.bias", "fc.2.weight", "fc.2.bias"],
        order: OutputOrder::PieceCoefficientChannel,
    };

    /// `DyReLU` of mmdetection.
    pub const MMDETECTION: Self = Self {
        names: [
            "conv1.conv.weight",
            "conv1.conv.bias",
            "conv2.conv.weight",
            "conv2.conv.bias",
        ],
        order: OutputOrder::PieceCoefficientChannel,
    };

    /// The name of a parameter in a checkpoint.
    pub(super) fn name(&self, parameter: &'static str) -> &'static str {
        let layers = Self::NATIVE.names.iter().zip(self.names);
        layers
            .into_iter()
            .find_map(|(&native, name)| (native == parameter).then_some(name))
            .unwrap_or(parameter)
    }
}

impl OutputOrder {
    /// The row in this order for the i-th in our own. The shape counts channels, coefficients and pieces.
    pub(super) fn row(self, i: usize, [channels, coefficients, pieces]: [usize; 3]) -> usize {
        let (channel, coefficient, piece) =
            (i / (coefficients * pieces), i / pieces % coefficients, i % pieces);
        match self {
            Self::ChannelCoefficientPiece => i,
            Self::CoefficientPieceChannel => (coefficient * pieces + piece) * channels + channel,
            Self::PieceCoefficientChannel => (piece * coefficients + coefficient) * channels + channel,
        }
    }
}
