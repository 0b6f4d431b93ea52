//! A signed message to the caller's system when something settles that nobody waits for: queued documents, and those whose caller
//! was told that the outcome was not known.
//!
//! As Standard Webhooks (standardwebhooks.com) has it: a POST of JSON with `webhook-id`, which stays the same when it is sent again,
//! `webhook-timestamp`, and `webhook-signature: v1,` with the base64 of HMAC-SHA-256 over `id.timestamp.body` under the shared
//! secret. The message names the id and its state, and holds no receipt, salt or digest: the receiver asks for those with its token.
//!
//! ```json
//! {"type":"document.final","timestamp":1790000000,"data":{"id":"0192…","state":"final","documents":1,"record":"…",…}}
//! ```
//!
//! `examples/webhook.py` takes such messages and checks them.
//!
//! A delivery is on disk until the receiver answers 2xx: at least once, so that a receiver knows ids that it has seen. It is repeated
//! with growing pauses for four days, and given up after that, or when the receiver answers 410; the state stays to be asked for.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::json;
use testamur_primitives::units::UnixTime;
use testamur_registrar::store::seal::hmac;
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::kept;
use crate::limits::{WEBHOOK_AT_ONCE, WEBHOOK_IDLE_PAUSE, WEBHOOK_PAUSES_S, WEBHOOK_ROUND, WEBHOOK_TIMEOUT};
use crate::records::{Records, clock};
use crate::store::{Delivery, Store, StoreError, Submission};

/// Why a webhook is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Not an address for messages.
    #[error("a webhook's address is https://…, or http:// on this machine, without user and password")]
    Address,
    /// Not a secret.
    #[error("a webhook's secret is whsec_ and the base64 of 32 random bytes")]
    Secret,
    /// No client.
    #[error("the HTTP client does not start")]
    Client,
    /// No random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// Where messages go, and what they are signed with.
pub struct Webhook {
    address: Url,
    secret: Zeroizing<[u8; 32]>,
    client: Client,
}

impl core::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Webhook(…)")
    }
}

/// A fresh secret, as text.
pub fn fresh_secret() -> Result<String, WebhookError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| WebhookError::Random)?;
    Ok(format!("whsec_{}", STANDARD.encode(*bytes)))
}

