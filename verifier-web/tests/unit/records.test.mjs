// Records, receipts and the formats beneath them: every golden vector, with the verdict and code that it names.

import assert from "node:assert/strict";
import test from "node:test";

import { base64url, equalBytes, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import { jcs } from "../../src/verify/dist/base/json.js";
import { checkpointBody, cosignatureMessage, parseCheckpoint } from "../../src/verify/dist/records/checkpoint.js";
import { batchLeafHash, digestDocument, DIGEST_ALGORITHMS, entryOf, leafOf, readOpening, verifyBatch } from "../../src/verify/dist/records/commitment.js";
import { didOf, didOfKey, isDidUrl, jwkJcsDid, keyIdOfDid, keyOfKeyId } from "../../src/verify/dist/records/did.js";
import { quorum, TrustedEpoch, ValidatorSet } from "../../src/verify/dist/records/epoch.js";
import { Genesis, GenesisError } from "../../src/verify/dist/records/genesis.js";
import { decodeHeader, valueId } from "../../src/verify/dist/records/header.js";
import { parseVerifierKey, verifierKeyText } from "../../src/verify/dist/records/note.js";
import { tlogPolicy } from "../../src/verify/dist/records/policy.js";
import { Receipt } from "../../src/verify/dist/records/receipt.js";
import { Record } from "../../src/verify/dist/records/record.js";
import { TrustError, TrustFile } from "../../src/verify/dist/records/trust.js";
import { precommitNilMessage, prevoteMessage, proofOfValidatorMessage, proposalMessage } from "../../src/verify/dist/records/votes.js";
import { judgeReceipt, judgeReceiptBytes, judgeRecord, load, loadJson, strict, trustNamed } from "./support/records.mjs";

const text = (bytes) => new TextDecoder().decode(bytes);

test("receipts get their verdicts", async (t) => {
  const cases = loadJson("receipts.json");
  for (const one of cases) assert.deepEqual(await judgeReceipt(one), [one.exit, one.code], one.name);
  assert.ok(cases.length >= 163, "the file holds all of them");
  t.diagnostic(`${cases.length} receipts`);
});

test("every code of a receipt has a vector", async () => {
  const found = new Set(loadJson("receipts.json").map(({ code }) => code));
  const large = new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20);
  found.add((await judgeReceiptBytes(large, trustNamed("trust.json"), 0))[1]);
  const codes =
    "malformed unknown-format changed unknown-network origin header epoch no-quorum certificate validators contradiction " +
    "inclusion record author-key opening document-differs not-a-notarisation opening-missing too-large";
  for (const code of codes.split(" ")) assert.ok(found.has(`receipt.${code}`), code);
});

test("a changed byte anywhere in a receipt is refused", async () => {
  const good = loadJson("receipts.json").filter(({ code }) => code === "confirmed");
  let state = 1n;
  const next = (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number(state >> 33n) % below;
  };
  for (let i = 0; i < 1000; i++) {
    const one = good[next(good.length)];
    const bytes = load(one.receipt);
    const at = next(bytes.length);
    bytes[at] ^= 1 + next(255);
    const [exit, code] = await judgeReceiptBytes(bytes, trustNamed(one.trust), one.at);
    assert.ok(exit === 3 || exit === 4, `${one.name} byte ${at}: ${code}`);
  }
});

test("a receipt that was read is written as it was, and shares its ledger part", () => {
  const bytes = load("receipts/batch.json");
  const receipt = Receipt.decode(bytes);
  assert.ok(equalBytes(receipt.encode(), bytes));
  const bare = receipt.withoutOpening();
  assert.equal(bare.opening, undefined);
  assert.equal(bare.ledgerPart, receipt.ledgerPart);
  assert.notEqual(Receipt.decode(load("receipts/plain.json")).ledgerPart, receipt.ledgerPart);
  assert.match(receipt.tlogProof(), /^c2sp\.org\/tlog-proof@v1\nindex \d+\n/);
});

