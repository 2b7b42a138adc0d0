//! Symbolic algebra on the formula of a piece.
//!
//! This module is pure: it knows no tokens, no spans and no errors. Whatever can be wrong with a formula is
//! rejected in `piece/lower.rs`; every function below is total.
//!
//! # The algebra
//!
//! A formula is a node of [`Expressions`], a directed acyclic graph in which equal nodes are one node. So a
//! formula that uses `t` twice holds `t` once, however large `t` is, and no step below takes longer than the
//! number of nodes: all of them visit a node's operands before the node, in one loop without recursion.
//!
//! # Invariants
//!
//! * An operand is older than the nodes that use it; [`NodeId`]s are ordered by age.
//! * Nodes are made by the constructors of [`simplify`], so each node is in simplified form.
//! * No step changes the value at a point where every part of the original formula is finite, except for the
//!   rounding of constants that are folded in `f64` and for the sign of a zero.

mod diff;
mod display;
#[cfg(test)]
mod dual;
mod eval;
mod expr;
mod function;
mod homogeneity;
mod simplify;
mod substitute;
#[cfg(test)]
mod tests;

pub(crate) use diff::differentiate;
pub(crate) use display::Formulas;
pub(crate) use eval::evaluate;
pub(crate) use expr::{Comparison, CondId, ExprId, Expressions, Node, NodeId};
pub(crate) use function::{FUNCTIONS, Form, Function, find_function};
pub(crate) use homogeneity::is_homogeneous;
pub(crate) use substitute::Substitution;
