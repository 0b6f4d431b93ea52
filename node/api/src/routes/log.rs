//! The log as C2SP `tlog-tiles` static resources, under `/log/`: what auditors and mirrors follow.
//!
//! ```text
//! /log/checkpoint                     the newest checkpoint
//! /log/tile/<L>/<N>[.p/<W>]           hashes: tile level L, tile N, of W or 256 hashes
//! /log/tile/entries/<N>[.p/<W>]       bundles of 256 or W entries, each with a 16-bit length before it
//! /log/policy/<epoch>                 the policy by which tools accept checkpoints of an epoch
//! ```
//! `N` is written in groups of three digits, all but the last with an `x` before: `x001/x234/067`. A tile that was
//! served once never changes, partial ones included; widths beyond the log's present size are not there yet.

use axum::extract::State;
use testamur_primitives::codec::from_decimal;
use testamur_primitives::policy::tlog_policy;
use testamur_primitives::units::Epoch;

use super::proofs::no_checkpoint_yet;
use crate::answer::{Answer, Caching, OCTETS, TEXT};
use crate::app::Api;
use crate::problem::{self, Problem};
use crate::request::{NoParameters, Parameters, Segment};

/// Hashes or entries of a full tile.
const TILE_WIDTH: u16 = 256;
/// Tile levels of the format (0 to 63); a log of 2⁶⁴ records has hashes up to level 7 only.
const TILE_LEVEL_MAX: u64 = 63;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TileKind {
    Hashes { level: u8 },
    Entries,
}

/// Newest checkpoint of the log
#[utoipa::path(
    get, path = "/log/checkpoint", operation_id = "readLogCheckpoint", tag = "log",
    responses((status = 200, description = "A signed note (C2SP tlog-checkpoint)", body = String, content_type = "text/plain"))
)]
pub(crate) async fn checkpoint(
    State(api): State<Api>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let stored = api.find(no_checkpoint_yet, |reader| reader.latest_checkpoint()).await?;
    Ok(Answer::new(TEXT, stored.note.to_string(), Caching::Revalidate))
}

/// A tile of the log
///
/// Hashes under `<L>/<N>[.p/<W>]`, entry bundles under `entries/<N>[.p/<W>]` (C2SP tlog-tiles). The slashes are part of
/// the parameter.
#[utoipa::path(
    get, path = "/log/tile/{tile}", operation_id = "readLogTile", tag = "log",
    params(("tile" = String, Path, description = "`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`", example = "0/x001/x234/067.p/8")),
    responses((status = 200, description = "W × 32 bytes of hashes, or W entries", body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn tile(
    State(api): State<Api>,
    path: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let malformed = || {
        Problem::new(&problem::PATH, "not a tile: expected <L>/<N>[.p/<W>] or entries/<N>[.p/<W>] (C2SP tlog-tiles)")
    };
    let Tile { kind, index, width } = parse(&path.0).ok_or_else(malformed)?;
    let missing = || "the log has no such tile, or is not that large yet".into();
    let found = api.find(missing, move |reader| match kind {
        TileKind::Hashes { level } => reader.tile(level, index, width),
        TileKind::Entries => reader.entries(index, width),
    });
    Ok(Answer::new(OCTETS, found.await?, Caching::Immutable))
}

/// Policy of an epoch
///
/// The C2SP `tlog-policy` by which existing tools accept this network's checkpoints of the epoch: every node's log
/// key, every validator as a witness, and the quorum.
#[utoipa::path(
    get, path = "/log/policy/{epoch}", operation_id = "readLogPolicy", tag = "log",
    params(("epoch" = u64, Path, description = "Epoch, from 0")),
    responses((status = 200, description = "A policy (C2SP tlog-policy)", body = String, content_type = "text/plain"))
)]
pub(crate) async fn policy(
    State(api): State<Api>,
    epoch: Segment,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Answer, Problem> {
    let epoch = Epoch(epoch.number("an epoch")?);
    let missing = || format!("epoch {epoch} has not begun yet");
    let stored = api.find(missing, move |reader| Ok(reader.epochs(epoch, 1)?.into_iter().next()));
    let policy = tlog_policy(&api.node().reader.genesis().origin(), &stored.await?.validators);
    Ok(Answer::new(TEXT, policy, Caching::Immutable))
}

fn parse(path: &str) -> Option<Tile> {
    let (kind, rest) = path.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => {
            let level = from_decimal(level).ok().filter(|l| *l <= TILE_LEVEL_MAX)?;
            TileKind::Hashes { level: level as u8 }
        }
    };
    let (index, width) = match rest.split_once(".p/") {
        None => (rest, TILE_WIDTH),
        Some((index, width)) => {
            let width = u16::try_from(from_decimal(width).ok()?).ok()?;
            (index, Some(width).filter(|w| (1..TILE_WIDTH).contains(w))?)
        }
    };
    Some(Tile { kind, index: parse_index(index)?, width })
}

/// `067`, `x001/067`: groups of three digits, no group of zeros in front.
fn parse_index(text: &str) -> Option<u64> {
    let mut index = 0u64;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let last = groups.peek().is_none();
        let digits = if last { group } else { group.strip_prefix('x')? };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) || (first && !last && digits == "000") {
            return None;
        }
        let value: u64 = digits.parse().ok()?;
        index = index.checked_mul(1_000)?.checked_add(value)?;
        first = false;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_paths_have_one_spelling() {
        let hashes = |level, index, width| Some(Tile { kind: TileKind::Hashes { level }, index, width });
        let cases = [
            ("0/000", hashes(0, 0, 256)),
            ("0/000.p/1", hashes(0, 0, 1)),
            ("7/x001/x234/067.p/255", hashes(7, 1_234_067, 255)),
            ("63/999", hashes(63, 999, 256)),
            ("entries/x001/000", Some(Tile { kind: TileKind::Entries, index: 1_000, width: 256 })),
            ("64/000", None),
            ("00/000", None),
            ("0/00", None),
            ("0/0000", None),
            ("0/x000/001", None),
            ("0/001/002", None),
            ("0/x001", None),
            ("0/000.p/0", None),
            ("0/000.p/256", None),
            ("0/000.p/01", None),
            ("0/000.p/", None),
            ("0/000.p/1.p/1", None),
            ("0/x999/x999/x999/x999/x999/x999/999", None),
            ("0/0é", None),
            ("0", None),
            ("", None),
            ("data/000", None),
        ];
        for (path, expected) in cases {
            assert_eq!(parse(path), expected, "{path}");
        }
    }
}
