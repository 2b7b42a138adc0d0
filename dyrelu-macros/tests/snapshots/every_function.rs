struct Everything;
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<1> for Everything {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [a]: [E; 1]) -> E {
            let t1 = x.clone().sin();
            let t2 = x.clone().cos();
            let t3 = x.clone().exp() + x.clone().exp_m1() + x.clone().ln()
                + x.clone().ln_1p() + x.clone().sqrt() + t1.clone() + t2.clone()
                + t1 / t2 + x.clone().tanh();
            let t4 = t3 + x.clone().sigmoid() + x.clone().softplus() + x.clone().abs()
                + x.clone().sign() + x.clone().recip() + x.clone().powi(3)
                + x.clone().powi(-2) + x.clone().max(a.clone());
            a.clone()
                * (t4 + x.clone().min(a) + x.clone().relu()
                    + x.clone().max(x.lift(-1.0)).min(x.lift(1.0)))
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [a,
            ]: [E; 1],
        ) -> ::dyrelu::PieceGrad<E, 1> {
            let t1 = x.clone().exp();
            let t2 = x.clone().sqrt();
            let t3 = x.clone().sin();
            let t4 = x.clone().cos();
            let t5 = t3.clone() / t4.clone();
            let t6 = x.clone().tanh();
            let t7 = t1.clone() + x.clone().exp_m1() + x.clone().ln() + x.clone().ln_1p()
                + t2.clone() + t3.clone() + t4.clone() + t5.clone() + t6.clone();
            let t8 = x.clone().sigmoid();
            let t9 = x.clone().sign();
            let t10 = x.clone().recip();
            let t11 = t7 + t8.clone() + x.clone().softplus() + x.clone().abs()
                + t9.clone() + t10.clone() + x.clone().powi(3) + x.clone().powi(-2)
                + x.clone().max(a.clone()) + x.clone().min(a.clone());
            let one = x.lift(1.0);
            let minus_one = x.lift(-1.0);
            let t12 = x.clone().max(minus_one.clone());
            let t13 = t8
                .clone()
                .mul_add(
                    one.clone() - t8.clone(),
                    t1.clone() + t1 + one.clone() / x.clone()
                        + one.clone() / (one.clone() + x.clone()) + x.lift(0.5) / t2
                        + t4.clone() - t3.clone() + t5.mul_add(t3, t4.clone()) / t4
                        + (one.clone() - t6.clone() * t6),
                );
            let zero = x.lift(0.0);
            let t14 = a.gt(&x);
            let t15 = a.lt(&x);
            let t16 = x
                .lift(-2.0)
                .mul_add(
                    x.clone().powi(-3),
                    x
                        .lift(3.0)
                        .mul_add(x.clone().powi(2), t13 + t8 + t9 - t10.clone() * t10),
                )
                + E::select(::core::clone::Clone::clone(&t14), zero.clone(), one.clone())
                + E::select(::core::clone::Clone::clone(&t15), zero.clone(), one.clone())
                + E::select(x.gt(&zero), one.clone(), zero.clone())
                + E::select(
                    one.lt(&t12),
                    zero.clone(),
                    E::select(minus_one.gt(&x), zero.clone(), one.clone()),
                );
            ::dyrelu::PieceGrad {
                x: a.clone() * t16,
                coefficients: [
                    a
                        .mul_add(
                            E::select(t14, one.clone(), zero.clone())
                                + E::select(t15, one.clone(), zero),
                            t11 + x.relu() + t12.min(one),
                        ),
                ],
            }
        }
    }
    #[automatically_derived]
    impl ::dyrelu::DynamicActivation for Everything {
        const NAME: &'static ::core::primitive::str = "Everything";
        const SHARING: ::dyrelu::Sharing = ::dyrelu::Sharing::Spatial;
        const COMBINE: ::dyrelu::Combine = ::dyrelu::Combine::Max;
        const COEFFICIENTS: &'static [::dyrelu::Coefficient] = &[
            ::dyrelu::Coefficient {
                name: "a",
                init: ::dyrelu::PerPiece::Same(1.0),
                lambda: ::dyrelu::PerPiece::Same(1.0),
            },
        ];
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::dyrelu::Pieces<1, 1>;
    }
    /**The maximum of k = 1 pieces `a * (… + relu(x) + min(max(x, -1.0), 1.0))`, with coefficients for each sample and channel (`share = "spatial"`).

∂piece/∂x = `a * …`

| coefficient | init | lambda | ∂piece/∂coefficient |
|---|---|---|---|
| `a` | 1.0 | 1.0 | `… + relu(x) + min(max(x, -1.0), 1.0) + a * ((if a > x { 1.0 } else { 0.0 }) + (if a < x { 1.0 } else { 0.0 }))` |
*/
    impl Everything {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        fn layer<T: ::dyrelu::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::dyrelu::LayerBuilder<Self, T> {
            <Self as ::dyrelu::DynamicActivation>::layer(channels)
        }
    }
};
