//! Expansions work wherever they stand: without a prelude, with the crate renamed, among names that shadow the
//! ones that they use, and under strict lints.
//!
//! Most of this must merely compile.

#![no_implicit_prelude]
#![deny(
    warnings,
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused_qualifications
)]

extern crate dyrelu as renamed;

/// Names that an expansion could mean by mistake.
mod shadows {
    macro_rules! shadow {
        ($($name:ident)*) => {$(
            #[allow(dead_code, non_camel_case_types, reason = "only the name matters")]
            pub(crate) struct $name;
        )*};
    }
    shadow!(Option Some Clone Default Sized Elementwise Piece PieceGrad Pieces DynamicActivation Coefficient);
    shadow!(Sharing Combine PerPiece Scalar LayerBuilder usize str bool f32 f64 core std dyrelu);
}

mod shadowed {
    #[allow(unused_imports, reason = "an expansion must not use them")]
    use super::shadows::*;

    #[::renamed::dynamic_activation(k = 2, share = "spatial", crate = ::renamed)]
    pub(super) struct Affine;

    #[::renamed::dynamic_activation(
        k = 3, share = "none", combine = "sum", crate = crate::renamed,
        piece = |x, a| if x > a && a != 0.0 { max(x, a).tanh() } else { relu(-x) * a },
        init(a = [1.0, -2.0, 1e300])
    )]
    pub(crate) struct Custom;
}

/// Names in a trait that every type has: by value, they would come before methods that borrow.
mod blanket {
    #[allow(dead_code, reason = "an expansion must not call them")]
    #[allow(
        clippy::wrong_self_convention,
        clippy::should_implement_trait,
        reason = "only the name matters"
    )]
    pub(crate) trait Hostile: ::core::marker::Sized {
        fn lift(self, _: f64) -> Self {
            self
        }
        fn clone(self) -> Self {
            self
        }
        fn gt(self, _: &Self) -> bool {
            false
        }
        fn ge(self, _: &Self) -> bool {
            false
        }
        fn lt(self, _: &Self) -> bool {
            false
        }
        fn le(self, _: &Self) -> bool {
            false
        }
        fn eq(self, _: &Self) -> bool {
            false
        }
        fn ne(self, _: &Self) -> bool {
            false
        }
        fn exp(self) -> Self {
            self
        }
        fn mul_add(self, _: Self, _: Self) -> Self {
            self
        }
        fn select(_: bool, if_true: Self, _: Self) -> Self {
            if_true
        }
    }

    impl<T> Hostile for T {}

    #[::renamed::dynamic_activation(
        k = 1, share = "spatial", crate = ::renamed,
        piece = |x, a| {
            let t = exp(x) + a * x;
            let u = if t > 2.0 && x >= 0.0 || t < -2.0 { t } else { a - t };
            if u <= -3.0 || u == x || !(u != a) { a * 2.0 } else { u * u }
        },
        init(a = 1.0)
    )]
    pub(crate) struct Blanket;
}

/// Structs whose names are those of type parameters and traits.
mod names {
    use ::renamed::dynamic_activation;

    #[dynamic_activation(k = 1, share = "spatial", crate = ::renamed)]
    pub(super) struct E;

    #[dynamic_activation(k = 1, share = "spatial", crate = ::renamed)]
    pub(super) struct T;

    #[dynamic_activation(k = 1, share = "spatial", crate = ::renamed)]
    pub(super) struct Piece;

    #[dynamic_activation(k = 1, share = "spatial", crate = ::renamed)]
    pub(super) struct r#Raw;
}

/// Coefficients whose names are those of generated variables, or keywords.
#[::renamed::dynamic_activation(
    k = 2, share = "spatial", crate = ::renamed,
    piece = |t1, e, k, one, zero, channels, r#type| {
        let t2 = tanh(e * t1) + 1.0;
        let one = one * t2;
        one * one * k + zero / one + exp(t2 * t2) * channels * r#type - 1.0
    },
    init(e = 1.0, k = 1.0, one = 1.0, zero = 0.0, channels = 1.0, r#type = 1.0)
)]
pub(crate) struct Names;

/// A struct with fields and attributes of its own, which stay.
#[::renamed::dynamic_activation(k = 2, share = "spatial+channel", crate = ::renamed)]
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) field: u8,
}

/// Arguments that are expressions, and so arrive in invisible delimiters.
macro_rules! declare_from_expressions {
    ($name:ident, $f:expr, $init:expr, $number:expr, $lambda:expr) => {
        #[::renamed::dynamic_activation(k = 2, share = "spatial", piece = |x, a, b| a * $f(x) + b, init(a = $init, b = [$number, $number]), lambda(a = $lambda), crate = $crate::renamed)]
        struct $name;
    };
}

