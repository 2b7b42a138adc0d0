pub struct Capped;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<3> for Capped {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [a, b, slope]: [E; 3]) -> E {
            let t1 = E::lift(&x, 3.0);
            a.mul_add(E::clone(&x), b * E::clone(&t1))
                .min(slope * E::clone(&x) * t1)
                .min(E::lift(&x, 6.0))
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [a,
            b,
            slope,
            ]: [E; 3],
        ) -> ::dyrelu::PieceGrad<E, 3> {
            let t1 = E::lift(&x, 3.0);
            let t2 = E::clone(&a).mul_add(E::clone(&x), b * E::clone(&t1));
            let t3 = E::clone(&slope) * E::clone(&x) * E::clone(&t1);
            let t4 = E::clone(&t2).min(E::clone(&t3));
            let t5 = E::lt(&t3, &t2);
            let zero = E::lift(&x, 0.0);
            let t6 = E::lt(&E::lift(&x, 6.0), &t4);
            ::dyrelu::PieceGrad {
                x: E::select(
                    ::core::clone::Clone::clone(&t6),
                    E::clone(&zero),
                    E::select(::core::clone::Clone::clone(&t5), slope * E::clone(&t1), a),
                ),
                coefficients: [
                    E::select(
                        ::core::clone::Clone::clone(&t6),
                        E::clone(&zero),
                        E::select(
                            ::core::clone::Clone::clone(&t5),
                            E::clone(&zero),
                            E::clone(&x),
                        ),
                    ),
                    E::select(
                        ::core::clone::Clone::clone(&t6),
                        E::clone(&zero),
                        E::select(
                            ::core::clone::Clone::clone(&t5),
                            E::clone(&zero),
                            E::clone(&t1),
                        ),
                    ),
                    E::select(t6, E::clone(&zero), E::select(t5, x * t1, zero)),
                ],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for Capped {
        const NAME: &'static ::core::primitive::str = "Capped";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Unshared;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient::dynamic("a", ::dyrelu::PerPiece::Same(1.0))
                .lambda(::dyrelu::PerPiece::Same(0.5)),
            ::dyrelu::Coefficient::dynamic("b", ::dyrelu::PerPiece::Same(0.5))
                .squash(::dyrelu::Squash::Identity),
            ::dyrelu::Coefficient::dynamic("slope", ::dyrelu::PerPiece::Same(2.0))
                .squash(::dyrelu::Squash::CentredHardSigmoid),
        ];
        const HYPER: ::dyrelu::Hyper = ::dyrelu::Hyper {
            context: ::dyrelu::Context::External,
            layers: 1,
            ..::dyrelu::Hyper::PAPER
        };
        const ATTENTION: ::dyrelu::Attention = ::dyrelu::Attention::Normalised;
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::dyrelu::Pieces<1, 3>;
    }
    /**y = `min(min(a * x + b * 3.0, slope * x * 3.0), 6.0)`, with coefficients for each element (`share = "none"`).

∂y/∂x = `if 6.0 < min(a * x + b * 3.0, slope * x * 3.0) { 0.0 } else { if slope * x * 3.0 < a * x + b * 3.0 { slope * 3.0 } else { a } }`

| coefficient | init | lambda | ∂y/∂coefficient |
|---|---|---|---|
| `a` | 1.0 | 0.5 | `if 6.0 < min(a * x + b * 3.0, slope * x * 3.0) { 0.0 } else { if slope * x * 3.0 < a * x + b * 3.0 { 0.0 } else { x } }` |
| `b` | 0.5 | 1.0, squash = "none" | `if 6.0 < min(a * x + b * 3.0, slope * x * 3.0) { 0.0 } else { if slope * x * 3.0 < a * x + b * 3.0 { 0.0 } else { 3.0 } }` |
| `slope` | 2.0 | 1.0, squash = "2hard_sigmoid-1" | `if 6.0 < min(a * x + b * 3.0, slope * x * 3.0) { 0.0 } else { if slope * x * 3.0 < a * x + b * 3.0 { x * 3.0 } else { 0.0 } }` |

The hyper function is `hyper(context = "external", layers = 1)`.

The scores of the attention are normalised (`attention = "normalised"`).
*/
    impl Capped {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