impl Webhook {
    /// An address and the secret that is shared with it.
    pub fn new(address: &str, secret: &str) -> Result<Self, WebhookError> {
        let address: Url = address.parse().map_err(|_| WebhookError::Address)?;
        let here = address.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "[::1]" | "localhost"));
        let encrypted = address.scheme() == "https" || address.scheme() == "http" && here;
        if !encrypted || !address.username().is_empty() || address.password().is_some() {
            return Err(WebhookError::Address);
        }
        let bytes = secret.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok()).map(Zeroizing::new);
        let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).ok_or(WebhookError::Secret)?;
        // Without a process-wide choice the TLS stack cannot start; a choice that was made before stays.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("testamur-gateway/", env!("CARGO_PKG_VERSION")))
            // A message goes where its operator said, and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(WEBHOOK_TIMEOUT);
        let client = if here { client.no_proxy() } else { client };
        let client = client.build().map_err(|_| WebhookError::Client)?;
        Ok(Self { address, secret: Zeroizing::new(secret), client })
    }

    /// The signature of a message, as its header has it.
    fn sign(&self, id: &str, time: UnixTime, body: &[u8]) -> String {
        let signed = format!("{id}.{}.", time.0);
        format!("v1,{}", STANDARD.encode(*hmac(&self.secret, &[signed.as_bytes(), body])))
    }

    /// Sends one message. Whether it was taken: yes, no, or never will be.
    async fn send(&self, submission: &Submission, delivery: &Delivery) -> Outcome {
        let (id, time) = (format!("msg_{}", delivery.id), clock());
        let kind = format!("document.{}", submission.state.name());
        let message = json!({ "type": kind, "timestamp": delivery.settled, "data": kept::standing(submission) });
        let body = message.to_string();
        let request = self.client.post(self.address.clone()).header(CONTENT_TYPE, "application/json");
        let request = request
            .header("webhook-signature", self.sign(&id, time, body.as_bytes()))
            .header("webhook-id", id)
            .header("webhook-timestamp", time.0);
        match request.body(body).send().await {
            Ok(answer) if answer.status().is_success() => Outcome::Taken,
            Ok(answer) if answer.status().as_u16() == 410 => Outcome::Gone,
            Ok(answer) => Outcome::Failed(format!("the receiver answered {}", answer.status().as_u16())),
            // Without the address, which may hold a secret path.
            Err(error) => Outcome::Failed(error.without_url().to_string()),
        }
    }

    /// Delivers what is due, until it is dropped.
    pub(crate) async fn run(self, records: Arc<Records>, store: Arc<Store>) {
        loop {
            if let Err(error) = self.round(&store).await {
                tracing::error!(%error, "webhooks cannot be read or noted");
                sleep(WEBHOOK_IDLE_PAUSE).await;
            }
            let next = store.next_due().ok().flatten();
            let pause = next.map(|due| Duration::from_secs(due.0.saturating_sub(clock().0)));
            let pause = pause.unwrap_or(WEBHOOK_IDLE_PAUSE).min(WEBHOOK_IDLE_PAUSE);
            tokio::select! {
                () = records.settled.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    async fn round(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let due = store.due(clock(), WEBHOOK_ROUND)?;
            if due.is_empty() {
                return Ok(());
            }
            let mut sent = stream::iter(due)
                .map(async |(turn, id, delivery)| match delivery {
                    Some(delivery) if delivery.due == turn => self.deliver(store, delivery).await,
                    // It was put off, delivered or forgotten: this turn is none.
                    _ => {
                        let mut step = store.step();
                        step.drop_due(turn, id);
                        store.write(step).await
                    }
                })
                .buffer_unordered(WEBHOOK_AT_ONCE);
            while let Some(result) = sent.next().await {
                result?;
            }
        }
    }

    async fn deliver(&self, store: &Store, mut delivery: Delivery) -> Result<(), StoreError> {
        let id = delivery.id;
        let outcome = match store.submission(id)? {
            Some(submission) => self.send(&submission, &delivery).await,
            None => Outcome::Gone,
        };
        // If we crash here, the message is sent again: at least once.
        let mut step = store.step();
        step.drop_due(delivery.due, id);
        match outcome {
            Outcome::Taken => step.drop_delivery(id),
            Outcome::Gone => {
                tracing::warn!(document = %id, "the receiver of webhooks wants no more of it");
                step.drop_delivery(id);
            }
            Outcome::Failed(reason) => match WEBHOOK_PAUSES_S.get(delivery.attempts as usize) {
                Some(pause) => {
                    tracing::warn!(document = %id, attempts = delivery.attempts + 1, reason, "webhook not delivered");
                    delivery.attempts += 1;
                    // In whole seconds, and never a shorter pause than said.
                    delivery.due = UnixTime(clock().0.saturating_add(*pause + 1));
                    step.put_delivery(&delivery);
                }
                None => {
                    tracing::error!(document = %id, reason, "webhook given up");
                    step.drop_delivery(id);
                }
            },
        }
        store.write(step).await
    }
}

/// What came of a message.
enum Outcome {
    Taken,
    /// Nobody wants it.
    Gone,
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // printf 'msg_1.1790000000.{}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07 -binary | base64
        let secret = format!("whsec_{}", STANDARD.encode([7; 32]));
        let hook = Webhook::new("http://127.0.0.1:1/hook", &secret).unwrap();
        let signature = hook.sign("msg_1", UnixTime(1_790_000_000), b"{}");
        assert_eq!(signature, "v1,QJxB49ra/j/wOOP2V6vBjcOYmc1KvsDE7pz8HHZ0TcA=");
    }

    #[test]
    fn messages_go_encrypted_or_to_this_machine_under_a_real_secret() {
        let secret = fresh_secret().unwrap();
        assert_ne!(secret, fresh_secret().unwrap());
        let refused = |address: &str, secret: &str| Webhook::new(address, secret).unwrap_err();
        for address in
            ["", "back.example/hook", "ftp://back.example", "http://back.example/", "https://a:b@back.example/"]
        {
            assert_eq!(refused(address, &secret), WebhookError::Address, "{address}");
        }
        for wrong in ["", "whsec_", &secret[6..], &secret[..secret.len() - 4], "whsec_?"] {
            assert_eq!(refused("http://localhost/", wrong), WebhookError::Secret, "{wrong}");
        }
    }
}