macro_rules! declare {
    ($name:ident, $k:expr, $share:literal, $piece:expr, $init:literal) => {
        #[::renamed::dynamic_activation(k = $k, share = $share, piece = $piece, init(a = $init), crate = $crate::renamed)]
        struct $name;
    };
}

/// The name and the number of coefficients of an activation.
fn describe<A: ::renamed::DynamicActivation>(_: &::renamed::LayerBuilder<A, f32>) -> (&'static str, usize) {
    (A::NAME, A::COEFFICIENTS.len())
}

#[test]
fn layers_begin_with_an_inherent_method() {
    use ::std::assert_eq;
    assert_eq!(describe(&shadowed::Affine::layer(4)), ("Affine", 2));
    assert_eq!(describe(&shadowed::Custom::layer(4)), ("Custom", 1));
    assert_eq!(describe(&names::E::layer(4)), ("E", 2));
    assert_eq!(describe(&names::T::layer(4)), ("T", 2));
    assert_eq!(describe(&names::Piece::layer(4)), ("Piece", 2));
    assert_eq!(describe(&names::Raw::layer(4)), ("Raw", 2));
    assert_eq!(describe(&Names::layer(4)), ("Names", 6));
    assert_eq!(describe(&Fields::layer(4)), ("Fields", 2));
    assert_eq!(Fields { field: 3 }.field, 3);
}

#[test]
fn a_struct_may_stand_in_a_function() {
    #[::renamed::dynamic_activation(k = 2, share = "none", crate = ::renamed)]
    struct Local;
    ::std::assert_eq!(describe(&Local::layer(4)), ("Local", 2));
}

#[test]
fn a_macro_by_example_may_write_the_attribute() {
    declare!(Declared, 2, "spatial", |x, a| a * x, -1.0);
    ::std::assert_eq!(describe(&Declared::layer(4)), ("Declared", 1));
}

/// The coefficients keep their names without `r#`, and lists become constants.
#[test]
fn constants_arrive() {
    use ::renamed::{DynamicActivation, PerPiece};
    use ::std::{assert, assert_eq, matches};
    assert_eq!(Names::COEFFICIENTS[5].name, "type");
    assert!(matches!(
        shadowed::Custom::COEFFICIENTS[0].init,
        PerPiece::Each([_, -2.0, 1e300])
    ));
    assert_eq!(
        [shadowed::Custom::HOMOGENEOUS, shadowed::Affine::HOMOGENEOUS],
        [false, true]
    );
}

/// The traits in scope do not change the arithmetic.
#[test]
fn methods_of_other_traits_are_not_called() {
    use ::renamed::Piece;
    use ::std::assert;
    let equal = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    let check = |x: f64, a: f64, value: f64, dx: f64, da: f64| {
        equal(<blanket::Blanket as Piece<1>>::value(x, [a]), value);
        let grad = <blanket::Blanket as Piece<1>>::grad(x, [a]);
        equal(grad.x, dx);
        equal(grad.coefficients[0], da);
    };
    // t = 1, u = a − t = 2: (a − eˣ − a x)² with derivatives −2 u (eˣ + a) and 2 u (1 − x).
    check(0.0, 3.0, 4.0, -16.0, 4.0);
    // t = 1, u = −4: 2 a.
    check(0.0, -3.0, -6.0, 0.0, 2.0);
    // t = e + 3, u = t: t² with derivatives 2 t (eˣ + a) and 2 t x.
    let t = 1_f64.exp() + 3.0;
    check(1.0, 3.0, t * t, 2.0 * t * t, 2.0 * t);
    // u = x.
    check(0.0, 1.0, 2.0, 0.0, 2.0);
}

#[test]
fn expressions_of_a_macro_by_example_are_arguments() {
    use ::renamed::{DynamicActivation, PerPiece, Source};
    use ::std::{assert, matches};
    declare_from_expressions!(Expressions, tanh, [1.0, -1.0], -0.5, 2.0);
    let [a, b] = Expressions::COEFFICIENTS else {
        ::std::panic!("two coefficients")
    };
    assert!(matches!(a.init, PerPiece::Each([1.0, -1.0])));
    assert!(matches!(b.init, PerPiece::Same(-0.5)));
    let Source::Dynamic { lambda, .. } = a.source else {
        ::std::panic!("dynamic")
    };
    assert!(matches!(lambda, PerPiece::Same(2.0)));
}
