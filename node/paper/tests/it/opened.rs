//! What people send: own PDFs, PDFs saved again by other programs, ZIPs, plain files.

use std::io::{Cursor, Write};

use lopdf::{Document, Object, SaveOptions};
use testamur_credentials::limits::FILE_BYTES_MAX;
use testamur_credentials::verify::Reason;
use testamur_paper::{OpenError, Print, PrintDigest, Relationship, attach, compact_of, open};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{CREDENTIAL, RECEIPT, diploma, file, master, object, print};

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("a ZIP").into_inner()
}

#[test]
fn a_diploma_is_one_credential_with_its_receipt_and_its_print() {
    let print = print(&master());
    let opened = open(&diploma(&print)).expect("opened");
    let [item] = opened.items.as_slice() else { panic!("one item") };
    assert_eq!(item.name, "credential.sd-jwt");
    assert_eq!(item.bytes, CREDENTIAL.as_bytes());
    assert_eq!(item.receipt.as_deref(), Some(RECEIPT.as_bytes()));
    assert_eq!(item.print, Print::Pdf { digest: PrintDigest::of(&print), whole: true });
    assert_eq!(compact_of(&diploma(&print)).as_deref(), Some("eyJ.eyJ.compact"));
}

/// INV-PRINT-1: whatever another program makes of it, the credential is found and the page is not taken for the university's.
#[test]
fn a_pdf_saved_again_keeps_its_credential_and_loses_its_print() {
    let print = print(&master());
    let whole = diploma(&print);
    let mut plain = Vec::new();
    Document::load_mem(&whole).expect("a PDF").save_to(&mut plain).expect("saved");
    let mut packed = Vec::new();
    let mut document = Document::load_mem(&whole).expect("a PDF");
    document.compress();
    document
        .save_with_options(&mut packed, SaveOptions::builder().use_object_streams(true).use_xref_streams(true).build())
        .expect("saved");
    let appended = [&whole[..], b"\n7 0 obj\n<</Annots[]>>\nendobj\n"].concat();
    let shifted = [b"From: a mail gateway\n", &whole[..]].concat();
    for (how, bytes) in [("saved", plain), ("packed", packed), ("appended", appended), ("shifted", shifted)] {
        let opened = open(&bytes).unwrap_or_else(|error| panic!("{how}: {error}"));
        let [item] = opened.items.as_slice() else { panic!("{how}: {} items", opened.items.len()) };
        assert_eq!((item.name.as_str(), item.bytes.as_slice()), ("credential.sd-jwt", CREDENTIAL.as_bytes()), "{how}");
        assert_eq!(item.receipt.as_deref(), Some(RECEIPT.as_bytes()), "{how}");
        assert_eq!(item.print, Print::Pdf { digest: PrintDigest::of(&bytes), whole: false }, "{how}");
    }
}

#[test]
fn a_forged_page_around_genuine_files_has_another_digest() {
    let genuine = print(&master());
    let mut content = master();
    content.insert("familyName".to_owned(), "Forger".into());
    let forged = print(&content);
    let opened = open(&diploma(&forged)).expect("opened");
    let Print::Pdf { digest, whole } = &opened.items[0].print else { panic!("a PDF") };
    assert!(*whole);
    assert_ne!(*digest, PrintDigest::of(&genuine));
}

#[test]
fn a_pdf_without_a_credential_says_so() {
    let print = print(&master());
    assert_eq!(open(&print), Err(OpenError::NoCredential));
    let picture = attach(
        &print,
        &[file("photo.jpg", Relationship::Data, "\u{fffd}JFIF"), file("receipt.json", Relationship::Data, RECEIPT)],
    );
    assert_eq!(open(&picture.expect("attached")), Err(OpenError::NoCredential));
    assert_eq!(open(b"%PDF-1.4\nnothing"), Err(OpenError::NoCredential));
    assert_eq!(OpenError::NoCredential.reason(), Reason::ReadableNoCredential);
}

#[test]
fn an_encrypted_pdf_says_so() {
    for trailer in [
        "trailer\n<</Encrypt 9 0 R/Root 1 0 R>>\n",
        "9 0 obj\n<</Type/XRef/Encrypt 8 0 R>>stream\nx\nendstream\nendobj\n",
    ] {
        let bytes = [b"%PDF-1.4\n", trailer.as_bytes()].concat();
        let error = open(&bytes).expect_err("refused");
        assert!(error.to_string().contains("encrypted"), "{error}");
        assert_eq!(error.reason(), Reason::ReadableArchive);
    }
}

