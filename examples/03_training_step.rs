//! A training step: forward, backward, update. Two hundred of them teach a layer a rule.
//!
//! The rule is |x| for bright samples and −|x| for dark ones: no fixed activation can follow it, because the
//! same x has different outputs.
//!
//! `cargo run --example 03_training_step`

use dyrelu::{Error, dynamic_activation};
use ndarray::{Array2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A sum can be convex or concave; a maximum is always convex.
#[dynamic_activation(
    k = 1, share = "spatial+channel", piece = |x, a, b| a * x + b * abs(x), init(a = 1.0, b = 0.0), lambda(a = 1.0, b = 2.0)
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
            parameter.scaled_add(-0.3, &grad);
        }

        if step % 40 == 0 {
            let b = cache
                .coefficients()
                .index_axis_move(Axis(2), 1)
                .into_shape_with_order(32)
                .expect("one b");
            let mean = |sign: f32| {
                let of_sign = b
                    .iter()
                    .zip(&brightness)
                    .filter(|(_, s)| **s == sign)
                    .map(|(b, _)| *b);
                let values: Vec<f32> = of_sign.collect();
                #[expect(clippy::cast_precision_loss, reason = "at most 32")]
                let count = values.len() as f32;
                values.iter().sum::<f32>() / count
            };
            println!(
                "step {step:3}: loss {loss:6.3}, mean b {:+.2} bright, {:+.2} dark",
                mean(1.0),
                mean(-1.0)
            );
        }
    }
    Ok(())
}
