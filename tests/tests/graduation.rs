//! A university's diplomas, as everybody meets them: the registrar at the command line, the employer with a file, an office's
//! program over HTTP. Real processes, a real ledger, the seeded world of a development network.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testamur_tests::harness::{Development, request, testamur, wait_for};

/// Exit codes of `testamur diploma verify`.
const VALID: i32 = 0;
const NOT_VALID: i32 = 3;
const CANNOT_TELL: i32 = 4;

/// The seeded world, and its university.
struct World {
    development: Development,
}

struct Said {
    code: i32,
    out: String,
    error: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), error: text(&output.stderr) }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.error))
    }

    #[track_caller]
    fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.error);
        self
    }
}

impl World {
    fn start() -> Self {
        Self { development: Development::start() }
    }

    fn home(&self) -> PathBuf {
        self.development.root().join("world/university")
    }

    /// A file that the seeding left for an award.
    fn file(&self, name: &str) -> PathBuf {
        self.home().join("diplomas").join(name)
    }

    fn folder(&self) -> &Path {
        self.development.folder()
    }

    fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Said {
        Said::of(&testamur(self.folder()).args(arguments).output().expect("the binary runs"))
    }

    /// A command of the university's desk.
    fn desk(&self, arguments: &[&str]) -> Said {
        let home = self.home();
        let mut all: Vec<_> = ["--json", "diploma"].into_iter().chain(arguments.iter().copied()).collect();
        all.extend(["--home", home.to_str().expect("UTF-8"), "--insecure-dev"]);
        self.run(&all)
    }

    fn verify(&self, file: &Path, more: &[&str]) -> (i32, Value) {
        let mut all = vec!["--json", "diploma", "verify", file.to_str().expect("UTF-8")];
        all.extend(more);
        let said = self.run(&all);
        let code = said.code;
        (code, said.json())
    }

    /// Verdict and reason of a file.
    fn reason(&self, file: &Path) -> (i32, String) {
        let (code, said) = self.verify(file, &[]);
        (code, first(&said)["reason"].as_str().expect("a reason").to_owned())
    }
}

/// The first report of an answer about files.
fn first(said: &Value) -> &Value {
    &said["files"][0]["reports"][0]
}

