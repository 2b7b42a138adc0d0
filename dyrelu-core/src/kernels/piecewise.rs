//! The activation itself: y = combine over k of piece(x, coefficients of k), and its gradients.
//!
//! A *row* is a run of `len` elements that share one set of P·K coefficients: a whole sample in mode A, one
//! channel of a sample in modes B and C. In mode C every coefficient is multiplied by the attention π of its
//! position; for a homogeneous piece that is the same as y = π · B(x), which is what the kernels compute.

use super::{channels_last, neighbours};
use crate::activation::{Combine, DynamicActivation, Sharing};
use crate::count;
use crate::finiteness::is_never_nan;
use crate::lanes::Lanes;
use crate::scalar::NativeMask;
use crate::{Elementwise, Piece, PieceGrad, Scalar};
use core::array;
use fearless_simd::{Level, Simd, dispatch};

/// Vectors that are added up before the sums of coefficient gradients move on to `f64`.
pub(super) const BLOCK: usize = 64;

/// Positions whose attention is used for all channels of a sample before the next ones: a multiple of the lanes.
const ATTENTION_PART: usize = 2048;

/// What an activation reads besides x.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a, T> {
    /// The number of consecutive elements of x that share one set of coefficients.
    pub len: usize,
    /// `[rows, P, K]`.
    pub coefficients: &'a [T],
    /// π, `[N, len]`, in mode C; empty in modes A and B.
    pub attention: &'a [T],
}

/// Where the gradients go. All of them are overwritten.
#[derive(Debug)]
pub struct Gradients<'a, T> {
    /// As x. The path through the hyper function is not in it yet.
    pub x: &'a mut [T],
    /// As the coefficients.
    pub coefficients: &'a mut [T],
    /// As the attention.
    pub attention: &'a mut [T],
}

/// An activation at one x, on numbers of any kind.
#[derive(Debug, Clone)]
pub struct Derivatives<E: Elementwise> {
    /// The activation itself.
    pub y: E,
    /// Its derivative with respect to x.
    pub x: E,
    /// Of each of the K pieces, where it won, unless none can lose; and its derivatives with respect to its P arguments.
    /// They are those of the activation where it won, which has 0 elsewhere.
    pub pieces: Vec<(Option<E::Mask>, Vec<E>)>,
}

