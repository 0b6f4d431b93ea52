// What the page asks of nodes, and what it makes of their answers: real evidence, nodes of every kind.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));
const vectors = join(root, '../tests/vectors');
const read = (name) => readFileSync(join(vectors, name));
const text = (name) => read(name).toString();
const json = (name) => JSON.parse(text(name));

const EVIDENCE = json('evidence/issuer-holds.json');
const HEADER = JSON.parse(EVIDENCE.header);
const KEYS = EVIDENCE.state.map(({ key }) => key);
const NOW = HEADER.time + 10;
const BUNDLE = 'v1/trust-chains?issuer=x';

let folder;
let ledger;
const servers = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'testamur-ledger-'));
  const entry = join(folder, 'entry.ts');
  const parts = ['registry', 'node', 'seen', 'config', 'document', 'picture', 'fault'];
  const source = (path) => JSON.stringify(join(root, 'src', path));
  const lines = parts.map((part) => `export * from ${source(`ledger/${part}.ts`)};\n`);
  writeFileSync(entry, `${lines.join('')}export { Receipt, TrustFile } from '@testamur/verify';\n`);
  const alias = { '@testamur/verify': join(root, 'src/verify/index.ts') };
  const lib = { entry, formats: ['es'], fileName: 'ledger' };
  await build({ configFile: false, root, logLevel: 'error', publicDir: false, resolve: { alias }, build: { outDir: join(folder, 'out'), minify: false, target: 'node20', lib } });
  ledger = await import(pathToFileURL(join(folder, 'out/ledger.js')).href);
});

after(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A node: `answer(path, request)` gives `{status, type, body}`, or nothing and is never answered. */
function node(answer) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push({ path: decodeURIComponent(request.url.slice(1)), headers: request.headers });
    const found = answer(asked.at(-1).path, request);
    if (found === undefined) return;
    response.writeHead(found.status ?? 200, { 'content-type': found.type ?? 'application/json' }).end(found.body);
  });
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const made = new ledger.Node(`http://127.0.0.1:${server.address().port}/`);
      resolve(Object.assign(made, { asked, server }));
    });
  });
}

const answered = (value) => ({ body: JSON.stringify(value) });
/** Answers about keys as a node does. */
const state = (evidence, path) => {
  const keys = [...path.matchAll(/key=([^&]+)/g)].map(([, key]) => key);
  return { ...evidence, state: evidence.state.filter(({ key }) => keys.includes(key)) };
};
const serving = (evidence) => (path) => answered(path.startsWith('v1/state?') ? state(evidence, path) : { evidence });
const honest = () => node(serving(EVIDENCE));
const altered = (change) => {
  const evidence = structuredClone(EVIDENCE);
  change(evidence);
  return node(serving(evidence));
};

function registry(nodes, { now = NOW, seen = new ledger.Seen(undefined) } = {}) {
  const trust = ledger.TrustFile.decode(read('trust-registries.json'));
  return Object.assign(new ledger.Registry(nodes, trust, seen, () => now), { seenHeights: seen });
}

/** Reads all keys of the evidence. */
const all = { bundle: BUNDLE, first: KEYS.slice(0, 1), also: [], read: async (reader) => KEYS.map((key) => reader.get(key)) };

async function states(nodes, options) {
  const one = registry(nodes, options);
  try {
    const reading = await one.read(all);
    return reading.nodes.map(({ state, code }) => [state, code].join(' '));
  } catch (error) {
    assert.ok(error instanceof ledger.RegistryError, error.stack);
    return ['nothing', ...error.nodes.map(({ state, code }) => [state, code].join(' '))];
  }
}

test('two nodes prove it, and all their keys are there', async () => {
  const nodes = [await honest(), await honest()];
  const { value, good, state } = await registry(nodes).read(all);
  assert.equal(value.length, KEYS.length);
  assert.equal(good.length, 2);
  assert.equal(state.header.height, HEADER.height);
});

test('what is asked says nothing of who asks', async () => {
  const one = await honest();
  await registry([one]).read(all);
  assert.deepEqual(one.asked.map(({ path }) => path), [BUNDLE]);
  for (const { headers } of one.asked) {
    assert.equal(headers.cookie, undefined);
    assert.equal(headers.referer, undefined);
    assert.equal(headers.authorization, undefined);
    assert.equal(headers.accept, 'application/json');
  }
});

