//! Links between validators that can be slow, narrow, held, broken: a TCP proxy on every way between two of them.
//!
//! Each validator's peers are configured through a listener of its own, so that both ends of every connection are known,
//! whoever dialled it. What is set holds for the bytes *from* one validator *to* another, on all connections between them:
//! one way can be cut while the other is whole. The kernels here have no `netem`; this stands in for it.
//!
//! **Absences.** The HTTP side of nodes is not passed through it. Lost packets are the packet filter's ([`Loss`]).

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::Network;
use crate::campaign::Random;

/// Bytes read at once; fewer on a narrow link, so that it is smooth.
const PIECE: usize = 16 * 1024;
/// Bytes read at once on a narrow link: a thirtieth of a second at 1 Mbit/s.
const NARROW_PIECE: usize = 4 * 1024;
/// Pieces on their way at once in one direction of one connection; then who sends has to wait, as with a full window.
const PIECES_UNDER_WAY: usize = 64;

/// What happens to bytes on their way from one validator to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// They pass.
    #[default]
    Open,
    /// They wait: what TCP makes of a filter that drops every packet, as long as it lasts.
    Held,
    /// They vanish while the connection seems to stand (half-open); when they may pass again it is reset.
    Swallowed,
    /// Connections are closed, and new ones too.
    Refused,
}

/// How bytes go from one validator to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Whether they go at all.
    pub flow: Flow,
    /// How long each piece takes at least.
    pub delay: Duration,
    /// How much longer at most, evenly spread; order is kept, as TCP keeps it.
    pub jitter: Duration,
    /// Bytes a second, over each connection; none is as fast as the machine.
    pub bytes_per_s: Option<u64>,
}

impl Shape {
    /// One that only lets pass, or not.
    pub fn of(flow: Flow) -> Self {
        Self { flow, ..Self::default() }
    }
}

/// All links of a network. They pass everything until they are told otherwise, and go with this.
pub struct Links {
    state: Arc<State>,
    listeners: Vec<SocketAddr>,
    count: usize,
}

struct State {
    /// By sender and receiver.
    shapes: Mutex<BTreeMap<(usize, usize), Shape>>,
    changed: Condvar,
    ended: AtomicBool,
    /// Connections so far; each draws its jitter from a seed of its own.
    connections: AtomicU64,
    seed: u64,
}

impl State {
    fn shape(&self, way: (usize, usize)) -> Shape {
        self.shapes.lock().expect("no panic while held").get(&way).copied().unwrap_or_default()
    }

    /// Waits while the way is held; what it is then. `None` when all has ended.
    fn released(&self, way: (usize, usize)) -> Option<Shape> {
        let mut shapes = self.shapes.lock().expect("no panic while held");
        loop {
            let shape = shapes.get(&way).copied().unwrap_or_default();
            if self.ended.load(Ordering::Acquire) {
                return None;
            }
            if shape.flow != Flow::Held {
                return Some(shape);
            }
            shapes = self.changed.wait(shapes).expect("no panic while held");
        }
    }
}

impl Links {
    /// Puts a proxy on every way between a network's validators, before any of them runs.
    ///
    /// # Panics
    /// When a configuration is not what `testamur init` writes.
    pub fn between(network: &Network, seed: u64) -> Self {
        let state = Arc::new(State {
            shapes: Mutex::default(),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            seed,
        });
        let count = network.nodes.len();
        let mut listeners = Vec::new();
        for from in 0..count {
            let file = network.nodes[from].dir.join("config.toml");
            let mut text = fs::read_to_string(&file).expect("a configuration");
            for to in (0..count).filter(|to| *to != from) {
                let [_, _, consensus, gossip] = network.ports(to);
                for target in [consensus, gossip] {
                    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
                    let place = listener.local_addr().expect("it is bound");
                    let (old, new) = (format!("\"{target}\""), format!("\"{place}\""));
                    assert_eq!(text.matches(&old).count(), 1, "{} names {target} once", file.display());
                    text = text.replace(&old, &new);
                    listeners.push(place);
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || accept(&listener, target, (from, to), &state));
                }
            }
            fs::write(&file, text).expect("written");
        }
        Self { state, listeners, count }
    }

    /// Sets how bytes go from one validator to another; the other way stays as it is.
    pub fn set(&self, from: usize, to: usize, shape: Shape) {
        self.state.shapes.lock().expect("no panic while held").insert((from, to), shape);
        self.state.changed.notify_all();
    }

    /// Sets both ways between two validators.
    pub fn set_both(&self, one: usize, other: usize, shape: Shape) {
        self.set(one, other, shape);
        self.set(other, one, shape);
    }

    /// Sets every way.
    pub fn set_all(&self, shape: Shape) {
        for (one, other) in self.pairs() {
            self.set_both(one, other, shape);
        }
    }

    /// Cuts the network into groups. Who is in no group reaches everybody.
    pub fn divide(&self, groups: &[&[usize]], flow: Flow) {
        let group = |node: usize| groups.iter().position(|group| group.contains(&node));
        for (one, other) in self.pairs() {
            if let (Some(a), Some(b)) = (group(one), group(other)) {
                self.set_both(one, other, if a == b { Shape::default() } else { Shape::of(flow) });
            }
        }
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.state.shapes.lock().expect("no panic while held").clear();
        self.state.changed.notify_all();
    }

    /// All pairs of validators, the lower number first.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        (0..self.count).flat_map(|one| (one + 1..self.count).map(move |other| (one, other))).collect()
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        // Under the lock, or who is about to wait would miss it.
        self.heal();
        for listener in &self.listeners {
            // Wakes its thread; it may have ended already.
            let _ = TcpStream::connect_timeout(listener, Duration::from_secs(1));
        }
    }
}