/// The kernels of an activation `A`, for its number of pieces and coefficients.
///
/// Stable Rust cannot pass an associated constant on as a const argument. So the description of an activation
/// names its kernels as a type, [`Pieces<K, P>`](Pieces), the only implementation of this trait.
pub trait PieceSet<A>: sealed::Sealed + 'static {
    /// The number of pieces.
    const K: usize;

    /// The number of arguments of a piece after x: its coefficients, then its neighbours.
    const P: usize;

    /// The multiplications of a piece, each with or without an addition. A division is one too; a function such as `exp`
    /// is none.
    #[must_use]
    fn multiplications() -> usize;

    /// The activation at x for the arguments that `argument` has for each k and p, on numbers of any kind.
    ///
    /// Where the kernels multiply all coefficients by an attention, so should `argument`.
    fn value<E: Elementwise>(x: E, argument: impl FnMut(usize, usize) -> E) -> E;

    /// The same with its derivatives.
    fn derivatives<E: Elementwise>(x: E, argument: impl FnMut(usize, usize) -> E) -> Derivatives<E>;

    /// [`forward`] for this K and P.
    fn forward<T: Scalar>(level: Level, operands: Operands<'_, T>, x: &[T], y: &mut [T]);

    /// [`forward_inplace`] for this K and P.
    fn forward_inplace<T: Scalar>(level: Level, operands: Operands<'_, T>, x: &mut [T]);

    /// [`backward`] for this K and P.
    fn backward<T: Scalar>(
        level: Level,
        operands: Operands<'_, T>,
        x: &[T],
        grad_y: &[T],
        grads: Gradients<'_, T>,
    );

    /// [`channels_last::piecewise::forward`] for this K and P.
    fn forward_channels_last<T: Scalar>(
        level: Level,
        operands: channels_last::piecewise::Operands<'_, T>,
        x: &[T],
        y: &mut [T],
    );

    /// [`channels_last::piecewise::forward_inplace`] for this K and P.
    fn forward_channels_last_inplace<T: Scalar>(
        level: Level,
        operands: channels_last::piecewise::Operands<'_, T>,
        x: &mut [T],
    );

    /// [`channels_last::piecewise::backward`] for this K and P.
    fn backward_channels_last<T: Scalar>(
        level: Level,
        operands: channels_last::piecewise::Operands<'_, T>,
        x: &[T],
        grad_y: &[T],
        grads: Gradients<'_, T>,
    );

    /// [`neighbours::forward`] for this K and P.
    fn forward_neighbours<T: Scalar>(
        level: Level,
        operands: neighbours::Operands<'_, T>,
        x: &[T],
        y: &mut [T],
    );

    /// [`neighbours::backward`] for this K and P.
    fn backward_neighbours<T: Scalar>(
        level: Level,
        operands: neighbours::Operands<'_, T>,
        x: &[T],
        grad_y: &[T],
        grads: Gradients<'_, T>,
    );
}

/// K pieces of P arguments each: their coefficients, then their neighbours.
#[derive(Debug, Clone, Copy)]
pub struct Pieces<const K: usize, const P: usize>;

impl<const K: usize, const P: usize> sealed::Sealed for Pieces<K, P> {}

impl<A: DynamicActivation + Piece<P>, const K: usize, const P: usize> PieceSet<A> for Pieces<K, P> {
    const K: usize = K;
    const P: usize = P;

    fn multiplications() -> usize {
        count::multiplications::<A, P>()
    }

    fn value<E: Elementwise>(x: E, mut argument: impl FnMut(usize, usize) -> E) -> E {
        let mut piece = |k| A::value(x.clone(), array::from_fn(|p| argument(k, p)));
        let first = piece(0);
        (1..K).fold(first, |y, k| match A::COMBINE {
            Combine::Max => y.max(piece(k)),
            Combine::Min => y.min(piece(k)),
            Combine::Sum => y + piece(k),
        })
    }

    fn derivatives<E: Elementwise>(x: E, mut argument: impl FnMut(usize, usize) -> E) -> Derivatives<E> {
        let mut piece = |k| {
            let set: [E; P] = array::from_fn(|p| argument(k, p));
            (A::value(x.clone(), set.clone()), A::grad(x.clone(), set))
        };
        let (
            mut y,
            PieceGrad {
                x: mut by_x,
                coefficients,
            },
        ) = piece(0);
        let mut pieces = vec![(None, coefficients.into())];
        for k in 1..K {
            let (
                candidate,
                PieceGrad {
                    x: slope,
                    coefficients,
                },
            ) = piece(k);
            let better = match A::COMBINE {
                Combine::Sum => {
                    y = y + candidate;
                    by_x = by_x + slope;
                    pieces.push((None, coefficients.into()));
                    continue;
                }
                Combine::Max => candidate.replaces_max(&y),
                Combine::Min => candidate.replaces_min(&y),
            };
            y = E::select(better.clone(), candidate, y);
            by_x = E::select(better.clone(), slope, by_x);
            // What a later piece took is not an earlier one's own.
            for (won, _) in &mut pieces {
                let kept = !better.clone();
                *won = Some(match won.take() {
                    Some(won) => won & kept,
                    None => kept,
                });
            }
            pieces.push((Some(better), coefficients.into()));
        }
        Derivatives { y, x: by_x, pieces }
    }

    fn forward<T: Scalar>(level: Level, operands: Operands<'_, T>, x: &[T], y: &mut [T]) {
        forward::<A, T, K, P>(level, operands, x, y);
    }

    fn forward_inplace<T: Scalar>(level: Level, operands: Operands<'_, T>, x: &mut [T]) {
        forward_inplace::<A, T, K, P>(level, operands, x);
    }

    fn backward<T: Scalar>(
        level: Level,
        operands: Operands<'_, T>,
        x: &[T],
        grad_y: &[T],
        grads: Gradients<'_, T>,
    ) {
        backward::<A, T, K, P>(level, operands, x, grad_y, grads);
    }

    fn forward_channels_last<T: Scalar>(
        level: Level,
        operands: channels_last::piecewise::Operands<'_, T>,
        x: &[T],
        y: &mut [T],
    ) {
        channels_last::piecewise::forward::<A, T, K, P>(level, operands, x, y);
    }

    fn forward_channels_last_inplace<T: Scalar>(
        level: Level,
        operands: channels_last::piecewise::Operands<'_, T>,
        x: &mut [T],
    ) {
        channels_last::piecewise::forward_inplace::<A, T, K, P>(level, operands, x);
    }

    fn backward_channels_last<T: Scalar>(
        level: Level,
        operands: channels_last::piecewise::Operands<'_, T>,
        x: &[T],
        grad_y: &[T],
        grads: Gradients<'_, T>,
    ) {
        channels_last::piecewise::backward::<A, T, K, P>(level, operands, x, grad_y, grads);
    }

    fn forward_neighbours<T: Scalar>(
        level: Level,
        operands: neighbours::Operands<'_, T>,
        x: &[T],
        y: &mut [T],
    ) {
        neighbours::forward::<A, T, K, P>(level, operands, x, y);
    }

    fn backward_neighbours<T: Scalar>(
        level: Level,
        operands: neighbours::Operands<'_, T>,
        x: &[T],
        grad_y: &[T],
        grads: Gradients<'_, T>,
    ) {
        neighbours::backward::<A, T, K, P>(level, operands, x, grad_y, grads);
    }
}

mod sealed {
    pub trait Sealed {}
}

/// `y[r, i] = combine over k of piece(x[r, i], coefficients[r, .., k])`.
///
/// The first of equal pieces wins. A NaN of any piece makes y NaN.
///
/// # Panics
///
/// When the lengths do not fit together. K of 0 does not compile.
pub fn forward<A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    level: Level,
    operands: Operands<'_, T>,
    x: &[T],
    y: &mut [T],
) {
    assert_eq!(x.len(), y.len(), "piecewise: x and y");
    operands.check::<A, K, P>(y.len());
    if !y.is_empty() {
        dispatch!(level, simd => forward_rows::<_, A, T, K, P, false>(simd, operands, x, y));
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
    operands.check::<A, K, P>(x.len());
    if !x.is_empty() {
        dispatch!(level, simd => forward_rows::<_, A, T, K, P, true>(simd, operands, &[], x));
    }
}

/// The gradients of [`forward`] with respect to x, the coefficients and the attention.
///
/// The piece that won gets the whole gradient; in a sum every piece does.
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
    assert_eq!(x.len(), grad_y.len(), "piecewise: x and the gradient of y");
    assert_eq!(x.len(), grads.x.len(), "piecewise: x and its gradient");
    assert_eq!(
        operands.coefficients.len(),
        grads.coefficients.len(),
        "piecewise: gradient of coefficients"
    );
    assert_eq!(
        operands.attention.len(),
        grads.attention.len(),
        "piecewise: gradient of the attention"
    );
    operands.check::<A, K, P>(x.len());
    grads.attention.fill(T::default());
    if x.is_empty() {
        grads.coefficients.fill(T::default());
    } else {
        dispatch!(level, simd => backward_rows::<_, A, T, K, P>(simd, operands, x, grad_y, grads));
    }
}

