//! Folders and lists under one record, as an administration does it: the real command against real validators, killed at
//! any moment, without a quorum, on a full disk, with a record that is past its time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testamur_tests::harness::{Network, Setup, binary, testamur, wait_for};

/// Documents of the large folder.
const MANY: usize = 100_000;

/// A running network and its author at a desk.
struct Desk {
    network: Network,
}

impl Desk {
    fn new() -> Self {
        Self { network: Network::start(&Setup::default()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.network.folder().join(name)
    }

    /// `testamur` in the desk's folder, with the network's trust file installed in no place: each command names it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = testamur(self.network.folder());
        command.args(arguments).arg("--trust").arg(self.network.root().join("trust.json"));
        command.current_dir(self.network.folder()).stdin(Stdio::null());
        command
    }

    /// `testamur notarise` with the author's key, by way of all nodes.
    fn notarise(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&[&["notarise", "--json"], arguments].concat());
        command.arg("--insecure-dev").arg("--key").arg(self.network.root().join("gateway/author.key"));
        for node in &self.network.nodes {
            command.arg("--node").arg(format!("http://{}", node.api));
        }
        command
    }

    /// Records in the ledger, as the first node that answers has it.
    fn log_size(&self) -> u64 {
        let sizes = (0..self.network.nodes.len()).filter_map(|node| self.network.get(node, "/v1/status"));
        sizes.filter_map(|status| status.json()["log_size"].as_u64()).max().expect("a node answers")
    }

    fn verify(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.command(&[&["verify", "--json"], arguments].concat()).output().expect("the binary runs");
        (output.status.code(), printed(&output))
    }

    /// A folder of documents: `NAME/<i / 1000>/<i>.txt`.
    fn folder(&self, name: &str, count: usize) -> PathBuf {
        let folder = self.path(name);
        for i in 0..count {
            if i % 1_000 == 0 {
                fs::create_dir_all(folder.join(format!("{}", i / 1_000))).expect("a writable directory");
            }
            fs::write(document(&folder, i), format!("{name} {i}")).expect("a writable directory");
        }
        folder
    }
}

fn document(folder: &Path, i: usize) -> PathBuf {
    folder.join(format!("{}/{i}.txt", i / 1_000))
}

fn printed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", words(output)))
}

fn words(output: &Output) -> String {
    format!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a command that failed says: code, message.
fn refusal(output: &Output) -> (String, String) {
    let line =
        output.stderr.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"{\"error\"")).unwrap_or_default();
    let error: Value = serde_json::from_slice(line).unwrap_or_else(|_| panic!("no error: {}", words(output)));
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
    (text("code"), format!("{} {}", text("message"), text("hint")))
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

