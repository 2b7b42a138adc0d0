//! [`Lanes`]: SIMD vectors as an [`Elementwise`] type, for every kernel and both number types.
//!
//! Everything here is `#[inline(always)]` and free of closures: the kernels are compiled once for each
//! instruction set, and a function that is not inlined would be compiled for the baseline only.

use crate::scalar::NativeMask;
use crate::{Elementwise, Scalar};
use core::ops::{Add, Div, Mul, Neg, Sub};
use fearless_simd::{ExtractToken, Select, Simd, SimdBase, SimdFloat, SimdMask};

/// A native SIMD vector of `T` on the instruction set `S`.
///
/// The exponential is vectorised, and with it `exp_m1`, `tanh` and `sigmoid`. The errors stay below 2, 3, 3 and
/// 4 units in the last place, except that results below the smallest normal number may be 0; the tests of this
/// module measure that. Logarithm, sine and cosine go through `std`, lane by lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes<S: Simd, T: Scalar>(T::Native<S>);

/// The most lanes that a vector of any instruction set has: 512 bits of `f32`.
pub(crate) const MAX_LANES: usize = 16;

/// Elements on their way between a vector and single numbers. Without the alignment, its place on the stack decides
/// whether a store crosses two cache lines, and loads must wait for it.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Buffer<T>([T; MAX_LANES]);

/// Loading, storing and reducing: what kernels do with lanes and pieces do not.
impl<S: Simd, T: Scalar> Lanes<S, T> {
    pub(crate) const LEN: usize = <T::Native<S> as SimdBase<S>>::LEN;

    #[inline(always)]
    pub(crate) fn splat(simd: S, value: T) -> Self {
        Self(T::Native::<S>::splat(simd, value))
    }

    #[inline(always)]
    pub(crate) fn zero(simd: S) -> Self {
        Self::splat(simd, T::default())
    }

    /// The first `LEN` elements of `slice`.
    #[inline(always)]
    pub(crate) fn load(simd: S, slice: &[T]) -> Self {
        Self(T::Native::<S>::from_slice(simd, &slice[..Self::LEN]))
    }

    /// Zero in the shape of `self`.
    #[inline(always)]
    pub(crate) fn zeroed(self) -> Self {
        Self::zero(self.0.token())
    }

    /// `self + a · b`; only in the lanes of the mask, if there is one.
    ///
    /// What stands in the other lanes has no effect, not even NaN.
    #[inline(always)]
    pub(crate) fn add_product(self, a: Self, b: Self, mask: Option<NativeMask<S, T>>) -> Self {
        match mask {
            None => a.mul_add(b, self),
            // AVX-512 adds under a mask. For the others a mask is a vector: what they can do with it costs an
            // operation.
            Some(mask) if Self::LEN * size_of::<T>() == 64 => Self::select(mask, a.mul_add(b, self), self),
            Some(mask) => self + (a * b).keep(mask),
        }
    }

    /// The last `LEN` elements of `slice`. A shorter slice stands in the last lanes, and its first element is
    /// repeated before it: what is finite on the slice is finite on the padding.
    #[inline(always)]
    pub(crate) fn load_last(simd: S, slice: &[T]) -> Self {
        if slice.len() >= Self::LEN {
            return Self::load(simd, &slice[slice.len() - Self::LEN..]);
        }
        let mut buffer = Buffer([slice.first().copied().unwrap_or_default(); MAX_LANES]);
        buffer.0[Self::LEN - slice.len()..Self::LEN].copy_from_slice(slice);
        Self::load(simd, &buffer.0)
    }

    /// The first `count` elements of `slice`, at most `LEN`; zero in the other lanes.
    #[inline(always)]
    pub(crate) fn load_first(simd: S, slice: &[T], count: usize) -> Self {
        if count == Self::LEN {
            return Self::load(simd, slice);
        }
        if slice.len() >= Self::LEN {
            let bits = u64::MAX >> (64 - count);
            return Self::load(simd, slice).keep(NativeMask::<S, T>::from_bitmask(simd, bits));
        }
        let mut buffer = Buffer([T::default(); MAX_LANES]);
        buffer.0[..count].copy_from_slice(&slice[..count]);
        Self::load(simd, &buffer.0)
    }

