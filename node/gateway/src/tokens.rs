//! Bearer tokens of callers: 32 random bytes, shown once, kept as a hash only.
//!
//! A token has 256 bits of randomness, so one SHA-256 suffices: there is nothing to guess, and a slow hash would only
//! let anybody spend the gateway's time. Comparison looks at every entry in constant time.
//!
//! The file (mode 0600, JSON):
//! ```json
//! {"v":1,"type":"testamur-tokens","tokens":[
//!   {"label":"registry-office","sha256":"<64 hex digits>","created":1790000000},
//!   {"label":"desk-7","sha256":"…","created":1790000000,"scopes":["diplomas","approve"],"person":"anna.muster"}]}
//! ```
//! with `sha256 = SHA-256("testamur/token/v1\n" ‖ token text)`. A token without scopes notarises and does nothing else. `expires` and
//! `revoked` are times after which it is not taken; a revoked token keeps its entry, so that its callers are told what happened.
//!
//! A running gateway reads the file again when it changes. A file that is missing or faulty then changes nothing: whoever is to be
//! shut out is shut out by a file that can be read.
//!
//! Beside it `tokens.json.used` tells when each token was used last, to the minute; it may be deleted at any time.
//!
//! INV-GATEWAY-3: a token that proposes or approves changes of diplomas is one person's, so that the two persons of a change are
//! told apart by their tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq as _};
use testamur_primitives::codec;
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;
use testamur_registrar::staff::PersonName;

use crate::limits::{TOKENS_BYTES_MAX, TOKENS_MAX};

/// Why tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// No random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// A file operation failed.
    #[error("{operation} {path} failed: {source}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Others may read or write the file.
    #[error("{path} has mode {mode:04o}: others must not read it; run `chmod 600 {path}`")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a tokens file.
    #[error("{path} is not a tokens file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The label is taken, or there is no room.
    #[error("{0}")]
    Entry(String),
}

impl TokensError {
    /// Whether the gateway must not start.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Entry(_))
    }
}

/// A token in the clear: shown to the caller's operator once, then forgotten. `Debug` does not show it.
pub struct Token(String);

impl core::fmt::Debug for Token {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// 32 fresh random bytes as base64url: 43 characters.
    pub fn generate() -> Result<Self, TokensError> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes).map_err(|_| TokensError::Random)?;
        Ok(Self(codec::base64url(&bytes)))
    }

    /// The text that goes after `Authorization: Bearer`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Documents and hashes to receipts.
    Notarise,
    /// Issuing diplomas, reading what was issued, proposing changes.
    Diplomas,
    /// Approving changes that somebody else proposed.
    Approve,
    /// Keeping the gateway: backups.
    Operate,
}

impl Scope {
    /// All.
    pub const ALL: [Self; 4] = [Self::Notarise, Self::Diplomas, Self::Approve, Self::Operate];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notarise => "notarise",
            Self::Diplomas => "diplomas",
            Self::Approve => "approve",
            Self::Operate => "operate",
        }
    }
}

fn notarise_only() -> BTreeSet<Scope> {
    BTreeSet::from([Scope::Notarise])
}

fn is_notarise_only(scopes: &BTreeSet<Scope>) -> bool {
    *scopes == notarise_only()
}

/// A known token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Which caller it belongs to: in logs, never a person.
    pub label: Reference,
    /// Hash of the token, hexadecimal.
    pub sha256: TokenHash,
    /// When it was made.
    pub created: UnixTime,
    /// What it is good for.
    #[serde(default = "notarise_only", skip_serializing_if = "is_notarise_only")]
    pub scopes: BTreeSet<Scope>,
    /// From this time on it is not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<UnixTime>,
    /// When it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<UnixTime>,
    /// The person of the desk who uses it: in the archive of changes, never in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
}

/// Why a known token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Void {
    /// It was taken away.
    Revoked(UnixTime),
    /// Its time is over.
    Expired(UnixTime),
}