test('a node without the route is asked for keys', async () => {
  const missing = { status: 404, body: JSON.stringify({ status: 404, code: 'request.not-found', title: 'not there' }) };
  const one = await node((path) => (path.startsWith('v1/state?') ? answered(state(EVIDENCE, path)) : missing));
  assert.deepEqual(await states([one]), ['ok ok']);
  assert.ok(one.asked.length > 1);
});

test('each kind of node that gives nothing is named, and an honest one beside it is enough', async () => {
  const closed = await honest();
  await new Promise((resolve) => closed.server.close(resolve));
  const other = json('evidence/another-network.json');
  const kinds = [
    [closed, 'no-answer client.unreachable'],
    [await node(() => ({ status: 503, body: '{"status":503,"code":"node.not-synced","title":"not synced"}' })), 'no-answer node.not-synced'],
    [await node(() => ({ status: 500, type: 'text/html', body: '<h1>error</h1>' })), 'no-answer client.no-problem-document'],
    [await node(() => ({ type: 'text/html', body: '<h1>welcome</h1>' })), 'lies client.bad-answer'],
    [await node(() => ({ body: `{"evidence":"${'x'.repeat(5 << 20)}"}` })), 'lies client.bad-answer'],
    [await altered((e) => { e.state[0].value = `${e.state[0].value.slice(0, -1)},"x":1}`; }), 'lies evidence.proof'],
    [await altered((e) => { delete e.state[0].value; }), 'lies evidence.proof'],
    [await altered((e) => { e.state.pop(); }), 'lies registry.omitted'],
    [await node(serving(json('evidence/too-few-cosignatures.json'))), 'lies receipt.no-quorum'],
    [await node(serving(other)), 'lies receipt.unknown-network'],
    [await altered((e) => { e.type = 'testamur-evidence-of-tomorrow'; }), 'unusable evidence.unknown-format'],
  ];
  for (const [bad, expected] of kinds) {
    const [found, good] = await states([bad, await honest()]);
    assert.equal(found, expected);
    assert.equal(good, 'ok ok');
    assert.deepEqual(await states([bad]), ['nothing', found]);
  }
});

test('a node that never answers costs a moment', async () => {
  const start = performance.now();
  assert.deepEqual(await states([await node(() => undefined), await honest()]), ['no-answer client.interrupted', 'ok ok']);
  assert.ok(performance.now() - start < 3_000);
});

test('an old state is not accepted', async () => {
  const late = { now: HEADER.time + 301 };
  assert.deepEqual(await states([await honest()], late), ['nothing', 'behind evidence.stale']);
});

test('a state of before one that was seen is not accepted, in this visit or a later one', async () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const first = registry([await honest()], { seen: new ledger.Seen(storage) });
  await first.read(all);
  assert.equal(new ledger.Seen(storage).height(first.trust.network), HEADER.height);
  new ledger.Seen(storage).saw(first.trust.network, HEADER.height + 1);
  const later = { seen: new ledger.Seen(storage) };
  assert.deepEqual(await states([await honest()], later), ['nothing', 'behind registry.behind']);
});

test('what a browser keeps is not believed blindly', () => {
  for (const kept of ['', 'x', '[]', 'null', '{"a":1}', `{"${'0'.repeat(64)}":"7"}`, `{"${'0'.repeat(64)}":1e99}`]) {
    const seen = new ledger.Seen({ getItem: () => kept, setItem: () => { throw new Error('full'); } });
    assert.equal(seen.height('0'.repeat(64)), 0);
    seen.saw('0'.repeat(64), 5);
    assert.equal(seen.height('0'.repeat(64)), 5);
  }
});

