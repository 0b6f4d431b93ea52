// The formats and the patterns of JSON Schema, by the rules of the ledger's software.

import assert from "node:assert/strict";
import test from "node:test";

import { formatCheck } from "../../src/verify/dist/verify/schema-formats.js";
import { compilePattern } from "../../src/verify/dist/verify/schema-pattern.js";
import { random } from "./support/credentials.mjs";

const FORMATS = {
  date: [
    ["2020-02-29", "0000-02-29", "9999-12-31"],
    ["2023-02-29", "1900-02-29", "2023-1-01", "2023-13-01", "2023-00-01", "2023-01-00", "+2023-01-01", "2023-01-01Z", ""],
  ],
  time: [
    ["00:00:00Z", "12:30:45.123z", "23:59:60Z", "22:59:60-01:00", "00:29:60+00:30", "01:00:00+23:59"],
    ["00:00:00", "24:00:00Z", "12:60:00Z", "12:00:61Z", "22:59:60Z", "12:00:00.Z", "12:00:00+24:00", "12:00:00+0100"],
  ],
  "date-time": [
    ["2020-01-01T00:00:00Z", "2020-01-01t00:00:00+01:00"],
    ["2020-01-01 00:00:00Z", "2020-01-01T00:00:00", "2020-01-32T00:00:00Z", "", "T"],
  ],
  duration: [
    ["P1D", "P1Y2M3D", "P1W", "PT1H2M3S", "P1DT1S", "P1M1D", "PT1M"],
    ["P", "PT", "P1", "1D", "P1YT", "P1Y1D", "PT1H1S", "P1W1D", "P1D1Y", "P1Y1Y", "P1S", "PT1D", "P1.5D"],
  ],
  email: [
    ["a@b.co", "a.b+c@b-c.example", '"a b"@b.co', '""@b.co', "a@[127.0.0.1]", "a@[IPv6:::1]", "A B <a@b.co>", "a@b"],
    ["a", "@b.co", "a@", ".a@b.co", "a..b@b.co", "a@-b.co", "a@b..co", "a@[1]", "<a@b.co>", "é@b.co", `${"a".repeat(65)}@b.co`],
  ],
  hostname: [
    ["example.com", "a", "1.2", "xn--bcher-kva.com", "xn--ll-0ea", "xn--11b2ezcw70k", "A-b.C", `${"a".repeat(63)}.b`],
    ["", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "é.com", "ab--c", "xn--l-fda", "xn--02b508i", "XN--bcher-kva", `${"a".repeat(64)}.b`],
  ],
  ipv4: [["0.0.0.0", "255.255.255.255"], ["1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "1.2.3.a", ""]],
  ipv6: [
    ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "ABCD::"],
    ["", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::12345", "1.2.3.4::", "fe80::1%eth0"],
  ],
  uri: [
    ["http://example.com", "a:", "urn:uuid:1", "http://u:p@h:80/p?q#f", "http://[::1]:8/", "file:///a", "a://[v1.x]"],
    ["", "a", "//a", "1a:b", "http://é", "http://a b", "http://a:b", "http://%zz", "http://[::g]", "http://a@b@c", "http://a[::1]"],
  ],
  "uri-reference": [["", "a/b:c", "//a", "?q", "#f", "../a", "/a:b"], ["a b", ":a", "1:a", "//[", "a#b#c", "\\"]],
  iri: [["http://é.example/ü?\ue000#ö", "a:\u{10000}"], ["é", "http://é:é", "a:\ue000", "a:b#\ue000", "a:\ufdd0"]],
  "iri-reference": [["é", "//é", ""], ["é:é", "é é"]],
  "json-pointer": [["", "/", "/a/b~0~1", "/é", "/a\nb"], ["a", "/~", "/~2", "#/a"]],
  "relative-json-pointer": [["0", "10", "0#", "1/a", "2/~0"], ["", "01", "-1", "0a", "1##", "1/~", "a"]],
  "uri-template": [["", "http://x/{a}", "{+a,b.c:3}", "{?q*}", "é{%41}"], ["{", "}", "{}", "{+}", "{a:0}", "{a:12345}", "{a b}", "a b", "%", "{a,}", "`"]],
  uuid: [
    ["00000000-0000-4000-8000-000000000000", "ABCDEFab-0000-0000-0000-000000000000"],
    ["", "00000000000040008000000000000000", "g0000000-0000-4000-8000-000000000000", "{00000000-0000-4000-8000-000000000000}"],
  ],
};

for (const [name, [good, bad]] of Object.entries(FORMATS)) {
  test(`the format ${name}`, () => {
    const check = formatCheck(name);
    for (const text of good) assert.equal(check(text), true, JSON.stringify(text));
    for (const text of bad) assert.equal(check(text), false, JSON.stringify(text));
  });
}

test("formats that are no constraint, and the one that is not sure", () => {
  for (const name of ["idn-email", "idn-hostname", "colour", "", "__proto__"]) assert.equal(formatCheck(name), undefined);
  assert.equal(formatCheck("regex"), "unsure");
});

test("patterns match as both engines agree", () => {
  const next = random(4);
  const pick = (list) => list[next() % list.length];
  const atoms = ["a", "b", "[ab]", "[^a]", "\\d", "\\w", "(a|b)", "(?:ab)", "(a|)", "^", "$", ".", "[a-c]", "\\.", "(a*)", "(^a|b$)", "\\x61"];
  const quantifiers = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0}", "{2,}", "*?", "+?"];
  for (let round = 0; round < 4_000; round++) {
    let pattern = "";
    for (let parts = 1 + (next() % 5); parts > 0; parts--) {
      const atom = pick(atoms);
      pattern += /^[$^]$/.test(atom) ? atom : atom + pick(quantifiers);
      if (next() % 6 === 0) pattern += "|";
    }
    const [own, machines] = [compilePattern(pattern), new RegExp(pattern)];
    for (let texts = 0; texts < 5; texts++) {
      const text = Array.from({ length: next() % 7 }, () => pick(["a", "b", "c", "1", "."])).join("");
      assert.equal(own.test(text), machines.test(text), `${pattern} ${text}`);
    }
  }
});

test("patterns mean what they mean in Rust where browsers differ", () => {
  const matches = (pattern, text) => compilePattern(pattern).test(text);
  assert.ok(matches("^.$", "\u2028") && matches("^.$", "\r") && !matches("^.$", "\n"), "any line but that of a line feed");
  assert.ok(matches("^.$", "𝒳") && matches("^[^a]$", "𝒳") && matches("^[😀-😂]$", "😁"), "characters, not UTF-16 units");
  assert.ok(!matches("^a$", "a\n"));
  assert.ok(matches("^\\s$", "\ufeff") && !matches("^\\s$", "\u0085") && !matches("^\\d$", "٣") && !matches("^\\w$", "é"));
  assert.ok(matches("^[0-9-_]+$", "1-_") && matches("^[a-]$", "-") && matches("^[-a]$", "-") && matches("^[\\]]$", "]"));
  assert.ok(matches("^\\u{1f600}\\u00e9\\x41\\/\\ $", "😀éA/ "));
});

test("what is not certain to be read alike is no pattern", () => {
  for (const pattern of [
    "(", ")", "[", "]", "{", "}", "\\", "*", "a**", "a{2,1}", "a{,2}", "a{}", "^*", "(?=a)", "(?!a)", "(?<n>a)", "(?i:a)", "\\b", "\\B",
    "\\p{L}", "\\1", "\\0", "\\cA", "\\<", "\\_a\\q", "\\ud800", "\\u{110000}", "\\u{}", "\\xg0", "[[:alpha:]]", "[]", "[^]", "[z-a]", "[a-\\d]",
    "[\\d-z]", "[a&&b]", "[a~~b]", "[a--b]", "[--a]", "((){9999}){9999}", "((a{100}){100}){100}", "(".repeat(60) + ")".repeat(60),
  ]) {
    assert.equal(compilePattern(pattern), undefined, pattern);
  }
});

test("the time of a match grows with the text", () => {
  const before = performance.now();
  assert.equal(compilePattern("(a+)+$").test(`${"a".repeat(50_000)}b`), false);
  assert.equal(compilePattern("(a|a)*(a|a)*(a|a)*b").test("a".repeat(50_000)), false);
  assert.equal(compilePattern("^.{1,5000}$").test("x".repeat(5_001)), false);
  assert.ok(performance.now() - before < 20_000);
});
