//! The one list of all cases, and what turns it into tests.

/// Hands the names of all cases to a macro: `for_each_tenant_case!([some::macro!] tokens…)` becomes
/// `some::macro! { tokens… case, case, … }`.
#[macro_export]
macro_rules! for_each_tenant_case {
    ([$($callback:tt)+] $($args:tt)*) => {
        $($callback)+ { $($args)*
            create_twice_leaves_what_is_there,
            create_by_many_at_once_creates_once,
            create_takes_words_of_sql,
            create_dropped_is_completed_by_the_next,
            open_of_an_unknown_tenant_creates_nothing,
            open_tenants_see_nothing_of_each_other,
            open_finds_what_was_written,
            open_tenants_are_closed_one_by_one,
            list_is_sorted_and_complete,
            exists_tells_and_creates_nothing,
            remove_leaves_nothing,
            remove_of_an_unknown_tenant_creates_nothing,
            remove_and_create_makes_an_empty_tenant,
            remove_leaves_the_others,
            remove_is_refused_or_noticed_while_others_use_it,
            remove_by_many_at_once_removes_once,
            remove_dropped_is_completed_by_the_next,
            work_tells_what_is_owned,
            work_tells_what_is_due,
            work_tells_when_it_falls_due,
            work_leaves_out_what_is_on_hold,
            work_leaves_out_what_has_ended,
            work_looks_among_those_it_is_given,
            changed_ends_when_another_store_gives_work,
            changed_ends_when_another_store_creates_and_gives_work,
            changed_remembers_what_happened_meanwhile,
            changed_dropped_loses_nothing,
            close_makes_every_call_answer_closed,
            close_ends_a_wait,
            close_repeated_is_no_error,
            close_leaves_data_and_other_stores_alone,
        }
    };
}

/// Makes one test of each case of [`tenant_conformance`](crate::tenant_conformance), in a module `tenants`, and of
/// [`manager_cases`](crate::manager_cases), in a module `manager`.
///
/// The crate that calls it depends on tokio, with its multi-threaded runtime and its macros.
///
/// ```
/// use cloacina_testing::MemoryTenants;
/// use cloacina_testing::tenant_conformance::TenantHarness;
///
/// struct MemoryHarness(MemoryTenants);
///
/// #[async_trait::async_trait]
/// impl TenantHarness for MemoryHarness {
///     type Store = MemoryTenants;
///
///     async fn start() -> Self {
///         Self(MemoryTenants::new())
///     }
///
///     async fn store(&self) -> MemoryTenants {
///         self.0.another_handle()
///     }
///
///     async fn finish(self) {}
/// }
///
/// cloacina_testing::tenant_conformance_suite!(MemoryHarness);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! tenant_conformance_suite {
    ($harness:ty) => {
        mod tenants {
            #[allow(unused_imports, reason = "a harness may be named by its full path")]
            use super::*;

            $crate::for_each_tenant_case! {
                [$crate::case_tests!]
                [$harness] [$crate::tenant_conformance] [$crate::tenant_conformance::run]
            }
        }

        mod manager {
            #[allow(unused_imports, reason = "a harness may be named by its full path")]
            use super::*;

            $crate::for_each_manager_case! {
                [$crate::case_tests!]
                [$harness] [$crate::manager_cases] [$crate::manager_cases::run]
            }
        }
    };
}
