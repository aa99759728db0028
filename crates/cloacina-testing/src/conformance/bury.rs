//! `bury_dead_workers`.

use std::sync::Arc;

use cloacina_core::backend::{
    AttemptState, Burial, CheckpointVerdict, Control, EventKind, ProofOfDeath,
};
use cloacina_core::{PipelineStatus, WorkerId};

use super::fixture::soon;
use super::{Fixture, attempt_failure, attempt_start, checkpoint, task_end};

/// Catches leases that never end.
pub async fn bury_finds_a_worker_whose_lease_ran_out(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    for _ in 0..3 {
        fx.submit_owned(dead).await;
    }
    let burial = fx.bury(dead).await;
    let expected = Burial { worker: dead, proof: ProofOfDeath::Lease, executions: 3 };
    assert_eq!(burial, expected, "the burial of a worker with three executions is told wrongly");
}

/// Catches a store that waits for the lease although the process is known to be gone.
pub async fn bury_finds_a_worker_whose_process_is_gone(fx: &Fixture) {
    let process = fx.another_handle().await;
    let dead = fx.worker_on(&process).await;
    let id = fx.submit_owned(dead).await;
    process.close().await;
    let proof = fx.proof_that_it_is_gone(dead).await;
    let burial = fx.bury(dead).await;
    let expected = Burial { worker: dead, proof, executions: 1 };
    assert_eq!(burial, expected, "the burial of a worker whose process ended is told wrongly");
    assert_eq!(fx.record(id).await.owner, None, "the dead worker still owns its execution");
}

/// Catches a proof of death that holds for the living, in this process and in another.
pub async fn bury_spares_the_living(fx: &Fixture) {
    let process = fx.another_handle().await;
    let (near, far) = (fx.worker().await, fx.worker_on(&process).await);
    let ids = [fx.submit_owned(near).await, fx.submit_owned(far).await];
    for handle in [fx.store(), &process] {
        let burials = handle.bury_dead_workers(WorkerId::new()).await.expect("bury answers");
        assert_eq!(burials, [], "a living worker was buried");
    }
    assert_eq!(fx.record(ids[0]).await.owner, Some(near), "a living worker lost its execution");
    assert_eq!(fx.record(ids[1]).await.owner, Some(far), "a living worker lost its execution");
}

/// Catches a sweeper that buries itself when it was late with its own heartbeat.
pub async fn bury_spares_the_caller(fx: &Fixture) {
    let (me, dead) = (fx.doomed_worker().await, fx.doomed_worker().await);
    let id = fx.submit_owned(me).await;
    let burials = soon("the burial of a dead worker", async {
        loop {
            let burials = fx.store().bury_dead_workers(me).await.expect("bury answers");
            if !burials.is_empty() {
                break burials;
            }
            super::fixture::take_a_breath().await;
        }
    });
    let buried: Vec<_> = burials.await.into_iter().map(|burial| burial.worker).collect();
    assert_eq!(buried, [dead], "a worker must bury the other dead one and never itself");
    assert_eq!(fx.record(id).await.owner, Some(me), "the caller lost its execution");
}

/// Catches a recovery that is not counted, not told, or that ends or restarts the execution.
pub async fn bury_counts_and_records_the_takeover(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit_owned(dead).await;
    fx.bury(dead).await;
    let record = fx.record(id).await;
    assert_eq!(record.takeovers, 1, "the takeover was not counted");
    assert_eq!(record.owner, None, "the dead worker still owns it");
    assert_eq!(record.status, PipelineStatus::Running, "the status changed");
    assert_eq!(record.epoch, 1, "a burial is no claim: the epoch stays");
    assert_eq!(fx.events(id).await, [EventKind::Recovered], "one `Recovered` event is expected");
}

/// Catches attempts of the dead that stay running, or failures that a burial overwrites.
pub async fn bury_marks_running_attempts_lost(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit_owned(dead).await;
    let step = checkpoint(id, dead, 1)
        .failure(attempt_failure("load", 1, "no route"))
        .start(attempt_start("load", 2));
    fx.committed(step).await;
    fx.bury(dead).await;
    let attempts = fx.load(id).await.attempts;
    assert_eq!(attempts.len(), 2, "a burial removed or added attempts: {attempts:?}");
    for row in attempts {
        let (state, what) = match row.attempt {
            1 => (AttemptState::Failed, "the failed attempt changed"),
            _ => (AttemptState::Lost, "the attempt of the dead worker was not lost"),
        };
        assert_eq!(row.state, state, "{what}");
    }
}