    /// Writes the first lanes to all of `slice`, at most `LEN` elements.
    #[inline(always)]
    pub(crate) fn store_first(self, slice: &mut [T]) {
        if slice.len() == Self::LEN {
            return self.store(slice);
        }
        let mut buffer = Buffer([T::default(); MAX_LANES]);
        self.store(&mut buffer.0);
        slice.copy_from_slice(&buffer.0[..slice.len()]);
    }

    /// Writes to the first `LEN` elements of `slice`.
    #[inline(always)]
    pub(crate) fn store(self, slice: &mut [T]) {
        self.0.store_slice(&mut slice[..Self::LEN]);
    }

    /// Writes to the last `LEN` elements of `slice`, or all of a shorter slice from the last lanes.
    #[inline(always)]
    pub(crate) fn store_last(self, slice: &mut [T]) {
        if slice.len() >= Self::LEN {
            let start = slice.len() - Self::LEN;
            return self.store(&mut slice[start..]);
        }
        let mut buffer = Buffer([T::default(); MAX_LANES]);
        self.store(&mut buffer.0);
        slice.copy_from_slice(&buffer.0[Self::LEN - slice.len()..Self::LEN]);
    }

    /// Writes the last `count` lanes to the last `count` elements of `slice`, and nothing before them.
    #[inline(always)]
    pub(crate) fn store_counted(self, count: usize, slice: &mut [T]) {
        if count == Self::LEN {
            return self.store_last(slice);
        }
        if slice.len() >= Self::LEN {
            let simd = self.0.token();
            return Self::select(Self::last(simd, count), self, Self::load_last(simd, slice))
                .store_last(slice);
        }
        let mut buffer = Buffer([T::default(); MAX_LANES]);
        self.store(&mut buffer.0);
        let start = slice.len() - count;
        slice[start..].copy_from_slice(&buffer.0[Self::LEN - count..Self::LEN]);
    }

    /// The sum of all lanes.
    #[inline(always)]
    pub(crate) fn sum(self) -> T {
        self.0.reduce_sum()
    }

    /// The sums of the lanes of each vector, for up to eight vectors at once.
    ///
    /// Neighbouring lanes are added, then neighbouring sums, and so on: in the same order for every vector,
    /// whatever stands beside it.
    #[inline(always)]
    pub(crate) fn sums<const M: usize>(mut vectors: [Self; M]) -> [T; M] {
        const { assert!(M <= 8) };
        let mut count = M;
        let mut width = Self::LEN;
        while width > 1 {
            let mut i = 0;
            while 2 * i < count {
                let second = vectors[if 2 * i + 1 < count { 2 * i + 1 } else { 2 * i }];
                let (even, odd) = vectors[2 * i].0.deinterleave(second.0);
                vectors[i] = Self(even + odd);
                i += 1;
            }
            count = count.div_ceil(2);
            width /= 2;
        }
        let mut buffer = Buffer([T::default(); MAX_LANES]);
        let mut i = 0;
        while i < count {
            vectors[i].store(&mut buffer.0[i * Self::LEN..]);
            i += 1;
        }
        let mut sums = [T::default(); M];
        sums.copy_from_slice(&buffer.0[..M]);
        sums
    }

    /// Lane i of vector j to lane j of vector i, for as many vectors as there are lanes.
    #[inline(always)]
    pub(crate) fn transpose(square: [Self; MAX_LANES]) -> [Self; MAX_LANES] {
        Self::join_groups(square, Self::LEN)
    }

    /// The first `count` vectors hold numbers in groups of `count`, a power of two. Afterwards vector i holds the i-th
    /// number of each group.
    #[inline(always)]
    pub(crate) fn split_groups(mut vectors: [Self; MAX_LANES], count: usize) -> [Self; MAX_LANES] {
        let mut width = 1;
        while width < count {
            let groups = vectors;
            let mut i = 0;
            while 2 * i < count {
                let (even, odd) = groups[2 * i].0.deinterleave(groups[2 * i + 1].0);
                vectors[i] = Self(even);
                vectors[count / 2 + i] = Self(odd);
                i += 1;
            }
            width *= 2;
        }
        vectors
    }