/// Names and streams as other programs write them.
#[test]
fn attachments_of_other_programs_are_found() {
    let deflated = miniz_oxide::deflate::compress_to_vec_zlib(CREDENTIAL.as_bytes(), 6);
    let cases: [(&str, Vec<u8>, &str); 6] = [
        (
            "/Filespec/F(plain.jwt)/EF<</F 2 0 R>>",
            format!("/Length {}>>\nstream\n{CREDENTIAL}", CREDENTIAL.len()).into(),
            "plain.jwt",
        ),
        (
            "/Filespec/F(a\\(b\\)\\056jwt)/EF<</UF 2 0 R>>",
            format!("/Length 99999>>stream\r\n{CREDENTIAL}\r").into(),
            "a(b).jwt",
        ),
        (
            "/Filespec/UF<FEFF007A006F00EB002E006A00770074>/EF<</F 2 0 R>>",
            format!("/Length 5 0 R>>\nstream\n{CREDENTIAL}").into(),
            "zoë.jwt",
        ),
        (
            "/Filespec/F(C:\\\\folder\\\\x.jwt)/EF 4 0 R>>\nendobj 4 0 obj<</F 2 0 R",
            format!(">>\nstream\n{CREDENTIAL}").into(),
            "x.jwt",
        ),
        (
            "/#46ilespec/#55F(n)/E#46<</F 2 0 R>>",
            format!("/Length {}>>\nstream\n{CREDENTIAL}", CREDENTIAL.len()).into(),
            "n",
        ),
        (
            "/Filespec/F(d.jwt)/EF<</F 2 0 R>>",
            [format!("/Filter[/FlateDecode]/Length {}>>\nstream\n", deflated.len()).as_bytes(), &deflated].concat(),
            "d.jwt",
        ),
    ];
    for (specification, stream, name) in cases {
        let bytes = [
            format!("%PDF-1.5\n1 0 obj\n<</Type{specification}>>\nendobj\n2 0 obj\n<</Type/EmbeddedFile").as_bytes(),
            &stream,
            b"\nendstream\nendobj\n",
        ]
        .concat();
        let opened = open(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found: Vec<_> = opened.items.iter().map(|item| (item.name.as_str(), item.bytes.as_slice())).collect();
        assert_eq!(found, [(name, CREDENTIAL.as_bytes())]);
    }
}

#[test]
fn the_last_object_of_a_number_counts() {
    let object =
        |content: &str| format!("2 0 obj\n<</Length {}>>\nstream\n{content}\nendstream\nendobj\n", content.len());
    let bytes = format!("%PDF-1.5\n1 0 obj<</F(c)/EF<</F 2 0 R>>>>endobj\n{}{}", object("eyJold"), object("eyJnew"));
    assert_eq!(open(bytes.as_bytes()).expect("opened").items[0].bytes, b"eyJnew");
}

#[test]
fn anything_else_passes_through() {
    for bytes in
        [&b"eyJ.eyJ.sig"[..], b"{\"type\":\"testamur-diploma-package\"}", b"", b"\0\xff", b"https://v.example/#c=ey"]
    {
        let opened = open(bytes).expect("opened");
        let [item] = opened.items.as_slice() else { panic!("one item") };
        assert_eq!(
            (item.name.as_str(), item.bytes.as_slice(), &item.receipt, &item.print),
            ("", bytes, &None, &Print::None)
        );
    }
    assert_eq!(open(&vec![b'e'; FILE_BYTES_MAX + 1]), Err(OpenError::TooLarge(FILE_BYTES_MAX + 1)));
}

#[test]
fn a_zip_is_opened_entry_by_entry() {
    let print = print(&master());
    let pdf = diploma(&print);
    let nested = zip(&[("a.jwt", b"eyJ")]);
    let entries: &[(&str, &[u8])] = &[
        ("class/weber.pdf", &pdf),
        ("class/a.jwt", b"eyJa"),
        ("class/a.receipt.json", RECEIPT.as_bytes()),
        ("class/b.jwt", b"eyJb"),
        ("class/readme.txt", b"Hello"),
        ("class/inner.zip", &nested),
        ("class/broken.pdf", b"%PDF-1.7 trailer<</Encrypt 1 0 R>>"),
        ("__MACOSX/._a.jwt", b"eyJx"),
        (".DS_Store", b"eyJx"),
    ];
    let opened = open(&zip(entries)).expect("opened");
    let found: Vec<_> = opened
        .items
        .iter()
        .map(|item| (item.name.as_str(), item.receipt.is_some(), item.print != Print::None))
        .collect();
    assert_eq!(
        found,
        [
            ("class/weber.pdf/credential.sd-jwt", true, true),
            ("class/a.jwt", true, false),
            ("class/b.jwt", false, false)
        ]
    );
    let refused: Vec<_> = opened.refused.iter().map(|(name, error)| (name.as_str(), error.reason())).collect();
    let archive = Reason::ReadableArchive;
    assert_eq!(
        refused,
        [
            ("class/readme.txt", Reason::ReadableNoCredential),
            ("class/inner.zip", archive),
            ("class/broken.pdf", archive)
        ]
    );
}

#[test]
fn a_zip_without_a_credential_says_so() {
    assert_eq!(open(&zip(&[("readme.txt", b"Hello")])), Err(OpenError::NoCredential));
    assert_eq!(open(&zip(&[])), Err(OpenError::NoCredential));
    let alone = open(&zip(&[("d.jwt", b"eyJ"), ("proof.json", RECEIPT.as_bytes())])).expect("opened");
    assert!(alone.items[0].receipt.is_some(), "the only receipt beside the only credential");
}

/// The lenient reader finds in our own PDFs what the exact one finds.
#[test]
fn both_readers_agree() {
    let whole = diploma(&print(&object(serde_json::json!({
        "familyName": "Weber", "givenName": "Marie", "title": [{ "language": "en", "text": "Driver" }], "awardingDate": "2026-01-01",
    }))));
    let exact = open(&whole).expect("opened").items;
    let lenient = open(&[&whole[..], b"\n"].concat()).expect("opened").items;
    assert_eq!(exact.len(), lenient.len());
    for (exact, lenient) in exact.iter().zip(&lenient) {
        assert_eq!((&exact.name, &exact.bytes, &exact.receipt), (&lenient.name, &lenient.bytes, &lenient.receipt));
    }
    assert!(
        Document::load_mem(&whole)
            .expect("a PDF")
            .catalog()
            .and_then(|c| c.get(b"Names"))
            .and_then(Object::as_dict)
            .is_ok()
    );
}
