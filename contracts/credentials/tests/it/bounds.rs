//! Bounds of what is read and built: the last that is taken, and the first that is not; and what errors say of it.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use testamur_credentials::credential::Format;
use testamur_credentials::format::{self, BuildError};
use testamur_credentials::limits::{
    CREDENTIAL_BYTES_MAX, FILE_BYTES_MAX, LINK_CHARS_MAX, PACKAGE_BYTES_MAX, PACKAGE_LISTS_MAX, TOKEN_BYTES_MAX,
};
use testamur_credentials::link::{self, LinkError};
use testamur_credentials::package::{self, Package};
use testamur_credentials::presentation;
use testamur_credentials::proofs::{Lists, Proofs};
use testamur_credentials::refusal::Refusal;
use testamur_credentials::status::{Token, TokenFault};
use testamur_primitives::key::SigningKey;
use testamur_primitives::status::formats::TokenFormat;

use crate::world::parties::{World, sign_text};

static WORLD: LazyLock<World> = LazyLock::new(|| World::new(SigningKey::p256(&[7; 32]).unwrap()));

fn text() -> String {
    let draft = WORLD.draft();
    format::build(Format::SdJwt, &draft, &mut || [1; 16]).unwrap().sign(&SigningKey::p256(&[7; 32]).unwrap())
}

fn file(lists: usize) -> Vec<u8> {
    assert!(Lists::default().is_empty());
    let lists = (0..lists).map(|n| vec![u8::try_from(n).unwrap(); 16]).collect::<Lists>();
    assert_eq!(lists.is_empty(), lists.iter().next().is_none());
    Package { credential: text(), receipt: None, proofs: Proofs { lists, ..Proofs::default() } }.encode()
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    [bytes, &vec![b' '; length - bytes.len()]].concat()
}

fn too_large<T>(read: Result<T, Refusal>) -> Option<(usize, usize)> {
    match read {
        Err(Refusal::TooLarge { bytes, most }) => Some((bytes, most)),
        _ => None,
    }
}

/// What one verifier reads and another does not is told differently by the two. How much is remembered is no such limit.
#[test]
fn limits_have_these_numbers() {
    use testamur_credentials::limits::*;
    macro_rules! pinned {
        ($($name:ident = $number:literal,)*) => { $(assert_eq!($name, $number, stringify!($name));)* };
    }
    pinned! {
        CREDENTIAL_BYTES_MAX = 262_144,
        CREDENTIAL_DEPTH_MAX = 16,
        COMPACT_BYTES_MAX = 900,
        LINK_CHARS_MAX = 2_000,
        DISCLOSURES_MAX = 128,
        PACKAGE_BYTES_MAX = 8_388_608,
        PACKAGE_LISTS_MAX = 8,
        FILE_BYTES_MAX = 33_554_432,
        LIST_BYTES_MAX = 2_097_152,
        STATUS_AGE_S = 86_400,
        CLOCK_SKEW_S = 300,
        ATTACHMENTS_MAX = 16,
        ATTACHMENT_BYTES_MAX = 8_388_608,
        ACCREDITATION_ENTRIES_MAX = 32,
        STATUS_POINTERS_MAX = 8,
        TOKEN_BYTES_MAX = 4_194_304,
    }
}

#[test]
fn a_link_is_made_up_to_its_bound() {
    let make = |letters: usize| {
        let page = "https://a.example/verify";
        link::make(page, &"a".repeat(letters - page.len() - "#c=".len()))
    };
    assert_eq!(make(LINK_CHARS_MAX).expect("short enough").len(), LINK_CHARS_MAX);
    assert_eq!(make(LINK_CHARS_MAX + 1), Err(LinkError::TooLong(LINK_CHARS_MAX + 1)));
}

#[test]
fn a_file_is_read_up_to_its_bound() {
    let file = file(1);
    assert!(presentation::read(&padded(&file, FILE_BYTES_MAX)).is_ok());
    let more = presentation::read(&padded(&file, FILE_BYTES_MAX + 1));
    assert_eq!(too_large(more), Some((FILE_BYTES_MAX + 1, FILE_BYTES_MAX)));
    for read in [presentation::read, package::read] {
        let spaced = |length: usize| [b"{", &padded(b"", length - file.len())[..], &file[1..]].concat();
        assert!(read(&spaced(PACKAGE_BYTES_MAX)).is_ok());
        let more = read(&spaced(PACKAGE_BYTES_MAX + 1));
        assert_eq!(too_large(more), Some((PACKAGE_BYTES_MAX + 1, PACKAGE_BYTES_MAX)));
    }
}

