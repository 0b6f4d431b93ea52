//! Proofs of credentials, gathered from a node that writes down what it was asked.

#[path = "../../../contracts/credentials/tests/world/mod.rs"]
mod world;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use testamur_client::diplomas::{Gatherer, gather};
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::Registry;
use testamur_credentials::credential::{Credential, Format};
use testamur_credentials::proofs::{Lists, Proofs};
use testamur_credentials::verify::{Policy, Presented, Reason, Report, Verdict};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::StateKey;
use testamur_primitives::units::UnixTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use world::parties::{ISSUED, NOW, World, policy, shown};
use world::{DAY, Network, State};

/// What a node holds, and what it was asked.
struct Node {
    network: Network,
    state: State,
    lists: Lists,
    asked: Mutex<Vec<String>>,
}

impl Node {
    /// Starts a node of a world; the registry reads from it.
    async fn start(world: &World, lists: Lists) -> (Arc<Self>, Registry) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (network, state) = (world.network.clone(), world.state.clone());
        let node = Arc::new(Self { network, state, lists, asked: Mutex::default() });
        let served = Arc::clone(&node);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        (node, Registry::new(Nodes::new(&[url], &Connections::default()).unwrap(), world.network.trust()))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn answer(&self, target: &str) -> (&'static str, Vec<u8>) {
        self.asked.lock().unwrap().push(target.to_owned());
        if let Some(digest) = target.strip_prefix("/v1/attachments/") {
            let bits = self.lists.get(&digest.parse().unwrap());
            return bits.map_or(("404 Not Found", Vec::new()), |bits| ("200 OK", bits.to_vec()));
        }
        let Some(query) = target.strip_prefix("/v1/state?") else { return ("404 Not Found", Vec::new()) };
        let key = |pair: &str| pair.strip_prefix("key=").unwrap().parse::<StateKey>().unwrap();
        let keys: BTreeSet<_> = query.split('&').map(key).collect();
        ("200 OK", self.network.evidence(&self.state, NOW, &keys).encode())
    }
}

async fn serve(mut stream: TcpStream, node: Arc<Node>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8(head).unwrap();
    let (status, body) = node.answer(text.split(' ').nth(1).unwrap());
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The client may have gone: nobody is there to tell.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn world() -> World {
    World::new(SigningKey::ed25519(&[7; 32]))
}

fn verify(
    world: &World,
    credential: &Credential,
    receipt: Option<&Receipt>,
    proofs: &Proofs,
    at: Option<u64>,
) -> Report {
    let policy = Policy { at: at.map(UnixTime), ..policy() };
    world.verifier().verify(&Presented { receipt: receipt.map(Ok), ..shown(credential, proofs) }, &policy)
}

#[tokio::test]
async fn what_is_gathered_verifies_and_names_no_diploma() {
    let mut world = world();
    let credential = world.diploma(Format::Ebsi);
    let receipt = world.anchor(&credential, ISSUED);
    let stray = world.anchor(&world.diploma(Format::SdJwt), ISSUED);
    world.list("diplomas-1", ISSUED + 50 * DAY, &[6, 8]);
    let (node, registry) = Node::start(&world, world.lists.clone()).await;
    for (receipt, reason) in
        [(Some(&receipt), Reason::Valid), (None, Reason::Valid), (Some(&stray), Reason::AnchorOtherDocument)]
    {
        let proofs = gather(&registry, &credential, receipt, None).await.unwrap();
        let report = verify(&world, &credential, receipt, &proofs, None);
        // A receipt that turns out not to count leaves nothing unproven.
        assert_eq!(report.reason, reason, "{report:?}");
        assert!(report.steps.iter().all(|step| step.reason == reason || step.reason.outcome() == step.outcome));
        assert!(!report.steps.iter().any(|step| step.reason.code().ends_with("no-proof")), "{report:?}");
        let asked = node.asked();
        let kinds = ["/v1/trust-chains?", "/v1/state?", "/v1/attachments/"];
        assert!(asked.iter().all(|target| kinds.iter().any(|kind| target.starts_with(kind))), "{asked:?}");
        let names = [credential.id.as_deref().unwrap(), "index", "131071", "Παπαδοπούλου"];
        assert!(!names.iter().any(|name| asked.iter().any(|target| target.contains(name))), "{asked:?}");
    }
}

#[tokio::test]
async fn like_credentials_are_asked_for_once() {
    let world = world();
    let (node, registry) = Node::start(&world, world.lists.clone()).await;
    let gatherer = Gatherer::default();
    let (first, second) = (world.diploma(Format::SdJwt), world.diploma(Format::Vcdm2));
    let one = gatherer.gather(&registry, &first, None, None).await.unwrap();
    assert!(!node.asked().is_empty());
    let other = gatherer.gather(&registry, &second, None, None).await.unwrap();
    assert_eq!(node.asked(), [""; 0], "the same issuer, scope and list");
    assert!(Arc::ptr_eq(one.evidence.as_ref().unwrap(), other.evidence.as_ref().unwrap()));
    assert_eq!(verify(&world, &second, None, &other, None).verdict, Verdict::Valid);
    let mut foreign = first;
    foreign.issuer = "did:web:university.example".parse().unwrap();
    let none = gatherer.gather(&registry, &foreign, None, None).await.unwrap();
    assert!(none.evidence.is_none() && none.lists.is_empty());
    assert_eq!(node.asked(), [""; 0], "nobody is asked about an issuer of elsewhere");
}

#[tokio::test]
async fn an_earlier_time_is_answered_by_the_version_of_then() {
    let mut world = world();
    let credential = world.diploma(Format::SdJwt);
    let receipt = world.anchor(&credential, ISSUED);
    let of_then = world.lists.clone();
    world.list("diplomas-1", ISSUED + 50 * DAY, &[7]);
    let (_node, registry) = Node::start(&world, world.lists.clone()).await;
    for (at, reason) in [(None, Reason::StatusRevoked), (Some(ISSUED + DAY), Reason::Valid)] {
        let proofs = gather(&registry, &credential, Some(&receipt), at.map(UnixTime)).await.unwrap();
        assert_eq!(verify(&world, &credential, Some(&receipt), &proofs, at).reason, reason);
    }
    // Nodes forget older versions: then that alone is not known.
    let newest: Lists = world
        .lists
        .iter()
        .filter(|(digest, _)| of_then.get(digest).is_none())
        .map(|(_, bits)| Arc::clone(bits))
        .collect();
    let (_node, registry) = Node::start(&world, newest).await;
    let proofs = gather(&registry, &credential, Some(&receipt), Some(UnixTime(ISSUED + DAY))).await.unwrap();
    let report = verify(&world, &credential, Some(&receipt), &proofs, Some(ISSUED + DAY));
    assert_eq!(report.reason, Reason::StatusNoProof);
    // But a node that lacks what is in force now is passed over.
    let error = gather(&registry, &credential, Some(&receipt), None).await.unwrap_err();
    assert_eq!(error.code(), "registry.no-attachment");
}
