// Every way in which a diploma or a document reaches the page, with good and with bad files, on a real network.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { answer, assertPrivate, check, give, launch, next, open, shot, SHOTS } from "./support/browser.mjs";
import { all, freePort, REPOSITORY, startNetwork } from "./support/network.mjs";
import { film, rendered } from "./support/picture.mjs";

const vectors = path.join(REPOSITORY, "tests/vectors");
let network;
let other;
let browser;
let url;

before(async () => {
  [network, other, browser] = await all(startNetwork(), startNetwork(), launch());
  url = await network.page();
});

after(async () => {
  await browser?.close();
  await Promise.all([network?.stop(), other?.stop()]);
});

const diploma = (name) => path.join(network.diplomas, name);
const text = (name) => readFile(diploma(name), "utf8");

async function page(t, options) {
  const opened = await open(browser, url, options);
  t.after(() => opened.close());
  return opened;
}

/** Of a credential: what must never leave the browser. Parts of its signature, its subject and its digest-like members. */
async function secrets(name) {
  const jwt = (await text(name)).split("~");
  const [, payload, signature] = jwt[0].split(".");
  return [signature.slice(0, 24), payload.slice(-40, -8), ...jwt.slice(1, 4).filter(Boolean).map((part) => part.slice(0, 20))];
}

const isValid = (found) => {
  assert.deepEqual([found.verdict, found.reason], ["valid", "valid"], found.steps.join());
  assert.equal(found.steps.length, 8);
};

test("a PDF: the answer first, then the content, the steps and the issuer", async (t) => {
  const opened = await page(t);
  const { tab } = opened;
  isValid(await check(tab, diploma("2026-0001.pdf")));
  const focused = await tab.evaluate(() => document.activeElement?.closest("[data-verdict]") !== null && /^H[12]$/.test(document.activeElement.tagName));
  assert.ok(focused, "the verdict's heading has the focus");
  const said = await tab.innerText("main");
  for (const word of ["Valid", "ministry", "University"]) assert.match(said, new RegExp(word, "i"));
  assert.ok((await tab.$$("[data-step]")).length === 8);
  assertPrivate(opened, [url, ...network.nodes], await secrets("2026-0001.sd-jwt"));
  await shot(tab, "valid-pdf");
});

test("a credential, pasted", async (t) => {
  const { tab } = await page(t);
  await tab.fill("#diploma-text", await text("2026-0002.sd-jwt"));
  await tab.keyboard.press("Tab");
  await tab.getByRole("button", { name: "Check", exact: true }).click();
  isValid(await answer(tab));
});

test("a credential and its receipt, chosen together", async (t) => {
  const { tab } = await page(t);
  const found = await check(tab, [diploma("2026-0002.sd-jwt"), diploma("2026-0002.sd-jwt.receipt.json")]);
  isValid(found);
  assert.ok(found.steps.includes("passed anchor.ok"), found.steps.join());
});

test("a PDF, dropped", async (t) => {
  const { tab } = await page(t);
  const base64 = (await readFile(diploma("2026-0003.pdf"))).toString("base64");
  const transfer = await tab.evaluateHandle(async (base64) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], "diploma.pdf", { type: "application/pdf" }));
    return transfer;
  }, base64);
  for (const type of ["dragenter", "dragover", "drop"]) await tab.dispatchEvent("body", type, { dataTransfer: transfer });
  isValid(await answer(tab));
});

test("a package, without any node", async (t) => {
  const file = path.join(network.root, "package.json");
  await network.must("diploma", "package", diploma("2026-0002.pdf"), "--out", file);
  const dead = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const opened = await open(browser, await network.page({ nodes: dead }));
  t.after(() => opened.close());
  isValid(await check(opened.tab, file));
  await shot(opened.tab, "valid-package-no-node");
  // A PDF brings no proofs of the ledger's state: without a node nobody can tell.
  const before = await next(opened.tab);
  await give(opened.tab, "#diploma-files", diploma("2026-0002.pdf"));
  await before.done();
  const found = await answer(opened.tab);
  assert.equal(found.verdict, "cannot-tell");
  await shot(opened.tab, "cannot-tell-no-node");
});

