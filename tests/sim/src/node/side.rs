//! What the engine's core asks for, and what the node's other halves do for it: its log, signatures, its host, value sync.

use super::*;

impl Side {
    pub(super) fn say_ready(&mut self) -> Result<(), Ended> {
        let (reply, ready) = oneshot::channel();
        self.ready = Some(ready);
        self.answer(AppMsg::ConsensusReady { reply })
    }

    /// Hands an input to the engine, or keeps it until the engine has begun.
    pub(super) fn take(&mut self, waiting: Waiting) {
        if self.phase == Phase::Running {
            self.waiting.push_back(waiting);
        } else if self.early.len() < EARLY_MAX {
            self.early.push_back(waiting);
        }
    }

    pub(super) fn answer(&mut self, message: AppMsg<Network>) -> Result<(), Ended> {
        let tip = self.ledger.tip().height;
        let answered = self.seat.answer(message);
        while let Some(part) = self.seat.published() {
            let bytes = self.codec.encode(&part).map_err(|e| ended("codec", e))?;
            self.done.push(Done::Sent(To::All, Message::Part(bytes)));
        }
        self.switch |= answered.map_err(|e| ended("node", e))?;
        let reached = self.ledger.tip().height;
        if reached > tip {
            self.done.push(Done::Committed(reached));
        }
        Ok(())
    }

    /// Looks for a reason to go on. Whether something was found.
    pub(super) fn look(&mut self) -> Result<bool, Ended> {
        if self.seat.look().map_err(|e| ended("node", e))? {
            self.switch = true;
            return Ok(true);
        }
        let started = match (&mut self.ready, &mut self.next) {
            (Some(ready), _) => ready.try_recv().ok(),
            (None, Some(next)) => next.try_recv().ok().map(|next| match next {
                Next::Start(height, params) | Next::Restart(height, params) => (height, params),
            }),
            (None, None) => None,
        };
        let Some((height, params)) = started else { return Ok(false) };
        (self.ready, self.next) = (None, None);
        self.waiting.push_back(Waiting::Start(height, params));
        Ok(true)
    }

    pub(super) fn receive_part(&mut self, from: PeerId, bytes: Bytes) -> Result<(), Ended> {
        let Ok(part) = self.codec.decode(bytes) else { return Ok(()) };
        let (reply, mut value) = oneshot::channel();
        self.answer(AppMsg::ReceivedProposalPart { from, published_by: Some(from), part, reply })?;
        if let Ok(Some(value)) = value.try_recv() {
            self.propose(value, ValueOrigin::Consensus);
        }
        Ok(())
    }

    pub(super) fn propose(&mut self, value: ProposedValue<Network>, origin: ValueOrigin) {
        self.waiting.push_back(Waiting::Input(Input::ProposedValue(value, origin)));
    }

    pub(super) fn send_status(&mut self) {
        // An engine that has not begun says nothing.
        if self.phase != Phase::Running {
            return;
        }
        let tip_height = EngineHeight(self.ledger.tip().height);
        let status = sync::Status { peer_id: self.peer, tip_height, history_min_height: EngineHeight(Height(1)) };
        let bytes: Bytes = self.codec.encode(&status).expect("a status is short");
        self.done.push(Done::Sent(To::All, Message::Status(bytes)));
    }

    pub(super) fn serve(&mut self, peer: PeerId, request: sync::ValueRequest<Network>) -> Result<(), Ended> {
        if self.phase != Phase::Running {
            return Ok(());
        }
        let start = *request.range.start();
        let (reply, mut values) = oneshot::channel();
        self.answer(AppMsg::GetDecidedValues { range: request.range, reply })?;
        let Ok(values) = values.try_recv() else { return Ok(()) };
        let response = sync::Response::ValueResponse(sync::ValueResponse::new(start, values));
        let bytes = self.codec.encode(&response).map_err(|e| ended("codec", e))?;
        self.done.push(Done::Sent(To::Peer(peer), Message::Response(bytes)));
        Ok(())
    }

