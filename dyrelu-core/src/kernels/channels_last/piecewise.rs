//! The activation itself on `[N, S, C]`, and its gradients.
//!
//! In modes B and C every lane has a set of coefficients. In mode A a sample is one row, in whatever order its elements
//! are: that is done by the row kernels.

use super::{BLOCK, GROUP, Group, add_to_totals, load, store};
use crate::activation::{DynamicActivation, Sharing};
use crate::kernels::piecewise as rows;
use crate::kernels::piecewise::{Gradients, Sets, gradients, unshared, value, zeros};
use crate::lanes::{Lanes, MAX_LANES};
use crate::{Piece, Scalar};
use fearless_simd::{Level, Simd, dispatch};

/// What an activation reads besides x.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// S.
    pub positions: usize,
    /// C.
    pub channels: usize,
    /// `[N, C or 1, P, K]`.
    pub coefficients: &'a [T],
    /// π, `[N, S]`, in mode C; empty in modes A and B.
    pub attention: &'a [T],
}

/// [`piecewise::forward`](crate::kernels::piecewise::forward) for x and y of the shape `[N, S, C]`. The results are
/// the same bits.
///
/// # Panics
///
/// When the lengths do not fit together.
pub fn forward<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    operands: Operands<'_, T>,
    x: &[T],
    y: &mut [T],
) {
    if const { one_row::<A>() } {
        return rows::forward::<A, T, K, P>(level, operands.row(), x, y);
    }
    assert_eq!(x.len(), y.len(), "channels last, piecewise: x and y");
    operands.check::<A, K, P>(y.len());
    if !y.is_empty() {
        dispatch!(level, simd => forward_samples::<_, A, T, K, P, false>(simd, operands, x, y));
    }
}

/// [`forward`], with y in the place of x.
///
/// # Panics
///
/// As [`forward`].
pub fn forward_inplace<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    operands: Operands<'_, T>,
    x: &mut [T],
) {
    if const { one_row::<A>() } {
        return rows::forward_inplace::<A, T, K, P>(level, operands.row(), x);
    }
    operands.check::<A, K, P>(x.len());
    if !x.is_empty() {
        dispatch!(level, simd => forward_samples::<_, A, T, K, P, true>(simd, operands, &[], x));
    }
}

/// The gradients of [`forward`] with respect to x, the coefficients and the attention.
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
    if const { one_row::<A>() } {
        return rows::backward::<A, T, K, P>(level, operands.row(), x, grad_y, grads);
    }
    assert_eq!(
        x.len(),
        grad_y.len(),
        "channels last, piecewise: x and the gradient of y"
    );
    assert_eq!(
        x.len(),
        grads.x.len(),
        "channels last, piecewise: x and its gradient"
    );
    assert_eq!(
        operands.coefficients.len(),
        grads.coefficients.len(),
        "channels last, piecewise: gradient of coefficients"
    );
    assert_eq!(
        operands.attention.len(),
        grads.attention.len(),
        "channels last, piecewise: gradient of the attention"
    );
    operands.check::<A, K, P>(x.len());
    grads.attention.fill(T::default());
    if x.is_empty() {
        grads.coefficients.fill(T::default());
    } else {
        dispatch!(level, simd => backward_samples::<_, A, T, K, P>(simd, operands, x, grad_y, grads));
    }
}

/// Whether a sample is one row.
const fn one_row<A: DynamicActivation>() -> bool {
    matches!(A::SHARING, Sharing::SpatialAndChannel)
}

