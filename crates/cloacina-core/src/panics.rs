//! Panics of the user's code, once they are caught.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic says, if it says anything.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

/// Drops what may panic when it is dropped, and what that panic carries, which may do so again.
pub(crate) fn discard<T>(value: T) {
    const OFTEN: usize = 16;
    let mut remains = catch_unwind(AssertUnwindSafe(|| drop(value))).err();
    for _ in 0..OFTEN {
        let Some(panic) = remains else { return };
        remains = catch_unwind(AssertUnwindSafe(|| drop(panic))).err();
    }
    // It has no end: it is left where it is.
    let _left = ManuallyDrop::new(remains);
}
