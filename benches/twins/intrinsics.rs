//! y = max over k of aₖ·x + bₖ in explicit AVX2 and AVX-512 instructions. NaN does not propagate here: these kernels
//! say what that costs.
#![expect(unsafe_code, reason = "intrinsics on pointers, for a comparison of times")]

use core::arch::x86_64::{
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_storeu_ps,
};
use dyrelu::kernels::Level;

/// For K lines and rows of at least one vector.
pub(crate) fn forward<const K: usize>(
    level: Level,
    len: usize,
    coefficients: &[f32],
    x: &[f32],
    y: &mut [f32],
) {
    assert!(len >= 16);
    assert_eq!(x.len(), y.len());
    assert_eq!(coefficients.len() * len, 2 * K * x.len());
    match level {
        // SAFETY: a level is a proof that the processor has its instructions.
        Level::Avx512(_) => unsafe { avx512::<K>(len, coefficients, x, y) },
        // SAFETY: as above.
        Level::Avx2(_) => unsafe { avx2::<K>(len, coefficients, x, y) },
        _ => panic!("AVX2 or AVX-512, not {level:?}"),
    }
}

macro_rules! kernel {
    ($name:ident, $features:literal, $lanes:literal, $set1:ident, $load:ident, $store:ident, $fmadd:ident, $max:ident) => {
        #[target_feature(enable = $features)]
        fn $name<const K: usize>(len: usize, coefficients: &[f32], x: &[f32], y: &mut [f32]) {
            let rows = x.chunks_exact(len).zip(y.chunks_exact_mut(len));
            for ((x, y), row) in rows.zip(coefficients.chunks_exact(2 * K)) {
                let (mut a, mut b) = ([$set1(0.0); K], [$set1(0.0); K]);
                for k in 0..K {
                    (a[k], b[k]) = ($set1(row[k]), $set1(row[K + k]));
                }
                let (x, y) = (x.as_ptr(), y.as_mut_ptr());
                let last = len - $lanes;
                // SAFETY: start + lanes is at most len, the length of both slices.
                let vector = |start: usize| unsafe {
                    let x = $load(x.add(start));
                    let mut best = $fmadd(a[0], x, b[0]);
                    for k in 1..K {
                        best = $max(best, $fmadd(a[k], x, b[k]));
                    }
                    $store(y.add(start), best);
                };
                let mut start = 0;
                while start < last {
                    vector(start);
                    start += $lanes;
                }
                vector(last);
            }
        }
    };
}

kernel!(
    avx2,
    "avx2,fma",
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps
);
kernel!(
    avx512,
    "avx512f",
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps
);
