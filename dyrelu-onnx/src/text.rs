//! [`Text`]: a graph for a reader.

use crate::proto::{Attribute, Graph, Length, Node, Tensor, ValueInfo, data_type};
use core::fmt;

/// Writes inputs, outputs, parameters and nodes, a line for each.
pub(crate) struct Text<'a> {
    pub(crate) graph: &'a Graph,
    /// How many of the initializers are parameters. The others are written where they are used.
    pub(crate) parameters: usize,
}

/// So many elements of a constant are written.
const SHOWN: usize = 8;

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Graph {
            name,
            node,
            input,
            output,
            initializer,
        } = self.graph;
        writeln!(f, "{name}")?;
        for (kind, values) in [("input", input), ("output", output)] {
            for value in values {
                writeln!(f, "{kind} {} [{}]", value.name, lengths(value).join(", "))?;
            }
        }
        for parameter in &initializer[..self.parameters] {
            writeln!(f, "parameter {} {:?}", parameter.name, parameter.dims)?;
        }
        for node in node {
            self.node(node, f)?;
        }
        Ok(())
    }
}

impl Text<'_> {
    /// `outputs = Operator(inputs, attributes)`
    fn node(&self, node: &Node, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = node.input.iter().map(|input| self.value(input));
        let operands: Vec<_> = inputs.chain(node.attribute.iter().map(attribute)).collect();
        writeln!(
            f,
            "{} = {}({})",
            node.output.join(", "),
            node.op_type,
            operands.join(", ")
        )
    }

    /// The name of a value, or the numbers of a constant.
    fn value(&self, name: &str) -> String {
        let mut constants = self.graph.initializer[self.parameters..].iter();
        let constant = constants.find(|constant| constant.name == name);
        constant.map_or_else(|| name.to_owned(), numbers)
    }
}

fn lengths(value: &ValueInfo) -> Vec<String> {
    let shape = value
        .r#type
        .as_ref()
        .and_then(|r#type| r#type.tensor_type.as_ref()?.shape.as_ref());
    let lengths = shape.into_iter().flat_map(|shape| &shape.dim);
    let lengths = lengths.filter_map(|dimension| dimension.value.as_ref());
    lengths
        .map(|length| match length {
            Length::Fixed(length) => length.to_string(),
            Length::Dynamic(name) => name.clone(),
        })
        .collect()
}

fn attribute(Attribute { name, f, i, ints, .. }: &Attribute) -> String {
    let number = f.map(|f| f.to_string()).or(i.map(|i| i.to_string()));
    format!("{name} = {}", number.unwrap_or_else(|| format!("{ints:?}")))
}

/// All numbers, or the first ones of many.
fn numbers(tensor: &Tensor) -> String {
    let numbers = match tensor.data_type {
        data_type::FLOAT => elements(tensor, f32::from_le_bytes),
        data_type::DOUBLE => elements(tensor, f64::from_le_bytes),
        _ => elements(tensor, i64::from_le_bytes),
    };
    match (tensor.dims.as_slice(), numbers.as_slice()) {
        ([], [number]) => number.clone(),
        (_, [shown @ .., _]) if shown.len() >= SHOWN => format!("[{}, …]", shown[..SHOWN].join(", ")),
        (_, all) => format!("[{}]", all.join(", ")),
    }
}

fn elements<E: ToString, const BYTES: usize>(tensor: &Tensor, element: fn([u8; BYTES]) -> E) -> Vec<String> {
    let (elements, _) = tensor.raw_data.as_chunks();
    elements.iter().map(|&bytes| element(bytes).to_string()).collect()
}
