// Bytes, strict JSON and its canonical form: what every reader above stands on.

import assert from "node:assert/strict";
import test from "node:test";

import { base58, base64, base64url, compareUtf8, equalBytes, fromBase58, fromBase64, fromBase64url, fromHex, fromUtf8, hex, utf8 } from "../../src/verify/dist/base/bytes.js";
import * as codec from "../../src/verify/dist/base/codec.js";
import { asDouble, equalJson, isNumber, jcs, JsonError, JsonFloat, parse, toPlain } from "../../src/verify/dist/base/json.js";

/** A generator of numbers that is the same on every run. */
function random(seed) {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number(state >> 33n) % below;
  };
}

test("base64 has one spelling", () => {
  const next = random(1);
  for (let i = 0; i < 500; i++) {
    const bytes = Uint8Array.from({ length: next(70) }, () => next(256));
    const buffer = Buffer.from(bytes);
    assert.equal(base64(bytes), buffer.toString("base64"));
    assert.equal(base64url(bytes), buffer.toString("base64url"));
    assert.equal(hex(bytes), buffer.toString("hex"));
    assert.ok(equalBytes(fromBase64(base64(bytes)), bytes));
    assert.ok(equalBytes(fromBase64url(base64url(bytes)), bytes));
    assert.ok(equalBytes(fromHex(hex(bytes)), bytes));
    assert.ok(equalBytes(fromBase58(base58(bytes)), bytes));
  }
  const long = Uint8Array.from({ length: 100_000 }, () => next(256));
  assert.ok(equalBytes(fromBase64(base64(long)), long));
  for (const bad of ["QQ==", "QR", "Q", "Q+8", "QQ\n", " QQ", "Q\u0141", "QQ\u0000\u0000"]) assert.equal(fromBase64url(bad), undefined, bad);
  for (const bad of ["QQ", "QR==", "Q_8=", "QQ=", "Q===", "=", "====", "QQ==QQ==", "QQ==\n"]) assert.equal(fromBase64(bad), undefined, bad);
  for (const bad of ["A0", "0", "0g", "00\n"]) assert.equal(fromHex(bad), undefined, bad);
  for (const bad of ["0", "O", "I", "l", "1 ", "é"]) assert.equal(fromBase58(bad), undefined, bad);
  assert.equal(base58(utf8("Hello World!")), "2NEpo7TZRRrLZSi2U");
  assert.equal(base58(Uint8Array.of(0, 0, 1)), "112");
});

test("UTF-8 is read as it is or not at all", () => {
  assert.equal(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)), "\ufeffA");
  for (const bad of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) assert.equal(fromUtf8(Uint8Array.from(bad)), undefined);
});

test("texts are ordered by their UTF-8 bytes", () => {
  const texts = ["", "a", "b", "aa", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "a\u{10000}", "a\uffff"];
  for (const a of texts) {
    for (const b of texts) assert.equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)), `${a} ${b}`);
  }
});

test("numbers are told apart as they are written", () => {
  for (const [text, value] of [
    ["0", 0],
    ["-1", -1],
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["18446744073709551615", 18446744073709551615n],
    ["-9223372036854775808", -9223372036854775808n],
  ]) {
    assert.equal(parse(text), value, text);
  }
  for (const text of ["1.0", "1e3", "-0", "0.1", "1E+2", "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "1e-400"]) {
    const value = parse(text);
    assert.ok(value instanceof JsonFloat && Object.is(value.value, Number(text)), text);
  }
  for (const text of ["1e400", "-1e400", "01", "-", "+1", "1.", ".5", "1e", "0x1", "1_0", "NaN", "Infinity", "--1", "1.e1"]) {
    assert.throws(() => parse(text), { reason: "syntax" }, text);
  }
  assert.ok(!equalJson(parse("1"), parse("1.0")));
  assert.ok(equalJson(parse('{"a":[1.50,"x"],"b":null}'), parse('{"b":null,"a":[1.5,"\\u0078"]}')));
  assert.ok(!equalJson(parse('{"toString":1}'), parse('{"x":1}')));
});

test("what JSON.parse lets pass is refused", () => {
  for (const text of ['"\\ud800"', '"\\ud800\\u0041"', '"\\udc00"', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"":0,"":0}]', '{"__proto__":1,"__proto__":1}']) {
    JSON.parse(text);
    assert.throws(() => parse(text), JsonError, text);
  }
  assert.throws(() => parse("\ufeff{}"), { reason: "syntax" });
  assert.throws(() => parse('"\ud800"'), { reason: "syntax" });
  assert.throws(() => parse(Uint8Array.of(0x22, 0xff, 0x22)), { reason: "syntax" });
  assert.throws(() => parse('{"name":1,"name":2}'), { reason: "duplicate", member: "name" });
  assert.throws(() => parse('{"a":1,"a":2'), { reason: "syntax" }, "what is no JSON comes first");
  assert.throws(() => parse('[{"a":1,"a":2},[[]]]', { depthMax: 2 }), { reason: "duplicate" });
  assert.throws(() => parse('[[[]],{"a":1,"a":2}]', { depthMax: 2 }), { reason: "depth" });
  assert.equal(parse('{"a":1,"a":2}', { duplicates: "last" })["a"], 2);
  const deep = (n) => "[".repeat(n) + "]".repeat(n);
  parse(deep(127));
  assert.throws(() => parse(deep(128)), { reason: "syntax" });
  assert.throws(() => parse("[".repeat(1_000_000)), { reason: "syntax" });
  const odd = parse('{"__proto__":{"x":1},"constructor":2}');
  assert.equal(Object.getPrototypeOf(odd), null);
  assert.equal(jcs(odd), '{"__proto__":{"x":1},"constructor":2}');
  assert.deepEqual(Object.keys(toPlain(odd)), ["__proto__", "constructor"]);
});

