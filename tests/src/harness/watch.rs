//! A witness that reads the newest checkpoint of every node all the time and forgets none: what a node once showed to
//! somebody must fit everything that any node shows later.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use testamur_primitives::checkpoint::Checkpoint;
use testamur_primitives::note::Note;

use super::Client;

/// How often each node is asked.
const EVERY: Duration = Duration::from_millis(150);
/// How long it may take to answer before the next question: a stopped process does not answer at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// One answer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which node.
    pub node: usize,
    /// When it was asked.
    pub asked: Instant,
    /// When it had answered.
    pub answered: Instant,
    /// What its checkpoint says.
    pub checkpoint: Checkpoint,
    /// How often the node's disk had been replaced by then.
    pub life: u32,
}

/// All that was seen.
#[derive(Debug, Default)]
pub struct Memory {
    /// Every note that was served, and which nodes served it.
    pub notes: HashMap<String, Vec<usize>>,
    /// Every answer, in the order of its node's answers.
    pub seen: Vec<Seen>,
    /// Answers that were no checkpoint at all.
    pub nonsense: Vec<String>,
    lives: BTreeMap<usize, u32>,
}

/// The witness; it ends when it is dropped.
pub struct Watch {
    memory: Arc<Mutex<Memory>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { memory: Arc::default(), stop: Arc::default(), threads: Vec::new() }
    }

    /// Begins to ask a node.
    pub(super) fn follow(&mut self, node: usize, api: SocketAddr) {
        let (memory, stop) = (Arc::clone(&self.memory), Arc::clone(&self.stop));
        self.threads.push(std::thread::spawn(move || {
            let mut client = Client::with_timeout(api, PATIENCE);
            while !stop.load(Ordering::Relaxed) {
                let (asked, life) = (Instant::now(), memory.lock().expect("no thread panics holding it").life(node));
                if let Ok(answer) = client.get("/log/checkpoint") {
                    let answered = Instant::now();
                    let mut memory = memory.lock().expect("no thread panics holding it");
                    // What was asked of the disk before and answered by the one after is nobody's.
                    if answer.status == 200 && memory.life(node) == life {
                        memory.remember(node, &answer.body, (asked, answered));
                    }
                }
                std::thread::sleep(EVERY);
            }
        }));
    }

    /// The node's disk is replaced: what it shows from now on may be older than what it has shown.
    pub(super) fn new_life(&self, node: usize) {
        *self.memory.lock().expect("no thread panics holding it").lives.entry(node).or_default() += 1;
    }

    /// What was seen so far.
    pub(super) fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().expect("no thread panics holding it")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; this may be a panic itself.
            let _ = thread.join();
        }
    }
}

impl Memory {
    fn life(&self, node: usize) -> u32 {
        self.lives.get(&node).copied().unwrap_or(0)
    }

    fn remember(&mut self, node: usize, body: &[u8], (asked, answered): (Instant, Instant)) {
        let checkpoint = Note::parse(body).ok().and_then(|note| Checkpoint::parse(&note.text).ok());
        let Some(checkpoint) = checkpoint else {
            return self.nonsense.push(format!("node {node}: {}", String::from_utf8_lossy(body)));
        };
        let nodes = self.notes.entry(String::from_utf8_lossy(body).into_owned()).or_default();
        if !nodes.contains(&node) {
            nodes.push(node);
        }
        let life = self.life(node);
        self.seen.push(Seen { node, asked, answered, checkpoint, life });
    }
}