#[test]
fn a_package_has_so_many_lists() {
    let read = presentation::read(&file(PACKAGE_LISTS_MAX)).unwrap();
    assert_eq!(read.proofs.lists.len(), PACKAGE_LISTS_MAX);
    assert!(matches!(presentation::read(&file(PACKAGE_LISTS_MAX + 1)), Err(Refusal::Malformed(_))));
}

#[test]
fn a_text_is_read_up_to_its_bound() {
    let long = |length: usize| "x".repeat(length);
    let read = |length: usize| too_large(format::parse(&long(length)));
    assert_eq!(read(CREDENTIAL_BYTES_MAX), None);
    assert_eq!(read(CREDENTIAL_BYTES_MAX + 1), Some((CREDENTIAL_BYTES_MAX + 1, CREDENTIAL_BYTES_MAX)));
    // White space is no part of it.
    let text = text();
    let spaced = |length: usize| format!("{}{}{}", &text[..9], " ".repeat(length - text.len()), &text[9..]);
    let most = 2 * CREDENTIAL_BYTES_MAX;
    assert!(presentation::read(spaced(most).as_bytes()).is_ok());
    assert_eq!(too_large(presentation::read(spaced(most + 1).as_bytes())), Some((most + 1, most)));
}

#[test]
fn a_link_is_read_up_to_its_bound() {
    let most = 3 * LINK_CHARS_MAX;
    let link = |length: usize| format!("https://u.example/#c={}", "A".repeat(length - 21));
    assert_eq!(link::parse(&link(most)).unwrap().len(), most - 21);
    assert_eq!(too_large(link::parse(&link(most + 1))), Some((most + 1, most)));
}

#[test]
fn a_token_is_read_up_to_its_bound() {
    let parse = |length: usize| Token::parse(TokenFormat::Bitstring, &" ".repeat(length));
    assert!(matches!(parse(TOKEN_BYTES_MAX), Err(TokenFault::Malformed(_))));
    assert_eq!(parse(TOKEN_BYTES_MAX + 1), Err(TokenFault::TooLarge));
}

/// What can be built can be read, to the byte: no issuer finds out after the ceremony.
#[test]
fn the_largest_that_is_built_can_be_read() {
    let key = || SigningKey::p384(&[7; 48]).unwrap();
    let (key, world) = (key(), World::new(key()));
    let draft = |length: usize| {
        let mut draft = world.draft();
        draft.subject.insert("remark".into(), json!("x".repeat(length)));
        draft
    };
    for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi] {
        let build = |length: usize| format::build(format, &draft(length), &mut || [1; 16]);
        let (mut fits, mut not) = (0, CREDENTIAL_BYTES_MAX);
        while not - fits > 1 {
            let middle = usize::midpoint(fits, not);
            if build(middle).is_ok() { fits = middle } else { not = middle }
        }
        let text = sign_text(format, &draft(fits), &key);
        assert!(text.len() > CREDENTIAL_BYTES_MAX - 8, "{format:?}: {} bytes is all that fits", text.len());
        assert!(format::parse(&text).is_ok(), "{format:?}: {} bytes", text.len());
        let Err(BuildError::TooLarge { bytes, most }) = build(not) else { panic!("{format:?}: refused for its size") };
        assert!(bytes > most && bytes - most < 8 && most == CREDENTIAL_BYTES_MAX, "{format:?}: {bytes} of {most}");
    }
}

/// Errors name what they are about, and no more than the beginning of what somebody else wrote.
#[test]
fn errors_show_the_names_that_they_are_about() {
    let whole: Map<String, Value> = serde_json::from_slice(&file(1)).unwrap();
    let with = |name: &str| {
        let mut file = whole.clone();
        file.insert(name.into(), json!(1));
        presentation::read(Value::Object(file).to_string().as_bytes()).unwrap_err().to_string()
    };
    assert!(with("issuer").contains("\"issuer\""), "{}", with("issuer"));
    let long = with(&"y".repeat(5_000));
    assert!(long.contains("yyyyyyyy") && long.len() < 300, "{} characters", long.len());
    let plain = format::build(Format::Vcdm2, &WORLD.draft(), &mut || [1; 16]).unwrap();
    let plain = plain.sign(&SigningKey::p256(&[7; 32]).unwrap());
    assert_eq!(format::parse(&plain).unwrap().format, Format::Vcdm2);
    let refusal = format::parse(&format!("{plain}~")).unwrap_err();
    assert_eq!(refusal, Refusal::UnknownFormat("disclosures without an SD-JWT"));
}
