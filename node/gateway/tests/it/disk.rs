//! Goal: a full disk is told as 507, before and while it is full; what was taken before is kept, and all goes on when there is room
//! again. Method: an archive on a file system of its own (tmpfs), filled by somebody else. Mounting takes root: without it the test says
//! that it is skipped.

use std::path::Path;
use std::process::Command;

use testamur_primitives::codec;
use testamur_primitives::commitment::DigestAlgorithm;

use crate::fake_node::Mood;
use crate::kept::{Kept, until};

/// Bytes of the file system: some more than the gateway wants free.
const DISK_MIB: u64 = 272;

/// A small file system; unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_MIB}m,mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "testamur"]).arg(directory.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves so many bytes free.
    fn fill(&self, free: u64) {
        let status = Command::new("df").args(["--output=avail", "-B1"]).arg(self.path()).output().unwrap();
        let text = String::from_utf8(status.stdout).unwrap();
        let now: u64 = text.lines().nth(1).unwrap().trim().parse().unwrap();
        let ballast = self.path().join(format!("ballast-{free}"));
        // Written, not only announced: holes take no room.
        std::fs::write(ballast, vec![1; usize::try_from(now.saturating_sub(free)).unwrap()]).unwrap();
    }

    fn empty(&self) {
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("ballast") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may have the archive open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_refuses_and_loses_nothing() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: a file system cannot be mounted here (root is needed)");
        return;
    };
    let mut kept = Kept::new();
    kept.path = disk.path().join("receipts.redb");
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Away);
    let first = world.send(world.post("/v1/documents?async=1").body("first")).await;
    assert_eq!(first.status, 202, "{}", String::from_utf8_lossy(&first.body));
    let first = first.headers["location"].to_str().unwrap().to_owned();

    // Little room is left: nothing new is taken, whichever way it comes.
    disk.fill(100 << 20);
    let line = format!("{{\"digest\":\"{}\"}}\n", "ab".repeat(32));
    for request in [
        world.post("/v1/documents?async=1").body("x"),
        world.post("/v1/documents").body("x"),
        world.post("/v1/hashes").header("content-type", "application/x-ndjson").body(line),
    ] {
        let (status, code, detail) = world.send(request).await.problem();
        assert_eq!((status, code.as_str()), (507, "gateway.disk-full"), "{detail}");
        assert!(detail.ends_with("nothing of this request was taken"), "{detail}");
    }
    // What was taken is brought to its end in the room that is left.
    world.nodes[0].behave(Mood::Well);
    let standing = until(&world, &first, "final").await;
    world.confirm(&codec::canonical(&standing["receipt"]), b"first", DigestAlgorithm::Sha2_256);

    // Not a byte is left: the same, and what is there can be read.
    disk.fill(0);
    assert_eq!(world.send(world.post("/v1/documents?async=1").body("x")).await.problem().1, "gateway.disk-full");
    assert_eq!(world.send(world.get(&first)).await.json()["state"], "final");
    assert_eq!(world.record_count(), 1);

    disk.empty();
    let second = world.send(world.post("/v1/documents?async=1").body("second")).await;
    assert_eq!(second.status, 202);
    let second = second.headers["location"].to_str().unwrap().to_owned();
    until(&world, &second, "final").await;
    let world = world.restart(|config| kept.configure(config)).await;
    for href in [&first, &second] {
        assert_eq!(world.send(world.get(href)).await.json()["state"], "final");
    }
    world.stop().await;
}

/// The disk fills up between the look and the write.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_finds_no_room_is_not_answered_as_made() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: a file system cannot be mounted here (root is needed)");
        return;
    };
    let path = disk.path().join("receipts.redb");
    let store = Kept::open(&path);
    disk.fill(0);
    let mut refused = 0;
    for number in 0..2_000u32 {
        let mut step = store.step();
        step.begin(&crate::expiry::submission(number, true), None);
        match store.write(step).await {
            Ok(()) if refused == 0 => {}
            Ok(()) => break,
            Err(error) => {
                assert!(error.to_string().contains("cannot be"), "{error}");
                refused += 1;
                // Room is made: the same archive, in the same process, goes on.
                disk.empty();
            }
        }
    }
    assert_eq!(refused, 1, "the file of the archive grew into a full disk once");
}
