//! Tests of the retry policy.

use std::time::Duration;

use proptest::prelude::*;

use super::{Backoff, Jitter, LONGEST_WAIT, RetryPolicy};
use crate::TaskError;

const NONE: Duration = Duration::ZERO;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn waits(policy: &RetryPolicy, count: u32) -> Vec<u128> {
    (1..=count).map(|retry| policy.delay(retry, 0.5).as_millis()).collect()
}

#[test]
fn the_first_wait_is_the_initial_delay_to_the_nanosecond() {
    let odd = Duration::new(7_000_000_007, 123_456_789);
    for backoff in [
        Backoff::Fixed,
        Backoff::Linear,
        Backoff::Exponential { factor: 3.5 },
        Backoff::Exponential { factor: f64::INFINITY },
    ] {
        let policy = RetryPolicy::new(9).initial_delay(odd).max_delay(Duration::MAX);
        assert_eq!(policy.backoff(backoff).delay(1, 0.3), odd, "{backoff:?}");
    }
}

#[test]
fn waits_grow_as_the_backoff_says_up_to_the_cap() {
    let policy =
        RetryPolicy::new(9).initial_delay(Duration::from_millis(100)).max_delay(seconds(1));
    let exponential = |factor| policy.clone().backoff(Backoff::Exponential { factor });
    assert_eq!(waits(&policy.clone().backoff(Backoff::Fixed), 3), [100, 100, 100]);
    assert_eq!(waits(&policy.clone().backoff(Backoff::Linear), 4), [100, 200, 300, 400]);
    assert_eq!(waits(&exponential(2.0), 6), [100, 200, 400, 800, 1000, 1000]);
    assert_eq!(waits(&exponential(1.5), 4), [100, 150, 225, 337]);
    assert_eq!(waits(&exponential(0.5), 3), [100, 100, 100], "a factor below 1 counts as 1");
    assert_eq!(waits(&exponential(f64::NAN), 3), [100, 100, 100]);
    assert_eq!(waits(&exponential(f64::INFINITY), 3), [100, 1000, 1000]);
    assert_eq!(waits(&policy.initial_delay(seconds(5)), 2), [1000, 1000], "the first one too");
    assert_eq!(waits(&RetryPolicy::new(9), 8)[..3], [1000, 2000, 4000]);
    assert_eq!(waits(&RetryPolicy::new(9), 8)[7], 60_000);
}

/// Nobody who asks for a wait of two minutes means one.
#[test]
fn the_cap_that_nobody_set_is_no_shorter_than_the_initial_delay() {
    let policy = RetryPolicy::new(9).initial_delay(seconds(120));
    assert_eq!(waits(&policy, 3), [120_000, 120_000, 120_000]);
    assert_eq!(waits(&policy.clone().max_delay(seconds(300)), 3), [120_000, 240_000, 300_000]);
    assert_eq!(waits(&policy.max_delay(seconds(60)), 2), [60_000, 60_000], "what was set holds");
}

#[test]
fn no_wait_stays_no_wait_however_often() {
    for factor in [2.0, 1e300, f64::INFINITY] {
        let policy =
            RetryPolicy::new(u32::MAX).initial_delay(NONE).backoff(Backoff::Exponential { factor });
        for retry in [1, 2, 1024, 1025, 5000, u32::MAX] {
            assert_eq!(policy.delay(retry, 0.5), NONE, "factor {factor}, retry {retry}");
        }
    }
}

#[test]
fn jitter_spreads_over_its_range() {
    let policy = RetryPolicy::new(2).initial_delay(seconds(8));
    let full = policy.clone().jitter(Jitter::Full);
    let equal = policy.jitter(Jitter::Equal);
    let at = |policy: &RetryPolicy, random| policy.delay(1, random).as_secs_f64();
    assert_eq!([0.0, 0.5, 1.0].map(|random| at(&full, random)), [0.0, 4.0, 8.0]);
    assert_eq!([0.0, 0.5, 1.0].map(|random| at(&equal, random)), [4.0, 6.0, 8.0]);
    for odd in [f64::NAN, f64::INFINITY, 7.0] {
        assert_eq!(at(&full, odd), 8.0, "{odd}");
    }
    assert_eq!(at(&full, -3.0), 0.0);
}

#[test]
fn attempts_are_counted_with_the_first() {
    let error = TaskError::new("x");
    let next = |max, attempt| RetryPolicy::new(max).next_delay(attempt, &error, NONE, 0.5);
    assert_eq!(RetryPolicy::default().max_attempts(), 1);
    assert_eq!(RetryPolicy::new(0).max_attempts(), 1);
    assert_eq!(next(1, 1), None);
    assert_eq!(next(0, 1), None);
    assert_eq!(next(3, 1), Some(seconds(1)));
    assert_eq!(next(3, 2), Some(seconds(2)));
    assert_eq!(next(3, 3), None);
    assert_eq!(next(3, 4), None, "also when the policy allows less than were made already");
    assert_eq!(next(u32::MAX, u32::MAX - 1), Some(seconds(60)));
    assert_eq!(next(u32::MAX, u32::MAX), None);
}

