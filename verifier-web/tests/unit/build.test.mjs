import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build, transformWithOxc } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));
const TARGETS = ['chrome94', 'firefox102', 'safari15.4'];
const folders = [];

/** Builds the page into a folder of its own and reads what came out. */
async function bundle() {
  const outDir = mkdtempSync(join(tmpdir(), 'testamur-page-'));
  folders.push(outDir);
  await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'error', build: { outDir, emptyOutDir: true } });
  const files = readdirSync(outDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const named = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(outDir.length + 1));
  return new Map(named.sort().map((name) => [name, readFileSync(join(outDir, name))]));
}

let one;
let two;

before(async () => {
  one = await bundle();
  two = await bundle();
});

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const scripts = () => [...one].filter(([name]) => name.endsWith('.js')).map(([name, bytes]) => [name, bytes.toString()]);

test('two builds give the same bytes', () => {
  assert.deepEqual([...one.keys()], [...two.keys()]);
  for (const [name, bytes] of one) assert.ok(bytes.equals(two.get(name)), name);
});

test('no bytes name the machine that built them', () => {
  for (const [name, bytes] of one) assert.ok(!bytes.includes(root), name);
});

test('the syntax is that of the oldest browsers', async () => {
  for (const [name, code] of scripts()) {
    // Lowering what is lowered already changes nothing: so there was nothing left.
    const printed = await transformWithOxc(code, name, { target: 'esnext', sourcemap: false });
    const lowered = await transformWithOxc(code, name, { target: TARGETS, sourcemap: false });
    assert.equal(lowered.code, printed.code, name);
  }
});

test('no pattern or function is newer than the oldest browsers', () => {
  // Safari 16.4 brought lookbehind, Firefox 116 the v flag; the others are of Chromium 97 and later.
  const newer = [
    [/\(\?<[=!]/, 'lookbehind'],
    [/\bstructuredClone\b/, 'structuredClone'],
    [/\bObject\.groupBy\b|\bMap\.groupBy\b/, 'groupBy'],
    [/\.(findLast|findLastIndex|toSorted|toReversed|toSpliced)\(/, 'newer array methods'],
    [/\bPromise\.withResolvers\b|\bArray\.fromAsync\b/, 'newer statics'],
    [/\bAbortSignal\.(timeout|any)\b/, 'AbortSignal.timeout'],
    [/\.(isWellFormed|toWellFormed)\(/, 'well-formed strings'],
  ];
  for (const [name, code] of scripts()) {
    for (const [pattern, what] of newer) assert.doesNotMatch(code, pattern, `${name}: ${what}`);
  }
});

test('no style needs a newer browser', () => {
  // Nesting, :has, layers and the newer colours came after the oldest browsers, which drop the whole rule.
  const newer = /:has\(|@layer|@scope|&[\s.:[>]|color-mix\(|light-dark\(|\b(?:ok)?l(?:ch|ab)\(|\d[dsl]v[hw]\b/;
  const styles = [...one].filter(([name]) => name.endsWith('.css'));
  assert.ok(styles.length > 0);
  for (const [name, bytes] of styles) assert.doesNotMatch(bytes.toString(), newer, name);
});

test('nothing is inline, and every address is relative', () => {
  const page = one.get('index.html').toString();
  for (const [, attributes, inside] of page.matchAll(/<script\b([^>]*)>([^]*?)<\/script>/g)) {
    assert.match(attributes, /\bsrc="\.\//);
    assert.equal(inside.trim(), '');
  }
  assert.doesNotMatch(page, /<style|\sstyle=|\son[a-z]+=|javascript:|data:/i);
  for (const [, address] of page.matchAll(/\b(?:src|href)="([^"]*)"/g)) assert.match(address, /^(\.\/|#)/, address);
});

test('no code is made of text, and none is put into the page as markup', () => {
  for (const [name, code] of scripts()) {
    assert.doesNotMatch(code, /\beval\(|new Function\(|document\.write\(|insertAdjacentHTML|outerHTML\s*=[^=]/, name);
  }
});

test('every language is a file of its own', () => {
  const isLanguage = (name) => /^[a-z]{2}\.json$/.test(name);
  const languages = readdirSync(join(root, 'src/ui/strings')).filter(isLanguage).map((name) => name.slice(0, 2));
  const built = [...one.keys()].flatMap((name) => /^assets\/lang\/([a-z]{2})-[^/]+\.js$/.exec(name)?.[1] ?? []);
  assert.deepEqual(built.sort(), languages.sort());
});

test('the service worker keeps every file of the bundle', () => {
  const worker = one.get('sw.js').toString();
  for (const name of one.keys()) {
    if (name !== 'sw.js') assert.ok(worker.includes(name), `${name} would be missing offline`);
  }
});
