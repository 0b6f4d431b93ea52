// JSON Schema of Draft 2020-12: each keyword, what is not made ready, and what undisclosed fields take from a schema.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parse } from "../../src/verify/dist/base/json.js";
import { compileSchema } from "../../src/verify/dist/verify/schema.js";

// Schema, then values that are valid, then values that are not; all as JSON text, since 1 and 1.0 are two texts. Rust is asked
// the same (contracts/credentials/src/verify/readable.rs).
const ROWS = JSON.parse(readFileSync(new URL("../../../tests/schemas.json", import.meta.url), "utf8"));

for (const [of, undisclosed] of [["whole", false], ["undisclosed", true]]) {
  test(`each keyword says what it says in Rust: ${of}`, () => {
    for (const { schema: body, valid, invalid } of ROWS[of]) {
      const schema = compileSchema(body, undisclosed);
      assert.ok(schema, body);
      for (const value of valid) assert.equal(schema.validate(parse(value)), undefined, `${body} takes ${value}`);
      for (const value of invalid) assert.ok(schema.validate(parse(value)), `${body} refuses ${value}`);
    }
  });
}

test("what is no schema, refers outside or without end, or cannot be read exactly is not made ready", () => {
  for (const body of [
    "1", "[]", "{", '{"type":"text"}', '{"minLength":-1}', '{"minLength":1.5}', '{"required":["a","a"]}', '{"allOf":[]}',
    '{"properties":{"a":1}}', '{"multipleOf":0}', '{"$ref":"https://example.com"}', '{"$ref":"#/$defs/none"}', '{"$ref":"#none"}',
    '{"$ref":"#"}', '{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"$ref":"#/$defs/a"}}}', '{"pattern":"("}',
    '{"pattern":"(?=a)"}', '{"pattern":"\\\\1(a)"}', '{"$defs":{"a":{"$id":"https://example.com"}}}',
  ]) {
    assert.equal(compileSchema(body, false), undefined, body);
  }
});

test("a fault says where, in the value and in the schema", () => {
  const body = '{"properties":{"a/b":{"items":{"$ref":"#/$defs/n"}}},"$defs":{"n":{"minLength":2}}}';
  const fault = compileSchema(body, false).validate(parse('{"a/b":["ok","x"]}'));
  assert.deepEqual(fault, { place: "/a~1b/1", rule: "/$defs/n/minLength" });
});

test("of what is undisclosed nothing counts as missing, and what is there still counts", () => {
  const body = readFileSync(new URL("../../../genesis/schemas/diploma.json", import.meta.url), "utf8");
  const [whole, lenient] = [compileSchema(body, false), compileSchema(body, true)];
  const part = parse('{"credentialSubject":{"familyName":"Weber","awardingDate":"2026-07-10"}}');
  assert.deepEqual(whole.validate(part).rule, "/properties/credentialSubject/required");
  assert.equal(lenient.validate(part), undefined);
  for (const wrong of ['{"familyName":""}', '{"awardingDate":"2026-02-30"}', '{"nickname":"W"}', '{"eqfLevel":9}']) {
    assert.ok(lenient.validate(parse(`{"credentialSubject":${wrong}}`)), wrong);
  }
});

test("a pattern's author cannot hold a browser up", () => {
  const schema = compileSchema('{"pattern":"^(a+)+$"}', false);
  const began = performance.now();
  assert.ok(schema.validate(`${"a".repeat(5_000)}b`));
  assert.ok(performance.now() - began < 1_000);
});
