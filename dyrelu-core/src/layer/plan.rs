//! [`Plan`]: how a pass is divided, between threads and over time.

use super::layout::Layout;
use super::sizes::{Extent, needs_whole_samples};
use crate::DynamicActivation;
use crate::kernels::pool;
use crate::parallel;

/// Elements of x below which one thread is faster than two: what it takes to wake a thread up.
const PARALLEL: usize = 1 << 17;

/// Elements of x in a group of samples.
const GROUP: usize = 1 << 19;

/// Elements of x in a block of channels.
const BLOCK: usize = 1 << 14;

/// How a pass is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Of x, see [`Extent::merged`].
    pub(super) extent: Extent,
    pub(super) layout: Layout,
    /// The samples of a task.
    pub(super) samples: usize,
    /// The channels of a task within a sample, if there are more threads than samples.
    pub(super) channels: usize,
    /// Whether a sample is computed as a whole.
    whole_samples: bool,
    threads: usize,
}

impl Plan {
    pub(super) fn new<A: DynamicActivation>(extent: Extent, layout: Layout) -> Self {
        let extent = extent.merged::<A>(layout);
        let Extent {
            samples, channels, ..
        } = extent;
        let threads = if extent.elements() < PARALLEL {
            1
        } else {
            parallel::threads()
        };
        let tasks = threads.div_ceil(samples.max(1));
        Self {
            extent,
            layout,
            samples: samples.div_ceil(threads).max(1),
            channels: match tasks {
                1 => usize::MAX,
                _ if needs_whole_samples::<A>() => usize::MAX,
                _ => channels.div_ceil(tasks).next_multiple_of(pool::ROWS),
            },
            whole_samples: layout == Layout::ChannelsLast || needs_whole_samples::<A>(),
            threads,
        }
    }

    /// Runs a pass where its tasks can be handed to other threads.
    pub(super) fn run(self, pass: impl FnOnce() + Send) {
        if self.threads == 1 {
            pass();
        } else {
            parallel::enter(pass);
        }
    }

    /// The outputs of a task in a fully connected layer with this many.
    pub(super) fn outputs(self, outputs: usize) -> usize {
        outputs.div_ceil(self.threads).max(1)
    }

    /// The samples whose coefficients or gradients are computed together: enough to read the weights seldom, and few
    /// enough to find x in the cache after its mean is known.
    pub(super) fn group(self) -> usize {
        (GROUP / self.sample()).next_multiple_of(4).max(4)
    }

    /// The group of the forward pass. It is pooled while another one is applied, all but the first: large samples
    /// come in pairs, so that little is pooled before.
    pub(super) fn ahead(self) -> usize {
        match self.group() {
            4 => 2,
            group => group,
        }
    }

    /// The elements of a sample, at least 1.
    fn sample(self) -> usize {
        (self.extent.channels * self.extent.positions).max(1)
    }

    /// The samples that are applied before as many others are pooled.
    pub(super) fn together(self) -> usize {
        match self.layout {
            Layout::Rows => 1,
            Layout::ChannelsLast => (BLOCK / self.sample()).max(1),
        }
    }

    /// The channels of a sample that are applied before as many of another sample are pooled: what is written
    /// goes to the memory while the other is read.
    pub(super) fn block(self) -> usize {
        if self.whole_samples {
            return self.extent.channels.max(1);
        }
        (BLOCK / self.extent.positions.max(1))
            .next_multiple_of(pool::ROWS)
            .max(pool::ROWS)
    }
}
