//! A disk that loses power: a file system in a file, on a file system whose files can be copied in an instant (reflink).
//! A copy is what the platter held at that moment: what was only in memory is not in it. Mounting it replays the file
//! system's journal, as after a power cut.
//!
//! Needs root, `mkfs.xfs` and loop devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The file system that loses power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::campaign) enum FileSystem {
    /// ext4, as made by default.
    Ext4,
    /// XFS, as made by default.
    Xfs,
}

/// Megabytes of the disk; xfs is not made smaller than 300. The file is sparse.
const DISK_MB: u64 = 512;
/// Megabytes of the file system around it; sparse as well.
const HOST_MB: u64 = 8_192;

/// A loop device with a mounted file system on it.
#[derive(Debug)]
struct Mounted {
    device: String,
    at: PathBuf,
}

impl Mounted {
    fn new(image: &Path, at: &Path, direct: bool, options: &str) -> Self {
        fs::create_dir_all(at).expect("a mount point");
        let direct = if direct { "--direct-io=on" } else { "--direct-io=off" };
        let device = Command::new("losetup").args([direct, "--find", "--show"]).arg(image).output();
        let device = device.expect("losetup is there");
        assert!(device.status.success(), "losetup: {}", String::from_utf8_lossy(&device.stderr));
        let device = String::from_utf8(device.stdout).expect("a path").trim().to_owned();
        let mounted = Self { device, at: at.to_owned() };
        run(Command::new("mount").args(["-o", options]).arg(&mounted.device).arg(at));
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, if something still has a file open: nothing may stay mounted, whatever panicked.
        let plain = Command::new("umount").arg(&self.at).stderr(Stdio::null()).status();
        if !plain.is_ok_and(|status| status.success()) {
            let _ = Command::new("umount").arg("-l").arg(&self.at).stderr(Stdio::null()).status();
        }
        let _ = Command::new("losetup").arg("-d").arg(&self.device).stderr(Stdio::null()).status();
    }
}

/// A disk whose power can be cut.
#[derive(Debug)]
pub(in crate::campaign) struct Platter {
    system: FileSystem,
    // Dropped in this order.
    crashed: Option<Mounted>,
    disk: Option<Mounted>,
    host: Option<Mounted>,
    folder: TempDir,
}

/// Whether disks can be made here, or why not.
pub(in crate::campaign) fn available() -> Result<(), &'static str> {
    let id = Command::new("id").arg("-u").output().map(|output| output.stdout);
    if !id.is_ok_and(|id| id.starts_with(b"0\n")) {
        return Err("mounting needs root");
    }
    for tool in ["mkfs.xfs", "mkfs.ext4", "losetup"] {
        if !Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
        {
            return Err("mkfs.xfs, mkfs.ext4 or losetup is not installed");
        }
    }
    let found = Command::new("losetup").arg("--find").stderr(Stdio::null()).output();
    if !found.is_ok_and(|found| found.status.success()) {
        return Err("there are no loop devices");
    }
    Ok(())
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Platter {
    /// A new disk, mounted at [`Platter::path`].
    pub(in crate::campaign) fn new(system: FileSystem) -> Self {
        let folder = tempfile::Builder::new().prefix("testamur-power-").tempdir().expect("a directory");
        let image = folder.path().join("host.img");
        sparse(&image, HOST_MB);
        run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image));
        let mut platter = Self { system, crashed: None, disk: None, host: None, folder };
        platter.host = Some(Mounted::new(&image, &platter.folder.path().join("host"), false, "noatime"));
        sparse(&platter.image(), DISK_MB);
        match system {
            FileSystem::Ext4 => run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(platter.image())),
            // A file that shares blocks with a copy is read and written past the cache by whole blocks only, so the loop
            // device has sectors of that size from the first cut on.
            FileSystem::Xfs => run(Command::new("mkfs.xfs").args(["-q", "-s", "size=4096"]).arg(platter.image())),
        }
        platter.mount();
        platter
    }

    /// Where the disk is mounted.
    pub(in crate::campaign) fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// A folder on another disk, that keeps its power.
    pub(in crate::campaign) fn beside(&self) -> &Path {
        self.folder.path()
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("host/disk.img")
    }

    fn crash_image(&self) -> PathBuf {
        self.folder.path().join("host/crash.img")
    }

    fn mount(&mut self) {
        // Written straight through to the image: a copy of it must be what a disk would hold, not less.
        self.disk = Some(Mounted::new(&self.image(), &self.path(), true, "noatime"));
    }

    /// Keeps what the disk holds at this instant; writers go on.
    pub(in crate::campaign) fn cut(&self) {
        run(Command::new("cp").arg("--reflink=always").args([self.image(), self.crash_image()]));
    }

    /// What was on the disk at the cut, mounted: its journal is replayed. Until [`Platter::forget`].
    pub(in crate::campaign) fn crashed(&mut self) -> PathBuf {
        let at = self.folder.path().join("crashed");
        // xfs refuses two file systems of one name.
        let options = if self.system == FileSystem::Xfs { "noatime,nouuid" } else { "noatime" };
        self.crashed = Some(Mounted::new(&self.crash_image(), &at, false, options));
        at
    }

    /// Drops what was kept at the cut.
    pub(in crate::campaign) fn forget(&mut self) {
        self.crashed = None;
        fs::remove_file(self.crash_image()).expect("it can be removed");
    }

    /// The power is back: the disk is what it was at the cut. Nothing may use it meanwhile.
    pub(in crate::campaign) fn come_back(&mut self) {
        self.disk = None;
        fs::rename(self.crash_image(), self.image()).expect("a file can be renamed");
        self.mount();
    }
}

fn sparse(file: &Path, megabytes: u64) {
    let made = fs::File::create(file).and_then(|file| file.set_len(megabytes << 20));
    made.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}
