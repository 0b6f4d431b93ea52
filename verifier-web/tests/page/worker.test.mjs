// The service worker: offline use, newer versions, and what is never kept. No network is needed: a host of its own serves the page.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { build } from "vite";
import { launch, open } from "./support/browser.mjs";
import { serve } from "./support/node.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const TRUST = JSON.parse(readFileSync(path.join(ROOT, "../tests/vectors/trust.json"), "utf8"));
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json" };

const folder = mkdtempSync(path.join(tmpdir(), "testamur-worker-"));
const OLD = path.join(folder, "old");
const NEW = path.join(folder, "new");
let browser;
let node;

before(async () => {
  await build({ configFile: path.join(ROOT, "vite.config.ts"), logLevel: "error", build: { outDir: OLD, emptyOutDir: true } });
  cpSync(OLD, NEW, { recursive: true });
  renew(NEW);
  node = await serve(() => ({ status: 503, body: "{}" }));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await node?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Makes another version of a bundle, as a change of its first script would: other names of files, another version. */
function renew(dir) {
  const files = readdirSync(dir, { recursive: true }).filter((name) => /\.(js|html)$/.test(name));
  const [, hash] = /assets\/index-([\w-]+)\.js/.exec(readFileSync(path.join(dir, "index.html"), "utf8"));
  const other = [...hash].reverse().join("").replace(/^/, "n").slice(0, hash.length);
  for (const name of files) {
    const file = path.join(dir, name);
    let text = readFileSync(file, "utf8").replaceAll(hash, other);
    if (name === "sw.js") text = text.replace(/`([0-9a-f]{16})`|\$\{\w+\}([0-9a-f]{16})/, (found) => found.replace(/[0-9a-f]{16}/, (version) => [...version].reverse().join("")));
    writeFileSync(file, text);
    if (name.includes(hash)) renameSync(file, path.join(dir, name.replace(hash, other)));
  }
}

/** A host that serves a folder, which may change. */
async function host(dir) {
  const now = { dir, network: { v: 1, name: "Network", trust: TRUST, nodes: [node.url] }, asked: [] };
  const policy = () =>
    `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ${now.network?.nodes.join(" ") ?? ""}; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types testamur`;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://host");
    now.asked.push(pathname);
    const name = pathname === "/" || pathname.startsWith("/%23") ? "/index.html" : pathname;
    const file = path.join(now.dir, name);
    const headers = { "content-security-policy": policy(), "cache-control": "no-cache" };
    if (name === "/network.json" && now.network !== undefined) response.writeHead(200, { ...headers, "content-type": "application/json" }).end(JSON.stringify(now.network));
    else if (existsSync(file)) response.writeHead(200, { ...headers, "content-type": TYPES[path.extname(file)] }).end(readFileSync(file));
    else response.writeHead(404, headers).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return Object.assign(now, { url: `http://127.0.0.1:${server.address().port}/`, stop });
}

/** A page of a host that has installed its worker. */
async function installed(t, dir = OLD) {
  const where = await host(dir);
  t.after(() => where.stop());
  const page = await open(browser, where.url);
  t.after(() => page.close());
  await page.tab.waitForFunction(() => navigator.serviceWorker.controller !== null);
  return { where, ...page };
}

const script = (tab) => tab.evaluate(() => document.querySelector('script[type="module"]').getAttribute("src"));
const scriptOf = (dir) => /src="(\.\/assets\/index-[^"]+)"/.exec(readFileSync(path.join(dir, "index.html"), "utf8"))[1];
const caches_ = (tab) =>
  tab.evaluate(async () => {
    const found = {};
    for (const name of await caches.keys()) found[name] = (await (await caches.open(name)).keys()).map(({ url }) => url);
    return found;
  });

test("two versions are two", () => assert.notEqual(scriptOf(OLD), scriptOf(NEW)));

test("the page opens with no network, and so does every part of it", async (t) => {
  const { where, tab, context, complaints } = await installed(t);
  await where.stop();
  await context.setOffline(true);
  await tab.reload();
  await tab.waitForSelector("html[data-ready]");
  const parts = readdirSync(OLD, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== "sw.js");
  const names = parts.map((entry) => path.relative(OLD, path.join(entry.parentPath ?? entry.path, entry.name)));
  assert.deepEqual(await tab.evaluate(async (all) => (await Promise.all(all.map(async (name) => [name, (await fetch(name)).status]))).filter(([, status]) => status !== 200), names), []);
  await tab.fill("#diploma-text", "no diploma").catch(() => undefined);
  assert.equal(await tab.evaluate(async () => (await (await fetch("network.json")).json()).name), "Network");
  assert.deepEqual(complaints, []);
});

