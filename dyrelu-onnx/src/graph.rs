//! [`Graph`]: a layer as a graph of standard ONNX operators.

use crate::attention::attention;
use crate::coefficients::coefficients;
use crate::context::context;
use crate::expression::Expression;
use crate::proto::{Dimension, Entry, Length, Model, OperatorSet, Shape, TensorType, Type, ValueInfo};
use crate::recorder::{Recorder, dimensions};
use crate::text::Text;
use crate::{Error, proto};
use core::fmt;
use dyrelu_core::kernels::neighbours;
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::{DynamicActivation, Layer, Scalar, replace_file};
use prost::Message;
use std::path::Path;

/// The version of the standard operators: the last in which the axes of all reductions but sums are attributes, so that
/// also runtimes from before know the operators. It came with ONNX 1.12, of 2022.
const OPERATOR_SET: i64 = 17;

/// The version of the file format of ONNX 1.12.
const IR_VERSION: i64 = 8;

/// A [`Layer`] as a graph of standard ONNX operators, for inference.
///
/// | | name | shape |
/// |---|---|---|
/// | input | `x` | `[N, C, D2, D3, ...]` |
/// | input, with an external context only | `context` | `[N, M, context_D2, ...]` |
/// | output | `y` | as x |
/// | initializers | those of the [parameters](Layer#parameters), and `constant…` | |
///
/// C and M are fixed, all other lengths are free: one file is for batches and images of any size. The rank is chosen
/// when the graph is made. The formula is written down by running it, so it is what the layer computes, operation by
/// operation, with the number type of the layer.
///
/// An initializer has the values of its parameter in their order, and axes of length 1 where operators need them.
/// Parameters that no output depends on are left out: those of the attention of mode C at rank 2, where the softmax
/// over the only position is 1. Scores of a normalised attention are normalised by its running statistics: in single precision by
/// the operator for that, with initializers `attention.norm.running_mean` and `attention.norm.running_var`, in double precision
/// by two constants.
///
/// Special numbers, ties and spatial axes of length 0 are left to the runtime's operators.
///
/// # Example
///
/// ```
/// use dyrelu::dynamic_activation;
/// use dyrelu_onnx::Graph;
///
/// #[dynamic_activation(k = 2, share = "spatial")]
/// struct DyReluB;
///
/// let act = DyReluB::layer::<f32>(64).reduction(8).build()?;
/// let graph = Graph::new(&act, 4)?;
/// println!("{graph}");
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("act.onnx");
/// graph.save(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    model: Model,
    /// How many of the initializers are parameters. Constants come after them.
    parameters: usize,
}

impl Graph {
    /// The graph of a layer for inputs of this rank, from 2.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for a rank below 2; [`Error::Context`] when the activation has an external context, see
    /// [`with_context`](Self::with_context).
    pub fn new<A: DynamicActivation, T: Scalar>(layer: &Layer<A, T>, rank: usize) -> Result<Self, Error> {
        if layer.bare().is_err() {
            return Err(Error::Context {
                expected: "a rank of the context beside that of x: call `with_context`",
                found: "none",
            });
        }
        Self::of(layer, rank, None)
    }

    /// The graph of a layer of an activation with `hyper(context = "external")`, for contexts of this rank, from 2.
    ///
    /// # Errors
    ///
    /// [`Error::Rank`] for a rank below 2; [`Error::Context`] when the activation has no external context.
    pub fn with_context<A: DynamicActivation, T: Scalar>(
        layer: &Layer<A, T>,
        rank: usize,
        context_rank: usize,
    ) -> Result<Self, Error> {
        if layer.bare().is_ok() {
            return Err(Error::Context {
                expected: "no context: only `hyper(context = \"external\")` has one",
                found: "a rank of the context",
            });
        }
        Self::of(layer, rank, Some(context_rank))
    }