impl<T> Operands<'_, T> {
    fn check<A: DynamicActivation, const K: usize, const P: usize>(&self, elements: usize) {
        const { assert!(K > 0, "an activation has pieces") };
        assert!(
            A::NEIGHBOURS.is_empty(),
            "piecewise: neighbours have kernels of their own"
        );
        if const { P == 0 } {
            // Nothing differs between rows, and there is nothing that the attention scales.
            assert!(self.coefficients.is_empty(), "piecewise: no coefficients");
            assert!(elements.is_multiple_of(self.len), "piecewise: rows of x");
            return;
        }
        let rows = self.coefficients.len() / (K * P);
        assert_eq!(
            self.coefficients.len(),
            rows * K * P,
            "piecewise: whole sets of coefficients"
        );
        assert_eq!(elements, rows * self.len, "piecewise: x and coefficients");
        if const { unshared::<A>() } {
            let samples = self.attention.len() / self.len.max(1);
            assert_eq!(
                self.attention.len(),
                samples * self.len,
                "piecewise: rows of attention"
            );
            assert!(
                elements == 0 || samples > 0 && rows.is_multiple_of(samples),
                "piecewise: samples of attention"
            );
        } else {
            assert!(self.attention.is_empty(), "piecewise: attention in mode A or B");
        }
    }

    /// The attention of a row, or an empty slice in modes A and B.
    #[inline(always)]
    fn attention_range<A: DynamicActivation>(&self, row: usize, elements: usize) -> core::ops::Range<usize> {
        if const { unshared::<A>() } {
            let channels = elements / self.attention.len();
            let start = row / channels * self.len;
            start..start + self.len
        } else {
            0..0
        }
    }
}

