// Files that hold credentials: prints, PDFs of other programs, ZIPs, and what anybody may make of them.

import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { test } from "node:test";
import zlib from "node:zlib";

import { crc32, inflate, inflateZlib } from "../../src/verify/dist/base/inflate.js";
import { OpenError } from "../../src/verify/dist/files/error.js";
import { compactOf, openFile } from "../../src/verify/dist/files/open.js";
import { printDigest, split, update } from "../../src/verify/dist/files/print.js";
import { makeZip } from "./support/zip.mjs";

const bytes = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))));
const text = (found) => Buffer.from(found).toString();

/** A print as the renderer ends them: catalog last, a plain table, a trailer with two ids. */
function makePrint(pages = "") {
  let out = "%PDF-1.7\n%\x80\x80\x80\x80\n";
  const offsets = [];
  for (const object of [
    `1 0 obj\n<</Type/Pages/Kids[]/Count 0${pages}>>\nendobj\n\n`,
    "2 0 obj\n<</Title(x)>>\nendobj\n\n",
    "3 0 obj\n<</Type/Catalog/Pages 1 0 R/Lang(en)>>\nendobj\n\n",
  ]) {
    offsets.push(out.length);
    out += object;
  }
  const table = out.length;
  out += "xref\n0 4\n0000000000 65535 f\r\n";
  for (const offset of offsets) out += `${String(offset).padStart(10, "0")} 00000 n\r\n`;
  out += `trailer\n<</Size 4/Root 3 0 R/Info 2 0 R/ID[(abc=)(def=)]>>\nstartxref\n${table}\n%%EOF`;
  return new Uint8Array(Buffer.from(out, "latin1"));
}

function file(name, content, relationship = "Source") {
  const description = "Credential, signed: EQF 6";
  const mediaType = "application/dc+sd-jwt";
  return { name, mediaType, description, relationship, modified: 1_783_728_000, bytes: bytes(content) };
}

const whole = (print, files) => bytes(print, update(print, files));

test("the update's bytes are a format", () => {
  const expected = [
    "\n4 0 obj\n<</Type/EmbeddedFile/Subtype/application#2Fdc+sd-jwt/Length 3/Params<</Size 3",
    "/ModDate(D:20260711000000Z)>>>>\nstream\neyJ\nendstream\nendobj\n",
    "5 0 obj\n<</Type/Filespec/F(c.sd-jwt)/UF(c.sd-jwt)/EF<</F 4 0 R/UF 4 0 R>>",
    "/AFRelationship/Source/Desc(Credential, signed: EQF 6)>>\nendobj\n",
    "3 0 obj\n<</Type/Catalog/Pages 1 0 R/Lang(en)/Names<</EmbeddedFiles<</Names[(c.sd-jwt) 5 0 R]>>>>/AF[5 0 R]>>\n",
    "endobj\nxref\n3 3\n0000000597 00000 n\r\n0000000315 00000 n\r\n0000000460 00000 n\r\n",
    "trailer\n<</Size 6/Root 3 0 R/Info 2 0 R/ID[(abc=) <010b81e8899ea34417d353bfe9d51422>]/Prev 147>>\n",
    "startxref\n713\n%%EOF",
  ].join("");
  assert.equal(text(update(makePrint(), [file("c.sd-jwt", "eyJ")])), expected);
});

