struct Everything;
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::dyrelu::Piece<1> for Everything {
        #[inline(always)]
        fn value<E: ::dyrelu::Elementwise>(x: E, [a]: [E; 1]) -> E {
            let t1 = E::clone(&x).sin();
            let t2 = E::clone(&x).cos();
            let t3 = E::clone(&x).exp() + E::clone(&x).exp_m1() + E::clone(&x).ln()
                + E::clone(&x).ln_1p() + E::clone(&x).sqrt() + E::clone(&t1)
                + E::clone(&t2) + t1 / t2 + E::clone(&x).tanh();
            let t4 = t3 + E::clone(&x).sigmoid() + E::clone(&x).softplus()
                + E::clone(&x).abs() + E::clone(&x).sign() + E::clone(&x).recip()
                + E::clone(&x).powi(3) + E::clone(&x).powi(-2)
                + E::clone(&x).max(E::clone(&a));
            E::clone(&a)
                * (t4 + E::clone(&x).min(a) + E::clone(&x).relu()
                    + E::clone(&x).max(E::lift(&x, -1.0)).min(E::lift(&x, 1.0)))
        }
        #[inline(always)]
        fn grad<E: ::dyrelu::Elementwise>(
            x: E,
            [a,
            ]: [E; 1],
        ) -> ::dyrelu::PieceGrad<E, 1> {
            let t1 = E::clone(&x).exp();
            let t2 = E::clone(&x).sqrt();
            let t3 = E::clone(&x).sin();
            let t4 = E::clone(&x).cos();
            let t5 = E::clone(&t3) / E::clone(&t4);
            let t6 = E::clone(&x).tanh();
            let t7 = E::clone(&t1) + E::clone(&x).exp_m1() + E::clone(&x).ln()
                + E::clone(&x).ln_1p() + E::clone(&t2) + E::clone(&t3) + E::clone(&t4)
                + E::clone(&t5) + E::clone(&t6);
            let t8 = E::clone(&x).sigmoid();
            let t9 = E::clone(&x).sign();
            let t10 = E::clone(&x).recip();
            let t11 = t7 + E::clone(&t8) + E::clone(&x).softplus() + E::clone(&x).abs()
                + E::clone(&t9) + E::clone(&t10) + E::clone(&x).powi(3)
                + E::clone(&x).powi(-2) + E::clone(&x).max(E::clone(&a))
                + E::clone(&x).min(E::clone(&a));
            let one = E::lift(&x, 1.0);
            let minus_one = E::lift(&x, -1.0);
            let t12 = E::clone(&x).max(E::clone(&minus_one));
            let t13 = E::clone(&t8)
                .mul_add(
                    E::clone(&one) - E::clone(&t8),
                    E::clone(&t1) + t1 + E::clone(&one) / E::clone(&x)
                        + E::clone(&one) / (E::clone(&one) + E::clone(&x))
                        + E::lift(&x, 0.5) / t2 + E::clone(&t4) - E::clone(&t3)
                        + t5.mul_add(t3, E::clone(&t4)) / t4
                        + (E::clone(&one) - E::clone(&t6) * t6),
                );
            let zero = E::lift(&x, 0.0);
            let t14 = E::gt(&a, &x);
            let t15 = E::lt(&a, &x);
            let t16 = E::lift(&x, -2.0)
                .mul_add(
                    E::clone(&x).powi(-3),
                    E::lift(&x, 3.0)
                        .mul_add(
                            E::clone(&x).powi(2),
                            t13 + t8 + t9 - E::clone(&t10) * t10,
                        ),
                )
                + E::select(
                    ::core::clone::Clone::clone(&t14),
                    E::clone(&zero),
                    E::clone(&one),
                )
                + E::select(
                    ::core::clone::Clone::clone(&t15),
                    E::clone(&zero),
                    E::clone(&one),
                ) + E::select(E::gt(&x, &zero), E::clone(&one), E::clone(&zero))
                + E::select(
                    E::lt(&one, &t12),
                    E::clone(&zero),
                    E::select(E::gt(&minus_one, &x), E::clone(&zero), E::clone(&one)),
                );
            ::dyrelu::PieceGrad {
                x: E::clone(&a) * t16,
                coefficients: [
                    a
                        .mul_add(
                            E::select(t14, E::clone(&one), E::clone(&zero))
                                + E::select(t15, E::clone(&one), zero),
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
            ::dyrelu::Coefficient::dynamic("a", ::dyrelu::PerPiece::Same(1.0)),
        ];
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::dyrelu::Pieces<1, 1>;
    }
    /**Parts of the formulas below:

```text
t1 = sin(x) / cos(x)
t2 = sigmoid(x)
t3 = exp(x) + exp_m1(x) + ln(x) + ln_1p(x) + sqrt(x) + sin(x) + cos(x) + t1 + tanh(x) + t2
t4 = t3 + softplus(x) + abs(x) + sign(x) + recip(x) + powi(x, 3) + powi(x, -2) + max(x, a)
t5 = max(x, -1.0)
t6 = t4 + min(x, a) + relu(x) + min(t5, 1.0)
t7 = exp(x) + exp(x) + 1.0 / x + 1.0 / (1.0 + x) + 0.5 / sqrt(x) + cos(x) - sin(x) + (cos(x) + t1 * sin(x)) / cos(x)
t8 = t7 + (1.0 - tanh(x) * tanh(x)) + t2 * (1.0 - t2) + t2 + sign(x) - recip(x) * recip(x)
t9 = t8 + 3.0 * powi(x, 2) + -2.0 * powi(x, -3) + (if a > x { 0.0 } else { 1.0 }) + (if a < x { 0.0 } else { 1.0 })
t10 = t9 + (if x > 0.0 { 1.0 } else { 0.0 }) + (if 1.0 < t5 { 0.0 } else { if -1.0 > x { 0.0 } else { 1.0 } })
```

y = `a * t6`, with coefficients for each sample and channel (`share = "spatial"`).

∂y/∂x = `a * t10`

| coefficient | init | lambda | ∂y/∂coefficient |
|---|---|---|---|
| `a` | 1.0 | 1.0 | `t6 + a * ((if a > x { 1.0 } else { 0.0 }) + (if a < x { 1.0 } else { 0.0 }))` |
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