test("a list's bits are taken from whoever has them, and only those that the ledger names", async () => {
  const bits = Buffer.from('the bits of a list');
  const digest = 'b0f5c1e4'.padEnd(64, '0');
  const { createHash } = await import('node:crypto');
  const right = createHash('sha256').update(bits).digest('hex');
  const has = await node(() => ({ type: 'application/octet-stream', body: bits }));
  const lacks = await node(() => ({ status: 404, body: '{}' }));
  const found = await registry([has, lacks]).bits(right, [lacks, has]);
  assert.ok(Buffer.from(found.bits).equals(bits));
  assert.deepEqual(found.nodes.map(({ state, code }) => [state, code]), [['unusable', 'registry.no-attachment']]);
  await assert.rejects(registry([has]).bits(digest, [has]), (error) => error.nodes[0].state === 'lies' && error.nodes[0].code === 'registry.attachment');
});

test('a check that is given up ends', async () => {
  const controller = new AbortController();
  const one = registry([await node(() => undefined)]);
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(one.read(all, controller.signal), { name: 'AbortError' });
});

test('network.json is read strictly, and addresses are checked', () => {
  const trust = { v: 1 };
  const good = ledger.parseNetwork(JSON.stringify({ v: 1, name: 'N', trust, nodes: ['http://127.0.0.1:8080', 'https://Example.org/ledger', 'http://127.0.0.1:8080/'] }));
  assert.deepEqual(good.nodes, ['http://127.0.0.1:8080/', 'https://example.org/ledger/']);
  const bad = [
    'x', '[]', '{}', JSON.stringify({ v: 2, name: 'N', trust, nodes: [] }), JSON.stringify({ v: 1, name: ' ', trust, nodes: [] }),
    JSON.stringify({ v: 1, name: 'N', trust: 'x', nodes: [] }), JSON.stringify({ v: 1, name: 'N', trust, nodes: 'x' }), JSON.stringify({ v: 1, name: 'N', trust, nodes: new Array(65).fill('http://x') }),
    ...['', '127.0.0.1:8080', 'ftp://x', 'http://', 'http://u:p@x', 'http://x/?q', 'http://x/?', 'http://x/#f', 'javascript:alert(1)'].map((node) => JSON.stringify({ v: 1, name: 'N', trust, nodes: [node] })),
  ];
  for (const one of bad) assert.throws(() => ledger.parseNetwork(one), { code: 'config.invalid' }, one);
});

test('documents: a receipt needs nobody, and swapped files are told', async () => {
  const where = { trust: ledger.TrustFile.decode(read('trust.json')), nodes: [await node(() => undefined)], now: () => 1_800_001_000 };
  const receipt = read('receipts/plain.json');
  const file = new Blob(['%PDF-1.7 a diploma\n']);
  const right = await ledger.lookUp(where, { kind: 'file', name: 'a.pdf', file, receipt }, {});
  assert.equal(right.outcome, 'confirmed');
  assert.equal(right.facts.documentChecked, true);
  const other = await ledger.lookUp(where, { kind: 'file', name: 'a.pdf', file: new Blob(['another']), receipt }, {});
  assert.deepEqual([other.outcome, other.swapped], ['not-valid', false]);
  const swapped = await ledger.lookUp(where, { kind: 'file', name: 'a.pdf', file: new Blob([receipt]), receipt: Buffer.from('%PDF') }, {});
  assert.deepEqual([swapped.outcome, swapped.swapped], ['not-valid', true]);
  const alone = await ledger.lookUp(where, { kind: 'receipt', receipt }, {});
  assert.deepEqual([alone.outcome, alone.facts.documentChecked], ['confirmed', false]);
  assert.deepEqual(where.nodes[0].asked, []);
});

test('documents: a receipt out of office is not green until it is refreshed, and one by stolen keys never is', async () => {
  const where = { trust: ledger.TrustFile.decode(read('trust-terms-newest.json')), nodes: [await node(() => undefined)], now: () => 1_800_001_000 };
  const outcome = async (name) => {
    const answer = await ledger.lookUp(where, { kind: 'receipt', receipt: read(`receipts/terms-${name}.json`) }, {});
    return [answer.outcome, answer.facts?.anchoredAt];
  };
  for (const term of ['before', 'between']) {
    assert.deepEqual(await outcome(`${term}-newest`), ['out-of-office', undefined]);
    assert.deepEqual(await outcome(`${term}-refreshed-newest`), ['confirmed', 6]);
  }
  for (const forged of ['stolen-keys', 'stolen-keys-and-an-epoch-of-theirs', 'stolen-keys-and-the-newest-epoch', 'stolen-keys-and-a-later-epoch']) {
    assert.notEqual((await outcome(forged))[0], 'confirmed', forged);
  }
  assert.deepEqual(where.nodes[0].asked, []);
});

