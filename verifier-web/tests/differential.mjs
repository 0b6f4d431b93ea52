// Feeds both verifiers with mutants of the golden vectors, and compares every answer: node tests/differential.mjs [HOW MANY] [FROM]
//
// The mutants and the Rust answers come from tests/src/bin/differential.rs, a line each. Prints what was compared; every
// disagreement is printed with the number that makes it again, and ends the run with 1. The last lines are the campaign's:
// diplomas count for the page (R28), what lies below them for the parsers (R21).

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { Receipt } from "../src/verify/dist/records/receipt.js";
import { Evidence } from "../src/verify/dist/state/evidence.js";
import { DiplomaRunner, stepsOf } from "./unit/support/diplomas.mjs";
import { judgeReceiptBytes, judgeRecord, trustNamed } from "./unit/support/records.mjs";
import { judge as judgeEvidence } from "./unit/support/state.mjs";

const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(process.env.HOME, ".cache"), "testamur/target");
const TOOL = process.env.TESTAMUR_DIFFERENTIAL ?? path.join(TARGET, "release/differential");
const VECTORS = new URL("../../tests/vectors/", import.meta.url);
/** Disagreements that are printed whole. */
const SHOWN = 20;
/** The part of the mutants that must pass the signature: others say little of what lies behind it. */
const SIGNED_SHARE = 0.1;

const [count, from] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 0)];
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(from)) {
  console.error("usage: node tests/differential.mjs [HOW MANY] [FROM]");
  process.exit(2);
}
if (!existsSync(TOOL)) {
  console.error(`${TOOL} is missing: cargo build --release -p testamur-tests --bin differential`);
  process.exit(2);
}

const files = new Map();

/** A file of the diplomas' vectors, read once. */
function vector(name) {
  if (!files.has(name)) files.set(name, new Uint8Array(readFileSync(new URL(`diplomas/${name}`, VECTORS))));
  return files.get(name);
}

const decoded = (base64) => new Uint8Array(Buffer.from(base64, "base64"));
let runner = new DiplomaRunner();

/** Whether a receipt compares its document by SHA-256, as the Rust side of this run does. */
function comparable(bytes) {
  try {
    return (Receipt.decode(bytes).digestAlgorithm ?? "sha2-256") === "sha2-256";
  } catch {
    return true;
  }
}

/** This implementation's answer to a mutant. */
async function answerTo({ kind, case: found, files: own = {} }) {
  switch (kind) {
    case "record":
      return judgeRecord(decoded(found.bytes), found.network, found.time);
    case "receipt": {
      const bytes = decoded(own[found.receipt]);
      const document = found.document !== undefined && comparable(bytes) ? decoded(found.document) : undefined;
      return judgeReceiptBytes(bytes, trustNamed(found.trust), found.at, document);
    }
    case "evidence":
      return judgeEvidence(() => Evidence.decode(decoded(own[found.evidence])), found);
    case "diploma": {
      const reports = await runner.judge(found, (name) => (name in own ? decoded(own[name]) : vector(name)));
      return reports.map((report) => ({ reason: report.reason, steps: stepsOf(report), verdict: report.verdict }));
    }
    default:
      throw new Error(`no such kind: ${kind}`);
  }
}

/** The same value as the same text. */
const text = (value) => JSON.stringify(value, (_, one) => (one !== null && typeof one === "object" && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort()) : one));

const began = Date.now();
const kinds = new Map();
const answers = new Set();
let compared = 0;
let signed = 0;
let wrong = 0;
/** By row of the campaign: compared, different, and "valid" where the Rust verifier says otherwise. */
const rows = { R21: { runs: 0, bad: 0, falseValid: 0 }, R28: { runs: 0, bad: 0, falseValid: 0 } };
const isValid = (one) => one?.verdict === "valid" || one?.code === 0;
const child = spawn(TOOL, [String(count), String(from)], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => child.once("close", resolve));
for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
  const mutant = JSON.parse(line);
  let answer;
  try {
    answer = await answerTo(mutant);
  } catch (error) {
    answer = `threw ${error.stack}`;
  }
  compared += 1;
  signed += mutant.signed ? 1 : 0;
  kinds.set(`${mutant.kind}, ${mutant.change}`, (kinds.get(`${mutant.kind}, ${mutant.change}`) ?? 0) + 1);
  for (const one of [mutant.answer].flat()) answers.add(one?.reason ?? text(one));
  const row = mutant.kind === "diploma" ? rows.R28 : rows.R21;
  row.runs += 1;
  const [own, others] = [[answer].flat(), [mutant.answer].flat()];
  if (own.some((one, place) => isValid(one) && !isValid(others[place]))) row.falseValid += 1;
  if (text(answer) !== text(mutant.answer)) {
    wrong += 1;
    row.bad += 1;
    if (wrong <= SHOWN) console.log(`${mutant.number} (${mutant.kind}, ${mutant.change}, ${mutant.case.name ?? ""}):\n  Rust       ${text(mutant.answer)}\n  TypeScript ${typeof answer === "string" ? answer : text(answer)}`);
  }
}
const code = await ended;
const seconds = (Date.now() - began) / 1_000;
for (const [kind, number] of [...kinds].sort()) console.log(`${String(number).padStart(9)}  ${kind}`);
console.log(`${compared} mutants from number ${from}, ${((100 * signed) / compared).toFixed(1)} % of them pass the signature, ${answers.size} different answers, ${wrong} disagreements, ${seconds.toFixed(0)} s`);
for (const [row, { runs, bad, falseValid }] of Object.entries(rows)) {
  const name = row === "R28" ? "mutated-diplomas" : "two-verifiers";
  console.log(`${row} ${name} runs=${runs} bad=${bad} skipped=0 seconds=${seconds.toFixed(0)} metric=${name}:${runs},${name}-disagreements:${bad},${name}-false-valid:${falseValid}`);
}
if (code !== 0 || compared !== count) {
  console.log(`the tool ended with ${code} after ${compared} of ${count}`);
  process.exit(1);
}
if (signed < SIGNED_SHARE * compared) {
  console.log(`fewer than ${100 * SIGNED_SHARE} % pass the signature: such a run says too little`);
  process.exit(1);
}
process.exit(wrong === 0 ? 0 : 1);
