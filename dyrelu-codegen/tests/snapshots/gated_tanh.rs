/// Documented.
#[derive(Debug, Clone)]
pub struct Gated {
    pub(crate) field: u8,
}
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::same_name_method
)]
const _: () = {
    #[automatically_derived]
    impl ::renamed::Piece<3> for Gated {
        #[inline(always)]
        fn value<E: ::renamed::Elementwise>(x: E, [a, t, b]: [E; 3]) -> E {
            let s = (E::clone(&x) / t).tanh();
            (a * E::clone(&s))
                .mul_add(
                    (-(E::clone(&x) * E::clone(&x))).exp(),
                    b / E::clone(&s).mul_add(s, E::lift(&x, 1.0)).sqrt(),
                )
        }
        #[inline(always)]
        fn grad<E: ::renamed::Elementwise>(
            x: E,
            [a,
            t,
            b,
            ]: [E; 3],
        ) -> ::renamed::PieceGrad<E, 3> {
            let t1 = E::clone(&x) / E::clone(&t);
            let s = E::clone(&t1).tanh();
            let t2 = (-(E::clone(&x) * E::clone(&x))).exp();
            let one = E::lift(&x, 1.0);
            let t3 = E::clone(&s) * E::clone(&s);
            let t4 = (E::clone(&one) + E::clone(&t3)).sqrt();
            let t5 = b / E::clone(&t4);
            let t6 = E::clone(&one) - t3;
            let t7 = E::clone(&t6) * (E::clone(&one) / E::clone(&t));
            let t8 = E::lift(&x, 0.5) / E::clone(&t4);
            let t9 = t6 * (t1 / t);
            ::renamed::PieceGrad {
                x: E::clone(&a) * E::clone(&t7) * E::clone(&t2)
                    - E::clone(&a) * E::clone(&s) * (E::clone(&t2) * (E::clone(&x) + x))
                    - E::clone(&t5)
                        * (E::clone(&t8)
                            * E::clone(&t7).mul_add(E::clone(&s), E::clone(&s) * t7))
                        / E::clone(&t4),
                coefficients: [
                    E::clone(&s) * E::clone(&t2),
                    -(a * E::clone(&t9) * t2)
                        - t5 * (t8 * (-(E::clone(&t9) * E::clone(&s)) - s * t9))
                            / E::clone(&t4),
                    one / t4,
                ],
            }
        }
    }
    #[automatically_derived]
    impl ::renamed::DynamicActivation for Gated {
        const NAME: &'static ::core::primitive::str = "Gated";
        const SHARING: ::renamed::Sharing = ::renamed::Sharing::Unshared;
        const COMBINE: ::renamed::Combine = ::renamed::Combine::Min;
        const COEFFICIENTS: &'static [::renamed::Coefficient] = &[
            ::renamed::Coefficient::dynamic("a", ::renamed::PerPiece::Same(1.0)),
            ::renamed::Coefficient::dynamic("t", ::renamed::PerPiece::Same(1.0)),
            ::renamed::Coefficient::dynamic("b", ::renamed::PerPiece::Each(&[0.0, 1.0])),
        ];
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::renamed::Pieces<2, 3>;
    }
    /**Parts of the formulas below:

```text
t1 = tanh(x / t)
t2 = exp(-(x * x))
t3 = sqrt(1.0 + t1 * t1)
t4 = 1.0 - t1 * t1
t5 = t4 * (1.0 / t)
t6 = a * t5 * t2 - a * t1 * (t2 * (x + x)) - b / t3 * (0.5 / t3 * (t5 * t1 + t1 * t5)) / t3
t7 = t4 * (x / t / t)
```

The minimum of k = 2 pieces `a * tanh(x / t) * exp(-(x * x)) + b / sqrt(1.0 + tanh(x / t) * tanh(x / t))`, with coefficients for each element (`share = "none"`).

∂piece/∂x = `t6`

| coefficient | init | lambda | ∂piece/∂coefficient |
|---|---|---|---|
| `a` | 1.0 | 1.0 | `tanh(x / t) * exp(-(x * x))` |
| `t` | 1.0 | 1.0 | `-(a * t7 * t2) - b / t3 * (0.5 / t3 * (-(t7 * t1) - t1 * t7)) / t3` |
| `b` | 0.0, 1.0 | 1.0 | `1.0 / sqrt(1.0 + tanh(x / t) * tanh(x / t))` |
*/
    impl Gated {
        /// Begins a layer of this activation for inputs of shape `[N, channels, ...]`.
        #[must_use]
        pub fn layer<T: ::renamed::Scalar>(
            channels: ::core::primitive::usize,
        ) -> ::renamed::LayerBuilder<Self, T> {
            <Self as ::renamed::DynamicActivation>::layer(channels)
        }
    }
};
