//! `list`.

use cloacina_core::PipelineStatus::{Cancelled, Completed, Failed, Paused, Pending, Running};
use cloacina_core::backend::{Control, ExecutionQuery};
use cloacina_core::{ExecutionId, PipelineStatus};

use super::{Fixture, all, execution};

async fn list(fx: &Fixture, query: ExecutionQuery) -> Vec<ExecutionId> {
    let found = fx.store().list(&query).await.expect("list answers");
    found.into_iter().map(|record| record.id).collect()
}

/// One execution in each state: pending, running, paused, completed, failed, cancelled.
async fn one_of_each(fx: &Fixture) -> [ExecutionId; 6] {
    let me = fx.worker().await;
    let ids = [
        fx.submit_free().await,
        fx.submit_owned(me).await,
        fx.submit_free().await,
        fx.submit_ended(me, Completed).await,
        fx.submit_ended(me, Failed).await,
        fx.submit_free().await,
    ];
    fx.control(ids[2], Control::Pause).await;
    fx.cancel(ids[5]).await;
    ids
}

/// Catches a list that is not ordered, or ordered by something that changes.
pub async fn list_shows_the_newest_first(fx: &Fixture) {
    assert_eq!(list(fx, all()).await, [], "an empty store lists something");
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(fx.submit_free().await);
    }
    fx.control(ids[4], Control::Pause).await;
    fx.cancel(ids[11]).await;
    ids.reverse();
    assert_eq!(list(fx, all()).await, ids, "all executions, newest first");
    assert_eq!(list(fx, all().limit(3)).await, ids[..3], "the three newest");
}

/// Catches a record in the list that differs from the one that is loaded.
pub async fn list_shows_whole_records(fx: &Fixture) {
    let me = fx.worker().await;
    fx.submit_ended(me, Failed).await;
    fx.submit(execution().key("monday").delay(std::time::Duration::from_secs(60))).await;
    fx.submit(execution().workflow("report", "2").owner(me).retry_of(ExecutionId::new())).await;
    let found = fx.store().list(&all()).await.expect("list answers");
    assert_eq!(found.len(), 3, "three executions are there");
    for record in found {
        assert_eq!(fx.record(record.id).await, record, "the record in the list");
    }
}

/// Catches a filter that is ignored, or that takes the last status only.
pub async fn list_filters_by_status(fx: &Fixture) {
    let ids = one_of_each(fx).await;
    let states = [Pending, Running, Paused, Completed, Failed, Cancelled];
    for (id, status) in ids.into_iter().zip(states) {
        assert_eq!(list(fx, all().status(status)).await, [id], "those that are {status}");
    }
    let some = all().status(Completed).status(Pending);
    assert_eq!(list(fx, some).await, [ids[3], ids[0]], "those of two states");
}

/// Catches a name that is matched as a pattern or without its case.
pub async fn list_filters_by_workflow(fx: &Fixture) {
    let names = ["etl", "ETL", "et_", "et%", "it's \"etl\""];
    let mut ids = Vec::new();
    for name in names {
        ids.push(fx.submit(execution().workflow(name, "1")).await);
    }
    let newer = fx.submit(execution().workflow("etl", "2")).await;
    assert_eq!(list(fx, all().workflow("etl")).await, [newer, ids[0]], "every version of `etl`");
    for (name, id) in names.into_iter().zip(ids).skip(1) {
        assert_eq!(list(fx, all().workflow(name)).await, [id], "those of `{name}`");
    }
    assert_eq!(list(fx, all().workflow("none")).await, [], "those of an unknown workflow");
}

/// Catches waiting executions that are not found, and ended ones that look as if they waited.
pub async fn list_filters_those_that_nobody_owns(fx: &Fixture) {
    let ids = one_of_each(fx).await;
    let me = fx.worker().await;
    let given_back = fx.submit_owned(me).await;
    fx.release(given_back, me, 1).await;
    let expected = [given_back, ids[2], ids[0]];
    assert_eq!(list(fx, all().unowned()).await, expected, "unfinished ones without an owner");
}

/// Catches filters of which only one applies.
pub async fn list_joins_its_filters(fx: &Fixture) {
    let me = fx.worker().await;
    let wanted = fx.submit(execution().workflow("a", "1")).await;
    let owned = fx.submit(execution().workflow("a", "1").owner(me)).await;
    fx.submit(execution().workflow("b", "1")).await;
    let paused = fx.submit(execution().workflow("a", "1")).await;
    fx.control(paused, Control::Pause).await;
    let newest = fx.submit(execution().workflow("a", "1")).await;
    let query = all().workflow("a").status(Pending).status(Running).unowned();
    assert_eq!(list(fx, query.clone()).await, [newest, wanted], "three filters at once");
    assert_eq!(list(fx, query.clone().limit(1)).await, [newest], "with a limit");
    assert_eq!(list(fx, query.before(newest).limit(1)).await, [wanted], "and the next page");
    assert_eq!(fx.record(owned).await.owner, Some(me), "listing changed the owner");
}

/// Catches pages that overlap, leave gaps or never end, also while new executions come in.
pub async fn list_pages_are_complete_without_duplicates(fx: &Fixture) {
    let mut ids = Vec::new();
    for n in 0..25 {
        let name = if n % 4 == 0 { "other" } else { "etl" };
        let id = fx.submit(execution().workflow(name, "1")).await;
        if name == "etl" {
            ids.push(id);
        }
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut query = all().workflow("etl").limit(4);
    loop {
        let page = list(fx, query.clone()).await;
        assert!(page.len() <= 4, "a page of {} instead of at most 4", page.len());
        let Some(last) = page.last() else { break };
        query = query.before(*last);
        seen.extend(page);
        assert!(seen.len() <= ids.len(), "the pages do not end");
        fx.submit(execution().workflow("etl", "1")).await;
    }
    assert_eq!(seen, ids, "all pages together, while new executions came in");
}

/// Catches a page that starts with the execution it should start after, and one that needs it to exist.
pub async fn list_before_leaves_out_the_one_it_names(fx: &Fixture) {
    let old = fx.submit_free().await;
    let unknown = ExecutionId::new();
    let new = fx.submit_free().await;
    assert_eq!(list(fx, all().before(new)).await, [old], "those before the newest");
    assert_eq!(list(fx, all().before(unknown)).await, [old], "those before one that is gone");
    assert_eq!(list(fx, all().before(old)).await, [], "those before the oldest");
    let everything: Vec<PipelineStatus> = PipelineStatus::ALL.into();
    let query = everything.into_iter().fold(all(), ExecutionQuery::status);
    assert_eq!(list(fx, query).await, [new, old], "those in any of all states");
}
