//! The page's host as browsers meet it.

mod export;
mod serve;

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use testamur_page::{Bundle, Network, NodeAddress};
use testamur_primitives::trust::TrustFile;

/// A small page: what a build of verifier-web has, each kind once.
fn pages() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    write(
        "index.html",
        "<!doctype html>\n<html lang=\"en\">\n  <head>\n    <meta charset=\"utf-8\">\n    \
         <script type=\"module\" src=\"./assets/index-ZJE2dDH_.js\"></script>\n  </head>\n</html>\n",
    );
    write("assets/index-ZJE2dDH_.js", &"console.log('a page');\n".repeat(100));
    write("assets/lang/de-abcd1234.js", "export default {};\n");
    write("sw.js", "self;\n");
    write("manifest.webmanifest", "{}\n");
    write("icon.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n");
    folder
}

fn trust() -> TrustFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/diplomas/trust.json");
    TrustFile::from_json(&fs::read(path).expect("the sample's trust file")).expect("a trust file")
}

fn network() -> Network {
    let nodes: Vec<NodeAddress> =
        ["http://127.0.0.1:8080", "https://node.example/ledger"].map(|node| node.parse().expect("an address")).into();
    Network::new("A \"network\" </script>", &trust(), &nodes).expect("a network")
}

fn bundle(folder: &TempDir) -> Bundle {
    Bundle::read(folder.path()).expect("a page")
}
