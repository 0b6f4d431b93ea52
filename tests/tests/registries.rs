//! Identity and trust as their users meet them: real validators, the `testamur` command, files between two parties.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testamur_primitives::codec::{base64url, canonical, from_base64url};
use testamur_primitives::did::Did;
use testamur_primitives::identity;
use testamur_primitives::issuers;
use testamur_primitives::issuers::chain::trust_chain;
use testamur_primitives::key::SigningKey;
use testamur_primitives::schemas;
use testamur_primitives::state::StateError;
use testamur_primitives::state::evidence::{Evidence, NotProven};
use testamur_tests::harness::{Network, Setup, testamur, wait_for};

/// What came of a command: exit code, what it printed as JSON, its error.
struct Outcome {
    code: i32,
    out: Value,
    error: Value,
    text: String,
}

impl Outcome {
    fn good(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.text);
        self.out
    }

    fn refused(self, code: &str) {
        assert_eq!(self.error["error"]["code"], code, "{}", self.text);
        assert_ne!(self.code, 0);
    }

    /// A verdict that is not "confirmed", and by which name.
    fn not_valid(self, code: &str) {
        assert_eq!((self.code, self.out["error"]["code"].as_str()), (3, Some(code)), "{}", self.text);
        assert_eq!(self.out["verdict"], "not-valid");
    }
}

/// A network, with commands that ask its nodes.
struct World {
    network: Network,
}

impl World {
    fn start() -> Self {
        let network = Network::start(&Setup::default());
        let world = Self { network };
        let trust = world.network.root().join("trust.json");
        world.run(&["network", "add", &text(&trust)]).good();
        world
    }