/// Every way in which a seeded diploma reaches an employer.
#[test]
fn fifty_diplomas_verify_from_pdf_package_and_link_and_offline() {
    let world = World::start();
    let folder = world.home().join("diplomas");
    let pdfs: Vec<_> = fs::read_dir(&folder)
        .expect("the diplomas")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pdf"))
        .collect();
    assert_eq!(pdfs.len(), 50);
    let paths: Vec<_> = pdfs.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    let all = world.run(&[&["--json", "diploma", "verify"], paths.as_slice()].concat());
    assert_eq!(all.code, VALID, "{}\n{}", all.out, all.error);
    let valid = |file: &&Value| file["verdict"] == "valid";
    assert_eq!(all.json()["files"].as_array().expect("files").iter().filter(valid).count(), 50);
    for pdf in &pdfs {
        assert!(fs::metadata(pdf).expect("a file").len() <= 200_000, "{}", pdf.display());
    }

    // A person reads who, what, and what to do with somebody who claims to be the graduate.
    let pdf = world.file("2026-0004.pdf");
    let told = world.run(&["diploma", "verify", pdf.to_str().expect("UTF-8")]).good().out;
    for wanted in ["VALID", "Universitéit", "Ξένια", "Παπαδοπούλου", "identity document"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }

    // A package needs no network at all; without a namespace of its own the test would prove less, and says so.
    let package = world.folder().join("2026-0004.package.json");
    let package_text = package.to_str().expect("UTF-8");
    world.run(&["diploma", "package", pdf.to_str().expect("UTF-8"), "--out", package_text]).good();
    assert!(fs::metadata(&package).expect("a file").len() <= 96 * 1024);
    let mut alone = Command::new("unshare");
    alone.args(["-rn", "--"]).arg(testamur_tests::harness::binary());
    alone.args(["--json", "diploma", "verify", package_text]).env("TESTAMUR_HOME", world.folder());
    if Command::new("unshare").args(["-rn", "true"]).status().is_ok_and(|status| status.success()) {
        let said = Said::of(&alone.output().expect("unshare runs")).good().json();
        assert_eq!(first(&said)["verdict"], "valid", "{said}");
        assert!(first(&said)["as_of"].is_u64(), "it says how old its status is: {said}");
    } else {
        println!("skipped: unshare -rn is not allowed here");
    }
    // What it was two days ago is no answer about today, unless the package is made anew.
    let (code, said) = world.verify(&package, &["--offline"]);
    assert_eq!((code, &first(&said)["verdict"]), (VALID, &json!("valid")));

    // One byte of the page, of the credential: told apart.
    let mut bytes = fs::read(&pdf).expect("the PDF");
    let middle = bytes.windows(6).position(|w| w == b"stream").expect("a stream") + 40;
    bytes[middle] ^= 1;
    let forged = world.folder().join("forged.pdf");
    fs::write(&forged, &bytes).expect("written");
    let (code, reason) = world.reason(&forged);
    assert_eq!((code, reason.as_str()), (NOT_VALID, "signature.foreign-print"));
    let text = fs::read_to_string(world.file("2026-0004.sd-jwt")).expect("the credential");
    let (jwt, rest) = text.split_once('~').expect("an SD-JWT");
    let (input, signature) = jwt.rsplit_once('.').expect("a JWS");
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let altered = world.folder().join("altered.sd-jwt");
    fs::write(&altered, format!("{input}.{other}{}~{rest}", &signature[1..])).expect("written");
    let (code, said) = world.verify(&altered, &[]);
    assert_eq!((code, first(&said)["reason"].as_str()), (NOT_VALID, Some("signature.invalid")), "{said}");
    assert!(!said.to_string().contains("Παπαδοπούλου"), "nothing of an altered diploma is shown: {said}");

    // The graduate shows three fields; the employer sees no more.
    let shown = world.folder().join("shown.json");
    let shown_text = shown.to_str().expect("UTF-8");
    let fields =
        ["diploma", "disclose", pdf.to_str().expect("UTF-8"), "--show", "familyName,title", "--out", shown_text];
    world.run(&fields).good();
    let (code, said) = world.verify(&shown, &[]);
    assert_eq!(code, VALID, "{said}");
    let subject = &first(&said)["subject"];
    assert!(subject["familyName"].is_string() && subject["dateOfBirth"].is_null(), "{subject}");

    // A link that a mail program leaves whole, with the compact credential in its fragment.
    let page = ["diploma", "share", pdf.to_str().expect("UTF-8"), "--page", "https://verify.example/"];
    let link = world.run(&page).good().out;
    let link = link.split_ascii_whitespace().find(|word| word.starts_with("https://")).expect("a link");
    assert!(link.len() <= 2_000 && link.contains('#'), "{link}");
    let written = world.folder().join("link.txt");
    for link in [link.to_owned(), link.replacen('#', "%23", 1)] {
        fs::write(&written, link).expect("written");
        assert_eq!(world.verify(&written, &[]).0, VALID);
    }

    // Asked about a time before it was issued, it did not exist.
    let (code, said) = world.verify(&pdf, &["--at", "2026-01-01"]);
    assert_eq!((code, first(&said)["reason"].as_str()), (NOT_VALID, Some("anchor.after")), "{said}");
    // Without the network and without proofs nobody can tell.
    assert_eq!(world.verify(&world.file("2026-0004.sd-jwt"), &["--offline"]).0, CANNOT_TELL);
}

/// A local service for an office's programs; nodes take no diploma.
#[test]
fn a_program_asks_the_local_service_and_no_node() {
    let world = World::start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let log = world.folder().join("verifier.log");
    let file = File::create(&log).expect("a log");
    let mut service = testamur(world.folder())
        .args(["verifier", "--end-with-parent", "--listen", &address.to_string()])
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a log"))
        .stderr(file)
        .spawn()
        .expect("the binary runs");
    wait_for("the verifier to listen", Duration::from_secs(30), || {
        request(address, "GET", "/healthz", &[], &[]).ok().filter(|answer| answer.status == 200)
    });
    let pdf = fs::read(world.file("2026-0001.pdf")).expect("the PDF");
    let answer =
        request(address, "POST", "/v1/verify", &[("content-type", "application/pdf")], &pdf).expect("an answer");
    assert_eq!((answer.status, &answer.json()["verdict"]), (200, &json!("valid")), "{}", answer.text());

    // A thousand at once, streamed in order; one of them is not what it says.
    let text = fs::read_to_string(world.file("2026-0002.sd-jwt")).expect("the credential");
    let mut lines: Vec<_> = (0..1_000).map(|_| json!(text).to_string()).collect();
    lines[500] = json!(text.replacen('.', "x.", 1)).to_string();
    let body = lines.join("\n");
    let ndjson = [("content-type", "application/x-ndjson")];
    let answer = request(address, "POST", "/v1/verify/batch", &ndjson, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let verdicts: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(verdicts.len(), 1_000);
    for (place, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict["item"], place);
        assert_eq!(verdict["verdict"] == "valid", place != 500, "{verdict}");
    }
    lines.push(json!(text).to_string());
    let body = lines.join("\n");
    let answer = request(address, "POST", "/v1/verify/batch", &ndjson, body.as_bytes()).expect("an answer");
    let refused = answer.status == 413 || answer.text().lines().last().is_some_and(|line| line.contains("too-many"));
    assert!(refused, "{} {}", answer.status, answer.text().lines().last().unwrap_or_default());
    let foreign = request(address, "POST", "/v1/verify", &[("host", "evil.example")], &pdf).expect("an answer");
    assert!((400..500).contains(&foreign.status), "{}", foreign.status);

    let logged = fs::read_to_string(&log).expect("the log");
    for private in ["Weber", "Marie", "2026-0001", "LU-104000", &text[..40]] {
        assert!(!logged.contains(private), "the log holds {private}: {logged}");
    }
    service.kill().expect("it can be stopped");
    service.wait().expect("it can be waited for");

    let node = world.development.base();
    let node: SocketAddr = node.trim_start_matches("http://").parse().expect("an address");
    for path in ["/v1/diplomas", "/v1/verify", "/v1/verify/batch"] {
        assert_eq!(request(node, "POST", path, &[], &pdf).expect("an answer").status, 404, "{path}");
    }
}

