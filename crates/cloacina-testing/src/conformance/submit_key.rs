//! Submits of `commit` with idempotency keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloacina_core::PipelineStatus;
use cloacina_core::backend::{Batch, SubmitVerdict};

use super::{Fixture, execution};

/// Catches a key that is not looked at, and an answer that names the wrong execution.
pub async fn submit_with_a_taken_key_answers_its_holder(fx: &Fixture) {
    let holder = fx.submit(execution().workflow("etl", "1").key("monday")).await;
    fx.submit(execution().key("tuesday")).await;
    let second = execution().workflow("report", "2").key("monday");
    let verdict = fx.try_submit(second.clone()).await;
    let existing = SubmitVerdict::Existing { id: holder, workflow: "etl".into() };
    assert_eq!(verdict, existing, "a taken key must answer the execution that has it");
    let made = fx.store().load(second.id()).await.expect("load answers");
    assert!(made.is_none(), "an execution was made although its key was taken");
    assert_eq!(fx.try_submit(second).await, existing, "a repeat must get the same verdict");
}

/// Catches a submit that finds its own key taken when it is repeated.
pub async fn submit_repeated_with_its_own_key_is_created(fx: &Fixture) {
    let new = execution().key("monday");
    fx.submit(new.clone()).await;
    let verdict = fx.try_submit(new).await;
    assert_eq!(verdict, SubmitVerdict::Created, "a repeated submit ran into its own key");
}

/// Catches a batch that fails, or makes both, when it holds one key twice.
pub async fn submit_of_one_key_twice_in_a_batch_keeps_the_first(fx: &Fixture) {
    let (first, second) = (execution().key("monday"), execution().key("monday"));
    let other = execution().key("tuesday");
    // The second one has the older id, so that an order by id shows.
    let (first, second) = (second, first);
    let submits = vec![first.clone().into(), second.clone().into(), other.clone().into()];
    let batch = Batch { submits, checkpoints: Vec::new() };
    let existing = SubmitVerdict::Existing { id: first.id(), workflow: "etl".into() };
    let expected = [SubmitVerdict::Created, existing, SubmitVerdict::Created];
    let verdicts = fx.commit(batch.clone()).await.submits;
    assert_eq!(verdicts, expected, "of two submits with one key the first of the batch wins");
    let verdicts = fx.commit(batch).await.submits;
    assert_eq!(verdicts, expected, "the same batch again must get the same verdicts");
    let found = fx.store().standing(&[second.id()]).await.expect("standing answers");
    assert_eq!(found, [None], "the second one was made");
}

/// Catches a key that is free again when its execution ends.
pub async fn submit_key_outlives_the_end_of_its_execution(fx: &Fixture) {
    let me = fx.worker().await;
    let holder = fx.submit(execution().owner(me).key("monday")).await;
    let end = super::checkpoint(holder, me, 1).finish(PipelineStatus::Failed);
    fx.committed(end).await;
    let verdict = fx.try_submit(execution().key("monday")).await;
    let existing = SubmitVerdict::Existing { id: holder, workflow: "etl".into() };
    assert_eq!(verdict, existing, "the key of an ended execution was given to another");
}

/// Catches a check of the key that is not one step with the insert.
pub async fn submit_race_for_one_key_makes_one_execution(fx: &Fixture) {
    let handles = [Arc::clone(fx.store()), fx.another_handle().await, fx.another_handle().await];
    let mut submitters = tokio::task::JoinSet::new();
    for n in 0..48 {
        let handle = Arc::clone(&handles[n % handles.len()]);
        submitters.spawn(async move {
            let new = execution().key("monday");
            let id = new.id();
            let batch = Batch { submits: vec![new.into()], checkpoints: Vec::new() };
            let verdicts = handle.commit(batch.into()).await.expect("commit answers").submits;
            match &verdicts[..] {
                [SubmitVerdict::Created] => (true, id),
                [SubmitVerdict::Existing { id, .. }] => (false, *id),
                other => panic!("one submit got {} verdicts", other.len()),
            }
        });
    }
    let answers = submitters.join_all().await;
    let created = answers.iter().filter(|(created, _)| *created).count();
    assert_eq!(created, 1, "{created} of 48 submits with one key made an execution");
    let named: BTreeSet<_> = answers.iter().map(|(_, id)| *id).collect();
    assert_eq!(named.len(), 1, "the submits were told of different executions");
    let found = fx.store().list(&super::all()).await.expect("list answers");
    assert_eq!(found.len(), 1, "the store holds {} executions", found.len());
}

/// Catches keys that are compared without regard to case, blanks or Unicode form.
pub async fn submit_keys_are_compared_byte_for_byte(fx: &Fixture) {
    let keys = ["key", "Key", "key ", " key", "", "k\u{e9}y", "ke\u{301}y", "k'e\"y", "k%y", "k_y"];
    for key in keys {
        let verdict = fx.try_submit(execution().key(key)).await;
        assert_eq!(verdict, SubmitVerdict::Created, "key {key:?} was taken for another one");
    }
}
