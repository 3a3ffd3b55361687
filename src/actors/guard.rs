//! A crash is an ordinary ending, and it ends only what caused it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::telemetry;

/// Work on one entry of a service's table panicked. The service goes on without that entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked {
    pub message: String,
}

/// Runs work that belongs to one entry; a panic comes back as a value, so that the caller can remove the entry.
///
/// Unwind safety is the caller's promise: after an `Err` it must not read the entry again.
pub fn guarded<T>(entry: impl fmt::Display, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = panic_text(&*payload);
        telemetry::count(telemetry::Counter::PanicsCaught);
        tracing::error!(%entry, panic = %message, "a panic was caught; the entry is removed");
        Panicked { message }
    })
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_as_a_value() {
        let outcome: Result<(), Panicked> = guarded("call 7", || panic!("bad packet {}", 3));
        assert_eq!(outcome, Err(Panicked { message: "bad packet 3".into() }));
        assert_eq!(guarded("call 8", || 5), Ok(5));
    }
}