    fn home(&self, name: &str) -> String {
        text(&self.network.folder().join(name))
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let output = testamur(self.network.folder()).arg("--json").args(arguments).output().expect("the binary runs");
        let parse = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
        // Notes come before an error, each on a line of its own.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            out: parse(&output.stdout),
            error: said.lines().rev().map(|line| parse(line.as_bytes())).find(|v| !v.is_null()).unwrap_or(Value::Null),
            text: format!("{arguments:?}\n{}\n{said}", String::from_utf8_lossy(&output.stdout)),
        }
    }

    /// A command that asks the nodes, as an entity.
    fn by(&self, name: &str, arguments: &[&str]) -> Outcome {
        let nodes: Vec<_> = self.network.nodes.iter().map(|node| format!("http://{}", node.api)).collect();
        let home = self.home(name);
        let mut all = arguments.to_vec();
        all.extend(["--home", &home, "--insecure-dev"]);
        all.extend(nodes.iter().flat_map(|node| ["--node", node.as_str()]));
        self.run(&all)
    }

    /// A command that asks the nodes, as nobody.
    fn ask(&self, arguments: &[&str]) -> Outcome {
        let nodes: Vec<_> = self.network.nodes.iter().map(|node| format!("http://{}", node.api)).collect();
        let mut all = arguments.to_vec();
        all.extend(nodes.iter().flat_map(|node| ["--node", node.as_str()]));
        self.run(&all)
    }

    /// A ministry as Root TAO, a schema of its own, and an agency that may accredit for two types of it.
    fn govern(&self) -> String {
        let operator = text(&self.network.root().join("operator-0/operator.key"));
        self.by(
            "ministry",
            &["onboard", "--as", "ministry", "--operator-key", &operator, "--name", "en=Ministry", "--country", "LU"],
        )
        .good();
        let schema = self.network.folder().join("diploma.json");
        let body = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Diploma", "type": "object",
            "properties": { "credentialSubject": { "type": "object", "required": ["id"] } },
        });
        fs::write(&schema, body.to_string()).expect("written");
        let added = self.by("ministry", &["schema", "add", &text(&schema)]).good();
        let id = added["id"].as_str().expect("an id").to_owned();
        let ministry = self.home("ministry");
        self.by(
            "agency",
            &[
                "onboard",
                "--as",
                "agency",
                "--accreditor",
                &ministry,
                "--name",
                "nl=Agentschap",
                "--name",
                "en=Agency",
                "--country",
                "BE",
                "--for",
                &format!("{id}=Degree,ShortCourse"),
            ],
        )
        .good();
        id
    }

    /// A credential signed with an entity's key, and the file it is in.
    fn issue(&self, name: &str, types: &[&str], schema: &str, more: &Value) -> PathBuf {
        let home = self.network.folder().join(name);
        let entity: Value = serde_json::from_slice(&fs::read(home.join("entity.json")).expect("a home")).expect("JSON");
        let (did, thumbprint) = (entity["did"].as_str().expect("a DID"), entity["assertion"].as_str().expect("a key"));
        let file = fs::read(home.join(format!("keys/{thumbprint}.key"))).expect("a key");
        let file: Value = serde_json::from_slice(&file).expect("JSON");
        let secret = from_base64url(file["secret"]["insecure_dev"].as_str().expect("plain")).expect("base64url");
        let key = SigningKey::p256(&secret).expect("a scalar");
        let from = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs() - 30;
        let mut all = vec!["VerifiableCredential", "VerifiableAttestation"];
        all.extend(types);
        let mut vc = json!({
            "@context": ["https://www.w3.org/2018/credentials/v1"], "id": "urn:uuid:1", "type": all, "issuer": did,
            "credentialSubject": { "id": "did:key:z2dmz" },
            "credentialSchema": { "id": format!("https://x/schemas/{schema}"), "type": "FullJsonSchemaValidator2021" },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            vc[name.as_str()] = value.clone();
        }
        let claims =
            json!({ "iss": did, "sub": "did:key:z2dmz", "jti": "urn:uuid:1", "nbf": from, "iat": from, "vc": vc });
        let header = json!({ "alg": "ES256", "kid": format!("{did}#{thumbprint}"), "typ": "JWT" });
        let input = format!("{}.{}", base64url(&canonical(&header)), base64url(&canonical(&claims)));
        let jwt = format!("{input}.{}", base64url(&key.sign(input.as_bytes())));
        let path = self.network.folder().join(format!("{name}-{}.jwt", types.join("-")));
        fs::write(&path, jwt).expect("written");
        path
    }

    fn check(&self, credential: &Path) -> Outcome {
        self.ask(&["trust", "check", "--credential", &text(credential)])
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths of tests are text").to_owned()
}

#[test]
fn a_university_comes_on_board_issues_revokes_and_is_explained() {
    let mut world = World::start();
    let schema = world.govern();

    // From nothing to accredited issuer, and again: nothing more is done.
    let agency = world.home("agency");
    let began = Instant::now();
    let onboard = [
        "onboard",
        "--as",
        "university",
        "--accreditor",
        &agency,
        "--name",
        "fr=Université",
        "--name",
        "en=University",
        "--country",
        "LU",
        "--for",
        &format!("{schema}=Degree"),
        "--jurisdiction",
        "LUX",
    ];
    let done = world.by("university", &onboard).good();
    assert!(began.elapsed() < Duration::from_secs(60), "on board in {:?}", began.elapsed());
    println!("on board in {:?}", began.elapsed());
    assert_eq!(world.by("university", &onboard).good()["attribute"], done["attribute"]);
    let did = done["did"].as_str().expect("a DID").to_owned();
    let attribute = done["attribute"].as_str().expect("an attribute").to_owned();

    // The chain, drawn and as data, and what it rests on, offline.
    let kept = world.network.folder().join("chain.json");
    let shown = world.ask(&["trust", "show", &did, "--evidence", &text(&kept)]).good();
    let root = &shown["accreditations"][0];
    let tao = &root["below"][0];
    let ti = &tao["below"][0];
    for (branch, kind) in [(root, "RootTAO"), (tao, "TAO"), (ti, "TI")] {
        assert_eq!((&branch["type"], &branch["state"]), (&json!(kind), &json!("in-force")), "{shown}");
    }
    assert_eq!(ti["did"], did.as_str());
    let drawn = testamur(world.network.folder())
        .args(["trust", "show", &did, "--node", &format!("http://{}", world.network.nodes[0].api)])
        .output()
        .expect("the binary runs");
    let drawn = String::from_utf8_lossy(&drawn.stdout).into_owned();
    assert!(drawn.contains("└─ TAO  Agentschap / Agency (BE)  in force"), "{drawn}");
    assert!(drawn.contains("└─ TI  Université / University (LU)  in force"), "{drawn}");
    let evidence = Evidence::decode(&fs::read(&kept).expect("kept")).expect("an evidence file");
    let state = evidence.verify(&world.network.trust).expect("it verifies offline");
    let chain = trust_chain(&state, attribute.parse().expect("an id"), state.header().time).expect("all is there");
    assert_eq!(chain.expect("the chain holds").links.len(), 3);

    // A diploma, and what its issuer may not issue.
    let entry = world.by("university", &["status", "allocate"]).good()[0].clone();
    let terms = json!({
        "termsOfUse": { "id": format!("https://x/issuers/{did}/attributes/{attribute}"), "type": "IssuanceCertificate" },
        "credentialStatus": entry["credentialStatus"],
    });
    let diploma = world.issue("university", &["Degree"], &schema, &terms);
    let confirmed = world.check(&diploma).good();
    assert_eq!(confirmed["verdict"], "confirmed");
    let steps: Vec<_> = confirmed["steps"].as_array().expect("steps").iter().map(|s| s["step"].clone()).collect();
    assert_eq!(steps, ["signature", "dates", "chain", "scope", "status"]);
    let course = world.issue("university", &["ShortCourse"], &schema, &json!({}));
    world.check(&course).not_valid("chain.type-not-permitted");
    let other = schemas::body::multibase("77".repeat(32).parse().expect("an id"));
    let elsewhere = world.issue("university", &["Degree"], &other, &json!({}));
    world.check(&elsewhere).not_valid("chain.schema-not-permitted");
    let late = world.issue("university", &["Degree"], &schema, &json!({ "expirationDate": "2020-01-01T00:00:00Z" }));
    world.check(&late).not_valid("credential.expired");
    let mut forged = fs::read_to_string(&diploma).expect("a diploma");
    forged.replace_range(forged.len() - 8..forged.len() - 4, "AAAA");
    let path = world.network.folder().join("forged.jwt");
    fs::write(&path, forged).expect("written");
    world.check(&path).not_valid("credential.signature");
    fs::write(&path, "not a credential").expect("written");
    world.check(&path).not_valid("credential.malformed");

    // Revoked by command: every check from then on sees it, whichever node is asked.
    world.by("university", &["status", "revoke", "--credential", &text(&path)]).refused("cli.content");
    let diploma = world.issue("university", &["Degree"], &schema, &terms);
    world.by("university", &["status", "revoke", "--credential", &text(&diploma)]).good();
    world.check(&diploma).not_valid("status.revoked");
    for node in 0..4 {
        let address = format!("http://{}", world.network.nodes[node].api);
        wait_for("every node to know of the revocation", Duration::from_secs(30), || {
            let checked = world.run(&["trust", "check", "--credential", &text(&diploma), "--node", &address]);
            (checked.out["error"]["code"] == "status.revoked").then_some(())
        });
    }

    // New keys: the list is signed again, diplomas of before are explained as of their time.
    let old = world.network.folder().join("old.jwt");
    fs::copy(world.issue("university", &["Degree"], &schema, &json!({})), &old).expect("copied");
    let time = world.network.get(0, "/v1/status").expect("an answer").json()["time"].as_u64().expect("a time");
    world.by("university", &["did", "rotate"]).good();
    let listed = world.by("university", &["status", "show"]).good();
    assert_eq!((&listed["version"], &listed["set"]), (&json!(3), &json!(1)), "{listed}");
    world.ask(&["trust", "check", "--credential", &text(&old), "--at", &time.to_string()]).good();
    let shown = world.by("university", &["did", "show"]).good();
    assert_eq!(shown["document"]["verificationMethod"].as_array().map(Vec::len), Some(4), "the old keys overlap");

    // The agency ends the accreditation: from then on nothing of it holds, and before it does.
    world.by("agency", &["trust", "end", &did, "--reason", "privilege-withdrawn"]).good();
    let fresh = world.issue("university", &["Degree"], &schema, &json!({}));
    wait_for("the end to take effect", Duration::from_secs(30), || {
        (world.check(&fresh).out["error"]["code"] == "chain.ended").then_some(())
    });
    world.check(&fresh).not_valid("chain.ended");
    world.ask(&["trust", "check", "--credential", &text(&old), "--at", &time.to_string()]).good();
    world.network.check();
}

#[test]
fn two_parties_exchange_files_and_every_refusal_has_its_name() {
    let mut world = World::start();
    let schema = world.govern();
    let file = |name: &str| text(&world.network.folder().join(name));
    let (request, invitation) = (file("request.json"), file("invitation.json"));

    // Nobody vouches yet: a request is left, and the command says where.
    let start = ["onboard", "--as", "university", "--name", "el=Πανεπιστήμιο", "--country", "GR"];
    world.by("university", &start).refused("onboard.waiting");
    assert!(world.network.folder().join("university/request.json").exists());
    world.by("university", &["trust", "request", "--out", &request]).good();

    // A request that was changed on the way; one that asks for too much.
    let good = fs::read_to_string(&request).expect("a request");
    let mut broken: Value = serde_json::from_str(&good).expect("JSON");
    let jwt = broken["request"].as_str().expect("a JWS").to_owned();
    broken["request"] = json!(format!("{}AAAA{}", &jwt[..jwt.len() - 8], &jwt[jwt.len() - 4..]));
    fs::write(file("broken.json"), broken.to_string()).expect("written");
    world.by("agency", &["trust", "invite", &file("broken.json")]).refused("cli.content");
    let out_of_scope = ["trust", "invite", &request, "--out", &invitation, "--for", &format!("{schema}=Doctorate")];
    world.by("agency", &out_of_scope).refused("issuer.scope-type");
    world.by("ministry", &["trust", "invite", &request, "--out", &invitation]).refused("cli.usage");

    // The same request again gives the same invitation; it is no good to anybody else.
    let invite = ["trust", "invite", request.as_str(), "--out", invitation.as_str(), "--jurisdiction", "GRC"];
    let invited = world.by("agency", &invite).good();
    assert_eq!(world.by("agency", &invite).good()["attribute"], invited["attribute"]);
    world.by("thief", &["did", "new", "--invitation", &invitation]).refused("onboard.invitation");
    let stolen = world.by("thief", &["did", "new"]).good();
    assert_eq!(stolen["registered"], false);

    // Absence is proven, and verifies offline: not registered, and not accredited.
    let kept = world.network.folder().join("absent.json");
    let thief: Did = stolen["did"].as_str().expect("a DID").parse().expect("a DID");
    let shown = world.ask(&["did", "show", thief.as_str(), "--evidence", &text(&kept)]).good();
    assert_eq!(shown["entry"], Value::Null);
    let evidence = Evidence::decode(&fs::read(&kept).expect("kept")).expect("an evidence file");
    let state = evidence.verify(&world.network.trust).expect("it verifies offline");
    assert_eq!(identity::newest(&state, &thief), Ok(None));
    assert_eq!(state.header().height.0, shown["height"].as_u64().expect("a height"));
    let other = Did::of_ledger("ebsi", &[0; 16]);
    assert!(matches!(identity::newest(&state, &other), Err(StateError::Store(NotProven(_)))), "it says no more");
    world.ask(&["trust", "show", thief.as_str(), "--evidence", &text(&kept)]).good();
    let state = Evidence::decode(&fs::read(&kept).expect("kept")).expect("evidence").verify(&world.network.trust);
    assert_eq!(issuers::issuer(&state.expect("it verifies"), &thief), Ok(None));

    // A validator dies in the middle, and the university comes on board.
    world.network.kill(3);
    let mut accept = start.to_vec();
    accept.extend(["--invitation", &invitation]);
    let done = world.by("university", &accept).good();
    assert_eq!(done["attribute"], invited["attribute"]);
    let issuer = done["did"].as_str().expect("a DID").to_owned();

    // What is not the issuer's to do.
    world
        .by("university", &["trust", "accredit", thief.as_str(), "--name", "en=X", "--country", "GR"])
        .refused("issuer.type");
    world.by("university", &["trust", "end", &issuer, "--reason", "superseded"]).refused("trust.none");
    world.by("thief", &["status", "new"]).refused("did.not-registered");
    world.by("university", &["did", "deactivate"]).refused("cli.usage");
    let unknown = ["did", "compromised", "nobody", "--from", "2026-01-01"];
    world.by("university", &unknown).refused("did.change");
    world.by("university", &["status", "revoke", "--index", "9999999"]).refused("cli.usage");
    world.by("university", &["schema", "add", &request]).refused("cli.content");

    // A compromised key, dated back: what it signed is refused by that name.
    let diploma = world.issue("university", &["Degree"], &schema, &json!({}));
    world.check(&diploma).good();
    let key = world.by("university", &["did", "show"]).good()["document"]["assertionMethod"][0].clone();
    world.by("university", &["did", "rotate", "--key", "assertion"]).good();
    world.by("university", &["did", "compromised", key.as_str().expect("a key id"), "--from", "2020-01-01"]).good();
    world.check(&diploma).not_valid("did.key-compromised");

    // The ministry is a controller, and takes over when the university has closed.
    let ministry = world.by("ministry", &["did", "show"]).good()["did"].as_str().expect("a DID").to_owned();
    world.by("university", &["did", "add-controller", &ministry]).good();
    world.by("ministry", &["did", "deactivate", "--did", &issuer, "--yes"]).good();
    let closed = world.by("university", &["did", "show"]).good();
    assert_eq!(closed["entry"]["deactivated"], true);
    world.by("university", &["status", "revoke", "--index", "1"]).refused("did.deactivated");
    world.network.start_node(3);
    world.network.check();
}

/// `testamur dev` seeds its world after it is ready, once.
#[test]
fn a_development_network_is_a_small_living_world() {
    let (base_port, _ports, directory) = Network::claim();
    let dir = directory.path().join("dev-network");
    let start = || {
        let log =
            fs::OpenOptions::new().append(true).create(true).open(directory.path().join("dev.log")).expect("a log");
        let dev = testamur(directory.path())
            .args(["dev", "--dir", "dev-network", "--base-port", &base_port.to_string()])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        KilledInTheEnd(dev.expect("the binary runs"))
    };
    let words = || fs::read_to_string(directory.path().join("dev.log")).unwrap_or_default();
    let mut dev = start();
    let world: Value = wait_for("the world to be seeded", Duration::from_secs(90), || {
        let ended = dev.0.try_wait().expect("it can be waited for");
        assert!(ended.is_none(), "dev ended: {}", words());
        serde_json::from_slice(&fs::read(dir.join("world/world.json")).ok()?).ok()
    });
    wait_for("dev to say so", Duration::from_secs(10), || words().contains("SEEDED").then_some(()));
    let run = |arguments: &[&str]| {
        let output =
            testamur(directory.path()).args(arguments).current_dir(directory.path()).output().expect("it runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    };
    let university = world["university"].as_str().expect("a DID");
    let shown = run(&["trust", "show", university]);
    assert!(
        shown.contains("RootTAO") && shown.contains("Universitéit") && shown.contains("UniversityDegree"),
        "{shown}"
    );
    let below = run(&["trust", "show", world["ministry"].as_str().expect("a DID")]);
    assert_eq!(below.matches("└─ TI").count() + below.matches("├─ TI").count(), 3, "{below}");
    assert!(below.contains("Πολυτεχνείο"), "{below}");
    run(&["did", "show", world["city"].as_str().expect("a DID")]);
    let began = Instant::now();
    run(&["onboard", "--as", "university", "--name", "en=My University", "--country", "BE", "--home", "mine"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());

    let stop = |mut dev: KilledInTheEnd| {
        let asked = Command::new("kill").args(["-INT", &dev.0.id().to_string()]).status();
        assert!(asked.is_ok_and(|s| s.success()));
        wait_for("dev to stop", Duration::from_secs(60), || dev.0.try_wait().expect("it can be waited for"));
    };
    stop(dev);
    let dev = start();
    wait_for("dev to be ready again", Duration::from_secs(60), || {
        (words().matches("READY").count() == 2).then_some(())
    });
    assert!(run(&["trust", "show", university]).contains("in force"));
    assert_eq!(words().matches("SEEDED").count(), 1, "it is seeded once: {}", words());
    stop(dev);
}

/// A process that does not outlive its test, whatever happens; what it started ends with it.
struct KilledInTheEnd(std::process::Child);

impl Drop for KilledInTheEnd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