#[test]
fn a_folder_of_100_000_files_is_notarised_and_what_changed_is_found_by_name() {
    let desk = Desk::new();
    let folder = desk.folder("archive", MANY);
    let began = Instant::now();
    let output = run(&mut desk.notarise(&["archive"]));
    let notarised = printed(&output);
    assert_eq!(
        (output.status.code(), notarised["documents"].as_u64()),
        (Some(0), Some(MANY as u64)),
        "{}",
        words(&output)
    );
    let took = began.elapsed();
    assert_eq!(desk.log_size(), 1, "one record for all");

    let began = Instant::now();
    let (exit, report) = desk.verify(&["archive"]);
    assert_eq!(
        (exit, report["verdict"].as_str(), report["same"].as_u64()),
        (Some(0), Some("confirmed"), Some(MANY as u64))
    );
    println!("{MANY} files notarised in {took:.1?}, compared in {:.1?}", began.elapsed());

    fs::write(document(&folder, 31_337), "archive 31337, and more").expect("a writable directory");
    fs::remove_file(document(&folder, 77_777)).expect("it was there");
    fs::write(folder.join("50/50000b.txt"), "new").expect("a writable directory");
    let (exit, report) = desk.verify(&["archive"]);
    assert_eq!((exit, report["verdict"].as_str()), (Some(3), Some("changed")));
    let named = |kind: &str| report[kind].clone();
    assert_eq!(named("changed"), json!(["31/31337.txt"]));
    assert_eq!(named("missing"), json!(["77/77777.txt"]));
    assert_eq!(named("added"), json!(["50/50000b.txt"]));
    assert_eq!(report["same"].as_u64(), Some(MANY as u64 - 2));

    // Any single one, by its container or by its own receipt.
    let kept = document(&folder, 99_999).display().to_string();
    let (exit, report) = desk.verify(&[&kept, "archive.receipts"]);
    assert_eq!((exit, report["verdict"].as_str()), (Some(0), Some("confirmed")), "{report}");
    assert_eq!((&report["document"]["index"], &report["document"]["name"]), (&json!(99_999), &json!("99/99999.txt")));
    let (exit, _) = desk.verify(&[&document(&folder, 31_337).display().to_string(), "archive.receipts"]);
    assert_eq!(exit, Some(3));
    let cut = ["receipt", "cut", "archive.receipts", "99/99999.txt", "--out", "one.json"];
    let output = testamur(desk.network.folder()).args(cut).current_dir(desk.network.folder()).output();
    assert!(output.is_ok_and(|output| output.status.success()));
    assert_eq!(desk.verify(&[&kept, "one.json"]).0, Some(0));

    // There is nothing to notarise twice by mistake.
    assert_eq!(refusal(&run(&mut desk.notarise(&["archive"]))).0, "bulk.exists");
    assert_eq!(desk.log_size(), 1);
}

#[test]
fn a_run_killed_at_any_moment_goes_on_and_notarises_once() {
    let desk = Desk::new();
    // A small folder dies around signing, sending and waiting; a large one while it is hashed.
    let (mut killed, mut finished) = (0, 0);
    for (kind, count, step_ms) in [("small", 40, 9), ("large", 10_000, 50)] {
        for turn in 0..9u64 {
            let name = format!("{kind}-{turn}");
            desk.folder(&name, count);
            let before = desk.log_size();
            let mut child =
                desk.notarise(&[&name]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
            std::thread::sleep(Duration::from_millis(step_ms * turn));
            child.kill().expect("it can be killed");
            let ended = child.wait().expect("it can be waited for");
            if ended.success() {
                finished += 1
            } else {
                killed += 1
            }
            let output = run(&mut desk.notarise(&[&name]));
            let done = output.status.success() || refusal(&output).0 == "bulk.exists";
            assert!(done, "turn {turn}: {}", words(&output));
            let (exit, report) = desk.verify(&[&name]);
            assert_eq!((exit, report["same"].as_u64()), (Some(0), Some(count as u64)), "turn {turn}: {report}");
            assert_eq!(desk.log_size(), before + 1, "turn {turn}: one record, whatever died");
            fs::remove_dir_all(desk.path(&name)).expect("it is ours");
        }
    }
    println!("{killed} runs were killed, {finished} had ended before");
    assert!(killed >= 5, "runs are killed");
}

#[test]
fn without_a_quorum_the_run_waits_in_its_file_and_goes_on_when_there_is_one() {
    let mut desk = Desk::new();
    desk.folder("archive", 3_000);
    desk.network.kill(2);
    desk.network.kill(3);
    let before = desk.log_size();
    let output = run(&mut desk.notarise(&["archive"]));
    let (code, message) = refusal(&output);
    assert_eq!((output.status.code(), code.as_str()), (Some(1), "bulk.pending"), "{message}");
    assert!(message.contains("run the same command again"), "{message}");
    assert!(!desk.path("archive.receipts").exists(), "no name without a receipt");

    // No node at all: another sentence, and nothing is read again.
    desk.network.kill_all();
    let (code, message) = refusal(&run(&mut desk.notarise(&["archive"])));
    assert_eq!(code, "bulk.nodes", "{message}");

    desk.network.start_all();
    desk.network.wait_ready();
    let output = run(&mut desk.notarise(&["archive"]));
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("none is read again"), "{}", words(&output));
    assert_eq!(desk.verify(&["archive"]).0, Some(0));
    assert_eq!(desk.log_size(), before + 1, "the record that was signed first, once");
}