/// Catches two sweepers that both free, count and announce one death.
pub async fn bury_happens_once(fx: &Fixture) {
    let other = fx.another_handle().await;
    let dead = fx.doomed_worker().await;
    let ids = [fx.submit_owned(dead).await, fx.submit_owned(dead).await];
    fx.let_pass(std::time::Duration::from_millis(20)).await;
    let (here, there) = tokio::join!(
        fx.store().bury_dead_workers(WorkerId::new()),
        other.bury_dead_workers(WorkerId::new()),
    );
    let mut burials = here.expect("bury answers");
    burials.extend(there.expect("bury answers"));
    burials.extend(fx.store().bury_dead_workers(WorkerId::new()).await.expect("bury answers"));
    let told = burials.iter().filter(|burial| burial.worker == dead).count();
    assert_eq!(told, 1, "three sweeps told one death {told} times");
    for id in ids {
        assert_eq!(fx.record(id).await.takeovers, 1, "one death was counted more than once");
        assert_eq!(fx.events(id).await, [EventKind::Recovered], "or recorded more than once");
    }
}

/// Catches a count of takeovers that is set and not added to, or that a claim resets.
pub async fn bury_counts_every_death_in_a_row(fx: &Fixture) {
    let id = fx.submit_free().await;
    for deaths in 1..=3 {
        let dead = fx.worker().await;
        assert_eq!(fx.claim(dead, 1).await, [id], "a freed execution could not be claimed");
        fx.doom(dead).await;
        fx.bury(dead).await;
        let record = fx.record(id).await;
        assert_eq!(record.takeovers, deaths, "takeovers after {deaths} deaths");
        assert_eq!(record.epoch, u64::from(deaths), "epoch after {deaths} claims");
    }
}

/// Catches a burial that reopens, counts or robs what had ended.
pub async fn bury_leaves_ended_executions_alone(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let ended = fx.submit_ended(dead, PipelineStatus::Completed).await;
    let cancelled = fx.submit_owned(dead).await;
    fx.cancel(cancelled).await;
    let before = (fx.record(ended).await, fx.record(cancelled).await);
    let burial = fx.bury(dead).await;
    assert_eq!(burial.executions, 0, "ended executions were counted as freed");
    let after = (fx.record(ended).await, fx.record(cancelled).await);
    assert_eq!(after, before, "a burial changed executions that had ended");
}

/// Catches a burial that forgets paused executions, or that lets them go on.
pub async fn bury_frees_paused_executions_as_paused(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit_owned(dead).await;
    fx.control(id, Control::Pause).await;
    let burial = fx.bury(dead).await;
    assert_eq!(burial.executions, 1, "the paused execution was not counted");
    let record = fx.record(id).await;
    assert_eq!(record.owner, None, "the dead worker still owns a paused execution");
    assert_eq!(record.status, PipelineStatus::Paused, "a burial resumed a paused execution");
}

/// Catches a worker that was taken for dead and commits when it wakes up.
pub async fn bury_fences_the_dead(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let next = fx.worker().await;
    let id = fx.submit_owned(dead).await;
    fx.bury(dead).await;
    let late = checkpoint(id, dead, 1).task(task_end("load")).finish(PipelineStatus::Completed);
    let verdict = fx.checkpoint(late.clone()).await;
    assert_eq!(verdict, CheckpointVerdict::Fenced, "a dead worker committed before a new claim");
    assert_eq!(fx.claim(next, 1).await, [id], "the freed execution could not be claimed");
    let verdict = fx.checkpoint(late).await;
    assert_eq!(verdict, CheckpointVerdict::Fenced, "a dead worker committed after a new claim");
    assert!(fx.load(id).await.tasks.is_empty(), "a task of a dead worker was written");
}

/// Catches a recovery that throws away what was committed.
pub async fn bury_keeps_what_was_committed(fx: &Fixture) {
    let dead = fx.doomed_worker().await;
    let id = fx.submit_owned(dead).await;
    fx.committed(checkpoint(id, dead, 1).task(task_end("extract").output("[1]"))).await;
    let before = fx.load(id).await.tasks;
    fx.bury(dead).await;
    assert_eq!(fx.load(id).await.tasks, before, "a burial changed the results on record");
}

/// Catches a handle that loses its proofs when it registers several workers.
pub async fn bury_tells_the_workers_of_one_process_apart(fx: &Fixture) {
    let process = fx.another_handle().await;
    let retired = fx.worker_on(&process).await;
    let alive = fx.worker_on(&process).await;
    process.retire_worker(retired).await.expect("retire answers");
    let by = Arc::clone(fx.store());
    let burials = by.bury_dead_workers(WorkerId::new()).await.expect("bury answers");
    assert_eq!(burials, [], "a worker was buried when another one of its process retired");
    process.close().await;
    let proof = fx.proof_that_it_is_gone(alive).await;
    assert_eq!(fx.bury(alive).await.proof, proof, "the proof of its death is wrong");
}