    /// The inverse of [`split_groups`](Self::split_groups).
    #[inline(always)]
    pub(crate) fn join_groups(mut vectors: [Self; MAX_LANES], count: usize) -> [Self; MAX_LANES] {
        // Each step brings the two halves of the vectors together, as in a perfect shuffle of cards.
        let mut width = 1;
        while width < count {
            let cards = vectors;
            let mut i = 0;
            while 2 * i < count {
                let (low, high) = cards[i].0.interleave(cards[count / 2 + i].0);
                vectors[2 * i] = Self(low);
                vectors[2 * i + 1] = Self(high);
                i += 1;
            }
            width *= 2;
        }
        vectors
    }

    /// The largest of all lanes; NaN when any is NaN.
    #[inline(always)]
    pub(crate) fn largest(self) -> T {
        let Buffer(mut lanes) = Buffer([T::default(); MAX_LANES]);
        self.store(&mut lanes);
        let mut largest = lanes[0];
        for &lane in &lanes[1..Self::LEN] {
            largest = Elementwise::max(largest, lane);
        }
        largest
    }

    /// `self` with zeros in all lanes but the last `count`.
    #[inline(always)]
    pub(crate) fn keep_last(self, count: usize) -> Self {
        self.keep(Self::last(self.0.token(), count))
    }

    /// The mask of the last `count` lanes.
    #[inline(always)]
    pub(crate) fn last(simd: S, count: usize) -> NativeMask<S, T> {
        let bits = (u64::MAX << (Self::LEN - count)) & (u64::MAX >> (64 - Self::LEN));
        NativeMask::<S, T>::from_bitmask(simd, bits)
    }

    /// A mask that holds in no lane.
    #[inline(always)]
    pub(crate) fn never(self) -> NativeMask<S, T> {
        NativeMask::<S, T>::splat(self.0.token(), false)
    }

    /// `self` where the mask holds, zero elsewhere.
    #[inline(always)]
    pub(crate) fn keep(self, mask: NativeMask<S, T>) -> Self {
        Self(T::keep(mask, self.0))
    }

    /// The larger value, if neither is NaN.
    #[inline(always)]
    pub(crate) fn max_of_numbers(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// The smaller value, if neither is NaN.
    #[inline(always)]
    pub(crate) fn min_of_numbers(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Whether all lanes are zero.
    #[inline(always)]
    pub(crate) fn is_zero(self) -> bool {
        self.eq(&self.zeroed()).all_true()
    }

    /// The bits of both.
    #[inline(always)]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(<T::Native<S> as SimdFloat<S>>::from_bits(
            self.0.to_bits() | other.0.to_bits(),
        ))
    }

    /// The exponent and the remainder of [`ExpConstants`](crate::scalar::ExpConstants): x = n · ln 2 + r.
    #[inline(always)]
    fn reduce_exp(self) -> (Self, Self) {
        let constants = T::EXP;
        let n = Self((self * self.lift(core::f64::consts::LOG2_E)).0.round_ties_even());
        let r = n.mul_add(self.lift(-constants.ln2_high), self);
        (n, n.mul_add(self.lift(-constants.ln2_low), r))
    }

    /// eʳ − 1 for |r| ≤ ln 2 / 2, by its Taylor polynomial without the constant term.
    #[inline(always)]
    fn exp_m1_polynomial(self) -> Self {
        let mut factorial = 1.0;
        let mut coefficients = [0.0; 16];
        let mut power = 1;
        while power <= T::EXP.degree {
            let factor = power as f64;
            factorial *= factor;
            coefficients[power] = 1.0 / factorial;
            power += 1;
        }
        let mut sum = self.lift(coefficients[T::EXP.degree]);
        let mut power = T::EXP.degree - 1;
        while power > 0 {
            sum = sum.mul_add(self, self.lift(coefficients[power]));
            power -= 1;
        }
        sum * self
    }

    /// 2ⁿ for a whole n whose power is a normal number.
    #[inline(always)]
    fn exp2_of_whole(self) -> Self {
        let shifted = self + self.lift(T::EXP.shift);
        Self(<T::Native<S> as SimdFloat<S>>::from_bits(
            shifted.0.to_bits() << T::EXP.mantissa_bits,
        ))
    }

    /// `self` limited to a range at whose ends [`exp`](Elementwise::exp) is 0 and ∞; NaN stays NaN.
    #[inline(always)]
    fn clamp_exp(self) -> Self {
        let (low, high) = (self.lift(T::EXP.low), self.lift(T::EXP.high));
        let bounded = Self::select(self.lt(&low), low, self);
        Self::select(self.gt(&high), high, bounded)
    }

    /// eˣ − 1 for x ≤ ½: 2ⁿ · (eʳ − 1) + (2ⁿ − 1), where little cancels.
    #[inline(always)]
    fn exp_m1_below_half(self) -> Self {
        // Below 2⁻⁶⁴ the result is −1 to the last bit, and 2ⁿ stays a normal number.
        let bounded = Self::select(self.lt(&self.lift(-44.0)), self.lift(-44.0), self);
        let (n, r) = bounded.reduce_exp();
        let scale = n.exp2_of_whole();
        scale.mul_add(r.exp_m1_polynomial(), scale - self.lift(1.0))
    }
}

