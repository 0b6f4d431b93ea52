//! Pages as EBSI's services make them. `page[after]` is the number of a page, whatever it is called, and no link is null.

use serde::Serialize;
use testamur_primitives::codec::from_decimal;
use testamur_primitives::limits::JSON_INTEGER_MAX;
use utoipa::{IntoParams, ToSchema};

use super::problem::invalid;
use super::{Asked, Lane};
use crate::problem::Problem;
use crate::registry::page_of;

/// Items of a page when the client does not say.
const ITEMS_DEFAULT: usize = 10;
/// Items of a page at most: EBSI's own bound.
const ITEMS_MAX: u64 = 50;

/// For the documentation.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes, nothing more: the names are no fields of Rust")]
pub(crate) struct PagingParameters {
    /// Number of the page, from 1.
    #[param(rename = "page[after]", minimum = 1, default = 1)]
    after: Option<u64>,
    /// Items of a page.
    #[param(rename = "page[size]", minimum = 1, maximum = 50, default = 10)]
    size: Option<u64>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EbsiPage<T> {
    /// This page.
    #[serde(rename = "self")]
    itself: String,
    /// What it holds.
    items: Vec<T>,
    /// How many there are on all pages.
    total: u64,
    /// Items of a full page.
    page_size: usize,
    /// The pages around it.
    links: PageLinks,
}

/// The pages around a page. The first page is the one before itself, the last one the one after.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageLinks {
    /// The first page.
    first: String,
    /// The page before.
    prev: String,
    /// The page after.
    next: String,
    /// The last page.
    last: String,
}

/// Which page is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Paging {
    pub(crate) page: u64,
    pub(crate) size: usize,
    filters: String,
}

impl Paging {
    /// Reads the page from a query.
    pub(crate) fn new(asked: &Asked) -> Result<Self, Problem> {
        let mut complaints = Vec::new();
        let mut number = |name: &str, default: u64, most: u64| {
            let Some(text) = asked.get(name) else { return default };
            let Ok(number) = from_decimal(text) else {
                complaints.push(match text.parse::<i64>() {
                    Ok(_) => format!("{name} must not be less than 1"),
                    Err(_) => format!("{name} must be an integer number"),
                });
                return default;
            };
            if number > most {
                complaints.push(format!("{name} must not be greater than {most}"));
            } else if number == 0 {
                complaints.push(format!("{name} must not be less than 1"));
            }
            number
        };
        let page = number("page[after]", 1, JSON_INTEGER_MAX);
        let size = number("page[size]", ITEMS_DEFAULT as u64, ITEMS_MAX);
        if !complaints.is_empty() {
            return Err(invalid(&complaints));
        }
        Ok(Self { page, size: usize::try_from(size).expect("at most 50"), filters: String::new() })
    }

    /// Adds a filter that links repeat. Its value was checked: it has no character that a query would have to escape.
    pub(crate) fn with_filter(mut self, name: &str, value: &str) -> Self {
        self.filters.push_str(&format!("&{name}={value}"));
        self
    }

    /// The JSON of the page.
    pub(crate) fn page<T>(self, lane: &Lane, path: &str, items: Vec<T>, total: u64) -> EbsiPage<T> {
        let Self { page, size, mut filters } = self;
        if let Some(contract) = &lane.contract {
            filters.push_str(&format!("&contractAddress={contract}"));
        }
        let last = total.div_ceil(size as u64).max(1);
        let link = |number: u64| format!("{}?page[after]={number}&page[size]={size}{filters}", lane.url(path));
        EbsiPage {
            itself: link(page),
            items,
            total,
            page_size: size,
            links: PageLinks {
                first: link(1),
                prev: link(page.saturating_sub(1).clamp(1, last)),
                next: link(page.saturating_add(1).min(last)),
                last: link(last),
            },
        }
    }

    /// The JSON of this page of a list in memory.
    pub(crate) fn of<T: Clone>(self, lane: &Lane, path: &str, all: &[T]) -> EbsiPage<T> {
        let items = page_of(all, self.page, self.size);
        self.page(lane, path, items, all.len() as u64)
    }
}
