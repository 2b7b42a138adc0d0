//! [`Block`]: the inverted residual block.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dyrelu_burn::Activation;

use crate::candidate::Candidate;
use crate::unit::{Unit, UnitConfig};
use crate::visitor::{Place, Step, Visitor};

/// The description of a [`Block`].
#[derive(Config, Debug)]
pub(crate) struct BlockConfig {
    expand: Option<UnitConfig>,
    depthwise: UnitConfig,
    project: UnitConfig,
    /// Whether the input is added to the output.
    shortcut: bool,
}

/// Expands to more channels, convolves each of them, and projects to few channels again. A stands after the first two
/// convolutions, P after the projection.
#[derive(Module, Debug)]
pub(crate) struct Block<A: Activation, P: Activation> {
    expand: Option<Unit<A>>,
    depthwise: Unit<A>,
    project: Unit<P>,
    shortcut: bool,
}

impl BlockConfig {
    /// From the channels of input and output. A block that expands by 1 does without this convolution.
    pub(crate) fn of(
        [inputs, outputs]: [usize; 2],
        expansion: usize,
        stride: usize,
        unit: impl Fn([usize; 2]) -> UnitConfig,
    ) -> Self {
        let hidden = expansion * inputs;
        Self {
            expand: (expansion > 1).then(|| unit([inputs, hidden])),
            depthwise: unit([hidden, hidden])
                .with_kernel(3)
                .with_stride(stride)
                .with_groups(hidden),
            project: unit([hidden, outputs]),
            shortcut: stride == 1 && inputs == outputs,
        }
    }

    pub(crate) fn init<A: Activation, P: Activation>(&self, device: &Device) -> Block<A, P> {
        Block {
            expand: self.expand.as_ref().map(|unit| unit.init(device)),
            depthwise: self.depthwise.init(device),
            project: self.project.init(device),
            shortcut: self.shortcut,
        }
    }

    pub(crate) fn side(&self, side: usize) -> usize {
        self.depthwise.side(side)
    }

    pub(crate) fn multiply_adds<A: Candidate, P: Candidate>(&self, side: usize) -> usize {
        let expand = self
            .expand
            .as_ref()
            .map_or(0, |unit| unit.multiply_adds::<A>(side));
        let project = self.project.multiply_adds::<P>(self.side(side));
        expand + self.depthwise.multiply_adds::<A>(side) + project
    }
}

impl<A: Candidate, P: Candidate> Block<A, P> {
    pub(crate) fn forward(&self, x: Tensor<4>, index: usize, visitor: &mut impl Visitor) -> Tensor<4> {
        let shortcut = self.shortcut.then(|| x.clone());
        let mut y = x;
        if let Some(expand) = &self.expand {
            y = expand.forward(y, Place::Block(index, Step::Expansion), visitor);
        }
        y = self
            .depthwise
            .forward(y, Place::Block(index, Step::Depthwise), visitor);
        y = self
            .project
            .forward(y, Place::Block(index, Step::Projection), visitor);
        match shortcut {
            Some(x) => x + y,
            None => y,
        }
    }
}
