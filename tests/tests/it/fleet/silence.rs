//! Connections that are cut, or fall silent, between a worker and the server.

use cloacina_core::PipelineStatus;
use cloacina_testing::postgres::server;
use cloacina_tests::effects::Kind;
use cloacina_tests::montage::Order;
use cloacina_tests::proxy::{Passage, Proxy};
use fastrand::Rng;

use super::support::{Evidence, check_values, fleet, submit_all, until};

const EXECUTIONS: u64 = 300;

/// Splits an address into what comes before host and port, these, and what comes after.
fn parts(url: &str) -> (&str, &str, &str) {
    let start = url.rfind('@').map_or(0, |at| at + 1);
    let length = url[start..].find('/').unwrap_or(url.len() - start);
    (&url[..start], &url[start..start + length], &url[start + length..])
}

/// Starts a proxy before the server of all tests; with the address by way of it.
async fn proxy() -> (Proxy, String) {
    let (before, place, after) = parts(server().url());
    let proxy = Proxy::start(place).await.unwrap();
    let url = format!("{before}{}{after}", proxy.address());
    (proxy, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_at_random_lose_nothing_and_repeat_no_result() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let fleet = fleet().await;
    let (proxy, url) = proxy().await;
    // Alone: what it does not do, nobody does.
    let worker = fleet.worker_at(&url, &["lease_ms=60000"]).await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..EXECUTIONS).map(|n| Order { n, ..Order::default() }).collect();
    let ids = submit_all(&client, &orders).await;
    for cuts in 1..=12 {
        fleet.until_ended(ids.len() * cuts / 13).await;
        if random.bool() {
            // What the server did meanwhile, the worker never hears of: perhaps a commit.
            let withheld = proxy.withheld();
            proxy.let_pass(Passage::Questions);
            until("an answer was withheld", async || proxy.withheld() > withheld).await;
        }
        proxy.cut();
        proxy.let_pass(Passage::Open);
    }
    fleet.until_ended(ids.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    assert_eq!(evidence.lost_runs(), Vec::<&_>::new(), "the worker lived: nothing ran in vain");
    worker.shut_down().await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_sends_after_a_silence_past_its_lease_is_refused() {
    let fleet = fleet().await;
    let (proxy, url) = proxy().await;
    let silent = fleet.worker_at(&url, &["lease_ms=2000"]).await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..6).map(|n| fleet.held_in("model", n)).collect();
    let ids = submit_all(&client, &orders).await;
    fleet.until_begun("model", &silent, ids.len()).await;
    let other = fleet.worker(&["lease_ms=2000"]).await;
    proxy.let_pass(Passage::Nothing);
    // Its bodies end, and what they made is on its way when it is declared dead.
    fleet.open_gate(Some(&silent));
    let what = "its bodies have ended";
    until(what, async || fleet.count(Kind::End, "model", &silent) == ids.len()).await;
    fleet.until_begun("model", &other, ids.len()).await;
    proxy.let_pass(Passage::Open);
    until("it has noticed", async || fleet.registered(&silent).await == 2).await;
    let committed = fleet.database.committed().await;
    assert!(committed.iter().all(|row| row.task != "model"), "what it sent is not committed");
    fleet.open_gate(Some(&other));
    fleet.until_ended(ids.len()).await;
    other.shut_down().await;
    let again: Vec<_> = (100..120).map(|n| Order { n, ..Order::default() }).collect();
    let more = submit_all(&client, &again).await;
    fleet.until_ended(ids.len() + more.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    evidence.check_complete(&more);
    check_values(&client, &ids, &orders).await;
    eprintln!("{} refusals on record", fleet.database.events("fenced").await.len());
    silent.shut_down().await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}

/// Catches a worker that waits for ever on a connection that no answer will come from, as behind a firewall that forgot it.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fall_silent_for_good_are_given_up_for_new_ones() {
    let fleet = fleet().await;
    let (proxy, url) = proxy().await;
    let worker = fleet.worker_at(&url, &["lease_ms=60000"]).await;
    let client = fleet.client().await;
    let orders: Vec<_> = (0..40).map(|n| Order { n, pace: 20, ..Order::default() }).collect();
    let ids = submit_all(&client, &orders).await;
    fleet.until_ended(ids.len() / 4).await;
    proxy.silence();
    fleet.until_ended(ids.len()).await;
    let evidence = Evidence::gather(&fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    check_values(&client, &ids, &orders).await;
    worker.shut_down().await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}

/// Catches workers that take each other for dead while they are cut off, and in the end give up what runs long.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_task_is_not_abandoned_because_its_living_workers_were_cut_off_in_turn() {
    let fleet = fleet().await;
    let settings = ["lease_ms=15000", "max_recovery_attempts=3"];
    let (one, one_url) = proxy().await;
    let (other, other_url) = proxy().await;
    let first = fleet.worker_at(&one_url, &settings).await;
    let client = fleet.client().await;
    let order = fleet.held_in("model", 1);
    let ids = submit_all(&client, std::slice::from_ref(&order)).await;
    fleet.until_begun("model", &first, 1).await;
    let second = fleet.worker_at(&other_url, &settings).await;
    let mut sides = [(&one, &first), (&other, &second)];
    for turn in 1..=5 {
        let [(proxy, cut_off), (_, next)] = sides;
        proxy.cut();
        proxy.let_pass(Passage::Nothing);
        // Both are processes that live; whoever is cut off comes back before its lease is over.
        let goes_on = turn / 2 + 1;
        until("the other has taken over, or it was given up", async || {
            let status = client.get_execution_status(ids[0]).await.unwrap();
            assert_ne!(status, PipelineStatus::Failed, "given up, and nobody died");
            fleet.begun("model", next) >= goes_on
        })
        .await;
        let registered = fleet.registered(cut_off).await;
        proxy.let_pass(Passage::Open);
        until("it has come back", async || fleet.registered(cut_off).await > registered).await;
        sides.swap(0, 1);
    }
    fleet.open_gate(None);
    fleet.until_ended(1).await;
    check_values(&client, &ids, &[order]).await;
    first.shut_down().await;
    second.shut_down().await;
    client.shutdown().await.unwrap();
    fleet.finish().await;
}
