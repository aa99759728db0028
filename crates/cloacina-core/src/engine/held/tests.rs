//! What is held, and how much of it.

use super::*;

#[test]
fn what_is_ordered_before_the_answer_to_a_submit_is_told_with_it() {
    let all = AllHeld::new(Arc::new(Budget::new(10)), &Meters::new());
    let id = ExecutionId::new();
    let mut expected = all.reserve(1, 1);
    expected.expect(id);
    assert!(!all.order(id, Order::Resume), "nobody drives it yet");
    assert!(!all.order(id, Order::Pause), "nobody drives it yet");
    let held = || Held { address: Address::vacant(), epoch: 1 };
    assert_eq!(all.add(id, held()), Some(Order::Pause), "the last order");
    drop(expected);
    assert!(all.contains(id), "it is held now");
    all.remove(id, 1);
    assert!(!all.order(id, Order::Pause), "it is forgotten with the execution");
    assert_eq!(all.add(id, held()), None);
}

#[test]
fn what_several_threads_reserve_at_once_stays_within_what_may_be_held() {
    const MOST: usize = 3;
    let budget = Arc::new(Budget::new(MOST + 1));
    let executors = [(); 2].map(|()| AllHeld::new(Arc::clone(&budget), &Meters::new()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let all = &executors[thread % 2];
            scope.spawn(move || {
                for turn in 0..5_000 {
                    let place = all.reserve(1 + turn % 2, MOST);
                    std::thread::yield_now();
                    assert!(all.load() <= MOST, "the executor's load: {}", all.load());
                    drop(place);
                }
            });
        }
    });
    assert_eq!((executors[0].load(), budget.load.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn a_place_that_is_split_off_counts_on_by_itself() {
    let all = AllHeld::new(Arc::new(Budget::new(10)), &Meters::new());
    let mut places = all.reserve(9, 2);
    let one = places.split_one();
    assert_eq!((places.own(), one.own(), all.load()), (1, 1, 2));
    drop(places);
    assert_eq!(all.load(), 1);
    drop(one);
    assert_eq!(all.load(), 0);
    assert_eq!(all.reserve(0, 2).split_one().own(), 0, "there is none to split off");
}
