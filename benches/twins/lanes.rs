//! What all twins do with vectors: the ends of rows, masks, a maximum that keeps NaN.

use fearless_simd::prelude::*;

/// The most lanes that a vector has.
const MAX_LANES: usize = 16;

/// How many elements of a row the loop over whole vectors takes; the last vector ends with the row.
#[inline(always)]
pub(crate) fn before_last<S: Simd>(len: usize) -> usize {
    len.saturating_sub(S::f32s::LEN).next_multiple_of(S::f32s::LEN)
}

/// The last vector of a row. A row shorter than a vector stands in the last lanes, after copies of its first
/// element.
#[inline(always)]
pub(crate) fn load_last<S: Simd>(simd: S, row: &[f32]) -> S::f32s {
    if row.len() >= S::f32s::LEN {
        return S::f32s::from_slice(simd, &row[row.len() - S::f32s::LEN..]);
    }
    let mut buffer = [row[0]; MAX_LANES];
    buffer[S::f32s::LEN - row.len()..S::f32s::LEN].copy_from_slice(row);
    S::f32s::from_slice(simd, &buffer[..S::f32s::LEN])
}

/// Writes the last vector of a row.
#[inline(always)]
pub(crate) fn store_last<S: Simd>(vector: S::f32s, row: &mut [f32]) {
    if row.len() >= S::f32s::LEN {
        let start = row.len() - S::f32s::LEN;
        return vector.store_slice(&mut row[start..]);
    }
    let mut buffer = [0.0; MAX_LANES];
    vector.store_slice(&mut buffer[..S::f32s::LEN]);
    row.copy_from_slice(&buffer[S::f32s::LEN - row.len()..S::f32s::LEN]);
}

/// The last `count` lanes.
#[inline(always)]
pub(crate) fn last_lanes<S: Simd>(simd: S, count: usize) -> S::mask32s {
    let lanes = S::f32s::LEN;
    S::mask32s::from_bitmask(simd, (u64::MAX << (lanes - count)) & (u64::MAX >> (64 - lanes)))
}

/// The vector where the mask holds, zero elsewhere, by one bitwise operation.
#[inline(always)]
pub(crate) fn keep<S: Simd>(mask: S::mask32s, vector: S::f32s) -> S::f32s {
    let mask: <S::f32s as SimdFloat<S>>::Bits = mask.to_vector().bitcast();
    <S::f32s as SimdFloat<S>>::from_bits(vector.to_bits() & mask)
}

/// The bits of both.
#[inline(always)]
pub(crate) fn or<S: Simd>(a: S::f32s, b: S::f32s) -> S::f32s {
    <S::f32s as SimdFloat<S>>::from_bits(a.to_bits() | b.to_bits())
}

/// Whether a candidate replaces the best value so far: it is larger, or NaN.
#[inline(always)]
pub(crate) fn replaces<S: Simd>(candidate: S::f32s, best: S::f32s) -> S::mask32s {
    candidate.simd_gt(best) | candidate.simd_ne(candidate)
}

/// The larger value; NaN if either is NaN.
///
/// Of two operands, x86 returns the second if one is NaN: in one of the two orders that is the NaN, and the bits of
/// both are NaN again.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn max<S: Simd>(best: S::f32s, candidate: S::f32s) -> S::f32s {
    or::<S>(best.max(candidate), candidate.max(best))
}

/// The larger value; NaN if either is NaN.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn max<S: Simd>(best: S::f32s, candidate: S::f32s) -> S::f32s {
    replaces::<S>(candidate, best).select(candidate, best)
}

/// The larger value, if neither is NaN.
#[inline(always)]
pub(crate) fn max_of_numbers<S: Simd>(best: S::f32s, candidate: S::f32s) -> S::f32s {
    best.max(candidate)
}

