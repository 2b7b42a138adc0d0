//! [`Files`]: exported graphs, with inputs and outputs of their layers, for `check.py`.

#[path = "../cases/mod.rs"]
mod cases;

use cases::{Case, Pass, Visitor};
use dyrelu::safetensors::{self, tensor::TensorView};
use dyrelu::{DynamicActivation, Scalar};
use ndarray::ArrayD;
use std::path::PathBuf;
use std::{env, fs};

/// Writes `<case>.<rank>.onnx`, and `<case>.<rank>.safetensors` with `0.x`, `0.y`, `1.x`, `1.y` and contexts.
struct Files {
    directory: PathBuf,
}

impl Visitor for Files {
    fn visit<A: DynamicActivation, T: Scalar>(&mut self, case: &Case<A, T>) {
        for rank in 2..=5 {
            let path = |extension| self.directory.join(format!("{}.{rank}.{extension}", case.name));
            case.graph(rank).unwrap().save(path("onnx")).unwrap();
            fs::write(path("safetensors"), tensors(&case.passes(rank))).unwrap();
        }
    }
}

fn tensors<T: Scalar>(passes: &[Pass<T>]) -> Vec<u8> {
    let passes = passes.iter().enumerate();
    let arrays: Vec<_> = passes
        .flat_map(|(i, Pass { inputs, y })| {
            let inputs = inputs.iter().map(|(name, array)| (*name, array));
            inputs
                .chain([("y", y)])
                .map(move |(name, array)| (format!("{i}.{name}"), array.shape(), bytes(array)))
        })
        .collect();
    let views = arrays.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(T::DTYPE, shape.to_vec(), bytes).unwrap();
        (name, view)
    });
    safetensors::serialize(views, None).unwrap()
}

fn bytes<T: Scalar>(array: &ArrayD<T>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in array {
        value.write_le(&mut bytes);
    }
    bytes
}

fn write_all<T: Scalar>(directory: PathBuf) {
    fs::create_dir_all(&directory).unwrap();
    let files = &mut Files { directory };
    cases::dynamic_relu::<T>(files);
    cases::gallery::<T>(files);
    cases::language::<T>(files);
}

fn main() {
    let directory = PathBuf::from(env::args_os().nth(1).expect("expected a directory to write to"));
    write_all::<f32>(directory.join("f32"));
    write_all::<f64>(directory.join("f64"));
}
