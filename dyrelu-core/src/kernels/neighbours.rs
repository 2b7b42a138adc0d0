//! The activation of pieces that see channel-shifted copies of x, and its gradients.
//!
//! The last J of the P arguments of a piece are elements of other channels at the same position. They take the places
//! of coefficients in the kernels of [`piecewise`](super::piecewise), but change from vector to vector.

use super::piecewise::{
    BLOCK, Gradients, Sets, add_up, before_last, coefficients, gradients, splat, store_totals, unshared,
    value, zeros,
};
use crate::lanes::Lanes;
use crate::{DynamicActivation, Neighbour, Piece, Scalar, Sharing};
use core::ops::Range;
use fearless_simd::{Level, Simd, dispatch};

/// What an activation reads besides x, `[N, C, S]`.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// S.
    pub positions: usize,
    /// C.
    pub channels: usize,
    /// `[N, C or 1, P − J, K]`.
    pub coefficients: &'a [T],
    /// π, `[N, S]`, in mode C; empty in modes A and B.
    pub attention: &'a [T],
    /// The channel that is a channel's neighbour, `[J, C]`, see [`sources`].
    pub sources: &'a [usize],
}

/// The channel that is a channel's neighbour, for each neighbour and channel: `[J, C]`.
///
/// # Panics
///
/// When the channels are not `groups` groups of the same size.
#[must_use]
pub fn sources(neighbours: &[Neighbour], channels: usize, groups: usize) -> Vec<usize> {
    assert!(
        groups != 0 && channels.is_multiple_of(groups),
        "neighbours: groups of channels"
    );
    let size = channels / groups;
    let mut sources = Vec::with_capacity(neighbours.len() * channels);
    for neighbour in neighbours {
        for c in 0..channels {
            let group = shifted(c / size, neighbour.groups, groups);
            sources.push(group * size + shifted(c % size, neighbour.channels, size));
        }
    }
    sources
}

/// (index + by) mod count.
fn shifted(index: usize, by: i32, count: usize) -> usize {
    let distance = by.unsigned_abs() as usize % count;
    if by < 0 {
        (index + count - distance) % count
    } else {
        (index + distance) % count
    }
}

/// As [`piecewise::forward`](super::piecewise::forward), with neighbours.
///
/// # Panics
///
/// When the lengths do not fit together, or a source is not a channel. K of 0 does not compile.
pub fn forward<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    operands: Operands<'_, T>,
    x: &[T],
    y: &mut [T],
) {
    assert_eq!(x.len(), y.len(), "neighbours: x and y");
    operands.check::<A, K, P>(x.len());
    if !x.is_empty() {
        dispatch!(level, simd => forward_samples::<_, A, T, K, P>(simd, operands, x, y));
    }
}

/// The gradients of [`forward`] with respect to x, the coefficients and the attention. That of x has the elements that
/// other channels have seen in it.
///
/// # Panics
///
/// As [`forward`].
pub fn backward<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    operands: Operands<'_, T>,
    x: &[T],
    grad_y: &[T],
    grads: Gradients<'_, T>,
) {
    assert_eq!(x.len(), grad_y.len(), "neighbours: x and the gradient of y");
    assert_eq!(x.len(), grads.x.len(), "neighbours: x and its gradient");
    assert_eq!(
        operands.coefficients.len(),
        grads.coefficients.len(),
        "neighbours: gradient of coefficients"
    );
    assert_eq!(
        operands.attention.len(),
        grads.attention.len(),
        "neighbours: gradient of the attention"
    );
    operands.check::<A, K, P>(x.len());
    grads.x.fill(T::default());
    grads.attention.fill(T::default());
    if x.is_empty() {
        grads.coefficients.fill(T::default());
    } else {
        dispatch!(level, simd => backward_samples::<_, A, T, K, P>(simd, operands, x, grad_y, grads));
    }
}

/// Whether all channels of a sample share one set.
const fn one_set<A: DynamicActivation>() -> bool {
    matches!(A::SHARING, Sharing::SpatialAndChannel)
}

