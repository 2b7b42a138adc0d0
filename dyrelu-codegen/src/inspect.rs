//! [`inspect`]: an activation for programs that show it.

use proc_macro2::{Ident, Span, TokenStream};
use syn::Visibility;

use crate::diagnostics::Diagnostics;
use crate::input::Target;
use crate::spec::{self, ActivationSpec, Choice, Sharing};
use crate::symbolic::{ExprId, Expressions, Formulas, Node, evaluate};
use crate::{args, validate};

/// The activation that `#[dynamic_activation(text)]` describes.
///
/// ```
/// let act = dyrelu_codegen::inspect(r#"k = 2, share = "spatial""#).expect("no mistakes");
/// assert_eq!(act.formula, "a * x + b");
/// assert_eq!(act.derivatives[1].formula, "x"); // by a
/// assert_eq!(act.value(3.0, &[2.0, 1.0]), 7.0);
///
/// let mistakes = dyrelu_codegen::inspect(r#"k = 2, share = "spatail""#).unwrap_err();
/// assert_eq!((mistakes[0].line, mistakes[0].column), (1, 16));
/// ```
///
/// # Errors
///
/// All independent mistakes, as the compiler would show them.
pub fn inspect(text: &str) -> Result<Activation, Vec<Mistake>> {
    let tokens: TokenStream = match text.parse() {
        Ok(tokens) => tokens,
        Err(error) => {
            let error: proc_macro2::LexError = error;
            return Err(vec![Mistake::at(error.span(), error.to_string())]);
        }
    };
    let diagnostics = Diagnostics::default();
    let args = args::parse(tokens, &diagnostics);
    let target = Target {
        name: Ident::new("Activation", Span::call_site()),
        visibility: Visibility::Inherited,
        generics: syn::Generics::default(),
    };
    let spec = validate::validate(args, Some(target), &diagnostics);
    match diagnostics.finish(spec) {
        Ok(spec) => Ok(Activation::new(spec)),
        Err(errors) => Err(errors
            .into_iter()
            .map(|error| Mistake::at(error.span(), error.to_string()))
            .collect()),
    }
}

/// A mistake in the text, from its first character up to but not including its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// The character of that line, from 1.
    pub column: usize,
    /// The line that it ends in.
    pub end_line: usize,
    /// The character after its last one.
    pub end_column: usize,
    /// What is wrong, and what to write.
    pub message: String,
}

impl Mistake {
    /// What is missing altogether is missing at the beginning.
    fn at(span: Span, message: String) -> Self {
        let (start, end) = (span.start(), span.end());
        Self {
            line: start.line.max(1),
            column: start.column + 1,
            end_line: end.line.max(1),
            end_column: end.column + 1,
            message,
        }
    }
}

/// An activation without mistakes. Words are those of the attribute.
#[derive(Debug)]
#[non_exhaustive]
pub struct Activation {
    /// The number of pieces that a layer combines. It is 1 where each piece has a closure of its own: all these
    /// closures are one formula then.
    pub k: usize,
    /// The number of pieces as it is written.
    pub pieces: usize,
    /// Which axes share coefficients: `"spatial"`.
    pub share: &'static str,
    /// How the pieces become one output: `"max"`.
    pub combine: &'static str,
    /// The first arguments of the formula after the input.
    pub coefficients: Vec<Coefficient>,
    /// Its other arguments.
    pub neighbours: Vec<Neighbour>,
    /// The hyper function, if any coefficient is dynamic.
    pub hyper: Option<Hyper>,
    /// How scores become the attention, if there is one.
    pub attention: Option<&'static str>,
    /// Whether the formula is homogeneous of degree 1 in its coefficients, as far as can be proven.
    pub homogeneous: bool,
    /// The name of the input.
    pub input: String,
    /// The formula of one piece, in the syntax of the attribute.
    pub formula: String,
    /// Its derivatives by the input and by each argument.
    pub derivatives: Vec<Derivative>,
    /// What the names `t1`, `t2`, … in long formulas mean: `t1 = …`, each after those that it needs.
    pub definitions: Vec<String>,
    expressions: Expressions,
    value: ExprId,
    gradient: Vec<ExprId>,
}

/// A coefficient of the formula.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficient {
    /// Its name in the formula.
    pub name: String,
    /// Its value to begin with, for each of the k pieces.
    pub init: Vec<f64>,
    /// Where its value comes from.
    pub source: Source,
}

/// Where the value of a coefficient comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// From the input: init + lambda · squash(r), with r from the hyper function.
    Dynamic {
        /// The range of the residual, for each of the k pieces.
        lambda: Vec<f64>,
        /// From r to the residual: `"2sigmoid-1"`.
        squash: &'static str,
    },
    /// A parameter of the layer.
    Learned {
        /// Whether all channels have one value.
        shared: bool,
    },
}

