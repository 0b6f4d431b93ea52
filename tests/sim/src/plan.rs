//! What happens in a run: chosen by its seed, each kind of fault in some runs and not in others, so that rare mixes and
//! single faults both come up.

use crate::ledger::Manners;
use crate::random::Random;
use crate::time::{Micros, SECOND};

/// How the Byzantine validators of a run behave. All of it at chance, all the time, also after the faults have ended.
#[derive(Debug, Clone, Default)]
pub struct Misbehaviour {
    /// Each runs twice, under one key, and others see one of the two or both.
    pub twins: bool,
    /// Votes that contradict its own, in 10,000.
    pub double_votes: u64,
    /// Messages that are not sent to somebody, in 10,000.
    pub withheld: u64,
    /// Messages of long ago that are sent again, in 10,000.
    pub replayed: u64,
    /// What it forgets with each kill: guard and log.
    pub amnesia: bool,
    /// What its blocks are like.
    pub manners: Manners,
}

/// A network and its faults. Intervals are means, 0 is never.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Validators.
    pub validators: usize,
    /// Those of them that are Byzantine: the first ones, at most a third less one.
    pub byzantine: usize,
    /// What those do.
    pub misbehaviour: Misbehaviour,
    /// One validator that may lose what no disk should lose (only where none is Byzantine).
    pub victim: bool,
    /// When the faults end.
    pub faults_end: Micros,
    /// Between records of clients.
    pub record_every: Micros,
    /// An idle network's heartbeat, in seconds.
    pub heartbeat_s: u32,
    /// Between kills of a process.
    pub kill_every: Micros,
    /// Between power cuts of a machine.
    pub power_every: Micros,
    /// Between power cuts of all machines at once.
    pub blackout_every: Micros,
    /// How often a cut comes in the middle of an operation of the disk, in 10,000.
    pub in_operation: u64,
    /// How long a machine stays away at most.
    pub away_max: Micros,
    /// Operations of disks that fail, in 10,000.
    pub io_failing: u64,
    /// Between changes of who reaches whom.
    pub partition_every: Micros,
    /// Messages lost, in 10,000.
    pub loss: u64,
    /// Messages that come twice, in 10,000.
    pub doubled: u64,
    /// Least time on the way.
    pub delay: Micros,
    /// More time on the way, up to this.
    pub jitter: Micros,
    /// Between jumps of a clock.
    pub clock_every: Micros,
    /// How far a clock may be off.
    pub clock_max: Micros,
    /// Between losses of the victim.
    pub loss_every: Micros,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed, "plan");
        let r = &mut random;
        let mut some = |chance: u64, low: Micros, high: Micros| if r.chance(chance) { r.between(low, high) } else { 0 };
        let mut plan = Self {
            kill_every: some(5_000, SECOND, 15 * SECOND),
            power_every: some(5_000, SECOND, 15 * SECOND),
            blackout_every: some(2_000, 4 * SECOND, 20 * SECOND),
            in_operation: some(7_000, 2_000, 10_000),
            io_failing: some(2_500, 2, 40),
            partition_every: some(5_000, SECOND / 2, 10 * SECOND),
            loss: some(4_000, 10, 2_500),
            doubled: some(4_000, 10, 2_000),
            clock_every: some(4_000, SECOND, 10 * SECOND),
            loss_every: some(3_000, 3 * SECOND, 15 * SECOND),
            ..Self::default()
        };
        plan.validators = *r.pick(&[4, 4, 4, 4, 5, 6, 7]);
        plan.faults_end = r.between(10 * SECOND, 40 * SECOND);
        plan.record_every = r.between(SECOND / 4, 4 * SECOND);
        plan.heartbeat_s = r.between(2, 8) as u32;
        plan.away_max = r.between(SECOND / 10, 12 * SECOND);
        plan.delay = r.between(200, 40_000);
        plan.jitter = if r.chance(5_000) { r.between(1_000, 400_000) } else { r.between(100, 10_000) };
        plan.clock_max =
            if r.chance(5_000) { r.between(SECOND, 8 * SECOND) } else { r.between(SECOND, 7_200 * SECOND) };
        if r.chance(4_500) {
            plan.byzantine = r.between(1, ((plan.validators - 1) / 3) as u64) as usize;
            plan.misbehaviour = Misbehaviour {
                twins: r.chance(6_000),
                double_votes: if r.chance(5_000) { r.between(100, 6_000) } else { 0 },
                withheld: if r.chance(5_000) { r.between(100, 9_000) } else { 0 },
                replayed: if r.chance(4_000) { r.between(10, 1_000) } else { 0 },
                amnesia: r.chance(4_000),
                manners: *r.pick(&[
                    Manners::Honest,
                    Manners::Honest,
                    Manners::Honest,
                    Manners::BadStateRoot,
                    Manners::FutureTime,
                    Manners::PastTime,
                    Manners::Repeats,
                    Manners::Garbage,
                ]),
            };
        }
        plan.victim = plan.byzantine == 0 && plan.loss_every > 0;
        plan
    }
}
