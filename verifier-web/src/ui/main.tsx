import { render } from 'preact';

import './styles/page.css';
import './styles/result.css';
import './styles/steps.css';
import './styles/print.css';
import { App } from './app.js';
import { firstLanguage } from './languages.js';
import { Service } from './service.js';
import { loadTranslator } from './strings.js';

async function start(): Promise<void> {
  const place = document.getElementById('app');
  if (place === null) return;
  const language = firstLanguage();
  const service = new Service();
  // Offline, with a language that was never loaded: better English than nothing.
  const translator = await loadTranslator(language).catch(() => loadTranslator('en'));
  render(<App service={service} first={translator} />, place);
}

void start();
