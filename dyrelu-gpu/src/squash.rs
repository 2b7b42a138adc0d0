//! The functions that a kernel calls to compute coefficients, as [`formula`](crate::formula) has those of the activation.
//!
//! What differs between the P·K coefficients of a set is chosen by an output's place in its set.

use crate::recorded::Recorded;
use cubecl::ir::Scope;
use cubecl::prelude::*;
use cubecl::unexpanded;
use dyrelu_core::kernels::piecewise::PieceSet;
use dyrelu_core::kernels::squash;
use dyrelu_core::{DynamicActivation, Elementwise, Inner, Source, Squash};

/// The hidden unit that an output of the first layer becomes.
pub(crate) fn inner<A: DynamicActivation>(_value: f32) -> f32 {
    unexpanded!()
}

pub(crate) mod inner {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation>(scope: &Scope, value: NativeExpand<f32>) -> NativeExpand<f32> {
        match A::HYPER.inner {
            Inner::Relu => Recorded::read(scope, &value).relu().value(),
            Inner::Identity => value,
        }
    }
}

/// The residual of a raw value.
pub(crate) fn residual<A: DynamicActivation>(_raw: f32, _output: usize) -> f32 {
    unexpanded!()
}

pub(crate) mod residual {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation>(
        scope: &Scope,
        raw: NativeExpand<f32>,
        output: NativeExpand<usize>,
    ) -> NativeExpand<f32> {
        let raw = Recorded::read(scope, &raw);
        of_place::<A>(scope, output, |Dynamic { squash, .. }| {
            squash::value(squash, raw).expect("no softmax")
        })
    }
}

/// The coefficient for a residual.
pub(crate) fn coefficient<A: DynamicActivation>(_residual: f32, _output: usize) -> f32 {
    unexpanded!()
}

pub(crate) mod coefficient {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation>(
        scope: &Scope,
        residual: NativeExpand<f32>,
        output: NativeExpand<usize>,
    ) -> NativeExpand<f32> {
        let residual = Recorded::read(scope, &residual);
        of_place::<A>(scope, output, |Dynamic { init, lambda, .. }| {
            residual.lift(lambda) * residual + residual.lift(init)
        })
    }
}

/// The gradient of the raw value for that of the coefficient.
pub(crate) fn grad_raw<A: DynamicActivation>(_residual: f32, _grad: f32, _output: usize) -> f32 {
    unexpanded!()
}

pub(crate) mod grad_raw {
    use super::*;

    pub(crate) fn expand<A: DynamicActivation>(
        scope: &Scope,
        residual: NativeExpand<f32>,
        grad: NativeExpand<f32>,
        output: NativeExpand<usize>,
    ) -> NativeExpand<f32> {
        let residual = Recorded::read(scope, &residual);
        let grad = Recorded::read(scope, &grad);
        of_place::<A>(scope, output, |Dynamic { lambda, squash, .. }| {
            squash::gradient(squash, residual, grad * grad.lift(lambda)).expect("no softmax")
        })
    }
}

/// A dynamic coefficient of a piece.
#[derive(Clone, Copy, PartialEq)]
struct Dynamic {
    init: f64,
    lambda: f64,
    squash: Squash,
}

/// What `record` gives for the coefficient of this place, `[sets, P, K]`.
fn of_place<'s, A: DynamicActivation>(
    scope: &'s Scope,
    output: NativeExpand<usize>,
    record: impl Fn(Dynamic) -> Recorded<'s>,
) -> NativeExpand<f32> {
    let pieces = 0..A::Pieces::K;
    let set: Vec<Dynamic> = A::COEFFICIENTS
        .iter()
        .flat_map(|coefficient| {
            pieces.clone().map(|k| match coefficient.source {
                Source::Dynamic { lambda, squash } => Dynamic {
                    init: coefficient.init.of(k),
                    lambda: lambda.of(k),
                    squash,
                },
                Source::Learned { .. } => unreachable!("all coefficients are dynamic"),
            })
        })
        .collect();
    let count = NativeExpand::<usize>::from_lit(scope, set.len());
    let place = output.__expand_rem_method(scope, count);
    let mut result = record(set[0]).value();
    for (i, dynamic) in set.iter().enumerate().skip(1) {
        if *dynamic == set[i - 1] {
            continue;
        }
        // From here on, until another one is different.
        let from = NativeExpand::<usize>::from_lit(scope, i);
        let further = place.__expand_ge_method(scope, &from);
        result = select::expand(scope, further, record(*dynamic).value(), result);
    }
    result
}
