// For everybody: axe on every view and state with no rule disabled, light and dark; the keyboard alone; narrow and enlarged;
// every language.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { answer, check, give, launch, next, open, shot } from "./support/browser.mjs";
import { all, freePort, REPOSITORY, startNetwork } from "./support/network.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const STRINGS = path.join(REPOSITORY, "verifier-web/src/ui/strings");
const LANGUAGES = "bg cs da de el en es et fi fr ga hr hu it lb lt lv mt nl pl pt ro sk sl sv".split(" ");

let network;
let browser;
let url;

before(async () => {
  [network, browser] = await all(startNetwork(), launch());
  url = await network.page({ nodes: network.nodes.slice(0, 2) });
  await network.revoke("2026-0004");
});

after(async () => {
  await browser?.close();
  await network?.stop();
});

const diploma = (name) => path.join(network.diplomas, name);

/** What axe finds. Injected through the debugger's own world: the page's policy lets no script in. */
async function violations(tab) {
  await tab.evaluate(axe);
  // Every rule that axe has, those of AAA and the experimental ones too.
  const { violations } = await tab.evaluate(() => {
    const values = globalThis.axe.getRules().map(({ ruleId }) => ruleId);
    return globalThis.axe.run(document, { runOnly: { type: "rule", values } });
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join("  ")}`);
}

/** Every state of the page, by name: how one gets there. */
const STATES = {
  start: async () => {},
  valid: async (tab) => check(tab, diploma("2026-0001.pdf")),
  "valid, all steps open": async (tab) => {
    await check(tab, diploma("2026-0001.pdf"));
    for (const summary of await tab.$$("main summary")) if (!(await summary.evaluate((one) => one.parentElement.open))) await summary.click();
  },
  revoked: async (tab) => check(tab, diploma("2026-0004.pdf")),
  "no diploma": async (tab) => check(tab, [{ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") }]),
  several: async (tab) => check(tab, [diploma("2026-0001.pdf"), diploma("2026-0004.pdf")]),
  documents: async (tab) => tab.getByRole("tab").nth(1).click(),
  "document without entry": async (tab) => {
    await tab.getByRole("tab").nth(1).click();
    const turn = await next(tab);
    await give(tab, "#document-files", [{ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") }]);
    await turn.done();
  },
  settings: async (tab) => tab.click("#settings-toggle"),
  "no camera": async (tab) => {
    await tab.getByRole("button", { name: "Scan a QR code" }).first().click();
    await tab.waitForTimeout(500);
  },
};

for (const scheme of ["light", "dark"]) {
  test(`axe finds nothing, ${scheme}`, { timeout: 600_000 }, async () => {
    for (const [name, reach] of Object.entries(STATES)) {
      const page = await open(browser, url, { colorScheme: scheme, reducedMotion: "reduce" });
      await reach(page.tab);
      assert.deepEqual(await violations(page.tab), [], `${name}, ${scheme}`);
      await shot(page.tab, `${name.replaceAll(/\W+/g, "-")}-${scheme}`);
      await page.close();
    }
  });
}

test("axe finds nothing without nodes", async () => {
  const page = await open(browser, await network.page({ nodes: [`http://127.0.0.1:${await freePort()}`] }));
  assert.equal((await check(page.tab, diploma("2026-0001.pdf"))).verdict, "cannot-tell");
  assert.deepEqual(await violations(page.tab), []);
  await page.close();
});

