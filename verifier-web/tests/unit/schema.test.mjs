// JSON Schema of Draft 2020-12: each keyword, what is not made ready, and what undisclosed fields take from a schema.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parse } from "../../src/verify/dist/base/json.js";
import { compileSchema } from "../../src/verify/dist/verify/schema.js";

// Schema, then values that are valid, then values that are not; all as JSON text, since 1 and 1.0 are two texts.
const ROWS = [
  ['{"type":"integer"}', ["1", "1.0", "1e2", "12345678901234567890", "-0"], ["1.5", '"1"', "true", "null"]],
  ['{"type":["string","null"]}', ['""', "null"], ["0", "[]", "{}"]],
  ['{"const":1}', ["1", "1.0"], ["true", '"1"', "2"]],
  ['{"const":{"a":[1,2]}}', ['{"a":[1.0,2]}'], ['{"a":[2,1]}', '{"a":[1,2],"b":0}', "[1,2]"]],
  ['{"enum":[null,"a",{}]}', ["null", '"a"', "{}"], ['"b"', "false", "[]"]],
  ['{"minimum":1.5,"exclusiveMaximum":3}', ["1.5", "2", '"x"'], ["1", "3", "3.0"]],
  ['{"maximum":9007199254740993}', ["9007199254740993"], ["9007199254740994", "9007199254740994.0"]],
  ['{"multipleOf":0.1}', ["0.3", "1", "0", "1070468.1"], ["0.35", "0.01"]],
  ['{"multipleOf":3}', ["9", "-3", "3.0", "12345678901234567890"], ["1", "4.5"]],
  ['{"minLength":2,"maxLength":2}', ['"ab"', '"😀😀"', '"é\\u0301"', "1"], ['"a"', '"😀"', '"abc"']],
  ['{"minItems":1,"maxItems":2}', ["[1]", "[1,2]", "{}"], ["[]", "[1,2,3]"]],
  ['{"uniqueItems":true}', ["[1,2]", '[1,"1"]', "[[],{}]"], ["[1,1.0]", '[{"a":1},{"a":1.0}]', '["x","x"]']],
  ['{"minProperties":1,"maxProperties":1}', ['{"a":1}', "[]"], ["{}", '{"a":1,"b":1}']],
  ['{"required":["a"],"dependentRequired":{"a":["b"]}}', ['{"a":1,"b":1}', "[]"], ["{}", '{"a":1}']],
  ['{"pattern":"^[a-z]{2,3}$"}', ['"ab"', "1"], ['"a"', '"abcd"', '"AB"', '"ab\\n"']],
  ['{"format":"date"}', ['"2028-02-29"', "1"], ['"2027-02-29"', '"2028-2-9"', '""']],
  ['{"properties":{"a":{"type":"string"}},"additionalProperties":false}', ['{"a":"x"}', "{}"], ['{"b":1}', '{"a":1}']],
  ['{"properties":{"__proto__":{"type":"string"}}}', ["{}", '{"__proto__":"x"}'], ['{"__proto__":1}']],
  ['{"patternProperties":{"^x":{"type":"integer"}},"additionalProperties":{"type":"null"}}', ['{"x1":1,"y":null}'], ['{"x1":"a"}', '{"y":1}']],
  ['{"propertyNames":{"maxLength":2}}', ['{"ab":1}'], ['{"abc":1}']],
  ['{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}', ['["a",1]', "[]"], ["[1]", '["a","b"]']],
  ['{"contains":{"type":"integer"},"minContains":2,"maxContains":2}', ["[1,2]", '[1,"a",2]'], ["[1]", "[1,2,3]"]],
  ['{"contains":false,"minContains":0}', ["[]", "[1]"], []],
  ['{"dependentSchemas":{"a":{"required":["b"]}}}', ["{}", '{"a":1,"b":1}'], ['{"a":1}']],
  ['{"allOf":[{"minimum":1},{"maximum":2}]}', ["1", "2"], ["0", "3"]],
  ['{"anyOf":[{"type":"null"},{"type":"string"}]}', ["null", '"a"'], ["1"]],
  ['{"oneOf":[{"minimum":1},{"maximum":2}]}', ["0", "3"], ["1", "2"]],
  ['{"not":{"type":"null"}}', ["1"], ["null"]],
  ['{"if":{"type":"integer"},"then":{"minimum":1},"else":{"type":"string"}}', ["1", '"a"'], ["0", "null"]],
  ['{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"null"}},"type":["null","string"]}', ["null"], ['"x"', "1"]],
  ['{"$ref":"#n","$defs":{"x":{"$anchor":"n","type":"null"}}}', ["null"], ["1"]],
  ['{"properties":{"next":{"$ref":"#"}},"required":["v"]}', ['{"v":1,"next":{"v":2}}'], ['{"v":1,"next":{}}']],
  ['{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}', ['{"a":1}'], ['{"a":1,"b":1}']],
  ['{"prefixItems":[true],"unevaluatedItems":{"type":"null"}}', ["[1,null]"], ["[1,2]"]],
  ["true", ["1"], []],
  ["false", [], ["1"]],
];

test("each keyword says what it says in Rust", () => {
  for (const [body, valid, invalid] of ROWS) {
    const schema = compileSchema(body, false);
    assert.ok(schema, body);
    for (const value of valid) assert.equal(schema.validate(parse(value)), undefined, `${body} takes ${value}`);
    for (const value of invalid) assert.ok(schema.validate(parse(value)), `${body} refuses ${value}`);
  }
});

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
  const turned = '{"oneOf":[{"required":["a"]},{"required":["b"]}],"not":{"required":["c"]},"const":{},"enum":[1]}';
  assert.equal(compileSchema(turned, true).validate(parse("1")), undefined);
  assert.ok(compileSchema(turned, true).validate(parse("2")), "a list of scalars stays");
});

test("a pattern's author cannot hold a browser up", () => {
  const schema = compileSchema('{"pattern":"^(a+)+$"}', false);
  const began = performance.now();
  assert.ok(schema.validate(`${"a".repeat(5_000)}b`));
  assert.ok(performance.now() - began < 1_000);
});
