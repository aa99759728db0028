//! `claim`, of executions that are due.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloacina_core::backend::{
    AttemptState, Backend, Batch, ClaimRequest, ClaimScope, Control, WorkflowKey,
};
use cloacina_core::{ExecutionId, PipelineStatus, WorkerId};

use super::fixture::drop_after_polls;
use super::{
    Fixture, adopt, adopt_under, attempt_failure, attempt_start, checkpoint, execution, task_end,
    workflow_key,
};

fn key(name: &str, version: &str) -> WorkflowKey {
    WorkflowKey { name: name.into(), version: version.into() }
}

async fn submit_many(fx: &Fixture, count: usize) -> Vec<ExecutionId> {
    let items: Vec<_> = (0..count).map(|_| execution()).collect();
    let submits = items.iter().cloned().map(Into::into).collect();
    fx.commit(Batch { submits, checkpoints: Vec::new() }).await;
    items.iter().map(super::ExecutionBuilder::id).collect()
}

/// Claims a few at a time until nothing is left.
async fn claim_all(handle: Arc<dyn Backend>, worker: WorkerId) -> Vec<(ExecutionId, WorkerId)> {
    let mut got = Vec::new();
    let scope = ClaimScope::Workflows(vec![workflow_key()]);
    let request = ClaimRequest { worker, limit: 7, scope };
    loop {
        let claims = handle.claim(&request).await.expect("claim answers");
        if claims.executions.is_empty() {
            return got;
        }
        got.extend(claims.executions.iter().map(|snapshot| (snapshot.record.id, worker)));
    }
}

/// Catches a claim that reads what is free and takes it in two steps.
pub async fn claim_gives_an_execution_to_one_worker_only(fx: &Fixture) {
    let ids = submit_many(fx, 200).await;
    let other = fx.another_handle().await;
    let mut claimers = tokio::task::JoinSet::new();
    for n in 0..4 {
        let handle = if n % 2 == 0 { Arc::clone(fx.store()) } else { Arc::clone(&other) };
        let worker = fx.worker_on(&handle).await;
        claimers.spawn(claim_all(handle, worker));
    }
    let got = claimers.join_all().await.concat();
    let owners: BTreeMap<_, _> = got.iter().copied().collect();
    assert_eq!(got.len(), owners.len(), "an execution was given to two workers");
    // A claim may pass over rows that another one holds: what is left must still be there to be claimed.
    let rest = claim_all(Arc::clone(fx.store()), fx.worker().await).await;
    assert_eq!(got.len() + rest.len(), ids.len(), "executions were lost in the race");
    for (id, owner) in got.into_iter().chain(rest) {
        let record = fx.record(id).await;
        assert_eq!((record.owner, record.epoch), (Some(owner), 1), "(owner, epoch) on record");
    }
}

/// Catches a claim without an order, which starves the oldest.
pub async fn claim_gives_the_oldest_first(fx: &Fixture) {
    let me = fx.worker().await;
    let ids = submit_many(fx, 30).await;
    assert_eq!(fx.claim(me, 10).await, ids[..10], "the first claim must give the ten oldest");
    fx.release(ids[3], me, 1).await;
    let expected: Vec<_> = [3].into_iter().chain(10..30).map(|n| ids[n]).collect();
    assert_eq!(fx.claim(me, 100).await, expected, "what was given back is the oldest again");
}

/// Catches an order within each workflow instead of over all of them.
pub async fn claim_gives_the_oldest_of_all_workflows(fx: &Fixture) {
    let me = fx.worker().await;
    let mut ids = Vec::new();
    for n in 0..9 {
        let name = ["c", "a", "b"][n % 3];
        ids.push(fx.submit(execution().workflow(name, "1")).await);
    }
    let scope = ClaimScope::Workflows(vec![key("a", "1"), key("b", "1"), key("c", "1")]);
    let claims = fx.claim_in(scope, me, 5).await;
    let given: Vec<_> = claims.executions.iter().map(|it| it.record.id).collect();
    assert_eq!(given, ids[..5], "the five oldest of three workflows");
}

