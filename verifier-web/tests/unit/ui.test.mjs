// What the page does with texts of others, with names, numbers and dates: without a browser.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "vite";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The exports of a module of the page, bundled as the page has it. */
async function load(path) {
  const [{ output }] = await build({
    configFile: false,
    root,
    logLevel: "error",
    publicDir: false,
    resolve: { alias: { "@testamur/verify": `${root}src/verify/index.ts` } },
    build: { write: false, target: "es2022", minify: false, lib: { entry: `${root}src/ui/${path}`, formats: ["es"] } },
  });
  return import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString("base64")}`);
}

const { segments, inert, cut } = await load("inert.ts");
const { skeleton, isMixed, suspicions } = await load("lookalike.ts");
const { formatDay, formatDate, formatTime } = await load("dates.ts");
const { Translator, pluralCategory } = await load("i18n.ts");
const { LANGUAGES, LANGUAGE_CODES } = await load("languages.ts");
const { jurisdictionName, countryName, languageName } = await load("places.ts");
const { OWN_NAMES } = await load("own-names.ts");
const { plain, inLanguage, languageTexts } = await load("data.ts");
const { fileName } = await load("save.ts");

const strings = (language) => JSON.parse(readFileSync(`${root}src/ui/strings/${language}.json`, "utf8"));
const written = readdirSync(`${root}src/ui/strings`).flatMap((name) => /^([a-z]{2})\.json$/.exec(name)?.[1] ?? []);
// Texts that are the same words in a language as in English, looked at one by one; all others were forgotten.
const sameAsEnglish = JSON.parse(readFileSync(`${root}tests/unit/same-as-english.json`, "utf8"));
const english = strings("en");

test("what would not be seen is shown as a code", () => {
  const shown = (text) => segments(text).map(({ text: piece, strange }) => (strange ? `<${piece}>` : piece)).join("");
  assert.equal(shown("gpj.\u202eexe"), "gpj.<[U+202E]>exe");
  assert.equal(shown("a\u0000b\u001bc\u0085d"), "a<[U+0000]>b<[U+001B]>c<[U+0085]>d");
  assert.equal(shown("Uni\u200bversity"), "Uni<[U+200B]>versity");
  assert.equal(shown("soft\u00adhyphen\u2066\u2069"), "soft<[U+00AD]>hyphen<[U+2066]><[U+2069]>");
  assert.equal(shown("tag\u{e0041}"), "tag<[U+E0041]>");
  assert.equal(shown("lone \ud800 one"), "lone <[U+D800]> one");
  assert.equal(shown(`Z${"\u0336".repeat(40)}`), "Z<[U+0336 … ×40]>");
  assert.equal(shown("Jū̃ratė Vaičiū̃nienė, Ġorġ Ħal-Għaxaq, Βασικές, Θεσσαλονίκη"), "Jū̃ratė Vaičiū̃nienė, Ġorġ Ħal-Għaxaq, Βασικές, Θεσσαλονίκη");
  assert.equal(shown("line\nnext\tcell"), "line\nnext\tcell");
});

test("joiners stay where scripts need them, and are shown elsewhere", () => {
  assert.equal(inert("می\u200cخواهم"), "می\u200cخواهم");
  assert.equal(inert("क्\u200dष"), "क्\u200dष");
  assert.equal(inert("👩\u200d🎓"), "👩\u200d🎓");
  assert.equal(inert("Demo\u200dUniversity"), "Demo[U+200D]University");
});

test("long texts are cut, never within a character", () => {
  assert.equal(inert("x".repeat(10_000_000), 10), `${"x".repeat(10)}…`);
  assert.equal(cut("ab🎓", 3), "ab");
  const start = performance.now();
  segments("\u202e".repeat(10_000_000));
  assert.ok(performance.now() - start < 2_000, "ten megabytes of overrides take no time");
});

test("names that imitate others are found", () => {
  const real = { did: "did:ebsi:zReal", names: [{ lang: "en", name: "Demo University of Luxembourg" }] };
  const other = (name, lang = "en") => ({ did: "did:ebsi:zOther", names: [{ lang, name }] });
  const kinds = (name, lang) => suspicions(other(name, lang), [real]).map(({ kind }) => kind);
  assert.deepEqual(kinds("Dеmo University of Luxembourg"), ["mixed", "confusable"], "a Cyrillic е");
  assert.deepEqual(kinds("Derno University 0f Luxernbourg"), ["confusable"]);
  assert.deepEqual(kinds("DEMO UNIVERSITY OF LUXEMBOURG"), ["confusable"]);
  assert.deepEqual(kinds("Demo University of Liège"), []);
  assert.deepEqual(suspicions(real, [real]), [], "nobody imitates himself");
  assert.equal(skeleton("Ẅårnïng"), skeleton("Warning"));
  assert.ok(!isMixed({ lang: "bg", name: "Софийски университет" }));
  assert.ok(!isMixed({ lang: "el", name: "Πανεπιστήμιο Θεσσαλονίκης" }));
  assert.ok(isMixed({ lang: "fr", name: "Соrbоnnе" }));
});

test("days and moments", () => {
  assert.equal(formatDay("en", "2026-06-26"), "26 June 2026");
  assert.equal(formatDay("de", "2026-06-26"), "26. Juni 2026");
  assert.equal(formatDay("ga", "2026-06-26"), "26 Meitheamh 2026");
  assert.equal(formatDay("mt", "2026-06-26"), "26 ta’ Ġunju 2026");
  assert.equal(formatDay("lb", "2026-03-01"), "1. Mäerz 2026");
  assert.equal(formatDay("lb", "0099-12-31"), "31. Dezember 0099");
  assert.equal(formatDay("en", "2026-02-31"), "2026-02-31", "no such day");
  assert.equal(formatDay("en", "yesterday"), "yesterday");
  assert.match(formatTime("fr", 1_795_339_901), /^\d+ novembre 2026, \d\d:\d\d$/);
  assert.equal(formatDate("en", 1e300), "1e+300");
  for (const language of LANGUAGE_CODES) assert.match(formatDay(language, "2026-06-26"), /26.*2026|2026.*26/);
});

test("own rules of plurals are those of CLDR", () => {
  for (const language of ["ga", "mt", "lb"]) {
    const rules = new Intl.PluralRules(language);
    // Node may be without these languages, too: then there is nothing to compare with.
    if (!rules.resolvedOptions().locale.startsWith(language)) continue;
    for (let count = 0; count <= 250; count += 1) assert.equal(pluralCategory(language, count), rules.select(count), `${language} ${count}`);
  }
});

test("sentences are filled, and hold their place where something is missing", () => {
  const i18n = new Translator("en", english);
  assert.equal(i18n.t("nodes.count", { count: 2, total: 3 }), "Servers that answered: 2 of 3");
  assert.equal(i18n.count("list.title", 1), "1 diploma checked");
  assert.equal(i18n.count("list.title", 7), "7 diplomas checked");
  assert.equal(i18n.t("verdict.installed", { name: "{name} $& {count}" }), "Checked under a network that you installed yourself: {name} $& {count}.");
  assert.equal(i18n.maybe("reason.constructor.title"), undefined);
  assert.equal(i18n.maybe("__proto__"), undefined);
  assert.equal(i18n.size(32 * 1024 * 1024), "34 MB");
});

test("names of countries and languages, also of languages that browsers do not know", () => {
  const of = (language) => new Translator(language, english, OWN_NAMES[language]);
  const atu = "https://publications.europa.eu/resource/authority/atu/";
  assert.equal(jurisdictionName(of("fr"), `${atu}LUX`), "Luxembourg");
  assert.equal(jurisdictionName(of("mt"), `${atu}MLT`), "Malta");
  assert.equal(jurisdictionName(of("en"), `${atu}DEU_BY`), "Germany (BY)");
  assert.equal(jurisdictionName(of("en"), "https://example.org/x"), "https://example.org/x");
  assert.equal(countryName(of("ga"), "IE"), "Éire");
  assert.equal(countryName(of("en"), "<b>"), "<b>");
  assert.equal(languageName(of("lb"), "fr"), "Franséisch");
  assert.equal(languageName(of("en"), "fr-LU").startsWith("French"), true);
  assert.equal(languageName(of("en"), "not a tag"), "not a tag");
  for (const names of Object.values(OWN_NAMES)) {
    assert.equal(Object.keys(names.languages).length, 25);
    assert.ok(Object.keys(names.countries).length >= 27);
  }
});

test("values of strict JSON become plain ones, and nothing is made of strange ones", () => {
  class Float {
    value = 1.5;
  }
  const members = Object.create(null);
  members.__proto__ = "x";
  assert.equal(JSON.stringify(plain({ a: 1n, b: 2n ** 64n, c: new Float(), d: [null, true] })), '{"a":1,"b":"18446744073709551616","c":1.5,"d":[null,true]}');
  assert.equal(Object.getPrototypeOf(plain(members)), null);
  assert.deepEqual(languageTexts([{ language: "en", text: "a" }, { language: 1, text: "b" }, null, "c"]), [{ language: "en", text: "a" }]);
  const texts = [{ language: "fr", text: "un" }, { language: "en-GB", text: "one" }];
  assert.equal(inLanguage(texts, "en", (one) => one.language).text, "one");
  assert.equal(inLanguage(texts, "pl", (one) => one.language).text, "un", "else the issuer's first");
});

test("names of saved files are names everywhere", () => {
  assert.equal(fileName("../../etc/passwd\u202e", "json"), "etc-passwd.json");
  assert.equal(fileName("", "json"), "testamur.json");
  assert.equal(fileName("Diplôme 2026.pdf", "json"), "Diplôme-2026.pdf.json");
});

test("every reason has its words, and what to do where something can be done", () => {
  const formats = readFileSync(`${root}../FORMATS.md`, "utf8");
  const table = formats.slice(formats.indexOf("<!-- reasons"), formats.indexOf("<!-- end of reasons"));
  const rows = [...table.matchAll(/^\| `([a-z.-]+)` \|.*\| *([^|]*?) *\|$/gm)];
  assert.ok(rows.length > 70);
  for (const [, code, next] of rows) {
    assert.ok(`reason.${code}.title` in english, code);
    assert.equal(`reason.${code}.next` in english, next !== "", code);
  }
});

for (const language of written) {
  test(`${language} is complete`, () => {
    const texts = strings(language);
    assert.ok(language in LANGUAGES);
    assert.deepEqual(Object.keys(texts), Object.keys(english));
    const places = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    const categories = new Set(Array.from({ length: 400 }, (_, count) => pluralCategory(language, count)));
    for (const [key, text] of Object.entries(english)) {
      const said = texts[key];
      if (typeof text === "string") {
        assert.equal(typeof said, "string", key);
        assert.ok(said.trim() !== "" && said === said.normalize("NFC"), key);
        assert.deepEqual(places(said), places(text), key);
        assert.ok(segments(said).every((piece) => !piece.strange), key);
      } else {
        for (const category of [...categories, "other"]) assert.equal(typeof said[category], "string", `${key} ${category}`);
      }
    }
  });
}

test("what is equal to English is so on purpose", () => {
  for (const language of written.filter((code) => code !== "en")) {
    const texts = strings(language);
    const words = (key) => JSON.stringify(english[key]).replace(/\{\w+\}/g, "");
    const equal = Object.keys(english).filter((key) => /\p{L}/u.test(words(key)) && JSON.stringify(texts[key]) === JSON.stringify(english[key]));
    assert.deepEqual(equal.sort(), [...(sameAsEnglish[language] ?? [])].sort(), language);
  }
});

test("all languages are written", () => {
  assert.deepEqual(LANGUAGE_CODES.filter((code) => !written.includes(code)), []);
});
