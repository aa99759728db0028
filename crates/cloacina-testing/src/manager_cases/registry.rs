//! The one list of all cases.

/// Hands the names of all cases to a macro, as [`for_each_tenant_case!`](crate::for_each_tenant_case) does.
#[macro_export]
macro_rules! for_each_manager_case {
    ([$($callback:tt)+] $($args:tt)*) => {
        $($callback)+ { $($args)*
            a_thousand_first_requests_start_one_executor,
            asking_for_an_unknown_tenant_creates_nothing,
            names_that_break_a_rule_are_refused,
            tasks_know_their_tenant,
            metrics_count_what_a_tenant_did_and_start_nothing,
            unfinished_work_is_resumed_at_the_start_without_anyone_asking,
            work_of_a_dead_process_is_resumed_at_the_start,
            work_that_another_process_submits_is_taken_up,
            work_of_a_process_that_dies_is_taken_over_by_one_in_which_the_tenant_rests,
            an_executor_at_rest_is_stopped_and_comes_back,
            an_executor_that_is_held_is_not_stopped,
            a_delayed_start_happens_in_a_tenant_at_rest,
            a_retry_happens_in_a_tenant_at_rest,
            a_timeout_happens_in_a_tenant_at_rest,
            work_that_nobody_can_do_starts_an_executor_now_and_then_only,
            work_for_a_tenant_that_is_being_created_is_not_forgotten,
            an_executor_that_was_shut_down_is_replaced,
            a_removal_waits_for_running_tasks,
            a_removal_during_submits_leaves_nothing,
            a_removal_by_another_process_is_noticed,
            a_flood_does_not_hold_up_another_tenant,
            submits_that_wait_do_not_hold_up_another_tenant,
            slots_are_bounded_for_the_process_and_for_each_tenant,
            a_shutdown_stops_everything_once,
            a_manager_without_a_handle_stops_as_in_a_crash,
        }
    };
}
