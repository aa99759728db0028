//! Panics of the engine: the runtime swallows those of its tasks, and they must not go unnoticed.

use std::cell::RefCell;
use std::sync::Once;

use super::flow::SCRIPTED;

thread_local! {
    /// What panicked on this thread, while it is listened to.
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Notes from now on what panics on this thread, instead of printing it.
pub(super) fn listen() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let noted = HEARD.with_borrow_mut(|heard| {
                let Some(heard) = heard else { return false };
                let text = panic.to_string();
                if !text.contains(SCRIPTED) {
                    heard.push(text);
                }
                true
            });
            if !noted {
                before(panic);
            }
        }));
    });
    HEARD.set(Some(Vec::new()));
}

/// Stops listening, and tells what was heard.
pub(super) fn heard() -> Vec<String> {
    HEARD.take().unwrap_or_default()
}