/// K sets of P arguments: the coefficients, each in all lanes or of a lane's channel, then the elements of neighbours.
pub(super) type Sets<S, T, const K: usize, const P: usize> = [[Lanes<S, T>; P]; K];

#[inline(always)]
pub(super) fn zeros<S: Simd, T: Scalar, const K: usize, const P: usize>(simd: S) -> Sets<S, T, K, P> {
    [[Lanes::zero(simd); P]; K]
}

/// The coefficients of one row, from their layout `[P, K]`; zeros for neighbours.
#[inline(always)]
pub(super) fn splat<S: Simd, A: DynamicActivation, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    row: &[T],
) -> Sets<S, T, K, P> {
    let mut sets = zeros::<S, T, K, P>(simd);
    let mut k = 0;
    while k < K {
        let mut p = 0;
        while p < const { coefficients::<A, P>() } {
            sets[k][p] = Lanes::splat(simd, row[p * K + k]);
            p += 1;
        }
        k += 1;
    }
    sets
}

/// The coefficients that a piece sees: times π where that does not multiply the output instead.
#[inline(always)]
fn effective<S: Simd, A: DynamicActivation, T: Scalar, const P: usize>(
    mut set: [Lanes<S, T>; P],
    pi: Lanes<S, T>,
) -> [Lanes<S, T>; P] {
    if const { scales_coefficients::<A, P>() } {
        let mut p = 0;
        while p < const { coefficients::<A, P>() } {
            set[p] = set[p] * pi;
            p += 1;
        }
    }
    set
}

// Constants of an activation that choose code: inside `const { … }`, so that the code that is not chosen is not
// even compiled.

/// How many of the P arguments of a piece are coefficients: those before the neighbours.
pub(super) const fn coefficients<A: DynamicActivation, const P: usize>() -> usize {
    P - A::NEIGHBOURS.len()
}

/// Mode C, where every position has its π.
pub(crate) const fn unshared<A: DynamicActivation>() -> bool {
    matches!(A::SHARING, Sharing::Unshared)
}

/// Mode C, with coefficients that π can scale.
const fn scaled<A: DynamicActivation, const P: usize>() -> bool {
    unshared::<A>() && coefficients::<A, P>() != 0
}

/// Whether π multiplies the output, which is cheaper than the coefficients.
const fn scales_output<A: DynamicActivation, const P: usize>() -> bool {
    scaled::<A, P>() && A::HOMOGENEOUS
}

/// Whether π multiplies the coefficients.
const fn scales_coefficients<A: DynamicActivation, const P: usize>() -> bool {
    scaled::<A, P>() && !A::HOMOGENEOUS
}

/// Whether a piece can lose.
const fn chooses<A: DynamicActivation>(k: usize) -> bool {
    k > 1 && !combines::<A>(Combine::Sum)
}

const fn combines<A: DynamicActivation>(combine: Combine) -> bool {
    A::COMBINE as u8 == combine as u8
}

/// How many elements of a row the loop over whole vectors takes, before the last vector.
///
/// The last vector ends with the row. It overlaps with the one before when the length is no multiple of the
/// lanes, and is padded when the row is shorter than a vector: no element is left to scalar code.
#[inline(always)]
pub(super) fn before_last<S: Simd, T: Scalar>(len: usize) -> usize {
    let lanes = Lanes::<S, T>::LEN;
    len.saturating_sub(lanes).next_multiple_of(lanes)
}

