// Measures the page in Debian's Chromium, on a real network, and fails when a budget is broken.
//
//     node tests/budgets.mjs            TESTAMUR_BIN names the binary that serves the page and runs the network
//
// - initial transfer: all that the page loads before its user does anything, compressed with gzip; languages and what is loaded
//   on demand aside. What the service worker keeps for offline use afterwards is printed beside it.
// - first verdict: from the drop of a diploma package on a page that has checked nothing yet to the verdict on the screen, with the
//   processor slowed down four times; loading the verifier and asking the nodes included.
// - verification: of that package, without reading the file and asking nodes, at full speed, in a page that has verified nothing yet.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { launch, open } from "./page/support/browser.mjs";
import { startNetwork } from "./page/support/network.mjs";

const INITIAL_BYTES_MAX = 60_000;
const FIRST_VERDICT_MS_MAX = 1_000;
const VERIFICATION_MS_MAX = 50;
const RUNS = 5;
/** A page is at rest when nothing has come for this long. */
const REST_MS = 2_000;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** What a page loads by itself, by part. */
async function transfer(browser, url) {
    const context = await browser.newContext();
    const tab = await context.newPage();
    const loaded = [];
    context.on("response", (response) => loaded.push(response));
    await tab.goto(url);
    await tab.waitForSelector("html[data-ready]");
    await tab.waitForTimeout(REST_MS);
    const parts = { page: 0, languages: 0, configuration: 0, offline: 0 };
    const files = [];
    for (const response of loaded) {
        const name = new URL(response.url()).pathname.replace(/^\//, "") || "index.html";
        const bytes = gzipSync(await response.body(), { level: 9 }).length;
        const byWorker = response.request().serviceWorker() !== null || name === "sw.js";
        const part = byWorker ? "offline" : name.includes("assets/lang/") ? "languages" : name === "network.json" ? "configuration" : "page";
        parts[part] += bytes;
        if (part !== "offline") files.push(`      ${name}  ${kB(bytes)}`);
    }
    await context.close();
    return { parts, files };
}

/** Drops a package on a fresh page and waits for the verdict. */
async function drop(browser, url, bytes, slowdown) {
    const page = await open(browser, url, { serviceWorkers: "block" });
    const session = await page.context.newCDPSession(page.tab);
    await page.tab.waitForLoadState("networkidle");
    await session.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
    const measured = await page.tab.evaluate(async (base64) => {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], "diploma.json", { type: "application/json" }));
        const target = document.querySelector("main") ?? document.body;
        const start = performance.now();
        const shown = new Promise((resolve) => {
            const look = () => {
                const card = document.querySelector("[data-verdict]");
                if (card === null) return;
                observer.disconnect();
                // Seen, and not only put into the document.
                requestAnimationFrame(() => setTimeout(() => resolve(card.dataset.verdict)));
            };
            const observer = new MutationObserver(look);
            observer.observe(document, { subtree: true, childList: true, attributes: true });
        });
        for (const type of ["dragenter", "dragover", "drop"]) {
            target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
        }
        const verdict = await shown;
        const verification = performance.getEntriesByName("testamur-verify").reduce((sum, { duration }) => sum + duration, 0);
        return { verdict, ms: performance.now() - start, verification };
    }, bytes.toString("base64"));
    await page.close();
    if (measured.verdict !== "valid") throw new Error(`the package is ${measured.verdict}, and valid was expected`);
    return measured;
}

const network = await startNetwork();
let browser;
let broken = 0;
try {
    browser = await launch();
    const url = await network.page({ nodes: network.nodes.slice(0, 2) });
    const file = path.join(network.root, "2026-0001.package.json");
    await network.must("diploma", "package", path.join(network.diplomas, "2026-0001.sd-jwt"), "--out", file, "--trust", network.trust, "--node", network.nodes[0]);
    const bytes = await readFile(file);

    const { parts, files } = await transfer(browser, url);
    const slow = [];
    const fast = [];
    for (let run = 0; run < RUNS; run += 1) {
        slow.push((await drop(browser, url, bytes, 4)).ms);
        fast.push((await drop(browser, url, bytes, 1)).verification);
    }
    const say = (what, value, limit, text) => {
        const holds = value <= limit;
        if (!holds) broken += 1;
        console.log(`${holds ? "ok    " : "BROKEN"} ${what.padEnd(48)} ${text(value).padStart(10)}   limit ${text(limit)}`);
    };
    const ms = (value) => `${value.toFixed(0)} ms`;
    say("initial transfer, gzip", parts.page, INITIAL_BYTES_MAX, kB);
    console.log(files.join("\n"));
    console.log(`      languages ${kB(parts.languages)}, network.json ${kB(parts.configuration)}, kept for offline use afterwards ${kB(parts.offline)}`);
    say(`first verdict, package dropped, 4x slower (${RUNS} runs)`, median(slow), FIRST_VERDICT_MS_MAX, ms);
    console.log(`      ${slow.map(ms).join(", ")}`);
    say(`verification at full speed (${RUNS} runs)`, median(fast), VERIFICATION_MS_MAX, ms);
    console.log(`      ${fast.map(ms).join(", ")}`);
} finally {
    await browser?.close();
    await network.stop();
}
process.exitCode = broken === 0 ? 0 : 1;
