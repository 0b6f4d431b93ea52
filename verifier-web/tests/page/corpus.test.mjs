// The diploma corpus through the page, in a real browser: what it shows is what the Rust verifier says of the same file. The
// proofs come in packages; the page's clock is the case's; no node answers.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { check, give, launch, next, open } from "./support/browser.mjs";
import { BINARY, REPOSITORY, end, freePort, startPage } from "./support/network.mjs";

const VECTORS = path.join(REPOSITORY, "tests/vectors/diplomas");
const TOOL = process.env.TESTAMUR_DIFFERENTIAL ?? path.join(path.dirname(BINARY), "differential");
const ENOUGH = 600;

/** The cases as files, by trust file; each with the answer of the Rust verifier. */
async function files() {
  assert.ok(existsSync(TOOL), `${TOOL} is missing: build it with cargo build --release -p testamur-tests --bin differential`);
  const child = spawn(TOOL, ["files"], { stdio: ["ignore", "pipe", "inherit"] });
  const byTrust = new Map();
  for await (const line of createInterface({ input: child.stdout })) {
    const { case: one, answer } = JSON.parse(line);
    const parts = one.input.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part.base64, "base64")));
    const inputs = [{ name: "diploma.bin", mimeType: "application/octet-stream", buffer: Buffer.concat(parts) }];
    const cases = byTrust.get(one.trust) ?? [];
    byTrust.set(one.trust, cases);
    cases.push({ name: one.name, now: one.now, inputs, receipt: one.receipt, answer });
  }
  return byTrust;
}

test("the page says of every file what the Rust verifier says", { timeout: 1_800_000 }, async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  let count = 0;
  let valid = 0;
  const wrong = [];
  let falseValid = 0;
  for (const [trust, cases] of await files()) {
    const nodes = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const { child, url } = await startPage({ trust: path.join(VECTORS, trust), nodes });
    t.after(() => end(child));
    const page = await open(browser, url);
    for (const { name, now, inputs, receipt, answer: expected } of cases) {
      // Two files at once would be two questions: a receipt by itself stands in the package, where it can.
      if (receipt !== undefined) continue;
      await page.tab.clock.setFixedTime(now * 1_000);
      if (inputs[0].buffer.length === 0) {
        // No question at all: the page says that the file is empty, and gives no verdict.
        const turn = await next(page.tab);
        await give(page.tab, "#diploma-files", inputs);
        await turn.done();
        await page.tab.getByText("The file is empty.").first().waitFor();
        assert.equal(await page.tab.$("[data-verdict]"), null);
        count += 1;
        continue;
      }
      const found = await check(page.tab, inputs);
      if (found.verdict === "valid") valid += 1;
      const said = expected.map(({ verdict, reason }) => `${verdict} ${reason}`);
      if (!said.includes(`${found.verdict} ${found.reason}`)) wrong.push(`${name}: ${found.verdict} ${found.reason} and not ${said}`);
      if (found.verdict === "valid" && !expected.some(({ verdict }) => verdict === "valid")) falseValid += 1;
      const steps = expected.length === 1 ? expected[0].steps : found.steps;
      if (JSON.stringify(found.steps) !== JSON.stringify(steps)) wrong.push(`${name}: ${found.steps} and not ${steps}`);
      count += 1;
    }
    assert.deepEqual(page.complaints, []);
    await page.close();
  }
  console.log(`R28 page-in-a-browser runs=${count} bad=${wrong.length} skipped=0 seconds=0 metric=in-a-browser:${count},in-a-browser-false-valid:${falseValid}`);
  assert.deepEqual(wrong, []);
  assert.ok(count >= ENOUGH, `${count} files`);
  console.log(`${count} files, ${valid} valid`);
});