/// All rows of y; x is empty if `INPLACE`.
#[inline(always)]
fn forward_rows<
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
    let len = operands.len;
    if const { P == 0 } {
        return forward_row::<S, A, T, K, P, INPLACE>(simd, &zeros(simd), &[], x, y);
    }
    if const { !unshared::<A>() } {
        let rows = y
            .chunks_exact_mut(len)
            .zip(operands.coefficients.chunks_exact(K * P));
        for (row, (y, coefficients)) in rows.enumerate() {
            let sets = splat::<S, A, T, K, P>(simd, coefficients);
            let x = if INPLACE { x } else { &x[row * len..][..len] };
            forward_row::<S, A, T, K, P, INPLACE>(simd, &sets, &[], x, y);
        }
        return;
    }
    let sample = y.len() / operands.attention.len() * len;
    for (n, attention) in operands.attention.chunks_exact(len).enumerate() {
        // All channels use the same part of the attention while it is in the first-level cache.
        for start in (0..len).step_by(ATTENTION_PART) {
            let end = len.min(start + ATTENTION_PART);
            for first in (n * sample..(n + 1) * sample).step_by(len) {
                let row = first / len;
                let sets = splat::<S, A, T, K, P>(simd, &operands.coefficients[row * K * P..][..K * P]);
                let part = first + start..first + end;
                let x = if INPLACE { x } else { &x[part.clone()] };
                let attention = &attention[start..end];
                forward_row::<S, A, T, K, P, INPLACE>(simd, &sets, attention, x, &mut y[part]);
            }
        }
    }
}

/// From so many vectors in a row on, it pays to look for a NaN once instead of in every maximum.
const LONG: usize = 8;

#[inline(always)]
fn forward_row<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const INPLACE: bool,
>(
    simd: S,
    sets: &Sets<S, T, K, P>,
    attention: &[T],
    x: &[T],
    y: &mut [T],
) {
    if const { chooses::<A>(K) && !scales_coefficients::<A, P>() && !INPLACE }
        && is_never_nan::<A, P>()
        && y.len() >= LONG * Lanes::<S, T>::LEN
    {
        let not_finite = forward_row_with::<S, A, T, K, P, false, true>(simd, sets, attention, x, y);
        if not_finite.is_zero() {
            return;
        }
    }
    forward_row_with::<S, A, T, K, P, INPLACE, false>(simd, sets, attention, x, y);
}

/// One row of y. If `NUMBERS`, it is right only if the returned lanes are all zero: then x and the coefficients are
/// finite, and no piece is NaN.
#[inline(always)]
fn forward_row_with<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const INPLACE: bool,
    const NUMBERS: bool,
>(
    simd: S,
    sets: &Sets<S, T, K, P>,
    attention: &[T],
    x: &[T],
    y: &mut [T],
) -> Lanes<S, T> {
    let lanes = Lanes::<S, T>::LEN;
    let whole = before_last::<S, T>(y.len());
    // The last vector comes first: in place, the vectors before it overwrite a part of its x.
    let last_x = Lanes::load_last(simd, if INPLACE { y } else { x });
    let last_y = value::<S, A, T, K, P, NUMBERS>(last_x, sets, Lanes::load_last(simd, attention));
    let zero = Lanes::zero(simd);
    // 0 · u is NaN if u is infinite or NaN.
    let mut not_finite = zero;
    if NUMBERS {
        not_finite = last_x.mul_add(zero, not_finite);
        let mut k = 0;
        while k < K {
            let mut p = 0;
            while p < P {
                not_finite = sets[k][p].mul_add(zero, not_finite);
                p += 1;
            }
            k += 1;
        }
    }
    let vectors = y[..whole].chunks_exact_mut(lanes);
    if const { scaled::<A, P>() } {
        let vectors = vectors.zip(attention[..whole].chunks_exact(lanes));
        if INPLACE {
            for (y, pi) in vectors {
                value::<S, A, T, K, P, NUMBERS>(Lanes::load(simd, y), sets, Lanes::load(simd, pi)).store(y);
            }
        } else {
            for ((y, pi), x) in vectors.zip(x[..whole].chunks_exact(lanes)) {
                let x = Lanes::load(simd, x);
                if NUMBERS {
                    not_finite = not_finite.or(x * zero);
                }
                value::<S, A, T, K, P, NUMBERS>(x, sets, Lanes::load(simd, pi)).store(y);
            }
        }
    } else if INPLACE {
        for y in vectors {
            value::<S, A, T, K, P, NUMBERS>(Lanes::load(simd, y), sets, zero).store(y);
        }
    } else {
        for (y, x) in vectors.zip(x[..whole].chunks_exact(lanes)) {
            let x = Lanes::load(simd, x);
            if NUMBERS {
                not_finite = not_finite.or(x * zero);
            }
            value::<S, A, T, K, P, NUMBERS>(x, sets, zero).store(y);
        }
    }
    last_y.store_last(y);
    not_finite
}