test("a print and its one update are told, and any other byte anywhere", () => {
  const print = makePrint();
  const pdf = whole(print, [file("credential.jwt", "eyJ.eyJ.sig"), file("receipt.json", "{}", "Data")]);
  assert.equal(split(pdf).end, print.length);
  assert.deepEqual(split(pdf).files.map(({ name }) => name), ["credential.jwt", "receipt.json"]);
  assert.equal(split(print), undefined, "a print alone has no update");
  for (let at = print.length; at < pdf.length; at++) {
    for (const change of [1, 0x20, 0x80]) {
      const other = pdf.slice();
      other[at] ^= change;
      assert.equal(split(other), undefined, `byte ${at}`);
    }
    assert.equal(split(pdf.slice(0, at)), undefined, `cut at ${at}`);
  }
  for (const more of ["\n", " ", "%", "\n%%EOF", "\n1 0 obj\n<<>>\nendobj\n"]) {
    assert.equal(split(bytes(pdf, more)), undefined);
    assert.equal(split(bytes(more, pdf)), undefined);
    assert.equal(split(bytes(pdf.slice(0, print.length), more, pdf.slice(print.length))), undefined);
  }
  assert.equal(split(bytes(makePrint("/X 1"), pdf.slice(print.length))), undefined, "an update of another print");
  assert.equal(update(pdf, [file("a", "")]), undefined, "a second update");
});

test("what needs escapes, or could be taken for an object, is not attached", () => {
  const print = makePrint();
  for (const content of ["1 0 obj", "x 12\nobj<<>>", "0\t obj", "endstream", "..obj 3 0  obj", "1 0\0obj"]) {
    assert.equal(update(print, [file("a", content)]), undefined, content);
  }
  for (const content of ["obj", "object 1", "1obj", "an obj", "ey1obj", ""]) {
    assert.ok(update(print, [file("a", content)]), content);
  }
  const changes = [{ name: "" }, { name: "a/b" }, { name: "ä" }, { mediaType: "text" }, { mediaType: "text/Plain" }];
  changes.push({ description: "(" }, { description: "\\" }, { modified: 253402300800 }, { name: "a".repeat(65) });
  for (const change of changes) assert.equal(update(print, [{ ...file("a", "eyJ"), ...change }]), undefined);
  assert.equal(update(print, []), undefined);
  assert.equal(update(print, [file("b", ""), file("a", "")]), undefined, "out of order");
  assert.deepEqual(printDigest(bytes("")).sha256.slice(0, 8), "e3b0c442");
});

test("one document is one answer, with its receipt", () => {
  const receipt = '{"type":"testamur-receipt"}';
  const files = [file("compact.txt", "eyJc", "Alternative"), file("credential.jwt", "eyJx"), file("receipt.json", receipt, "Data")];
  const pdf = whole(makePrint(), files);
  const { items, refused } = openFile(pdf);
  assert.deepEqual([items.length, refused.length, items[0].name, text(items[0].bytes)], [1, 0, "credential.jwt", "eyJx"]);
  assert.equal(text(items[0].receipt), receipt);
  assert.equal(items[0].print.whole, true);
  assert.equal(compactOf(pdf), "eyJc");
});

/** A PDF by another program: objects in an object stream, the file deflated, no table. */
function foreignPdf(content, trailer = "trailer<</Root 1 0 R>>") {
  const packed = zlib.deflateSync(Buffer.from(content));
  const inner = "8 0 <</Type/Filespec/F(a/w\\351ber.jwt)/EF<</F 7 0 R>>/AFRelationship/Source>>";
  const objects = zlib.deflateSync(Buffer.from(inner));
  return bytes(
    `%PDF-1.5\n7 0 obj\n<</Length ${packed.length}/Filter[/FlateDecode]>>\nstream\n`, packed,
    `\nendstream\nendobj\n9 0 obj\n<</Type/ObjStm/N 1/First 4/Length ${objects.length}/Filter/FlateDecode>>\nstream\r\n`,
    objects, `\nendstream\nendobj\n${trailer}`,
  );
}

test("PDFs of other programs are read, and never whole", () => {
  const { items } = openFile(foreignPdf("eyJhbGci"));
  assert.deepEqual([items[0].name, text(items[0].bytes), items[0].print.whole], ["wéber.jwt", "eyJhbGci", false]);
  const fault = (pdf) => assert.throws(() => openFile(pdf), OpenError);
  fault(foreignPdf("a letter"));
  fault(foreignPdf("eyJ", "trailer<</Encrypt 5 0 R>>"));
  fault(bytes("%PDF-1.7"));
  fault(foreignPdf("eyJ" + "A".repeat(9 * 1024 * 1024)));
  const deep = bytes("%PDF-1.7\n1 0 obj\n", "[".repeat(200_000));
  const began = performance.now();
  fault(deep);
  assert.ok(performance.now() - began < 2_000, "nesting costs no more than its bytes");
});

