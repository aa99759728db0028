//! The one list of all cases, and what turns it into tests.

/// Hands the names of all cases to a macro: `for_each_case!([some::macro!] tokens…)` becomes
/// `some::macro! { tokens… case, case, … }`.
#[macro_export]
macro_rules! for_each_case {
    ([$($callback:tt)+] $($args:tt)*) => {
        $($callback)+ { $($args)*
            worker_registered_twice_is_one_worker,
            worker_registering_again_renews_its_lease,
            heartbeat_of_an_unknown_worker_says_buried,
            heartbeat_counts_the_other_workers,
            heartbeat_tells_what_there_is_to_look_after,
            heartbeat_tells_of_owners_that_are_not_registered,
            heartbeat_renews_a_lease_that_ran_out,
            heartbeat_of_a_buried_worker_says_buried,
            lease_holds_as_long_as_the_last_sign_of_life_said,
            lease_of_a_worker_that_is_not_registered_is_none,
            define_keeps_the_structure_of_each_version,
            list_excludes_workflows_and_versions,
            list_finds_what_a_worker_owns,
            bury_frees_what_an_unregistered_worker_owns,
            retire_gives_back_everything_without_suspicion,
            retire_marks_running_attempts_released,
            retire_of_an_unknown_worker_is_no_error,
            retire_removes_the_worker,
            retire_fences_the_worker,
            retire_leaves_ended_and_paused_as_they_are,
            retire_repeated_takes_nothing_from_the_next_owner,
            bury_finds_a_worker_whose_lease_ran_out,
            bury_finds_a_worker_whose_process_is_gone,
            bury_spares_the_living,
            bury_spares_the_caller,
            bury_counts_and_records_the_takeover,
            bury_marks_running_attempts_lost,
            bury_happens_once,
            bury_counts_every_death_in_a_row,
            bury_leaves_ended_executions_alone,
            bury_frees_paused_executions_as_paused,
            bury_fences_the_dead,
            bury_keeps_what_was_committed,
            bury_tells_the_workers_of_one_process_apart,
            acquit_takes_back_the_takeover_and_the_lost_attempts,
            acquit_is_told_by_an_event,
            acquit_repeated_changes_nothing,
            acquit_racing_itself_counts_once,
            acquit_leaves_the_takeovers_of_other_epochs,
            acquit_of_several_epochs_takes_back_each,
            acquit_of_a_death_before_the_clearing_takes_nothing_off,
            acquit_spares_the_next_owner,
            acquit_leaves_the_takeovers_of_the_dead,
            acquit_without_a_death_is_passed_over,
            acquit_leaves_ended_executions_alone,
            submit_with_an_owner_runs_at_once,
            submit_without_an_owner_waits,
            submit_repeated_changes_nothing,
            submit_twice_in_one_batch_creates_one,
            submit_batch_keeps_items_apart,
            submit_retry_copies_completed_tasks_only,
            submit_retry_of_an_unknown_execution_starts_empty,
            submit_by_an_unregistered_owner_is_accepted,
            submit_of_nothing_tells_the_time,
            submit_dropped_is_whole_or_absent,
            submit_from_many_handles_loses_nothing,
            submit_with_a_taken_key_answers_its_holder,
            submit_repeated_with_its_own_key_is_created,
            submit_of_one_key_twice_in_a_batch_keeps_the_first,
            submit_key_outlives_the_end_of_its_execution,
            submit_race_for_one_key_makes_one_execution,
            submit_keys_are_compared_byte_for_byte,
            checkpoint_writes_everything_in_it,
            checkpoint_without_an_end_leaves_it_running,
            checkpoint_repeated_changes_nothing,
            checkpoint_repeated_after_its_own_end_is_committed,
            checkpoint_keeps_the_first_row_of_a_task,
            checkpoint_sees_the_ones_before_it_in_the_batch,
            checkpoint_may_share_a_batch_with_its_submit,
            checkpoint_batch_keeps_items_apart,
            checkpoint_of_a_paused_execution_is_committed,
            checkpoint_lifts_suspicion_only_when_asked,
            checkpoint_start_is_on_record,
            checkpoint_start_on_record_takes_its_progress,
            checkpoint_progress_of_an_ended_attempt_is_ignored,
            checkpoint_failure_ends_the_attempt_on_record,
            checkpoint_failure_tells_when_the_next_attempt_is_due,
            checkpoint_times_keep_their_distances,
            checkpoint_of_the_next_owner_repeats_the_attempt,
            checkpoint_dropped_is_whole_or_absent,
            checkpoint_under_another_epoch_is_fenced,
            checkpoint_by_another_worker_is_fenced,
            checkpoint_after_a_release_is_fenced,
            checkpoint_of_an_unowned_execution_is_fenced,
            checkpoint_of_an_unknown_execution_is_fenced,
            checkpoint_fenced_stays_fenced,
            checkpoint_fenced_takes_no_other_down,
            checkpoint_after_a_cancel_is_ended,
            checkpoint_after_the_end_is_ended,
            checkpoint_racing_a_release_is_whole_or_fenced,
            claim_gives_an_execution_to_one_worker_only,
            claim_gives_the_oldest_first,
            claim_gives_the_oldest_of_all_workflows,
            claim_takes_no_more_than_its_limit,
            claim_gives_only_workflows_in_scope,
            claim_of_named_executions_gives_these_only,
            claim_of_named_executions_passes_over_what_was_owned_since,
            claim_raises_the_epoch_every_time,
            claim_sets_the_start_once,
            claim_gives_nothing_to_an_unregistered_worker,
            claim_passes_over_owned_paused_and_ended,
            claim_hands_over_all_that_is_on_record,
            claim_hands_each_its_own,
            claim_dropped_leaves_each_with_one_owner,
            claim_waits_until_an_execution_is_due,
            release_keeps_an_execution_until_it_is_due,
            claim_gives_a_delayed_execution_once_it_is_due,
            claim_gives_what_is_due_past_what_is_not,
            claim_tells_when_the_next_one_is_due,
            claim_tells_how_many_others_there_are,
                claim_tells_of_nothing_due_on_hold,
            release_lets_another_worker_claim,
            release_marks_running_attempts_released,
            release_passes_over_what_is_not_owned,
            release_repeated_takes_nothing_from_the_next_owner,
            release_of_an_ended_execution_changes_nothing,
            release_of_a_paused_execution_leaves_it_paused,
            release_keeps_the_suspicion,
            cancel_ends_whatever_has_not_ended,
            cancel_keeps_owner_and_epoch,
            cancel_ends_the_tasks_that_have_no_row,
            cancel_of_an_ended_execution_changes_nothing,
            cancel_repeated_changes_nothing,
            cancel_of_an_unknown_execution_is_not_found,
            cancel_racing_the_end_has_one_winner,
            pause_holds_pending_and_running,
            pause_repeated_changes_nothing,
            pause_of_an_ended_execution_changes_nothing,
            resume_returns_to_where_it_was,
            resume_of_what_is_not_paused_changes_nothing,
            resume_lets_a_worker_claim,
            resume_leaves_the_owner_at_work,
            standing_answers_in_the_order_of_the_ids,
            standing_follows_every_change,
            load_of_an_unknown_execution_is_none,
            load_returns_the_whole_record,
            load_orders_tasks_by_ordinal,
            load_orders_attempts_by_time,
            load_returns_what_belongs_to_it_only,
            events_come_in_the_order_of_their_commits,
            events_of_an_unknown_execution_are_none,
            events_of_every_kind_are_kept,
            counts_of_an_empty_store_are_zero,
            counts_every_state,
            counts_the_mean_time_of_those_that_ran,
            list_shows_the_newest_first,
            list_shows_whole_records,
            list_filters_by_status,
            list_filters_by_workflow,
            list_filters_those_that_nobody_owns,
            list_joins_its_filters,
            list_pages_are_complete_without_duplicates,
            list_before_leaves_out_the_one_it_names,
            changed_ends_when_another_handle_submits,
            changed_ends_when_another_handle_begins_to_work,
            changed_ends_when_another_handle_finishes,
            changed_ends_when_another_handle_cancels,
            changed_remembers_what_happened_meanwhile,
            changed_dropped_loses_nothing,
            close_makes_every_call_answer_closed,
            close_repeated_is_no_error,
            close_leaves_data_and_other_handles_alone,
            close_finishes_what_is_under_way,
            prune_deletes_ended_executions_only,
            prune_spares_what_ended_lately,
            prune_deletes_the_oldest_ids_first,
            prune_deletes_all_that_belongs_to_it,
            values_of_json_come_back_byte_for_byte,
            values_of_deep_json_come_back,
            values_of_a_megabyte_come_back,
            values_of_odd_text_come_back,
            values_of_odd_text_share_a_checkpoint,
            values_absent_and_empty_stay_apart,
            values_of_every_state_and_reason_come_back,
            values_of_large_numbers_come_back,
        }
    };
}

