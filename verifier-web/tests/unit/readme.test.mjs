// The package's readme shows a program: it is the file in examples/, and it does what the readme says.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import * as verify from "../../src/verify/dist/index.js";
import { load, loadJson } from "./support/records.mjs";

const folder = new URL("../../src/verify/", import.meta.url);
const example = new URL("examples/check-diploma.mjs", folder);
const readme = readFileSync(new URL("README.md", folder), "utf8");
const front = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

/** A package of a case of the golden vectors, as a registrar hands it out. */
function packageOf(name) {
  const one = loadJson("diplomas/valid.json").find((test) => test.name === name);
  assert.ok(one, name);
  const file = (path) => JSON.parse(Buffer.from(load(`diplomas/${path}`)).toString());
  return JSON.stringify({
    type: "testamur-diploma-package",
    v: 1,
    credential: one.input.join(""),
    ...(one.receipt === undefined ? {} : { receipt: file(one.receipt) }),
    evidence: file(one.evidence),
    lists: file(one.lists),
  });
}

test("the program in the readme and on the front page is the example, line by line", () => {
  for (const text of [readme, front]) {
    const shown = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);
    assert.ok(shown.includes(readFileSync(example, "utf8")));
  }
});

test("the example checks a diploma package offline", () => {
  const scratch = mkdtempSync(join(tmpdir(), "testamur-readme-"));
  try {
    const write = (name, content) => {
      writeFileSync(join(scratch, name), content);
      return join(scratch, name);
    };
    const trust = write("trust.json", load("diplomas/trust.json"));
    const { now } = loadJson("diplomas/valid.json")[0];
    const run = (diploma) => {
      const { status, stdout } = spawnSync(process.execPath, [fileURLToPath(example), trust, diploma, String(now)], { encoding: "utf8" });
      return [status, stdout.trim().split("\n").pop()];
    };
    const good = packageOf("good-es256-sd-jwt");
    assert.deepEqual(run(write("good.json", good)), [0, "valid"]);
    assert.deepEqual(run(write("other.txt", "no diploma")), [4, "cannot-tell"]);
    const [head, payload, ...rest] = JSON.parse(good).credential.split(".");
    const altered = [head, `${payload.slice(0, -8)}AAAAAAAA`, ...rest].join(".");
    assert.deepEqual(run(write("altered.json", JSON.stringify({ ...JSON.parse(good), credential: altered }))), [3, "not-valid"]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});

test("what the readme names is what the package has", () => {
  // The overview's table: `name` or `Name.method` in its first column.
  const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
  const names = rows.flatMap((row) => [...row.split("|")[1].matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name));
  assert.ok(names.length > 15);
  for (const name of names) assert.ok(name in verify, name);
});
