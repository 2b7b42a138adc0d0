//! The activation itself on `[N, S, C]`, and its gradients.
//!
//! In modes B and C every lane has a set of coefficients. In mode A a sample is one row, in whatever order its elements
//! are, and so is all of x where there are no coefficients: that is done by the row kernels.

use super::{BLOCK, Totals, VECTORS, add_to_totals, from_totals, load, store};
use crate::activation::{DynamicActivation, Sharing};
use crate::kernels::piecewise as rows;
use crate::kernels::piecewise::{Gradients, Sets, gradients, unshared, value, zeros};
use crate::lanes::{Lanes, MAX_LANES};
use crate::{Piece, Scalar};
use core::ops::Range;
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
    if const { one_row::<A, P>() } {
        return rows::forward::<A, T, K, P>(level, operands.row(), x, y);
    }
    assert_eq!(x.len(), y.len(), "channels last, piecewise: x and y");
    operands.check::<A, K, P>(y.len());
    if !y.is_empty() {
        dispatch!(level, simd => forward_groups::<_, A, T, K, P, false>(simd, operands, x, y));
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
    if const { one_row::<A, P>() } {
        return rows::forward_inplace::<A, T, K, P>(level, operands.row(), x);
    }
    operands.check::<A, K, P>(x.len());
    if !x.is_empty() {
        dispatch!(level, simd => forward_groups::<_, A, T, K, P, true>(simd, operands, &[], x));
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
    if const { one_row::<A, P>() } {
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
        dispatch!(level, simd => backward_groups::<_, A, T, K, P>(simd, operands, x, grad_y, grads));
    }
}

/// Whether a sample is one row.
const fn one_row<A: DynamicActivation, const P: usize>() -> bool {
    matches!(A::SHARING, Sharing::SpatialAndChannel) || P == 0
}

impl<'a, T> Operands<'a, T> {
    /// The same for the row kernels in mode A, and without coefficients.
    fn row(self) -> rows::Operands<'a, T> {
        rows::Operands {
            len: self.positions * self.channels,
            coefficients: self.coefficients,
            attention: self.attention,
        }
    }

    fn check<A: DynamicActivation, const K: usize, const P: usize>(&self, elements: usize) {
        const { assert!(K > 0, "an activation has pieces") };
        assert!(
            A::NEIGHBOURS.is_empty(),
            "channels last, piecewise: neighbours stand in other rows"
        );
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

/// The coefficients of the channels of a vector, at most LEN, from their layout `[C, P, K]`. Those of fewer channels
/// stand in the last lanes.
#[inline(always)]
fn load_sets<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    coefficients: &[T],
) -> Sets<S, T, K, P> {
    let lanes = Lanes::<S, T>::LEN;
    let mut sets = zeros::<S, T, K, P>(simd);
    if const { is_power_of_two::<K, P>() } && coefficients.len() == lanes * K * P {
        let mut vectors = [Lanes::zero(simd); MAX_LANES];
        let mut i = 0;
        while i < K * P {
            vectors[i] = Lanes::load(simd, &coefficients[i * lanes..]);
            i += 1;
        }
        let vectors = Lanes::split_groups(vectors, K * P);
        let mut i = 0;
        while i < K * P {
            sets[i % K][i / K] = vectors[i];
            i += 1;
        }
        return sets;
    }
    let mut i = 0;
    while i < K * P {
        let mut buffer = [T::default(); MAX_LANES];
        let first = lanes - coefficients.len() / (K * P);
        for (lane, set) in buffer[first..lanes]
            .iter_mut()
            .zip(coefficients.chunks_exact(K * P))
        {
            *lane = set[i];
        }
        sets[i % K][i / K] = Lanes::load(simd, &buffer);
        i += 1;
    }
    sets
}

/// The inverse of [`load_sets`].
#[inline(always)]
fn store_sets<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    sets: &Sets<S, T, K, P>,
    coefficients: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    if const { is_power_of_two::<K, P>() } && coefficients.len() == lanes * K * P {
        let mut vectors = [Lanes::zero(simd); MAX_LANES];
        let mut i = 0;
        while i < K * P {
            vectors[i] = sets[i % K][i / K];
            i += 1;
        }
        let vectors = Lanes::join_groups(vectors, K * P);
        let mut i = 0;
        while i < K * P {
            vectors[i].store(&mut coefficients[i * lanes..]);
            i += 1;
        }
        return;
    }
    let mut i = 0;
    while i < K * P {
        let mut buffer = [T::default(); MAX_LANES];
        sets[i % K][i / K].store(&mut buffer);
        let first = lanes - coefficients.len() / (K * P);
        for (lane, set) in buffer[first..lanes]
            .iter()
            .zip(coefficients.chunks_exact_mut(K * P))
        {
            set[i] = *lane;
        }
        i += 1;
    }
}

/// Whether vectors of sets can be brought in order by halves.
const fn is_power_of_two<const K: usize, const P: usize>() -> bool {
    (K * P).is_power_of_two() && K * P <= MAX_LANES
}

/// Whether the sets of a group of [`VECTORS`] vectors stay in the first-level cache.
const fn is_small<const K: usize, const P: usize>() -> bool {
    K * P <= 16
}