impl TokenEntry {
    /// Whether the token is taken at a time, or why not.
    pub fn check(&self, now: UnixTime) -> Result<(), Void> {
        // A clock that is set back brings no revoked token to life.
        match (self.revoked, self.expires) {
            (Some(revoked), _) => Err(Void::Revoked(revoked)),
            (None, Some(expires)) if now >= expires => Err(Void::Expired(expires)),
            _ => Ok(()),
        }
    }
}

/// SHA-256("testamur/token/v1\n" ‖ token).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token's text.
    pub fn of(token: &str) -> Self {
        Self(codec::sha256(&[b"testamur/token/v1\n", token.as_bytes()]))
    }
}

impl Serialize for TokenHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| serde::de::Error::custom("sha256 is 64 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensDocument {
    v: u8,
    r#type: String,
    tokens: Vec<TokenEntry>,
}

/// The tokens that a gateway accepts.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    entries: Vec<TokenEntry>,
}

impl Tokens {
    /// No token: nobody gets in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a tokens file that nobody else can read or write.
    pub fn load(path: &Path) -> Result<Self, TokensError> {
        let fail = |operation| move |source| TokensError::Io { operation, path: path.to_owned(), source };
        let format = |reason: String| TokensError::Format { path: path.to_owned(), reason };
        let file = File::open(path).map_err(fail("opening"))?;
        // The open file's mode: a path could be swapped between the look and the read.
        let mode = file.metadata().map_err(fail("reading the mode of"))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TokensError::Mode { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::new();
        file.take(TOKENS_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail("reading"))?;
        if bytes.len() as u64 > TOKENS_BYTES_MAX {
            return Err(format(format!("more than {TOKENS_BYTES_MAX} bytes")));
        }
        let document: TokensDocument = codec::from_strict(&bytes).map_err(|error| format(error.to_string()))?;
        if document.v != 1 || document.r#type != "testamur-tokens" {
            return Err(format(r#"expected "type":"testamur-tokens" and "v":1"#.into()));
        }
        let mut tokens = Self::new();
        for entry in document.tokens {
            tokens.push(entry).map_err(|error| format(error.to_string()))?;
        }
        Ok(tokens)
    }

    /// Writes the file with mode 0600, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), TokensError> {
        let document = TokensDocument { v: 1, r#type: "testamur-tokens".into(), tokens: self.entries.clone() };
        save(path, &codec::canonical(&document))
    }

    /// Adds a token under a new label, for notarising.
    pub fn add(&mut self, label: Reference, token: &Token, created: UnixTime) -> Result<(), TokensError> {
        self.add_for(label, token, created, notarise_only(), None)
    }

    /// Adds a token under a new label, for what is said.
    pub fn add_for(
        &mut self,
        label: Reference,
        token: &Token,
        created: UnixTime,
        scopes: BTreeSet<Scope>,
        person: Option<PersonName>,
    ) -> Result<(), TokensError> {
        self.push(TokenEntry {
            label,
            sha256: TokenHash::of(token.as_str()),
            created,
            scopes,
            expires: None,
            revoked: None,
            person,
        })
    }

    /// Lets a label's token end at a time; says whether there is one.
    pub fn expire(&mut self, label: &Reference, at: UnixTime) -> bool {
        let entry = self.entries.iter_mut().find(|entry| entry.label == *label);
        entry.map(|entry| entry.expires = Some(at)).is_some()
    }

    /// Takes the token of a label away and keeps its entry; says whether there was one that was not taken away before.
    pub fn revoke(&mut self, label: &Reference, at: UnixTime) -> bool {
        let entry = self.entries.iter_mut().find(|entry| entry.label == *label && entry.revoked.is_none());
        entry.map(|entry| entry.revoked = Some(at)).is_some()
    }

    /// Removes the token of a label with its entry: its callers are then strangers. Says whether there was one.
    pub fn remove(&mut self, label: &Reference) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.label != *label);
        self.entries.len() < before
    }

    /// The entries, without any token.
    pub fn entries(&self) -> &[TokenEntry] {
        &self.entries
    }