test("ZIPs: receipts find their credentials, and one bad entry spoils no other", () => {
  const receipt = '{"type":"testamur-receipt"}';
  const zip = makeZip([
    { name: "weber.jwt", content: "eyJ1" },
    { name: "weber.jwt.receipt.json", content: receipt },
    { name: "müller.jwt", content: "eyJ2", stored: true },
    { name: "photo.jpg", content: "\xff\xd8" },
    { name: "bad.jwt", content: "eyJ3", crc: 1 },
    { name: "inner.zip", content: makeZip([]) },
    { name: "print.pdf", content: foreignPdf("eyJ4") },
    { name: "__MACOSX/._weber.jwt", content: "eyJ5" },
    { name: "folder/", content: "" },
    { name: "secret.jwt", content: "eyJ6", encrypted: true },
  ]);
  const { items, refused } = openFile(zip);
  assert.deepEqual(items.map(({ name, receipt: own }) => [name, own !== undefined]), [
    ["print.pdf/wéber.jwt", false],
    ["weber.jwt", true],
    ["müller.jwt", false],
  ]);
  assert.deepEqual(refused.map(({ name, error }) => [name, error.fault]), [
    ["photo.jpg", "no-credential"],
    ["bad.jwt", "container"],
    ["inner.zip", "container"],
    ["entry 10", "container"],
  ]);
});

test("ZIPs that unpack to more than is read, lie of their size, or have too many entries are refused", () => {
  const fault = (zip) => assert.throws(() => openFile(zip), (error) => error instanceof OpenError && error.fault === "container");
  fault(makeZip([{ name: "a.jwt", content: "eyJ" + "A".repeat(8 * 1024 * 1024) }]));
  fault(bytes("PK\x03\x04 and no more"));
  fault(makeZip(Array.from({ length: 2_001 }, (_, at) => ({ name: `${at}.jwt`, content: "eyJ" }))));
  const lying = openFile(makeZip([{ name: "a.jwt", content: "eyJhbGci", size: 3 }, { name: "b.jwt", content: "eyJ" }]));
  assert.deepEqual([lying.items.length, lying.refused[0].name], [1, "a.jwt"]);
  const shifted = openFile(bytes("PK\x03\x04 some bytes before", makeZip([{ name: "b.jwt", content: "eyJ" }])));
  assert.equal(shifted.items.length, 1);
});

test("streams inflate as zlib packs them, within their bounds", () => {
  for (let round = 0; round < 200; round++) {
    const length = Math.floor((round / 200) ** 3 * 100_000);
    const data = Buffer.alloc(length);
    if (round % 3 === 0) randomFillSync(data);
    if (round % 3 === 1) data.forEach((_, at) => (data[at] = 97 + ((at * at) % (1 + (round % 26)))));
    const options = { level: round % 10, strategy: round % 5, windowBits: 9 + (round % 7) };
    const [packed, raw] = [zlib.deflateSync(data, options), zlib.deflateRawSync(data, options)];
    assert.ok(data.equals(inflateZlib(packed, length)));
    assert.ok(data.equals(inflate(raw, length)));
    if (length > 0) assert.equal(inflateZlib(packed, length - 1), "too-large");
    assert.equal(inflateZlib(packed.subarray(0, -1), length), "damaged");
    assert.ok(data.equals(inflateZlib(bytes(packed, "more"), length)), "what follows is ignored");
  }
  assert.equal(crc32(bytes("123456789")), 0xcbf43926);
  for (const none of ["", "x", "x\x9c", "\x78\xbb\0\0\0\0"]) assert.equal(inflateZlib(bytes(none), 10), "damaged");
});