test("the sample receipt is confirmed", async () => {
  const receipt = load("sample/contract.pdf.receipt.json");
  const document = load("sample/contract.pdf");
  const trust = trustNamed("sample/trust.json");
  const at = trust.genesis.time + 3600;
  assert.deepEqual(await judgeReceiptBytes(receipt, trust, at, document), [0, "confirmed"]);
  const other = new Uint8Array([...document, 0x20]);
  assert.deepEqual(await judgeReceiptBytes(receipt, trust, at, other), [3, "receipt.document-differs"]);
});

test("records are admitted or refused with their codes", async (t) => {
  const { network, time, good, bad } = loadJson("records.json");
  for (const { what, record, id, leaf_hash, jwk } of good) {
    assert.equal(await judgeRecord(utf8(record), network, time), null, what);
    const read = Record.parse(record);
    assert.equal(read.id, id, what);
    assert.equal(read.leafHash(), leaf_hash, what);
    assert.deepEqual((await read.verifyDidKey()).toJwk(), jwk, what);
  }
  for (const { what, bytes, code } of bad) {
    assert.equal(await judgeRecord(new Uint8Array(Buffer.from(bytes, "base64")), network, time), code, what);
  }
  assert.ok(good.length >= 31 && bad.length >= 67);
  t.diagnostic(`${good.length} good records, ${bad.length} bad ones`);
});

test("records of the registries' story are read as they were made", (t) => {
  const story = loadJson("registries.json");
  for (const { record, id, what } of story) assert.equal(Record.parse(record).id, id, what);
  assert.ok(story.length > 10);
  t.diagnostic(`${story.length} records`);
});

test("records that change a network's members are read as they were made, and sets have their hashes", async (t) => {
  const { network, time, steps, epochs, state, bad } = loadJson("members.json");
  for (const { record, id, what } of steps) assert.equal(Record.parse(record).id, id, what);
  const types = new Set(steps.map(({ record }) => {
    const { act } = JSON.parse(Buffer.from(record.split(".")[1], "base64url"));
    return act.type === "propose" ? act.change.type : act.type;
  }));
  const acts =
    "change-validators withdraw-set-change change-operators set-parameters set-protocol retire-algorithm set-page-hosts synced";
  for (const act of acts.split(" ")) assert.ok(types.has(act), act);
  for (const { epoch, validators, header } of epochs) {
    const read = decodeHeader(header);
    assert.deepEqual([read.epoch, ValidatorSet.read(validators).hash], [epoch, read.validatorsHash]);
  }
  assert.deepEqual(epochs.map(({ validators }) => validators.length), [4, 5, 5, 4]);
  // The second of them has an address that is not the hash of its registration: a rotation keeps the first one's.
  const rotated = JSON.parse(state["epoch/network/head"]).validators;
  assert.deepEqual(rotated, epochs[3].validators.map(({ address }) => address));
  for (const { what, bytes, code } of bad) {
    assert.equal(await judgeRecord(new Uint8Array(Buffer.from(bytes, "base64")), network, time), code, what);
  }
  assert.ok(steps.length > 20 && bad.length > 20);
  t.diagnostic(`${steps.length} records, ${bad.length} malformed ones`);
});

test("headers have their hashes and value ids", () => {
  const headers = loadJson("headers.json");
  for (const { text, hash, value_id } of headers) {
    const header = decodeHeader(text);
    assert.equal(header.hash, hash);
    assert.equal(hex(valueId(header)), value_id);
  }
  assert.ok(headers.length >= 3);
});

test("genesis, its names and its validators have their hashes", () => {
  const file = loadJson("genesis.json");
  const genesis = Genesis.decode(JSON.stringify(file.genesis));
  assert.equal(jcs(genesis.json), file.canonical);
  assert.equal(genesis.hash, file.hash);
  assert.equal(genesis.origin, file.origin);
  assert.equal(genesis.parametersHash, file.parameters_hash);
  assert.equal(genesis.validatorSet.hash, file.validators_hash);
  const addresses = new Set(genesis.validatorSet.validators.map(({ address }) => address));
  assert.deepEqual(addresses, new Set(file.validators.map(({ address }) => address)));
  assert.equal(file.validators.length, 4);
});