test("the keyboard alone, from the first key to the evidence of a step", async () => {
  const { tab, close } = await open(browser, url);
  await tab.keyboard.press("Tab");
  assert.match(await tab.evaluate(() => document.activeElement.getAttribute("href") ?? ""), /^#/, "first a link to the content");
  await tab.keyboard.press("Enter");
  // Along the page until the text field: no trap, and every stop is visible.
  const reached = async (wanted, most = 40) => {
    for (let at = 0; at < most; at++) {
      if (await tab.evaluate((wanted) => document.activeElement.matches(wanted), wanted)) return;
      await tab.keyboard.press("Tab");
      const seen = await tab.evaluate(() => {
        const box = document.activeElement.getBoundingClientRect();
        const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
        return { box: box.width > 0 && box.height > 0, mark: outlineStyle !== "none" || boxShadow !== "none", what: document.activeElement.outerHTML.slice(0, 80) };
      });
      if (seen.what.startsWith("<body")) continue;
      // A file field is drawn by its label.
      if (!seen.what.includes('type="file"')) assert.ok(seen.box && seen.mark, `the focus is seen: ${seen.what}`);
    }
    assert.fail(`${wanted} is not reached by the tabulator key`);
  };
  if (!(await tab.isVisible("#diploma-text"))) {
    await reached("main summary");
    await tab.keyboard.press("Enter");
  }
  await reached("#diploma-text");
  await tab.keyboard.insertText(await readFile(diploma("2026-0002.sd-jwt"), "utf8"));
  await reached("button[type=submit], form button");
  await tab.keyboard.press("Enter");
  assert.equal((await answer(tab)).verdict, "valid");
  await tab.waitForFunction(() => /^H[12]$/.test(document.activeElement.tagName));
  await reached("[data-step] summary, [data-step] button, summary[data-step]");
  await tab.keyboard.press("Enter");
  assert.ok(await tab.evaluate(() => document.activeElement.closest("details")?.open ?? document.activeElement.getAttribute("aria-expanded") === "true"));
  await close();
});

test("the answer is announced", async () => {
  const { tab, close } = await open(browser, url);
  const live = () => tab.$$eval("[aria-live], [role=status], [role=alert]", (all) => all.map((one) => one.textContent).join(" "));
  assert.ok((await tab.$$("[aria-live], [role=status]")).length > 0, "a live region is there before anything happens");
  await check(tab, diploma("2026-0004.pdf"));
  assert.match(await live(), /withdrawn|not valid/i);
  await close();
});

test("320 pixels wide, and enlarged four times: nothing is cut off", async () => {
  for (const [name, options] of [
    ["320", { viewport: { width: 320, height: 640 } }],
    // A window of 1,280 pixels at 400 %.
    ["zoom-400", { viewport: { width: 320, height: 256 }, deviceScaleFactor: 4 }],
  ]) {
    for (const file of ["2026-0001.pdf", "2026-0004.pdf"]) {
      const { tab, close } = await open(browser, url, options);
      await check(tab, diploma(file));
      const [wide, room] = await tab.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok(wide <= room, `${name}: ${wide} pixels in ${room}`);
      await shot(tab, `${name}-${file.slice(0, 9)}`);
      await close();
    }
  }
});

test("touch targets are large enough, and text can be spaced", async () => {
  const { tab, close } = await open(browser, url, { viewport: { width: 320, height: 640 } });
  await check(tab, diploma("2026-0001.pdf"));
  const small = await tab.$$eval("button, select, summary, [role=tab]", (all) =>
    all.flatMap((one) => {
      const { width, height } = one.getBoundingClientRect();
      return width > 0 && (width < 24 || height < 24) ? [`${one.outerHTML.slice(0, 80)} ${width}×${height}`] : [];
    }),
  );
  assert.deepEqual(small, [], "WCAG 2.2 2.5.8: 24 by 24");
  await tab.addStyleTag({ content: "" }).catch(() => {});
  await tab.evaluate(() => {
    for (const one of document.querySelectorAll("*")) {
      one.style?.setProperty("line-height", "1.5", "important");
      one.style?.setProperty("letter-spacing", "0.12em", "important");
      one.style?.setProperty("word-spacing", "0.16em", "important");
    }
  });
  const [wide, room] = await tab.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `WCAG 1.4.12: ${wide} pixels in ${room}`);
  await close();
});

test("forced colours and no motion", async () => {
  const { tab, close } = await open(browser, url, { forcedColors: "active", reducedMotion: "reduce" });
  await check(tab, diploma("2026-0001.pdf"));
  const moving = await tab.evaluate(() => document.getAnimations().length);
  assert.equal(moving, 0);
  await shot(tab, "forced-colours");
  await close();
});

test("every language: whole, right, and in its own words", { timeout: 600_000 }, async () => {
  const files = (await readdir(STRINGS)).filter((name) => /^[a-z]{2}\.json$/.test(name)).map((name) => name.slice(0, 2));
  assert.deepEqual(files.sort(), LANGUAGES);
  const { tab, close, complaints } = await open(browser, url);
  const english = await tab.title();
  for (const language of LANGUAGES) {
    await tab.selectOption("#language", language);
    await tab.waitForFunction((language) => document.documentElement.lang === language, language);
    const strings = JSON.parse(await readFile(path.join(STRINGS, `${language}.json`), "utf8"));
    await tab.getByText(strings["diploma.lead"]).waitFor();
    if (language !== "en") assert.notEqual(await tab.title(), english, language);
  }
  assert.deepEqual(complaints, []);
  await close();
});

test("five languages, narrow and wide, with good and bad diplomas", { timeout: 600_000 }, async () => {
  for (const language of ["de", "fr", "el", "bg", "ga"]) {
    const strings = JSON.parse(await readFile(path.join(STRINGS, `${language}.json`), "utf8"));
    for (const width of [320, 1280]) {
      const { tab, close, complaints } = await open(browser, url, { viewport: { width, height: 800 }, locale: language });
      assert.equal(await tab.evaluate(() => document.documentElement.lang), language, "the browser's own language");
      for (const [file, verdict] of [
        ["2026-0001.pdf", "valid"],
        ["2026-0004.pdf", "not-valid"],
      ]) {
        const turn = await next(tab);
        await give(tab, "#diploma-files", diploma(file));
        await turn.done();
        assert.equal((await answer(tab)).verdict, verdict);
        const said = await tab.innerText("main");
        assert.ok(said.includes(strings[`verdict.${verdict}`]), `${language}: ${strings[`verdict.${verdict}`]}`);
        assert.doesNotMatch(said, /\b(reason|step|verdict|field|evidence)\.[a-z-]+\.?[a-z-]*\b|undefined|\[object|\{[a-z]+\}/, language);
        const [wide, room] = await tab.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(wide <= room, `${language}: ${wide} pixels in ${room}`);
        await shot(tab, `${language}-${width}-${verdict}`);
      }
      assert.deepEqual(complaints, []);
      await close();
    }
  }
});