impl<T> Operands<'_, T> {
    fn check<A: DynamicActivation, const K: usize, const P: usize>(&self, elements: usize) {
        const { assert!(K > 0, "an activation has pieces") };
        assert_eq!(
            self.sources.len(),
            A::NEIGHBOURS.len() * self.channels,
            "neighbours: sources for each neighbour and channel"
        );
        for &source in self.sources {
            assert!(source < self.channels, "neighbours: a source is a channel");
        }
        let sample = self.channels * self.positions;
        let samples = elements.checked_div(sample).unwrap_or(0);
        assert_eq!(elements, samples * sample, "neighbours: samples of x");
        if elements == 0 {
            return;
        }
        let sets = if const { one_set::<A>() } {
            samples
        } else {
            samples * self.channels
        };
        assert_eq!(
            self.coefficients.len(),
            sets * K * coefficients::<A, P>(),
            "neighbours: x and coefficients"
        );
        let scores = if const { unshared::<A>() } {
            samples * self.positions
        } else {
            0
        };
        assert_eq!(self.attention.len(), scores, "neighbours: positions of attention");
    }

    /// The elements of the set of channel c of sample n.
    #[inline(always)]
    fn set<A: DynamicActivation, const K: usize, const P: usize>(&self, n: usize, c: usize) -> Range<usize> {
        let len = K * const { coefficients::<A, P>() };
        let set = if const { one_set::<A>() } {
            n
        } else {
            n * self.channels + c
        };
        set * len..(set + 1) * len
    }

    /// The elements of the attention of sample n, none in modes A and B.
    #[inline(always)]
    fn scores<A: DynamicActivation>(&self, n: usize) -> Range<usize> {
        if const { unshared::<A>() } {
            n * self.positions..(n + 1) * self.positions
        } else {
            0..0
        }
    }

    /// The elements of a channel in its sample.
    #[inline(always)]
    fn row(&self, c: usize) -> Range<usize> {
        c * self.positions..(c + 1) * self.positions
    }

    /// The channel that argument p of a piece comes from, at channel c.
    #[inline(always)]
    fn source<A: DynamicActivation, const P: usize>(&self, p: usize, c: usize) -> usize {
        self.sources[(p - const { coefficients::<A, P>() }) * self.channels + c]
    }

    /// The rows that channel c sees, for each argument of a piece that is a neighbour.
    #[inline(always)]
    fn rows<'x, A: DynamicActivation, const P: usize>(&self, sample: &'x [T], c: usize) -> [&'x [T]; P] {
        let mut rows = [&sample[..0]; P];
        let mut p = const { coefficients::<A, P>() };
        while p < P {
            rows[p] = &sample[self.row(self.source::<A, P>(p, c))];
            p += 1;
        }
        rows
    }
}

/// The sets with the neighbours at one vector of a row, which begins at an element or is the last one.
#[inline(always)]
fn see<S: Simd, A: DynamicActivation, T: Scalar, const K: usize, const P: usize, const LAST: bool>(
    simd: S,
    sets: &Sets<S, T, K, P>,
    rows: &[&[T]; P],
    start: usize,
) -> Sets<S, T, K, P> {
    let mut sets = *sets;
    let mut p = const { coefficients::<A, P>() };
    while p < P {
        let neighbour = load::<S, T, LAST>(simd, rows[p], start);
        let mut k = 0;
        while k < K {
            sets[k][p] = neighbour;
            k += 1;
        }
        p += 1;
    }
    sets
}

/// The vector that begins at an element of a row, or the last one.
#[inline(always)]
fn load<S: Simd, T: Scalar, const LAST: bool>(simd: S, row: &[T], start: usize) -> Lanes<S, T> {
    if LAST {
        Lanes::load_last(simd, row)
    } else {
        Lanes::load(simd, &row[start..])
    }
}

/// Adds to what [`load`] reads.
#[inline(always)]
fn add<S: Simd, T: Scalar, const LAST: bool>(simd: S, summand: Lanes<S, T>, row: &mut [T], start: usize) {
    let sum = load::<S, T, LAST>(simd, row, start) + summand;
    if LAST {
        sum.store_last(row);
    } else {
        sum.store(&mut row[start..]);
    }
}

/// π at a vector, in mode C.
#[inline(always)]
fn pi<S: Simd, A: DynamicActivation, T: Scalar, const LAST: bool>(
    simd: S,
    attention: &[T],
    start: usize,
) -> Lanes<S, T> {
    if const { unshared::<A>() } {
        load::<S, T, LAST>(simd, attention, start)
    } else {
        Lanes::zero(simd)
    }
}

#[inline(always)]
fn forward_samples<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    y: &mut [T],
) {
    let sample = operands.channels * operands.positions;
    for (n, (x, y)) in x.chunks_exact(sample).zip(y.chunks_exact_mut(sample)).enumerate() {
        let attention = &operands.attention[operands.scores::<A>(n)];
        for (c, y) in y.chunks_exact_mut(operands.positions).enumerate() {
            let set = &operands.coefficients[operands.set::<A, K, P>(n, c)];
            let sets = splat::<S, A, T, K, P>(simd, set);
            let rows = operands.rows::<A, P>(x, c);
            forward_row::<S, A, T, K, P>(simd, &sets, &rows, attention, &x[operands.row(c)], y);
        }
    }
}

#[inline(always)]
fn forward_row<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    sets: &Sets<S, T, K, P>,
    rows: &[&[T]; P],
    attention: &[T],
    x: &[T],
    y: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let whole = before_last::<S, T>(x.len());
    let mut start = 0;
    while start < whole {
        let sets = see::<S, A, T, K, P, false>(simd, sets, rows, start);
        let pi = pi::<S, A, T, false>(simd, attention, start);
        let x = load::<S, T, false>(simd, x, start);
        value::<S, A, T, K, P, false>(x, &sets, pi).store(&mut y[start..]);
        start += lanes;
    }
    let sets = see::<S, A, T, K, P, true>(simd, sets, rows, whole);
    let pi = pi::<S, A, T, true>(simd, attention, whole);
    value::<S, A, T, K, P, false>(Lanes::load_last(simd, x), &sets, pi).store_last(y);
}

