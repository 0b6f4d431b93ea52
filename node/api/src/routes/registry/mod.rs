//! The registries: DID documents, accreditations, schemas, status lists and dossiers, each as of a time where it has
//! one, and each with its proof.

pub(crate) mod chains;
pub(crate) mod dids;
pub(crate) mod dossiers;
pub(crate) mod issuers;
pub(crate) mod schemas;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod views;

use serde::Deserialize;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, SchemaId};
use testamur_primitives::issuers::accreditation::parse_schema_id;
use testamur_primitives::record::Reference;
use utoipa::IntoParams;

use crate::answer::{Answer, Caching};
use crate::app::Api;
use crate::ledger::ObjectPage;
use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::problem::{self, Problem};
use crate::registry::page_of;
use crate::request::Segment;
use views::{ObjectLink, ObjectList};

/// Which time a question is about, and whether its answer is to be proven.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AtParameters {
    /// As of this time: RFC 3339 or POSIX seconds, not after the newest block; now, when left out.
    #[param(example = "2026-01-31T12:00:00Z")]
    at: Option<String>,
    /// `true`: with the evidence that proves the answer, absence included.
    proof: Option<bool>,
}

/// Whether an answer is to be proven.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProofParameters {
    /// `true`: with the evidence that proves the answer, absence included.
    proof: Option<bool>,
}

impl ProofParameters {
    /// Whether the answer is to carry its evidence.
    pub(crate) fn is_wanted(&self) -> bool {
        self.proof.unwrap_or(false)
    }
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParameters {
    /// Number of the page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items of a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    size: Option<usize>,
}

impl PageParameters {
    /// The page, checked.
    pub(crate) fn pages(&self) -> Result<Pages, Problem> {
        Pages::new(self.page, self.size)
    }
}

/// A page of a list, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    page: u64,
    size: usize,
}

impl Pages {
    pub(crate) fn new(page: Option<u64>, size: Option<usize>) -> Result<Self, Problem> {
        let (page, size) = (page.unwrap_or(1), size.unwrap_or(PAGE_ITEMS_DEFAULT));
        if page == 0 {
            return Err(Problem::new(&problem::QUERY, "page: counts from 1"));
        }
        if !(1..=PAGE_ITEMS_MAX).contains(&size) {
            return Err(Problem::new(&problem::QUERY, format!("size: must be between 1 and {PAGE_ITEMS_MAX}")));
        }
        Ok(Self { page, size })
    }

    /// The query of the next page, when there is one.
    pub(crate) fn next(self, total: u64, place: &str, filters: &str) -> Option<String> {
        let Self { page, size } = self;
        let shown = page.saturating_mul(size as u64);
        (shown < total).then(|| format!("{place}?page={}&size={size}{filters}", page + 1))
    }

    /// Numbers, from 1, of this page's items of a list of so many.
    pub(crate) fn numbers(self, total: u64) -> impl Iterator<Item = u64> {
        let first = (self.page - 1).saturating_mul(self.size as u64).saturating_add(1);
        (first..=total).take(self.size)
    }

    /// This page of a list in memory.
    fn of(self, ids: &[String]) -> ObjectPage {
        ObjectPage { ids: page_of(ids, self.page, self.size), total: ids.len() as u64 }
    }

    /// The JSON of a page: `place` is where the list is, `filters` what else its query says.
    fn list(self, objects: ObjectPage, place: &str, filters: &str, href: impl Fn(&str) -> String) -> ObjectList {
        ObjectList {
            next: self.next(objects.total, place, filters),
            total: objects.total,
            items: objects.ids.into_iter().map(|id| ObjectLink { href: href(&id), id }).collect(),
        }
    }
}

/// Lists the objects that an index term names.
async fn list_of(
    api: &Api,
    pages: Pages,
    (kind, term): (&'static str, String),
    place: &'static str,
    filters: String,
) -> Result<Answer, Problem> {
    let objects = api.registry(move |registry| Ok(registry.objects(kind, &term, pages.page, pages.size)?)).await?;
    let list = pages.list(objects, place, &filters, |id| format!("{place}/{id}"));
    Ok(Answer::json(&list, Caching::WhileUnchanged))
}

impl Segment {
    /// A DID, percent-encoded or not.
    pub(crate) fn did(&self) -> Result<Did, Problem> {
        self.0.parse().map_err(|error| Problem::new(&problem::PATH, format!("{error}")))
    }

    /// The place of an accreditation.
    pub(crate) fn attribute(&self) -> Result<AttributeId, Problem> {
        let digits = self.0.strip_prefix("0x").unwrap_or(&self.0);
        let malformed = || Problem::new(&problem::PATH, "an attribute id is 64 lower-case hexadecimal digits");
        digits.parse().map_err(|_| malformed())
    }

    /// The id of a schema.
    pub(crate) fn schema(&self) -> Result<SchemaId, Problem> {
        let malformed =
            || Problem::new(&problem::PATH, "a schema id is z and base58btc of 32 bytes, or 64 hexadecimal digits");
        Some(self.0.as_str()).filter(|id| !id.contains('/')).and_then(parse_schema_id).ok_or_else(malformed)
    }

    /// The name of a status list.
    pub(crate) fn list(&self) -> Result<Reference, Problem> {
        self.0.parse().map_err(|_| Problem::new(&problem::PATH, "a list's name is 1 to 64 of A-Z a-z 0-9 . _ -"))
    }
}

/// A DID in a query.
fn query_did(name: &str, text: &str) -> Result<Did, Problem> {
    text.parse().map_err(|error| Problem::new(&problem::QUERY, format!("{name}: {error}")))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