test("a genesis that breaks a rule is refused", () => {
  const { genesis } = loadJson("genesis.json");
  const with_ = (change) => {
    const other = structuredClone(genesis);
    change(other);
    return JSON.stringify(other);
  };
  const broken = [
    ["json", (g) => (g.extra = 1)],
    ["json", (g) => (g.did_method = null)],
    ["json", (g) => delete g.time],
    ["json", (g) => (g.time = 1.5)],
    ["rule", (g) => (g.v = 2)],
    ["rule", (g) => (g.protocol = 2)],
    ["rule", (g) => (g.domain = "Ledger")],
    ["rule", (g) => g.validators.pop()],
    ["rule", (g) => (g.approvals_required = 2)],
    ["rule", (g) => (g.operators = [])],
    ["rule", (g) => g.operators.push(g.operators[0])],
    ["rule", (g) => (g.operators[0].country = "de")],
    ["rule", (g) => (g.writers = ["did:ebsi:zZUptBCPeJW4AckamCgvThx"])],
    ["rule", (g) => (g.parameters.heartbeat_s = 0)],
    ["rule", (g) => (g.did_method = "key")],
    ["rule", (g) => (g.public_base = "https://ledger.example/")],
    ["rule", (g) => (g.status_history_days = 36526)],
    ["validator", (g) => (g.validators[0].registration.not_after += 1)],
    ["validator", (g) => (g.validators[0].possession.peer = g.validators[0].possession.log)],
    ["validator", (g) => (g.validators[0].registration.keys = [])],
    ["rule", (g) => (g.validators[1] = g.validators[0])],
  ];
  for (const [reason, change] of broken) {
    assert.throws(() => Genesis.decode(with_(change)), (error) => error instanceof GenesisError && error.reason === reason, `${change}`);
  }
  for (const change of [(g) => (g.did_method = "euk"), (g) => (g.public_base = "http://127.0.0.1:8080"), (g) => (g.status_history_days = 0)]) {
    Genesis.decode(with_(change));
  }
});

test("trust files are read, and refused when they do not hold", () => {
  const names = ["trust.json", "trust-other.json", "trust-pinned.json", "trust-pinned-epoch-0.json", "trust-registries.json", "trust-members.json", "trust-members-pinned.json"];
  for (const name of names) {
    const trust = TrustFile.decode(load(name));
    assert.equal(trust.pinned !== undefined, name.includes("pinned"), name);
    assert.equal(trust.fingerprint, TrustFile.decode(trust.toJson()).fingerprint, name);
    assert.equal(trust.network, trust.genesis.hash);
  }
  const pinned = loadJson("trust-pinned.json");
  const other = loadJson("trust-other.json");
  const refused = [
    ["kind", { ...pinned, type: "testamur-receipt" }],
    ["kind", { ...pinned, v: 2 }],
    ["json", { ...pinned, extra: 1 }],
    ["json", { ...pinned, checkpoint: { ...pinned.checkpoint, validators: [...pinned.checkpoint.validators].reverse() } }],
    ["genesis", { ...pinned, genesis: { ...pinned.genesis, v: 2 } }],
    ["checkpoint", { ...pinned, genesis: other.genesis }],
    ["checkpoint", { ...pinned, checkpoint: { ...pinned.checkpoint, note: pinned.checkpoint.note.replace("height ", "height 1") } }],
  ];
  for (const [reason, file] of refused) {
    const holds = (error) => error instanceof TrustError && error.reason === reason;
    assert.throws(() => TrustFile.decode(JSON.stringify(file)), holds, reason);
  }
  assert.throws(() => TrustFile.decode(" ".repeat(4 * 1024 * 1024 + 1)), (error) => error.reason === "too-large");
});