/// Catches a limit that is not kept, or that is taken for none when it is 0.
pub async fn claim_takes_no_more_than_its_limit(fx: &Fixture) {
    let me = fx.worker().await;
    let ids = submit_many(fx, 5).await;
    assert_eq!(fx.claim(me, 0).await, [], "a claim of nothing got something");
    assert_eq!(fx.claim(me, 2).await, ids[..2], "a claim of two");
    let free = fx.store().standing(&ids).await.expect("standing answers");
    let free = free.iter().flatten().filter(|it| it.owner.is_none()).count();
    assert_eq!(free, 3, "executions beyond the limit were taken");
}

/// Catches a claim that looks at the name only, or that mixes up names and versions of different pairs.
pub async fn claim_gives_only_workflows_in_scope(fx: &Fixture) {
    let me = fx.worker().await;
    let wanted = [
        fx.submit(execution().workflow("etl", "2")).await,
        fx.submit(execution().workflow("mail", "1")).await,
    ];
    for (name, version) in [("etl", "1"), ("mail", "2"), ("ETL", "2"), ("other", "1")] {
        fx.submit(execution().workflow(name, version)).await;
    }
    let scope = ClaimScope::Workflows(vec![key("etl", "2"), key("mail", "1"), key("none", "9")]);
    let claims = fx.claim_in(scope, me, 10).await;
    let given: Vec<_> = claims.executions.iter().map(|it| it.record.id).collect();
    assert_eq!(given, wanted, "exactly the workflows and versions in scope must be given");
    let nothing = fx.claim_in(ClaimScope::Workflows(Vec::new()), me, 10).await;
    assert!(nothing.executions.is_empty(), "an empty scope was taken for every workflow");
}

/// Catches a claim of named executions that minds versions, gives others, or trips over those that are not there.
pub async fn claim_of_named_executions_gives_these_only(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let first = fx.submit(execution().workflow("etl", "old")).await;
    let unnamed = fx.submit_free().await;
    let second = fx.submit(execution().workflow("mail", "older")).await;
    let owned = fx.submit_owned(other).await;
    let named = vec![second, owned, ExecutionId::new(), first, second];
    let claims = fx.claim_in(adopt(named), me, 10).await;
    let given: Vec<_> = claims.executions.iter().map(|it| it.record.id).collect();
    assert_eq!(given, [first, second], "the free ones of those named, oldest first");
    for claimed in &claims.executions {
        assert_eq!(&*claimed.record.workflow.version, "adopted", "the version of its new owner");
    }
    assert_eq!(&*fx.record(owned).await.workflow.version, "c0ffee", "another worker's version");
    assert_eq!(fx.record(unnamed).await.owner, None, "an execution was taken that nobody named");
    assert_eq!(fx.record(owned).await.owner, Some(other), "another worker's was taken");
    let nothing = fx.claim_in(adopt(Vec::new()), me, 10).await;
    assert!(nothing.executions.is_empty(), "an empty list was taken for every execution");
}

/// Catches an execution that goes on under a version which somebody found to fit, though another has gone on with it since.
pub async fn claim_of_named_executions_passes_over_what_was_owned_since(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let (same, since) = (
        fx.submit_free().await,
        fx.submit(execution().delay(std::time::Duration::from_secs(60))).await,
    );
    for epoch in 1..=2 {
        fx.claim_in(adopt_under([(same, epoch - 1)]), other, 1).await;
        fx.release(same, other, epoch).await;
    }
    let stale = [(same, 0), (same, 1), (same, 3), (since, 1)];
    let claims = fx.claim_in(adopt_under(stale), me, 10).await;
    assert!(claims.executions.is_empty(), "it was given though it was owned since");
    assert_eq!(claims.next_due, None, "what was owned since is not in scope");
    let claims = fx.claim_in(adopt_under([(same, 1), (same, 2), (since, 0)]), me, 10).await;
    let given: Vec<_> = claims.executions.iter().map(|it| it.record.id).collect();
    assert_eq!(given, [same], "it was not given though nobody has owned it since");
    assert!(claims.next_due.is_some(), "the other falls due");
}

