// Debian's Chromium, and everything that leaves it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import { REPOSITORY } from "./network.mjs";

/** Where screenshots go: test artefacts, not committed. */
export const SHOTS = process.env.TESTAMUR_SHOTS ?? path.join(REPOSITORY, "verifier-web/shots");
mkdirSync(SHOTS, { recursive: true });

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const launch = (args = []) => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...ARGUMENTS, ...args] });

/**
 * A tab on the page, with all that it asks for and complains of. `options` are Playwright's; `init` runs in the page before any of
 * its own code.
 */
export async function open(browser, url, { init, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", ...options });
  const tab = await context.newPage();
  const requests = [];
  const complaints = [];
  context.on("request", (request) => requests.push({ url: request.url(), method: request.method(), body: request.postData() ?? "", headers: request.headers() }));
  tab.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  tab.on("console", (message) => {
    // A node that does not answer is logged by the browser itself, whatever the page does.
    if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text())) complaints.push(`console: ${message.text()}`);
  });
  await tab.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  if (init) await tab.addInitScript(init);
  await tab.goto(url);
  await tab.waitForSelector("html[data-ready]");
  return { tab, context, requests, complaints, close: () => context.close() };
}

/** What may leave a browser: requests to these origins, none of which holds any of these secrets. */
export function assertPrivate({ requests, complaints }, origins, secrets) {
  const allowed = new Set(origins.map((origin) => new URL(origin).origin));
  assert.ok(requests.length > 0, "something was asked for");
  for (const { url, method, body, headers } of requests) {
    if (url.startsWith("blob:") || url.startsWith("data:")) continue;
    assert.ok(allowed.has(new URL(url).origin), `a request to ${url}`);
    assert.ok(method === "GET" || method === "HEAD" || method === "OPTIONS", `${method} ${url}`);
    const said = decodeURIComponent(url) + body + JSON.stringify(headers);
    for (const secret of secrets) assert.ok(!said.includes(secret), `${url} says ${secret.slice(0, 12)}…`);
  }
  assert.deepEqual(complaints, []);
}

/** Gives files to a file field; after an answer one has to ask for another check first. */
export async function give(tab, input, files) {
  await tab.waitForSelector(`${input}, [data-another]`, { state: "attached" });
  if ((await tab.$(input)) === null) await tab.locator("[data-another]").first().click();
  await tab.setInputFiles(input, files);
}

/** Hands files to the page and waits for the answer. A file is a path or {name, mimeType, buffer}. */
export async function check(tab, files, input = "#diploma-files") {
  const turn = await next(tab);
  await give(tab, input, files);
  await turn.done();
  return answer(tab);
}

/** Remembers how many checks were done, and waits for one more: `const turn = await next(tab); …; await turn.done()`. */
export async function next(tab) {
  const before = await tab.evaluate(() => document.documentElement.dataset.checks ?? "0");
  const done = () => tab.waitForFunction((before) => (document.documentElement.dataset.checks ?? "0") !== before, before, { timeout: 60_000 });
  return { done };
}

/** The answer that is shown: verdict, reason, and outcome and reason of each step. */
export async function answer(tab) {
  await tab.waitForSelector("[data-verdict]", { timeout: 15_000 });
  return tab.evaluate(() => {
    const shown = document.querySelector("[data-verdict]");
    const steps = [...document.querySelectorAll("[data-step]")].map(({ dataset }) =>
      dataset.outcome === "not-checked" ? "not-checked" : `${dataset.outcome} ${dataset.reason}`,
    );
    return { verdict: shown.dataset.verdict, reason: shown.dataset.reason, steps };
  });
}

export const shot = (tab, name, options = {}) => tab.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true, ...options });
