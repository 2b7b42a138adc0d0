/// Documented.
#[derive(Debug, Clone)]
pub struct Gated {
    pub(crate) field: u8,
}
#[allow(dead_code, clippy::all, clippy::pedantic, clippy::nursery)]
const _: () = {
    #[automatically_derived]
    impl ::renamed::Piece<3> for Gated {
        #[inline(always)]
        fn value<E: ::renamed::Elementwise>(x: E, [a, t, b]: [E; 3]) -> E {
            let s = (x.clone() / t).tanh();
            (a * s.clone())
                .mul_add(
                    (-(x.clone() * x.clone())).exp(),
                    b / s.clone().mul_add(s, x.lift(1.0)).sqrt(),
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
            let t1 = x.clone() / t.clone();
            let s = t1.clone().tanh();
            let t2 = (-(x.clone() * x.clone())).exp();
            let one = x.lift(1.0);
            let t3 = s.clone() * s.clone();
            let t4 = (one.clone() + t3.clone()).sqrt();
            let t5 = b / t4.clone();
            let t6 = one.clone() - t3;
            let t7 = t6.clone() * (one.clone() / t.clone());
            let t8 = x.lift(0.5) / t4.clone();
            let t9 = t6 * (t1 / t);
            ::renamed::PieceGrad {
                x: a.clone() * t7.clone() * t2.clone()
                    - a.clone() * s.clone() * (t2.clone() * (x.clone() + x))
                    - t5.clone()
                        * (t8.clone() * t7.clone().mul_add(s.clone(), s.clone() * t7))
                        / t4.clone(),
                coefficients: [
                    s.clone() * t2.clone(),
                    -(a * t9.clone() * t2)
                        - t5 * (t8 * (-(t9.clone() * s.clone()) - s * t9)) / t4.clone(),
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
            ::renamed::Coefficient {
                name: "a",
                init: ::renamed::PerPiece::Same(1.0),
                lambda: ::renamed::PerPiece::Same(1.0),
            },
            ::renamed::Coefficient {
                name: "t",
                init: ::renamed::PerPiece::Same(1.0),
                lambda: ::renamed::PerPiece::Same(1.0),
            },
            ::renamed::Coefficient {
                name: "b",
                init: ::renamed::PerPiece::Each(&[0.0, 1.0]),
                lambda: ::renamed::PerPiece::Same(1.0),
            },
        ];
        const HOMOGENEOUS: ::core::primitive::bool = false;
        type Pieces = ::renamed::Pieces<2, 3>;
    }
    /**The minimum of k = 2 pieces `a * tanh(x / t) * exp(-(x * x)) + b / sqrt(1.0 + tanh(x / t) * tanh(x / t))`, with coefficients for each element (`share = "none"`).

∂piece/∂x = `a * ((1.0 - tanh(x / t) * tanh(x / t)) * (1.0 / t)) * exp(-(x * x)) - a * tanh(x / t) * (exp(-(x * x)) * (x + x)) - … / sqrt(1.0 + tanh(x / t) * tanh(x / t))`

| coefficient | init | lambda | ∂piece/∂coefficient |
|---|---|---|---|
| `a` | 1.0 | 1.0 | `tanh(x / t) * exp(-(x * x))` |
| `t` | 1.0 | 1.0 | `-(a * ((1.0 - tanh(x / t) * tanh(x / t)) * (x / t / t)) * exp(-(x * x))) - … / sqrt(1.0 + tanh(x / t) * tanh(x / t))` |
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
