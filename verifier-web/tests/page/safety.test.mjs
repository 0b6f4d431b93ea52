// The page as an attacker meets it: what its host sends with it, hostile content, browsers that lack things.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { check, give, launch, next, open, shot } from "./support/browser.mjs";
import { all, REPOSITORY, startNetwork } from "./support/network.mjs";

let network;
let browser;
let url;

before(async () => {
  [network, browser] = await all(startNetwork(), launch());
  url = await network.page({ nodes: network.nodes.slice(0, 2) });
});

after(async () => {
  await browser?.close();
  await network?.stop();
});

const diploma = (name) => path.join(network.diplomas, name);

test("the host's headers", async () => {
  for (const name of ["", "sw.js", "network.json", "icon.svg"]) {
    const { status, headers } = await fetch(url + name);
    assert.equal(status, 200, name);
    const policy = headers.get("content-security-policy") ?? "";
    for (const part of ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
      assert.ok(policy.includes(part), `${name}: ${part} in ${policy}`);
    }
    assert.doesNotMatch(policy, /unsafe|\*/, name);
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.match(headers.get("permissions-policy") ?? "", /camera=\(self\)/);
    assert.equal(headers.get("set-cookie"), null);
  }
  assert.equal((await fetch(`${url}../../etc/passwd`)).status, 404);
  assert.equal((await fetch(`${url}nothing-here`)).status, 404);
  assert.equal((await fetch(url, { method: "POST", body: "x" })).status, 405);
});

test("nothing is kept in the browser but the language", async () => {
  const { tab, context, close } = await open(browser, url);
  await check(tab, diploma("2026-0001.pdf"));
  assert.deepEqual(await context.cookies(), []);
  const kept = await tab.evaluate(async () => {
    const bases = (await indexedDB.databases?.()) ?? [];
    const cached = [];
    for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) cached.push(url);
    return { local: { ...localStorage }, session: { ...sessionStorage }, bases: bases.map((one) => one.name), cached };
  });
  const signature = (await readFile(diploma("2026-0001.sd-jwt"), "utf8")).split("~")[0].split(".")[2];
  assert.ok(!JSON.stringify(kept).includes(signature.slice(0, 20)));
  assert.deepEqual(kept.bases, []);
  assert.ok(kept.cached.every((address) => new URL(address).origin === new URL(url).origin), "no answer of a node is cached");
  await close();
});

