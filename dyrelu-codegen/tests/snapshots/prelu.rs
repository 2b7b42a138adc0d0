pub struct PRelu;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<1> for PRelu {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [a]: [E; 1]) -> E {
            let zero = E::lift(&x, 0.0);
            a.mul_add(E::clone(&x).min(E::clone(&zero)), x.max(zero))
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [a,
            ]: [E; 1],
        ) -> ::dyrelu::PieceGrad<E, 1> {
            let zero = E::lift(&x, 0.0);
            ::dyrelu::PieceGrad {
                x: E::select(E::gt(&zero, &x), E::clone(&zero), E::lift(&x, 1.0))
                    + E::select(E::lt(&zero, &x), E::clone(&zero), a),
                coefficients: [x.min(zero)],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for PRelu {
        const NAME: &'static ::core::primitive::str = "PRelu";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Spatial;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient::learned("a", ::dyrelu::PerPiece::Same(0.25)).shared(),
        ];
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::dyrelu::Pieces<1, 1>;
    }
    /**y = `max(x, 0.0) + a * min(x, 0.0)`, with learned coefficients.

∂y/∂x = `(if 0.0 > x { 0.0 } else { 1.0 }) + (if 0.0 < x { 0.0 } else { a })`

| coefficient | init | lambda | ∂y/∂coefficient |
|---|---|---|---|
| `a` | 0.25 | learned, one for all channels | `min(x, 0.0)` |
*/
    impl PRelu {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
