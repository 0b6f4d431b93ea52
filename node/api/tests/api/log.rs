//! The log as an existing transparency-log library reads it: `tlog_tiles` over what the server serves.

use std::net::SocketAddr;

use testamur_primitives::block::split_entry;
use testamur_primitives::note::Note;
use tlog_tiles::{Checkpoint, HashReader as _, Tile, TileHashReader, TileReader};

use crate::client::get;
use crate::node::TestNode;

struct Tiles(SocketAddr);

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| {
            let path = tile.path();
            let path = path.strip_prefix("tile/8/").expect("tiles of height 8");
            let answer = get(self.0, &format!("/log/tile/{path}"));
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            answer.body
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[test]
fn tiles_verify_with_tlog_tiles() {
    let node = TestNode::start();
    let size = 600u64;
    let records: Vec<_> =
        (0..size).map(|i| node.ledger.public_record(&format!("r-{i}"), [(i % 251) as u8; 32])).collect();
    for block in records.chunks(150) {
        node.ledger.commit(block.to_vec());
    }
    let note = get(node.address, "/log/checkpoint");
    assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(note.header("cache-control"), Some("no-cache"));
    let note = Note::parse(&note.body).unwrap();
    let checkpoint = Checkpoint::from_bytes(note.text.as_bytes()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), (node.ledger.origin().as_str(), size));

    let tiles = Tiles(node.address);
    let reader = TileHashReader::new(size, *checkpoint.hash(), &tiles);
    let mut entries = Vec::new();
    for (bundle, width) in [(0, 256), (1, 256), (2, 88)] {
        let partial = if width == 256 { String::new() } else { format!(".p/{width}") };
        let answer = get(node.address, &format!("/log/tile/entries/{bundle:03}{partial}"));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        let mut rest = answer.body.as_slice();
        for _ in 0..width {
            let (entry, after) = split_entry(rest).expect("as many entries as the width says");
            entries.push(entry.to_vec());
            rest = after;
        }
        assert!(rest.is_empty());
    }
    for index in [0, 1, 255, 256, 300, 511, 512, 599] {
        let proof = tlog_tiles::prove_record(size, index, &reader).unwrap();
        let leaf = tlog_tiles::record_hash(&entries[index as usize]);
        tlog_tiles::check_record(&proof, size, *checkpoint.hash(), index, leaf).unwrap();
        assert_eq!(entries[index as usize], records[index as usize].as_bytes());
    }
    let earlier = get(node.address, "/v1/checkpoints/1");
    let earlier = Checkpoint::from_bytes(Note::parse(&earlier.body).unwrap().text.as_bytes()).unwrap();
    let proof = tlog_tiles::prove_tree(size, earlier.size(), &reader).unwrap();
    tlog_tiles::check_tree(&proof, size, *checkpoint.hash(), earlier.size(), *earlier.hash()).unwrap();
    assert!(reader.read_hashes(&[u64::MAX]).is_err());
}

#[test]
fn only_widths_that_the_log_has_reached_are_served() {
    let node = TestNode::start();
    node.ledger.commit((0..260).map(|i| node.ledger.public_record(&format!("r-{i}"), [1; 32])).collect());
    let cases = [
        ("0/000", 200),
        ("0/000.p/255", 200),
        ("0/000.p/1", 200),
        ("0/001.p/4", 200),
        ("0/001.p/5", 404),
        ("0/001", 404),
        ("1/000.p/1", 200),
        ("1/000.p/2", 404),
        ("1/000", 404),
        ("2/000.p/1", 404),
        ("7/000.p/1", 404),
        ("8/000.p/1", 404),
        ("63/000", 404),
        ("entries/000", 200),
        ("entries/001.p/4", 200),
        ("entries/001.p/5", 404),
        ("entries/x999/x999/x999/x999/x999/999", 404),
        ("0/x018/x446/x744/x073/x709/x551/615", 404),
    ];
    for (path, status) in cases {
        let answer = get(node.address, &format!("/log/tile/{path}"));
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        if status == 404 {
            assert!(answer.problem(404, "request.not-found").contains("not that large yet"));
        }
    }
    let whole = get(node.address, "/log/tile/0/000");
    let part = get(node.address, "/log/tile/0/000.p/7");
    assert_eq!((whole.body.len(), &whole.body[..224]), (8_192, part.body.as_slice()));
}

#[test]
fn the_policy_of_an_epoch_names_every_validator() {
    let node = TestNode::start();
    let policy = get(node.address, "/log/policy/0");
    assert_eq!(policy.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(policy.text(), testamur_primitives::policy::tlog_policy(&genesis_origin(&node), node.ledger.set()));
    assert!(policy.text().contains("group validators 3 ") && policy.text().ends_with("quorum validators\n"));
}

fn genesis_origin(node: &TestNode) -> testamur_primitives::genesis::Origin {
    let bytes = get(node.address, "/v1/genesis").body;
    testamur_primitives::genesis::Genesis::from_json(&bytes).unwrap().origin()
}
