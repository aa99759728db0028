//! The comparison finds no difference between two models, and finds one that is planted.

use cloacina_testing::MemoryBackend;
use cloacina_testing::differential::same_answers;

use crate::MemoryHarness;
use crate::planted::{Bug, PlantedHarness, panic_of};

#[tokio::test]
async fn two_models_give_the_same_answers() {
    for seed in 0..20 {
        let left = MemoryHarness(MemoryBackend::new());
        let right = MemoryHarness(MemoryBackend::new());
        Box::pin(same_answers(&left, &right, seed, 300)).await;
    }
}

/// Runs the comparison against a faulty store and returns what it says.
fn complaint(bug: Bug) -> Option<String> {
    panic_of(async || {
        for seed in 0..10 {
            let left = MemoryHarness(MemoryBackend::new());
            let right = PlantedHarness::new(bug);
            Box::pin(same_answers(&left, &right, seed, 300)).await;
        }
    })
}

#[test]
fn every_planted_bug_is_seen() {
    for bug in Bug::ALL {
        let said = complaint(bug).unwrap_or_else(|| panic!("{bug:?} was not seen"));
        assert!(said.starts_with("seed "), "{bug:?} led to another panic: {said}");
        assert!(said.contains(", step "), "the step is not named: {said}");
        assert!(said.contains("operations:\n0: "), "the operations are not named: {said}");
    }
}
