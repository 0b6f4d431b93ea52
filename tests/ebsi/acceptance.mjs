// The whole of it against a running node: a university onboards for each algorithm, publishes lists and issues diplomas;
// EBSI's library verifies them, refuses what it should, and changes its mind when the ledger does. Each step is a process
// of its own, as it would be in life. Prints one JSON line a check; exit code 0 if all were as expected.
//
//   node acceptance.mjs BASE ACCREDITOR       a TAO, as for onboard.mjs, such as the agency of a
//                                             development network; BASE is genesis' public_base
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { decodeJwt } from "jose";
import { attributeUrl, credential } from "./credentials.mjs";
import { load, sign } from "./issuer.mjs";
import { newDid } from "./jws.mjs";
import { get } from "./node.mjs";

const [base, accreditor] = process.argv.slice(2);
if (!accreditor) {
  console.error("use: acceptance.mjs BASE ACCREDITOR");
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), "testamur-ebsi-"));
const HOLDER =
  "did:key:z2dmzD81cgPx8Vki7JbuuMmFYrWPgYoytykUZ3eyqht1j9KbsEYvdrjxMjQ4tpnje9BDBTzuNDP3knn6qLZErzd4bJ5go2CChoPjd5GAH3zpFJP5fuwSk66U5Pq6EhF4nKnHzDnznEP8fX99nZGgwbAh1o7Gj1X52Tdhf7U4KTk66xsA5r";

/** Meets the schema of a development network's diplomas. */
const SUBJECT = {
  id: HOLDER,
  givenName: "Ξένια",
  familyName: "Παπαδοπούλου",
  dateOfBirth: "2001-04-22",
  title: [{ language: "en", text: "Master of Examples" }],
  awardingDate: "2026-06-26",
  jurisdiction: "https://publications.europa.eu/resource/authority/atu/LUX",
};

/** Runs one of the scripts beside this one; resolves to its output, whatever its exit code. */
function run(script, parameters, input = "") {
  return new Promise((resolve) => {
    const command = [join(import.meta.dirname, script), ...parameters];
    const child = execFile(process.execPath, command, (error, output, problem) =>
      resolve({ ok: !error, output: output.trim(), problem: problem.trim() }),
    );
    child.stdin.end(input);
  });
}
async function onboard(step, parameters, input) {
  const { ok, output, problem } = await run("onboard.mjs", [step, ...parameters], input);
  if (!ok) throw new Error(`onboard.mjs ${step}: ${problem}`);
  return output;
}
function file(name, text) {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** What the library says, and what it should say: null, or a part of its refusal. */
async function expect(name, jwt, refusal, options = []) {
  const { output } = await run("check.mjs", [base, "verify", file("credential.jwt", jwt), ...options]);
  const { ok, error } = JSON.parse(output);
  report(name, refusal === null ? ok : !ok && error.includes(refusal), error);
}
function report(name, ok, error) {
  if (!ok) process.exitCode = 1;
  console.log(JSON.stringify({ check: name, ok, ...(error && { library: error }) }));
}
/** Waits for what comes true by itself, at the latest with the block that an idle network makes. */
async function until(condition) {
  const deadline = Date.now() + 90_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("waited 90 seconds in vain");
    await setTimeout(250);
  }
}
/** A change of one byte of the signature. */
function forged(jwt) {
  const at = jwt.lastIndexOf(".") + 9;
  return jwt.slice(0, at) + (jwt[at] === "A" ? "B" : "A") + jwt.slice(at + 1);
}

