//! Counters of the API itself. Labels are templates of routes and codes of problems, never anything a client sent.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::server::ServerCounts;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: String,
}

/// The API's counters.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    problems: Family<CodeLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    under_way: Gauge,
    connections: Gauge,
    accepted: Gauge,
    replaced: Gauge,
    refused: Gauge,
    overloaded: Gauge,
}

/// From 1 ms to 33 s, doubling: reads stand at the low end, waits for finality in the middle.
fn latency_histogram() -> Histogram {
    Histogram::new((0..16).map(|power| 0.001 * f64::from(1 << power)))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("testamur_api"),
            requests: Family::default(),
            problems: Family::default(),
            seconds: Family::new_with_constructor(latency_histogram),
            under_way: Gauge::default(),
            connections: Gauge::default(),
            accepted: Gauge::default(),
            replaced: Gauge::default(),
            refused: Gauge::default(),
            overloaded: Gauge::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register("problems", "Problems answered, by code", self.problems.clone());
        registry.register("request_seconds", "Time until the answer was ready", self.seconds.clone());
        registry.register("requests_under_way", "Requests being answered", self.under_way.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("connections_accepted", "Connections since the start", self.accepted.clone());
        registry.register("connections_replaced", "Idle connections that gave way", self.replaced.clone());
        registry.register("connections_refused", "Connections refused: all places busy", self.refused.clone());
        registry.register("requests_overloaded", "Requests refused: too many under way", self.overloaded.clone());
        self
    }

    /// Counts a request as under way until the guard is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        self.under_way.inc();
        UnderWay(self.under_way.clone())
    }

    pub(crate) fn count(&self, route: &str, method: &Method, status: StatusCode, code: Option<&str>, took: Duration) {
        // Methods that no route has share one label: what a client invents must not make new time series.
        let method = match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            _ => "other",
        };
        let labels = RequestLabels { route: route.to_owned(), method, status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&RouteLabels { route: labels.route, method }).observe(took.as_secs_f64());
        if let Some(code) = code {
            self.problems.get_or_create(&CodeLabels { code: code.to_owned() }).inc();
        }
    }

    /// The API's metrics and the node's as one OpenMetrics text.
    pub(crate) fn text(&self, server: ServerCounts, node: &str) -> String {
        let gauges = [
            (&self.connections, server.connections),
            (&self.accepted, server.accepted),
            (&self.replaced, server.replaced),
            (&self.refused, server.refused),
            (&self.overloaded, server.overloaded),
        ];
        for (gauge, value) in gauges {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string");
        // Each part may end in its own end mark; the whole has one.
        let parts = [text.as_str(), node];
        let lines = parts.iter().flat_map(|part| part.lines()).filter(|line| *line != "# EOF" && !line.is_empty());
        let mut whole = lines.fold(String::new(), |mut whole, line| {
            whole.push_str(line);
            whole.push('\n');
            whole
        });
        whole.push_str("# EOF\n");
        whole
    }
}

/// A request under way.
pub(crate) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}
