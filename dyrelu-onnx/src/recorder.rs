//! [`Recorder`]: the nodes and initializers of a graph while it is written.

use crate::proto::{Attribute, Node, Tensor, data_type};
use core::cell::RefCell;
use core::fmt;
use dyrelu_core::{Scalar, safetensors::Dtype};

/// Every step is written down once: who asks for one that is there already gets its outputs.
pub(crate) struct Recorder {
    /// `TensorProto.DataType` of all floating-point values.
    pub(crate) data_type: i32,
    /// Appends a number of that type.
    append: fn(f64, &mut Vec<u8>),
    parts: RefCell<Parts>,
}

/// What was recorded.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parameters: Vec<Tensor>,
    pub(crate) constants: Vec<Tensor>,
    pub(crate) nodes: Vec<Node>,
    names: Vec<String>,
    /// The parameters, and what each is called.
    parameter_names: Vec<(String, String)>,
}

impl Recorder {
    /// Nothing yet, for numbers of type `T`. The names are those of inputs and outputs, then those of parameters: nothing else
    /// will be called so.
    pub(crate) fn new<'a, T: Scalar>(names: &[&'a str], parameters: impl Iterator<Item = &'a str>) -> Self {
        let mut parts = Parts {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            ..Parts::default()
        };
        for name in parameters {
            let fresh = parts.fresh(name);
            parts.parameter_names.push((name.to_owned(), fresh));
        }
        Self {
            data_type: if T::DTYPE == Dtype::F64 {
                data_type::DOUBLE
            } else {
                data_type::FLOAT
            },
            append: |value, bytes| T::from_f64(value).write_le(bytes),
            parts: RefCell::new(parts),
        }
    }

    /// An initializer with the values of a parameter.
    pub(crate) fn parameter(&self, name: &str, dims: &[usize], values: impl Iterator<Item = f64>) -> String {
        let mut tensor = self.numbers(dims, values);
        let parts = &mut *self.parts.borrow_mut();
        let mut names = parts.parameter_names.iter();
        let reserved = names.find_map(|(parameter, fresh)| (parameter == name).then_some(fresh));
        tensor.name = reserved.cloned().unwrap_or_else(|| parts.fresh(name));
        let name = tensor.name.clone();
        parts.parameters.push(tensor);
        name
    }

    /// A constant without axes.
    pub(crate) fn number(&self, value: f64) -> String {
        self.constants(&[], &[value])
    }

    /// A constant of these values.
    pub(crate) fn constants(&self, dims: &[usize], values: &[f64]) -> String {
        self.constant(self.numbers(dims, values.iter().copied()))
    }

    /// A constant list of integers: a shape, axes or indices.
    pub(crate) fn integers(&self, values: &[usize]) -> String {
        self.constant(Tensor {
            dims: dimensions(&[values.len()]),
            data_type: data_type::INT64,
            raw_data: dimensions(values)
                .into_iter()
                .flat_map(i64::to_le_bytes)
                .collect(),
            ..Tensor::default()
        })
    }

    fn numbers(&self, dims: &[usize], values: impl Iterator<Item = f64>) -> Tensor {
        let mut raw_data = Vec::new();
        for value in values {
            (self.append)(value, &mut raw_data);
        }
        Tensor {
            dims: dimensions(dims),
            data_type: self.data_type,
            raw_data,
            ..Tensor::default()
        }
    }

    fn constant(&self, mut tensor: Tensor) -> String {
        let parts = &mut *self.parts.borrow_mut();
        let same = |other: &&Tensor| {
            (&other.dims, other.data_type, &other.raw_data)
                == (&tensor.dims, tensor.data_type, &tensor.raw_data)
        };
        if let Some(constant) = parts.constants.iter().find(same) {
            return constant.name.clone();
        }
        tensor.name = parts.fresh("constant");
        let name = tensor.name.clone();
        parts.constants.push(tensor);
        name
    }

    /// The output of a node.
    pub(crate) fn node(
        &self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> String {
        let mut outputs = self.nodes(&[name.to_owned()], operator, inputs, attributes);
        outputs.swap_remove(0)
    }

    /// The outputs of a node.
    pub(crate) fn nodes(
        &self,
        names: &[String],
        operator: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> Vec<String> {
        let parts = &mut *self.parts.borrow_mut();
        let same =
            |node: &&Node| node.op_type == operator && node.input == inputs && node.attribute == attributes;
        if let Some(node) = parts.nodes.iter().find(same) {
            return node.output.clone();
        }
        let outputs: Vec<_> = names.iter().map(|name| parts.fresh(name)).collect();
        parts.nodes.push(Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: outputs.clone(),
            name: outputs[0].clone(),
            op_type: operator.to_owned(),
            attribute: attributes,
        });
        outputs
    }

    /// The inputs of the node that has this output, if it is one of this operator.
    pub(crate) fn inputs(&self, output: &str, operator: &str) -> Option<Vec<String>> {
        let parts = self.parts.borrow();
        let node = parts.nodes.iter().find(|node| node.output[0] == output)?;
        (node.op_type == operator).then(|| node.input.clone())
    }

    /// Whether this is the name of a constant without axes.
    pub(crate) fn is_number(&self, name: &str) -> bool {
        let parts = self.parts.borrow();
        let mut constants = parts.constants.iter();
        constants.any(|constant| constant.name == name && constant.dims.is_empty())
    }

    /// What is needed for a value, which becomes the output `y`.
    pub(crate) fn finish(self, value: &str) -> Parts {
        let mut parts = self.parts.into_inner();
        parts.keep_what_reaches(value);
        if parts.nodes.iter().any(|node| node.output == [value]) {
            parts.rename(value, "y");
        } else {
            parts.nodes.push(Node {
                input: vec![value.to_owned()],
                output: vec!["y".to_owned()],
                name: "y".to_owned(),
                op_type: "Identity".to_owned(),
                attribute: Vec::new(),
            });
        }
        parts
    }
}

impl Parts {
    /// The name, with a number if it is taken.
    fn fresh(&mut self, name: &str) -> String {
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let mut names = core::iter::once(name.to_owned()).chain(numbered);
        let name = names
            .find(|name| !self.names.contains(name))
            .expect("there are more numbers than names");
        self.names.push(name.clone());
        name
    }

    fn keep_what_reaches(&mut self, value: &str) {
        let mut needed = vec![value.to_owned()];
        let mut kept = Vec::new();
        while let Some(node) = self.nodes.pop() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        for tensors in [&mut self.parameters, &mut self.constants] {
            tensors.retain(|tensor| needed.contains(&tensor.name));
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        for node in &mut self.nodes {
            let names = node
                .input
                .iter_mut()
                .chain(&mut node.output)
                .chain([&mut node.name]);
            for name in names.filter(|name| **name == from) {
                to.clone_into(name);
            }
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&self.parts).finish()
    }
}

/// Lengths, as ONNX has them.
pub(crate) fn dimensions(lengths: &[usize]) -> Vec<i64> {
    let lengths = lengths.iter().map(|&length| i64::try_from(length));
    lengths
        .collect::<Result<_, _>>()
        .expect("lengths of arrays fit into i64")
}
