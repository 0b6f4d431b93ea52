import { CONFIG_BYTES_MAX, NAME_CHARS_MAX, NODES_MAX, TRUST_BYTES_MAX } from './limits.js';
import { boundedBytes } from './bytes.js';
import type { InstalledTrust, NetworkConfig } from './types.js';

/** Why there is no network to check against. */
export type ConfigCode =
  /** The deployment has no `network.json`. */
  | 'config.missing'
  /** It could not be fetched. */
  | 'config.unreadable'
  /** It is not what it must be. */
  | 'config.invalid'
  /** A trust file does not decode. */
  | 'config.trust'
  /** This browser keeps nothing. */
  | 'config.storage';

/** A configuration that cannot be used. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly code: ConfigCode,
    readonly detail: string,
  ) {
    super(`${code}: ${detail}`);
  }
}

/**
 * The network of this deployment: `network.json` beside the page, and nothing else. No address, parameter or file that is
 * checked chooses another.
 */
export async function loadNetwork(): Promise<NetworkConfig> {
  let bytes: Uint8Array;
  try {
    const response = await fetch('./network.json', { cache: 'no-cache', credentials: 'same-origin', redirect: 'error' });
    if (response.status === 404) throw new ConfigError('config.missing', 'there is no network.json beside the page');
    if (!response.ok) throw new ConfigError('config.unreadable', `HTTP ${response.status}`);
    bytes = await boundedBytes(response, CONFIG_BYTES_MAX);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('config.unreadable', error instanceof Error ? error.message : 'no answer');
  }
  return parseNetwork(new TextDecoder().decode(bytes));
}

/** Reads a `network.json`. The trust file inside is only decoded by the engine. */
export function parseNetwork(text: string): NetworkConfig {
  const invalid = (reason: string): ConfigError => new ConfigError('config.invalid', reason);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
  if (!isObject(value)) throw invalid('it is not an object');
  if (value['v'] !== 1) throw invalid('its version is not 1');
  const { name, trust, nodes } = value;
  if (typeof name !== 'string' || name.trim() === '' || [...name].length > NAME_CHARS_MAX) {
    throw invalid(`name: a text of 1 to ${NAME_CHARS_MAX} characters is expected`);
  }
  if (!isObject(trust)) throw invalid('trust: a trust file is expected');
  if (!Array.isArray(nodes) || nodes.length > NODES_MAX) throw invalid(`nodes: a list of at most ${NODES_MAX} is expected`);
  const addresses = nodes.map((node: unknown) => {
    const address = typeof node === 'string' ? parseAddress(node) : undefined;
    if (address === undefined) throw invalid(`nodes: ${JSON.stringify(node)} is not an address of a node`);
    return address;
  });
  // Numbers of a trust file stay below 2^53 and the engine reads it again, strictly; so nothing is lost on the way.
  return { name, trust: JSON.stringify(trust), nodes: [...new Set(addresses)] };
}

/** `http(s)://host[:port][/path]/` with nothing else in it, or nothing. */
export function parseAddress(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return undefined;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.hostname === '' || url.username !== '' || url.password !== '') return undefined;
  // An empty query or fragment leaves its mark in the text only.
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) return undefined;
  return url.pathname.endsWith('/') ? url.href : `${url.href}/`;
}

const INSTALLED = 'testamur.trust';

/** The trust file that the user of this browser installed, if any. */
export function installedTrust(): InstalledTrust | null {
  try {
    const text = localStorage.getItem(INSTALLED);
    if (text === null) return null;
    const value: unknown = JSON.parse(text);
    if (!isObject(value) || typeof value['trust'] !== 'string' || typeof value['since'] !== 'number') return null;
    return { trust: value['trust'], since: value['since'] };
  } catch {
    // A browser that keeps nothing, or something that is not ours: nothing is installed.
    return null;
  }
}

/** Keeps a trust file in this browser. To be called after its user saw what it is, and agreed. */
export function installTrust(text: string): InstalledTrust {
  if (text.length > TRUST_BYTES_MAX) throw new ConfigError('config.trust', 'it is too large');
  const installed = { trust: text, since: Math.floor(Date.now() / 1000) };
  try {
    localStorage.setItem(INSTALLED, JSON.stringify(installed));
  } catch {
    throw new ConfigError('config.storage', 'this browser keeps nothing for this page');
  }
  return installed;
}

/** Goes back to the deployment's network. */
export function removeInstalledTrust(): void {
  try {
    localStorage.removeItem(INSTALLED);
  } catch {
    // Where nothing is kept, nothing is installed.
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
