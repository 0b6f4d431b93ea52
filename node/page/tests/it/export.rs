//! The page as files, and which folders are pages.

use std::fs;

use serde_json::Value;
use testamur_page::{Bundle, BundleError, ExportError, export};

use super::{bundle, network, pages, trust};

#[test]
fn an_export_is_the_page_with_its_network_and_its_policy() {
    let source = pages();
    let bundle = bundle(&source);
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("site");
    export(&bundle, &network(), &place).expect("exported");
    for name in ["assets/index-ZJE2dDH_.js", "assets/lang/de-abcd1234.js", "sw.js", "icon.svg"] {
        let read = |root: &std::path::Path| fs::read(root.join(name)).expect("a file");
        assert_eq!(read(&place), read(source.path()), "{name}");
    }
    let index = fs::read_to_string(place.join("index.html")).expect("a page");
    assert!(
        index.contains("connect-src 'self' http://127.0.0.1:8080 https://node.example/ledger/\">\n    <script"),
        "{index}"
    );
    let json: Value = serde_json::from_slice(&fs::read(place.join("network.json")).expect("a file")).expect("JSON");
    assert_eq!(json["v"], 1);
    assert_eq!(json["name"], "A \"network\" </script>");
    assert_eq!(json["nodes"], serde_json::json!(["http://127.0.0.1:8080", "https://node.example/ledger"]));
    assert_eq!(json["trust"], serde_json::from_str::<Value>(&trust().to_json()).expect("JSON"));
    // Anybody can hash what a host serves and compare: what is the deployment's is left out, and any other change shows.
    let exported = Bundle::read(&place).expect("a page");
    assert_eq!(exported.hash(), bundle.hash());
    fs::write(place.join("index.html"), index.replace("</head>", "<meta name=\"x\"></head>")).expect("written");
    assert_ne!(Bundle::read(&place).expect("a page").hash(), bundle.hash());
}

#[test]
fn nothing_is_overwritten() {
    let source = pages();
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine"), "mine").expect("written");
    let error = export(&bundle(&source), &network(), folder.path()).expect_err("not empty");
    assert!(matches!(error, ExportError::NotEmpty(_)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn each_byte_and_each_name_counts() {
    let source = pages();
    let hash = bundle(&source).hash();
    assert_eq!(bundle(&source).hash(), hash, "the same twice");
    let path = source.path().join("sw.js");
    fs::write(&path, "self\n").expect("written");
    assert_ne!(bundle(&source).hash(), hash);
    fs::write(&path, "self;\n").expect("written");
    assert_eq!(bundle(&source).hash(), hash);
    fs::rename(&path, source.path().join("sw2.js")).expect("renamed");
    assert_ne!(bundle(&source).hash(), hash);
}

#[test]
fn other_folders_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(Bundle::read(folder.path()), Err(BundleError::NoIndex(_))));
    assert!(matches!(Bundle::read(&folder.path().join("none")), Err(BundleError::Read { .. })));
    let source = pages();
    for name in [".htpasswd", "a b.js", "notes", "ä.js", "page.php"] {
        let path = source.path().join(name);
        fs::write(&path, "x").expect("written");
        assert!(matches!(Bundle::read(source.path()), Err(BundleError::Name(_))), "{name}");
        fs::remove_file(path).expect("removed");
    }
    let large = fs::File::create(source.path().join("large.png")).expect("a file");
    large.set_len(64 * 1024 * 1024).expect("a hole");
    assert!(matches!(Bundle::read(source.path()), Err(BundleError::TooLarge)));
}
