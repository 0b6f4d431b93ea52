// What every verifier must answer, all of it: tests/vectors/diplomas through this one.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { REASON_CODES, STEPS, reasonOf } from "../../src/verify/dist/verify/reason.js";
import { DiplomaRunner, stepsOf } from "./support/diplomas.mjs";

const FOLDER = new URL("../../../tests/vectors/diplomas/", import.meta.url);
const load = (path) => readFileSync(new URL(path, FOLDER));
const TABLES = ["valid", ...STEPS];
const cases = TABLES.flatMap((table) => JSON.parse(load(`${table}.json`)).map((test) => ({ table, ...test })));

test("every case gets its answer", async () => {
  const runner = new DiplomaRunner();
  const reasons = new Set();
  const wrong = [];
  const began = performance.now();
  for (const { table, name, verdict, reason, steps, ...input } of cases) {
    const reports = await runner.judge(input, load);
    assert.equal(reports.length, 1, `${table}, ${name}: a case is about one credential`);
    const [report] = reports;
    const expected = [verdict, reason, ...steps].join(" | ");
    const found = [report.verdict, report.reason, ...stepsOf(report)].join(" | ");
    if (found !== expected) wrong.push(`${table}, ${name}\n  expected ${expected}\n  found ${found}`);
    reasons.add(report.reason);
    for (const step of report.steps) if (step.outcome !== "not-checked") reasons.add(step.reason);
  }
  const took = performance.now() - began;
  assert.equal(wrong.length, 0, `${wrong.length} differ:\n${wrong.join("\n")}`);
  assert.deepEqual(REASON_CODES.filter((code) => !reasons.has(code)), [], "reasons that no case has");
  console.log(`${cases.length} diplomas, ${reasons.size} reasons, ${took.toFixed(0)} ms`);
});

test("the cases are all there", () => {
  assert.ok(cases.length >= 694, `${cases.length} cases`);
  const tables = readdirSync(FOLDER).filter((name) => name.endsWith(".json") && TABLES.includes(name.slice(0, -5)));
  assert.equal(tables.length, TABLES.length);
});

test("the reasons are the table of FORMATS.md", () => {
  const formats = readFileSync(new URL("../../../FORMATS.md", import.meta.url), "utf8");
  const [, rest] = formats.split("<!-- reasons: written by `verify::reason::table` -->\n");
  const [documented] = rest.split("<!-- end of reasons -->");
  const rows = REASON_CODES.map((code) => {
    const { step, outcome, sentence, next } = reasonOf(code);
    const number = code === "valid" ? "–" : STEPS.indexOf(step) + 1;
    return `| \`${code}\` | ${number} | ${code === "valid" ? "valid" : outcome} | ${sentence} | ${next} |`;
  });
  const head = "| code | step | makes of it | in words | what next |\n| --- | --- | --- | --- | --- |\n";
  assert.equal(documented.trim(), (head + rows.join("\n")).trim());
});