    pub(super) fn fetch(&mut self, peer: PeerId, response: sync::ValueResponse<Network>) {
        if self.asked.is_none_or(|(asked, _)| asked != peer) {
            return;
        }
        self.asked = None;
        for value in response.values {
            let height = value.certificate.height.0;
            self.fetched.insert(height, ValueResponse::new(peer, value.value_bytes, value.certificate));
        }
    }

    pub(super) fn log_entries(&mut self) -> Result<Vec<Option<Input<Network>>>, Ended> {
        if self.log.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for entry in self.log.iter().map_err(|e| ended("engine's log", e))? {
            let input = entry.and_then(|bytes| decode_entry(&self.codec, bytes.as_slice())).ok();
            let damaged = input.is_none();
            entries.push(input);
            if damaged {
                break;
            }
        }
        if matches!(entries.last(), Some(None)) {
            self.log.truncate(entries.len() as u64 - 1).map_err(|e| ended("engine's log", e))?;
        }
        Ok(entries)
    }

    pub(super) fn log_append(&mut self, entry: Input<Network>) -> Result<(), Ended> {
        if self.phase == Phase::Recovering || !self.is_validator {
            return Ok(());
        }
        let mut bytes = Vec::new();
        encode_entry(entry, &self.codec, &mut bytes).map_err(|e| ended("engine's log", e))?;
        self.log.append(&bytes).map_err(|e| ended("engine's log", e))
    }

    pub(super) fn log_flush(&mut self) -> Result<(), Ended> {
        if self.phase == Phase::Recovering || !self.is_validator {
            return Ok(());
        }
        self.log.flush().map_err(|e| ended("engine's log", e))
    }

    pub(super) fn cancel(&mut self, timeout: Timeout) {
        self.timers.retain(|(t, _)| *t != timeout);
    }

    pub(super) fn sent(&mut self, message: Message) {
        self.done.push(Done::Sent(To::All, message));
    }

    pub(super) fn liveness(&mut self, message: &LivenessMsg<Network>) -> Result<(), Ended> {
        let bytes = self.codec.encode(message).map_err(|e| ended("codec", e))?;
        self.sent(Message::Liveness(bytes));
        Ok(())
    }

    pub(super) fn signer(&self) -> &dyn Signer<Network> {
        self.signer.as_deref().expect("an engine under no validator's address never asks for a signature")
    }

