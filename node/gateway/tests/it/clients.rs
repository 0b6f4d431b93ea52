//! Goal: the clients in `examples/clients` work as they are printed. Method: each is run as a user runs it, against a gateway whose node
//! takes nothing at first; those whose interpreter is not there are passed over, unless `TESTAMUR_CLIENTS=all`.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use testamur_primitives::commitment::DigestAlgorithm;

use crate::fake_node::Mood;
use crate::kept::Kept;
use crate::world::World;

const CLIENTS: [(&str, &str); 4] =
    [("sh", "notarise.sh"), ("python3", "notarise.py"), ("php", "notarise.php"), ("java", "Notarise.java")];
/// What fits on a screen and is read in a minute.
const LINES_MAX: usize = 30;

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

async fn run(world: &World, interpreter: &str, script: &Path, file: &Path, token: &str) -> Output {
    let mut command = Command::new(interpreter);
    command.arg(script).arg(file).env("GATEWAY", world.url("")).env("TOKEN", token);
    for proxy in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_clients_notarise() {
    let all = std::env::var("TESTAMUR_CLIENTS").is_ok_and(|which| which == "all");
    let kept = Kept::new();
    let world = kept.world().await;
    let directory = tempfile::tempdir().unwrap();
    let mut records = 0;
    for (interpreter, name) in CLIENTS {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clients").join(name);
        let lines = std::fs::read_to_string(&script).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines");
        if !has(interpreter) || (interpreter == "sh" && !has("curl")) {
            assert!(!all, "{interpreter} is not there");
            eprintln!("{name} is passed over: no {interpreter}");
            continue;
        }
        let document = format!("a document for {name}").into_bytes();
        let file = directory.path().join(format!("{name}.txt"));
        std::fs::write(&file, &document).unwrap();
        let receipt = directory.path().join(format!("{name}.txt.receipt.json"));
        // Without a quorum at first: the client asks again.
        world.nodes[0].behave(Mood::NotReady);
        let before = world.nodes[0].submissions();
        let (output, ()) = tokio::join!(run(&world, interpreter, &script, &file, &world.token), async {
            while world.nodes[0].submissions() == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            world.nodes[0].behave(Mood::Well);
        });
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let first = std::fs::read(&receipt).unwrap();
        world.confirm(&first, &document, DigestAlgorithm::Sha2_256);
        // Run again: the same receipt, and no other record.
        std::fs::remove_file(&receipt).unwrap();
        assert!(run(&world, interpreter, &script, &file, &world.token).await.status.success(), "{name}");
        assert_eq!(std::fs::read(&receipt).unwrap(), first, "{name}");
        records += 1;
        assert_eq!(world.record_count(), records, "{name}");
        // A wrong token: an error, its words, and no receipt.
        std::fs::remove_file(&receipt).unwrap();
        let refused = run(&world, interpreter, &script, &file, "wrong").await;
        assert!(!refused.status.success(), "{name}");
        let told = [refused.stderr, refused.stdout, std::fs::read(&receipt).unwrap_or_default()].concat();
        assert!(
            String::from_utf8_lossy(&told).contains("gateway.token-wrong"),
            "{name}: {}",
            String::from_utf8_lossy(&told)
        );
    }
}
