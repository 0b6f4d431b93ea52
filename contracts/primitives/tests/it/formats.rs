//! Every format of the ledger, by the promises of its fuzzing target: what is read is written again, byte for byte, and a proof
//! shows nothing else. On what the vectors hold, what fuzzing kept, and a few changes of each; the millions are tried elsewhere.

#[path = "../../../../tests/src/fuzz/ledger.rs"]
mod ledger;
#[expect(unreachable_pub, reason = "it is public where it lives, in the library of the tests")]
#[path = "../../../../tests/src/fuzz/parts.rs"]
mod parts;

use std::path::Path;

use self::parts::{CUT, Target, jws, kept};
use testamur_primitives::block::{encode_value, split_value};
use testamur_primitives::genesis::Genesis;
use testamur_primitives::header::Header;
use testamur_primitives::limits::{BLOCK_ATTACHMENTS_BYTES_MAX, BLOCK_ATTACHMENTS_MAX};
use testamur_primitives::stream::{Encoder, Frame, StreamFault, StreamedBlock, decode, read_blocks, write_blocks};
use testamur_primitives::units::Height;

use crate::vectors;

fn evidence_file() -> Vec<u8> {
    std::fs::read(vectors::folder().join("diplomas/evidence-main.json")).expect("a file of the vectors")
}

fn sample_genesis() -> Vec<u8> {
    ledger::texts("genesis.json", "canonical").remove(0)
}

fn receipts() -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(vectors::folder().join("receipts")).expect("the vectors").flatten();
    let mut paths: Vec<_> = folder.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().step_by(5).map(|path| std::fs::read(path).expect("a file of the vectors")).collect()
}

#[test]
fn what_is_read_is_written_again_and_proofs_show_nothing_else() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    for Target { name, run, corpus: own } in ledger::TARGETS {
        let (own, kept) = (own(), kept(&corpus, name));
        assert!(!own.is_empty() && !kept.is_empty(), "{name}");
        for input in own.into_iter().chain(kept) {
            run(&input);
            for place in 0..8 {
                let at = input.len() * place / 8;
                run(&input[..at]);
                let mut changed = input.clone();
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= 1 << place;
                }
                run(&changed);
            }
            run(&[&input[..], b"\n"].concat());
        }
    }
}

#[test]
fn a_value_has_so_many_attachments_and_bytes_of_them() {
    let block = std::fs::read(vectors::folder().join("block.bin")).expect("a block of the vectors");
    let fits = |lengths: &[usize]| {
        let attachments: Vec<_> = lengths.iter().map(|length| vec![7; *length]).collect();
        split_value(&encode_value(&block, &attachments)).is_ok()
    };
    assert!(fits(&[]) && fits(&[BLOCK_ATTACHMENTS_BYTES_MAX]) && fits(&[1, BLOCK_ATTACHMENTS_BYTES_MAX - 1]));
    assert!(!fits(&[BLOCK_ATTACHMENTS_BYTES_MAX + 1]) && !fits(&[1, BLOCK_ATTACHMENTS_BYTES_MAX]));
    assert!(fits(&[1; BLOCK_ATTACHMENTS_MAX]) && !fits(&[1; BLOCK_ATTACHMENTS_MAX + 1]));
}

#[test]
fn a_headers_text_is_its_encoding() {
    let block = std::fs::read(vectors::folder().join("block.bin")).expect("a block of the vectors");
    let block = testamur_primitives::block::Block::decode(&block).expect("a block");
    assert_eq!(block.header.text().as_bytes(), block.header.encode());
    assert_eq!(Header::decode(block.header.text().as_bytes()).as_ref(), Ok(&block.header));
}

/// Whoever has to say what is wrong with an archive of gigabytes says where.
#[test]
fn an_error_says_where_in_the_stream_it_is() {
    let certificate = std::fs::read(vectors::folder().join("certificate.note")).expect("a note of the vectors");
    let frames = [
        Frame::Genesis(b"{}"),
        Frame::First(Height(1)),
        Frame::Block(b"block"),
        Frame::Certificate(&certificate),
        Frame::Attachment(b"bits"),
        Frame::State { key: b"writer/a/1", value: b"{}" },
        Frame::Tree { key: b"key", node: b"node", value: b"{}" },
    ];
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    let mut encoder = Encoder::begin(&mut bytes);
    for frame in &frames {
        places.push(bytes.len());
        encoder.frame(frame, &mut bytes);
    }
    places.push(bytes.len());
    encoder.end(&mut bytes);
    assert_eq!(decode(&bytes).expect("a stream").len(), frames.len() + 1);
    for (number, place) in places.iter().enumerate() {
        let mut damaged = bytes.clone();
        damaged[*place] ^= 0x80;
        let error = decode(&damaged).expect_err("damaged");
        assert_eq!((error.number, error.offset), (number as u64, *place as u64), "{error}");
        assert!(error.to_string().starts_with(&format!("frame {number}, at byte {place}: ")), "{error}");
    }
    let error = read_blocks(&bytes).expect_err("a snapshot is no stream of blocks");
    assert_eq!((error.number, error.offset), (5, places[5] as u64));
    assert!(matches!(error.fault, StreamFault::NotABlockStream(_)), "{error}");
}

/// What a sender counts before it sends.
#[test]
fn a_streamed_block_has_as_many_bytes_as_it_says() {
    let stream = read_blocks(&vectors::read("blocks.stream")).expect("a stream of the vectors");
    let mut block = stream.blocks[0].clone();
    let bytes = |blocks: &[StreamedBlock]| write_blocks(b"{}", Height(1), blocks).len();
    for attachments in 0..3 {
        assert_eq!(bytes(std::slice::from_ref(&block)) - bytes(&[]), block.encoded_len(), "{attachments}");
        block.attachments.push(vec![7; 100 + attachments]);
    }
}

#[test]
fn an_operator_has_a_name_and_a_country() {
    let genesis: Genesis = serde_json::from_slice(&sample_genesis()).expect("a genesis");
    let good = genesis.operators[0].clone();
    assert!(good.is_well_formed());
    for (name, country) in [("", "LU"), ("Ministry", ""), ("Ministry", "lu"), ("Ministry", "LUX"), ("Mini\nstry", "LU")]
    {
        let mut operator = good.clone();
        (operator.name, operator.country) = (name.into(), country.into());
        assert!(!operator.is_well_formed(), "{name} {country}");
    }
}
