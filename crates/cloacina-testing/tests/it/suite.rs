//! The cases of the suite fail on stores with a bug.

use std::sync::Arc;

use cloacina_testing::conformance::{self, Fixture};

use crate::planted::{Bug, PlantedHarness, panic_of};

fn assert_caught(bug: Bug, case: impl AsyncFnOnce(&Fixture)) {
    let said = panic_of(async || {
        let fixture = Fixture::new(Arc::new(PlantedHarness::new(bug))).await;
        Box::pin(case(&fixture)).await;
    });
    assert!(said.is_some(), "the case passed on a store with {bug:?}");
}

#[test]
fn every_planted_bug_fails_its_case() {
    for bug in Bug::ALL {
        match bug {
            Bug::IgnoresEpoch => {
                assert_caught(bug, conformance::checkpoint_under_another_epoch_is_fenced);
            }
            Bug::IgnoresWorker => {
                assert_caught(bug, conformance::checkpoint_by_another_worker_is_fenced);
            }
            Bug::ForgetsTakeovers => {
                assert_caught(bug, conformance::checkpoint_lifts_suspicion_only_when_asked);
            }
            Bug::IgnoresKeys => {
                assert_caught(bug, conformance::submit_race_for_one_key_makes_one_execution);
            }
            Bug::ExceedsLimit => {
                assert_caught(bug, conformance::claim_takes_no_more_than_its_limit);
            }
            Bug::OverlappingPages => {
                assert_caught(bug, conformance::list_pages_are_complete_without_duplicates);
            }
            Bug::ReleasesForAnyone => {
                assert_caught(bug, conformance::release_passes_over_what_is_not_owned);
            }
            Bug::KeepsOnRetirement => {
                assert_caught(bug, conformance::retire_gives_back_everything_without_suspicion);
            }
            Bug::DropsEvents => {
                assert_caught(bug, conformance::events_come_in_the_order_of_their_commits);
            }
            Bug::IgnoresDelay => {
                assert_caught(bug, conformance::claim_waits_until_an_execution_is_due);
            }
            Bug::NeverResumes => assert_caught(bug, conformance::resume_lets_a_worker_claim),
            Bug::ForgetsResults => {
                assert_caught(bug, conformance::submit_retry_copies_completed_tasks_only);
            }
            Bug::AcquitsNobody => {
                assert_caught(bug, conformance::acquit_leaves_the_takeovers_of_other_epochs);
            }
        }
    }
}
