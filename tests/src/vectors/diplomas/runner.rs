//! Cases of `tests/vectors/diplomas`, and what the pipeline says of them. Read from here by the tests of `node/paper`
//! as well, without the node: nothing but contracts and paper is needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use testamur_credentials::print::{Print, PrintDigest};
use testamur_credentials::proofs::{Lists, Proofs};
use testamur_credentials::verify::{Outcome, Policy, Presented, Report, StepReport, Verdict, Verifier};
use testamur_paper::check::{self, Found};
use testamur_primitives::codec::{from_base64_standard, from_base64url};
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

/// The folder below `tests/vectors`.
pub const FOLDER: &str = "diplomas";
/// The files of cases in it, by the step that decides; `valid` for those that are.
pub const TABLES: [&str; 9] =
    ["valid", "readable", "signature", "issuer", "accreditation", "status", "anchor", "dates", "holder"];

/// A part of what is handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// Text.
    Text(String),
    /// Text, many times.
    Repeat {
        /// The text.
        repeat: String,
        /// How often.
        times: usize,
    },
    /// Bytes, as standard base64.
    Base64 {
        /// The bytes.
        base64: String,
    },
    /// A file of the folder.
    File {
        /// Its path.
        file: String,
    },
}

/// The print that a credential came in, where a case names no PDF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintCase {
    /// What stands before the attached files.
    #[serde(flatten)]
    pub digest: PrintDigest,
    /// Whether nothing but these follows.
    pub whole: bool,
}

/// One credential, what is at hand beside it, and the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiplomaCase {
    /// What is special about it.
    pub name: String,
    /// What is handed in: these parts, one after the other.
    pub input: Vec<Part>,
    /// A receipt that was handed in beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// State of the ledger at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Bits of status lists at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<String>,
    /// Status tokens at hand, by their address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, Vec<Part>>,
    /// The trust file.
    pub trust: String,
    /// The verifier's clock.
    pub now: u64,
    /// The time asked about; none for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The page around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<PrintCase>,
    /// The answer.
    pub verdict: String,
    /// The reason that decides it.
    pub reason: String,
    /// Outcome and reason of each step.
    pub steps: Vec<String>,
}

/// Lays parts one after the other.
pub fn expand(parts: &[Part], load: &dyn Fn(&str) -> Vec<u8>) -> Vec<u8> {
    let bytes = |part: &Part| match part {
        Part::Text(text) => text.clone().into_bytes(),
        Part::Repeat { repeat, times } => repeat.repeat(*times).into_bytes(),
        Part::Base64 { base64 } => from_base64_standard(base64).expect("base64"),
        Part::File { file } => load(file),
    };
    parts.iter().flat_map(bytes).collect()
}

/// Runs cases through the pipeline, and remembers the proofs that many of them share.
#[derive(Debug, Default)]
pub struct Runner {
    verifiers: BTreeMap<String, Verifier>,
    evidence: BTreeMap<String, Arc<Evidence>>,
    lists: BTreeMap<String, Lists>,
}

impl Runner {
    /// What is said of a case, as of a file by the command line.
    pub fn judge(&mut self, case: &DiplomaCase, load: &dyn Fn(&str) -> Vec<u8>) -> Report {
        let mut reports = self.judge_all(case, load);
        assert!(reports.len() == 1, "{}: a case is about one credential", case.name);
        reports.remove(0)
    }

    /// What is said of each credential in a case's file.
    pub fn judge_all(&mut self, case: &DiplomaCase, load: &dyn Fn(&str) -> Vec<u8>) -> Vec<Report> {
        let receipt = case.receipt.as_ref().map(|path| load(path));
        let found = check::find(&expand(&case.input, load), receipt.as_deref());
        found.into_iter().map(|found| self.judge_found(case, found, load)).collect()
    }

    fn judge_found(&mut self, case: &DiplomaCase, found: Found, load: &dyn Fn(&str) -> Vec<u8>) -> Report {
        let Found { presented: read, print, .. } = found;
        let print = case.print.clone().map_or(print, |PrintCase { digest, whole }| Print::Pdf { digest, whole });
        let mut proofs = read.as_ref().map_or_else(|_| Proofs::default(), |read| read.proofs.clone());
        if let Some(path) = &case.evidence {
            let decode = || Arc::new(Evidence::decode(&load(path)).expect("evidence of the vectors"));
            proofs.evidence = Some(Arc::clone(self.evidence.entry(path.clone()).or_insert_with(decode)));
        }
        if let Some(path) = &case.lists {
            let inflated = || {
                let lists: Vec<String> = serde_json::from_slice(&load(path)).expect("lists of the vectors");
                lists.iter().map(|list| inflate(list)).collect()
            };
            let lists = self.lists.entry(path.clone()).or_insert_with(inflated);
            proofs.lists.extend(lists.iter().map(|(_, bits)| Arc::clone(bits)));
        }
        for (url, parts) in &case.tokens {
            let token = String::from_utf8(expand(parts, load)).expect("tokens are text");
            proofs.tokens.insert(url.clone(), token.into());
        }
        let presented = Presented::new(read.as_ref(), &print);
        let presented = match case.evidence {
            Some(_) => presented.with_proofs(&proofs),
            None => Presented { proofs: &proofs, ..presented },
        };
        let policy = Policy { at: case.at.map(UnixTime), ..Policy::now(UnixTime(case.now)) };
        let trust = || TrustFile::from_json(&load(&case.trust)).expect("a trust file of the vectors");
        let verifier = self.verifiers.entry(case.trust.clone()).or_insert_with(|| Verifier::new(Arc::new(trust())));
        verifier.verify(&presented, &policy)
    }
}

/// The steps of a report, as cases have them.
pub fn steps(report: &Report) -> Vec<String> {
    let step = |step: &StepReport| match step.outcome {
        Outcome::NotChecked => "not-checked".to_owned(),
        outcome => {
            let outcome = serde_json::to_value(outcome).expect("a name");
            format!("{} {}", outcome.as_str().expect("a name"), step.reason.code())
        }
    };
    report.steps.iter().map(step).collect()
}

/// A verdict as cases have it.
pub fn name_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::NotValid => "not-valid",
        Verdict::CannotTell => "cannot-tell",
    }
}

fn inflate(list: &str) -> Vec<u8> {
    let zlib = from_base64url(list).expect("base64url");
    miniz_oxide::inflate::decompress_to_vec_zlib(&zlib).expect("zlib")
}
