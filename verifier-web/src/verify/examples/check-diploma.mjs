// Checks a diploma offline: node check-diploma.mjs TRUST_FILE DIPLOMA [TIME]
import { readFile } from "node:fs/promises";
import { checkFile, policyNow, TrustFile } from "@testamur/verify";

const [trustPath, diplomaPath, time] = process.argv.slice(2);
const trust = TrustFile.decode(await readFile(trustPath)); // throws a TrustError
const now = time === undefined ? Math.floor(Date.now() / 1000) : Number(time);

const diploma = new Uint8Array(await readFile(diplomaPath)); // PDF, package, JWT, ZIP, …
const { verdict, reports } = await checkFile(trust, diploma, { policy: policyNow(now) });
for (const { reason, steps, subject } of reports) {
  console.log(reason, JSON.stringify(subject ?? null));
  for (const { step, outcome, reason } of steps) console.log(`  ${step}: ${outcome} (${reason})`);
}
console.log(verdict); // "valid", "not-valid" or "cannot-tell"
process.exitCode = verdict === "valid" ? 0 : verdict === "not-valid" ? 3 : 4;