/// Makes a module `conformance` with one test for each case about the back end, and a module `executor` with one for each
/// case about executors on it.
///
/// The crate that uses it needs tokio with `macros` and `rt-multi-thread`.
///
/// ```
/// use std::sync::Arc;
///
/// use cloacina_core::Backend;
/// use cloacina_testing::MemoryBackend;
/// use cloacina_testing::conformance::Harness;
///
/// struct MemoryHarness(MemoryBackend);
///
/// #[async_trait::async_trait]
/// impl Harness for MemoryHarness {
///     async fn start() -> Self {
///         Self(MemoryBackend::new())
///     }
///
///     async fn handle(&self) -> Arc<dyn Backend> {
///         Arc::new(self.0.another_handle())
///     }
///
///     async fn finish(self) {}
/// }
///
/// cloacina_testing::conformance_suite!(MemoryHarness);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance_suite {
    ($harness:ty) => {
        mod conformance {
            #[allow(unused_imports, reason = "a harness may be named by its full path")]
            use super::*;

            $crate::for_each_case! {
                [$crate::case_tests!] [$harness] [$crate::conformance] [$crate::conformance::run]
            }
        }

        mod executor {
            #[allow(unused_imports, reason = "a harness may be named by its full path")]
            use super::*;

            $crate::for_each_executor_case! {
                [$crate::case_tests!]
                [$harness] [$crate::executor_cases] [$crate::executor_cases::run]
            }
        }
    };
}

/// Turns a list of cases into tests: a harness, the module of the cases, the function that runs one, the cases.
///
/// Another list of cases, with a module and a runner of its own, becomes tests in the same way.
#[macro_export]
macro_rules! case_tests {
    ([$harness:ty] $module:tt $runner:tt $($case:ident,)*) => {
        $( $crate::case_test! { [$harness] $module $runner $case } )*
    };
}

/// Turns one case into a test.
#[doc(hidden)]
#[macro_export]
macro_rules! case_test {
    ([$harness:ty] [$($module:tt)+] [$($run:tt)+] $case:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            $($run)+::<$harness>($($module)+::$case).await;
        }
    };
}
