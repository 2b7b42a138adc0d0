//! [`turn`]: tests that draw random numbers take turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Until the guard is dropped, no other test draws: Burn's random numbers are those of the whole process.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