#[test]
fn a_record_past_its_time_is_looked_for_first_and_only_then_signed_anew() {
    let Some(library) = libfaketime() else {
        println!("skipped: libfaketime is not installed");
        return;
    };
    let desk = Desk::new();
    let at = |mut command: Command, offset: &str| {
        run(command.env("LD_PRELOAD", &library).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1"))
    };

    // Signed two hours ago, and no node ever got it: nothing can have become of it, so there is a new one.
    desk.folder("never-sent", 2_000);
    let mut alone =
        desk.command(&["notarise", "--json", "never-sent", "--insecure-dev", "--node", "http://127.0.0.1:1"]);
    alone.arg("--key").arg(desk.network.root().join("gateway/author.key"));
    let output = at(alone, "-2h");
    assert_eq!(refusal(&output).0, "bulk.nodes", "{}", words(&output));
    let before = desk.log_size();
    let output = run(&mut desk.notarise(&["never-sent"]));
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!((desk.verify(&["never-sent"]).0, desk.log_size()), (Some(0), before + 1));

    // It became final, and the run died before it got the receipt: two hours later it is found, and nothing is signed.
    desk.folder("not-heard", 2_000);
    assert!(run(&mut desk.notarise(&["not-heard"])).status.success());
    let (whole, partial) = (desk.path("not-heard.receipts"), desk.path("not-heard.receipts.partial"));
    let bytes = fs::read(&whole).expect("it was written");
    fs::write(&partial, &bytes[..ledger_offset(&bytes)]).expect("a writable directory");
    fs::remove_file(&whole).expect("it was there");
    let output = at(desk.notarise(&["not-heard"]), "+2h");
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!((desk.verify(&["not-heard"]).0, desk.log_size()), (Some(0), before + 2), "nothing is notarised twice");
    assert_eq!(fs::read(&whole).expect("it was written")[..ledger_offset(&bytes)], bytes[..ledger_offset(&bytes)]);
}

/// Where the `ledger` section (kind 5) of a container begins: FORMATS.md §13.
fn ledger_offset(container: &[u8]) -> usize {
    let mut at = 34;
    while container[at] != 5 {
        let length = u32::from_be_bytes(container[at + 1..at + 5].try_into().expect("4 bytes"));
        at += 37 + length as usize;
    }
    at
}

#[test]
fn a_full_disk_ends_the_run_and_room_lets_it_go_on() {
    let desk = Desk::new();
    desk.folder("archive", 15_000);
    let disk = desk.path("disk");
    fs::create_dir(&disk).expect("a writable directory");
    // 15,000 documents take 800 kB. The mount ends with its namespace.
    let script = "mount -t tmpfs -o size=400k tmpfs disk || exit 77
        \"$@\" >first.out 2>first.err; echo $? >first.exit
        mount -o remount,size=40m disk || exit 77
        \"$@\" >second.out 2>second.err; echo $? >second.exit
        cp disk/a.receipts a.receipts";
    let notarise = desk.notarise(&["archive", "--container", "disk/a.receipts"]);
    let mut shell = Command::new("unshare");
    shell.args(["-rm", "sh", "-c", script, "sh"]).arg(notarise.get_program()).args(notarise.get_args());
    shell.envs(notarise.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.current_dir(desk.network.folder()).output();
    let output = match output {
        Ok(output) if output.status.code() != Some(77) && desk.path("first.exit").exists() => output,
        _ => {
            println!("skipped: no right to mount a file system");
            return;
        }
    };
    let text = |name: &str| fs::read_to_string(desk.path(name)).expect("it was written");
    assert!(output.status.success(), "{} {}", words(&output), text("second.err"));
    assert_eq!(text("first.exit").trim(), "1");
    assert!(text("first.err").contains("No space left on device"), "{}", text("first.err"));
    assert!(text("first.err").contains("free some disk space"), "{}", text("first.err"));
    assert_eq!(text("second.exit").trim(), "0", "{}", text("second.err"));
    assert!(text("second.err").contains("going on behind"), "what was hashed is kept: {}", text("second.err"));
    let (exit, report) = desk.verify(&["archive", "a.receipts"]);
    assert_eq!((exit, report["same"].as_u64()), (Some(0), Some(15_000)), "{report}");
    assert_eq!(desk.log_size(), 1);
}

#[test]
fn a_list_from_a_pipe_is_a_list_and_a_bad_line_is_told_before_anything_is_sent() {
    let desk = Desk::new();
    fs::write(desk.path("42.txt"), "42").expect("a writable directory");
    let digest = "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049";
    let list: String = (0..5_000).map(|i| format!("{{\"digest\":\"{i:064x}\",\"name\":\"case {i}\"}}\n")).collect();
    let piped = |text: String, arguments: &[&str]| {
        let mut command = desk.notarise(arguments);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.expect("the binary runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        // Who has found a bad line reads no further.
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, text.as_bytes()));
        let output = child.wait_with_output().expect("it can be waited for");
        let _ = writer.join().expect("it does not panic");
        output
    };
    let output = piped(list.clone(), &["--hashes", "-"]);
    assert_eq!((output.status.code(), words(&output).contains("--container")), (Some(2), true), "{}", words(&output));
    let broken = list.replace(&format!("{:064x}", 4_321), "0x");
    let output = piped(broken, &["--hashes", "-", "--container", "list.receipts"]);
    let (code, message) = refusal(&output);
    assert_eq!((code.as_str(), message.contains("row 4322, column 12")), ("bulk.rows", true), "{message}");
    assert_eq!(desk.log_size(), 0, "nothing was sent");
    assert!(!desk.path("list.receipts.partial").exists());

    let whole = format!("{list}{{\"digest\":\"{digest}\",\"name\":\"forty-two\"}}\n");
    let output = piped(whole, &["--hashes", "-", "--container", "list.receipts"]);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(printed(&output)["documents"], 5_001);
    assert_eq!(desk.verify(&["42.txt", "list.receipts"]).0, Some(0));
    wait_for("every node to have it", Duration::from_secs(20), || {
        let sizes = (0..4).filter_map(|node| desk.network.get(node, "/v1/status")?.json()["log_size"].as_u64());
        (sizes.filter(|size| *size == 1).count() == 4).then_some(())
    });
}

/// The README's block about archives, as printed: only the ports and the network's directory are this test's.
#[test]
fn the_readmes_archive_works_as_printed() {
    let desk = Desk::new();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").join("README.md");
    let readme = fs::read_to_string(readme).expect("a README");
    let block = readme.split("```sh\n").find(|block| block.starts_with("mkdir -p archive")).expect("the block");
    let block = block.split("```").next().expect("its end");
    let script = block
        .replace("http://127.0.0.1:8080", &format!("http://{}", desk.network.nodes[0].api))
        .replace("dev-network/", "network/");
    let installed =
        run(testamur(desk.network.folder()).args(["network", "add"]).arg(desk.network.root().join("trust.json")));
    assert!(installed.status.success(), "{}", words(&installed));
    let bin = desk.path("bin");
    fs::create_dir(&bin).expect("a writable directory");
    std::os::unix::fs::symlink(binary(), bin.join("testamur")).expect("a writable directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.args(["-euxo", "pipefail", "-c", &script]).current_dir(desk.network.folder());
    let ran = run(shell.env("TESTAMUR_HOME", desk.network.folder()).env("PATH", path).env("NO_COLOR", "1"));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", words(&ran));
    for line in ["CONFIRMED: 50 as they were", "changed       letters/7.txt", "WRITTEN 8.receipt.json", "ERASED 1 of"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(desk.log_size(), 2);
}

fn libfaketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    folders.filter_map(Result::ok).map(|f| f.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}
