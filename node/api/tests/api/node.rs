//! A node under test: the API over a ledger in memory, served on two loopback ports by a runtime of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use testamur_api::health::{Health, NodeRole, NodeStatus, NotReady, TimeToFinal};
use testamur_api::server::{Server, ServerCounters, ServerLimits, Tls};
use testamur_api::{Api, ApiConfig, Node};
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::equivocation::{Equivocation, Said, Statement, VoteStep};
use testamur_primitives::hash::{Address, HeaderHash, TreeHash};
use testamur_primitives::record::Bytes;
use testamur_primitives::units::{Height, LogSize, Round, UnixTime};
use tokio::sync::watch;

use crate::ledger::MemoryLedger;

/// A node under test. Dropping it stops it and waits until it has stopped.
pub(crate) struct TestNode {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) health: Arc<TestHealth>,
    pub(crate) counters: Arc<ServerCounters>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// A proof of its form: nothing here checks signatures.
fn equivocation(height: u64) -> Equivocation {
    let value = ValueId {
        log_size: LogSize(7),
        log_root: TreeHash::from_bytes([1; 32]),
        time: UnixTime(8),
        header: HeaderHash::from_bytes([2; 32]),
    };
    let statement = |said| Statement::new(&said, &[5; 64]);
    Equivocation {
        v: 1,
        network: "test.example/api".into(),
        validator: Address::ZERO,
        key: Bytes(vec![3; 32]),
        height: Height(height),
        round: 0,
        step: VoteStep::Proposal,
        first: statement(Said { value: Some(value), pol_round: Some(Round(0)) }),
        second: statement(Said { value: None, pol_round: None }),
    }
}

/// Health as a test sets it.
#[derive(Default)]
pub(crate) struct TestHealth {
    pub(crate) problems: Mutex<Vec<NotReady>>,
}

impl Health for TestHealth {
    fn problems(&self) -> Vec<NotReady> {
        self.problems.lock().expect("no test panics inside").clone()
    }

    fn is_alive(&self) -> bool {
        !self.problems().iter().any(|p| matches!(p, NotReady::Damage(_)))
    }

    fn status(&self) -> NodeStatus {
        NodeStatus {
            name: "node-0".into(),
            validator: None,
            role: NodeRole::Observer,
            behind: 0,
            version: "0.1.0".into(),
            uptime_s: 12,
            validators_connected: 4,
            pool_records: 0,
            pool_bytes: 0,
            time_to_final: Some(TimeToFinal { blocks: 3, records: 5, p50_ms: 60, p99_ms: 140 }),
        }
    }

    fn equivocations(&self, start: usize, limit: usize) -> (Vec<Equivocation>, usize) {
        let proofs: Vec<_> = (1..=3).map(equivocation).collect();
        (proofs.iter().skip(start).take(limit).cloned().collect(), proofs.len())
    }

    fn metrics(&self) -> String {
        "# TYPE testamur_height gauge\ntestamur_height 7\n# EOF\n".into()
    }
}

impl TestNode {
    /// A node with an empty ledger and short times, so that what must time out does so while a test waits.
    pub(crate) fn start() -> Self {
        Self::start_with(ServerLimits::default(), None)
    }

    /// Limits whose times are short enough to wait for.
    pub(crate) fn impatient() -> ServerLimits {
        ServerLimits {
            header_read_timeout: Duration::from_millis(400),
            h2_idle_timeout: Duration::from_millis(400),
            shutdown_timeout: Duration::from_millis(200),
            body_timeout: Some(Duration::from_millis(900)),
            body_idle_timeout: Duration::from_millis(300),
            ..ServerLimits::default()
        }
    }

    pub(crate) fn start_with(limits: ServerLimits, tls: Option<Tls>) -> Self {
        let (ledger, health) = (MemoryLedger::new(), Arc::new(TestHealth::default()));
        let node = Node { reader: ledger.clone(), submitter: ledger.clone(), health: health.clone() };
        let https = tls.is_some();
        let config = ApiConfig { wait_final_timeout: Duration::from_millis(300), https, ..ApiConfig::default() };
        let api = Api::new(node, config);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let loopback: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let (public, admin) = runtime
            .block_on(async {
                let public = Server::bind(loopback, limits, tls).await?;
                Ok::<_, testamur_api::server::BindError>((
                    public,
                    Server::bind(loopback, ServerLimits::default(), None).await?,
                ))
            })
            .expect("loopback ports are free");
        let (stop, stopped) = watch::channel(false);
        let (address, admin_address, counters) = (public.local_address(), admin.local_address(), public.counters());
        let until = |mut stopped: watch::Receiver<bool>| async move {
            // An error means that the sender is gone: stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let admin_router = api.admin_router(public.counters(), None);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let public = public.serve(api.router(), until(stopped.clone()));
                tokio::join!(public, admin.serve(admin_router, until(stopped)));
            });
        });
        Self { address, admin: admin_address, ledger, health, counters, stop, thread: Some(thread) }
    }

    /// Stops the node and waits until all its connections have ended.
    pub(crate) fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }

    /// Tells the node to stop, without waiting.
    pub(crate) fn begin_stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}
