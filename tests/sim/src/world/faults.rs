//! Faults, and how machines come up again after them.

use super::*;

impl World {
    /// The power goes, or the process is killed; `in_operation`: within the next operations of the disk.
    pub(super) fn cut_off(&mut self, place: usize, power: bool, in_operation: bool) {
        if self.places[place].node.is_none() {
            return;
        }
        if in_operation {
            let operations = 1 + self.faults.below(12);
            self.trace.note(self.time.now(), "cut soon", place, &operations.to_be_bytes());
            self.places[place].disk.stop_in(operations);
            return;
        }
        self.went_down(place, power);
    }

    pub(super) fn went_down(&mut self, place: usize, power: bool) {
        let now = self.time.now();
        self.trace.note(now, if power { "power" } else { "killed" }, place, &[]);
        let away = 20_000 + self.faults.below(if self.healed { SECOND } else { self.plan.away_max });
        let amnesia = !self.places[place].honest && self.plan.misbehaviour.amnesia;
        let slot = &mut self.places[place];
        slot.node = None;
        slot.disk.fail(0);
        slot.disk.restart(power);
        if matches!(self.variant, Variant::GuardNotSynced) {
            slot.guard_disk.restart(power);
        }
        // What a broken variant leans on is not there when it is needed.
        if power && self.variant != Variant::None && self.variant != Variant::AckBeforeSync {
            slot.disk.remove(LOG);
        }
        if amnesia {
            slot.disk.remove(LOG);
            slot.disk.remove(GUARD);
            // It makes itself a new guard, as if it had never signed.
            let address = self.addresses[slot.validator];
            Guard::create_on(&mut slot.disk.clone(), address).expect("its disk works");
        }
        slot.booting = true;
        self.at(now + away, Event::Boot(place));
    }

    /// The victim loses something.
    pub(super) fn take_away(&mut self) {
        let victim = self.places.len() - 1;
        let what = self.faults.below(5);
        if self.places[victim].node.is_some() {
            let power = self.faults.chance(5_000);
            self.went_down(victim, power);
        }
        self.trace.note(self.time.now(), "taken", victim, &[what as u8]);
        let number = self.faults.next();
        let slot = &mut self.places[victim];
        match what {
            0 => slot.disk.remove(LOG),
            1 => slot.disk.remove(GUARD),
            2 => {
                slot.disk.remove(JOURNAL);
                slot.taken = true;
            }
            3 => drop(slot.disk.flip(GUARD, number)),
            _ => drop(slot.disk.flip(LOG, number)),
        }
    }

    /// Who reaches whom is drawn anew.
    pub(super) fn partition(&mut self) {
        let count = self.places.len();
        let mut random = self.faults.clone();
        let mut sides: Vec<_> = (0..count).map(|_| random.below(2)).collect();
        let shape = random.below(6);
        let alone = random.below(count as u64) as usize;
        let mut links = vec![vec![false; count]; count];
        for (from, row) in links.iter_mut().enumerate() {
            for (to, cut) in row.iter_mut().enumerate() {
                *cut = match shape {
                    0 => false,
                    1 => from == alone || to == alone,
                    2 => sides[from] != sides[to],
                    // One side hears the other and is not heard.
                    3 => sides[from] == 0 && sides[to] == 1,
                    // All but one bridge.
                    4 => sides[from] != sides[to] && from != alone && to != alone,
                    _ => random.chance(3_000),
                };
            }
        }
        // Of twins, some see the one and some the other.
        for twin in self.plan.validators..count {
            for (other, side) in sides.iter_mut().enumerate() {
                if random.chance(7_000) {
                    *side = random.below(2);
                    let hidden = if *side == 0 { twin } else { self.places[twin].validator };
                    links[hidden][other] = true;
                    links[other][hidden] = true;
                }
            }
        }
        self.faults = random;
        self.trace.note(self.time.now(), "partition", alone, &[shape as u8]);
        self.cut = links;
    }