#[test]
fn errors_decide_whether_and_when() {
    let policy = RetryPolicy::new(3).retry_on(|error| !error.message().contains("fatal"));
    let next = |error: &TaskError| policy.next_delay(1, error, NONE, 0.5);
    assert_eq!(next(&TaskError::new("x")), Some(seconds(1)));
    assert_eq!(next(&TaskError::new("fatal")), None);
    assert_eq!(next(&TaskError::permanent("x")), None);
    assert_eq!(next(&TaskError::new("x").retry_after(seconds(500))), Some(seconds(500)));
    assert_eq!(next(&TaskError::new("x").retry_after(NONE)), Some(NONE));
    assert_eq!(next(&TaskError::new("fatal").retry_after(seconds(5))), None);
    let last = policy.next_delay(3, &TaskError::new("x").retry_after(NONE), NONE, 0.5);
    assert_eq!(last, None, "no error makes more attempts than allowed");
    let always = RetryPolicy::new(3).retry_on(|_| true);
    assert_eq!(always.next_delay(1, &TaskError::permanent("x"), NONE, 0.5), None);
}

#[test]
fn no_attempt_begins_after_max_elapsed() {
    let policy = RetryPolicy::new(9).max_elapsed(seconds(10));
    let next = |elapsed, error: &TaskError| policy.next_delay(1, error, elapsed, 0.5);
    let error = TaskError::new("x");
    assert_eq!(next(seconds(9), &error), Some(seconds(1)));
    assert_eq!(next(seconds(9) + Duration::from_nanos(1), &error), None);
    assert_eq!(next(NONE, &TaskError::new("x").retry_after(seconds(11))), None);
    assert_eq!(next(Duration::MAX, &error), None);
}

#[test]
fn a_wait_can_be_added_to_any_instant() {
    let endless = RetryPolicy::new(9).initial_delay(Duration::MAX).max_delay(Duration::MAX);
    let error = TaskError::new("x").retry_after(Duration::MAX);
    assert_eq!(endless.next_delay(1, &error, NONE, 0.5), Some(LONGEST_WAIT));
    assert_eq!(endless.next_delay(1, &TaskError::new("x"), NONE, 0.5), Some(LONGEST_WAIT));
    assert!(tokio::time::Instant::now().checked_add(LONGEST_WAIT * 2).is_some());
}

#[test]
fn debug_shows_all_but_the_predicate() {
    let text = format!("{:?}", RetryPolicy::new(3).retry_on(|_| true));
    assert!(text.contains("max_attempts: 3") && text.contains("predicate"), "{text}");
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        (0..10_000_u64).prop_map(Duration::from_millis),
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Duration::new(secs, nanos)),
    ]
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    let backoff = prop_oneof![
        Just(Backoff::Fixed),
        Just(Backoff::Linear),
        any::<f64>().prop_map(|factor| Backoff::Exponential { factor }),
        (1.0..4.0).prop_map(|factor| Backoff::Exponential { factor }),
    ];
    let jitter = prop_oneof![Just(Jitter::None), Just(Jitter::Full), Just(Jitter::Equal)];
    (any::<u32>(), any_duration(), any_duration(), backoff, jitter).prop_map(
        |(max, initial, cap, backoff, jitter)| {
            let policy = RetryPolicy::new(max).initial_delay(initial).max_delay(cap);
            policy.backoff(backoff).jitter(jitter)
        },
    )
}

proptest! {
    #[test]
    fn a_wait_never_passes_the_cap(
        policy in any_policy(), retry in prop_oneof![0..50_u32, any::<u32>()], random in any::<f64>(),
    ) {
        let wait = policy.delay(retry, random);
        prop_assert!(wait <= policy.longest(), "{wait:?}");
    }

    #[test]
    fn jitter_only_shortens_and_waits_never_shrink(
        policy in any_policy(), retry in prop_oneof![1..50_u32, 1..u32::MAX], random in 0.0..=1.0_f64,
    ) {
        let whole = policy.clone().jitter(Jitter::None);
        let wait = policy.delay(retry, random);
        prop_assert!(wait <= whole.delay(retry, random));
        if policy.jitter == Jitter::Equal {
            prop_assert!(wait >= whole.delay(retry, random) / 2);
        }
        // A float is off by a part in 2^52 at most.
        let (now, next) = (whole.delay(retry, random), whole.delay(retry + 1, random));
        prop_assert!(next.as_secs_f64() >= now.as_secs_f64() * 0.999_999_999);
    }
}
