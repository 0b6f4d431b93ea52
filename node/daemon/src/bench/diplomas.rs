//! `testamur bench --diplomas`: a graduation issued by a university's desk, and its diplomas verified from packages.
//!
//! Four validators; the small world of a development network is seeded, and its university issues: once without prints, once with.
//! Issuing means all of it: credentials signed, entries of a status list given out, one record anchored, every diploma verified
//! again, everything in the encrypted archive. Verifying is one core's work, reading the package included.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use testamur_client::diplomas::Gatherer;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::Registry;
use testamur_credentials::content::{Diploma, Text};
use testamur_credentials::package::Package;
use testamur_credentials::presentation;
use testamur_credentials::print::Print;
use testamur_credentials::verify::{Policy, Presented, Verdict, Verifier};
use testamur_primitives::hash::SchemaId;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::trust::TrustFile;
use testamur_registrar::files::Delivery;
use testamur_registrar::store::{AwardId, Draft, Page};
use testamur_registrar::{Office, Options};
use tokio::runtime::Runtime;

use super::limits::MachineLimits;
use super::{Bench, Machine, Network, failed, process};
use crate::commands::dev::world;
use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions};
use crate::exit::CommandError;
use crate::output::{Output, now};

/// Packages that are verified: enough for a rate, few enough to be made beside one another in memory.
const PACKAGES: usize = 2_000;

/// How many diplomas.
#[derive(Debug, Args)]
pub(super) struct Size {
    /// Measure issuing and verifying diplomas
    #[arg(long, conflicts_with = "registries")]
    pub(super) diplomas: bool,
    /// Diplomas of the graduation
    #[arg(long, requires = "diplomas", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    graduates: u32,
}

/// What a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    limits: MachineLimits,
    validators: usize,
    diplomas: usize,
    /// Seconds to issue them without prints.
    issue_s: f64,
    /// Seconds to issue as many with prints.
    issue_with_prints_s: f64,
    /// The most memory that this process held meanwhile.
    peak_rss_bytes: u64,
    /// Bytes of a PDF, attachments included: the largest of a sample.
    pdf_bytes: usize,
    /// Bytes of a package: the largest.
    package_bytes: usize,
    packages: usize,
    /// Packages read and verified a second, one core; the issuer's key is one of P-256.
    verify_s: f64,
    /// That, as a share of the P-256 verifications that the same core does.
    verify_share: f64,
    load_average: f64,
}

impl Bench {
    /// Issues a graduation twice and verifies a part of it.
    pub(super) fn measure_diplomas(
        &self,
        Network { dir, trust, nodes }: &Network<'_>,
        runtime: &Runtime,
        limits: MachineLimits,
        output: &Output,
    ) -> Result<Report, CommandError> {
        let trust = Arc::new((*trust).clone());
        let addresses: Vec<_> = nodes.api.iter().map(|address| format!("http://{address}")).collect();
        output.note("a ministry, an agency, a university");
        let world = runtime.block_on(world::seed(dir, &trust, &addresses, output))?;
        let office = runtime.block_on(open(dir, &addresses, output))?;

        let count = self.graduation.graduates as usize;
        let issue = |print: bool, from: usize| {
            let drafts = (from..from + count).map(|number| draft(number, world.schema)).collect::<Result<_, _>>()?;
            let options = Options { formats: office.settings().formats.clone(), print };
            let began = Instant::now();
            runtime.block_on(office.issue(drafts, &options, &|_| {}))?;
            Ok::<_, CommandError>(began.elapsed().as_secs_f64())
        };
        output.note(format!("issuing {count} diplomas"));
        let issue_s = issue(false, 0)?;
        output.note(format!("issuing {count} diplomas with prints"));
        let issue_with_prints_s = issue(true, count)?;
        let peak_rss_bytes = process::peak_resident_bytes(std::process::id()).map_err(failed)?;

        output.note("verifying packages");
        let registry = Registry::new(connect(&addresses)?, Arc::clone(&trust));
        let sample = count.min(PACKAGES);
        let packages = runtime.block_on(packages(&office, &registry, sample))?;
        let verify_s = verified_a_second(&trust, &packages)?;
        let verify_share = verify_s / limits.p256_s;
        let pdf_bytes = pdf_bytes(&office, count, sample.min(50))?;
        Ok(Report {
            machine: Machine::this(),
            limits,
            validators: nodes.api.len(),
            diplomas: count,
            issue_s,
            issue_with_prints_s,
            peak_rss_bytes,
            pdf_bytes,
            package_bytes: packages.iter().map(Vec::len).max().unwrap_or_default(),
            packages: packages.len(),
            verify_s,
            verify_share,
            load_average: process::load_average(),
        })
    }
}

fn connect(addresses: &[String]) -> Result<Nodes, CommandError> {
    Nodes::new(addresses, &Connections::default()).map_err(|e| failed(e.to_string()))
}

/// The seeded university's office.
async fn open(dir: &Path, addresses: &[String], output: &Output) -> Result<Office, CommandError> {
    let path = dir.join("trust.json");
    let ledger = LedgerOptions { node: addresses.to_vec(), trust: Some(path) };
    office::open(&HomeOptions::insecure(dir.join("world/university")), &ledger, output).await
}

