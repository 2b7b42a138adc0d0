//! [`Constants`]: what a layer's description says, laid out as kernels read it.

use super::parameters;
use super::sizes::{Sizes, set_shape, sets};
use crate::kernels::coefficients;
use crate::kernels::neighbours;
use crate::{Coefficient, DynamicActivation, PerPiece, Scalar, Source, Squash};

/// The constants of the coefficients and of the neighbours.
#[derive(Debug, Clone)]
pub(super) struct Constants<T> {
    /// `[P, K]`.
    pub(super) init: Vec<T>,
    /// `[D, K]`.
    pub(super) lambda: Vec<T>,
    /// Where the D dynamic coefficients stand among the P.
    dynamic: Vec<usize>,
    /// Of the D dynamic coefficients.
    pub(super) squashes: Vec<Squash>,
    /// The channel that each neighbour sees, `[J, C]`.
    pub(super) sources: Vec<usize>,
}

impl<T: Scalar> Constants<T> {
    pub(super) fn of<A: DynamicActivation>(sizes: Sizes) -> Self {
        let dynamic = A::COEFFICIENTS.iter().enumerate();
        let dynamic = dynamic.filter_map(|(p, coefficient)| match coefficient.source {
            Source::Dynamic { squash, .. } => Some((p, squash)),
            Source::Learned { .. } => None,
        });
        let (dynamic, squashes) = dynamic.unzip();
        Self {
            init: per_piece::<A, T>(|coefficient| Some(coefficient.init)),
            lambda: per_piece::<A, T>(lambda),
            dynamic,
            squashes,
            sources: neighbours::sources(A::NEIGHBOURS, sizes.channels, sizes.groups),
        }
    }

    /// How coefficients are made, with a [`template`](Self::template).
    pub(super) fn coefficients<'a, A: DynamicActivation>(
        &'a self,
        template: &'a [T],
    ) -> coefficients::Operands<'a, T> {
        let [coefficients, pieces] = set_shape::<A>();
        coefficients::Operands {
            pieces,
            template,
            dynamic: &self.dynamic,
            lambda: &self.lambda,
            coefficients,
        }
    }

    /// The sets of coefficients without their residuals. It has one set if all sets are alike, and one for each set of a
    /// sample if there are learned coefficients, whose values `learned` has.
    pub(super) fn template<'a, A: DynamicActivation>(
        &self,
        channels: usize,
        learned: impl Fn(&'static str) -> &'a [T],
        template: &mut Vec<T>,
    ) {
        let [_, pieces] = set_shape::<A>();
        template.clear();
        template.extend(&self.init);
        if self.dynamic.len() == A::COEFFICIENTS.len() {
            return;
        }
        for _ in 1..sets::<A>(channels) {
            template.extend(&self.init);
        }
        for (p, coefficient, sets) in parameters::learned::<A>(channels) {
            let values = learned(coefficient.name);
            for (i, set) in template.chunks_exact_mut(self.init.len()).enumerate() {
                set[p * pieces..][..pieces].copy_from_slice(&values[i % sets * pieces..][..pieces]);
            }
        }
    }
}

/// λ of a dynamic coefficient.
pub(super) const fn lambda(coefficient: &Coefficient) -> Option<PerPiece> {
    match coefficient.source {
        Source::Dynamic { lambda, .. } => Some(lambda),
        Source::Learned { .. } => None,
    }
}

/// A constant of every coefficient that has it, K numbers for each.
pub(super) fn per_piece<A: DynamicActivation, T: Scalar>(
    constant: fn(&Coefficient) -> Option<PerPiece>,
) -> Vec<T> {
    let [_, pieces] = set_shape::<A>();
    let constants = A::COEFFICIENTS.iter().filter_map(constant);
    constants
        .flat_map(|constant| (0..pieces).map(move |k| T::from_f64(constant.of(k))))
        .collect()
}
