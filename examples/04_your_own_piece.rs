//! Your own piece: a formula, and its derivative comes by itself.
//!
//! `cargo run --example 04_your_own_piece`

use dyrelu::{Elementwise, Error, Piece, dynamic_activation};
use ndarray::Array4;

/// A dynamic ELU with a threshold: linear above t, saturating below.
#[dynamic_activation(
    k = 2,
    share = "spatial",
    piece = |x, a, b, t| {
        let u = x - t;
        if u > 0.0 { a * u } else { b * (exp(u) - 1.0) }
    },
    init(a = [1.0, 0.0], b = [1.0, 0.0], t = 0.0),
    lambda(t = 0.5),
)]
struct DynamicElu;

fn main() -> Result<(), Error> {
    // The piece and its gradient are functions of any number type.
    let coefficients = [1.2, 0.8, 0.25];
    println!("     x   piece   ∂/∂x   by finite differences");
    for step in -4..=4 {
        let x = 0.5 * f64::from(step);
        let value = |x: f64| DynamicElu::value(x, coefficients);
        let difference = (value(x + 1e-6) - value(x - 1e-6)) / 2e-6;
        println!(
            "{x:6.2} {:7.3} {:6.3} {difference:9.3}",
            value(x),
            DynamicElu::grad(x, coefficients).x
        );
    }

    // The layer has the same interface as every other one.
    let act = DynamicElu::layer::<f32>(16).seed(2).build()?;
    let x = Array4::from_shape_fn((1, 16, 7, 7), |(_, c, h, w)| {
        (c as f32 * 0.3 + (h * w) as f32).sin()
    });
    let (y, cache) = act.forward_train(&x)?;
    let grads = act.backward(&x, &cache, &y)?;
    println!("\n{act:?}");
    println!(
        "mean of y {:.4}, of its gradient {:.4}",
        y.mean().unwrap_or_default(),
        grads.x.mean().unwrap_or_default()
    );

    // A type of your own, here one that records the formula.
    println!(
        "\npiece = {}",
        DynamicElu::value(Formula("x".into()), ["a", "b", "t"].map(|c| Formula(c.into()))).0
    );
    Ok(())
}

/// Text instead of numbers: the generated function writes itself down.
#[derive(Clone)]
struct Formula(String);

macro_rules! operator {
    ($($trait:ident $method:ident $symbol:literal)*) => {$(
        impl std::ops::$trait for Formula {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self(format!("({} {} {})", self.0, $symbol, other.0))
            }
        }
    )*};
}
operator!(Add add "+" Sub sub "-" Mul mul "*" Div div "/" BitAnd bitand "&&" BitOr bitor "||");

impl std::ops::Neg for Formula {
    type Output = Self;
    fn neg(self) -> Self {
        Self(format!("-{}", self.0))
    }
}

impl std::ops::Not for Formula {
    type Output = Self;
    fn not(self) -> Self {
        Self(format!("!{}", self.0))
    }
}

impl Elementwise for Formula {
    type Mask = Self;

    fn lift(&self, value: f64) -> Self {
        Self(value.to_string())
    }
    fn gt(&self, other: &Self) -> Self {
        Self(format!("{} > {}", self.0, other.0))
    }
    fn ge(&self, other: &Self) -> Self {
        Self(format!("{} >= {}", self.0, other.0))
    }
    fn select(mask: Self, if_true: Self, if_false: Self) -> Self {
        Self(format!(
            "if {} {{ {} }} else {{ {} }}",
            mask.0, if_true.0, if_false.0
        ))
    }
    fn exp(self) -> Self {
        Self(format!("exp({})", self.0))
    }
    fn ln(self) -> Self {
        Self(format!("ln({})", self.0))
    }
    fn sqrt(self) -> Self {
        Self(format!("sqrt({})", self.0))
    }
    fn sin(self) -> Self {
        Self(format!("sin({})", self.0))
    }
    fn cos(self) -> Self {
        Self(format!("cos({})", self.0))
    }
}