/// A diploma like those of a usual bachelor.
fn draft(number: usize, schema: SchemaId) -> Result<Draft, CommandError> {
    let text = |language: &str, text: &str| Text { language: language.into(), text: text.into() };
    let diploma = Diploma {
        given_name: Some("Ξένια".into()),
        family_name: format!("Παπαδοπούλου-{number}"),
        date_of_birth: "2001-04-22".into(),
        title: vec![text("fr", "Bachelor en informatique"), text("en", "Bachelor of Science in Computer Science")],
        eqf_level: Some(6),
        isced_f: Some("0613".into()),
        ects: Some("180".into()),
        awarding_date: "2026-06-26".into(),
        place: Some("Esch-sur-Alzette".into()),
        jurisdiction: "https://publications.europa.eu/resource/authority/atu/LUX".into(),
        ..Diploma::default()
    };
    let types = diploma.types("UniversityDegree").into_iter().collect();
    let faults = |faults: Vec<_>| failed(format!("{faults:?}"));
    Ok(Draft {
        award: AwardId::new(&format!("S-{number}"), &format!("B-{number}")).map_err(|e| failed(e.to_string()))?,
        content: diploma.subject().map_err(faults)?,
        types,
        schema,
        holder: None,
        valid_until: None,
        stem: format!("B-{number}"),
        page: Page::default(),
    })
}

/// The award of a number, as the archive knows it.
fn files(office: &Office, number: usize) -> Result<Vec<testamur_registrar::files::File>, CommandError> {
    let id = AwardId::new(&format!("S-{number}"), &format!("B-{number}")).map_err(|e| failed(e.to_string()))?;
    let award = office.store().award(&office.store().key_of(&id))?;
    let award = award.ok_or_else(|| failed(format!("award {id} was not issued")))?;
    Ok(Delivery::new(office).files(&award, 1)?)
}

async fn packages(office: &Office, registry: &Registry, count: usize) -> Result<Vec<Vec<u8>>, CommandError> {
    let gatherer = Gatherer::default();
    let mut packages = Vec::with_capacity(count);
    for number in 0..count {
        let files = files(office, number)?;
        let [credential, receipt] = files.as_slice() else {
            return Err(failed(format!("{} files of a diploma, not a credential and its receipt", files.len())));
        };
        let read = presentation::read(&credential.bytes).map_err(|e| failed(e.to_string()))?;
        let receipt = Receipt::decode(&receipt.bytes).map_err(|e| failed(e.to_string()))?;
        let proofs = gatherer.gather(registry, &read.credential, Some(&receipt), None).await;
        let proofs = proofs.map_err(|e| failed(e.to_string()))?;
        packages.push(Package { credential: read.text, receipt: Some(receipt), proofs }.encode());
    }
    Ok(packages)
}

fn verified_a_second(trust: &Arc<TrustFile>, packages: &[Vec<u8>]) -> Result<f64, CommandError> {
    let verifier = Verifier::new(Arc::clone(trust));
    let policy = Policy::now(now()?);
    let began = Instant::now();
    for package in packages {
        let read = presentation::read(package);
        let report = verifier.verify(&Presented::new(read.as_ref(), &Print::None), &policy);
        if report.verdict != Verdict::Valid {
            return Err(failed(format!(
                "a diploma that was just issued is {:?}: {}",
                report.verdict,
                report.reason.code()
            )));
        }
    }
    Ok(packages.len() as f64 / began.elapsed().as_secs_f64())
}

fn pdf_bytes(office: &Office, from: usize, count: usize) -> Result<usize, CommandError> {
    let mut largest = 0;
    for number in from..from + count {
        let pdf = files(office, number)?.into_iter().find(|file| file.name.ends_with(".pdf"));
        largest = largest.max(pdf.ok_or_else(|| failed("a diploma without its PDF".into()))?.bytes.len());
    }
    Ok(largest)
}

/// For people.
pub(super) fn table(report: &Report) -> String {
    let Report { machine, limits, .. } = report;
    let row = |name: &str, value: String, limit: String| format!("  {name:<38} {value:>14}   {limit}\n");
    let rate = |seconds: f64| format!("{:.0} /s", report.diplomas as f64 / seconds);
    let kib = |bytes: usize| format!("{:.1} KiB", bytes as f64 / 1024.0);
    let mut text = format!(
        "{} diplomas, {} validators on the same machine: {} cores, {}; load average {:.1}\n\n",
        report.diplomas, report.validators, machine.cores, machine.system, report.load_average
    );
    text += &row("issued, anchored, verified, archived", format!("{:.1} s", report.issue_s), rate(report.issue_s));
    text += &row(
        "the same with a PDF each",
        format!("{:.1} s", report.issue_with_prints_s),
        rate(report.issue_with_prints_s),
    );
    text += &row("memory at most", format!("{:.0} MiB", report.peak_rss_bytes as f64 / 1_048_576.0), String::new());
    text += &row("a PDF, at most", kib(report.pdf_bytes), String::new());
    text += &row("a package, at most", kib(report.package_bytes), String::new());
    text += &row(
        "packages read and verified/s/core",
        format!("{:.0}", report.verify_s),
        format!("{:.0} % of the core's {:.0} P-256/s", 100.0 * report.verify_share, limits.p256_s),
    );
    text += "\nlimits of this machine, one core, same run\n";
    text += &limits.rows();
    text
}
