//! What people send: PDFs with the credential inside, scans without, ZIPs, and files that only look like them.

use serde_json::json;
use testamur_credentials::print::{Attachment, PrintDigest, Relationship, update};
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::base64_standard;

use super::documents::{self, Kind, draft};
use super::graduation::{FORMATS, Issued};
use super::tokens::crc32;
use super::world::day;
use super::{Cases, Part, case};

pub(super) fn add(cases: &mut Cases<'_>) {
    pdfs(cases);
    scans(cases);
    zips(cases);
}

/// The smallest print: one empty page.
pub(super) fn print(title: &str) -> Vec<u8> {
    let objects = [
        "1 0 obj\n<</Type/Pages/Kids[2 0 R]/Count 1>>\nendobj\n".to_owned(),
        "2 0 obj\n<</Type/Page/Parent 1 0 R/MediaBox[0 0 595 842]>>\nendobj\n".to_owned(),
        format!("3 0 obj\n<</Title({title})>>\nendobj\n"),
        "4 0 obj\n<</Type/Catalog/Pages 1 0 R>>\nendobj\n".to_owned(),
    ];
    let mut pdf = "%PDF-1.7\n%\u{e2}\u{e3}\n".to_owned();
    let mut table = "xref\n0 5\n0000000000 65535 f\r\n".to_owned();
    for object in objects {
        table.push_str(&format!("{:010} 00000 n\r\n", pdf.len()));
        pdf.push_str(&object);
    }
    let at = pdf.len();
    let id = "<00112233445566778899aabbccddeeff>";
    pdf.push_str(&format!("{table}trailer\n<</Size 5/Root 4 0 R/Info 3 0 R/ID[{id} {id}]>>\nstartxref\n{at}\n%%EOF"));
    pdf.into_bytes()
}

fn attachment(name: &str, bytes: Vec<u8>, relationship: Relationship) -> Attachment {
    Attachment {
        name: name.into(),
        media_type: "application/json".into(),
        description: "A file".into(),
        relationship,
        modified: day(10),
        bytes,
    }
}

/// A print with files behind it, as issuers make it.
fn with(print: &[u8], credential: &str, receipt: Option<&Issued>) -> Vec<u8> {
    let mut files = vec![attachment("credential.txt", credential.as_bytes().to_vec(), Relationship::Source)];
    files.extend(receipt.map(|issued| attachment("receipt.json", issued.receipt.clone().encode(), Relationship::Data)));
    [print, &update(print, &files).expect("plain files")].concat()
}

fn pdfs(cases: &mut Cases<'_>) {
    let university = &cases.story.cast.university;
    let key = &university.party.assertion;
    let (own, other) = (print("Diploma"), print("Diploma of somebody else"));
    for (format, written) in FORMATS.into_iter().take(3) {
        let mut bound = draft(university, key, Kind::Bachelor, &format!("pdf {format}"));
        let digest = serde_json::to_value(PrintDigest::of(&own)).expect("a digest");
        bound.subject.insert("print".into(), digest);
        let text = documents::sign(written, &bound, key);
        let pdf = |bytes: &[u8]| vec![Part::Base64 { base64: base64_standard(bytes) }];
        let good = with(&own, &text, None);
        cases.add(case(format!("a PDF: {format}"), "").parts(pdf(&good)), Reason::Valid);
        let foreign = case(format!("a PDF with a foreign print: {format}"), "").parts(pdf(&with(&other, &text, None)));
        cases.add(foreign, Reason::SignatureForeignPrint);
        let drawn =
            [good.as_slice(), b"\n2 0 obj\n<</Type/Page/Parent 1 0 R/MediaBox[0 0 1 1]>>\nendobj\n%%EOF"].concat();
        let drawn = case(format!("a PDF with a later update: {format}"), "").parts(pdf(&drawn));
        cases.add(drawn, Reason::SignatureForeignPrint);
    }
    let issued = cases.of("good-es256-ebsi");
    let unbound = with(&own, &issued.text, Some(issued));
    let unbound = case("a PDF whose credential names no page, with its receipt", "").bytes(&unbound);
    cases.add(unbound, Reason::SignaturePrintNotBound);
    let other = cases.of("good-eddsa-ebsi");
    let swapped = case("a PDF with the receipt of another diploma", "").bytes(&with(&own, &issued.text, Some(other)));
    cases.add(swapped, Reason::AnchorOtherDocument);
    let revoked = case("a PDF of a revoked diploma", "").bytes(&with(&own, &cases.of("revoked-ebsi").text, None));
    cases.add(revoked, Reason::StatusRevoked);
}