    /// The entry of a token; `None` when it is unknown. Time does not depend on which entry fits, or on how much of one.
    pub fn verify(&self, presented: &str) -> Option<&TokenEntry> {
        let hash = TokenHash::of(presented);
        let mut found = None;
        for entry in &self.entries {
            let same: Choice = entry.sha256.0.ct_eq(&hash.0);
            if bool::from(same) {
                found = Some(entry);
            }
        }
        found
    }

    fn push(&mut self, entry: TokenEntry) -> Result<(), TokensError> {
        if self.entries.len() == TOKENS_MAX {
            return Err(TokensError::Entry(format!("a gateway has at most {TOKENS_MAX} tokens")));
        }
        if self.entries.iter().any(|other| other.label == entry.label) {
            return Err(TokensError::Entry(format!(
                "there is a token labelled {} already: remove it first",
                entry.label
            )));
        }
        if entry.scopes.is_empty() {
            return Err(TokensError::Entry(format!("the token {} is good for nothing: name a scope", entry.label)));
        }
        if entry.scopes.contains(&Scope::Approve) && entry.person.is_none() {
            return Err(TokensError::Entry(format!(
                "the token {} approves: it must be a person's (INV-GATEWAY-3)",
                entry.label
            )));
        }
        if self.entries.iter().any(|other| other.sha256 == entry.sha256) {
            return Err(TokensError::Entry("the same token stands under two labels".into()));
        }
        self.entries.push(entry);
        Ok(())
    }
}

