//! What the state tells of its unfinished tasks.

use super::*;
use crate::Durability;
use crate::state::Why;

#[test]
fn each_unfinished_task_says_what_it_waits_for() {
    let again = task("again", &[]).retry(RetryPolicy::new(2).initial_delay(Duration::from_secs(5)));
    let mut run =
        Machine::begin([task("a", &[]), again, task("b", &["a"]), task("c", &["b", "again"])]);
    assert_eq!(run.why("a"), Some(Why::Started));
    assert_eq!(run.why("b"), Some(Why::Dependencies(vec![run.ordinal("a")])));
    run.succeed("a", Changes::default());
    assert_eq!(run.why("a"), Some(Why::Ended), "it is on its way to the store");
    assert_eq!(run.why("b"), Some(Why::Commit(vec![run.ordinal("a")])));
    run.commit();
    assert_eq!(run.why("a"), None, "it is in the store");
    assert_eq!(run.why("b"), Some(Why::Started));
    run.fail("again");
    // A body takes a second.
    let due = run.at + Duration::from_secs(6);
    assert_eq!(run.why("again"), Some(Why::Retry { attempt: 2, due }));
    let both = vec![run.ordinal("b"), run.ordinal("again")];
    assert_eq!(run.why("c"), Some(Why::Dependencies(both)), "in the order of their names");
    run.commit();
    assert_eq!(run.why("again"), Some(Why::Retry { attempt: 2, due }), "as it was decided");
}

#[test]
fn what_a_pause_holds_could_start() {
    let mut run = Machine::begin([task("a", &[]), task("b", &["a"])]);
    run.apply(Event::Paused);
    run.succeed("a", Changes::default());
    run.commit();
    assert_eq!(run.why("b"), Some(Why::Startable));
}

#[test]
fn a_pipelined_end_is_unfinished_until_it_is_in_the_store() {
    let pipelined = task("a", &[]).durability(Durability::Pipelined);
    let mut run = Machine::begin([pipelined, task("b", &["a"])]);
    run.succeed("a", Changes::default());
    assert_eq!(run.why("a"), Some(Why::Ended));
    assert_eq!(run.why("b"), Some(Why::Started), "it waits for no commit");
}
