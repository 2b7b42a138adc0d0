//! Exports a layer, and prints the graph: `cargo run -p dyrelu-onnx --example export [FILE]`.
//!
//! Then, in Python with the packages `onnxruntime` and `numpy`, for batches and images of any size:
//!
//! ```python
//! session = onnxruntime.InferenceSession("act.onnx")
//! [y] = session.run(["y"], {"x": numpy.ones((2, 64, 28, 28), numpy.float32)})
//! ```

use dyrelu::gallery::DyReluB;
use dyrelu_onnx::Graph;
use std::env;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os()
        .nth(1)
        .map_or_else(|| env::temp_dir().join("act.onnx"), PathBuf::from);

    // A trained one comes from `Layer::<DyReluB, f32>::load_safetensors`.
    let act = DyReluB::layer::<f32>(64).reduction(8).seed(7).build()?;

    let graph = Graph::new(&act, 4)?;
    print!("{graph}");
    graph.save(&file)?;
    println!("wrote {}", file.display());
    Ok(())
}
