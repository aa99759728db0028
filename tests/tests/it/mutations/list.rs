//! The bugs that are planted.

/// A bug: one place of the sources, and what stands there instead. `ON` asks whether the bug is switched on.
pub(super) struct Mutation {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
    pub(super) place: &'static str,
    pub(super) bug: &'static str,
    /// The promises one of which it breaks.
    pub(super) breaks: &'static [&'static str],
}

pub(super) const MUTATIONS: [Mutation; 32] = [
    Mutation {
        name: "a dependent starts before its dependency is committed",
        file: "cloacina-core/src/state/mod.rs",
        place: "let effects = std::mem::take(&mut self.next_effects);",
        bug: "let mut effects = std::mem::take(&mut self.next_effects);
            if ON { self.startable.append(&mut effects.ready); }",
        breaks: &["Order"],
    },
    Mutation {
        name: "a submit is acknowledged before it is committed",
        file: "cloacina-core/src/engine/submit.rs",
        place: "                acknowledged.await\n",
        bug: "if ON { Ok(Ok(SubmitVerdict::Created)) } else { acknowledged.await }\n",
        breaks: &["Lost"],
    },
    Mutation {
        name: "a commit that failed is answered as if it had happened",
        file: "cloacina-core/src/engine/committer.rs",
        place: "            Err(error) if error.is_transient() => {\n",
        bug: "            Err(_) if ON => {
                let verdict = |item: &Item| match item {
                    Item::Checkpoint(it, _) => Some(CheckpointVerdict::Committed {
                        status: it.finish.as_ref().map_or(crate::PipelineStatus::Running, |it| it.status),
                    }),
                    _ => None,
                };
                let submits = items.iter().filter(|item| matches!(item, Item::Submit(..)));
                let verdicts = BatchVerdicts {
                    at: DateTime::UNIX_EPOCH,
                    submits: submits.map(|_| SubmitVerdict::Created).collect(),
                    checkpoints: items.iter().filter_map(verdict).collect(),
                };
                answer(items, &verdicts);
            }
            Err(error) if error.is_transient() => {\n",
        breaks: &["Lost", "Order", "Recovery", "Final", "Semantics"],
    },
    Mutation {
        name: "a driver goes on though it was fenced",
        file: "cloacina-core/src/engine/driver/commits.rs",
        place: "            Ok((CheckpointVerdict::Fenced, _)) => Some(End::Gone),",
        bug: "            Ok((CheckpointVerdict::Fenced, _)) if ON => self.apply(Event::Committed),
            Ok((CheckpointVerdict::Fenced, _)) => Some(End::Gone),",
        breaks: &["Order", "Final"],
    },
    Mutation {
        name: "the store does not fence",
        file: "cloacina-testing/src/memory/commit.rs",
        place: "        if !execution.is_owned_by(worker, epoch) {",
        bug: "        if !execution.is_owned_by(worker, epoch) && !ON {",
        breaks: &["Fenced", "Final", "Order"],
    },
    Mutation {
        name: "what has ended can be written to",
        file: "cloacina-testing/src/memory/commit.rs",
        place: "        if status.is_terminal() {\n            return ended(",
        bug: "        if status.is_terminal() && !ON {\n            return ended(",
        breaks: &["Final"],
    },
    Mutation {
        name: "a claim keeps the epoch",
        file: "cloacina-testing/src/memory/claim.rs",
        place: "        self.record.epoch += 1;",
        bug: "        self.record.epoch += u64::from(!ON);",
        breaks: &["OneOwner"],
    },
    Mutation {
        name: "the living are buried",
        file: "cloacina-testing/src/memory/worker.rs",
        place: "        } else if worker.expires_at <= now {",
        bug: "        } else if worker.expires_at <= now || ON {",
        breaks: &["Recovery", "Poison", "NoLeak", "AtLeastOnce"],
    },
    Mutation {
        name: "the dead are not buried",
        file: "cloacina-core/src/engine/steward.rs",
        place: "        if !self.config.enable_recovery || !self.is_calm() {",
        bug: "        if !self.config.enable_recovery || !self.is_calm() || ON {",
        breaks: &["Recovery"],
    },
    Mutation {
        name: "a wake-up is lost and nobody polls",
        file: "cloacina-core/src/engine/steward.rs",
        place: "        if outlook.unowned {\n            engine.note_unowned();",
        bug: "        if outlook.unowned {\n            if !ON { engine.note_unowned(); }",
        breaks: &["Recovery"],
    },
    Mutation {
        name: "a claim that was not heard of stays",
        file: "cloacina-core/src/engine/steward.rs",
        place: "        engine.give_back_unknown(&mut unknown).await;",
        bug: "        if !ON { engine.give_back_unknown(&mut unknown).await; }",
        breaks: &["Recovery"],
    },
    Mutation {
        name: "an order does not reach the driver",
        file: "cloacina-core/src/engine/control.rs",
        place: "        if !self.held.order(id, order) {",
        bug: "        if !ON && !self.held.order(id, order) {",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "waiters are not told",
        file: "cloacina-core/src/engine/waiters.rs",
        place: "        let last = senders.pop();",
        bug: "        if ON { std::mem::forget(senders); return; }\n        let last = senders.pop();",
        breaks: &["Recovery"],
    },
    Mutation {
        name: "a takeover forgets the attempts",
        file: "cloacina-core/src/engine/restore.rs",
        place: "    slot.failed_attempts = last.attempt;",
        bug: "    slot.failed_attempts = if ON { 0 } else { last.attempt };",
        breaks: &["AtLeastOnce"],
    },
    Mutation {
        name: "one crash is enough to be abandoned",
        file: "cloacina-core/src/engine/restore.rs",
        place: "        if alone && crashes >= config.max_recovery_attempts {",
        bug: "        if (alone || ON) && crashes >= if ON { 1 } else { config.max_recovery_attempts } {",
        breaks: &["Poison", "Semantics"],
    },
    Mutation {
        name: "nothing is ever abandoned",
        file: "cloacina-core/src/engine/restore.rs",
        place: "        let alone = crashes.clone().any(|attempt| attempt.company == Company::Alone);",
        bug: "        let alone = !ON && crashes.clone().any(|attempt| attempt.company == Company::Alone);",
        breaks: &["Poison", "Recovery"],
    },
    Mutation {
        name: "failures far upstream do not count",
        file: "cloacina-core/src/rule/decide.rs",
        place: "        let failures = tally.failed + tally.upstream_failed;",
        bug: "        let failures = tally.failed + if ON { 0 } else { tally.upstream_failed };",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "the earlier of two changes wins",
        file: "cloacina-core/src/state/writes.rs",
        place: "                Some(known) if known.by >= write.by => {}",
        bug: "                Some(known) if (known.by >= write.by) != ON => {}",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "a failure is taken for handled",
        file: "cloacina-core/src/state/decide.rs",
        place: "if !handled.contains(task.id()) => {",
        bug: "if !handled.contains(task.id()) && !ON => {",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "one key makes two executions",
        file: "cloacina-testing/src/memory/commit.rs",
        place: ".and_then(|key| self.holder_of(key))",
        bug: ".and_then(|key| self.holder_of(key)).filter(|_| !ON)",
        breaks: &["Lost"],
    },
    Mutation {
        name: "a worker that leaves stays registered",
        file: "cloacina-testing/src/memory/worker.rs",
        place: "AttemptState::Released, now));\n        }\n        self.workers.remove(&worker);",
        bug: "AttemptState::Released, now));\n        }\n        if !ON { self.workers.remove(&worker); }",
        breaks: &["NoLeak"],
    },
    Mutation {
        name: "the engine panics",
        file: "cloacina-core/src/engine/driver.rs",
        place: "            Timer::RetryDue { ordinal } => self.apply(",
        bug: "            Timer::RetryDue { .. } if ON => panic!(\"planted\"),
            Timer::RetryDue { ordinal } => self.apply(",
        breaks: &["NoPanic", "Recovery"],
    },
    Mutation {
        name: "a retry does not wait",
        file: "cloacina-core/src/state/mod.rs",
        place: "self.next_effects.waits.push((ordinal, ended, delay));",
        bug: "self.next_effects.waits.push((ordinal, ended, if ON { Duration::ZERO } else { delay }));",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "a takeover forgets when a retry is due",
        file: "cloacina-core/src/engine/restore.rs",
        place: ".filter(|wait| !wait.is_zero());",
        bug: ".filter(|wait| !wait.is_zero() && !ON);",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "a delayed execution starts at once",
        file: "cloacina-testing/src/memory/commit.rs",
        place: "due_at: new.delay.map(",
        bug: "due_at: new.delay.filter(|_| !ON).map(",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "the time of an execution is never over",
        file: "cloacina-core/src/engine/driver.rs",
        place: "            self.timers.add(at + left, Timer::Deadline);",
        bug: "            if !ON { self.timers.add(at + left, Timer::Deadline); }",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "a slot is free before its body has ended",
        file: "cloacina-core/src/engine/attempt.rs",
        place: "        Body::Async(body) => {\n            let _slot = slot;",
        bug: "        Body::Async(body) => {\n            let _slot = if ON { drop(slot); None } else { Some(slot) };",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "a worker starts bodies though its lease may be over",
        file: "cloacina-core/src/engine/lease.rs",
        place: "        Instant::now() < *self.lock()",
        bug: "        ON || Instant::now() < *self.lock()",
        breaks: &["AtLeastOnce"],
    },
    Mutation {
        name: "a death that was none is not taken back",
        file: "cloacina-core/src/engine/partings.rs",
        place: ".take(AT_ONCE)",
        bug: ".take(if ON { 0 } else { AT_ONCE })",
        breaks: &["Poison"],
    },
    Mutation {
        name: "what has ended is not stopped",
        file: "cloacina-core/src/engine/driver/attempts.rs",
        place: "            ongoing.cancellation.cancel();\n        }\n        self.halt",
        bug: "            if !ON { ongoing.cancellation.cancel(); }\n        }\n        self.halt",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "an execution goes on under a version that does not fit",
        file: "cloacina-core/src/engine/restore.rs",
        place: "rewired(workflow, &structure, &snapshot.tasks) {",
        bug: "rewired(workflow, &structure, &snapshot.tasks).filter(|_| !ON) {",
        breaks: &["Semantics"],
    },
    Mutation {
        name: "a repetition begins without the results",
        file: "cloacina-testing/src/memory/commit.rs",
        place: ".map(|id| self.completed_tasks(id))",
        bug: ".filter(|_| !ON).map(|id| self.completed_tasks(id))",
        breaks: &["ExactlyOnce"],
    },
];
