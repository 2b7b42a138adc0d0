//! A training step: forward, backward, update. Two hundred of them teach a layer a rule.
//!
//! The rule is |x| for bright samples and −|x| for dark ones: no fixed activation can follow it, because the
//! same x has different outputs.
//!
//! `cargo run --example 03_training_step`

use dyrelu::{Error, dynamic_activation};
use ndarray::{Array1, Array2, s};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A line with a bend at zero: up for a positive b, down for a negative one.
#[dynamic_activation(
    k = 1, share = "spatial+channel", piece = |x, a, b| a * x + b * abs(x), init(a = 0.0, b = 0.0), lambda(b = 2.0)
)]
struct Bend;

fn main() -> Result<(), Error> {
    let mut act = Bend::layer::<f32>(16).hidden(8).seed(3).build()?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for step in 0..=200 {
        // 32 samples around a brightness of +1 or −1.
        let brightness = Array2::from_shape_simple_fn((32, 1), || if rng.random() { 1.0 } else { -1.0 });
        let x = Array2::from_shape_simple_fn((32, 16), || rng.random_range(-2.0..2.0)) + &brightness;
        let target = x.mapv(f32::abs) * &brightness;

        let (y, cache) = act.forward_train(&x)?;
        let error = &y - &target;
        let loss = error.mapv(|e| e * e).mean().unwrap_or_default();
        let grad_y = &error * (2.0 / 512.0);
        let grads = act.backward(&x, &cache, &grad_y)?;
        for ((_, mut parameter), (_, grad)) in act.parameters_mut().zip(grads.parameters()) {
            parameter.scaled_add(-0.1, &grad);
        }

        if step % 40 == 0 {
            let b = cache.coefficients().slice_move(s![.., 0, 1, 0]);
            let [bright, dark] = [1.0, -1.0].map(|sign| {
                let chosen: Array1<f32> = b
                    .iter()
                    .zip(&brightness)
                    .filter(|(_, s)| **s * sign > 0.0)
                    .map(|(b, _)| *b)
                    .collect();
                chosen.mean().unwrap_or_default()
            });
            println!(
                "step {step:3}: loss {loss:6.3}, mean b {bright:+.2} for bright and {dark:+.2} for dark samples"
            );
        }
    }
    Ok(())
}
