//! The three sharing modes: who has coefficients of its own?
//!
//! `cargo run --example 02_sharing_modes`

use dyrelu::{DynamicActivation, Error, dynamic_activation};
use ndarray::Array4;

/// One function for all channels and positions of a sample.
#[dynamic_activation(k = 2, share = "spatial+channel")]
struct DyReluA;

/// One function for each channel.
#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;

/// One function for each channel, scaled at each position by a spatial attention.
#[dynamic_activation(k = 2, share = "none")]
struct DyReluC;

fn describe<A: DynamicActivation>(x: &Array4<f32>) -> Result<(), Error> {
    let act = A::layer::<f32>(x.shape()[1]).reduction(8).build()?;
    let (_, cache) = act.forward_train(x)?;
    println!("{}", A::NAME);
    println!(
        "  coefficients [N, C or 1, P, K]: {:?}",
        cache.coefficients().shape()
    );
    match cache.attention() {
        Some(attention) => println!("  attention [N, H·W]:             {:?}", attention.shape()),
        None => println!("  attention:                      none"),
    }
    println!("  parameters:                     {}", act.parameter_count());
    for (name, value) in act.parameters() {
        println!("    {name:16} {:?}", value.shape());
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let x = Array4::from_shape_fn((2, 64, 14, 14), |(n, c, h, w)| ((n + c * h * w) as f32).sin());
    println!("x [N, C, H, W]: {:?}\n", x.shape());
    describe::<DyReluA>(&x)?;
    describe::<DyReluB>(&x)?;
    describe::<DyReluC>(&x)
}