/// A channel-shifted copy of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its name in the formula.
    pub name: String,
    /// How many groups further it is.
    pub groups: i32,
    /// How many channels further within the group.
    pub channels: i32,
}

/// The hyper function but for its sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hyper {
    /// What it sees: `"pooled"`.
    pub context: &'static str,
    /// The number of its layers, 0 to 2.
    pub layers: usize,
    /// What stands between two layers, if there are two: `"relu"`.
    pub inner: &'static str,
}

/// A partial derivative of the formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivative {
    /// The name of the input or the argument.
    pub by: String,
    /// The derivative, in the syntax of the attribute.
    pub formula: String,
}

impl Activation {
    fn new(spec: ActivationSpec) -> Self {
        let piece = &spec.piece;
        let names = piece.names_of_parameters();
        let formulas = Formulas::new(&piece.expressions, &names, &piece.roots());
        let text = |root| formulas.text(root).to_owned();
        let derivatives = names.iter().zip(&piece.gradient);
        let (coefficients, neighbours) = names[1..].split_at(spec.coefficients.len());
        let values = |constants: &spec::PerPiece| (0..spec.k).map(|k| constants.at(k)).collect();
        let coefficient = |(name, coefficient): (&String, &spec::CoefficientSpec)| Coefficient {
            name: name.clone(),
            init: values(&coefficient.init),
            source: match &coefficient.source {
                spec::Source::Dynamic { lambda, squash } => Source::Dynamic {
                    lambda: values(lambda),
                    squash: squash.spelling(),
                },
                spec::Source::Learned { shared } => Source::Learned { shared: *shared },
            },
        };
        let neighbour = |(name, shift): (&String, &spec::Shift)| Neighbour {
            name: name.clone(),
            groups: shift.groups,
            channels: shift.channels,
        };
        Self {
            k: spec.k,
            pieces: spec.k.max(spec.folded),
            share: spec.sharing.spelling(),
            combine: spec.combine.spelling(),
            coefficients: coefficients
                .iter()
                .zip(&spec.coefficients)
                .map(coefficient)
                .collect(),
            neighbours: neighbours.iter().zip(&spec.neighbours).map(neighbour).collect(),
            hyper: spec.is_dynamic().then_some(Hyper {
                context: spec.hyper.context.spelling(),
                layers: spec.hyper.layers,
                inner: spec.hyper.inner.spelling(),
            }),
            attention: (spec.sharing == Sharing::Unshared).then_some(spec.attention.spelling()),
            homogeneous: piece.homogeneous,
            input: names[0].clone(),
            formula: text(piece.value),
            derivatives: derivatives
                .map(|(name, &root)| Derivative {
                    by: name.clone(),
                    formula: text(root),
                })
                .collect(),
            definitions: formulas.definitions.clone(),
            value: piece.value,
            gradient: piece.gradient.clone(),
            expressions: spec.piece.expressions,
        }
    }

    /// The number of multiplications and divisions in the formula, where equal parts count once. A whole power counts
    /// as repeated squaring, `recip` as a division, and other functions count nothing.
    #[must_use]
    pub fn multiplications(&self) -> usize {
        let nodes = self.expressions.reachable(&[self.value]).into_iter();
        nodes
            .map(|id| match self.expressions.node(id) {
                Node::Mul(..) | Node::Div(..) => 1,
                Node::Unary(function, _) if function.name == "recip" => 1,
                Node::Power(_, n) => multiplications_of_power(n),
                _ => 0,
            })
            .sum()
    }

    /// The formula's value at `x` for `arguments`, coefficients and then neighbours.
    ///
    /// # Panics
    ///
    /// When there are fewer or more arguments than the formula has.
    #[must_use]
    pub fn value(&self, x: f64, arguments: &[f64]) -> f64 {
        evaluate(&self.expressions, self.value, &self.point(x, arguments))
    }

    /// Its derivatives there by the input and by each argument.
    ///
    /// # Panics
    ///
    /// When there are fewer or more arguments than the formula has.
    #[must_use]
    pub fn gradient(&self, x: f64, arguments: &[f64]) -> Vec<f64> {
        let point = self.point(x, arguments);
        let derivatives = self.gradient.iter();
        derivatives
            .map(|&root| evaluate(&self.expressions, root, &point))
            .collect()
    }

    fn point(&self, x: f64, arguments: &[f64]) -> Vec<f64> {
        let expected = self.gradient.len() - 1;
        let found = arguments.len();
        assert_eq!(
            found, expected,
            "the formula has {expected} arguments after its input"
        );
        std::iter::once(x).chain(arguments.iter().copied()).collect()
    }
}

/// The squarings, the products of squares, and the division of a negative power.
fn multiplications_of_power(n: i32) -> usize {
    let size = n.unsigned_abs();
    let (squarings, factors) = (size.checked_ilog2().unwrap_or(0), size.count_ones());
    let products = squarings + factors.saturating_sub(1) + u32::from(n < 0);
    products as usize
}
