//! The one list of the cases about executors.

/// Hands the names of all cases about executors to a macro, as [`for_each_case!`](crate::for_each_case) does.
#[macro_export]
macro_rules! for_each_executor_case {
    ([$($callback:tt)+] $($args:tt)*) => {
        $($callback)+ { $($args)*
            a_diamond_runs_in_order,
            independent_tasks_run_at_the_same_time,
            a_task_starts_after_its_dependencies_are_committed,
            exclusive_branches_meet_in_a_join,
            a_fan_out_of_fifty_meets_in_one,
            a_task_sees_what_its_ancestors_left,
            concurrent_writes_go_by_the_order_of_declaration,
        }
    };
}