#[inline(always)]
fn backward_samples<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    grad_y: &[T],
    grads: Gradients<'_, T>,
) {
    let Gradients {
        x: grad_x,
        coefficients: grad_coefficients,
        attention: grad_attention,
    } = grads;
    let sample = operands.channels * operands.positions;
    let samples = x
        .chunks_exact(sample)
        .zip(grad_y.chunks_exact(sample))
        .zip(grad_x.chunks_exact_mut(sample));
    for (n, ((x, grad_y), grad_x)) in samples.enumerate() {
        let scores = operands.scores::<A>(n);
        let mut totals = [[0.0; P]; K];
        for c in 0..operands.channels {
            let set = operands.set::<A, K, P>(n, c);
            let sets = splat::<S, A, T, K, P>(simd, &operands.coefficients[set.clone()]);
            let arrays = [x, &grad_y[operands.row(c)], &operands.attention[scores.clone()]];
            let grad_attention = &mut grad_attention[scores.clone()];
            backward_row::<S, A, T, K, P>(
                simd,
                (operands, c),
                &sets,
                arrays,
                grad_x,
                grad_attention,
                &mut totals,
            );
            // One set for all channels has the sum of all.
            store_totals::<A, T, K, P>(&totals, &mut grad_coefficients[set]);
            if const { !one_set::<A>() } {
                totals = [[0.0; P]; K];
            }
        }
    }
}

/// Channel c: adds to the gradients of x and the attention, and to the totals. `arrays` are the sample of x, the row of
/// the gradient of y, and the attention.
#[inline(always)]
fn backward_row<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    at: (Operands<'_, T>, usize),
    sets: &Sets<S, T, K, P>,
    arrays: [&[T]; 3],
    grad_x: &mut [T],
    grad_attention: &mut [T],
    totals: &mut [[f64; P]; K],
) {
    let lanes = Lanes::<S, T>::LEN;
    let whole = before_last::<S, T>(at.0.positions);
    let mut sums = zeros::<S, T, K, P>(simd);
    let mut start = 0;
    while start < whole {
        let end = whole.min(start + BLOCK * lanes);
        while start < end {
            backward_vector::<S, A, T, K, P, false>(
                simd,
                at,
                start,
                sets,
                arrays,
                grad_x,
                grad_attention,
                &mut sums,
            );
            start += lanes;
        }
        if start < whole {
            add_up(simd, totals, &mut sums);
        }
    }
    backward_vector::<S, A, T, K, P, true>(simd, at, whole, sets, arrays, grad_x, grad_attention, &mut sums);
    add_up(simd, totals, &mut sums);
}

/// As [`backward_row`], for the vector at `start`. The last vector overlaps with the one before: its other lanes have
/// their gradients already.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the loop's variables")]
fn backward_vector<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const LAST: bool,
>(
    simd: S,
    (operands, c): (Operands<'_, T>, usize),
    start: usize,
    sets: &Sets<S, T, K, P>,
    [sample, grad_y, attention]: [&[T]; 3],
    grad_x: &mut [T],
    grad_attention: &mut [T],
    sums: &mut Sets<S, T, K, P>,
) {
    let rows = operands.rows::<A, P>(sample, c);
    let sets = see::<S, A, T, K, P, LAST>(simd, sets, &rows, start);
    let x = load::<S, T, LAST>(simd, &sample[operands.row(c)], start);
    let grad_y = load::<S, T, LAST>(simd, grad_y, start);
    let pi = pi::<S, A, T, LAST>(simd, attention, start);
    let counted = if LAST {
        Some(Lanes::<S, T>::last(simd, operands.positions - start))
    } else {
        None
    };
    let (mut dx, dpi) = gradients::<S, A, T, K, P>(x, grad_y, &sets, pi, counted, sums);
    if let Some(counted) = counted {
        dx = dx.keep(counted);
    }
    add::<S, T, LAST>(simd, dx, &mut grad_x[operands.row(c)], start);
    // What stands in the neighbours' places of the sums is this vector's gradients.
    let mut p = const { coefficients::<A, P>() };
    while p < P {
        let mut grad = Lanes::zero(simd);
        let mut k = 0;
        while k < K {
            grad = grad + sums[k][p];
            sums[k][p] = Lanes::zero(simd);
            k += 1;
        }
        let source = operands.source::<A, P>(p, c);
        add::<S, T, LAST>(simd, grad, &mut grad_x[operands.row(source)], start);
        p += 1;
    }
    if const { unshared::<A>() } {
        add::<S, T, LAST>(simd, dpi, grad_attention, start);
    }
}
