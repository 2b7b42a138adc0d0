//! Global average pooling of `[N, S, C]`: the mean of each channel of a sample.

use super::{Totals, add_to_totals, load, store};
use crate::Scalar;
use crate::kernels::pool::{BLOCKS, DEPTH};
use crate::lanes::{Lanes, MAX_LANES};
use fearless_simd::{Level, Simd, dispatch};

/// Vectors of channels that are added up together: their sums stay in the first-level cache.
const VECTORS: usize = 16;

/// Vectors that are added up together, to hide the latency of an addition.
const TOGETHER: usize = 4;

/// `pooled[n, c] = mean(x[n, .., c])` for x of the shape `[N, S, C]`, where `shape` is S and C; the mean of no
/// elements is 0.
///
/// The same bits as [`pool::forward`](crate::kernels::pool::forward) has for `[N, C, S]`.
///
/// # Panics
///
/// When x and `pooled` do not have this shape.
pub fn forward<T: Scalar>(level: Level, shape: [usize; 2], x: &[T], pooled: &mut [T]) {
    check(shape, x, pooled);
    if x.is_empty() {
        pooled.fill(T::default());
        return;
    }
    dispatch!(level, simd => forward_samples(simd, shape, x, pooled));
}

/// `grad_x[n, s, c] += grad_pooled[n, c] / S`.
///
/// # Panics
///
/// As [`forward`].
pub fn backward<T: Scalar>(level: Level, shape: [usize; 2], grad_pooled: &[T], grad_x: &mut [T]) {
    check(shape, grad_x, grad_pooled);
    if !grad_x.is_empty() {
        dispatch!(level, simd => backward_samples(simd, shape, grad_pooled, grad_x));
    }
}

fn check<T>([positions, channels]: [usize; 2], x: &[T], pooled: &[T]) {
    assert_eq!(
        x.len(),
        pooled.len() * positions,
        "channels last, pool: x and its means"
    );
    assert!(
        pooled.is_empty() || channels != 0 && pooled.len().is_multiple_of(channels),
        "channels last, pool: samples of means"
    );
}

#[inline(always)]
fn forward_samples<S: Simd, T: Scalar>(simd: S, shape: [usize; 2], x: &[T], pooled: &mut [T]) {
    let [positions, channels] = shape;
    if positions == 1 {
        return pooled.copy_from_slice(x);
    }
    let mut sums = Sums::new(simd);
    let samples = x.chunks_exact(positions * channels);
    for (x, pooled) in samples.zip(pooled.chunks_exact_mut(channels)) {
        sums.sample(simd, shape, x, pooled);
    }
}

/// Positions of which each lane of a row has the same number.
#[derive(Clone, Copy)]
struct Part {
    /// The first position.
    start: usize,
    /// Its lane.
    first: usize,
    /// The number of positions of each lane.
    depth: usize,
    /// Whether their sums replace those that are there.
    replaces: bool,
}

/// Sums for each lane that a position has in a row.
///
/// The row kernel's lane j adds up every LEN-th position from j on, and so do the sums j here. Then neighbouring sums
/// are added, as neighbouring lanes are there.
pub(super) struct Sums<S: Simd, T: Scalar>([[Lanes<S, T>; VECTORS]; MAX_LANES]);

impl<S: Simd, T: Scalar> Sums<S, T> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        Self([[Lanes::zero(simd); VECTORS]; MAX_LANES])
    }

    /// The means of a sample.
    #[inline(always)]
    pub(super) fn sample(&mut self, simd: S, [positions, channels]: [usize; 2], x: &[T], pooled: &mut [T]) {
        let lanes = Lanes::<S, T>::LEN;
        let whole = positions / lanes * lanes;
        for (group, pooled) in pooled.chunks_mut(VECTORS * lanes).enumerate() {
            let first = group * VECTORS * lanes;
            let group = [channels, first, first + pooled.len()];
            let used = pooled.len().div_ceil(lanes);
            let mut totals = [[0.0; MAX_LANES]; VECTORS];
            if whole < positions {
                // The row's last vector, whose first lanes do not count.
                let first = lanes + whole - positions;
                let part = Part {
                    start: whole,
                    first,
                    depth: 1,
                    replaces: true,
                };
                self.add(simd, group, part, x);
                reduce(&mut self.0, used, first, &mut totals);
            }
            for start in (0..whole).step_by(BLOCKS * DEPTH * lanes) {
                let end = whole.min(start + BLOCKS * DEPTH * lanes);
                for part in (start..end).step_by(DEPTH * lanes) {
                    let part = Part {
                        start: part,
                        first: 0,
                        depth: DEPTH.min((end - part) / lanes),
                        replaces: part == start,
                    };
                    self.add(simd, group, part, x);
                }
                reduce(&mut self.0, used, 0, &mut totals);
            }
            let inverse = 1.0 / positions as f64;
            for (means, totals) in pooled.chunks_mut(lanes).zip(&totals) {
                let counted = means.len();
                for (mean, &total) in means.iter_mut().zip(&totals[lanes - counted..lanes]) {
                    *mean = T::from_f64(total * inverse);
                }
            }
        }
    }

    /// Adds the vectors of some positions. The group is C, the first channel and the one after the last.
    #[inline(always)]
    fn add(&mut self, simd: S, [channels, begin, end]: [usize; 3], part: Part, x: &[T]) {
        let Part {
            start,
            first,
            depth,
            replaces,
        } = part;
        let lanes = Lanes::<S, T>::LEN;
        let step = lanes * channels;
        for (j, sums) in self.0[first..lanes].iter_mut().enumerate() {
            let position = (start + j) * channels;
            let mut c = begin;
            let mut v = 0;
            while c < end {
                let left = end - c;
                let at = [position + c, step, depth];
                if left >= TOGETHER * lanes {
                    let sums = &mut sums[v..v + TOGETHER];
                    column::<S, T, TOGETHER>(simd, at, replaces, x, sums);
                    v += TOGETHER;
                    c += TOGETHER * lanes;
                } else if left >= lanes {
                    column::<S, T, 1>(simd, at, replaces, x, &mut sums[v..=v]);
                    v += 1;
                    c += lanes;
                } else {
                    let mut sum = Lanes::zero(simd);
                    for i in 0..depth {
                        sum = sum + load::<S, T, true>(simd, x, position + end + i * step);
                    }
                    sums[v] = if replaces { sum } else { sums[v] + sum };
                    c = end;
                }
            }
        }
    }
}