test("hostile text in a diploma is shown, and does nothing", async () => {
  // A registrar's table with names nobody has: the university signs them, so the page must show them.
  const graduation = path.join(REPOSITORY, "genesis/graduation");
  const [head, first] = (await readFile(path.join(graduation, "graduates.csv"), "utf8")).split("\n");
  const columns = head.split(",");
  const hostile = ["<img src=x onerror=alert(1)>", "Weber\u202etxt.exe", "W\u0435ber", "<script>alert(1)</script>", "W".repeat(180)];
  const lines = hostile.map((name, at) => {
    const row = first.split(",");
    row[columns.indexOf("award")] = `evil-${at}`;
    row[columns.indexOf("family_name")] = name;
    return row.join(",");
  });
  const from = await network.write("hostile.csv", `${[head, ...lines].join("\n")}\n`);
  const map = path.join(graduation, "map.toml");
  const out = path.join(network.root, "hostile");
  const issued = await network.testamur("diploma", "issue", "--from", from, "--map", map, "--home", network.university, "--out", out, "--no-pdf", "--skip-invalid");
  assert.equal(issued.code, 0, issued.err);
  const { tab, complaints, requests, close } = await open(browser, url);
  let shown = 0;
  for (const at of hostile.keys()) {
    const text = await readFile(path.join(out, `evil-${at}.sd-jwt`), "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const turn = await next(tab);
    await give(tab, "#diploma-files", [{ name: `<b>${at}</b>.sd-jwt`, mimeType: "text/plain", buffer: Buffer.from(text) }]);
    await turn.done();
    assert.equal(await tab.$eval("[data-verdict]", (one) => one.dataset.verdict), "valid");
    const { markup, text: said } = await tab.evaluate(() => ({
      markup: document.querySelectorAll("main img, main script, main b, main iframe").length,
      text: document.querySelector("main").textContent,
    }));
    assert.equal(markup, 0, hostile[at]);
    assert.doesNotMatch(said, /[\u202a-\u202e\u2066-\u2069]/, "no override of the direction of text");
    await shot(tab, `hostile-${at}`);
    shown += 1;
  }
  assert.ok(shown >= 3, `${shown} of the hostile names were issued`);
  assert.deepEqual(complaints, []);
  assert.ok(requests.every(({ url }) => !url.endsWith("/x")));
  await close();
});

test("ten megabytes of text are cut short, and told", async () => {
  const { tab, complaints, close } = await open(browser, url);
  for (const [name, text] of [
    ["long.json", `{"credential":"${"x".repeat(10_000_000)}"}`],
    ["long.txt", `ey${"A".repeat(10_000_000)}`],
    ["many.json", `[${"[],".repeat(3_000_000)}0]`],
  ]) {
    const turn = await next(tab);
    await give(tab, "#diploma-files", [{ name, mimeType: "application/json", buffer: Buffer.from(text) }]);
    await turn.done();
    const said = await tab.innerText("main");
    assert.ok(said.length < 100_000, `${name}: ${said.length} characters are shown`);
  }
  assert.deepEqual(complaints, []);
  await close();
});

/** What browsers of 2021 lack, taken away before the page's own code runs. */
const LACKING = {
  "Ed25519 in WebCrypto": () => {
    const refuse = (original) =>
      function (...args) {
        if (JSON.stringify(args.map((one) => (typeof one === "object" && one !== null ? one.name : one))).includes("25519")) return Promise.reject(new DOMException("no", "NotSupportedError"));
        return original.apply(this, args);
      };
    for (const name of ["importKey", "verify", "generateKey"]) SubtleCrypto.prototype[name] = refuse(SubtleCrypto.prototype[name]);
  },
  DecompressionStream: () => {
    delete globalThis.DecompressionStream;
    delete globalThis.CompressionStream;
  },
  "service workers": () => {
    delete Navigator.prototype.serviceWorker;
  },
  WebCrypto: () => {
    Object.defineProperty(Crypto.prototype, "subtle", { get: () => undefined });
  },
  "what came after 2021": () => {
    for (const [owner, names] of [
      [Array.prototype, ["findLast", "findLastIndex", "toSorted", "toReversed", "toSpliced", "with"]],
      [Object, ["groupBy"]],
      [Map, ["groupBy"]],
      [Promise, ["withResolvers", "try"]],
      [Set.prototype, ["union", "intersection", "difference", "isSubsetOf"]],
      [String.prototype, ["isWellFormed", "toWellFormed"]],
      [ArrayBuffer.prototype, ["transfer", "resize"]],
      [Uint8Array, ["fromBase64", "fromHex"]],
      [Uint8Array.prototype, ["toBase64", "toHex"]],
      [globalThis, ["structuredClone", "BarcodeDetector", "scheduler", "navigation", "DecompressionStream"]],
      [AbortSignal, ["timeout", "any"]],
      [Intl, ["supportedValuesOf", "DurationFormat", "Segmenter"]],
      [Response, ["json"]],
      [URL, ["canParse", "parse"]],
      [Document.prototype, ["startViewTransition"]],
    ])
      for (const name of names) delete owner[name];
  },
};

for (const [name, init] of Object.entries(LACKING)) {
  test(`without ${name}`, async () => {
    const { tab, complaints, close } = await open(browser, url, { init });
    for (const file of ["2026-0001.pdf", "2026-0002.sd-jwt"]) {
      const found = await check(tab, diploma(file));
      assert.deepEqual([found.verdict, found.reason], ["valid", "valid"], `${file}: ${found.steps}`);
    }
    assert.deepEqual(complaints, []);
    await close();
  });
}

test("without JavaScript the page says what to do", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const tab = await context.newPage();
  await tab.goto(url);
  assert.match(await tab.innerText("body"), /testamur diploma verify/);
  await shot(tab, "noscript");
  await context.close();
});