impl<'a, T> Operands<'a, T> {
    /// The same for the row kernels in mode A.
    fn row(self) -> rows::Operands<'a, T> {
        rows::Operands {
            len: self.positions * self.channels,
            coefficients: self.coefficients,
            attention: self.attention,
        }
    }

    fn check<A: DynamicActivation, const K: usize, const P: usize>(&self, elements: usize) {
        const { assert!(K > 0 && P > 0, "an activation has pieces and coefficients") };
        let sample = self.channels * K * P;
        let samples = self.coefficients.len().checked_div(sample).unwrap_or(0);
        assert_eq!(
            self.coefficients.len(),
            samples * sample,
            "channels last, piecewise: samples of coefficients"
        );
        assert_eq!(
            elements,
            samples * self.channels * self.positions,
            "channels last, piecewise: x and coefficients"
        );
        let scores = if const { unshared::<A>() } {
            samples * self.positions
        } else {
            0
        };
        assert_eq!(
            self.attention.len(),
            scores,
            "channels last, piecewise: positions of attention"
        );
    }

    /// The coefficients and the attention of sample n.
    #[inline(always)]
    fn of_sample<A: DynamicActivation, const K: usize, const P: usize>(&self, n: usize) -> [&'a [T]; 2] {
        let len = self.channels * K * P;
        let coefficients = &self.coefficients[n * len..][..len];
        if const { unshared::<A>() } {
            [
                coefficients,
                &self.attention[n * self.positions..][..self.positions],
            ]
        } else {
            [coefficients, &[]]
        }
    }
}

/// Each coefficient of a group of channels, next to those of the neighbouring channels.
type Groups<T, const K: usize, const P: usize> = [[Group<T>; P]; K];

/// The coefficients of the channels of a group, from their layout `[C, P, K]`.
#[inline(always)]
fn split<S: Simd, T: Scalar, const K: usize, const P: usize>(simd: S, coefficients: &[T]) -> Groups<T, K, P> {
    let mut groups = [[[T::default(); MAX_LANES + GROUP]; P]; K];
    let lanes = Lanes::<S, T>::LEN;
    let count = coefficients.len() / (K * P);
    let mut c = 0;
    if const { is_power_of_two::<K, P>() } {
        while c + lanes <= count {
            let mut vectors = [Lanes::zero(simd); MAX_LANES];
            let mut i = 0;
            while i < K * P {
                vectors[i] = Lanes::load(simd, &coefficients[c * K * P + i * lanes..]);
                i += 1;
            }
            let vectors = Lanes::split_groups(vectors, K * P);
            let mut i = 0;
            while i < K * P {
                vectors[i].store(&mut groups[i % K][i / K][MAX_LANES + c..]);
                i += 1;
            }
            c += lanes;
        }
    }
    while c < count {
        let mut i = 0;
        while i < K * P {
            groups[i % K][i / K][MAX_LANES + c] = coefficients[c * K * P + i];
            i += 1;
        }
        c += 1;
    }
    groups
}

/// The inverse of [`split`], from sums in `f64`.
#[inline(always)]
fn join<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    groups: &Groups<f64, K, P>,
    coefficients: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let count = coefficients.len() / (K * P);
    let mut c = 0;
    if const { is_power_of_two::<K, P>() } {
        while c + lanes <= count {
            let mut vectors = [Lanes::zero(simd); MAX_LANES];
            let mut i = 0;
            while i < K * P {
                let mut buffer = [T::default(); MAX_LANES];
                let group = &groups[i % K][i / K][MAX_LANES + c..][..lanes];
                for (lane, &total) in buffer.iter_mut().zip(group) {
                    *lane = T::from_f64(total);
                }
                vectors[i] = Lanes::load(simd, &buffer);
                i += 1;
            }
            let vectors = Lanes::join_groups(vectors, K * P);
            let mut i = 0;
            while i < K * P {
                vectors[i].store(&mut coefficients[c * K * P + i * lanes..]);
                i += 1;
            }
            c += lanes;
        }
    }
    while c < count {
        let mut i = 0;
        while i < K * P {
            coefficients[c * K * P + i] = T::from_f64(groups[i % K][i / K][MAX_LANES + c]);
            i += 1;
        }
        c += 1;
    }
}

/// Whether vectors of sets can be brought in order by halves.
const fn is_power_of_two<const K: usize, const P: usize>() -> bool {
    (K * P).is_power_of_two() && K * P <= MAX_LANES
}

