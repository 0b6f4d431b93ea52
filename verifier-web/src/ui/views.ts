// What is seen only after somebody did something: loaded together with the verifier.
import type { Translator } from './i18n.js';
import { countryName, languageName } from './places.js';

export { Camera } from './camera.js';
export { DocumentTab } from './document.js';
export { List } from './list.js';
export { Result } from './result.js';
export { Settings } from './settings.js';

/** Has the browser load its data of dates and names, while nobody waits for them. */
export function warmUp(i18n: Translator): void {
  i18n.day('2026-01-01');
  i18n.time(0);
  countryName(i18n, 'EU');
  languageName(i18n, 'en');
}
