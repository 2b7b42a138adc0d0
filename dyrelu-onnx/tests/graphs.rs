//! Exported graphs, run by another runtime, and their text.

mod cases;

use cases::{B4, C3, CHANNELS, Case, Pass, Visitor};
use dyrelu::gallery::{ApRelu, DyHeadBetween, DyReluA, DyReluB, DyReluC, HardSwish};
use dyrelu::{DynamicActivation, Scalar};
use dyrelu_onnx::{Error, Graph};
use expect_test::{ExpectFile, expect_file};
use rten::{Model, Value};

/// Runs each case at all ranks.
struct Runs;

impl Visitor for Runs {
    fn visit<A: DynamicActivation, T: Scalar>(&mut self, case: &Case<A, T>) {
        check::<A, T, 2>(case);
        check::<A, T, 3>(case);
        check::<A, T, 4>(case);
        check::<A, T, 5>(case);
    }
}

fn check<A: DynamicActivation, T: Scalar, const RANK: usize>(case: &Case<A, T>) {
    let what = format!("{}, rank {RANK}", case.name);
    let bytes = case.graph(RANK).unwrap().to_bytes();
    let model = Model::load(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    for pass in case.passes(RANK) {
        let y = run::<T, RANK>(&model, &pass, &what);
        for (found, expected) in y.iter().zip(&pass.y) {
            let error = (f64::from(*found) - expected.to_f64()).abs();
            assert!(error <= 1e-5, "{what}: {found} instead of {}", expected.to_f64());
        }
    }
}

/// y in single precision, which is all that the runtime has: it reads double precision, and rounds.
fn run<T: Scalar, const RANK: usize>(model: &Model, pass: &Pass<T>, what: &str) -> Vec<f32> {
    let inputs = pass.inputs.iter().map(|(name, array)| {
        let values: Vec<_> = array.iter().map(|value| f32::from_f64(value.to_f64())).collect();
        let value = Value::from_shape(array.shape(), values).unwrap();
        (model.node_id(name).unwrap(), value.into())
    });
    let y = model.node_id("y").unwrap();
    let [y] = model
        .run_n(inputs.collect(), [y], None)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let (shape, y) = y.into_shape_vec::<f32, RANK>().unwrap();
    assert_eq!(shape.as_slice(), pass.y.shape(), "{what}");
    y
}

mod are_what_the_layer_computes {
    use super::{Runs, cases};

    #[test]
    fn for_all_modes_and_numbers_of_pieces() {
        cases::dynamic_relu::<f32>(&mut Runs);
    }

    #[test]
    fn in_double_precision() {
        cases::dynamic_relu::<f64>(&mut Runs);
    }

    #[test]
    fn for_the_gallery() {
        cases::gallery::<f32>(&mut Runs);
    }

    #[test]
    fn for_the_whole_language() {
        cases::language::<f32>(&mut Runs);
    }
}

#[test]
fn the_attention_has_the_options_of_the_layer() {
    let builder = C3::layer::<f32>(CHANNELS)
        .temperature(2.0)
        .average_attention(0.7)
        .cut_off(0.9);
    Runs.visit(&Case::of("C3 with other options", builder));
}

/// The operators of a graph for images, in their order.
fn operators<A: DynamicActivation>() -> Vec<String> {
    let text = Case::<A, f32>::new(A::NAME).graph(4).unwrap().to_string();
    let nodes = text
        .lines()
        .filter_map(|line| line.split_once(" = ")?.1.split_once('('));
    nodes.map(|(operator, _)| operator.to_owned()).collect()
}

#[test]
fn graphs_are_small() {
    assert_eq!(operators::<HardSwish>(), ["Div", "Add", "Clip", "Mul"]);
    // One node for all pieces.
    assert_eq!(
        operators::<B4>()
            .iter()
            .filter(|operator| *operator == "Max")
            .count(),
        1
    );
    // The hyper function and the piece share the halves of x.
    assert_eq!(
        operators::<ApRelu>(),
        [
            "Min",
            "Relu",
            "ReduceMean",
            "ReduceMean",
            "Concat",
            "Gemm",
            "Relu",
            "Gemm",
            "Reshape",
            "Sigmoid",
            "Mul",
            "Add"
        ]
    );
}

fn check_text<A: DynamicActivation>(expected: &ExpectFile) {
    let layer = A::layer::<f32>(64).reduction(8).build().unwrap();
    expected.assert_eq(&Graph::new(&layer, 4).unwrap().to_string());
}

#[test]
fn texts_show_all_modes() {
    check_text::<DyReluA>(&expect_file!["snapshots/a.txt"]);
    check_text::<DyReluB>(&expect_file!["snapshots/b.txt"]);
    check_text::<DyReluC>(&expect_file!["snapshots/c.txt"]);
}

#[test]
fn the_readme_shows_the_text() {
    assert!(include_str!("../README.md").contains(include_str!("snapshots/b.txt")));
}

#[test]
fn ranks_and_contexts_that_do_not_fit_are_errors() {
    let layer = DyReluB::layer::<f32>(CHANNELS).build().unwrap();
    let message = |graph: Result<Graph, Error>| graph.unwrap_err().to_string();
    assert_eq!(
        message(Graph::new(&layer, 1)),
        "expected a rank of x of 2 or more, [N, channels, ...], found 1"
    );
    assert!(matches!(
        Graph::with_context(&layer, 4, 2),
        Err(Error::Context {
            found: "a rank of the context",
            ..
        })
    ));

    let layer = DyHeadBetween::layer::<f32>(CHANNELS).build().unwrap();
    assert_eq!(
        message(Graph::new(&layer, 4)),
        "expected a rank of the context beside that of x: call `with_context`, found none"
    );
    assert_eq!(
        message(Graph::with_context(&layer, 4, 0)),
        "expected a rank of context of 2 or more, [N, channels, ...], found 0"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let layer = DyReluB::layer::<f32>(CHANNELS).build().unwrap();
    let graph = Graph::new(&layer, 4).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("act.onnx");
    graph.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), graph.to_bytes());
    let error = graph.save(directory.path()).unwrap_err();
    assert!(
        matches!(&error, Error::File { path, .. } if path == directory.path()),
        "{error}"
    );
}

#[dyrelu::dynamic_activation(k = 1, share = "spatial", piece = |v, raw, mul, x| raw * v * sigmoid(mul * v) + x, learned(raw = 1.0, mul = 0.5, x = 0.0))]
struct Confusing;

/// Nodes give way to parameters, parameters only to inputs and outputs.
#[test]
fn initializers_are_called_as_their_parameters() {
    let graph = Graph::new(&Confusing::layer::<f32>(4).build().unwrap(), 4)
        .unwrap()
        .to_string();
    for line in [
        "parameter raw [4, 1, 1]",
        "parameter mul [4, 1, 1]",
        "parameter x_1 [4, 1, 1]",
    ] {
        assert!(graph.contains(line), "{graph}");
    }
}