/// Adds `depth` times M vectors, of which the first begin at an element and the next ones a step later.
#[inline(always)]
fn column<S: Simd, T: Scalar, const M: usize>(
    simd: S,
    [mut start, step, depth]: [usize; 3],
    replaces: bool,
    x: &[T],
    sums: &mut [Lanes<S, T>],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut column = [Lanes::zero(simd); M];
    let mut i = 0;
    while i < depth {
        let x = &x[start..start + M * lanes];
        let mut m = 0;
        while m < M {
            column[m] = column[m] + Lanes::load(simd, &x[m * lanes..]);
            m += 1;
        }
        start += step;
        i += 1;
    }
    let mut m = 0;
    while m < M {
        sums[m] = if replaces { column[m] } else { sums[m] + column[m] };
        m += 1;
    }
}

/// Adds neighbouring sums until one is left, and that to the totals. There are no sums before the `first` ones.
#[inline(always)]
fn reduce<S: Simd, T: Scalar>(
    sums: &mut [[Lanes<S, T>; VECTORS]; MAX_LANES],
    used: usize,
    mut first: usize,
    totals: &mut [Totals; VECTORS],
) {
    let lanes = Lanes::<S, T>::LEN;
    if first == 0 {
        for (v, totals) in totals[..used].iter_mut().enumerate() {
            let mut tree = [sums[0][v]; MAX_LANES];
            for (leaf, sums) in tree[..lanes].iter_mut().zip(&*sums) {
                *leaf = sums[v];
            }
            let mut count = lanes;
            while count > 1 {
                count /= 2;
                let mut i = 0;
                while i < count {
                    tree[i] = tree[2 * i] + tree[2 * i + 1];
                    i += 1;
                }
            }
            add_to_totals(tree[0], totals);
        }
        return;
    }
    let mut count = lanes;
    while count > 1 {
        count /= 2;
        for i in first / 2..count {
            let mut v = 0;
            while v < used {
                let right = sums[2 * i + 1][v];
                sums[i][v] = if 2 * i < first {
                    right
                } else {
                    sums[2 * i][v] + right
                };
                v += 1;
            }
        }
        first /= 2;
    }
    for (&sum, totals) in sums[0][..used].iter().zip(totals) {
        add_to_totals(sum, totals);
    }
}

#[inline(always)]
fn backward_samples<S: Simd, T: Scalar>(simd: S, shape: [usize; 2], grad_pooled: &[T], grad_x: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let [positions, channels] = shape;
    let inverse = Lanes::splat(simd, T::from_f64(1.0 / positions as f64));
    let whole = channels / lanes * lanes;
    let samples = grad_x.chunks_exact_mut(positions * channels);
    for (grad_x, grad_pooled) in samples.zip(grad_pooled.chunks_exact(channels)) {
        let last = Lanes::load_last(simd, grad_pooled) * inverse;
        let mut start = 0;
        while start < positions * channels {
            let vectors = grad_x[start..start + whole].chunks_exact_mut(lanes);
            for (grad_x, grad_pooled) in vectors.zip(grad_pooled.chunks_exact(lanes)) {
                (Lanes::load(simd, grad_x) + Lanes::load(simd, grad_pooled) * inverse).store(grad_x);
            }
            start += channels;
            if whole < channels {
                let sum = load::<S, T, true>(simd, grad_x, start) + last;
                store::<S, T, true>(sum, grad_x, start, channels - whole);
            }
        }
    }
}
