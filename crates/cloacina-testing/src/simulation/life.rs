//! A process as far as its tasks are concerned: it lives, stands still, or is dead; and it is not always their turn.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use cloacina_core::__private::{Turn, Turns};
use tokio_util::sync::CancellationToken;

use super::chance::Chance;

/// Decides when the tasks of one process go on.
pub(super) struct Life {
    chance: Arc<Chance>,
    state: Mutex<State>,
    dead: CancellationToken,
}

struct State {
    pulse: Pulse,
    /// How many more polls it has to live, if that is decided.
    fuse: Option<u32>,
    /// Of tasks whose turn it was not.
    waiting: Vec<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pulse {
    Alive,
    Halted,
    Dead,
}

impl Life {
    pub(super) fn new(chance: Arc<Chance>) -> Arc<Self> {
        let state = State { pulse: Pulse::Alive, fuse: None, waiting: Vec::new() };
        Arc::new(Self { chance, state: Mutex::new(state), dead: CancellationToken::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends: no task of the process goes on, and what they hold is dropped.
    pub(super) fn die(&self) {
        let woken = {
            let mut state = self.lock();
            state.pulse = Pulse::Dead;
            std::mem::take(&mut state.waiting)
        };
        self.dead.cancel();
        woken.into_iter().for_each(Waker::wake);
    }

    /// Ends after so many polls of its tasks.
    pub(super) fn die_after(&self, polls: u32) {
        self.lock().fuse = Some(polls);
    }

    /// Stands still until [`go_on`](Self::go_on).
    pub(super) fn halt(&self) {
        let mut state = self.lock();
        if state.pulse == Pulse::Alive {
            state.pulse = Pulse::Halted;
        }
    }

    pub(super) fn go_on(&self) {
        let woken = {
            let mut state = self.lock();
            if state.pulse == Pulse::Halted {
                state.pulse = Pulse::Alive;
            }
            std::mem::take(&mut state.waiting)
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// Waits for its death.
    pub(super) async fn death(&self) {
        self.dead.cancelled().await;
    }
}

impl Turns for Life {
    fn turn(&self, cx: &mut Context<'_>) -> Turn {
        {
            let mut state = self.lock();
            match state.pulse {
                Pulse::Dead => return Turn::Never,
                Pulse::Halted => {
                    state.waiting.push(cx.waker().clone());
                    return Turn::Later;
                }
                Pulse::Alive => {}
            }
            // Once all is calm nobody dies any more but by his own doing.
            match state.fuse.as_mut().filter(|_| !self.chance.is_calm()) {
                Some(0) => {}
                Some(polls) => {
                    *polls -= 1;
                    return self.postpone(cx);
                }
                None => return self.postpone(cx),
            }
        }
        self.die();
        Turn::Never
    }
}

impl Life {
    fn postpone(&self, cx: &Context<'_>) -> Turn {
        if self.chance.postpones() {
            cx.waker().wake_by_ref();
            return Turn::Later;
        }
        Turn::Now
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("pulse", &self.lock().pulse).finish_non_exhaustive()
    }
}
