//! The environment variable `DYRELU_LEVEL`: other tests pass unchanged at every instruction set of this machine.

mod common;

use common::random_vec;
use dyrelu::kernels::{levels, pool};
use dyrelu::{Error, dynamic_activation};
use ndarray::ArrayView2;
use std::env;
use std::path::Path;
use std::process::{Command, Output};

const VARIABLE: &str = "DYRELU_LEVEL";

/// The test files that use layers. (`kernels` runs at all levels by itself.)
const TESTS: [&str; 7] = [
    "golden",
    "gradients",
    "properties",
    "shapes",
    "checkpoints",
    "gallery",
    "language_layers",
];

#[dynamic_activation(k = 2, share = "spatial")]
struct DyReluB;

/// Fails with the output of a command that failed.
#[track_caller]
fn assert_success(
    what: &str,
    Output {
        status,
        stdout,
        stderr,
    }: &Output,
) {
    assert!(
        status.success(),
        "{what}: {status}\n{}\n{}",
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    );
}

/// Runs a test of this file at a level.
fn run_here(test: &str, level: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored"])
        .env(VARIABLE, level)
        .output()
        .unwrap()
}

/// The best level is that of the tests themselves.
#[test]
fn tests_pass_at_every_lower_level() {
    let levels = levels();
    let (_, lower) = levels.split_last().unwrap();
    // target/debug/deps/levels-…: the folder is named after the profile, except for the default one.
    let program = env::current_exe().unwrap();
    let profile = program.ancestors().nth(2).and_then(Path::file_name).unwrap();
    for (level, _) in lower {
        let mut command = Command::new(env!("CARGO"));
        // As in all documents, or else dependencies would be built with other features.
        command.args(["test", "--workspace"]);
        if profile != "debug" {
            command.arg("--profile").arg(profile);
        }
        for test in TESTS {
            command.args(["--test", test]);
        }
        // What cargo tells a test of its package. Build scripts of dependencies that look at it would run again, and what
        // they are for would be compiled again.
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"];
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if of_package.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        let output = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env(VARIABLE, level)
            .output()
            .unwrap();
        assert_success(level, &output);
    }
}

#[test]
fn layers_use_the_level_that_is_named() {
    for (level, _) in levels() {
        assert_success(level, &run_here("a_layer_uses_the_level", level));
    }
}

/// Means are sums over the lanes of a level: they differ from level to level.
#[test]
fn a_layer_uses_the_level() {
    let name = env::var(VARIABLE).ok();
    let level = levels()
        .into_iter()
        .rfind(|(level, _)| name.as_ref().is_none_or(|name| name == level));
    let (_, level) = level.unwrap();

    let x = random_vec::<f32>(5 * 1009, 1);
    let mut expected = [0.0; 5];
    pool::forward(level, 1009, &x, &mut expected);

    let layer = DyReluB::layer::<f32>(5).build().unwrap();
    let x = ArrayView2::from_shape((5, 1009), &x)
        .unwrap()
        .insert_axis(ndarray::Axis(0));
    let (_, cache) = layer.forward_train(&x).unwrap();
    assert_eq!(cache.pooled().as_slice().unwrap(), expected);
}

#[test]
fn a_level_that_this_machine_does_not_have_is_an_error() {
    for level in ["", "AVX2", "fast", "neon128"] {
        assert_success(level, &run_here("no_layer_is_made", level));
    }
}

#[test]
#[ignore = "needs a variable that names no level"]
fn no_layer_is_made() {
    let found = env::var(VARIABLE).unwrap();
    let error = DyReluB::layer::<f32>(5).build().unwrap_err();
    assert!(
        matches!(error, Error::Option { option: VARIABLE, .. }),
        "{error:?}"
    );
    let names: Vec<_> = levels().iter().map(|(name, _)| format!("`{name}`")).collect();
    assert_eq!(
        error.to_string(),
        format!(
            "expected DYRELU_LEVEL to be one of {} on this machine, found `{found}`",
            names.join(", ")
        )
    );
}