/// Catches an epoch that is set and not raised, so that an owner from before gets through the fence.
pub async fn claim_raises_the_epoch_every_time(fx: &Fixture) {
    let id = fx.submit_free().await;
    let me = fx.worker().await;
    for epoch in 1..=4 {
        assert_eq!(fx.claim(me, 1).await, [id], "a free execution could not be claimed");
        let record = fx.record(id).await;
        assert_eq!(record.epoch, epoch, "epoch after {epoch} claims");
        assert_eq!(record.status, PipelineStatus::Running, "status after a claim");
        fx.release(id, me, epoch).await;
    }
}

/// Catches a start that moves with every claim.
pub async fn claim_sets_the_start_once(fx: &Fixture) {
    let id = fx.submit_free().await;
    let me = fx.worker().await;
    fx.claim(me, 1).await;
    let first = fx.record(id).await.started_at;
    assert!(first.is_some(), "a claimed execution has not started");
    fx.release(id, me, 1).await;
    fx.let_pass(std::time::Duration::from_millis(5)).await;
    assert_eq!(fx.claim(me, 1).await, [id], "a free execution could not be claimed");
    assert_eq!(fx.record(id).await.started_at, first, "a second claim moved the start");
}

/// Catches work that goes to a worker without a lease, where nobody would ever miss it.
pub async fn claim_gives_nothing_to_an_unregistered_worker(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    fx.bury(dead).await;
    let id = fx.submit_free().await;
    for (worker, who) in [(WorkerId::new(), "an unknown worker"), (dead, "a buried worker")] {
        assert_eq!(fx.claim(worker, 1).await, [], "{who} was given an execution");
        let named = fx.claim_in(adopt(vec![id]), worker, 1).await;
        assert!(named.executions.is_empty(), "{who} was given an execution by its name");
    }
    let record = fx.record(id).await;
    assert_eq!((record.owner, record.epoch), (None, 0), "(owner, epoch) of an unclaimed one");
}

/// Catches a claim that takes what is owned, on hold or over.
pub async fn claim_passes_over_owned_paused_and_ended(fx: &Fixture) {
    let (me, other) = (fx.worker().await, fx.worker().await);
    let (paused, cancelled) = (fx.submit_free().await, fx.submit_free().await);
    fx.control(paused, Control::Pause).await;
    fx.cancel(cancelled).await;
    let ids = vec![
        fx.submit_owned(other).await,
        fx.submit_ended(other, PipelineStatus::Completed).await,
        fx.submit_ended(other, PipelineStatus::Failed).await,
        paused,
        cancelled,
    ];
    let before = fx.store().standing(&ids).await.expect("standing answers");
    assert_eq!(fx.claim(me, 10).await, [], "what is owned, paused or ended was given");
    let named = fx.claim_in(adopt(ids.clone()), me, 10).await;
    assert!(named.executions.is_empty(), "it was given by its name");
    let after = fx.store().standing(&ids).await.expect("standing answers");
    assert_eq!(after, before, "a claim that gave nothing changed something");
}