/// What the university hands out after two persons agreed, and what the diplomas handed out before answer then.
#[test]
fn thirty_seven_corrections_and_every_withdrawal_end_to_end() {
    let world = World::start();
    for person in ["anna", "boris"] {
        world.desk(&["staff", "add", person]).good();
    }
    let change = |said: Said| said.good().json()["change"].as_str().expect("a change's id").to_owned();
    let out = world.folder().join("corrected");
    let out_text = out.to_str().expect("UTF-8").to_owned();
    let approve = |id: &str, by: &str| world.desk(&["approve", id, "--by", by, "--out", &out_text]);

    // Thirty-seven graduates have another name now.
    let genesis = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").join("genesis/graduation");
    let table = fs::read_to_string(genesis.join("graduates.csv")).expect("the graduates");
    let corrected: Vec<_> = table
        .lines()
        .enumerate()
        .map(|(place, line)| {
            let mut cells: Vec<_> = line.split(',').map(str::to_owned).collect();
            if (1..=37).contains(&place) {
                cells[3] = format!("Neuname-{place}");
            }
            cells.join(",")
        })
        .collect();
    let rows = world.folder().join("corrected.csv");
    fs::write(&rows, corrected.join("\n")).expect("written");
    let (rows, map) = (rows.to_str().expect("UTF-8"), genesis.join("map.toml"));
    let map = map.to_str().expect("UTF-8");
    let table = ["--from", rows, "--map", map];

    // A changed row is no new diploma.
    let reissued = world.desk(&[&["issue", "--out", &out_text], table.as_slice()].concat());
    assert_ne!(reissued.code, 0, "{}", reissued.out);
    assert!(reissued.error.contains("correct"), "{}", reissued.error);

    let before = fs::read(world.file("2026-0001.pdf")).expect("the PDF");
    let id = change(world.desk(&[&["correct", "--by", "anna"], table.as_slice()].concat()));
    assert_eq!(world.reason(&world.file("2026-0001.pdf")), (VALID, "valid".into()), "nothing has changed yet");
    assert_ne!(approve(&id, "anna").code, 0, "the same person");
    assert_ne!(approve(&id, "carla").code, 0, "nobody of the desk");
    approve(&id, "boris").good();
    for place in 1..=50 {
        let (code, reason) = world.reason(&world.file(&format!("2026-{place:04}.pdf")));
        let wanted = if place <= 37 { (NOT_VALID, "status.replaced") } else { (VALID, "valid") };
        assert_eq!((code, reason.as_str()), wanted, "award {place}");
    }
    for place in 1..=37 {
        let (code, said) = world.verify(&out.join(format!("2026-{place:04}-2.pdf")), &[]);
        assert_eq!(code, VALID, "{said}");
        assert_eq!(first(&said)["subject"]["familyName"], format!("Neuname-{place}"));
    }
    // The new one says nothing of the old: neither its name nor any id.
    let new = fs::read_to_string(out.join("2026-0001-2.sd-jwt")).expect("the credential");
    let old = fs::read_to_string(world.file("2026-0001.sd-jwt")).expect("the credential");
    let payload = |text: &str| {
        let part = text.split('.').nth(1).expect("a payload").to_owned();
        serde_json::from_slice::<Value>(&testamur_primitives::codec::from_base64url(&part).expect("base64url"))
            .expect("JSON")
    };
    let (new, old) = (payload(&new), payload(&old));
    for id in [&old["jti"], &old["id"], &old["status"]] {
        assert!(id.is_null() || !new.to_string().contains(&id.to_string()), "the new one names {id}");
    }
    // The archive delivers both again, byte for byte.
    let again = world.folder().join("again");
    world.desk(&["export", "2026-0038", "--out", again.to_str().expect("UTF-8")]).good();
    let name = "2026-0038.pdf";
    assert_eq!(fs::read(again.join(name)).expect("exported"), fs::read(world.file(name)).expect("seeded"));
    assert_eq!(before, fs::read(world.file("2026-0001.pdf")).expect("the PDF"), "what was handed out stays as it was");

    // Suspended, reinstated, revoked; a revoked one stays so.
    let steps = [
        ("suspend", "under-investigation", (NOT_VALID, "status.suspended")),
        ("reinstate", "investigation-closed", (VALID, "valid")),
        ("revoke", "obtained-by-fraud", (NOT_VALID, "status.revoked")),
    ];
    let pdf = world.file("2026-0050.pdf");
    for (verb, reason, wanted) in steps {
        let id = change(world.desk(&[verb, "2026-0050", "--reason", reason, "--by", "boris"]));
        approve(&id, "anna").good();
        let (code, found) = world.reason(&pdf);
        assert_eq!((code, found.as_str()), wanted, "{verb}");
    }
    assert_ne!(world.desk(&["reinstate", "2026-0050", "--reason", "suspended-in-error", "--by", "anna"]).code, 0);
}

