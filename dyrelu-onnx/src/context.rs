//! [`context`]: what the hyper function sees.

use crate::proto::Attribute;
use crate::recorder::{Recorder, dimensions};
use dyrelu_core::{Context, DynamicActivation, is_static};

/// The context, `[N, M]`, for x of this rank; none without dynamic coefficients.
///
/// `external_rank` is that of an external context.
pub(crate) fn context<A: DynamicActivation>(
    recorder: &Recorder,
    rank: usize,
    external_rank: usize,
) -> Option<String> {
    if is_static::<A>() {
        return None;
    }
    Some(match A::HYPER.context {
        Context::Pooled => mean(recorder, "x", rank),
        Context::External => mean(recorder, "context", external_rank),
        Context::PooledHalves => {
            let negative = recorder.node("min", "Min", &["x", &recorder.number(0.0)], Vec::new());
            let positive = recorder.node("relu", "Relu", &["x"], Vec::new());
            let [negative, positive] = [negative, positive].map(|half| mean(recorder, &half, rank));
            let axis = Attribute::int("axis", 1);
            recorder.node("halves", "Concat", &[&negative, &positive], vec![axis])
        }
    })
}

/// The mean over all axes from the third on. Not `GlobalAveragePool`: some runtimes want fixed lengths for that.
fn mean(recorder: &Recorder, value: &str, rank: usize) -> String {
    if rank == 2 {
        return value.to_owned();
    }
    let axes = dimensions(&(2..rank).collect::<Vec<_>>());
    let attributes = vec![Attribute::ints("axes", axes), Attribute::int("keepdims", 0)];
    recorder.node("pooled", "ReduceMean", &[value], attributes)
}