/// The coefficients of the channels of a vector, which ends before channel `end` of a group.
#[inline(always)]
fn sets<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    groups: &Groups<T, K, P>,
    end: usize,
) -> Sets<S, T, K, P> {
    let mut sets = zeros::<S, T, K, P>(simd);
    let start = MAX_LANES + end - Lanes::<S, T>::LEN;
    let mut k = 0;
    while k < K {
        let mut p = 0;
        while p < P {
            sets[k][p] = Lanes::load(simd, &groups[k][p][start..]);
            p += 1;
        }
        k += 1;
    }
    sets
}

/// The vectors of a group of channels in a block of positions: where they stand.
#[derive(Clone, Copy)]
struct At {
    /// Where the vector of the first position ends.
    end: usize,
    /// How many positions there are.
    positions: usize,
    /// C, from position to position.
    channels: usize,
    /// The lanes that no other vector has.
    counted: usize,
}

/// All of y; x is empty if `INPLACE`.
#[inline(always)]
fn forward_samples<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const INPLACE: bool,
>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    y: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let Operands {
        positions, channels, ..
    } = operands;
    let sample = positions * channels;
    for (n, y) in y.chunks_exact_mut(sample).enumerate() {
        let [coefficients, attention] = operands.of_sample::<A, K, P>(n);
        let x = if INPLACE { x } else { &x[n * sample..][..sample] };
        for (group, coefficients) in coefficients.chunks(GROUP * K * P).enumerate() {
            let groups = split::<S, T, K, P>(simd, coefficients);
            let count = coefficients.len() / (K * P);
            let mut start = 0;
            while start < positions {
                let mut at = At {
                    end: start * channels + group * GROUP,
                    positions: BLOCK.min(positions - start),
                    channels,
                    counted: lanes,
                };
                let mut end = 0;
                while end < count {
                    at.counted = lanes.min(count - end);
                    end += at.counted;
                    at.end += at.counted;
                    let sets = sets::<S, T, K, P>(simd, &groups, end);
                    let attention = attention.get(start..).unwrap_or_default();
                    if at.counted == lanes {
                        forward_vector::<S, A, T, K, P, INPLACE, false>(simd, at, &sets, attention, x, y);
                    } else {
                        forward_vector::<S, A, T, K, P, INPLACE, true>(simd, at, &sets, attention, x, y);
                    }
                }
                start += BLOCK;
            }
        }
    }
}

#[inline(always)]
fn forward_vector<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const INPLACE: bool,
    const PARTIAL: bool,
>(
    simd: S,
    at: At,
    sets: &Sets<S, T, K, P>,
    attention: &[T],
    x: &[T],
    y: &mut [T],
) {
    let mut end = at.end;
    let mut s = 0;
    while s < at.positions {
        let x = load::<S, T, PARTIAL>(simd, if INPLACE { y } else { x }, end);
        let value = value::<S, A, T, K, P, false>(x, sets, pi::<S, A, T>(simd, attention, s));
        store::<S, T, PARTIAL>(value, y, end, at.counted);
        end += at.channels;
        s += 1;
    }
}

/// π at position s in mode C.
#[inline(always)]
fn pi<S: Simd, A: DynamicActivation, T: Scalar>(simd: S, attention: &[T], s: usize) -> Lanes<S, T> {
    if const { unshared::<A>() } {
        Lanes::splat(simd, attention[s])
    } else {
        Lanes::zero(simd)
    }
}

