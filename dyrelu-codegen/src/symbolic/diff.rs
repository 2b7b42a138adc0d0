//! [`differentiate`]: the partial derivative of an expression.

use super::expr::{ExprId, Expressions, Node, NodeId};
use super::function::{Applied, Form};

/// ∂`root`/∂`parameter`.
///
/// Forward mode: the derivative of every node follows from those of its operands, operands first. The rules
/// for functions stand in the table of [`super::function`].
///
/// A term that is zero whatever the parameters are is `None` and dropped, so ∂(a · ln x)/∂a is ln x, without a
/// `0 / x · a` that would be NaN at zero. An `if` keeps its condition and differentiates its branches, so
/// the gradient at a kink is that of the branch taken.
pub(crate) fn differentiate(e: &mut Expressions, root: ExprId, parameter: usize) -> ExprId {
    let nodes = e.reachable(&[root]);
    let mut derivatives = Derivatives(vec![None; e.len()]);
    for id in nodes {
        if let Some(expr) = e.as_expr(id) {
            derivatives.0[id.index()] = derivative(e, expr, parameter, &derivatives);
        }
    }
    derivatives.of(root).unwrap_or_else(|| e.constant(0.0))
}

/// The derivatives found so far, by node; `None` is zero.
struct Derivatives(Vec<Option<ExprId>>);

impl Derivatives {
    fn of(&self, expr: ExprId) -> Option<ExprId> {
        self.0[NodeId::from(expr).index()]
    }
}

fn derivative(e: &mut Expressions, expr: ExprId, parameter: usize, d: &Derivatives) -> Option<ExprId> {
    match e.node(expr) {
        Node::Parameter(position) => (position == parameter).then(|| e.constant(1.0)),
        Node::Neg(u) => d.of(u).map(|du| e.neg(du)),
        Node::Add(u, v) => sum(e, d.of(u), d.of(v)),
        Node::Sub(u, v) => difference(e, d.of(u), d.of(v)),
        // (u v)' = u' v + u v'
        Node::Mul(u, v) => {
            let left = d.of(u).map(|du| e.mul(du, v));
            let right = d.of(v).map(|dv| e.mul(u, dv));
            sum(e, left, right)
        }
        // (u / v)' = (u' − (u / v) v') / v, which unlike the form over v² does not overflow early
        Node::Div(u, v) => {
            let correction = d.of(v).map(|dv| e.mul(expr, dv));
            let numerator = difference(e, d.of(u), correction);
            numerator.map(|numerator| e.div(numerator, v))
        }
        // (uⁿ)' = n uⁿ⁻¹ u'
        Node::Power(u, n) => d.of(u).map(|du| {
            let factor = e.constant(f64::from(n));
            let power = e.power(u, n - 1);
            let outer = e.mul(factor, power);
            e.mul(outer, du)
        }),
        Node::Unary(function, u) => {
            let Form::Unary { derivative, .. } = function.form else {
                return None;
            };
            d.of(u)
                .and_then(|du| derivative(e, Applied { u, value: expr, du }))
        }
        Node::Binary(function, u, v) => {
            let Form::Binary { derivative, .. } = function.form else {
                return None;
            };
            both(e, d.of(u), d.of(v)).map(|derivatives| derivative(e, [u, v], derivatives))
        }
        Node::If(condition, u, v) => both(e, d.of(u), d.of(v)).map(|[du, dv]| e.select(condition, du, dv)),
        Node::Constant(_) | Node::Compare(..) | Node::And(..) | Node::Or(..) | Node::Not(_) => None,
    }
}

fn sum(e: &mut Expressions, u: Option<ExprId>, v: Option<ExprId>) -> Option<ExprId> {
    match (u, v) {
        (Some(u), Some(v)) => Some(e.add(u, v)),
        (one, None) | (None, one) => one,
    }
}

fn difference(e: &mut Expressions, u: Option<ExprId>, v: Option<ExprId>) -> Option<ExprId> {
    let negated = v.map(|v| e.neg(v));
    sum(e, u, negated)
}

/// Both derivatives with a written zero for one that is missing; `None` if both are zero.
fn both(e: &mut Expressions, u: Option<ExprId>, v: Option<ExprId>) -> Option<[ExprId; 2]> {
    if u.is_none() && v.is_none() {
        return None;
    }
    Some([u, v].map(|derivative| derivative.unwrap_or_else(|| e.constant(0.0))))
}
