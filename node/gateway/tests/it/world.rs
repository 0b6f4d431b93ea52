//! A gateway in front of fake nodes, and ways to call it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testamur_client::digest::digest_reader;
use testamur_gateway::tokens::{Token, Tokens};
use testamur_gateway::{Gateway, GatewayConfig};
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::{self, Facts, Receipt, Verdict};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::fake_node::{FakeNode, Ledger, Network};

/// Everything a test needs.
pub(crate) struct World {
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) nodes: Vec<FakeNode>,
    pub(crate) trust: TrustFile,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
    tokens: Tokens,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// Status, code and detail of a problem.
    pub(crate) fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        let text = |member: &str| json[member].as_str().unwrap().to_owned();
        (self.status, text("code"), text("detail"))
    }
}

impl World {
    /// One node, and the default batch window.
    pub(crate) async fn new() -> Self {
        Self::with(1, |_| {}).await
    }

    pub(crate) async fn with(nodes: usize, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let network = Network::new(0);
        let trust = network.trust();
        let ledger = Ledger::new(network);
        let mut running = Vec::new();
        for _ in 0..nodes {
            running.push(FakeNode::start(&ledger).await);
        }
        let token = Token::generate().unwrap();
        let mut tokens = Tokens::new();
        tokens.add("office".parse().unwrap(), &token, UnixTime(0)).unwrap();
        Self::start(ledger, running, trust, token.as_str().to_owned(), tokens, change).await
    }

    /// A gateway in front of nodes that run.
    async fn start(
        ledger: Arc<Mutex<Ledger>>,
        nodes: Vec<FakeNode>,
        trust: TrustFile,
        token: String,
        tokens: Tokens,
        change: impl FnOnce(&mut GatewayConfig),
    ) -> Self {
        let urls = nodes.iter().map(FakeNode::url).collect();
        let mut config = GatewayConfig::new(
            "127.0.0.1:0".parse().unwrap(),
            urls,
            SigningKey::ed25519(&[77; 32]),
            tokens.clone(),
            trust.clone(),
        );
        config.allowed_hosts = vec!["gateway.example".into()];
        config.final_timeout = Duration::from_secs(4);
        change(&mut config);
        let gateway = Gateway::bind(config).await.unwrap();
        let address = gateway.local_address();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(gateway.serve(async {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { ledger, nodes, trust, address, token, http, stop, served, tokens }
    }

    /// Ends the gateway and starts another one in front of the same nodes.
    pub(crate) async fn restart(self, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let Self { ledger, nodes, trust, token, tokens, stop, served, .. } = self;
        stop.send(()).unwrap();
        served.await.unwrap();
        Self::start(ledger, nodes, trust, token, tokens, change).await
    }

    /// Tells the gateway to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }

    /// Calls with another token.
    pub(crate) fn with_token(self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request without token.
    pub(crate) fn bare(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), self.url(path))
    }

    /// A POST with the token.
    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.bare("POST", path).bearer_auth(&self.token)
    }

    /// A GET with the token.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.bare("GET", path).bearer_auth(&self.token)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// Notarises bytes as a raw body.
    pub(crate) async fn notarise(&self, document: &[u8]) -> Answer {
        self.send(self.post("/v1/documents").body(document.to_vec())).await
    }

    /// Sends bytes as they are, ends the sending side, and returns what comes back.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Records on the ledger so far.
    pub(crate) fn record_count(&self) -> usize {
        self.ledger.lock().unwrap().records().len()
    }

    /// Checks that a receipt's bytes are a file that confirms the document, and no other.
    pub(crate) fn confirm(&self, receipt: &[u8], document: &[u8], algorithm: DigestAlgorithm) -> Facts {
        let receipt = Receipt::decode(receipt).unwrap();
        assert_eq!(receipt.digest_algorithm(), Some(algorithm));
        let digest = digest_reader(algorithm, document).unwrap();
        let other = digest_reader(algorithm, &[document, b"x"].concat()[..]).unwrap();
        let now = testamur_client::author::now().unwrap();
        let verdict = receipt::verify(&receipt, Some(&other), &self.trust, now);
        assert!(matches!(verdict, Verdict::NotValid(_)), "{verdict:?}");
        match receipt::verify(&receipt, Some(&digest), &self.trust, now) {
            Verdict::Confirmed(facts) => facts,
            other => panic!("{other:?}"),
        }
    }
}
