pub(crate) struct SoftThreshold;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<2> for SoftThreshold {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [gain, threshold]: [E; 2]) -> E {
            let size = E::clone(&x).abs() - threshold;
            let zero = E::lift(&x, 0.0);
            E::select(
                E::gt(&size, &zero) & !E::eq(&gain, &zero),
                gain * x.sign() * size,
                zero,
            )
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [gain,
            threshold,
            ]: [E; 2],
        ) -> ::dyrelu::PieceGrad<E, 2> {
            let size = E::clone(&x).abs() - threshold;
            let zero = E::lift(&x, 0.0);
            let t1 = E::gt(&size, &zero) & !E::eq(&gain, &zero);
            let t2 = x.sign();
            let t3 = gain * E::clone(&t2);
            ::dyrelu::PieceGrad {
                x: E::select(
                    ::core::clone::Clone::clone(&t1),
                    E::clone(&t3) * E::clone(&t2),
                    E::clone(&zero),
                ),
                coefficients: [
                    E::select(
                        ::core::clone::Clone::clone(&t1),
                        t2 * size,
                        E::clone(&zero),
                    ),
                    E::select(t1, -t3, zero),
                ],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for SoftThreshold {
        const NAME: &'static ::core::primitive::str = "SoftThreshold";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Spatial;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Sum;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient::dynamic(
                    "gain",
                    ::dyrelu::PerPiece::Each(&[1.0, 0.5, -0.25]),
                )
                .lambda(::dyrelu::PerPiece::Same(2.0)),
            ::dyrelu::Coefficient::dynamic("threshold", ::dyrelu::PerPiece::Same(0.1)),
        ];
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::dyrelu::Pieces<3, 2>;
    }
    /**The sum of k = 3 pieces `if abs(x) - threshold > 0.0 && !(gain == 0.0) { gain * sign(x) * (abs(x) - threshold) } else { 0.0 }`, with coefficients for each sample and channel (`share = "spatial"`).

∂piece/∂x = `if abs(x) - threshold > 0.0 && !(gain == 0.0) { gain * sign(x) * sign(x) } else { 0.0 }`

| coefficient | init | lambda | ∂piece/∂coefficient |
|---|---|---|---|
| `gain` | 1.0, 0.5, -0.25 | 2.0 | `if abs(x) - threshold > 0.0 && !(gain == 0.0) { sign(x) * (abs(x) - threshold) } else { 0.0 }` |
| `threshold` | 0.1 | 1.0 | `if abs(x) - threshold > 0.0 && !(gain == 0.0) { -(gain * sign(x)) } else { 0.0 }` |
*/
    impl SoftThreshold {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub(crate) fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
