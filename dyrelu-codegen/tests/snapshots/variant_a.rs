pub struct DyReluA;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<2> for DyReluA {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [a, b]: [E; 2]) -> E {
            a.mul_add(x, b)
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [a,
            _,
            ]: [E; 2],
        ) -> ::dyrelu::PieceGrad<E, 2> {
            let one = E::lift(&x, 1.0);
            ::dyrelu::PieceGrad {
                x: a,
                coefficients: [x, one],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for DyReluA {
        const NAME: &'static ::core::primitive::str = "DyReluA";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::SpatialAndChannel;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient::dynamic("a", ::dyrelu::PerPiece::First(1.0)),
            ::dyrelu::Coefficient::dynamic("b", ::dyrelu::PerPiece::Same(0.0))
                .lambda(::dyrelu::PerPiece::Same(0.5)),
        ];
        const HOMOGENEOUS: ::core::primitive::bool = true;
        type Pieces = ::dyrelu::Pieces<2, 2>;
    }
    /**The maximum of k = 2 pieces `a * x + b`, with coefficients for each sample (`share = "spatial+channel"`).

∂piece/∂x = `a`

| coefficient | init | lambda | ∂piece/∂coefficient |
|---|---|---|---|
| `a` | 1.0, 0.0, … | 1.0 | `x` |
| `b` | 0.0 | 0.5 | `1.0` |
*/
    impl DyReluA {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