test("a link that a mail scanner changed opens with no network", async (t) => {
  const { where, tab, context } = await installed(t);
  await context.setOffline(true);
  await tab.goto(`${where.url}%23c=x`);
  await tab.waitForSelector("html[data-ready]");
});

test("nothing of a node and nothing that was checked is kept", async (t) => {
  const { where, tab } = await installed(t);
  await tab.evaluate(async (url) => {
    await fetch(`${url}/v1/state?key=x`).catch(() => undefined);
    await fetch("other.json").catch(() => undefined);
    await fetch("network.json?x=1").catch(() => undefined);
  }, node.url);
  const kept = Object.values(await caches_(tab)).flat().map((address) => address.replace(where.url, ""));
  const files = readdirSync(OLD, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const known = new Set(files.map((entry) => path.relative(OLD, path.join(entry.parentPath ?? entry.path, entry.name))).concat("network.json"));
  assert.deepEqual(kept.filter((name) => !known.has(name)), []);
  assert.ok(kept.includes("network.json") && kept.length === known.size - 1);
});

test("a newer version is offered to a page that is open, and is there at once for one that is opened", async (t) => {
  const { where, tab, context, complaints } = await installed(t);
  where.dir = NEW;
  await tab.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  const offer = tab.locator(".notices button");
  await offer.waitFor();
  // Nothing happens to what somebody is looking at until he agrees.
  assert.equal(await script(tab), scriptOf(OLD));
  const other = await context.newPage();
  await other.goto(where.url);
  await other.waitForSelector("html[data-ready]");
  assert.equal(await script(other), scriptOf(NEW));
  await other.close();
  await Promise.all([tab.waitForEvent("load"), offer.click()]);
  await tab.waitForSelector("html[data-ready]");
  assert.equal(await script(tab), scriptOf(NEW));
  await tab.waitForFunction(async () => (await caches.keys()).filter((name) => name !== "testamur-network").length === 1);
  assert.equal(await tab.locator(".notices button").count(), 0);
  await context.setOffline(true);
  await tab.reload();
  await tab.waitForSelector("html[data-ready]");
  assert.equal(await script(tab), scriptOf(NEW));
  assert.deepEqual(complaints, []);
});

test("who opens the page anew has the newer version without being asked", async (t) => {
  const { where, tab } = await installed(t);
  where.dir = NEW;
  await tab.reload();
  await tab.waitForSelector("html[data-ready]");
  assert.equal(await script(tab), scriptOf(NEW));
  await tab.waitForFunction(async () => (await caches.keys()).filter((name) => name !== "testamur-network").length === 1);
  assert.equal(await tab.locator(".notices button").count(), 0);
});

test("a version that does not arrive whole is not used", async (t) => {
  const { where, tab, context } = await installed(t);
  const broken = path.join(folder, "broken");
  cpSync(NEW, broken, { recursive: true });
  rmSync(path.join(broken, "icon.svg"));
  writeFileSync(path.join(broken, "index.html"), readFileSync(path.join(OLD, "index.html")));
  where.dir = broken;
  await tab.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update().catch(() => undefined));
  await tab.waitForTimeout(500);
  await context.setOffline(true);
  await tab.reload();
  await tab.waitForSelector("html[data-ready]");
  assert.equal(await script(tab), scriptOf(OLD));
});

test("the network that the host configures now counts, and its headers; one that it took away is gone", async (t) => {
  const { where, tab } = await installed(t);
  const another = await serve(() => ({ body: "{}" }));
  t.after(() => another.stop());
  where.network = { ...where.network, name: "Renamed", nodes: [another.url] };
  await tab.reload();
  await tab.waitForSelector("html[data-ready]");
  assert.equal(await tab.evaluate(async () => (await (await fetch("network.json")).json()).name), "Renamed");
  assert.equal(await tab.evaluate(async (url) => (await fetch(url)).status, another.url), 200, "the policy of today is in force");
  where.network = undefined;
  assert.equal(await tab.evaluate(async () => (await fetch("network.json")).status), 404);
  const kept = await caches_(tab);
  assert.deepEqual(kept["testamur-network"], []);
});

test("a host that hangs or fails does not keep the page away", async (t) => {
  const { where, tab } = await installed(t);
  await where.stop();
  const port = new URL(where.url).port;
  const hanging = createServer(() => undefined);
  await new Promise((resolve) => hanging.listen(Number(port), "127.0.0.1", resolve));
  t.after(() => hanging.closeAllConnections() ?? hanging.close());
  const start = Date.now();
  await tab.reload({ waitUntil: "commit" });
  await tab.waitForSelector("html[data-ready]");
  assert.ok(Date.now() - start < 10_000);
});
