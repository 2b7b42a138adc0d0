//! A first layer: declare an activation, build its layer, apply it.
//!
//! `cargo run --example 01_first_layer`

use dyrelu::{Error, dynamic_activation};
use ndarray::{Array3, s};

/// DY-ReLU-B of the paper: y = max(a¹x + b¹, a²x + b²), with coefficients for each sample and channel.
#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;

fn main() -> Result<(), Error> {
    let act = DyReluB::layer::<f32>(4).hidden(4).seed(8).build()?;
    println!("{act:?}\n");

    // Two samples of four channels and five positions. The second is the first one, 2 higher.
    let x = Array3::from_shape_fn((2, 4, 5), |(n, _, s)| s as f32 - 2.0 + 2.0 * n as f32);
    let (y, cache) = act.forward_train(&x)?;

    for sample in 0..2 {
        println!("sample {sample}, channel 0:");
        println!("  x = {:6.2}", x.slice(s![sample, 0, ..]));
        let coefficients = cache.coefficients();
        for k in 0..2 {
            let [a, b] = [0, 1].map(|p| coefficients[[sample, 0, p, k]]);
            println!("  piece {k}: {a:5.2} x {b:+5.2}");
        }
        println!("  y = {:6.2}\n", y.slice(s![sample, 0, ..]));
    }
    println!(
        "The same x = 0 gives {:.3} in one sample and {:.3} in the other:",
        y[[0, 0, 2]],
        y[[1, 0, 0]]
    );
    println!("the function follows from the whole input.");
    Ok(())
}