test("a package of yesterday: it was valid on that day", async (t) => {
  const file = path.join(network.root, "old-package.json");
  await network.must("diploma", "package", diploma("2026-0006.pdf"), "--out", file);
  const opened = await open(browser, await network.page({ nodes: [`http://127.0.0.1:${await freePort()}`] }));
  t.after(() => opened.close());
  await opened.tab.clock.setFixedTime(Date.now() + 3 * 86_400_000);
  const found = await check(opened.tab, file);
  assert.deepEqual([found.verdict, found.reason], ["cannot-tell", "status.stale"]);
  await shot(opened.tab, "stale-package");
});

test("a link, as it was sent and as a mail scanner leaves it", async (t) => {
  const { out } = await network.testamur("diploma", "share", "--page", url, diploma("2026-0007.pdf"));
  const link = typeof out === "string" ? out.trim() : out.link;
  assert.ok(link.startsWith(url) && link.length <= 2_000, link);
  for (const address of [link, link.replace("#", "%23")]) {
    const opened = await open(browser, address);
    t.after(() => opened.close());
    isValid(await answer(opened.tab));
    assert.equal(opened.tab.url(), url, "nothing of it stays in the address");
  }
});

test("pictures of the code: a scan and a photo", async (t) => {
  const { tab } = await page(t);
  for (const [kind, dpi] of [["png", 150], ["jpeg", 120]]) {
    const buffer = await rendered(diploma("2026-0008.pdf"), kind, dpi);
    const turn = await next(tab);
    await give(tab, "#diploma-files", [{ name: `scan.${kind}`, mimeType: `image/${kind}`, buffer }]);
    await turn.done();
    isValid(await answer(tab));
  }
});

