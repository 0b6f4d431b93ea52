//! The simulator itself: runs repeat, honest networks pass, and what is broken on purpose is found.

use testamur_sim::{Outcome, Plan, Variant, World};

fn run(seed: u64, variant: Variant) -> Outcome {
    World::new(seed, Plan::of(seed), variant, false).run()
}

#[test]
fn a_seed_repeats_to_the_same_trace() {
    for seed in 1_000..1_010 {
        assert_eq!(run(seed, Variant::None), run(seed, Variant::None), "seed {seed}");
    }
    assert_ne!(run(1_000, Variant::None).trace, run(1_001, Variant::None).trace);
}

#[test]
fn honest_networks_keep_every_promise() {
    for seed in 2_000..2_020 {
        let outcome = run(seed, Variant::None);
        assert_eq!(outcome.broken, None, "simulate --tell --seed {seed}");
        assert!(outcome.heights >= 3 && outcome.records > 0, "{outcome:?}");
    }
}

/// The first seed that finds it, and what it says.
fn caught(variant: Variant, among: u64) -> String {
    let found = (3_000..3_000 + among).find_map(|seed| run(seed, variant).broken.map(|broken| broken.how));
    found.unwrap_or_else(|| panic!("{variant:?} was not found among {among} seeds"))
}

#[test]
fn validators_without_a_guard_are_caught() {
    let how = caught(Variant::NoGuard, 100);
    assert!(how.contains("signed twice"), "INV-SIM-2: {how}");
}

#[test]
fn validators_that_forget_their_locks_are_caught() {
    let how = caught(Variant::IgnoreLock, 2_000);
    assert!(how.starts_with("INV-SIM-3") || how.starts_with("INV-SIM-1"), "{how}");
}

#[test]
fn disks_that_say_they_synced_are_caught() {
    let how = caught(Variant::AckBeforeSync, 100);
    assert!(how.starts_with("INV-SIM-"), "{how}");
}

#[test]
fn a_guard_that_is_not_synced_is_caught() {
    let how = caught(Variant::GuardNotSynced, 200);
    assert!(how.contains("signed twice"), "INV-SIM-2: {how}");
}
