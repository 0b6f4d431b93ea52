// Nodes that are away and nodes that lie: the page says which, an honest one beside them is enough, and none of them makes it say
// "valid" of what is not.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { check, launch, open, shot } from "./support/browser.mjs";
import { all, freePort, startNetwork } from "./support/network.mjs";
import * as nodes from "./support/node.mjs";

const GOOD = "2026-0001.pdf";
const REVOKED = "2026-0004.pdf";

let network;
let browser;
let other;

before(async () => {
  [network, other, browser] = await all(startNetwork(), startNetwork(), launch());
  await network.revoke("2026-0004");
});

after(async () => {
  await browser?.close();
  await Promise.all([network?.stop(), other?.stop()]);
});

const diploma = (name) => path.join(network.diplomas, name);

/** The states of the nodes as the page shows them, in the order in which they are configured. */
const states = (tab) => tab.$$eval("[data-node-state]", (all) => all.map((one) => one.dataset.nodeState));

/** Opens the page for these nodes, checks a file, and says what is shown. */
async function shown(t, addresses, file) {
  const page = await open(browser, await network.page({ nodes: addresses }));
  t.after(() => page.close());
  const found = await check(page.tab, diploma(file));
  return { ...found, states: await states(page.tab), page };
}

/** With an honest node beside it the answer is right, and the other is named. Alone with a dead one it makes nothing valid. */
async function exposed(t, node, expected, name) {
  t.after(() => node.stop());
  const honest = network.nodes[1];
  const good = await shown(t, [node.url, honest], GOOD);
  assert.deepEqual([good.verdict, good.reason], ["valid", "valid"]);
  assert.deepEqual(good.states, [expected, "ok"]);
  await shot(good.page.tab, `node-${name}`);
  const revoked = await shown(t, [node.url, honest], REVOKED);
  assert.deepEqual([revoked.verdict, revoked.reason], ["not-valid", "status.revoked"]);
  const dead = `http://127.0.0.1:${await freePort()}`;
  const alone = await shown(t, [node.url, dead], REVOKED);
  assert.equal(alone.verdict, "cannot-tell", `${alone.reason} on a liar's word`);
  assert.deepEqual(alone.states, [expected, "no-answer"]);
}

test("two honest nodes", async (t) => {
  const { verdict, states, steps } = await shown(t, network.nodes.slice(0, 2), GOOD);
  assert.deepEqual([verdict, states], ["valid", ["ok", "ok"]]);
  assert.equal(steps.length, 8);
  assert.ok(steps.every((step) => step.startsWith("passed ")), steps.join());
});

test("a node that is away", async (t) => exposed(t, { url: `http://127.0.0.1:${await freePort()}`, stop() {} }, "no-answer", "away"));

test("a node that takes the question and never answers", async (t) => exposed(t, await nodes.silent(), "no-answer", "silent"));

test("a node that fails", async (t) => exposed(t, await nodes.broken(), "no-answer", "broken"));

test("something that is no node", async (t) => exposed(t, await nodes.babbling(), "lies", "babbling"));

test("other bits in a status list", async (t) => exposed(t, await nodes.withAlteredLists(network.nodes[0]), "lies", "altered-list"));

test("a revocation left out", async (t) => exposed(t, await nodes.withoutStatus(network.nodes[0]), "lies", "omitted"));

test("a list said never to have been", async (t) => exposed(t, await nodes.withAbsentStatus(network.nodes[0]), "lies", "absent"));

test("another name for the issuer", async (t) => exposed(t, await nodes.withChangedValues(network.nodes[0]), "lies", "changed-value"));

test("a node of another network", async (t) => {
  await exposed(t, { url: other.nodes[0], stop() {} }, "lies", "other-network");
});

test("a state from before the revocation, said again", async (t) => {
  const award = "2026-0005";
  const replaying = await nodes.withReplays(network.nodes[0]);
  t.after(() => replaying.stop());
  const page = await open(browser, await network.page({ nodes: [replaying.url, network.nodes[1]] }));
  t.after(() => page.close());
  assert.equal((await check(page.tab, diploma(`${award}.pdf`))).verdict, "valid");
  replaying.freeze();
  await network.revoke(award);
  await page.tab.reload();
  await page.tab.waitForSelector("html[data-ready]");
  const found = await check(page.tab, diploma(`${award}.pdf`));
  assert.deepEqual([found.verdict, found.reason], ["not-valid", "status.revoked"]);
  assert.deepEqual(await states(page.tab), ["behind", "ok"]);
  await shot(page.tab, "node-replayed");
});

test("an old checkpoint: on proofs of days ago nothing is valid", async (t) => {
  const page = await open(browser, await network.page({ nodes: network.nodes.slice(0, 2) }));
  t.after(() => page.close());
  await page.tab.clock.setFixedTime(Date.now() + 3 * 86_400_000);
  for (const file of [GOOD, REVOKED]) {
    const found = await check(page.tab, diploma(file));
    assert.equal(found.verdict, "cannot-tell", found.reason);
    const shown = await states(page.tab);
    assert.ok(shown.length === 2 && !shown.includes("ok"), shown.join());
  }
  await shot(page.tab, "node-old-checkpoint");
});

test("another network's diploma is never green", async (t) => {
  const page = await open(browser, await network.page());
  t.after(() => page.close());
  const found = await check(page.tab, path.join(other.diplomas, GOOD));
  assert.notEqual(found.verdict, "valid");
});

test("no address of the page changes whom it asks, or what it says", async (t) => {
  const url = await network.page({ nodes: network.nodes.slice(0, 2) });
  const evil = await nodes.babbling();
  t.after(() => evil.stop());
  const query = `?node=${evil.url}&nodes=${evil.url}&network=${evil.url}/network.json&trust=${evil.url}&lang=xx&title=Valid&verdict=valid`;
  const page = await open(browser, url + query);
  t.after(() => page.close());
  assert.equal((await check(page.tab, diploma(REVOKED))).reason, "status.revoked");
  assert.deepEqual(evil.asked, []);
});
