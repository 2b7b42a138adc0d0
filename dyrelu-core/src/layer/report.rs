//! [`Report`]: what a layer makes of the tensors of a checkpoint.

use crate::Error;
use core::fmt;

/// What becomes of each tensor of a checkpoint when a layer loads it. It prints one line for each.
///
/// ```
/// # use dyrelu::safetensors::{SafeTensors, serialize, tensor::{Dtype, TensorView}};
/// use dyrelu::{Convention, gallery::DyReluB};
///
/// # let view = |shape: &[usize]| {
/// #     TensorView::new(Dtype::F32, shape.into(), &[0; 1024][..4 * shape.iter().product::<usize>()]).unwrap()
/// # };
/// # let bytes = serialize([
/// #     ("act.fc1.weight", view(&[2, 8])), ("act.fc1.bias", view(&[2])),
/// #     ("act.fc2.weight", view(&[8, 2])), ("conv.weight", view(&[1])),
/// # ], None)?;
/// let act = DyReluB::layer::<f32>(8).build()?;
/// let report = act.examine_tensors(Convention::NATIVE, &SafeTensors::deserialize(&bytes)?, "act.");
/// assert_eq!(
///     report.to_string(),
///     "\
/// used     act.fc1.bias
/// used     act.fc1.weight
/// ignored  conv.weight
/// wrong    act.fc2.weight: expected shape [32, 2], found [8, 2]
/// missing  act.fc2.bias
/// "
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Report {
    /// The names of the tensors that become parameters and running statistics, and of constants that are as they should
    /// be; sorted.
    pub used: Vec<String>,
    /// The names of the tensors that belong to other layers, or mean nothing to this one, such as
    /// `num_batches_tracked`; sorted.
    pub ignored: Vec<String>,
    /// One for each tensor that is missing, unknown, or of the wrong shape, number type or value. A layer loads only
    /// without any.
    pub problems: Vec<Error>,
}

impl Report {
    /// Itself, or the first of its problems.
    pub(super) fn into_result(mut self) -> Result<Self, Error> {
        if self.problems.is_empty() {
            return Ok(self);
        }
        Err(self.problems.swap_remove(0))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.used {
            writeln!(f, "used     {name}")?;
        }
        for name in &self.ignored {
            writeln!(f, "ignored  {name}")?;
        }
        for problem in &self.problems {
            match problem {
                Error::MissingTensor { name, .. } => writeln!(f, "missing  {name}"),
                Error::UnknownTensor { name, .. } => writeln!(f, "unknown  {name}"),
                Error::TensorShape {
                    name,
                    expected,
                    found,
                } => writeln!(f, "wrong    {name}: expected shape {expected}, found {found:?}"),
                Error::TensorType {
                    name,
                    expected,
                    found,
                } => writeln!(f, "wrong    {name}: expected {expected}, found {found}"),
                Error::Constants {
                    name,
                    expected,
                    found,
                } => writeln!(f, "wrong    {name}: expected {expected:?}, found {found:?}"),
                other => writeln!(f, "wrong    {other}"),
            }?;
        }
        Ok(())
    }
}
