//! A hash over what happens in a run, in order: two runs of one seed have the same.

use crate::node::Message;
use crate::time::Micros;

/// The hash so far.
#[derive(Debug, Clone)]
pub struct Trace {
    hash: u64,
    tell: bool,
}

impl Trace {
    /// Nothing has happened. With `tell` everything is printed too.
    pub fn new(tell: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, tell }
    }

    /// The hash.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Prints something, where things are printed.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if self.tell {
            println!("{}", what());
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.hash = (self.hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
        }
    }

    /// Something happened at a node.
    pub fn note(&mut self, at: Micros, what: &str, node: usize, detail: &[u8]) {
        self.mix(&at.to_be_bytes());
        self.mix(what.as_bytes());
        self.mix(&(node as u64).to_be_bytes());
        self.mix(detail);
        if self.tell && what != "tick" {
            let words = String::from_utf8_lossy(detail);
            let words = if words.chars().all(|c| !c.is_control() && c != '\u{fffd}') {
                words.into_owned()
            } else {
                format!("{:02x?}", &detail[..detail.len().min(8)])
            };
            println!("{:>12.6} {node} {what} {words:.120}", at as f64 / 1e6);
        }
    }

    /// A message came to a node.
    pub fn message(&mut self, at: Micros, to: usize, message: &Message) {
        let (what, bytes): (_, &[u8]) = match message {
            Message::Consensus(bytes) => ("vote or proposal", bytes),
            Message::Liveness(bytes) => ("again", bytes),
            Message::Part(bytes) => ("part", bytes),
            Message::Record(bytes) => ("record", bytes),
            Message::Status(bytes) => ("status", bytes),
            Message::Request(bytes) => ("request", bytes),
            Message::Response(bytes) => ("response", bytes),
            Message::Greeting(height) => {
                return self.note(at, "greeting", to, &height.get().to_be_bytes());
            }
        };
        self.mix(&at.to_be_bytes());
        self.mix(what.as_bytes());
        self.mix(&(to as u64).to_be_bytes());
        self.mix(bytes);
    }
}
