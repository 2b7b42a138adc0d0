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
/// the gradient at a kink is that of the branch taken. Where one of them is zero, the chain rule goes on inside of the
/// others, see [`chain`].
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
        Node::Neg(u) => chain(e, d.of(u)?, &|e, du| Some(e.neg(du))),
        Node::Add(u, v) => sum(e, d.of(u), d.of(v)),
        Node::Sub(u, v) => difference(e, d.of(u), d.of(v)),
        // (u v)' = u' v + u v'
        Node::Mul(u, v) => {
            let left = d.of(u).and_then(|du| chain(e, du, &|e, du| Some(e.mul(du, v))));
            let right = d.of(v).and_then(|dv| chain(e, dv, &|e, dv| Some(e.mul(u, dv))));
            sum(e, left, right)
        }
        // (u / v)' = (u' − (u / v) v') / v, which unlike the form over v² does not overflow early
        Node::Div(u, v) => {
            let correction = d
                .of(v)
                .and_then(|dv| chain(e, dv, &|e, dv| Some(e.mul(expr, dv))));
            let numerator = difference(e, d.of(u), correction)?;
            chain(e, numerator, &|e, numerator| Some(e.div(numerator, v)))
        }
        // (uⁿ)' = n uⁿ⁻¹ u'
        Node::Power(u, n) => chain(e, d.of(u)?, &|e, du| {
            let factor = e.constant(f64::from(n));
            let power = e.power(u, n - 1);
            let outer = e.mul(factor, power);
            Some(e.mul(outer, du))
        }),
        Node::Unary(function, u) => {
            let Form::Unary { derivative, .. } = function.form else {
                return None;
            };
            chain(e, d.of(u)?, &|e, du| {
                derivative(e, Applied { u, value: expr, du })
            })
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

/// A step of the chain rule: `rule`(`du`), where the rule is linear.
///
/// Where `du` is a choice between zero and something, the rule is applied to what is not zero: `sqrt(relu(x))` has the
/// derivative 0 below zero, and not 0 · ∞.
fn chain(
    e: &mut Expressions,
    du: ExprId,
    rule: &dyn Fn(&mut Expressions, ExprId) -> Option<ExprId>,
) -> Option<ExprId> {
    /// Rules are applied to so many results at most: a chain of choices has many more.
    const MOST: usize = 8;
    match e.node(du) {
        Node::If(condition, u, v) if results(e, du, MOST) <= MOST && chooses_zero(e, du) => {
            let mut inside = |branch| {
                if e.constant_value(branch) == Some(0.0) {
                    None
                } else {
                    chain(e, branch, rule)
                }
            };
            let (u, v) = (inside(u), inside(v));
            both(e, u, v).map(|[u, v]| e.select(condition, u, v))
        }
        _ => rule(e, du),
    }
}

/// Whether one of the results of a choice is zero.
fn chooses_zero(e: &Expressions, expr: ExprId) -> bool {
    match e.node(expr) {
        Node::If(_, u, v) => chooses_zero(e, u) || chooses_zero(e, v),
        _ => e.constant_value(expr) == Some(0.0),
    }
}

/// The number of results of a choice, or any number above `most`.
fn results(e: &Expressions, expr: ExprId, most: usize) -> usize {
    match e.node(expr) {
        Node::If(_, u, v) => {
            let first = results(e, u, most);
            if first > most {
                first
            } else {
                first + results(e, v, most)
            }
        }
        _ => 1,
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