/// Writes a file with mode 0600, whole or not at all.
fn save(path: &Path, bytes: &[u8]) -> Result<(), TokensError> {
    let temporary = beside(path, ".partial");
    let fail = |operation| move |source| TokensError::Io { operation, path: path.to_owned(), source };
    // A crash before the rename leaves the old file and a `.partial`, which the next save overwrites.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(fail("writing"))?;
    std::fs::rename(&temporary, path).map_err(fail("naming"))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(fail("syncing the directory of"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// When each token was used last, by label.
pub type LastUsed = BTreeMap<Reference, UnixTime>;

/// Notes when tokens were used, beside their file.
pub fn save_last_used(tokens: &Path, used: &LastUsed) -> Result<(), TokensError> {
    save(&beside(tokens, ".used"), &codec::canonical(used))
}

/// When tokens were used, as noted beside their file; nothing, when nothing readable is.
pub fn load_last_used(tokens: &Path) -> LastUsed {
    let file = File::open(beside(tokens, ".used"));
    let mut bytes = Vec::new();
    let read = file.and_then(|file| file.take(TOKENS_BYTES_MAX).read_to_end(&mut bytes));
    read.ok().and_then(|_| codec::from_strict(&bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_known_by_its_hash_only() {
        let (one, two) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_eq!(one.as_str().len(), 43);
        assert_ne!(one.as_str(), two.as_str());
        let mut tokens = Tokens::new();
        let of = |tokens: &Tokens, token: &str| tokens.verify(token).map(|entry| entry.label.clone());
        assert_eq!(of(&tokens, one.as_str()), None);
        tokens.add(label("one"), &one, UnixTime(1)).unwrap();
        tokens.add(label("two"), &two, UnixTime(2)).unwrap();
        assert_eq!(of(&tokens, one.as_str()), Some(label("one")));
        assert_eq!(of(&tokens, two.as_str()), Some(label("two")));
        for wrong in ["", " ", "one", &one.as_str()[1..], &format!("{} ", one.as_str())] {
            assert_eq!(tokens.verify(wrong), None, "{wrong:?}");
        }
        assert!(tokens.remove(&label("one")));
        assert!(!tokens.remove(&label("one")));
        assert_eq!(tokens.verify(one.as_str()), None);
        assert_eq!(format!("{two:?}"), "Token(…)");
    }

    /// INV-GATEWAY-3.
    #[test]
    fn whoever_approves_is_a_person() {
        let token = Token::generate().unwrap();
        let scopes = BTreeSet::from([Scope::Diplomas, Scope::Approve]);
        let mut tokens = Tokens::new();
        let error = tokens.add_for(label("desk"), &token, UnixTime(1), scopes.clone(), None).unwrap_err();
        assert!(error.to_string().contains("must be a person's"), "{error}");
        tokens.add_for(label("desk"), &token, UnixTime(1), scopes, Some("anna".parse().unwrap())).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        tokens.save(&path).unwrap();
        let loaded = Tokens::load(&path).unwrap();
        let entry = loaded.verify(token.as_str()).unwrap();
        assert_eq!(entry.person.as_ref().unwrap().as_str(), "anna");
        assert_eq!(entry, &tokens.entries()[0]);
    }

    #[test]
    fn a_token_ends_when_it_expires_and_when_it_is_taken_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        let token = Token::generate().unwrap();
        let mut tokens = Tokens::new();
        tokens.add(label("office"), &token, UnixTime(1)).unwrap();
        let check = |tokens: &Tokens, now| {
            tokens.save(&path).unwrap();
            Tokens::load(&path).unwrap().verify(token.as_str()).unwrap().check(UnixTime(now))
        };
        assert_eq!(check(&tokens, u64::MAX), Ok(()));
        assert!(tokens.expire(&label("office"), UnixTime(100)) && !tokens.expire(&label("absent"), UnixTime(100)));
        assert_eq!((check(&tokens, 99), check(&tokens, 100)), (Ok(()), Err(Void::Expired(UnixTime(100)))));
        assert!(tokens.revoke(&label("office"), UnixTime(50)));
        assert!(!tokens.revoke(&label("office"), UnixTime(60)), "once");
        assert_eq!(check(&tokens, 0), Err(Void::Revoked(UnixTime(50))));
    }

    #[test]
    fn the_file_keeps_no_token_and_must_be_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        let token = Token::generate().unwrap();
        let mut tokens = Tokens::new();
        tokens.add(label("office"), &token, UnixTime(1_790_000_000)).unwrap();
        tokens.save(&path).unwrap();
        tokens.save(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(token.as_str()));
        let loaded = Tokens::load(&path).unwrap();
        let entry = loaded.verify(token.as_str()).unwrap();
        assert_eq!((entry.label.as_str(), &entry.person, &entry.scopes), ("office", &None, &notarise_only()));
        assert!(!text.contains("scopes"), "a token that notarises looks as it always did");
        for mode in [0o640, 0o604, 0o620, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = Tokens::load(&path).unwrap_err();
            assert!(error.to_string().contains("others must not read it; run `chmod 600"), "{error}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        Tokens::load(&path).unwrap();
    }

    #[test]
    fn what_is_no_tokens_file_is_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        let entry = |label: &str, hash: &str| format!(r#"{{"label":"{label}","sha256":"{hash}","created":1}}"#);
        let file = |tokens: &str| format!(r#"{{"v":1,"type":"testamur-tokens","tokens":[{tokens}]}}"#);
        let (a, b) = ("0a".repeat(32), "0b".repeat(32));
        let cases = [
            (String::new(), "not the expected JSON"),
            (file("").replace(":1", ":2"), "expected \"type\":\"testamur-tokens\""),
            (file(&entry("a b", &a)), "a reference is 1 to 64"),
            (file(&entry("a", "zz")), "sha256 is 64 hexadecimal digits"),
            (file(&format!("{},{}", entry("a", &a), entry("a", &b))), "labelled a already"),
            (file(&format!("{},{}", entry("a", &a), entry("b", &a))), "the same token stands under two labels"),
            (file(&entry("a", &a)).replace("\"created\"", "\"made\""), "unknown field"),
            (file(&entry("a", &a).replace("}", r#","scopes":["all"]}"#)), "unknown variant"),
            (file(&entry("a", &a).replace("}", r#","scopes":[]}"#)), "good for nothing"),
            (file(&entry("a", &a).replace("}", r#","scopes":["approve"]}"#)), "must be a person's"),
            (file(&entry("a", &a).replace("}", r#","scopes":["approve"],"person":"Anna"}"#)), "a person's name is"),
        ];
        for (text, reason) in cases {
            std::fs::write(&path, &text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let error = Tokens::load(&path).unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
        let error = Tokens::load(&directory.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("opening"), "{error}");
    }
}
