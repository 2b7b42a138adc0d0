pub struct MetaAcon;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<3> for MetaAcon {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [p, q, beta]: [E; 3]) -> E {
            let t1 = p - E::clone(&q);
            (E::clone(&t1) * E::clone(&x))
                .mul_add((beta * t1 * E::clone(&x)).sigmoid(), q * x)
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [p,
            q,
            beta,
            ]: [E; 3],
        ) -> ::dyrelu::PieceGrad<E, 3> {
            let t1 = p - E::clone(&q);
            let t2 = E::clone(&t1) * E::clone(&x);
            let t3 = E::clone(&beta) * E::clone(&t1);
            let t4 = (E::clone(&t3) * E::clone(&x)).sigmoid();
            let t5 = E::clone(&t4) * (E::lift(&x, 1.0) - E::clone(&t4));
            let t6 = E::clone(&x) * E::clone(&t4);
            let t7 = E::clone(&t2) * (E::clone(&t5) * (beta * E::clone(&x)));
            ::dyrelu::PieceGrad {
                x: t1.mul_add(t4, E::clone(&t2) * (E::clone(&t5) * t3)) + q,
                coefficients: [
                    E::clone(&t6) + E::clone(&t7),
                    -t6 - t7 + x,
                    E::clone(&t2) * (t5 * t2),
                ],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for MetaAcon {
        const NAME: &'static ::core::primitive::str = "MetaAcon";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Spatial;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient::learned("p", ::dyrelu::PerPiece::Same(1.0)),
            ::dyrelu::Coefficient::learned("q", ::dyrelu::PerPiece::Same(0.0)),
            ::dyrelu::Coefficient::dynamic("beta", ::dyrelu::PerPiece::Same(0.0))
                .squash(::dyrelu::Squash::Sigmoid),
        ];
        const HYPER: ::dyrelu::Hyper = ::dyrelu::Hyper {
            inner: ::dyrelu::Inner::Identity,
            ..::dyrelu::Hyper::PAPER
        };
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::dyrelu::Pieces<1, 3>;
    }
    /**y = `(p - q) * x * sigmoid(beta * (p - q) * x) + q * x`, with learned coefficients, and dynamic ones for each sample and channel (`share = "spatial"`).

∂y/∂x = `(p - q) * sigmoid(beta * (p - q) * x) + (p - q) * x * (sigmoid(beta * (p - q) * x) * (1.0 - sigmoid(beta * (p - q) * x)) * (beta * (p - q))) + q`

| coefficient | init | lambda | ∂y/∂coefficient |
|---|---|---|---|
| `p` | 1.0 | learned for each channel | `x * sigmoid(beta * (p - q) * x) + (p - q) * x * (sigmoid(beta * (p - q) * x) * (1.0 - sigmoid(beta * (p - q) * x)) * (beta * x))` |
| `q` | 0.0 | learned for each channel | `-(x * sigmoid(beta * (p - q) * x)) - (p - q) * x * (sigmoid(beta * (p - q) * x) * (1.0 - sigmoid(beta * (p - q) * x)) * (beta * x)) + x` |
| `beta` | 0.0 | 1.0, squash = "sigmoid" | `(p - q) * x * (sigmoid(beta * (p - q) * x) * (1.0 - sigmoid(beta * (p - q) * x)) * ((p - q) * x))` |

The hyper function is `hyper(context = "pooled", layers = 2, inner = "none")`.
*/
    impl MetaAcon {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