#[inline(always)]
fn backward_samples<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    grad_y: &[T],
    grads: Gradients<'_, T>,
) {
    let lanes = Lanes::<S, T>::LEN;
    let Operands {
        positions, channels, ..
    } = operands;
    let Gradients {
        x: grad_x,
        coefficients: grad_coefficients,
        attention: grad_attention,
    } = grads;
    let sample = positions * channels;
    let samples = x
        .chunks_exact(sample)
        .zip(grad_y.chunks_exact(sample))
        .zip(grad_x.chunks_exact_mut(sample))
        .zip(grad_coefficients.chunks_exact_mut(channels * K * P));
    for (n, (((x, grad_y), grad_x), grad_coefficients)) in samples.enumerate() {
        let [coefficients, attention] = operands.of_sample::<A, K, P>(n);
        let parts = coefficients
            .chunks(GROUP * K * P)
            .zip(grad_coefficients.chunks_mut(GROUP * K * P));
        for (group, (coefficients, grad_coefficients)) in parts.enumerate() {
            let groups = split::<S, T, K, P>(simd, coefficients);
            let mut totals = [[[0.0; MAX_LANES + GROUP]; P]; K];
            let count = coefficients.len() / (K * P);
            let mut start = 0;
            while start < positions {
                let mut at = At {
                    end: start * channels + group * GROUP,
                    positions: BLOCK.min(positions - start),
                    channels,
                    counted: lanes,
                };
                let attention = attention.get(start..).unwrap_or_default();
                let mut grad_pi = [Lanes::zero(simd); BLOCK];
                let mut end = 0;
                while end < count {
                    at.counted = lanes.min(count - end);
                    end += at.counted;
                    at.end += at.counted;
                    let sets = sets::<S, T, K, P>(simd, &groups, end);
                    let arrays = [x, grad_y, attention];
                    let sums = if at.counted == lanes {
                        backward_vector::<S, A, T, K, P, false>(simd, at, &sets, arrays, grad_x, &mut grad_pi)
                    } else {
                        backward_vector::<S, A, T, K, P, true>(simd, at, &sets, arrays, grad_x, &mut grad_pi)
                    };
                    let mut k = 0;
                    while k < K {
                        let mut p = 0;
                        while p < P {
                            add_to_totals(sums[k][p], &mut totals[k][p], end);
                            p += 1;
                        }
                        k += 1;
                    }
                }
                if const { unshared::<A>() } {
                    let grads = &mut grad_attention[n * positions + start..][..at.positions];
                    add_lanes(grads, &grad_pi);
                }
                start += BLOCK;
            }
            join(simd, &totals, grad_coefficients);
        }
    }
}

/// Overwrites the gradient of x, adds to that of π, returns those of the coefficients. `arrays` are x, the gradient
/// of y, and π from the block's first position on.
#[inline(always)]
fn backward_vector<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const PARTIAL: bool,
>(
    simd: S,
    at: At,
    sets: &Sets<S, T, K, P>,
    [x, grad_y, attention]: [&[T]; 3],
    grad_x: &mut [T],
    grad_pi: &mut [Lanes<S, T>; BLOCK],
) -> Sets<S, T, K, P> {
    let counted = if PARTIAL {
        Some(Lanes::<S, T>::last(simd, at.counted))
    } else {
        None
    };
    let mut sums = zeros::<S, T, K, P>(simd);
    let mut end = at.end;
    let mut s = 0;
    while s < at.positions {
        let x = load::<S, T, PARTIAL>(simd, x, end);
        let grad_y = load::<S, T, PARTIAL>(simd, grad_y, end);
        let pi = pi::<S, A, T>(simd, attention, s);
        let (dx, dpi) = gradients::<S, A, T, K, P>(x, grad_y, sets, pi, counted, &mut sums);
        store::<S, T, PARTIAL>(dx, grad_x, end, at.counted);
        if const { unshared::<A>() } {
            grad_pi[s] = grad_pi[s] + dpi;
        }
        end += at.channels;
        s += 1;
    }
    sums
}

/// Adds the lanes of each vector to a number.
#[inline(always)]
fn add_lanes<S: Simd, T: Scalar>(sums: &mut [T], vectors: &[Lanes<S, T>; BLOCK]) {
    for (i, sums) in sums.chunks_mut(8).enumerate() {
        let mut group = [vectors[0]; 8];
        group.copy_from_slice(&vectors[8 * i..][..8]);
        for (sum, added) in sums.iter_mut().zip(Lanes::sums(group)) {
            *sum += added;
        }
    }
}