/// The activation of one vector; π matters in mode C only. If `NUMBERS`, no piece is NaN.
#[inline(always)]
pub(super) fn value<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
    const NUMBERS: bool,
>(
    x: Lanes<S, T>,
    sets: &Sets<S, T, K, P>,
    pi: Lanes<S, T>,
) -> Lanes<S, T> {
    let mut y = A::value(x, effective::<S, A, T, P>(sets[0], pi));
    let mut k = 1;
    while k < K {
        let candidate = A::value(x, effective::<S, A, T, P>(sets[k], pi));
        y = if const { combines::<A>(Combine::Max) } {
            if NUMBERS {
                y.max_of_numbers(candidate)
            } else {
                y.max(candidate)
            }
        } else if const { combines::<A>(Combine::Min) } {
            if NUMBERS {
                y.min_of_numbers(candidate)
            } else {
                y.min(candidate)
            }
        } else {
            y + candidate
        };
        k += 1;
    }
    if const { scales_output::<A, P>() } {
        y * pi
    } else {
        y
    }
}

#[inline(always)]
fn backward_rows<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    operands: Operands<'_, T>,
    x: &[T],
    grad_y: &[T],
    grads: Gradients<'_, T>,
) {
    let len = operands.len;
    let elements = x.len();
    let Gradients {
        x: grad_x,
        coefficients: grad_coefficients,
        attention: grad_attention,
    } = grads;
    if const { P == 0 } {
        backward_row::<S, A, T, K, P>(simd, &zeros(simd), &[], x, grad_y, grad_x, &mut []);
        return;
    }
    let rows = x
        .chunks_exact(len)
        .zip(grad_y.chunks_exact(len))
        .zip(grad_x.chunks_exact_mut(len));
    let sets = operands
        .coefficients
        .chunks_exact(K * P)
        .zip(grad_coefficients.chunks_exact_mut(K * P));
    for (row, (((x, grad_y), grad_x), (coefficients, grad_coefficients))) in rows.zip(sets).enumerate() {
        let sets = splat::<S, A, T, K, P>(simd, coefficients);
        let attention = operands.attention_range::<A>(row, elements);
        let totals = backward_row::<S, A, T, K, P>(
            simd,
            &sets,
            &operands.attention[attention.clone()],
            x,
            grad_y,
            grad_x,
            &mut grad_attention[attention],
        );
        store_totals::<A, T, K, P>(&totals, grad_coefficients);
    }
}

/// The inverse of [`splat`], for totals.
#[inline(always)]
pub(super) fn store_totals<A: DynamicActivation, T: Scalar, const K: usize, const P: usize>(
    totals: &[[f64; P]; K],
    row: &mut [T],
) {
    let mut k = 0;
    while k < K {
        let mut p = 0;
        while p < const { coefficients::<A, P>() } {
            row[p * K + k] = T::from_f64(totals[k][p]);
            p += 1;
        }
        k += 1;
    }
}

