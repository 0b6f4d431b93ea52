//! The service as its callers see it, over a ledger made of the formats alone.

mod abuse;
mod answers;
mod log;
mod nodes;
mod offline;

#[path = "../../../../contracts/credentials/tests/world/mod.rs"]
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use testamur_client::registry::Registry;
use testamur_credentials::credential::Format;
use testamur_credentials::package::Package;
use testamur_paper::check::Verifiers;
use testamur_primitives::key::SigningKey;
use testamur_verifier::check::Checker;
use testamur_verifier::{Service, VerifierConfig};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use world::parties::{ISSUED, NOW, World, sign_text};

/// A verifier that runs until it is dropped or told to stop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Running {
    /// Starts one of a world.
    pub(crate) async fn start(world: &World, registries: Vec<Registry>) -> Self {
        Self::start_with(world, registries, |config| config).await
    }

    /// The same, configured otherwise.
    pub(crate) async fn start_with(
        world: &World,
        registries: Vec<Registry>,
        change: impl FnOnce(VerifierConfig) -> VerifierConfig,
    ) -> Self {
        log::capture();
        let verifiers = Arc::new(Verifiers::new([world.network.trust()]));
        let checker = Checker::keeping(verifiers, registries, Duration::from_secs(60));
        let config = change(VerifierConfig::new("127.0.0.1:0".parse().unwrap(), checker));
        let service = Service::bind(config).await.unwrap();
        let address = service.local_address();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(service.serve(async move {
            let _ = stopped.await;
        }));
        // As the client of nodes does it, which not every test has; who comes second finds it there.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, client, stop: Some(stop), serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Verifies a file as of the time at which the world is looked at.
    pub(crate) async fn verify(&self, file: Vec<u8>) -> Value {
        let answer = self.client.post(self.url(&format!("/v1/verify?at={NOW}"))).body(file).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Verifies a batch and gives its lines.
    pub(crate) async fn batch(&self, kind: &str, body: impl Into<reqwest::Body>) -> Vec<Value> {
        let request = self.client.post(self.url(&format!("/v1/verify/batch?at={NOW}"))).header("content-type", kind);
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
        lines(&answer.text().await.unwrap())
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.await.unwrap();
    }
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A ledger whose university signs with Ed25519.
pub(crate) fn world() -> World {
    World::new(SigningKey::ed25519(&[23; 32]))
}

/// The text of a diploma whose entry in the list is this one.
pub(crate) fn text(world: &World, index: u64) -> String {
    let mut draft = world.draft();
    draft.id = format!("urn:example:{index}");
    draft.status.as_mut().expect("the draft has a place").index = index;
    sign_text(Format::SdJwt, &draft, &world.university.key)
}

/// That diploma with its receipt and proofs.
pub(crate) fn package(world: &World, index: u64) -> Vec<u8> {
    packages(world, index..index + 1).remove(0)
}

/// Diplomas of one batch, each with its receipt and proofs.
pub(crate) fn packages(world: &World, indexes: core::ops::Range<u64>) -> Vec<Vec<u8>> {
    let texts: Vec<_> = indexes.map(|index| text(world, index)).collect();
    let read: Vec<_> = texts.iter().map(|text| testamur_credentials::format::parse(text).unwrap()).collect();
    let digests: Vec<_> = read.iter().map(|credential| credential.digest()).collect();
    let (did, key) = (&world.university.did, &world.university.key);
    let receipts = world.network.batch(&world.state, did, key, ISSUED, &digests);
    let proofs = world.proofs(&read[0], Some(ISSUED), NOW);
    let package =
        |(credential, receipt)| Package { credential, receipt: Some(receipt), proofs: proofs.clone() }.encode();
    texts.into_iter().zip(receipts).map(package).collect()
}