fn scans(cases: &mut Cases<'_>) {
    let nothing = Reason::ReadableNoCredential;
    let own = print("Scan");
    cases.add(case("a PDF without attachment", "").bytes(&own), nothing);
    let letter = attachment("letter.txt", b"Dear all".to_vec(), Relationship::Data);
    let letter = [own.as_slice(), &update(&own, &[letter]).expect("a plain file")].concat();
    cases.add(case("a PDF with a letter attached", "").bytes(&letter), nothing);
    let receipt = cases.of("good-es256-ebsi").receipt.clone().encode();
    let receipt = attachment("receipt.json", receipt, Relationship::Data);
    let receipt = [own.as_slice(), &update(&own, &[receipt]).expect("a plain file")].concat();
    cases.add(case("a PDF with a receipt alone", "").bytes(&receipt), nothing);
    cases.add(case("a PDF of nothing but its first line", "%PDF-1.7\n"), nothing);
    let xml = attachment("credential.txt", b"<xml/>".to_vec(), Relationship::Source);
    let xml = [own.as_slice(), &update(&own, &[xml]).expect("a plain file")].concat();
    cases.add(case("a PDF with XML for a credential", "").bytes(&xml), nothing);
}

/// A ZIP of entries as they are, or deflated.
fn zip(entries: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let packed = if deflate { miniz_oxide::deflate::compress_to_vec(content, 9) } else { content.to_vec() };
        let head = [
            &20u16.to_le_bytes()[..],
            &[0, 0],
            &(if deflate { 8u16 } else { 0 }).to_le_bytes(),
            &[0, 0, 0x21, 0],
            &crc32(content).to_le_bytes(),
            &(packed.len() as u32).to_le_bytes(),
            &(content.len() as u32).to_le_bytes(),
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let at = file.len() as u32;
        file.extend([b"PK\x03\x04", head.as_slice(), name.as_bytes(), &packed].concat());
        let rest = [&[0; 10][..], &at.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x00", head.as_slice(), &rest, name.as_bytes()].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        &count,
        &count,
        &(directory.len() as u32).to_le_bytes(),
        &(file.len() as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [file, directory, end].concat()
}

fn zips(cases: &mut Cases<'_>) {
    let issued = cases.of("good-es256-sd-jwt");
    let receipt = issued.receipt.clone().encode();
    let both = [("wagner.sd-jwt", issued.text.as_bytes()), ("wagner.receipt.json", receipt.as_slice())];
    cases.add(case("a ZIP with a credential and its receipt", "").bytes(&zip(&both, true)), Reason::Valid);
    let (institute, receipt) = {
        let issued = cases.of("institute-vcdm2");
        (issued.text.clone(), issued.receipt.clone().encode())
    };
    let both = [("a/x.vc", institute.as_bytes()), ("a/x.receipt.json", receipt.as_slice())];
    cases.add(case("a ZIP whose receipt counts", "").bytes(&zip(&both, false)), Reason::Valid);
    let alone = [("a/x.vc", institute.as_bytes())];
    let alone = case("a ZIP whose receipt was taken out", "").bytes(&zip(&alone, false));
    cases.add(alone, Reason::AccreditationEndedUnanchored);
    let bomb = zip(&[("wagner.sd-jwt", &vec![b'e'; 40 * 1024 * 1024])], true);
    cases.add(case("a ZIP that unpacks to 40 MB", "").bytes(&bomb), Reason::ReadableArchive);
    let nested = zip(&[("graduates.zip", &zip(&both, true))], false);
    cases.add(case("a ZIP in a ZIP", "").bytes(&nested), Reason::ReadableArchive);
    let whole = zip(&both, false);
    cases.add(case("a ZIP cut off", "").bytes(&whole[..whole.len() / 2]), Reason::ReadableArchive);
    cases.add(case("an empty ZIP", "").bytes(&zip(&[], false)), Reason::ReadableNoCredential);
    let photo = zip(&[("photo.jpg", b"\xff\xd8\xff\xe0JFIF")], false);
    cases.add(case("a ZIP with a photograph", "").bytes(&photo), Reason::ReadableNoCredential);
    let pdf = with(&print("Diploma"), &cases.of("good-es256-vcdm2").text, None);
    let pdf = zip(&[("wagner.pdf", &pdf)], true);
    cases.add(case("a ZIP with a PDF", "").bytes(&pdf), Reason::SignaturePrintNotBound);
    let names = json!({"names": ["Wagner"]}).to_string();
    let list = zip(&[("names.json", names.as_bytes())], false);
    cases.add(case("a ZIP with JSON of something else", "").bytes(&list), Reason::ReadableNoCredential);
}
