//! What `MemoryBackend` promises beyond the contract.

use std::time::{Duration, Instant};

use cloacina_core::backend::{
    Backend, Batch, ClaimRequest, ClaimScope, NewWorker, ProofOfDeath, SubmitVerdict,
};
use cloacina_core::{Changes, TenantStore, WorkerId};
use cloacina_testing::conformance::{checkpoint, execution, task_end, workflow_key};
use cloacina_testing::tenant_conformance::tenant;
use cloacina_testing::{MemoryBackend, MemoryTenants};

const LEASE: Duration = Duration::from_secs(30);

async fn register(handle: &MemoryBackend) -> WorkerId {
    let worker = NewWorker { id: WorkerId::new(), lease_ttl: LEASE };
    handle.register_worker(&worker).await.expect("register_worker answers");
    worker.id
}

#[tokio::test(start_paused = true)]
async fn its_clock_follows_virtual_time() {
    let store = MemoryBackend::new();
    let worker = register(&store).await;
    let before = store.commit(Batch::default().into()).await.unwrap().at;
    tokio::time::advance(LEASE - Duration::from_millis(1)).await;
    assert_eq!(store.bury_dead_workers(WorkerId::new()).await.unwrap(), [], "it has a lease");
    tokio::time::advance(Duration::from_millis(1)).await;
    let burials = store.bury_dead_workers(WorkerId::new()).await.unwrap();
    assert_eq!(burials.len(), 1, "the lease has run out");
    assert_eq!((burials[0].worker, burials[0].proof), (worker, ProofOfDeath::Lease));
    let after = store.commit(Batch::default().into()).await.unwrap().at;
    assert_eq!((after - before).to_std().unwrap(), LEASE, "the clock is not tokio's");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_changes_needs_no_poll() {
    let store = MemoryBackend::new();
    let other = store.another_handle();
    let wait = tokio::time::timeout(Duration::from_secs(3_600), store.changed(LEASE));
    assert!(wait.await.is_err(), "nothing changed, and the wait ended");
    let batch = Batch { submits: vec![execution().into()], checkpoints: Vec::new() };
    store.commit(batch.clone().into()).await.unwrap();
    let wait = tokio::time::timeout(LEASE, store.changed(LEASE));
    assert!(wait.await.is_err(), "a handle was woken by what it wrote itself");
    other.commit(batch.into()).await.unwrap();
    let wait = tokio::time::timeout(Duration::ZERO, store.changed(LEASE));
    assert!(wait.await.is_ok(), "a change by another handle was forgotten");
}

#[tokio::test(start_paused = true)]
async fn tenants_fall_due_in_virtual_time() {
    let (tenants, acme) = (MemoryTenants::new(), tenant("acme"));
    tenants.create(&acme).await.unwrap();
    let backend = tenants.open(&acme).await.unwrap();
    let submits = vec![execution().delay(LEASE).into()];
    backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
    let due = async || tenants.work(None).await.unwrap()[0].next_due;
    assert_eq!(due().await, Some(LEASE));
    tokio::time::advance(LEASE - Duration::from_millis(1)).await;
    assert_eq!(due().await, Some(Duration::from_millis(1)));
    tokio::time::advance(LEASE).await;
    assert_eq!(due().await, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_store_of_tenants_is_told_what_others_did_and_who_died() {
    let (here, acme) = (MemoryTenants::new(), tenant("acme"));
    let there = here.another_handle();
    here.create(&acme).await.unwrap();
    let (mine, theirs) = (here.open(&acme).await.unwrap(), there.open(&acme).await.unwrap());
    let told = async || tokio::time::timeout(LEASE, here.changed(LEASE)).await.ok();
    let batch = Batch { submits: vec![execution().into()], checkpoints: Vec::new() };
    mine.commit(batch.clone().into()).await.unwrap();
    assert_eq!(told().await, None, "it was told what it did itself");
    theirs.commit(batch.into()).await.unwrap();
    assert_eq!(told().await, Some(Changes::In(vec![acme.clone()])));
    register(&theirs).await;
    assert_eq!(told().await, None, "a worker is no work");
    drop(theirs);
    assert_eq!(told().await, Some(Changes::In(vec![acme])), "a death");
}

#[tokio::test]
async fn a_clone_is_the_same_handle_and_the_last_one_takes_its_workers_along() {
    let store = MemoryBackend::new();
    let process = store.another_handle();
    let clone = process.clone();
    let worker = register(&process).await;
    drop(process);
    assert_eq!(store.bury_dead_workers(WorkerId::new()).await.unwrap(), [], "a clone is open");
    drop(clone);
    let burials = store.bury_dead_workers(WorkerId::new()).await.unwrap();
    assert_eq!(burials.len(), 1, "a dropped handle must leave its worker dead");
    assert_eq!((burials[0].worker, burials[0].proof), (worker, ProofOfDeath::Lock));
}

#[tokio::test]
async fn twenty_thousand_executions_are_no_burden() {
    let begun = Instant::now();
    let store = MemoryBackend::new();
    let worker = register(&store).await;
    for _ in 0..200 {
        let submits = (0..100).map(|_| execution().into()).collect();
        let verdicts =
            store.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
        assert_eq!(verdicts.submits, vec![SubmitVerdict::Created; 100]);
    }
    let scope = ClaimScope::Workflows(vec![workflow_key()]);
    let request = ClaimRequest { worker, limit: 4, scope };
    let mut done = 0;
    loop {
        let claims = store.claim(&request).await.unwrap().executions;
        if claims.is_empty() {
            break;
        }
        done += claims.len();
        for claim in claims {
            let id = claim.record.id;
            let step = checkpoint(id, worker, 1).task(task_end("load"));
            let step = step.finish(cloacina_core::PipelineStatus::Completed);
            let batch = Batch { submits: Vec::new(), checkpoints: vec![step.into()] };
            store.commit(batch.into()).await.unwrap();
        }
    }
    assert_eq!(done, 20_000, "executions that were claimed");
    while store.prune(Duration::ZERO, 100).await.unwrap() > 0 {}
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "20,000 executions took {took:?}");
}
