"""Gathers what scripts/bench measured into results.json, and draws README.md and its plots (SVG) from it.

page.py [FOLDER]: FOLDER holds notary.json, gateway.json, bulk.json, registries.json, diplomas.json (each optional: an older
result stays) and growth.jsonl. TESTAMUR_BESIDE says what else the machine did meanwhile. Without FOLDER the page is drawn
again from results.json.
"""
import json
import math
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("notary", "gateway", "bulk", "registries", "diplomas")
MIB = 1 << 20

# Each row: what, where it is in the results, unit's divisor, unit, aim (or None; "<" before it: at most), and which limit of the same
# run bounds it with how many of it a unit needs.
ROWS = [
    ("Final records a second, four validators on this machine", "notary.flood.final_s", 1, "/s", 5000,
     ("notary.limits.ed25519_strict_s", "strict Ed25519/s a core; each record is verified by four validators")),
    ("Time to final at half of that, p50", "notary.steady.to_final.p50_ms", 1, "ms", None, None),
    ("Time to final at half of that, p99", "notary.steady.to_final.p99_ms", 1, "ms", None, None),
    ("A height with one record, p50", "notary.single.p50_ms", 1, "ms", None,
     ("notary.limits.fdatasync_s", "fdatasync/s; nine of them a height and validator, one after another")),
    ("The engine's own time of it, mean", "notary.engine_height_ms", 1, "ms", None, None),
    ("Hashes a second in records of 512", "notary.hashes_s", 1, "/s", 200000, None),
    ("Memory of the largest validator", "notary.keeping.rss_bytes", MIB, "MiB", "<300", None),
    ("Bytes on disk for each byte of a record", "notary.keeping.disk_share", 1, "", "<2", None),
    ("A validator is back after kill -9", "notary.keeping.restart_s", 1, "s", "<3", None),
    ("Catching up", "notary.keeping.catch_up_rate_s", 1, "records/s", None,
     ("notary.limits.ed25519_strict_s", "strict Ed25519/s a core; each record is verified again")),
    ("The same, times the rate at which they became final", "notary.keeping.catch_up_share", 1, "×", 10, None),
    ("Documents a second through a gateway, one a request", "gateway.one.documents_s", 1, "/s", 2000, None),
    ("The same, sixteen a request", "gateway.several.documents_s", 1, "/s", None, None),
    ("Receipts read from its archive", "gateway.reads.per_core_s", 1, "/s a core", 10000, None),
    ("A list of 25 million digests notarised", "bulk.list.seconds", 1, "s", "<60",
     ("bulk.limits.sha256_64_s", "SHA-256/s a core of 64 bytes")),
    ("Its memory", "bulk.list.peak_rss_bytes", MIB, "MiB", "<2048", None),
    ("A folder hashed, of what SHA-256 on all cores does", "bulk.folder_share", 0.01, "%", 85,
     ("bulk.sha256_all_cores_bytes_s", "bytes/s, SHA-256 on all cores")),
    ("10,000 diplomas issued, anchored, verified, archived", "diplomas.issue_s", 1, "s", "<10",
     ("diplomas.limits.ed25519_sign_s", "Ed25519 signatures/s a core")),
    ("The same with a PDF each", "diplomas.issue_with_prints_s", 1, "s", "<70", None),
    ("Packages verified, of what P-256 alone does", "diplomas.verify_share", 0.01, "%", 60,
     ("diplomas.limits.p256_s", "P-256 verifications/s a core")),
    ("Registry reads", "registries.stages.-1.plain.per_core_s", 1, "/s a core", 10000,
     ("registries.stages.-1.alive.per_core_s", "answers/s a core that read nothing")),
    ("Registry reads with proof", "registries.stages.-1.proven.per_core_s", 1, "/s a core", 3000, None),
    ("Bundles of an accreditation chain", "registries.stages.-1.chain.per_core_s", 1, "/s a core", None, None),
]

# Name, member, unit, of each plot of growth.
PLOTS = [
    ("commit", "Committing a block of 1,000", [("committed_records_s", "records/s")]),
    ("height", "Committing small blocks", [("block_of_100_ms", "ms, 100 records"), ("block_of_1_ms", "ms, one record")]),
    ("reads", "Reading", [("receipt_us", "µs, receipt"), ("lookup_us", "µs, record by id"),
                          ("inclusion_us", "µs, inclusion proof"), ("state_proof_us", "µs, state proof")]),
    ("memory", "Memory while it is written to", [("memory_mib", "MiB")]),
    ("disk", "Bytes on disk a record", [("disk_bytes_a_record", "bytes")]),
    ("restart", "Opening it again", [("restart_s", "s")]),
]
COLOURS = ("#1f5fa8", "#b8501b", "#2e7d4f", "#7a3e9d")


def main() -> None:
    kept = HERE / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    if len(sys.argv) > 1:
        gather(results, Path(sys.argv[1]))
        kept.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    for name, title, lines in PLOTS:
        (HERE / f"{name}.svg").write_text(plot(title, lines, results.get("growth", {}).get("sizes", [])))
    (HERE / "README.md").write_text(page(results))