try {
  const tao = await load(accreditor);
  const body = (await get(base, new URL(attributeUrl(base, tao.did, tao.attribute)).pathname)).attribute.body;
  const wanted = decodeJwt(body).vc.credentialSubject.accreditedFor;
  const [{ schemaId }] = wanted;
  const types = ["UniversityDegree"];
  const who = { names: [{ lang: "en", name: "University of Examples" }], country: "LU", wanted };
  await expect("the accreditor's own accreditation", body, null);

  const ended = [];
  for (const alg of ["ES256", "ES256K", "EdDSA"]) {
    const [home, began] = [join(directory, alg), Date.now()];
    const request = file(`${alg}.request`, await onboard("request", [home, base, alg], JSON.stringify(who)));
    const authorisation = await onboard("authorise", [accreditor, request]);
    await onboard("register", [home, file(`${alg}.authorisation`, authorisation)]);
    const accreditation = await onboard("accredit", [accreditor, request]);
    const { attribute, record } = JSON.parse(
      await onboard("accept", [home, file(`${alg}.accreditation`, accreditation)]),
    );
    report(`${alg}: onboarded within a minute`, Date.now() - began < 60_000);

    const issuer = await load(home);
    const diploma = (more) => onboard("issue", [home], JSON.stringify({ subject: SUBJECT, types, schemaId, ...more }));
    const resolved = JSON.parse((await run("check.mjs", [base, "resolve", issuer.did])).output);
    report(
      `${alg}: the resolver finds both keys`,
      resolved.document?.verificationMethod.length === 2,
      resolved.message,
    );
    await expect(`${alg}: authorisation to onboard`, authorisation, null);
    await expect(`${alg}: accreditation to attest`, JSON.parse(accreditation).credential, null);
    const plain = await diploma();
    await expect(`${alg}: a diploma`, plain, null);

    await onboard("list", [home, "revocation-1", "revocation"]);
    await onboard("list", [home, "suspension-1", "suspension"]);
    const listed = await diploma({ lists: ["revocation-1", "suspension-1"] });
    await expect(`${alg}: a diploma with two lists`, listed, null);
    const [revocation, suspension] = decodeJwt(listed).vc.credentialStatus.map((entry) => entry.statusListIndex);
    await onboard("list", [home, "suspension-1", "suspension", suspension]);
    await expect(`${alg}: suspended`, listed, "The credential is suspended");
    await onboard("list", [home, "suspension-1", "suspension"]);
    await expect(`${alg}: no longer suspended`, listed, null);
    await onboard("list", [home, "revocation-1", "revocation", revocation]);
    await expect(`${alg}: revoked`, listed, "The credential is revoked");
    await expect(`${alg}: another diploma of the same list`, await diploma({ lists: ["revocation-1"] }), null);

    await expect(`${alg}: a broken signature`, forged(plain), "Invalid signature");
    await expect(`${alg}: a type outside`, await diploma({ types: ["LicenceToLie"] }), "is not accredited to issue");
    const nowhere = new URL(`0x${"00".repeat(32)}`, schemaId).href;
    await expect(`${alg}: a schema that is not there`, await diploma({ schemaId: nowhere }), "not found");
    await expect(`${alg}: a schema that is not met`, await diploma({ subject: { id: HOLDER } }), "Invalid VC payload");
    const terms = attributeUrl(base, issuer.did, attribute);
    const parts = { issuer: issuer.did, subject: SUBJECT, types, schemas: schemaId, termsOfUse: terms };
    const dates = { validFrom: "2020-01-01T00:00:00Z", expirationDate: "2021-01-01T00:00:00Z" };
    await expect(`${alg}: expired`, await sign(issuer, credential({ ...parts, ...dates })), "is not valid after");
    const stranger = { ...issuer, did: newDid() };
    const unknown = await sign(stranger, credential({ ...parts, issuer: stranger.did }));
    await expect(`${alg}: an issuer that nobody knows`, unknown, "notFound");

    await onboard("end", [accreditor, attribute, record, "privilege-withdrawn"]);
    ended.push({ alg, plain, attribute: new URL(terms).pathname });
  }

  // Registered, and accredited by nobody.
  const home = join(directory, "nobody");
  const request = file("nobody.request", await onboard("request", [home, base], JSON.stringify(who)));
  await onboard("register", [home, file("nobody.authorisation", await onboard("authorise", [accreditor, request]))]);
  const nobody = await load(home);
  const parts = { issuer: nobody.did, subject: SUBJECT, types, schemas: schemaId };
  await expect("an issuer whom nobody accredited", await sign(nobody, credential(parts)), "is not a trusted issuer");

  const { ok, output, problem } = await run("refused.mjs", [base, accreditor]);
  console.log(output);
  report("the ledger refuses what the library would accept", ok, problem);

  // A node answers as of its newest block, and an end lies a moment ahead: by now blocks have followed, or the next will.
  for (const { alg, plain, attribute } of ended) {
    await until(async () => (await get(base, attribute)).attribute.issuerType === "Revoked");
    await expect(`${alg}: the accreditation has ended`, plain, "Revoked");
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