test("a changed trust file is refused as one, or is another network's", () => {
  const good = load("trust-pinned.json");
  const { fingerprint } = TrustFile.decode(good);
  let refused = 0;
  let other = 0;
  for (let i = 0; i < 300; i++) {
    const bytes = good.slice();
    bytes[(i * 7919) % bytes.length] ^= 1 + ((i * 31) % 255);
    try {
      // White space may be any, and is no part of the fingerprint.
      if (TrustFile.decode(bytes).fingerprint !== fingerprint) other++;
    } catch (error) {
      assert.ok(error instanceof TrustError, `${error.stack}`);
      refused++;
    }
  }
  assert.ok(refused > 200, `${refused} refused, ${other} of other networks`);
});

test("checkpoints have six lines in one spelling", () => {
  const file = loadJson("checkpoint.json");
  const checkpoint = parseCheckpoint(file.body);
  assert.equal(checkpointBody(checkpoint), file.body);
  assert.equal(checkpoint.round, file.round);
  const header = decodeHeader(file.header);
  assert.equal(checkpoint.header, header.hash);
  assert.equal(text(cosignatureMessage(header.time, file.body)), file.cosignature_message);
  const lines = file.body.split("\n");
  const bad = [
    file.body.slice(0, -1),
    `${file.body}extension\n`,
    `${file.body}\n`,
    lines.slice(1).join("\n"),
    file.body.replace("height 2", "height 02"),
    file.body.replace("height 2", "height +2"),
    file.body.replace("height 2", "height 18446744073709551616"),
    file.body.replace("round 3", "round 4294967296"),
    file.body.replace("round 3", "round  3"),
    file.body.replace("header ", "Header "),
    file.body.replace("=\nheight", "\nheight"),
    ["", ...lines.slice(1)].join("\n"),
  ];
  for (const body of bad) assert.throws(() => parseCheckpoint(body), { code: "checkpoint" }, body);
});

test("a certificate is the decision of its set and of no other", () => {
  const genesis = Genesis.decode(JSON.stringify(loadJson("genesis.json").genesis));
  const header = decodeHeader(loadJson("checkpoint.json").header);
  const note = text(load("certificate.note"));
  const epoch = new TrustedEpoch(0, genesis.validatorSet);
  const { witnesses } = epoch.certify(genesis.origin, header, note);
  assert.equal(witnesses.length, 4);
  const reason = (set, text) => {
    try {
      new TrustedEpoch(0, set).certify(genesis.origin, header, text);
      return undefined;
    } catch (error) {
      return error.certificate?.reason;
    }
  };
  const lines = note.split("\n");
  const first = lines.findIndex((line) => line.startsWith("— validator"));
  const without = (count) => [...lines.slice(0, first), ...lines.slice(first + count)].join("\n");
  assert.equal(reason(genesis.validatorSet, without(1)), undefined, "three of four");
  assert.equal(reason(genesis.validatorSet, without(2)), "no-quorum");
  assert.equal(reason(genesis.validatorSet, without(2).replace(/\n$/, `\n${lines[first + 2]}\n`)), "no-quorum", "a key twice");
  assert.equal(reason(genesis.validatorSet, note.replace(/round \d+/, "round 77")), "bad-signature");
  assert.equal(reason(ValidatorSet.read(strict(loadJson("validator-set.json").set)), note), "validator-set");
});

test("validator sets have their hash, term and quorum", () => {
  const file = loadJson("validator-set.json");
  const set = ValidatorSet.read(strict(file.set));
  assert.equal(set.hash, file.hash);
  assert.equal(set.inOfficeUntil, file.until);
  const swapped = [file.set[1], file.set[0], ...file.set.slice(2)];
  assert.throws(() => ValidatorSet.read(strict(swapped)), { code: "codec.json" });
  const twice = file.set.map((one, i) => (i === 1 ? { ...one, log_key: file.set[0].log_key } : one));
  assert.throws(() => ValidatorSet.read(strict(twice)), { code: "codec.json" });
  assert.throws(() => ValidatorSet.read(strict(file.set.slice(1))), { code: "codec.json" });
  const quorums = loadJson("quorums.json");
  for (const [n, needed] of quorums) assert.equal(quorum(n), needed);
  assert.equal(quorums.length, 61);
});