def gather(results: dict, folder: Path) -> None:
    says = lambda *command: subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    made = {"date": datetime.now(timezone.utc).strftime("%Y-%m-%d"), "commit": says("git", "rev-parse", "--short", "HEAD")}
    if beside := os.environ.get("TESTAMUR_BESIDE"):
        made["beside"] = beside
    for part in PARTS:
        file = folder / f"{part}.json"
        if file.exists() and file.stat().st_size:
            results[part] = json.loads(file.read_text()) | {"made": made}
    growth = folder / "growth.jsonl"
    if growth.exists() and growth.stat().st_size:
        sizes = [json.loads(line) for line in growth.read_text().splitlines()]
        results["growth"] = {"made": made, "sizes": sizes}


def value(results: dict, path: str):
    found = results
    for step in path.split("."):
        if isinstance(found, list):
            found = found[int(step)] if found else None
        else:
            found = (found or {}).get(step)
        if found is None:
            return None
    return found


def number(figure: float) -> str:
    if figure >= 1000:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def page(results: dict) -> str:
    lines = [
        "# Figures", "",
        "Made by `scripts/bench` (`page.py` draws this page from `results.json`). Four validators, the load and whatever else a line names",
        "share the machine. A figure says little by itself: beside it stands the machine's own limit, measured in the same run.",
        "No test asserts any of it.", "",
        "| what | measured | aim | | limit of the same run |", "| --- | ---: | ---: | --- | --- |",
    ]
    for what, path, divisor, unit, aim, limit in ROWS:
        figure = value(results, path)
        if figure is None:
            lines.append(f"| {what} | not measured | {aim or ''} | | |")
            continue
        figure /= divisor
        word, target = "", ""
        if aim is not None:
            most = isinstance(aim, str)
            bound = float(aim[1:]) if most else float(aim)
            word = "met" if (figure < bound if most else figure >= bound) else "**not met**"
            target = ("< " if most else "≥ ") + number(bound)
        beside = ""
        if limit is not None and value(results, limit[0]) is not None:
            beside = f"{number(value(results, limit[0]))} {limit[1]}"
        lines.append(f"| {what} | {number(figure)} {unit} | {target} | {word} | {beside} |")
    lines += ["", "## Growth", "", "One ledger, filled block by block; each figure at 1,000, 10,000, … records.", ""]
    sizes = value(results, "growth.sizes") or []
    if sizes:
        names = [name for _, _, members in PLOTS for name, _ in members]
        lines.append("| records | " + " | ".join(name.replace("_", " ") for name in names) + " |")
        lines.append("| ---: |" + " ---: |" * len(names))
        for size in sizes:
            lines.append(f"| {size['records']:,} | " + " | ".join(number(size[name]) for name in names) + " |")
        lines.append("")
        lines += [f"![{title}]({name}.svg)" for name, title, _ in PLOTS]
    lines += ["", "## When", ""]
    for part in (*PARTS, "growth"):
        made = value(results, f"{part}.made")
        cores = value(results, f"{part}.machine.cores")
        load = value(results, f"{part}.load_average")
        if made:
            on = f", {cores} cores" if cores else ""
            busy = f", load {load:.1f}" if isinstance(load, float) else ""
            beside = f", beside {made['beside']}" if "beside" in made else ""
            lines.append(f"- {part}: {made['date']}, commit {made['commit']}{on}{busy}{beside}")
    return "\n".join(lines) + "\n"


def plot(title: str, members: list, sizes: list) -> str:
    """Both axes logarithmic; dark text on a light ground, so that it reads on pages of either colour."""
    width, height, left, right, top, bottom = 460, 260, 62, 14, 34, 62
    figures = [size[name] for size in sizes for name, _ in members if size.get(name)]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{title}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="18" font-size="13" fill="#222">{title}</text>',
    ]
    if figures:
        low, high = math.floor(math.log10(min(figures))), math.ceil(math.log10(max(figures)))
        high = max(high, low + 1)
        first, last = math.log10(sizes[0]["records"]), math.log10(sizes[-1]["records"])
        span = max(last - first, 1e-9)
        x = lambda records: left + (math.log10(records) - first) / span * (width - left - right)
        y = lambda figure: top + (high - math.log10(figure)) / (high - low) * (height - top - bottom)
        for exponent in range(low, high + 1):
            at = y(10**exponent)
            label = f"{10**exponent:,}" if exponent >= 0 else f"{10.0**exponent:g}"
            out.append(f'<path d="M{left} {at:.1f}H{width - right}" stroke="#ddd"/>')
            out.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end" fill="#444">{label}</text>')
        for size in sizes:
            anchor = "end" if size is sizes[-1] else "middle"
            out.append(f'<text x="{x(size["records"]):.1f}" y="{height - bottom + 16}" text-anchor="{anchor}" fill="#444">'
                       f'{size["records"]:,}</text>')
        for place, (name, unit) in enumerate(members):
            colour = COLOURS[place]
            points = [(x(size["records"]), y(size[name])) for size in sizes if size.get(name)]
            path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
            out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
            across, down = left + place % 2 * 190, height - bottom + 34 + place // 2 * 16
            out.append(f'<circle cx="{across}" cy="{down - 4}" r="4" fill="{colour}"/>')
            out.append(f'<text x="{across + 9}" y="{down}" fill="#222">{unit}</text>')
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    main()