/// `sum + a · b` where the mask holds. AVX-512 adds under a mask; elsewhere a mask is one more operation.
#[inline(always)]
pub(crate) fn add_product<S: Simd>(sum: S::f32s, a: S::f32s, b: S::f32s, mask: S::mask32s) -> S::f32s {
    if S::f32s::LEN == 16 {
        mask.select(a.mul_add(b, sum), sum)
    } else {
        sum + keep::<S>(mask, a * b)
    }
}

/// `sum + summand` where the mask holds.
#[inline(always)]
pub(crate) fn add<S: Simd>(sum: S::f32s, summand: S::f32s, mask: S::mask32s) -> S::f32s {
    if S::f32s::LEN == 16 {
        mask.select(sum + summand, sum)
    } else {
        sum + keep::<S>(mask, summand)
    }
}

/// The lanes of a mask that count, all of them if there is no second one.
#[inline(always)]
pub(crate) fn both<S: Simd>(mask: S::mask32s, counted: Option<S::mask32s>) -> S::mask32s {
    match counted {
        Some(counted) => mask & counted,
        None => mask,
    }
}

/// Adds the sums of the lanes of up to eight vectors to as many totals: neighbouring lanes are added for two vectors at
/// once, until one number is left of each.
#[inline(always)]
pub(crate) fn add_up<S: Simd, const N: usize>(totals: &mut [f64; N], mut vectors: [S::f32s; N]) {
    let lanes = S::f32s::LEN;
    let (mut count, mut width) = (N, lanes);
    while width > 1 {
        let mut pair = 0;
        while 2 * pair < count {
            let second = vectors[if 2 * pair + 1 < count {
                2 * pair + 1
            } else {
                2 * pair
            }];
            let (even, odd) = vectors[2 * pair].deinterleave(second);
            vectors[pair] = even + odd;
            pair += 1;
        }
        count = count.div_ceil(2);
        width /= 2;
    }
    let mut sums = [0.0; 8 + MAX_LANES];
    let mut i = 0;
    while i < count {
        vectors[i].store_slice(&mut sums[i * lanes..][..lanes]);
        i += 1;
    }
    let mut i = 0;
    while i < N {
        totals[i] += f64::from(sums[i]);
        i += 1;
    }
}

/// eˣ: 2ⁿ · eʳ with n = round(x / ln 2), and eʳ by its Taylor polynomial.
#[inline(always)]
pub(crate) fn exp<S: Simd>(x: S::f32s) -> S::f32s {
    let splat = |value: f32| S::f32s::splat(x.token(), value);
    let x = x.simd_lt(splat(-104.0)).select(splat(-104.0), x);
    let x = x.simd_gt(splat(89.0)).select(splat(89.0), x);
    let n = (x * splat(core::f32::consts::LOG2_E)).round_ties_even();
    let r = n.mul_add(splat(-0.693_359_4), x);
    let r = n.mul_add(splat(2.121_944_4e-4), r);

    let sum = splat(1.0 / 5040.0).mul_add(r, splat(1.0 / 720.0));
    let sum = sum.mul_add(r, splat(1.0 / 120.0));
    let sum = sum.mul_add(r, splat(1.0 / 24.0));
    let sum = sum.mul_add(r, splat(1.0 / 6.0));
    let sum = sum.mul_add(r, splat(0.5));
    let sum = sum.mul_add(r, splat(1.0));
    let result = sum.mul_add(r, splat(1.0));

    // 2ⁿ in two factors, because n may be just outside of the exponent's range.
    let half = (n * splat(0.5)).round_ties_even();
    result * power_of_two::<S>(half) * power_of_two::<S>(n - half)
}

/// 2ⁿ for a whole n: the sum has n in its low bits, from where it becomes the exponent.
#[inline(always)]
fn power_of_two<S: Simd>(n: S::f32s) -> S::f32s {
    let shifted = n + S::f32s::splat(n.token(), 12_582_912.0 + 127.0);
    <S::f32s as SimdFloat<S>>::from_bits(shifted.to_bits() << 23)
}
