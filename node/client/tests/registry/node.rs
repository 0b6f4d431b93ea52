//! A node reduced to what a reader of registries sees of one, and the ways in which it can lie.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use testamur_client::author::now;
use testamur_primitives::codec::sha256;
use testamur_primitives::hash::AttachmentHash;
use testamur_primitives::state::StateKey;
use testamur_primitives::units::UnixTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::network::{Network, State};

/// How a node behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Says what is.
    Well,
    /// Leaves out what it was asked for.
    Omits,
    /// Serves an old state, honestly proven.
    OldRoot,
    /// Changes a value.
    WrongValue,
    /// Says that a key is absent which is not.
    Absent,
    /// Has too few cosignatures.
    FewSignatures,
    /// Serves another network's state.
    OtherNetwork,
    /// Decides a block after each answer, this many times.
    Busy(usize),
    /// Closes every connection.
    Gone,
}

struct Inner {
    network: Network,
    state: State,
    mood: Mood,
    height: u64,
    time: UnixTime,
    attachments: BTreeMap<String, Vec<u8>>,
}

/// A running node.
pub(crate) struct FakeNode {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    task: tokio::task::JoinHandle<()>,
}

impl FakeNode {
    pub(crate) async fn start(network: &Network, state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner {
            network: network.clone(),
            state,
            mood: Mood::Well,
            height: 5,
            time: now().unwrap(),
            attachments: BTreeMap::new(),
        }));
        let shared = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, inner, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn behave(&self, mood: Mood) {
        self.inner.lock().unwrap().mood = mood;
    }

    pub(crate) fn advance(&self) {
        self.inner.lock().unwrap().height += 1;
    }

    pub(crate) fn hold(&self, bytes: &[u8]) {
        self.hold_as(AttachmentHash::from_bytes(sha256(&[bytes])), bytes);
    }

    pub(crate) fn hold_as(&self, digest: AttachmentHash, bytes: &[u8]) {
        self.inner.lock().unwrap().attachments.insert(digest.to_string(), bytes.to_vec());
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, inner: Arc<Mutex<Inner>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let mut piece = [0; 4_096];
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => head.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let text = String::from_utf8(head).unwrap();
    let target = text.split(' ').nth(1).unwrap().to_owned();
    let Some((status, body)) = answer(&target, &mut inner.lock().unwrap()) else { return };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The client may have gone: nobody is there to tell.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn answer(target: &str, inner: &mut Inner) -> Option<(&'static str, Vec<u8>)> {
    if inner.mood == Mood::Gone {
        return None;
    }
    if let Some(digest) = target.strip_prefix("/v1/attachments/") {
        return Some(match inner.attachments.get(digest) {
            Some(bytes) => ("200 OK", bytes.clone()),
            None => ("404 Not Found", Vec::new()),
        });
    }
    // Bundles are a short cut that this node does not have.
    let Some(query) = target.strip_prefix("/v1/state?") else { return Some(("404 Not Found", Vec::new())) };
    let mut keys: Vec<StateKey> =
        query.split('&').map(|pair| pair.strip_prefix("key=").unwrap().parse().unwrap()).collect();
    let (mut time, mut signatures) = (inner.time, 3);
    let mut network = inner.network.clone();
    match inner.mood {
        Mood::Omits => keys = vec!["did/did:ebsi:zother/head".parse().unwrap()],
        Mood::OldRoot => time = UnixTime(time.0 - 301),
        Mood::FewSignatures => signatures = 2,
        Mood::OtherNetwork => network = Network::new(77),
        Mood::Busy(left) => {
            inner.height += u64::from(left > 0);
            inner.mood = Mood::Busy(left.saturating_sub(1));
        }
        _ => {}
    }
    let mut evidence = network.evidence(&inner.state, inner.height, time, signatures, &keys);
    match inner.mood {
        Mood::WrongValue => {
            let value = evidence.state[0].value.as_mut().unwrap();
            *value = value.replace("true", "false");
        }
        Mood::Absent => evidence.state[0].value = None,
        _ => {}
    }
    Some(("200 OK", evidence.encode()))
}