test("the reader accepts what JSON.parse accepts, and reads the same", () => {
  const next = random(7);
  const seeds = ['{"a":[1,-2.5e3,"x\\u00e9\\n",true,false,null,{"b":{}}],"c":"\\ud83d\\ude00 é😀"}', "[0,0.5,[[]],\"\\\\\\\"\"]", ' { "x" : [ ] } '];
  const letters = [...'{}[]":,\\0123456789.eE+-truefalsnu \n\t\u0001x'];
  let accepted = 0;
  let refused = 0;
  for (let i = 0; i < 60_000; i++) {
    const text = [...seeds[next(seeds.length)]];
    for (let changes = 1 + next(3); changes > 0; changes--) {
      const at = next(text.length);
      const kind = next(3);
      if (kind === 0) text.splice(at, 1);
      else if (kind === 1) text[at] = letters[next(letters.length)];
      else text.splice(at, 0, letters[next(letters.length)]);
    }
    const whole = text.join("");
    let expected;
    try {
      expected = JSON.parse(whole);
    } catch {
      expected = undefined;
    }
    let found;
    try {
      found = parse(whole, { duplicates: "last" });
    } catch (error) {
      assert.equal(error.reason, "syntax", whole);
      // The only texts that are JSON to others: half a surrogate pair, and numbers beyond doubles.
      const beyond = expected !== undefined && /\\u[dD][89a-fA-F]|\d[eE]\+?\d{3}/.test(whole);
      assert.ok(expected === undefined || beyond, whole);
      refused++;
      continue;
    }
    assert.notEqual(expected, undefined, whole);
    assert.equal(JSON.stringify(toPlain(found)), JSON.stringify(expected), whole);
    accepted++;
  }
  assert.ok(accepted > 5_000 && refused > 20_000, `${accepted} ${refused}`);
});

test("canonical JSON is RFC 8785's", () => {
  // RFC 8785, section 3.2.2 and 3.2.3.
  const sample =
    '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}';
  assert.equal(
    jcs(parse(sample)),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  const names = '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji","\\u0080":"Control","\\u00f6":"O"}';
  assert.deepEqual(Object.keys(JSON.parse(jcs(parse(names)))).sort(), Object.keys(JSON.parse(names)).sort());
  assert.equal(
    [...jcs(parse(names)).matchAll(/:"(\w+)/g)].map(([, word]) => word).join(),
    "Carriage,One,Control,O,Euro,Emoji,Hebrew",
  );
  for (const [text, written] of [["-0", "0"], ["1.0", "1"], ["1e21", "1e+21"], ["18446744073709551615", "18446744073709552000"], ["5e-324", "5e-324"]]) {
    assert.equal(jcs(parse(text)), written);
  }
  assert.ok(isNumber(parse("1e2")) && asDouble(parse("1e2")) === 100);
});

test("typed reading takes one form and no other", () => {
  const read = (value) => {
    const object = codec.object(value, ["n"], ["t"]);
    return [codec.field(object, "n", codec.integer), codec.maybe(object, "t", codec.text)];
  };
  assert.deepEqual(codec.fromCanonical('{"n":1,"t":"x"}', read), [1, "x"]);
  assert.deepEqual(codec.fromStrict(' { "t" : "x" , "n" : 1 } ', read), [1, "x"]);
  for (const [text, reason] of [
    ['{"t":"x","n":1}', "not-canonical"],
    ['{"n": 1}', "not-canonical"],
    ['{"n":1}\n', "not-canonical"],
    ['{"n":1.0}', "json"],
    ['{"n":-1}', "json"],
    ['{"n":9007199254740992}', "json"],
    ['{"n":1,"t":null}', "json"],
    ['{"n":1,"x":1}', "json"],
    ['{"t":"x"}', "json"],
    ["[1]", "json"],
    ['{"n":1,"n":1}', "json"],
    [`{"n":${"[".repeat(8)}${"]".repeat(8)}}`, "too-deep"],
  ]) {
    assert.throws(() => codec.fromCanonical(text, read), { reason }, text);
  }
  for (const bad of ["", "01", "+1", "-1", " 1", "1 ", "1.0", "18446744073709551616"]) assert.equal(codec.fromDecimal(bad), undefined, bad);
  assert.equal(codec.fromDecimal("18446744073709551615"), 18446744073709551615n);
  for (const bad of ["00", "AB".repeat(32), "g".repeat(64), `${"0".repeat(64)}\n`]) assert.equal(codec.isHash(bad), false, bad);
});