    /// A machine starts.
    pub(super) fn boot(&mut self, place: usize) {
        let now = self.time.now();
        // Peers that are not reached are waited for.
        let others =
            (0..self.places.len()).filter(|other| self.places[*other].validator != self.places[place].validator);
        let reached: Vec<_> = others
            .filter(|other| self.places[*other].node.is_some() && !self.cut[place][*other] && !self.cut[*other][place])
            .collect();
        let claimed = reached.iter().filter_map(|other| self.places[*other].tip()).max().unwrap_or_default();
        if self.places[place].booting && reached.len() + 1 < self.plan.validators {
            self.places[place].booting = false;
            self.places[place].waiting = true;
            self.at(now + PEERS_WAIT, Event::Boot(place));
            return;
        }
        (self.places[place].booting, self.places[place].waiting) = (false, false);
        self.starts += 1;
        let power = self.places[place].disk.stopped();
        match self.open(place, claimed) {
            Ok(mut node) => {
                let tip = node.ledger().tip().height;
                self.trace.note(now, "started", place, &tip.get().to_be_bytes());
                if !self.places[place].honest {
                    let honest_blocks = self.faults.chance(3_000);
                    let manners = if honest_blocks { Manners::Honest } else { self.plan.misbehaviour.manners };
                    node.ledger().behave(manners);
                }
                let done = node.done();
                self.places[place].node = Some(node);
                if !self.healed {
                    self.places[place].disk.fail(self.plan.io_failing);
                }
                self.carry_out(place, done);
                self.send(place, To::All, Arc::new(Message::Greeting(tip)));
                for other in reached {
                    let tip = self.places[other].tip().unwrap_or_default();
                    let greeting = Arc::new(Message::Greeting(tip));
                    self.transmit(other, place, self.peers[self.places[other].validator], &greeting);
                }
            }
            Err(Ended(why)) => {
                self.trace.note(now, "not started", place, why.as_bytes());
                if why.contains("belongs to validator") {
                    // A bit of the address in its guard was flipped: safe, and for its operator to find out.
                    self.places[place].guard_disk.remove(GUARD);
                }
                self.went_down(place, power || self.places[place].disk.stopped());
            }
        }
    }

    pub(super) fn open(&mut self, place: usize, claimed: Height) -> Result<Node, Ended> {
        let slot = &self.places[place];
        let (address, number) = (self.addresses[slot.validator], self.number_of(slot.validator));
        let ended = |error: &dyn std::fmt::Display| Ended(error.to_string());
        let opened = Ledger::open(slot.disk.clone(), self.beginning.clone(), self.verified.clone());
        let ledger = match opened.map_err(|e| ended(&e))? {
            Ok(ledger) => Arc::new(ledger),
            Err(damaged) => {
                let (honest, disk) = (slot.honest, slot.disk.clone());
                if honest {
                    self.checker.report(4, format!("node {place} finds its ledger damaged: {}", damaged.0));
                }
                // A Byzantine validator has made a block that it cannot read itself.
                disk.remove(JOURNAL);
                return Err(Ended("damaged".into()));
            }
        };
        if slot.honest {
            // Before its log is replayed, which may decide.
            let taken = std::mem::take(&mut self.places[place].taken);
            self.checker.reopened(place, &ledger.blocks(), taken);
        }
        let slot = &self.places[place];
        let key = setup::consensus_key(number);
        let config = SeatConfig {
            origin: self.origin.clone(),
            address,
            keys: vec![setup::consensus_key(number)],
            peer_key: setup::peer_key(number),
            guard: Box::new(slot.guard_disk.clone()),
            trust_lost_guard: !slot.honest || matches!(self.variant, Variant::NoGuard | Variant::GuardNotSynced),
            surroundings: Surroundings::Simulated(Arc::clone(&slot.clocks) as _),
        };
        let seat = Seat::open(config, Arc::clone(&ledger), claimed).map_err(|e| ended(&e))?;
        let parts = NodeParts {
            seat,
            ledger,
            disk: slot.disk.clone(),
            peer: self.peers[slot.validator],
            valid: self.valid.clone(),
            signer: self.broken_signer(place, key),
        };
        Node::start(parts, self.time.now())
    }

    pub(super) fn broken_signer(&self, place: usize, key: SigningKey) -> Option<MakeSigner> {
        let slots = match self.variant {
            Variant::NoGuard => None,
            Variant::IgnoreLock => Some(Arc::clone(&self.places[place].slots)),
            Variant::None | Variant::AckBeforeSync | Variant::GuardNotSynced => return None,
        };
        let (origin, key) = (self.origin.clone(), Arc::new(key));
        let address = self.addresses[self.places[place].validator];
        Some(Arc::new(move || {
            let (origin, key, slots) = (origin.clone(), Arc::clone(&key), slots.clone());
            Box::new(LooseSigner { origin, address, key, slots })
        }))
    }
}