    #[allow(clippy::too_many_lines, reason = "one arm an effect")]
    pub(super) fn effect(&mut self, effect: Effect<Network>) -> Result<Resume<Network>, Ended> {
        if self.disk.stopped() {
            return Err(Ended("the machine is off".into()));
        }
        Ok(match effect {
            Effect::CancelAllTimeouts(r) => {
                self.timers.clear();
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                self.cancel(timeout);
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                self.cancel(timeout);
                self.timers.push((timeout, self.now + micros(self.timeouts.duration_for(timeout))));
                r.resume_with(())
            }
            Effect::StartRound(height, round, proposer, role, r) => {
                self.log_flush()?;
                let (reply_value, mut values) = oneshot::channel();
                self.answer(AppMsg::StartedRound { height, round, proposer, role, reply_value })?;
                for value in values.try_recv().unwrap_or_default() {
                    self.propose(value, ValueOrigin::Consensus);
                }
                r.resume_with(())
            }
            Effect::SignProposal(proposal, r) => {
                let signed = self.signer().sign_proposal(proposal).now_or_never().expect("nothing waits");
                r.resume_with(signed.map_err(|e| ended("double-sign guard", e))?)
            }
            Effect::SignVote(vote, r) => {
                let signed = self.signer().sign_vote(vote).now_or_never().expect("nothing waits");
                r.resume_with(signed.map_err(|e| ended("double-sign guard", e))?)
            }
            Effect::VerifySignature(message, key, r) => {
                use arc_malachitebft_signing::Verifier as _;
                let (verifier, signature) = (&self.verifier, &message.signature);
                let result = match &message.message {
                    ConsensusMsg::Vote(vote) => verifier.verify_signed_vote(vote, signature, &key).now_or_never(),
                    ConsensusMsg::Proposal(p) => verifier.verify_signed_proposal(p, signature, &key).now_or_never(),
                };
                r.resume_with(result.expect("nothing waits").is_ok_and(|result| result.is_valid()))
            }
            Effect::VerifyCommitCertificate(certificate, set, thresholds, r) => {
                let verified = self.verifier.verify_commit_certificate(&Network, &certificate, &set, thresholds);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::VerifyPolkaCertificate(certificate, set, thresholds, r) => {
                let verified = self.verifier.verify_polka_certificate(&Network, &certificate, &set, thresholds);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::VerifyRoundCertificate(certificate, set, thresholds, r) => {
                let verified = self.verifier.verify_round_certificate(&Network, &certificate, &set, thresholds);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::VerifyExtendedCommitCertificate(certificate, set, thresholds, policy, r) => {
                let verified =
                    self.verifier.verify_extended_commit_certificate(&Network, &certificate, &set, thresholds, policy);
                r.resume_with(verified.now_or_never().expect("nothing waits"))
            }
            Effect::ExtendVote(_, _, _, _, r) => r.resume_with(None),
            Effect::VerifyVoteExtension(_, _, _, _, extension, _, _) => match extension.message {},
            Effect::PublishConsensusMsg(message, r) => {
                self.log_flush()?;
                let bytes = self.codec.encode(&message).map_err(|e| ended("codec", e))?;
                self.done.push(Done::Published(message));
                self.sent(Message::Consensus(bytes));
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                self.liveness(&message)?;
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                self.done.push(Done::Published(SignedConsensusMsg::Vote(vote.clone())));
                self.liveness(&LivenessMsg::Vote(vote))?;
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                self.liveness(&LivenessMsg::SkipRoundCertificate(certificate))?;
                r.resume_with(())
            }
            Effect::GetValue(height, round, timeout, r) => {
                let timeout = self.timeouts.duration_for(timeout);
                let (reply, mut value) = oneshot::channel();
                self.answer(AppMsg::GetValue { height, round, timeout, reply })?;
                if let Ok(value) = value.try_recv() {
                    self.waiting.push_back(Waiting::Input(Input::Propose(value)));
                }
                r.resume_with(())
            }
            Effect::RestreamProposal(height, round, valid_round, address, value_id, r) => {
                self.answer(AppMsg::RestreamProposal { height, round, valid_round, address, value_id })?;
                r.resume_with(())
            }
            Effect::Decide(certificate, extensions, r) => {
                self.log_flush()?;
                let (reply, _committed) = oneshot::channel();
                self.answer(AppMsg::Decided { certificate, extensions, reply })?;
                r.resume_with(())
            }
            Effect::Finalize(certificate, extensions, evidence, r) => {
                let proposals: usize = evidence.proposals.iter().map(|(_, list)| list.len()).sum();
                let votes: usize = evidence.votes.iter().map(|(_, list)| list.len()).sum();
                if proposals + votes > 0 {
                    self.done.push(Done::Evidence(proposals + votes));
                }
                let (reply, next) = oneshot::channel();
                self.next = Some(next);
                self.answer(AppMsg::Finalized { certificate, extensions, evidence, reply })?;
                r.resume_with(())
            }
            Effect::CertRejectedSyncValue(_, _, _, r) => {
                self.fed = None;
                r.resume_with(())
            }
            Effect::CertVerifiedSyncValue(value, proposer, r) => {
                let (height, round) = (value.certificate.height, value.certificate.round);
                let (reply, mut outcome) = oneshot::channel();
                let value_bytes = value.value_bytes;
                self.answer(AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply })?;
                match outcome.try_recv() {
                    Ok(SyncedValueOutcome::Verdict(mut proposed)) => {
                        proposed.round = round;
                        if proposed.value == value.certificate.value_id {
                            self.propose(proposed, ValueOrigin::Sync);
                        } else {
                            self.fed = None;
                        }
                    }
                    _ => self.fed = None,
                }
                r.resume_with(())
            }
            Effect::WalAppend(_, entry, r) => {
                self.log_append(entry)?;
                r.resume_with(())
            }
        })
    }
}