/// Killed at any moment, the same command goes on: nothing is issued twice and nothing is lost.
#[test]
fn a_killed_issue_goes_on_where_it_stood() {
    let world = World::start();
    let genesis = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout").join("genesis/graduation");
    let table = fs::read_to_string(genesis.join("graduates.csv")).expect("the graduates");
    let (head, first_row) = table.split_once('\n').expect("a header");
    let first_row = first_row.lines().next().expect("a row");
    let mut rows = vec![head.to_owned()];
    rows.extend((0..120).map(|place| {
        first_row.replacen("2026-0001", &format!("K-{place:03}"), 1).replacen("Weber", &format!("Weber-{place}"), 1)
    }));
    let from = world.folder().join("more.csv");
    fs::write(&from, rows.join("\n")).expect("written");
    let out = world.folder().join("more");
    let home = world.home();
    let arguments: Vec<String> = [
        ["--json", "diploma", "issue", "--from"].map(str::to_owned).as_slice(),
        &[from.to_str().expect("UTF-8").to_owned(), "--map".to_owned()],
        &[genesis.join("map.toml").to_str().expect("UTF-8").to_owned(), "--out".to_owned()],
        &[out.to_str().expect("UTF-8").to_owned(), "--home".to_owned()],
        &[home.to_str().expect("UTF-8").to_owned(), "--insecure-dev".to_owned()],
    ]
    .concat();
    let mut killed = 0;
    for millis in [150, 300, 500, 800, 1_200, 1_800] {
        let mut child = testamur(world.folder())
            .args(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(Duration::from_millis(millis));
        if child.try_wait().expect("it can be waited for").is_none() {
            child.kill().expect("kill -9");
            killed += 1;
        }
        child.wait().expect("it can be waited for");
    }
    assert!(killed > 0, "every run was over before it was killed");
    let done = world.run(&arguments).good().json();
    assert_eq!(done["issued"].as_u64().unwrap_or(0) + done["already"].as_u64().unwrap_or(0), 120, "{done}");
    let again = world.run(&arguments).good().json();
    assert_eq!((&again["issued"], &again["already"]), (&json!(0), &json!(120)), "{again}");
    let pdfs: Vec<_> = (0..120).map(|place| out.join(format!("K-{place:03}.pdf"))).collect();
    let paths: Vec<_> = pdfs.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    let all = world.run(&[&["--json", "diploma", "verify"], paths.as_slice()].concat());
    assert_eq!(all.code, VALID, "{}", all.error);
    // One record anchored all of them, whenever it was made.
    let records: std::collections::BTreeSet<_> = pdfs
        .iter()
        .map(|pdf| {
            let receipt = pdf.with_extension("sd-jwt.receipt.json");
            let receipt: Value = serde_json::from_slice(&fs::read(receipt).expect("a receipt")).expect("JSON");
            receipt["record"].as_str().expect("a record").to_owned()
        })
        .collect();
    assert_eq!(records.len(), 1, "a batch has one record");
}