/// All of y; x is empty if `INPLACE`.
#[inline(always)]
fn forward_groups<
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
    if const { is_small::<K, P>() } {
        forward_samples::<S, A, T, K, P, INPLACE, VECTORS>(simd, operands, x, y);
    } else {
        forward_samples::<S, A, T, K, P, INPLACE, 1>(simd, operands, x, y);
    }
}

/// As [`forward_groups`], with groups of V vectors.
#[inline(always)]
fn forward_samples<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const INPLACE: bool,
    const V: usize,
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
        for (group, coefficients) in coefficients.chunks(V * lanes * K * P).enumerate() {
            let mut sets = [zeros::<S, T, K, P>(simd); V];
            for (sets, coefficients) in sets.iter_mut().zip(coefficients.chunks(lanes * K * P)) {
                *sets = load_sets::<S, T, K, P>(simd, coefficients);
            }
            let count = coefficients.len() / (K * P);
            let whole = count / lanes * lanes;
            let mut s = 0;
            while s < positions {
                let pi = pi::<S, A, T>(simd, attention, s);
                let start = s * channels + group * V * lanes;
                let vectors = y[start..start + whole].chunks_exact_mut(lanes).zip(&sets);
                if INPLACE {
                    for (y, sets) in vectors {
                        value::<S, A, T, K, P, false>(Lanes::load(simd, y), sets, pi).store(y);
                    }
                } else {
                    let x = x[start..start + whole].chunks_exact(lanes);
                    for ((y, sets), x) in vectors.zip(x) {
                        value::<S, A, T, K, P, false>(Lanes::load(simd, x), sets, pi).store(y);
                    }
                }
                if whole < count {
                    let x = load::<S, T, true>(simd, if INPLACE { y } else { x }, start + count);
                    let value = value::<S, A, T, K, P, false>(x, &sets[whole / lanes], pi);
                    store::<S, T, true>(value, y, start + count, count - whole);
                }
                s += 1;
            }
        }
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
fn backward_groups<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    grad_y: &[T],
    grads: Gradients<'_, T>,
) {
    if const { is_small::<K, P>() } {
        backward_samples::<S, A, T, K, P, VECTORS>(simd, operands, x, grad_y, grads);
    } else {
        backward_samples::<S, A, T, K, P, 1>(simd, operands, x, grad_y, grads);
    }
}

/// As [`backward_groups`], with groups of V vectors.
#[inline(always)]
fn backward_samples<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const V: usize,
>(
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
            .chunks(V * lanes * K * P)
            .zip(grad_coefficients.chunks_mut(V * lanes * K * P));
        for (group, (coefficients, grad_coefficients)) in parts.enumerate() {
            let mut sets = [zeros::<S, T, K, P>(simd); V];
            for (sets, coefficients) in sets.iter_mut().zip(coefficients.chunks(lanes * K * P)) {
                *sets = load_sets::<S, T, K, P>(simd, coefficients);
            }
            let mut sums = [zeros::<S, T, K, P>(simd); V];
            let mut totals = [[[[0.0; MAX_LANES]; P]; K]; V];
            let count = coefficients.len() / (K * P);
            let used = count.div_ceil(lanes);
            let mut start = 0;
            while start < positions {
                let block = start..positions.min(start + BLOCK);
                let first = group * V * lanes;
                let grad_pi = backward_block::<S, A, T, K, P, V>(
                    simd,
                    [channels, first, first + count],
                    block.clone(),
                    &sets,
                    [x, grad_y, attention],
                    grad_x,
                    &mut sums,
                );
                if const { unshared::<A>() } {
                    let grads = &mut grad_attention[n * positions..][block.clone()];
                    add_lanes(grads, &grad_pi);
                }
                start = block.end;
                if positions > BLOCK {
                    move_on(simd, &mut sums[..used], &mut totals);
                }
            }
            if positions > BLOCK {
                for (sums, totals) in sums[..used].iter_mut().zip(&totals) {
                    *sums = all_from_totals(simd, totals);
                }
            }
            let parts = grad_coefficients.chunks_mut(lanes * K * P);
            for (grad_coefficients, sums) in parts.zip(&sums) {
                store_sets(simd, sums, grad_coefficients);
            }
        }
    }
}

/// The totals of the coefficients of a vector.
type SetTotals<const K: usize, const P: usize> = [[Totals; P]; K];

/// Moves the sums on to the totals.
#[inline(always)]
fn move_on<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    sums: &mut [Sets<S, T, K, P>],
    totals: &mut [SetTotals<K, P>],
) {
    for (sums, totals) in sums.iter_mut().zip(totals) {
        let mut k = 0;
        while k < K {
            let mut p = 0;
            while p < P {
                add_to_totals(sums[k][p], &mut totals[k][p]);
                p += 1;
            }
            k += 1;
        }
        *sums = zeros(simd);
    }
}

