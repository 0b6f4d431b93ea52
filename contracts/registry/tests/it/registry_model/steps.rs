//! What can happen, and how often.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// Legal persons of the model.
pub(crate) const PEOPLE: [&str; 4] = ["p0", "p1", "p2", "p3"];
/// Places for accreditations.
pub(crate) const PLACES: [&str; 6] = ["a0", "a1", "a2", "a3", "a4", "a5"];
/// Keys of each person.
pub(crate) const KEYS: u32 = 6;

/// A use of a key: 0 for registry records, 1 for credentials and everyday records.
pub(crate) type Use = usize;

#[derive(Debug, Clone)]
pub(crate) enum Edit {
    AddController(u32),
    RevokeController(u32),
    AddMethod { key: u32, uses: Vec<Use>, from: u64, life: Option<u64> },
    AddRelationship { key: u32, r#use: Use, from: u64, life: Option<u64> },
    Revoke(u32),
    Expire { key: u32, after: u64 },
    Roll { old: u32, new: u32, from: u64, grace: u64 },
    Compromise { key: u32, ago: u64 },
    Deactivate,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Admit {
        who: u32,
        key: u32,
    },
    Insert {
        who: u32,
        keys: BTreeSet<u32>,
        signer: u32,
        controllers: BTreeSet<u32>,
    },
    Update {
        author: u32,
        signer: u32,
        target: u32,
        stale: bool,
        edits: Vec<Edit>,
    },
    Notarise {
        who: u32,
        signer: u32,
    },
    TakeRight {
        who: u32,
    },
    GiveRight {
        who: u32,
    },
    AccreditRoot {
        who: u32,
        place: usize,
    },
    Reserve {
        author: u32,
        signer: u32,
        place: usize,
        subject: u32,
        tao: bool,
        parent: usize,
    },
    Rename {
        other: Option<u32>,
        signer: u32,
        place: usize,
        stale: bool,
    },
    Fill {
        other: Option<u32>,
        signer: u32,
        place: usize,
        by: u32,
        forged: bool,
        life: Option<u64>,
        types: u8,
        stale: bool,
    },
    End {
        other: Option<u32>,
        signer: u32,
        place: usize,
        fraud: bool,
        at: u64,
    },
    EndRoot {
        place: usize,
        at: u64,
    },
    Wait {
        seconds: u64,
    },
}

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    let life = || prop::option::of(1..200u64);
    prop_oneof![
        2 => (0..4u32).prop_map(Edit::AddController),
        1 => (0..4u32).prop_map(Edit::RevokeController),
        4 => (0..KEYS, prop::sample::subsequence(vec![0, 1], 1..=2), 0..40u64, life())
            .prop_map(|(key, uses, from, life)| Edit::AddMethod { key, uses, from, life }),
        2 => (0..KEYS, 0..2usize, 0..40u64, life())
            .prop_map(|(key, r#use, from, life)| Edit::AddRelationship { key, r#use, from, life }),
        2 => (0..KEYS).prop_map(Edit::Revoke),
        2 => (0..KEYS, 0..100u64).prop_map(|(key, after)| Edit::Expire { key, after }),
        2 => (0..KEYS, 0..KEYS, 0..40u64, 0..80u64)
            .prop_map(|(old, new, from, grace)| Edit::Roll { old, new, from, grace }),
        2 => (0..KEYS, 0..120u64).prop_map(|(key, ago)| Edit::Compromise { key, ago }),
        1 => prop::bool::weighted(0.3).prop_map(|close| if close { Edit::Deactivate } else { Edit::Revoke(0) }),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let who = || 0..4u32;
    let place = || 0..PLACES.len();
    let signer = || prop_oneof![6 => 0..3u32, 1 => 0..KEYS];
    let other = || prop_oneof![5 => Just(None), 1 => (0..4u32).prop_map(Some)];
    let rarely = || prop::bool::weighted(0.1);
    let at = || 0..500u64;
    prop_oneof![
        2 => (who(), signer()).prop_map(|(who, key)| Step::Admit { who, key }),
        2 => (who(), prop::collection::btree_set(0..KEYS, 2..5), signer(), prop::collection::btree_set(who(), 0..3))
            .prop_map(|(who, keys, signer, controllers)| Step::Insert { who, keys, signer, controllers }),
        6 => (who(), signer(), who(), rarely(), prop::collection::vec(edit(), 1..3)).prop_flat_map(
            |(author, signer, target, stale, edits)| {
                // Mostly one's own document.
                let target = prop_oneof![3 => Just(author), 1 => Just(target)];
                target.prop_map(move |target| Step::Update { author, signer, target, stale, edits: edits.clone() })
            }
        ),
        3 => (who(), 0..KEYS).prop_map(|(who, signer)| Step::Notarise { who, signer }),
        1 => who().prop_map(|who| Step::TakeRight { who }),
        1 => who().prop_map(|who| Step::GiveRight { who }),
        1 => (who(), place()).prop_map(|(who, place)| Step::AccreditRoot { who, place }),
        5 => (who(), signer(), place(), who(), any::<bool>(), place()).prop_map(
            |(author, signer, place, subject, tao, parent)| {
                Step::Reserve { author, signer, place, subject, tao, parent }
            }
        ),
        1 => (other(), signer(), place(), rarely())
            .prop_map(|(other, signer, place, stale)| Step::Rename { other, signer, place, stale }),
        8 => (other(), signer(), place(), signer(), rarely(), prop::option::of(at()), 1..4u8, rarely()).prop_map(
            |(other, signer, place, by, forged, life, types, stale)| {
                Step::Fill { other, signer, place, by, forged, life, types, stale }
            }
        ),
        1 => (other(), signer(), place(), any::<bool>(), at())
            .prop_map(|(other, signer, place, fraud, at)| Step::End { other, signer, place, fraud, at }),
        1 => (place(), at()).prop_map(|(place, at)| Step::EndRoot { place, at }),
        4 => (1..60u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// A root, an authority below it and an issuer below that, so that random steps have something to break.
pub(crate) fn prologue() -> Vec<Step> {
    let insert = |who: u32| Step::Insert { who, keys: [0, 1, 2].into(), signer: 0, controllers: BTreeSet::new() };
    let fill = |place: usize| Step::Fill {
        other: None,
        signer: 0,
        place,
        by: 0,
        forged: false,
        life: None,
        types: 3,
        stale: false,
    };
    let reserve = |author: u32, place: usize, subject: u32, tao: bool, parent: usize| Step::Reserve {
        author,
        signer: 0,
        place,
        subject,
        tao,
        parent,
    };
    vec![
        Step::AccreditRoot { who: 0, place: 0 },
        insert(0),
        fill(0),
        Step::Admit { who: 1, key: 0 },
        insert(1),
        reserve(0, 1, 1, true, 0),
        Step::Wait { seconds: 20 },
        fill(1),
        reserve(1, 2, 2, false, 1),
        Step::Admit { who: 2, key: 0 },
        insert(2),
        fill(2),
        Step::Admit { who: 3, key: 0 },
        Step::Wait { seconds: 20 },
    ]
}