test("verifier keys and the policy are those of the set", () => {
  const genesis = Genesis.decode(JSON.stringify(loadJson("genesis.json").genesis));
  const keys = loadJson("verifier-keys.json");
  assert.equal(tlogPolicy(genesis.origin, genesis.validatorSet), text(load("policy.txt")));
  assert.equal(keys.length, 4);
  keys.forEach(({ cosigner, log }, i) => {
    const validator = genesis.validatorSet.validators[i];
    for (const [key, bytes] of [[cosigner, validator.consensusKey], [log, validator.logKey]]) {
      const read = parseVerifierKey(key);
      assert.equal(verifierKeyText(read), key);
      assert.ok(equalBytes(read.key, bytes));
      assert.throws(() => parseVerifierKey(key.replace(/\+(.)/, (_, digit) => `+${digit === "0" ? 1 : 0}`)), { code: "note.verifier-key" });
    }
  });
});

test("votes have their bytes", () => {
  const file = loadJson("votes.json");
  const genesis = Genesis.decode(JSON.stringify(loadJson("genesis.json").genesis));
  const header = decodeHeader(loadJson("checkpoint.json").header);
  const place = { origin: genesis.origin, validator: genesis.validatorSet.validators[0].address, height: 2, round: 3 };
  const made = {
    prevote: prevoteMessage(place, valueId(header)),
    prevote_nil: prevoteMessage(place, undefined),
    precommit_nil: precommitNilMessage(place),
    proposal: proposalMessage(place, valueId(header), undefined),
    proposal_again: proposalMessage(place, valueId(header), 1),
    proof_of_validator: proofOfValidatorMessage(place.origin, place.validator, Uint8Array.of(0, 36, 8, 1, 18, 32)),
  };
  for (const [name, bytes] of Object.entries(made)) assert.equal(text(bytes), file[name], name);
  assert.equal(Object.keys(file).length, 6);
});

test("did:key has one spelling a key", () => {
  const { good, bad } = loadJson("did-key.json");
  for (const { kid, jwk } of good) {
    assert.ok(isDidUrl(kid), kid);
    const key = keyOfKeyId(kid);
    assert.deepEqual(key.toJwk(), jwk, kid);
    const dids = [didOfKey(key), jwkJcsDid(key)];
    assert.ok(dids.includes(didOf(kid)), kid);
    for (const did of dids) assert.ok(keyOfKeyId(keyIdOfDid(did)).equals(key), did);
  }
  for (const { kid, what } of bad) {
    assert.throws(() => {
      assert.ok(isDidUrl(kid));
      keyOfKeyId(kid);
    }, undefined, what);
  }
  assert.ok(good.length >= 8 && bad.length >= 22);
});

test("commitments and batch trees have their hashes", () => {
  const { count, leaves, paths, root } = loadJson("commitments.json");
  leaves.forEach(({ alg, digest, entry, leaf_hash, salt }, index) => {
    const opening = readOpening(strict({ index, alg, digest, ...(salt === null ? {} : { salt }), path: paths[index] }));
    const leaf = leafOf(opening);
    assert.equal(base64url(entryOf(leaf)), entry);
    assert.equal(batchLeafHash(leaf), leaf_hash);
    verifyBatch(opening, root, count);
    assert.throws(() => verifyBatch({ ...opening, index: (index + 1) % count }, root, count), { name: "MerkleError" });
  });
  assert.equal(leaves.length, 12);
  const empty = DIGEST_ALGORITHMS.map((algorithm) => hex(digestDocument(algorithm, new Uint8Array()).bytes).slice(0, 8));
  assert.deepEqual(empty, ["e3b0c442", "38b060a7", "cf83e135", "a7ffc6f8", "0c63a75b", "a69f73cc"]);
});