test("the camera", async (t) => {
  const file = await film(diploma("2026-0009.pdf"), path.join(network.root, "camera.y4m"));
  const args = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${file}`];
  const filming = await launch(args);
  t.after(() => filming.close());
  const { tab } = await open(filming, url, { permissions: ["camera"] });
  await tab.getByRole("button", { name: "Scan a QR code" }).first().click();
  isValid(await answer(tab));
  assert.equal(await tab.$("video"), null, "the camera is off again");
});

test("a browser without a camera says so", async (t) => {
  const { tab } = await page(t);
  await tab.getByRole("button", { name: "Scan a QR code" }).first().click();
  await tab.getByText(/No camera was found|camera may not be used/).waitFor();
  await shot(tab, "no-camera");
});

/** A credential with its signature changed. */
async function broken(name) {
  const [jwt, ...rest] = (await text(name)).split("~");
  const [header, payload, signature] = jwt.split(".");
  const other = signature[10] === "A" ? "B" : "A";
  return [[header, payload, signature.slice(0, 10) + other + signature.slice(11)].join("."), ...rest].join("~");
}

test("a broken signature: nothing of the content is shown", async (t) => {
  const { tab } = await page(t);
  const good = await check(tab, diploma("2026-0010.sd-jwt"));
  isValid(good);
  const family = await tab.evaluate(() => document.querySelector("main").innerText);
  const name = JSON.parse(Buffer.from((await text("2026-0010.sd-jwt")).split("~").find((part) => Buffer.from(part, "base64url").includes('"familyName"')), "base64url"))[2];
  assert.ok(family.includes(name), `${name} is shown of the good one`);
  const turn = await next(tab);
  await give(tab, "#diploma-files", [{ name: "changed.sd-jwt", mimeType: "text/plain", buffer: Buffer.from(await broken("2026-0010.sd-jwt")) }]);
  await turn.done();
  const found = await answer(tab);
  assert.deepEqual([found.verdict, found.reason], ["not-valid", "signature.invalid"]);
  assert.ok(!(await tab.innerText("main")).includes(name), "and not of the bad one");
  await shot(tab, "broken-signature");
});

test("a forged page around a genuine credential", async (t) => {
  const { tab } = await page(t);
  const pdf = await readFile(diploma("2026-0011.pdf"));
  const at = pdf.indexOf("endstream");
  const forged = Buffer.concat([pdf.subarray(0, at - 40), Buffer.from([pdf[at - 40] ^ 1]), pdf.subarray(at - 39)]);
  const found = await check(tab, [{ name: "forged.pdf", mimeType: "application/pdf", buffer: forged }]);
  assert.deepEqual([found.verdict, found.reason], ["not-valid", "signature.foreign-print"]);
  await shot(tab, "forged-page");
});

test("files that hold no diploma: what to do is said", async (t) => {
  const { tab, complaints } = await page(t);
  const white = await rendered(diploma("2026-0001.pdf"), "png", 10);
  for (const [name, mimeType, buffer] of [
    ["letter.txt", "text/plain", Buffer.from("Dear Sir or Madam")],
    ["empty.pdf", "application/pdf", Buffer.alloc(0)],
    ["cut.pdf", "application/pdf", (await readFile(diploma("2026-0001.pdf"))).subarray(0, 9_000)],
    ["noise.bin", "application/octet-stream", Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * 7_919) % 251))],
    ["white.png", "image/png", white],
    ["array.json", "application/json", Buffer.from("[1,2,3]")],
    ["deep.json", "application/json", Buffer.from('{"a":'.repeat(50_000))],
    ["large.bin", "application/octet-stream", Buffer.alloc(70 << 20, 65)],
  ]) {
    const turn = await next(tab);
    if (buffer.length > 40 << 20) {
      // Playwright takes no more than 50 MB through its own channel.
      await tab.evaluate((size) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(size)], "large.bin"));
        const input = document.querySelector("#diploma-files");
        input.files = transfer.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      }, buffer.length);
    } else {
      await give(tab, "#diploma-files", [{ name, mimeType, buffer }]);
    }
    await turn.done();
    const verdict = await tab.$eval("[data-verdict]", (one) => one.dataset.verdict).catch(() => undefined);
    assert.notEqual(verdict, "valid", name);
    assert.match(await tab.innerText("main"), /Ask|choose|Choose|try/, `${name}: what to do`);
  }
  assert.deepEqual(complaints, []);
});

test("several files at once: a row each", async (t) => {
  const { tab } = await page(t);
  const bad = { name: "changed.sd-jwt", mimeType: "text/plain", buffer: Buffer.from(await broken("2026-0012.sd-jwt")) };
  const good = await Promise.all(
    ["2026-0012.pdf", "2026-0013.pdf", "2026-0014.pdf"].map(async (name) => ({ name, mimeType: "application/pdf", buffer: await readFile(diploma(name)) })),
  );
  const turn = await next(tab);
  await give(tab, "#diploma-files", [...good, bad]);
  await turn.done();
  const rows = await tab.$$eval("tr[data-verdict]", (all) => all.map((row) => row.dataset.verdict));
  assert.deepEqual(rows, ["valid", "valid", "valid", "not-valid"]);
  assert.equal(await tab.$eval("[data-verdict]", (one) => one.dataset.verdict), "not-valid", "the worst counts");
  await shot(tab, "several-files");
});

test("another network: not green until its trust file is installed, knowingly", async (t) => {
  const file = path.join(network.root, "other-package.json");
  await other.must("diploma", "package", path.join(other.diplomas, "2026-0001.pdf"), "--out", file);
  const { tab } = await page(t);
  assert.notEqual((await check(tab, file)).verdict, "valid");
  await tab.click("#settings-toggle");
  await tab.setInputFiles("#trust-file", other.trust);
  await tab.locator("#trust-install").waitFor();
  await shot(tab, "install-trust-file");
  await tab.click("#trust-install");
  await tab.locator("#trust-remove").waitFor();
  await tab.getByRole("tab").first().click();
  const turn = await next(tab);
  await give(tab, "#diploma-files", file);
  await turn.done();
  isValid(await answer(tab));
  assert.match(await tab.innerText("main"), /network that you installed yourself/);
  await shot(tab, "valid-installed-network");
});

test("documents: with a receipt, without, by hash", async (t) => {
  const { tab, complaints } = await page(t);
  const [salted, open_] = [path.join(network.root, "minutes.txt"), path.join(network.root, "law.txt")];
  await network.write("minutes.txt", "minutes of a meeting\n");
  await network.write("law.txt", "a law, for everybody\n");
  await network.must("notarise", salted);
  await network.must("notarise", open_, "--public");
  await tab.getByRole("tab").nth(1).click();
  const said = async (input, files) => {
    const turn = await next(tab);
    await give(tab, input, files);
    await turn.done();
    return tab.$eval("[data-document]", (one) => one.dataset.document);
  };
  assert.equal(await said("#document-files", [salted, `${salted}.receipt.json`]), "receipt/confirmed");
  await shot(tab, "document-confirmed");
  assert.equal(await said("#document-files", [open_, `${salted}.receipt.json`]), "receipt/not-valid");
  assert.equal(await said("#document-files", [open_]), "lookup/found");
  await shot(tab, "document-found");
  assert.equal(await said("#document-files", [salted]), "lookup/none");
  assert.match(await tab.innerText("main"), /receipt/i);
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", await readFile(open_))).toString("hex");
  const turn = await next(tab);
  // Whoever is in the field before the next frame stays there.
  const at = await tab.evaluate(async () => {
    document.querySelector("[data-another]").click();
    const field = () => document.querySelector("#document-hash");
    for (let turns = 0; field() === null && turns < 100; turns += 1) await Promise.resolve();
    field().focus();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return document.activeElement.id;
  });
  assert.equal(at, "document-hash");
  await tab.fill("#document-hash", hash);
  await tab.keyboard.press("Enter");
  await turn.done();
  assert.equal(await tab.$eval("[data-document]", (one) => one.dataset.document), "lookup/found");
  // Nobody elsewhere: the keyboard goes to where the next file is chosen.
  await tab.locator("[data-another]").first().press("Enter");
  await tab.waitForFunction(() => document.activeElement.id === "document-choose");
  assert.deepEqual(complaints, []);
});

test("documents: a receipt whose witnesses left office says what to do, and is green once refreshed", async (t) => {
  const { tab } = await page(t);
  const vector = (name) => path.join(vectors, name);
  await tab.click("#settings-toggle");
  await tab.setInputFiles("#trust-file", vector("trust-terms-newest.json"));
  await tab.click("#trust-install");
  await tab.locator("#trust-remove").waitFor();
  await tab.getByRole("tab").nth(1).click();
  const said = async (name) => {
    const turn = await next(tab);
    await give(tab, "#document-files", vector(`receipts/terms-${name}.json`));
    await turn.done();
    return tab.$eval("[data-document]", (one) => one.dataset.document);
  };
  assert.equal(await said("before-newest"), "receipt/out-of-office");
  assert.match(await tab.innerText("main"), /no longer in office.*refreshed receipt/s);
  await shot(tab, "document-out-of-office");
  assert.equal(await said("before-refreshed-newest"), "receipt/confirmed");
  assert.equal(await said("stolen-keys"), "receipt/out-of-office");
});

test("the report: saved with all evidence, and printed", async (t) => {
  const { tab } = await page(t);
  isValid(await check(tab, diploma("2026-0015.pdf")));
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name: /save/i }).first().click()]);
  const report = JSON.parse(await readFile(await download.path(), "utf8"));
  assert.match(JSON.stringify(report), /"verdict":"valid"/);
  assert.match(JSON.stringify(report), /"accreditation\.ok"/);
  await tab.emulateMedia({ media: "print" });
  await shot(tab, "print");
  assert.ok(await tab.getByText(/valid/i).first().isVisible());
});

test("offline, once loaded", async (t) => {
  const file = path.join(network.root, "offline-package.json");
  await network.must("diploma", "package", diploma("2026-0016.pdf"), "--out", file);
  const opened = await page(t);
  await opened.tab.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await opened.tab.waitForFunction(async () => (await caches.keys()).length > 0);
  await opened.context.setOffline(true);
  await opened.tab.reload();
  await opened.tab.waitForSelector("html[data-ready]");
  isValid(await check(opened.tab, file));
  await shot(opened.tab, "offline");
});

test("the README's pictures", async (t) => {
  const folder = process.env.TESTAMUR_WRITE_PICTURES ? path.join(REPOSITORY, "verifier-web/screenshots") : SHOTS;
  const { tab } = await page(t, { viewport: { width: 1024, height: 768 } });
  await network.revoke("2026-0020");
  for (const [name, file, verdict] of [
    ["valid", "2026-0019.pdf", "valid"],
    ["withdrawn", "2026-0020.pdf", "not-valid"],
  ]) {
    assert.equal((await check(tab, diploma(file))).verdict, verdict);
    await tab.evaluate(() => scrollTo(0, 0));
    await tab.screenshot({ path: path.join(folder, `${name}.png`) });
    const committed = await readFile(path.join(REPOSITORY, `verifier-web/screenshots/${name}.png`));
    assert.ok(committed.length > 10_000, "the README shows one");
  }
});
