//! Work on several threads: recursion into halves, as far as the feature `rayon` and the size of the work allow.
//!
//! Every number is computed by one task, in an order that does not depend on how the work was split: the results
//! are the same bits for any number of threads.

/// Work that can be done in parts.
pub(crate) trait Split: Send + Sized {
    /// The number of items, which cannot be split any further.
    fn count(&self) -> usize;

    /// The first `at` items, and the others.
    fn split_at(self, at: usize) -> (Self, Self);
}

/// Runs `run` on parts of `work` of at most `grain` items, in any order.
pub(crate) fn for_each<W: Split>(work: W, grain: usize, run: &(impl Fn(W) + Sync)) {
    let count = work.count();
    if count <= grain {
        return run(work);
    }
    // Whole grains go to either side, so that no task is smaller than it must be.
    let at = (count.div_ceil(grain) / 2) * grain;
    let (first, second) = work.split_at(at);
    join(|| for_each(first, grain, run), || for_each(second, grain, run));
}

#[cfg(feature = "rayon")]
mod pool {
    pub(crate) use rayon::join;

    /// The number of threads of the current pool.
    pub(crate) fn threads() -> usize {
        rayon::current_num_threads()
    }

    /// Runs `run` on one of the pool's own threads, from where tasks are handed on cheaply.
    pub(crate) fn enter(run: impl FnOnce() + Send) {
        rayon::scope(|_| run());
    }
}

#[cfg(not(feature = "rayon"))]
mod pool {
    pub(crate) fn join(first: impl FnOnce(), second: impl FnOnce()) {
        first();
        second();
    }

    pub(crate) fn threads() -> usize {
        1
    }

    pub(crate) fn enter(run: impl FnOnce()) {
        run();
    }
}

use pool::join;
pub(crate) use pool::{enter, threads};

/// The first `count` items, or all if there are fewer, and the others.
pub(crate) fn take<W: Split>(work: W, count: usize) -> (W, W) {
    let at = count.min(work.count());
    work.split_at(at)
}

/// A part of an array.
pub(crate) trait Part: Sized {
    /// The elements of the first `at` of `count` equal parts, and the others.
    fn split_part(self, at: usize, count: usize) -> (Self, Self);
}

impl<T> Part for &[T] {
    fn split_part(self, at: usize, count: usize) -> (Self, Self) {
        self.split_at(self.len().checked_div(count).unwrap_or(0) * at)
    }
}

impl<T> Part for &mut [T] {
    fn split_part(self, at: usize, count: usize) -> (Self, Self) {
        let mid = self.len().checked_div(count).unwrap_or(0) * at;
        self.split_at_mut(mid)
    }
}

/// Implements [`Split`] for a struct with a `count` and arrays that have the same number of elements for each item.
macro_rules! split {
    ($name:ident { $($array:ident),* $(,)? }) => {
        impl<T: $crate::Scalar> $crate::parallel::Split for $name<'_, T> {
            fn count(&self) -> usize {
                self.count
            }

            fn split_at(self, at: usize) -> (Self, Self) {
                $(let $array = $crate::parallel::Part::split_part(self.$array, at, self.count);)*
                (
                    Self { count: at, $($array: $array.0),* },
                    Self { count: self.count - at, $($array: $array.1),* },
                )
            }
        }
    };
}
pub(crate) use split;
