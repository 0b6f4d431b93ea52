//! Records on disk between signing and finality (INV-ENTITY-1).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testamur_primitives::record::{Bytes, Record};

use super::Home;
use crate::exit::CommandError;
use crate::files;

/// Bytes of a pending file: a record, and a status list's bits in base64url.
const PENDING_BYTES_MAX: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingFile {
    v: u8,
    r#type: String,
    what: String,
    record: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attachment: Option<Bytes>,
}

/// A signed record that was not seen final yet.
#[derive(Debug)]
pub(crate) struct Pending {
    path: PathBuf,
    /// What it does, for a person.
    pub(crate) what: String,
    /// The record.
    pub(crate) record: Record,
    /// The bytes that go with it.
    pub(crate) attachment: Option<Vec<u8>>,
}

impl Pending {
    /// Writes a signed record to disk; only then may it be sent.
    pub(crate) fn keep(
        home: &Home,
        what: &str,
        record: Record,
        attachment: Option<Vec<u8>>,
    ) -> Result<Self, CommandError> {
        let path = home.folder("pending")?.join(format!("{}-{}.json", record.payload().iat, record.id()));
        let file = PendingFile {
            v: 1,
            r#type: "testamur-pending-record".into(),
            what: what.to_owned(),
            record: record.as_str().to_owned(),
            attachment: attachment.clone().map(Bytes),
        };
        let text = serde_json::to_string_pretty(&file).expect("a pending file is JSON");
        files::replace(&path, text.as_bytes(), 0o600)?;
        Ok(Self { path, what: what.to_owned(), record, attachment })
    }

    /// All that was begun, the oldest first.
    pub(crate) fn all(home: &Home) -> Result<Vec<Self>, CommandError> {
        let folder = home.folder("pending")?;
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(|e| CommandError::file("read", &folder, e))? {
            let path = entry.map_err(|e| CommandError::file("read", &folder, e))?.path();
            if path.extension().is_some_and(|e| e == "json") {
                paths.push(path);
            }
        }
        // Names begin with the time of signing, ten digits until the year 2286.
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self, CommandError> {
        let refuse = |reason: String| {
            CommandError::content(path, reason, "if you do not know what it was, move it away and look at the ledger")
        };
        let file: PendingFile = serde_json::from_slice(&files::read_at_most(path, PENDING_BYTES_MAX)?)
            .map_err(|e| refuse(e.to_string()))?;
        if file.v != 1 || file.r#type != "testamur-pending-record" {
            return Err(refuse("not a pending record of this version".into()));
        }
        let record = Record::parse(file.record.as_bytes()).map_err(|e| refuse(e.to_string()))?;
        Ok(Self { path: path.to_owned(), what: file.what, record, attachment: file.attachment.map(|b| b.0) })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its outcome is known: it is of no more use.
    pub(crate) fn settled(self) -> Result<(), CommandError> {
        std::fs::remove_file(&self.path).map_err(|e| CommandError::file("remove", &self.path, e))
    }
}
