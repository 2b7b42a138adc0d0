//! Without the feature `rayon` a layer gives the same bits.

mod common;

use common::{channels_last, random, randomise};
use dyrelu::{DynamicActivation, Scalar, dynamic_activation};
use std::env;
use std::path::Path;
use std::process::Command;

#[dynamic_activation(k = 2, share = "spatial+channel")]
struct DyReluA;
#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;
#[dynamic_activation(k = 2, share = "none")]
struct DyReluC;

/// A number that depends on every bit of outputs and gradients.
#[derive(Default)]
struct Digest(u64);

impl Digest {
    fn add<T: Scalar>(&mut self, value: T) {
        // The step of FNV-1a, on whole numbers.
        self.0 = (self.0 ^ value.to_f64().to_bits())
            .wrapping_mul(0x100_0000_01b3)
            .rotate_left(32);
    }

    fn add_layers<A: DynamicActivation, T: Scalar>(&mut self) {
        for shape in [&[3, 9, 31, 29][..], &[1, 5, 171, 157], &[5, 7, 63, 61]] {
            let mut layer = A::layer::<T>(shape[1]).build().unwrap();
            randomise(&mut layer, 1);
            let x = random(shape, 2);
            for x in [channels_last(&x), x] {
                let (y, cache) = layer.forward_train(&x).unwrap();
                let grads = layer.backward(&x, &cache, &y).unwrap();
                y.iter().chain(&grads.x).for_each(|&value| self.add(value));
                for (_, grad) in grads.parameters() {
                    grad.iter().for_each(|&value| self.add(value));
                }
            }
        }
    }
}

/// The line that the other program prints.
fn digest(rayon: bool) -> String {
    let mut digest = Digest::default();
    digest.add_layers::<DyReluA, f32>();
    digest.add_layers::<DyReluB, f32>();
    digest.add_layers::<DyReluC, f32>();
    digest.add_layers::<DyReluA, f64>();
    digest.add_layers::<DyReluB, f64>();
    digest.add_layers::<DyReluC, f64>();
    format!("digest {:016x}, rayon: {rayon}", digest.0)
}

#[test]
#[ignore = "for the other test"]
fn print_the_digest() {
    println!("{}", digest(cfg!(feature = "rayon")));
}

#[test]
fn a_layer_without_the_feature_rayon_gives_the_same_bits() {
    let program = env::current_exe().unwrap();
    let profile = program.ancestors().nth(2).and_then(Path::file_name).unwrap();
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "test",
        "--workspace",
        "--no-default-features",
        "--test",
        "features",
    ]);
    if profile != "debug" {
        command.arg("--profile").arg(profile);
    }
    let output = command
        .args(["--", "--exact", "print_the_digest", "--ignored", "--nocapture"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let expected = digest(false);
    assert!(
        output.status.success() && text.contains(&expected),
        "expected {expected}, found\n{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