impl<S: Simd, T: Scalar> Elementwise for Lanes<S, T> {
    type Mask = NativeMask<S, T>;

    #[inline(always)]
    fn lift(&self, value: f64) -> Self {
        Self::splat(self.0.token(), T::from_f64(value))
    }

    #[inline(always)]
    fn gt(&self, other: &Self) -> Self::Mask {
        self.0.simd_gt(other.0)
    }

    #[inline(always)]
    fn ge(&self, other: &Self) -> Self::Mask {
        self.0.simd_ge(other.0)
    }

    #[inline(always)]
    fn eq(&self, other: &Self) -> Self::Mask {
        self.0.simd_eq(other.0)
    }

    #[inline(always)]
    fn ne(&self, other: &Self) -> Self::Mask {
        self.0.simd_ne(other.0)
    }

    #[inline(always)]
    fn select(mask: Self::Mask, if_true: Self, if_false: Self) -> Self {
        Self(Select::<T::Native<S>>::select(mask, if_true.0, if_false.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, summand: Self) -> Self {
        Self(self.0.mul_add(factor.0, summand.0))
    }

    // Of two operands, x86 returns the second if one is NaN: in one of the two orders that is the NaN, and the
    // bits of both make a NaN again. The other architectures compare, as the trait does.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.max_of_numbers(other).or(other.max_of_numbers(self))
    }

    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.min_of_numbers(other).or(other.min_of_numbers(self))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let (n, r) = self.clamp_exp().reduce_exp();
        // 2ⁿ in two factors, because n may be just outside of the exponent's range.
        let half = Self((n * self.lift(0.5)).0.round_ties_even());
        let result = r.exp_m1_polynomial() + self.lift(1.0);
        result * half.exp2_of_whole() * (n - half).exp2_of_whole()
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        let large = self.gt(&self.lift(0.5));
        let half = self.lift(0.5);
        Self::select(
            large,
            self.exp() - self.lift(1.0),
            Self::select(large, half, self).exp_m1_below_half(),
        )
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        // With e = e^(−2|x|) − 1: tanh |x| = −e / (e + 2).
        let e = (self.abs() * self.lift(-2.0)).exp_m1_below_half();
        Self((-e / (e + self.lift(2.0))).0.copysign(self.0))
    }

    #[inline(always)]
    fn ln(mut self) -> Self {
        for lane in self.0.as_mut_slice() {
            *lane = Elementwise::ln(*lane);
        }
        self
    }

    #[inline(always)]
    fn ln_1p(mut self) -> Self {
        for lane in self.0.as_mut_slice() {
            *lane = Elementwise::ln_1p(*lane);
        }
        self
    }

    #[inline(always)]
    fn sin(mut self) -> Self {
        for lane in self.0.as_mut_slice() {
            *lane = Elementwise::sin(*lane);
        }
        self
    }

