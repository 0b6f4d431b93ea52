//! What this process logs, at the finest level, as text.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use tracing_subscriber::EnvFilter;

use crate::{Running, package, text, world};

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let filter =
        EnvFilter::new("testamur_verifier=trace,testamur_client=trace,testamur_api=trace,testamur_paper=trace");
    let writer = log.clone();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(move || writer.clone()).init();
    log
});

/// A log in memory; all tests of the process write to it.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

/// Starts to capture, once for the process.
pub(crate) fn capture() -> Log {
    LOG.clone()
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_of_a_diploma_is_in_the_log() {
    let world = world();
    let running = Running::start(&world, Vec::new()).await;
    let file = package(&world, 7);
    let answer = running.verify(file.clone()).await;
    assert_eq!(answer["verdict"], "valid");
    running.batch("application/x-ndjson", file).await;
    let request = running.client.post(running.url("/v1/verify/batch")).header("content-type", "application/json");
    request.body(format!("[\"{}\", Παπαδοπούλου]", text(&world, 8))).send().await.unwrap();
    let log = capture().text();
    assert!(log.contains("file verified") && log.contains("batch has come"), "the log was captured: {log}");
    let name = world.university.did.to_string();
    for word in ["Παπαδοπούλου", "Ξένια", "2001-04-22", "Master", "diplomas-1", "urn:example", &name, "eyJ"]
    {
        assert!(!log.contains(word), "the log says {word}");
    }
}