/// Catches a new owner that starts without what the one before it committed.
pub async fn claim_hands_over_all_that_is_on_record(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit(execution().owner(dead).input(r#"{"day":"monday"}"#)).await;
    let step = checkpoint(id, dead, 1)
        .task(task_end("load").ordinal(1).output("2"))
        .task(task_end("extract").ordinal(0).changes(r#"{"rows":3}"#))
        .failure(attempt_failure("report", 1, "no route"))
        .start(attempt_start("report", 2));
    fx.committed(step).await;
    fx.bury(dead).await;
    let me = fx.worker().await;
    let scope = ClaimScope::Workflows(vec![workflow_key()]);
    let mut claims = fx.claim_in(scope, me, 1).await.executions;
    assert_eq!(claims.len(), 1, "the freed execution could not be claimed");
    let given = claims.remove(0);
    let loaded = fx.load(id).await;
    assert_eq!(given.record, loaded.record, "the record that a claim hands over");
    assert_eq!((given.record.owner, given.record.epoch), (Some(me), 2), "(owner, epoch) in it");
    assert_eq!(given.record.takeovers, 1, "the takeover was not handed over");
    assert_eq!(given.input.as_str(), r#"{"day":"monday"}"#, "the input was not handed over");
    assert_eq!(given.tasks, loaded.tasks, "the tasks were not handed over");
    let order: Vec<_> = given.tasks.iter().map(|task| task.task.as_str()).collect();
    assert_eq!(order, ["extract", "load"], "the tasks are not in the order of their ordinals");
    let mut states: Vec<_> = given.attempts.iter().map(|row| (row.attempt, row.state)).collect();
    states.sort_by_key(|row| row.0);
    let expected = [(1, AttemptState::Failed), (2, AttemptState::Lost)];
    assert_eq!(states, expected, "the attempts were not handed over");
}

/// Catches tasks of one execution that are handed over with another.
pub async fn claim_hands_each_its_own(fx: &Fixture) {
    let me = fx.worker().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        let id = fx.submit(execution().owner(me).input(format!("{{\"n\":{n}}}"))).await;
        let mut step = checkpoint(id, me, 1);
        for task in 0..n % 3 {
            step = step.task(task_end(format!("t{n}-{task}")).ordinal(task));
            step = step.start(attempt_start(format!("a{n}-{task}"), 1));
        }
        fx.committed(step).await;
        ids.push(id);
    }
    fx.store().retire_worker(me).await.expect("retire answers");
    let scope = ClaimScope::Workflows(vec![workflow_key()]);
    let claims = fx.claim_in(scope, fx.worker().await, 100).await.executions;
    assert_eq!(claims.len(), ids.len(), "not everything that is free was given");
    for (n, (id, given)) in ids.into_iter().zip(claims).enumerate() {
        assert_eq!(given.record.id, id, "item {n} is another execution");
        assert_eq!(given.input.as_str(), format!("{{\"n\":{n}}}"), "input of item {n}");
        let tasks: Vec<_> = given.tasks.iter().map(|task| task.task.to_string()).collect();
        let expected: Vec<_> = (0..n % 3).map(|task| format!("t{n}-{task}")).collect();
        assert_eq!(tasks, expected, "tasks of item {n}");
        assert_eq!(given.attempts.len(), n % 3, "attempts of item {n}");
        let own = given.attempts.iter().all(|it| it.task.as_str().starts_with(&format!("a{n}-")));
        assert!(own, "item {n} got attempts of another: {:?}", given.attempts);
    }
}

/// Catches a claim that loses executions, or gives them twice, when its caller goes away.
pub async fn claim_dropped_leaves_each_with_one_owner(fx: &Fixture) {
    let other = fx.another_handle().await;
    for polls in 1..=12 {
        let ids = submit_many(fx, 10).await;
        let gone = fx.worker().await;
        let scope = adopt_under(
            [0, 1].into_iter().flat_map(|epoch| ids.iter().map(move |id| (*id, epoch))),
        );
        let request = ClaimRequest { worker: gone, limit: 6, scope };
        drop_after_polls(polls, fx.store().claim(&request)).await;

        // Both handles must be of use, whatever became of the claim.
        let next = fx.worker_on(&other).await;
        other
            .claim(&ClaimRequest { worker: next, ..request.clone() })
            .await
            .expect("claim answers");
        fx.store().retire_worker(gone).await.expect("retire answers after a dropped claim");
        other
            .claim(&ClaimRequest { worker: next, limit: 10, ..request })
            .await
            .expect("claim answers");
        for id in ids {
            let owner = fx.record(id).await.owner;
            assert_eq!(owner, Some(next), "after a claim dropped after {polls} polls");
        }
        other.retire_worker(next).await.expect("retire answers");
    }
}

/// Catches a worker that learns of a newcomer only at its next heartbeat.
pub async fn claim_tells_how_many_others_there_are(fx: &Fixture) {
    let me = fx.worker().await;
    let scope = || ClaimScope::Workflows(vec![workflow_key()]);
    assert_eq!(fx.claim_in(scope(), me, 1).await.peers, 0, "alone");
    let process = fx.another_handle().await;
    let other = fx.worker_on(&process).await;
    fx.submit_free().await;
    assert_eq!(fx.claim_in(scope(), me, 1).await.peers, 1, "with one that has come");
    assert_eq!(fx.claim_in(scope(), WorkerId::new(), 1).await.peers, 2, "not registered itself");
    process.retire_worker(other).await.expect("retire answers");
    assert_eq!(fx.claim_in(scope(), me, 1).await.peers, 0, "alone again");
}