fn accept(listener: &TcpListener, target: SocketAddr, way: (usize, usize), state: &Arc<State>) {
    for dialled in listener.incoming() {
        if state.ended.load(Ordering::Acquire) {
            return;
        }
        let back = (way.1, way.0);
        let refused = [way, back].into_iter().any(|way| state.shape(way).flow == Flow::Refused);
        // Closed at once: who dialled tries again, as with a host that refuses.
        let Ok(dialled) = dialled else { continue };
        if refused {
            continue;
        }
        let Ok(reached) = TcpStream::connect_timeout(&target, Duration::from_secs(1)) else { continue };
        let (Ok(dialled_again), Ok(reached_again)) = (dialled.try_clone(), reached.try_clone()) else { continue };
        for (from, to, way) in [(dialled, reached, way), (reached_again, dialled_again, back)] {
            // Its absence costs time, and nothing else.
            let _ = from.set_nodelay(true);
            let state = Arc::clone(state);
            let number = state.connections.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || pump(from, to, way, &state, number));
        }
    }
}

/// Carries one direction of a connection until it ends, is refused, or has to be reset.
fn pump(mut from: TcpStream, to: TcpStream, way: (usize, usize), state: &Arc<State>, number: u64) {
    let (sender, receiver) = sync_channel(PIECES_UNDER_WAY);
    let (Ok(out), writer_state) = (to.try_clone(), Arc::clone(state)) else { return };
    let writer = std::thread::spawn(move || deliver(&receiver, out, way, &writer_state));
    read(&mut from, way, state, &sender, Random::of(state.seed, number));
    drop(sender);
    // What is under way still arrives, unless the way is refused or spoilt.
    let whole = writer.join().unwrap_or(false);
    let how = if whole { Shutdown::Write } else { Shutdown::Both };
    // The other end may be gone already.
    let _ = to.shutdown(how);
    if !whole {
        let _ = from.shutdown(Shutdown::Both);
    }
}

fn read(
    from: &mut TcpStream,
    way: (usize, usize),
    state: &State,
    sender: &SyncSender<(Instant, Vec<u8>)>,
    mut random: Random,
) {
    // Looks up now and then: what is refused ends even when nobody writes.
    if from.set_read_timeout(Some(Duration::from_millis(200))).is_err() {
        return;
    }
    let mut last = Instant::now();
    let mut buffer = vec![0; PIECE];
    loop {
        let shape = state.shape(way);
        if shape.flow == Flow::Refused || state.ended.load(Ordering::Acquire) {
            return;
        }
        let most = if shape.bytes_per_s.is_some() { NARROW_PIECE } else { PIECE };
        match from.read(&mut buffer[..most]) {
            Ok(0) => return,
            Ok(length) => {
                let now = Instant::now();
                let jitter = u64::try_from(shape.jitter.as_micros()).unwrap_or(u64::MAX);
                let late = if jitter == 0 { 0 } else { random.below(jitter) };
                let mut due = last.max(now + shape.delay + Duration::from_micros(late));
                if let Some(bytes_per_s) = shape.bytes_per_s {
                    let takes = Duration::from_secs_f64(length as f64 / bytes_per_s as f64);
                    due = due.max(last + takes).max(now + shape.delay + takes);
                }
                last = due;
                if sender.send((due, buffer[..length].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

/// Writes what is due; whether all of it arrived.
fn deliver(receiver: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream, way: (usize, usize), state: &State) -> bool {
    let mut spoilt = false;
    for (due, piece) in receiver {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        match state.released(way).map(|shape| shape.flow) {
            Some(Flow::Swallowed) => spoilt = true,
            Some(Flow::Open | Flow::Held) if !spoilt => {
                if to.write_all(&piece).is_err() {
                    return false;
                }
            }
            // A stream with a hole is reset; so is a refused one, and all at the end.
            _ => return false,
        }
    }
    !spoilt
}

/// Packets of a network's validators that the kernel's packet filter drops, until this is dropped.
pub struct Loss {
    table: String,
}

impl Loss {
    /// Drops that many packets of a hundred, at random, on their way to or from the validators' consensus and gossip
    /// listeners. `None` where the right or the tool (`nft`) is missing.
    pub fn begin(network: &Network, percent: u32) -> Option<Self> {
        let table = format!("testamur_loss_{}", network.base_port());
        let ports: Vec<_> = (0..network.nodes.len())
            .flat_map(|number| network.ports(number)[2..].to_vec())
            .map(|place| place.port().to_string())
            .collect();
        let ports = ports.join(", ");
        let rules = format!(
            "table ip {table} {{\nchain out {{\ntype filter hook output priority 0;\n\
             tcp dport {{ {ports} }} numgen random mod 100 < {percent} counter drop\n\
             tcp sport {{ {ports} }} numgen random mod 100 < {percent} counter drop\n}}\n}}\n"
        );
        // Made before it is filled: it goes also when half of it was taken.
        let loss = Self { table };
        let made = Command::new("nft").arg(rules).stdin(Stdio::null()).stderr(Stdio::null()).status();
        made.is_ok_and(|status| status.success()).then_some(loss)
    }

    /// Packets dropped so far.
    pub fn dropped(&self) -> u64 {
        let listed = Command::new("nft").args(["list", "table", "ip", &self.table]).output();
        let listed = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let counts = listed.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        counts.sum()
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = Command::new("nft").args(["delete", "table", "ip", &self.table]).stderr(Stdio::null()).status();
    }
}