#[inline(always)]
fn all_from_totals<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    totals: &SetTotals<K, P>,
) -> Sets<S, T, K, P> {
    let mut sets = zeros::<S, T, K, P>(simd);
    let mut k = 0;
    while k < K {
        let mut p = 0;
        while p < P {
            sets[k][p] = from_totals(simd, &totals[k][p]);
            p += 1;
        }
        k += 1;
    }
    sets
}

/// Some positions of a group of channels, which are given as C, the first one and the one after the last.
///
/// Overwrites the gradient of x, adds those of the coefficients to `sums`, returns those of π, spread over the lanes.
/// `arrays` are x, the gradient of y, and π.
#[inline(always)]
fn backward_block<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const V: usize,
>(
    simd: S,
    [channels, first, end]: [usize; 3],
    positions: Range<usize>,
    sets: &[Sets<S, T, K, P>; V],
    arrays: [&[T]; 3],
    grad_x: &mut [T],
    sums: &mut [Sets<S, T, K, P>; V],
) -> [Lanes<S, T>; BLOCK] {
    let lanes = Lanes::<S, T>::LEN;
    let mut grad_pi = [Lanes::zero(simd); BLOCK];
    if const { V >= IN_REGISTERS && K * P <= 4 } && end - first == IN_REGISTERS * lanes {
        let [x, grad_y, attention] = arrays;
        let range = positions.start * channels + first..(positions.end - 1) * channels + end;
        let attention = attention.get(positions).unwrap_or_default();
        let arrays = [&x[range.clone()], &grad_y[range.clone()], attention];
        let grad_x = &mut grad_x[range];
        backward_in_registers::<S, A, T, K, P, V>(simd, channels, sets, arrays, grad_x, sums, &mut grad_pi);
        return grad_pi;
    }
    let [x, grad_y, attention] = arrays;
    let whole = (end - first) / lanes * lanes;
    let counted = end - first - whole;
    for (s, grad_pi) in positions.zip(&mut grad_pi) {
        let pi = pi::<S, A, T>(simd, attention, s);
        let range = s * channels + first..s * channels + first + whole;
        let vectors = x[range.clone()]
            .chunks_exact(lanes)
            .zip(grad_y[range.clone()].chunks_exact(lanes))
            .zip(grad_x[range].chunks_exact_mut(lanes))
            .zip(sets.iter().zip(sums.iter_mut()));
        for (((x, grad_y), grad_x), (sets, sums)) in vectors {
            let (x, grad_y) = (Lanes::load(simd, x), Lanes::load(simd, grad_y));
            let (dx, dpi) = gradients::<S, A, T, K, P>(x, grad_y, sets, pi, None, sums);
            dx.store(grad_x);
            if const { unshared::<A>() } {
                *grad_pi = *grad_pi + dpi;
            }
        }
        if counted != 0 {
            let end = s * channels + end;
            let x = load::<S, T, true>(simd, x, end);
            let grad_y = load::<S, T, true>(simd, grad_y, end);
            let mask = Some(Lanes::<S, T>::last(simd, counted));
            let v = whole / lanes;
            let (dx, dpi) = gradients::<S, A, T, K, P>(x, grad_y, &sets[v], pi, mask, &mut sums[v]);
            store::<S, T, true>(dx, grad_x, end, counted);
            if const { unshared::<A>() } {
                *grad_pi = *grad_pi + dpi;
            }
        }
    }
    grad_pi
}

/// As many vectors of up to four coefficients as have their sums in registers, if there are 32 of these.
const IN_REGISTERS: usize = 4;

/// As [`backward_block`], for [`IN_REGISTERS`] vectors.
#[inline(always)]
fn backward_in_registers<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const V: usize,
>(
    simd: S,
    channels: usize,
    sets: &[Sets<S, T, K, P>; V],
    [x, grad_y, attention]: [&[T]; 3],
    grad_x: &mut [T],
    sums: &mut [Sets<S, T, K, P>; V],
    grad_pi: &mut [Lanes<S, T>; BLOCK],
) {
    let lanes = Lanes::<S, T>::LEN;
    let width = IN_REGISTERS * lanes;
    let mut local = [zeros::<S, T, K, P>(simd); IN_REGISTERS];
    local.copy_from_slice(&sums[..IN_REGISTERS]);
    let rows = x
        .chunks(channels)
        .zip(grad_y.chunks(channels))
        .zip(grad_x.chunks_mut(channels));
    for (s, (((x, grad_y), grad_x), grad_pi)) in rows.zip(grad_pi).enumerate() {
        let (x, grad_y) = (&x[..width], &grad_y[..width]);
        let grad_x = &mut grad_x[..width];
        let pi = pi::<S, A, T>(simd, attention, s);
        let mut v = 0;
        while v < IN_REGISTERS {
            let at = v * lanes;
            let (x, grad_y) = (Lanes::load(simd, &x[at..]), Lanes::load(simd, &grad_y[at..]));
            let (dx, dpi) = gradients::<S, A, T, K, P>(x, grad_y, &sets[v], pi, None, &mut local[v]);
            dx.store(&mut grad_x[at..]);
            if const { unshared::<A>() } {
                *grad_pi = *grad_pi + dpi;
            }
            v += 1;
        }
    }
    sums[..IN_REGISTERS].copy_from_slice(&local);
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
