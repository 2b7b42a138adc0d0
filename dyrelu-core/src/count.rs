//! [`Counter`]: how many multiplications a formula has.

use crate::{Elementwise, Piece};
use core::cell::Cell;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// The multiplications of a piece's value, with or without an addition; a division is one too. A function such as `exp`
/// counts as none, like additions and comparisons.
pub(crate) fn multiplications<A: Piece<P>, const P: usize>() -> usize {
    let count = Cell::new(0);
    let number = Counter(&count);
    A::value(number, [number; P]);
    count.get()
}

/// A number without a value, which counts what is done to it.
#[derive(Debug, Clone, Copy)]
struct Counter<'a>(&'a Cell<usize>);

impl Counter<'_> {
    fn counted(self) -> Self {
        self.0.set(self.0.get() + 1);
        self
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $result:ident;)*) => {$(
        impl $trait for Counter<'_> {
            type Output = Self;

            fn $method(self, _: Self) -> Self {
                self.$result()
            }
        }
    )*};
}

operators! {
    Add add clone;
    Sub sub clone;
    Mul mul counted;
    Div div counted;
}

impl Neg for Counter<'_> {
    type Output = Self;

    fn neg(self) -> Self {
        self
    }
}

macro_rules! functions {
    ($($function:ident)*) => {$(
        fn $function(self) -> Self {
            self
        }
    )*};
}

impl Elementwise for Counter<'_> {
    type Mask = bool;

    fn lift(&self, _: f64) -> Self {
        *self
    }

    fn gt(&self, _: &Self) -> bool {
        false
    }

    fn ge(&self, _: &Self) -> bool {
        false
    }

    fn select(_: bool, if_true: Self, _: Self) -> Self {
        if_true
    }

    // Also those whose default has multiplications: a function is one thing, however it is computed.
    functions! { exp ln sqrt sin cos exp_m1 ln_1p tanh sigmoid softplus }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::piece::piece;

    piece!(Affine, 2, |x, c| {
        let [a, b] = c;
        a.mul_add(x, b)
    });
    piece!(Swish, 3, |x, c| {
        let [a, b, c] = c;
        a * x.clone() * (b * x).sigmoid() + c
    });
    piece!(Shared, 1, |x, c| {
        let [a] = c;
        let product = a * x;
        product.clone() * product
    });
    piece!(Powers, 1, |x, c| {
        let [a] = c;
        x.clone().powi(3) / a.abs() + x.recip().tanh()
    });
    piece!(Relu, 0, |x, c| {
        let [] = c;
        x.relu()
    });

    #[test]
    fn every_multiplication_counts_once() {
        assert_eq!(multiplications::<Affine, 2>(), 1);
        assert_eq!(multiplications::<Swish, 3>(), 3);
        assert_eq!(multiplications::<Shared, 1>(), 2);
        assert_eq!(multiplications::<Powers, 1>(), 4);
        assert_eq!(multiplications::<Relu, 0>(), 0);
    }
}