/// One row: overwrites the gradient of x, adds to that of the attention, returns those of the coefficients.
#[inline(always)]
fn backward_row<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    sets: &Sets<S, T, K, P>,
    attention: &[T],
    x: &[T],
    grad_y: &[T],
    grad_x: &mut [T],
    grad_attention: &mut [T],
) -> [[f64; P]; K] {
    let lanes = Lanes::<S, T>::LEN;
    let whole = before_last::<S, T>(x.len());
    let mut totals = [[0.0; P]; K];
    let mut sums = zeros::<S, T, K, P>(simd);

    let mut start = 0;
    while start < whole {
        let block = start..whole.min(start + BLOCK * lanes);
        let vectors = x[block.clone()]
            .chunks_exact(lanes)
            .zip(grad_y[block.clone()].chunks_exact(lanes))
            .zip(grad_x[block.clone()].chunks_exact_mut(lanes));
        if const { scaled::<A, P>() } {
            let attention = attention[block.clone()].chunks_exact(lanes);
            let grad_attention = grad_attention[block.clone()].chunks_exact_mut(lanes);
            for (((x, grad_y), grad_x), (pi, grad_pi)) in vectors.zip(attention.zip(grad_attention)) {
                let (x, grad_y) = (Lanes::load(simd, x), Lanes::load(simd, grad_y));
                let pi = Lanes::load(simd, pi);
                let (dx, dpi) = gradients::<S, A, T, K, P>(x, grad_y, sets, pi, None, &mut sums);
                dx.store(grad_x);
                (Lanes::load(simd, grad_pi) + dpi).store(grad_pi);
            }
        } else {
            let no_pi = Lanes::zero(simd);
            for ((x, grad_y), grad_x) in vectors {
                let (x, grad_y) = (Lanes::load(simd, x), Lanes::load(simd, grad_y));
                gradients::<S, A, T, K, P>(x, grad_y, sets, no_pi, None, &mut sums)
                    .0
                    .store(grad_x);
            }
        }
        start = block.end;
        if start < whole {
            add_up(simd, &mut totals, &mut sums);
        }
    }
    // Its other lanes have their gradients of the attention already, to which nothing is added here.
    let (last_x, last_grad) = (Lanes::load_last(simd, x), Lanes::load_last(simd, grad_y));
    let last_pi = Lanes::load_last(simd, attention);
    let counted = Some(Lanes::<S, T>::last(simd, x.len() - whole));
    let (dx, dpi) = gradients::<S, A, T, K, P>(last_x, last_grad, sets, last_pi, counted, &mut sums);
    dx.store_last(grad_x);
    add_up(simd, &mut totals, &mut sums);
    if const { scaled::<A, P>() } {
        (Lanes::load_last(simd, grad_attention) + dpi).store_last(grad_attention);
    }
    totals
}

/// Moves the lanes' sums on to the totals.
#[inline(always)]
pub(super) fn add_up<S: Simd, T: Scalar, const K: usize, const P: usize>(
    simd: S,
    totals: &mut [[f64; P]; K],
    sums: &mut Sets<S, T, K, P>,
) {
    if K * P <= 4 {
        add_up_groups::<S, T, K, P, 4>(simd, totals, sums);
    } else {
        add_up_groups::<S, T, K, P, 8>(simd, totals, sums);
    }
}

/// As [`add_up`], M sums at once.
#[inline(always)]
fn add_up_groups<S: Simd, T: Scalar, const K: usize, const P: usize, const M: usize>(
    simd: S,
    totals: &mut [[f64; P]; K],
    sums: &mut Sets<S, T, K, P>,
) {
    let mut start = 0;
    while start < K * P {
        let mut group = [Lanes::zero(simd); M];
        let mut i = 0;
        while i < M && start + i < K * P {
            let (k, p) = ((start + i) / P, (start + i) % P);
            group[i] = sums[k][p];
            sums[k][p] = Lanes::zero(simd);
            i += 1;
        }
        let added = Lanes::sums(group);
        let mut i = 0;
        while i < M && start + i < K * P {
            totals[(start + i) / P][(start + i) % P] += added[i].to_f64();
            i += 1;
        }
        start += M;
    }
}

/// The gradients of x and π at one vector; those of the coefficients are added to `sums`.
///
/// For the coefficients and π only the `counted` lanes count, if given: the others are counted elsewhere. A piece
/// that lost adds nothing, whatever its gradient is: products are masked and not factors, for 0 · ∞ would be NaN.
#[inline(always)]
pub(super) fn gradients<
    S: Simd,
    A: DynamicActivation + Piece<P>,
    T: Scalar,
    const K: usize,
    const P: usize,
