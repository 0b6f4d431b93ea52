// Goal: no web page makes a browser notarise in its owner's name. Method: a real browser on pages of other origins, and of a name that
// was bound to the gateway's address, tries what pages can; the headers are those that the browser sends. At the end nothing was notarised.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./support/browser.mjs";
import { all, startNetwork } from "./support/network.mjs";

let network;
let browser;
let gateway;
let token;
let foreign;

before(async () => {
  // A name that its owner binds to this machine, as in DNS rebinding.
  [network, browser] = await all(startNetwork(), launch(["--host-resolver-rules=MAP evil.example 127.0.0.1"]));
  gateway = network.started.gateway;
  token = (await readFile(path.join(network.dir, "token"), "utf8")).trim();
  foreign = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>foreign</title><body></body>"));
  await new Promise((resolve) => foreign.listen(0, "127.0.0.1", resolve));
});

after(async () => {
  await browser?.close();
  foreign?.close();
  await network?.stop();
});

const withToken = () => ({ authorization: `Bearer ${token}` });
const records = async () => (await (await fetch(`${network.nodes[0]}/v1/status`)).json()).log_size;
const sent = async () => (await (await fetch(`${gateway}/v1/documents`, { headers: withToken() })).json()).documents;

/** A tab on a page, and what the gateway answered to whatever left it. */
async function on(url) {
  const context = await browser.newContext();
  const tab = await context.newPage();
  const answers = [];
  context.on("response", (response) => {
    const { host } = new URL(response.url());
    if (host === new URL(gateway).host || host.startsWith("evil.example")) answers.push({ method: response.request().method(), status: response.status(), url: response.url() });
  });
  await tab.goto(url);
  return { tab, answers, close: () => context.close() };
}

/** What a script can do: each try ends in what the page learns of it. */
const tries = (gateway, token) => {
  const body = "a document that nobody wanted to notarise";
  const told = (promise) => promise.then(async (answer) => (answer.type === "opaque" ? "opaque" : `${answer.status} ${await answer.text()}`)).catch(() => "failed");
  const url = `${gateway}/v1/documents`;
  return Promise.all([
    // With the token, if it ever learned it: the browser asks first.
    told(fetch(url, { method: "POST", body, headers: { authorization: `Bearer ${token}` } })),
    told(fetch(url, { headers: { authorization: `Bearer ${token}` } })),
    told(fetch(`${gateway}/v1/batches`, { method: "POST", body: "{}", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" } })),
    told(fetch(url, { method: "POST", body, headers: { "idempotency-key": "x" } })),
    // Without asking first: what needs no leave.
    told(fetch(url, { method: "POST", body, mode: "no-cors" })),
    told(fetch(url, { method: "POST", body, mode: "no-cors", credentials: "include", headers: { "content-type": "text/plain" } })),
    told(fetch(`${gateway}/v1/status`, { mode: "no-cors" })),
    Promise.resolve(navigator.sendBeacon(url, body)).then(() => "opaque"),
  ]);
};

test("scripts of other pages are refused", async () => {
  const before = await records();
  const { port } = foreign.address();
  // Another site, and the same site on another port.
  for (const origin of [`http://localhost:${port}`, `http://127.0.0.1:${port}`]) {
    const page = await on(origin);
    const told = await page.tab.evaluate(`(${tries})(${JSON.stringify(gateway)}, ${JSON.stringify(token)})`);
    assert.deepEqual(told.slice(0, 4), ["failed", "failed", "failed", "failed"], `${origin}: the browser asked, and was told no`);
    // What was sent without asking: the page learns nothing of it, as much as the browser keeps from it.
    for (const answer of told.slice(4)) assert.match(answer, /^(opaque|failed)$/, origin);
    await page.tab.waitForTimeout(300);
    assert.ok(page.answers.length >= 3, JSON.stringify(page.answers));
    for (const { status, method, url } of page.answers) assert.equal(status, 403, `${method} ${url} from ${origin}`);
    await page.close();
  }
  assert.equal(await records(), before);
  assert.deepEqual(await sent(), []);
});

test("forms, links, pictures and frames of other pages are refused", async () => {
  const before = await records();
  const { port } = foreign.address();
  const ways = {
    "a form": `<form method=post enctype=text/plain action="${gateway}/v1/documents"><input name=x value=y></form>`,
    "a form with a file": `<form method=post enctype=multipart/form-data action="${gateway}/v1/documents"><input name=file value=y></form>`,
    "a form in the address": `<form action="${gateway}/v1/documents"><input name=async value=1></form>`,
    "a link": `<form action="${gateway}/docs"></form>`,
  };
  for (const [way, html] of Object.entries(ways)) {
    const page = await on(`http://localhost:${port}`);
    const [answer] = await Promise.all([
      page.tab.waitForNavigation(),
      page.tab.evaluate((html) => {
        document.body.innerHTML = html;
        document.forms[0].submit();
      }, html),
    ]);
    assert.equal(answer.status(), 403, way);
    assert.equal((await answer.json()).code, "gateway.cross-site", way);
    await page.close();
  }
  const page = await on(`http://localhost:${port}`);
  await page.tab.evaluate((gateway) => {
    document.body.innerHTML = `<img src="${gateway}/v1/status"><iframe src="${gateway}/docs"></iframe><link rel=stylesheet href="${gateway}/docs">`;
  }, gateway);
  await page.tab.waitForTimeout(500);
  // Of pictures and styles the browser itself keeps the answer back; the frame's is there to be seen.
  assert.ok(page.answers.length >= 1, JSON.stringify(page.answers));
  for (const { status, url } of page.answers) assert.equal(status, 403, url);
  await page.close();
  assert.equal(await records(), before);
  assert.deepEqual(await sent(), []);
});

test("a name that was bound to the gateway's address is not the gateway's", async () => {
  const before = await records();
  const rebound = `http://evil.example:${new URL(gateway).port}`;
  const page = await on(`${rebound}/livez`);
  const told = await page.tab.evaluate(`(${tries})(${JSON.stringify(rebound)}, ${JSON.stringify(token)})`);
  // Of one origin by the browser's rules: it reads that it is refused, with the token too.
  for (const answer of told.slice(0, 4)) assert.match(answer, /^421 .*gateway\.foreign-host/);
  assert.equal(await records(), before);
  assert.deepEqual(await sent(), []);
  await page.close();
});

test("the gateway's own page calls it, and needs the token", async () => {
  const page = await on(`${gateway}/livez`);
  const call = (headers) => page.tab.evaluate(async ([url, headers]) => (await fetch(url, { method: "POST", body: "wanted", headers })).status, [`${gateway}/v1/documents`, headers]);
  assert.equal(await call({}), 401);
  assert.equal(await call({ authorization: "Bearer wrong" }), 401);
  assert.deepEqual(await sent(), []);
  assert.equal(await call(withToken()), 200);
  assert.equal((await sent()).length, 1);
  await page.close();
});