test('documents: entries are proven, and what one node leaves out another has', async () => {
  const receipt = read('receipts/plain.json');
  const trust = ledger.TrustFile.decode(read('trust.json'));
  const now = () => 1_800_001_000;
  const file = new Blob(['%PDF-1.7 a diploma\n']);
  const { facts } = await ledger.lookUp({ trust, nodes: [], now }, { kind: 'receipt', receipt }, {});
  const list = (records) => answered({ alg: 'sha2-256', hash: '', notarisations: records.map((record) => ({ record })), next: null });
  const has = await node((path) => (path.startsWith('v1/notarisations') ? list([facts.record]) : { body: receipt }));
  const silentAboutIt = await node(() => list([]));
  const inventing = await node((path) => (path.startsWith('v1/notarisations') ? list(['0'.repeat(64)]) : { body: receipt }));
  const unproven = await node((path) => (path.startsWith('v1/notarisations') ? list([facts.record]) : { status: 404, body: '{}' }));
  const answer = async (...nodes) => {
    const { entries, nodes: told } = await ledger.lookUp({ trust, nodes, now }, { kind: 'file', name: 'a', file }, {});
    return [entries.length, ...told.map(({ state }) => state)];
  };
  assert.deepEqual(await answer(silentAboutIt, has), [1, 'ok', 'ok']);
  assert.deepEqual(await answer(inventing, unproven), [0, 'lies', 'lies']);
  const other = await ledger.lookUp({ trust, nodes: [has], now }, { kind: 'hash', hash: '00'.repeat(32) }, {});
  assert.deepEqual([other.entries.length, other.nodes[0].state], [0, 'lies']);
});

test("documents: no node is told a diploma's digest", async () => {
  const one = await node(() => answered({ notarisations: [], next: null }));
  const where = { trust: ledger.TrustFile.decode(read('trust.json')), nodes: [one], now: () => 0 };
  const file = new Blob([json('credentials/sd-jwt.json').cases[0].text]);
  await assert.rejects(ledger.lookUp(where, { kind: 'file', name: 'a', file }, {}), { code: 'document.diploma' });
  assert.deepEqual(one.asked, []);
});

test('documents: a digest is read as tools print it', async () => {
  const where = { trust: ledger.TrustFile.decode(read('trust.json')), nodes: [], now: () => 0 };
  const look = (hash, alg) => ledger.lookUp(where, alg === undefined ? { kind: 'hash', hash } : { kind: 'hash', hash, alg }, {});
  assert.equal((await look(` ${'AB'.repeat(32)}\n`)).digest, 'ab'.repeat(32));
  assert.equal((await look(Buffer.from('ab'.repeat(48), 'hex').toString('base64url'), 'sha3-384')).digest, 'ab'.repeat(48));
  for (const [hash, alg] of [['', undefined], ['xy'.repeat(32), undefined], ['ab'.repeat(31), undefined], ['ab'.repeat(32), 'md5'], ['ab'.repeat(32), 'sha2-512']]) {
    await assert.rejects(look(hash, alg), { code: 'document.digest' });
  }
});

test('pictures say how large they are before anybody unpacks them', () => {
  const png = Buffer.alloc(24);
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(png);
  png.writeUInt32BE(70_000, 16);
  png.writeUInt32BE(50_000, 20);
  assert.deepEqual(ledger.pictureSize(png), { width: 70_000, height: 50_000 });
  const jpeg = Buffer.from('ffd8ffe000104a46494600010100000100010000ffffc000110801f4032003012200021101031101', 'hex');
  assert.deepEqual(ledger.pictureSize(jpeg), { width: 800, height: 500 });
  for (const none of [png.subarray(0, 20), jpeg.subarray(0, 12), Buffer.from('GIF89a'), Buffer.alloc(0), Buffer.from('ffd8ff', 'hex')]) {
    assert.equal(ledger.pictureSize(none), undefined);
  }
});
