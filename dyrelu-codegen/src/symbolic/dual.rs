//! [`Dual`]: numbers that carry a derivative, as a second opinion on the symbolic ones.

use core::ops::{Add, Div, Mul, Neg, Sub};

/// A number and its derivative with respect to one parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slope: f64,
}

impl Dual {
    pub(super) fn constant(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }

    pub(super) fn powi(self, n: i32) -> Self {
        let derivative = if n == 0 {
            0.0
        } else {
            f64::from(n) * self.value.powi(n - 1)
        };
        self.chain(self.value.powi(n), derivative)
    }

    /// f(self), from the value of f and its derivative there.
    fn chain(self, value: f64, derivative: f64) -> Self {
        Self {
            value,
            slope: derivative * self.slope,
        }
    }

    /// A function of the table, away from its kinks; its derivative in another form than the table has it.
    pub(super) fn call(name: &str, arguments: &[Self]) -> Self {
        let u = arguments[0];
        let x = u.value;
        match name {
            "exp" => u.chain(x.exp(), x.exp()),
            "exp_m1" => u.chain(x.exp_m1(), x.exp()),
            "ln" => u.chain(x.ln(), x.recip()),
            "ln_1p" => u.chain(x.ln_1p(), (1.0 + x).recip()),
            "sqrt" => u.chain(x.sqrt(), 0.5 * x.powf(-0.5)),
            "sin" => u.chain(x.sin(), x.cos()),
            "cos" => u.chain(x.cos(), -x.sin()),
            "tan" => u.chain(x.tan(), x.cos().powi(-2)),
            "tanh" => u.chain(x.tanh(), x.cosh().powi(-2)),
            "sigmoid" => u.chain(1.0 / (1.0 + (-x).exp()), 0.25 * (0.5 * x).cosh().powi(-2)),
            "softplus" => u.chain(x.max(0.0) + (-x.abs()).exp().ln_1p(), 1.0 / (1.0 + (-x).exp())),
            "abs" => u.chain(x.abs(), x.signum()),
            "sign" => u.chain(if x == 0.0 { 0.0 } else { x.signum() }, 0.0),
            "recip" => u.chain(x.recip(), -x.powi(-2)),
            "relu" => Self::select(x > 0.0, u, Self::constant(0.0)),
            "max" => Self::select(x >= arguments[1].value, u, arguments[1]),
            "min" => Self::select(x <= arguments[1].value, u, arguments[1]),
            "clamp" => Self::call("min", &[Self::call("max", &arguments[..2]), arguments[2]]),
            _ => panic!("`{name}` is new: define it here"),
        }
    }

    pub(super) fn select(first: bool, u: Self, v: Self) -> Self {
        if first { u } else { v }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, v: Self) -> Self {
        Self {
            value: self.value + v.value,
            slope: self.slope + v.slope,
        }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, v: Self) -> Self {
        Self {
            value: self.value - v.value,
            slope: self.slope - v.slope,
        }
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, v: Self) -> Self {
        Self {
            value: self.value * v.value,
            slope: self.slope * v.value + self.value * v.slope,
        }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, v: Self) -> Self {
        let slope = (self.slope * v.value - self.value * v.slope) / (v.value * v.value);
        Self {
            value: self.value / v.value,
            slope,
        }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            value: -self.value,
            slope: -self.slope,
        }
    }
}
