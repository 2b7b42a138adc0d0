//! The generated gradients against dual numbers: the generated `value`, run on numbers that carry a derivative.

mod common;

use common::random_vec;
use dyrelu::{Elementwise, Piece, dynamic_activation};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number and its derivative with respect to one variable.
#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    slope: f64,
}

impl Dual {
    /// f(self), for the value of f and its derivative there.
    fn chain(self, value: f64, derivative: f64) -> Self {
        Self {
            value,
            slope: derivative * self.slope,
        }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
        }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            slope: self.slope * other.value + self.value * other.slope,
        }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self {
            value,
            slope: (self.slope - value * other.slope) / other.value,
        }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        self.chain(-self.value, -1.0)
    }
}

impl Elementwise for Dual {
    type Mask = bool;

    fn lift(&self, value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
    fn gt(&self, other: &Self) -> bool {
        self.value > other.value
    }
    fn ge(&self, other: &Self) -> bool {
        self.value >= other.value
    }
    fn select(mask: bool, if_true: Self, if_false: Self) -> Self {
        if mask { if_true } else { if_false }
    }
    fn exp(self) -> Self {
        self.chain(self.value.exp(), self.value.exp())
    }
    fn ln(self) -> Self {
        self.chain(self.value.ln(), 1.0 / self.value)
    }
    fn sqrt(self) -> Self {
        self.chain(self.value.sqrt(), 0.5 / self.value.sqrt())
    }
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), 1.0 / (1.0 + self.value))
    }
}

/// Compares `grad` with one dual evaluation for each variable, at random points.
fn check<A: Piece<P>, const P: usize>(name: &str) {
    for seed in 0..500 {
        let numbers = random_vec::<f64>(P + 1, seed);
        let (x, coefficients) = (numbers[P], std::array::from_fn(|p| numbers[p]));
        let grad = A::grad(x, coefficients);
        let expected = (0..=P).map(|variable| {
            let seed = |i: usize| if i == variable { 1.0 } else { 0.0 };
            let coefficient = |p: usize| Dual {
                value: coefficients[p],
                slope: seed(p),
            };
            A::value(
                Dual {
                    value: x,
                    slope: seed(P),
                },
                std::array::from_fn(coefficient),
            )
        });
        let found = grad.coefficients.into_iter().chain([grad.x]);
        for (variable, (found, Dual { value, slope })) in found.zip(expected).enumerate() {
            assert!(
                (value - A::value(x, coefficients)).abs() <= 1e-13 * (1.0 + value.abs()),
                "{name}: value"
            );
            assert!(
                (found - slope).abs() <= 1e-11 * (1.0 + slope.abs()),
                "{name}: derivative {variable} at x = {x}, {coefficients:?} is {found}, expected {slope}"
            );
        }
    }
}

macro_rules! pieces {
    ($($name:ident $p:tt: init($($init:tt)*), $piece:expr;)*) => {$(
        #[test]
        fn $name() {
            #[dynamic_activation(k = 1, share = "spatial", init($($init)*), piece = $piece)]
            struct Activation;
            check::<Activation, $p>(stringify!($name));
        }
    )*};
}

pieces! {
    affine 2: init(a = 1.0, b = 0.0), |x, a, b| a * x + b;
    swish 2: init(a = 1.0, b = 1.0), |x, a, b| a * x * sigmoid(b * x);
    acon_c 3: init(p = 1.0, q = 0.0, b = 1.0), |x, p, q, b| (p - q) * x * sigmoid(b * (p - q) * x) + q * x;
    elu 3: init(a = 1.0, b = 1.0, t = 0.0), |x, a, b, t| if x > t { a * (x - t) } else { b * exp_m1(x - t) };
    mish 1: init(a = 1.0), |x, a| a * x * tanh(softplus(x));
    prelu 1: init(a = 0.25), |x, a| max(x, 0.0) + a * min(x, 0.0);
    hard_swish 2: init(a = 1.0, b = 3.0), |x, a, b| a * x * clamp(x + b, 0.0, 6.0) / 6.0;
    softsign 1: init(a = 1.0), |x, a| { let u = a * x; u / (1.0 + abs(u)) };
    gaussian 2: init(a = 1.0, b = 1.0), |x, a, b| a * exp(-(x - b) * (x - b));
    snake 1: init(a = 1.0), |x, a| x + powi(sin(a * x), 2) / (a * a + 0.1);
    rational 3: init(a = 1.0, b = 1.0, c = 1.0), |x, a, b, c| (a * x + b * powi(x, 3)) / (1.0 + c * c * x * x);
    root 2: init(a = 1.0, b = 1.0), |x, a, b| a * sqrt(x * x + b * b + 0.5) - ln(1.5 + cos(b * x));
    reciprocal 2: init(a = 1.0, b = 1.0), |x, a, b| a * recip(3.0 + x) + ln_1p(b * b) * powi(3.0 - x, -3);
    steps 2: init(a = 1.0, b = 1.0), |x, a, b| a * sign(x) * x + relu(b - x) * (x - 0.5).tan().tanh();
    nested 3: init(a = 1.0, b = 1.0, c = 1.0), |x, a, b, c| {
        let u = if x < 0.0 && a > b || !(c <= 0.3) { a * x } else if x == b { b } else { c * x * x };
        let u = max(min(u, a), -b) + u;
        u * c
    };
    shared 2: init(a = 1.0, b = 1.0), |x, a, b| {
        let u = tanh(a * x + b);
        let v = u * u + exp(u);
        v / (1.0 + v)
    };
}
