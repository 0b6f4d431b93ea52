//! A node that passes everything on to another, and changes what it says.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::{Response, request};

/// What becomes of an answer: the target that was asked for, and the honest answer.
pub type Change = Box<dyn FnMut(&str, Response) -> Response + Send>;

/// A proxy before a node. It ends with the test's process.
pub struct Liar {
    /// Where it listens.
    pub address: SocketAddr,
    change: Arc<Mutex<Option<Change>>>,
}

impl Liar {
    /// Starts one, honest at first. Only reads are passed on.
    pub fn before(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        let change: Arc<Mutex<Option<Change>>> = Arc::default();
        let told = Arc::clone(&change);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                std::thread::spawn(move || pass_on(client, node, &told));
            }
        });
        Self { address, change }
    }

    /// Its address as commands take it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lies in this way from now on.
    pub fn lie(&self, change: impl FnMut(&str, Response) -> Response + Send + 'static) {
        *self.change.lock().expect("no lie panics") = Some(Box::new(change));
    }

    /// Lies no more.
    pub fn repent(&self) {
        *self.change.lock().expect("no lie panics") = None;
    }
}

fn pass_on(mut client: TcpStream, node: SocketAddr, change: &Mutex<Option<Change>>) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.split(' ').nth(1)?.to_owned();
    let accept = head.lines().find_map(|line| line.strip_prefix("accept: ")).unwrap_or("*/*");
    let honest = request(node, "GET", &target, &[("accept", accept)], &[]).ok()?;
    let answer = match change.lock().expect("no lie panics").as_mut() {
        Some(change) => change(&target, honest),
        None => honest,
    };
    let kind = answer.header("content-type").unwrap_or("text/plain");
    let head = format!(
        "HTTP/1.1 {} Told\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.status,
        answer.body.len()
    );
    client.write_all(&[head.as_bytes(), &answer.body].concat()).ok()
}
