//! Files made to hurt whoever opens them: each ends in an error or in little time and memory.

use std::fmt::Write as _;
use std::io::{Cursor, Write};

use miniz_oxide::deflate::compress_to_vec_zlib;
use testamur_credentials::verify::Reason;
use testamur_paper::{OpenError, open};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{CREDENTIAL, RECEIPT, diploma, master, print};

fn refused(bytes: &[u8], why: &str) {
    let error = open(bytes).expect_err("refused");
    assert!(error.to_string().contains(why), "{error}, not {why}");
    assert_eq!(error.reason(), Reason::ReadableArchive);
}

fn attached(dictionary: &str, stream: &[u8]) -> Vec<u8> {
    let head = format!(
        "%PDF-1.5\n1 0 obj<</F(c)/EF<</F 2 0 R>>>>endobj\n2 0 obj<<{dictionary}/Length {}>>stream\n",
        stream.len()
    );
    [head.as_bytes(), stream, b"\nendstream\nendobj\n"].concat()
}

#[test]
fn a_deflate_bomb_in_a_pdf() {
    let zeros = compress_to_vec_zlib(&vec![0; 40 * 1024 * 1024], 6);
    refused(&attached("/Filter/FlateDecode", &zeros), "inflates beyond the bounds");
    refused(
        &attached(
            "/Type/ObjStm/N 1/First 4/Filter/FlateDecode",
            &compress_to_vec_zlib(&vec![b' '; 70 * 1024 * 1024], 6),
        ),
        "beyond",
    );
    // Many object streams, each within the bounds: they pay from one purse.
    let part = compress_to_vec_zlib(&vec![b' '; 16 * 1024 * 1024], 6);
    let mut many = b"%PDF-1.5\n".to_vec();
    for number in 1..8 {
        many.extend_from_slice(
            format!("{number} 0 obj<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length {}>>stream\n", part.len())
                .as_bytes(),
        );
        many.extend_from_slice(&part);
        many.extend_from_slice(b"\nendstream\nendobj\n");
    }
    refused(&many, "beyond");
}

#[test]
fn an_object_stream_of_endless_values() {
    let mut members = String::new();
    (0..20_000).for_each(|n| write!(members, "{} 0 ", n + 10).expect("written"));
    let first = members.len();
    members.push('[');
    members.push_str(&"0 ".repeat(200));
    members.push(']');
    let stream = compress_to_vec_zlib(members.as_bytes(), 6);
    // One list of 200 numbers, claimed by 20,000 objects.
    refused(&attached(&format!("/Type/ObjStm/N 20000/First {first}/Filter/FlateDecode"), &stream), "too");
}

#[test]
fn deep_nesting_and_endless_beginnings() {
    for piece in [
        "[",
        "<<",
        "<</A",
        "(",
        "<",
        "1 0 obj[",
        "1 0 obj(",
        "1 0 obj<<",
        "1 0 obj<</A(",
        "1 0 obj 2 0 R ",
        "1 0 obj<<>>stream\n",
        "1 0 obj%",
        "obj",
        "9 ",
    ] {
        let bytes = format!("%PDF-1.5\n1 0 obj{}", piece.repeat(300_000 / piece.len()));
        match open(bytes.as_bytes()) {
            Err(OpenError::NoCredential | OpenError::Container(_)) => {}
            other => panic!("{piece}: {other:?}"),
        }
    }
}

#[test]
fn too_many_objects() {
    let mut bytes = b"%PDF-1.5\n".to_vec();
    (0..210_000).for_each(|n| bytes.extend_from_slice(format!("{n} 0 obj 1\n").as_bytes()));
    refused(&bytes, "too many objects");
}

#[test]
fn references_in_circles() {
    let bytes = b"%PDF-1.5\n1 0 obj<</EF 1 0 R/F 1 0 R>>endobj\n2 0 obj 3 0 R endobj 3 0 obj 2 0 R endobj 4 0 obj<</EF 2 0 R/UF 3 0 R>>endobj\n";
    assert_eq!(open(bytes), Err(OpenError::NoCredential));
}

#[test]
fn a_zip_bomb() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("d.jwt", SimpleFileOptions::default()).expect("an entry");
    writer.write_all(&vec![b'e'; 40 * 1024 * 1024]).expect("written");
    refused(&writer.finish().expect("a ZIP").into_inner(), "inflates beyond the bounds");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..2_001 {
        writer.start_file(format!("{n}.jwt"), SimpleFileOptions::default()).expect("an entry");
    }
    refused(&writer.finish().expect("a ZIP").into_inner(), "more than 2000 entries");
    refused(b"PK\x03\x04 and nothing else", "");
}

/// A small generator, so that a failing input is found again by its number.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Damaged copies of genuine files: any answer but a panic. `examples/mutate.rs` runs millions.
#[test]
fn damaged_files_never_panic() {
    let whole = diploma(&print(&master()));
    // The tables at the end are where structure is.
    let pdf = [b"%PDF-1.7\n", &whole[whole.len() - 3_000..]].concat();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [("a.pdf", &pdf[..]), ("b.jwt", CREDENTIAL.as_bytes()), ("b.json", RECEIPT.as_bytes())] {
        writer.start_file(name, SimpleFileOptions::default()).expect("an entry");
        writer.write_all(bytes).expect("written");
    }
    let zip = writer.finish().expect("a ZIP").into_inner();
    let mut state = 1;
    for seed in [pdf, zip] {
        for _ in 0..3_000 {
            let mut bytes = seed.clone();
            for _ in 0..=next(&mut state) % 4 {
                let at = (next(&mut state) % bytes.len() as u64) as usize;
                match next(&mut state) % 3 {
                    0 => bytes[at] = next(&mut state) as u8,
                    1 => bytes.truncate(at.max(8)),
                    _ => bytes.insert(at, b"()<>[]/% 0\n"[(next(&mut state) % 11) as usize]),
                }
            }
            let _ = open(&bytes);
        }
    }
}
