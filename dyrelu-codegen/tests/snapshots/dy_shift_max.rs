pub struct DyShiftMax;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<3> for DyShiftMax {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [a, b, s]: [E; 3]) -> E {
            a.mul_add(x, b * s)
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [a,
            b,
            s,
            ]: [E; 3],
        ) -> ::dyrelu::PieceGrad<E, 3> {
            ::dyrelu::PieceGrad {
                x: a,
                coefficients: [x, s, b],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for DyShiftMax {
        const NAME: &'static ::core::primitive::str = "DyShiftMax";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Spatial;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient::dynamic("a", ::dyrelu::PerPiece::First(1.0))
                .squash(::dyrelu::Squash::CentredHardSigmoid),
            ::dyrelu::Coefficient::dynamic("b", ::dyrelu::PerPiece::Same(0.0))
                .squash(::dyrelu::Squash::CentredHardSigmoid),
        ];
        const NEIGHBOURS: &'static [::dyrelu::Neighbour] = &[
            ::dyrelu::Neighbour {
                name: "s",
                groups: 1,
                channels: 0,
            },
        ];
        const HOMOGENEOUS: ::core::primitive::bool = true;
        type Pieces = ::dyrelu::Pieces<2, 3>;
    }
    /**The maximum of k = 2 pieces `a * x + b * s`, with coefficients for each sample and channel (`share = "spatial"`).

∂piece/∂x = `a`

| argument | init | lambda | ∂piece/∂argument |
|---|---|---|---|
| `a` | 1.0, 0.0, … | 1.0, squash = "2hard_sigmoid-1" | `x` |
| `b` | 0.0 | 1.0, squash = "2hard_sigmoid-1" | `s` |
| `s` | – | neighbour, shift(1, 0) | `b` |
*/
    impl DyShiftMax {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