>(
    x: Lanes<S, T>,
    grad_y: Lanes<S, T>,
    sets: &Sets<S, T, K, P>,
    pi: Lanes<S, T>,
    counted: Option<NativeMask<S, T>>,
    sums: &mut Sets<S, T, K, P>,
) -> (Lanes<S, T>, Lanes<S, T>) {
    let Winners { y, by_x, won } = winners::<S, A, T, K, P>(x, sets, pi);
    let (grad, mut grad_pi) = if const { scales_output::<A, P>() } {
        (grad_y * pi, grad_y * y)
    } else {
        (grad_y, x.zeroed())
    };
    let mut k = 0;
    while k < K {
        let set = effective::<S, A, T, P>(sets[k], pi);
        let PieceGrad {
            coefficients: by_coefficient,
            ..
        } = A::grad(x, set);
        let mask = match (const { chooses::<A>(K) }, counted) {
            (true, Some(counted)) => Some(won[k] & counted),
            (true, None) => Some(won[k]),
            (false, counted) => counted,
        };
        let mut p = 0;
        while p < P {
            if const { scales_coefficients::<A, P>() } && p < const { coefficients::<A, P>() } {
                let product = x.zeroed().add_product(grad, by_coefficient[p], mask);
                sums[k][p] = product.mul_add(pi, sums[k][p]);
                grad_pi = product.mul_add(sets[k][p], grad_pi);
            } else {
                sums[k][p] = sums[k][p].add_product(grad, by_coefficient[p], mask);
            }
            p += 1;
        }
        k += 1;
    }
    if let Some(counted) = counted {
        grad_pi = grad_pi.keep(counted);
    }
    (grad * by_x, grad_pi)
}

/// What [`winners`] finds.
struct Winners<S: Simd, T: Scalar, const K: usize> {
    /// The combined value, without π as a factor of it.
    y: Lanes<S, T>,
    /// Its derivative with respect to x.
    by_x: Lanes<S, T>,
    /// Where each piece won; without meaning if none can lose.
    won: [NativeMask<S, T>; K],
}

/// The pieces in order, each against the best so far.
#[inline(always)]
fn winners<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const K: usize, const P: usize>(
    x: Lanes<S, T>,
    sets: &Sets<S, T, K, P>,
    pi: Lanes<S, T>,
) -> Winners<S, T, K> {
    let (mut y, mut by_x) = piece_and_slope::<S, A, T, P>(x, sets[0], pi);
    let nowhere = y.never();
    let mut won = [nowhere; K];
    let mut k = 1;
    while k < K {
        let (candidate, slope) = piece_and_slope::<S, A, T, P>(x, sets[k], pi);
        if const { combines::<A>(Combine::Sum) } {
            y = y + candidate;
            by_x = by_x + slope;
        } else {
            won[k] = if const { combines::<A>(Combine::Max) } {
                candidate.replaces_max(&y)
            } else {
                candidate.replaces_min(&y)
            };
            y = Lanes::select(won[k], candidate, y);
            by_x = Lanes::select(won[k], slope, by_x);
        }
        k += 1;
    }
    // So far, each piece won against those before it. What a later piece took is not its own.
    if const { chooses::<A>(K) } {
        let mut taken = nowhere;
        let mut k = K - 1;
        while k > 0 {
            let better = won[k];
            won[k] = better & !taken;
            taken |= better;
            k -= 1;
        }
        won[0] = !taken;
    }
    Winners { y, by_x, won }
}

#[inline(always)]
fn piece_and_slope<S: Simd, A: DynamicActivation + Piece<P>, T: Scalar, const P: usize>(
    x: Lanes<S, T>,
    set: [Lanes<S, T>; P],
    pi: Lanes<S, T>,
) -> (Lanes<S, T>, Lanes<S, T>) {
    let set = effective::<S, A, T, P>(set, pi);
    (A::value(x, set), A::grad(x, set).x)
}
