import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Plugin } from 'vite';

/** The place in `index.html` that the texts go to. */
const PLACE = '<!-- noscript: languages -->';

/**
 * Says in every language of the page what to do where no script runs: nothing there knows which language its reader has.
 *
 * `strings` is the folder of the languages; the English text stands in `index.html` itself.
 */
export function noscript(strings: string): Plugin {
  return {
    name: 'testamur-noscript',
    transformIndexHtml(html) {
      if (!html.includes(PLACE)) throw new Error(`index.html has no ${PLACE}`);
      const files = readdirSync(strings).filter((name) => /^[a-z]{2}\.json$/.test(name) && name !== 'en.json');
      const items = files.sort().map((name) => {
        const texts = JSON.parse(readFileSync(join(strings, name), 'utf8')) as Record<string, string>;
        const lang = basename(name, '.json');
        const text = `${texts['noscript.title'] ?? ''}. ${texts['noscript.text'] ?? ''}`;
        return `<li lang="${escape(lang)}">${escape(text)}</li>`;
      });
      return html.replace(PLACE, `<ul>\n${items.join('\n')}\n</ul>`);
    },
  };
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
