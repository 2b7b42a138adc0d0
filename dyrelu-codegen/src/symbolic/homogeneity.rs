//! [`is_homogeneous`]: whether a piece scales with its coefficients.

use super::expr::{ExprId, Expressions, Node, NodeId};
use super::function::Scaling;

/// Whether `root`(x, π·c) = π·`root`(x, c) for all π > 0, and for π = 0 wherever both sides are finite, where c are the
/// first `coefficients` parameters after the input x. All others are inputs like x.
///
/// The answer is inferred from the structure, so `false` means "not proven". With it, the cheap kernel of
/// `share = "none"` multiplies one output by the attention instead of every coefficient.
pub(crate) fn is_homogeneous(e: &Expressions, root: ExprId, coefficients: usize) -> bool {
    let mut degrees = Degrees {
        known: vec![None; e.len()],
        coefficients,
    };
    for id in e.reachable(&[root]) {
        degrees.known[id.index()] = degree(e.node(id), &degrees);
    }
    degrees.of(root).is_some_and(|degree| degree.fits(1))
}

/// The degree n of a node: u(x, π·c) = πⁿ·u(x, c) for π > 0. For a condition: degree 0 if it does not depend on π.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Degree {
    /// Zero everywhere, which is homogeneous of every degree.
    Any,
    Of(i64),
}

impl Degree {
    fn fits(self, degree: i64) -> bool {
        self == Self::Any || self == Self::Of(degree)
    }

    /// The degree that both have.
    fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, degree) | (degree, Self::Any) => Some(degree),
            (u, v) => (u == v).then_some(u),
        }
    }

    /// The degree of a product.
    fn plus(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Some(Self::Any),
            (Self::Of(u), Self::Of(v)) => u.checked_add(v).map(Self::Of),
        }
    }

    fn times(self, n: i32) -> Option<Self> {
        match self {
            Self::Any => Some(Self::Any),
            Self::Of(degree) => degree.checked_mul(n.into()).map(Self::Of),
        }
    }
}

struct Degrees {
    /// The degrees found so far, by node; `None` is unknown.
    known: Vec<Option<Degree>>,
    /// How many parameters after the input are scaled.
    coefficients: usize,
}

impl Degrees {
    fn of(&self, id: impl Into<NodeId>) -> Option<Degree> {
        self.known[id.into().index()]
    }
}

fn degree(node: Node, d: &Degrees) -> Option<Degree> {
    const ZERO: Degree = Degree::Of(0);
    match node {
        Node::Constant(constant) => Some(if constant.value() == 0.0 {
            Degree::Any
        } else {
            ZERO
        }),
        Node::Parameter(position) if (1..=d.coefficients).contains(&position) => Some(Degree::Of(1)),
        Node::Parameter(_) => Some(ZERO),
        Node::Neg(u) => d.of(u),
        Node::Add(u, v) | Node::Sub(u, v) => d.of(u)?.common(d.of(v)?),
        Node::Mul(u, v) => d.of(u)?.plus(d.of(v)?),
        // A divisor that vanishes with the coefficients would make 0 / 0 at π = 0, so it must not scale.
        Node::Div(u, v) => {
            if d.of(v)? == ZERO {
                d.of(u)
            } else {
                None
            }
        }
        Node::Power(u, n) if n > 0 => d.of(u)?.times(n),
        Node::Power(u, _) => (d.of(u)? == ZERO).then_some(ZERO),
        Node::Unary(function, u) => match function.scaling {
            Scaling::Homogeneous => d.of(u),
            Scaling::Invariant => d.of(u).map(|_| ZERO),
            Scaling::None => d.of(u)?.fits(0).then_some(ZERO),
        },
        Node::Binary(function, u, v) => match function.scaling {
            Scaling::Homogeneous => d.of(u)?.common(d.of(v)?),
            Scaling::Invariant | Scaling::None => None,
        },
        Node::If(condition, u, v) => d.of(condition).and(d.of(u)?.common(d.of(v)?)),
        Node::Compare(_, u, v) => d.of(u)?.common(d.of(v)?).map(|_| ZERO),
        Node::And(c, o) | Node::Or(c, o) => d.of(c).and(d.of(o)),
        Node::Not(c) => d.of(c),
    }
}