    #[inline(always)]
    fn cos(mut self) -> Self {
        for lane in self.0.as_mut_slice() {
            *lane = Elementwise::cos(*lane);
        }
        self
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl<S: Simd, T: Scalar> $trait for Lanes<S, T> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self($trait::$method(self.0, other.0))
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<S: Simd, T: Scalar> Neg for Lanes<S, T> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::{Level, dispatch};

    /// A function of one variable, on any [`Elementwise`] type.
    trait Function {
        const NAME: &'static str;
        /// The largest error, in units in the last place.
        const ULPS: f64;
        fn call<E: Elementwise>(x: E) -> E;
        /// The function in double precision, from `std`.
        fn exact(x: f64) -> f64;
    }

    macro_rules! function {
        ($name:ident, $ulps:expr, $exact:expr) => {
            #[expect(non_camel_case_types, reason = "the function's name")]
            struct $name;
            impl Function for $name {
                const NAME: &'static str = stringify!($name);
                const ULPS: f64 = $ulps;
                #[inline(always)]
                fn call<E: Elementwise>(x: E) -> E {
                    x.$name()
                }
                fn exact(x: f64) -> f64 {
                    $exact(x)
                }
            }
        };
    }

    function!(exp, 2.0, f64::exp);
    function!(exp_m1, 3.0, f64::exp_m1);
    function!(tanh, 3.0, f64::tanh);
    function!(sigmoid, 4.0, |x: f64| if x < 0.0 {
        x.exp() / (1.0 + x.exp())
    } else {
        1.0 / (1.0 + (-x).exp())
    });
    function!(softplus, 3.0, |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p());
    function!(sqrt, 0.5, f64::sqrt);
    function!(ln, 1.0, f64::ln);

    /// Every instruction set that this machine has.
    fn levels() -> Vec<Level> {
        let best = Level::new();
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let all = [
            best.as_sse2().map(Level::Sse2),
            best.as_sse4_2().map(Level::Sse4_2),
            best.as_avx2().map(Level::Avx2),
            best.as_avx512().map(Level::Avx512),
        ];
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        let all = [Some(best)];
        all.into_iter().flatten().collect()
    }

    #[inline(always)]
    fn map<F: Function, S: Simd, T: Scalar>(simd: S, values: &mut [T]) {
        for chunk in values.chunks_mut(Lanes::<S, T>::LEN) {
            F::call(Lanes::load_last(simd, chunk)).store_last(chunk);
        }
    }

    /// Distances in units in the last place of `T`, whose relative size is `epsilon`.
    fn check<F: Function, T: Scalar>(epsilon: f64, smallest_normal: f64, points: impl Iterator<Item = f64>) {
        let points: Vec<T> = points.map(T::from_f64).collect();
        for level in levels() {
            let mut values = points.clone();
            dispatch!(level, simd => map::<F, _, T>(simd, &mut values));
            for (x, y) in points
                .iter()
                .map(|x| x.to_f64())
                .zip(values.iter().map(|y| y.to_f64()))
            {
                let exact = T::from_f64(F::exact(x)).to_f64();
                // A result below the normal numbers may be 0.
                let tolerance = (F::ULPS * epsilon * exact.abs()).max(smallest_normal);
                assert!(
                    y.total_cmp(&exact).is_eq()
                        || (y - exact).abs() <= tolerance
                        || y.is_nan() && exact.is_nan(),
                    "{}({x}) is {y}, expected {exact} ({level:?})",
                    F::NAME
                );
            }
        }
    }

    fn check_both<F: Function>(low: f64, high: f64) {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            1e-9,
            -1e-9,
            1e-30,
            0.5,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        let range =
            |steps: i32| (0..=steps).map(move |i| low + (high - low) * f64::from(i) / f64::from(steps));
        check::<F, f32>(
            f64::from(f32::EPSILON),
            f64::from(f32::MIN_POSITIVE),
            range(100_003).chain(special),
        );
        check::<F, f64>(f64::EPSILON, f64::MIN_POSITIVE, range(100_003).chain(special));
    }

    #[test]
    fn functions_are_accurate_on_every_instruction_set() {
        check_both::<exp>(-110.0, 100.0);
        check_both::<exp>(-760.0, 720.0);
        check_both::<exp_m1>(-50.0, 100.0);
        check_both::<exp_m1>(-1.0, 1.0);
        check_both::<tanh>(-25.0, 25.0);
        check_both::<tanh>(-0.01, 0.01);
        check_both::<sigmoid>(-110.0, 110.0);
        check_both::<softplus>(-110.0, 110.0);
        check_both::<sqrt>(-1.0, 1e6);
        check_both::<ln>(-1.0, 1e6);
    }
}