    fn of<A: DynamicActivation, T: Scalar>(
        layer: &Layer<A, T>,
        rank: usize,
        context_rank: Option<usize>,
    ) -> Result<Self, Error> {
        for (array, rank) in [("x", Some(rank)), ("context", context_rank)] {
            if let Some(found @ ..2) = rank {
                return Err(Error::Rank { array, found });
            }
        }
        let recorder = Recorder::new::<T>(&["x", "context", "y"], layer.parameters().map(|(name, _)| name));
        let data_type = recorder.data_type;
        let context = context::<A>(&recorder, rank, context_rank.unwrap_or(rank));
        let y = output(&recorder, layer, context.as_deref(), rank).into_value(&recorder);
        let parts = recorder.finish(&y);

        let x = |name| value_info(name, data_type, layer.channels(), rank, "");
        let mut input = vec![x("x")];
        if let Some(rank) = context_rank {
            input.push(value_info("context", data_type, layer.inputs(), rank, "context_"));
        }
        let parameters = parts.parameters.len();
        let graph = proto::Graph {
            node: parts.nodes,
            name: A::NAME.to_owned(),
            initializer: [parts.parameters, parts.constants].concat(),
            input,
            output: vec![x("y")],
        };
        Ok(Self {
            model: model(A::NAME, graph),
            parameters,
        })
    }

    /// The bytes of an `.onnx` file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.model.encode_to_vec()
    }

    /// Writes an `.onnx` file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::File`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        replace_file(path, &self.to_bytes()).map_err(|cause| Error::File {
            path: path.to_owned(),
            cause,
        })
    }
}

/// Inputs, outputs, parameters and nodes, a line for each; constants stand where they are used.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.model.graph.as_ref().expect("a model has a graph");
        Text {
            graph,
            parameters: self.parameters,
        }
        .fmt(f)
    }
}

/// y, or what broadcasts to it.
fn output<'g, A: DynamicActivation, T: Scalar>(
    recorder: &'g Recorder,
    layer: &Layer<A, T>,
    context: Option<&str>,
    rank: usize,
) -> Expression<'g> {
    let coefficients = coefficients(recorder, layer, context, rank);
    let neighbours = neighbours(recorder, layer);
    let attention = attention(recorder, layer, rank);
    // π · piece(x, c) = piece(x, π · c) for a homogeneous piece.
    let (inner, outer) = if A::HOMOGENEOUS {
        (None, attention)
    } else {
        (attention, None)
    };
    let x = Expression::new(recorder, "x".to_owned(), [true; 3]);
    let y = A::Pieces::value(x, |k, p| match (coefficients.get(p), &inner) {
        (Some(pieces), None) => pieces[k].clone(),
        (Some(pieces), Some(attention)) => pieces[k].clone() * attention.clone(),
        (None, _) => neighbours[p - coefficients.len()].clone(),
    });
    match outer {
        Some(attention) => y * attention,
        None => y,
    }
}

/// The channel-shifted copies of x that a piece sees.
fn neighbours<'g, A: DynamicActivation, T: Scalar>(
    recorder: &'g Recorder,
    layer: &Layer<A, T>,
) -> Vec<Expression<'g>> {
    let channels = layer.channels();
    let sources = neighbours::sources(A::NEIGHBOURS, channels, layer.groups());
    let copies = A::NEIGHBOURS.iter().zip(sources.chunks_exact(channels));
    let copies = copies.map(|(neighbour, sources)| {
        let sources = recorder.integers(sources);
        let axis = vec![proto::Attribute::int("axis", 1)];
        let copy = recorder.node(neighbour.name, "Gather", &["x", &sources], axis);
        Expression::new(recorder, copy, [true; 3])
    });
    copies.collect()
}

/// `[N, channels, D2, D3, ...]`.
fn value_info(name: &str, data_type: i32, channels: usize, rank: usize, prefix: &str) -> ValueInfo {
    let length = |axis: usize| match axis {
        0 => Length::Dynamic("N".to_owned()),
        1 => Length::Fixed(dimensions(&[channels])[0]),
        _ => Length::Dynamic(format!("{prefix}D{axis}")),
    };
    let dim = (0..rank)
        .map(|axis| Dimension {
            value: Some(length(axis)),
        })
        .collect();
    let tensor_type = TensorType {
        elem_type: data_type,
        shape: Some(Shape { dim }),
    };
    ValueInfo {
        name: name.to_owned(),
        r#type: Some(Type {
            tensor_type: Some(tensor_type),
        }),
    }
}

fn model(activation: &str, graph: proto::Graph) -> Model {
    Model {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!("The dynamic activation {activation}."),
        graph: Some(graph),
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
        metadata_props: vec![Entry {
            key: "activation".to_owned(),
            value: activation.to_owned(),
        }],
    }
}
