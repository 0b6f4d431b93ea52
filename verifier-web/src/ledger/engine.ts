// The part of the page that is loaded on demand: the verifier, and what asks the nodes.
import { TrustError, TrustFile, Verifiers } from '@testamur/verify';

import { check } from './check.js';
import { ConfigError } from './config.js';
import { Gatherer } from './diplomas.js';
import { lookUp } from './document.js';
import { Node } from './node.js';
import { Registry } from './registry.js';
import { Seen } from './seen.js';
import type { Checker, Engine, InstalledTrust, NetworkConfig, NetworkInfo, Session, TrustPreview } from './types.js';

/** The engine. */
export const engine: Engine = {
  open,
  previewTrust: (text) => preview(decodeTrust(text)),
};

function open(config: NetworkConfig, installed: InstalledTrust | null): Session {
  const own = decodeTrust(config.trust);
  const trust = installed === null ? own : decodeTrust(installed.trust);
  // The host's nodes are of the host's network. Another is judged by what comes with a diploma.
  const nodes = trust.network === own.network ? config.nodes.map((address) => new Node(address)) : [];
  const network: NetworkInfo = {
    ...preview(trust),
    ...(installed === null ? { name: config.name } : {}),
    installed: installed !== null,
    nodes: nodes.map((node) => node.name),
  };
  const now = (): number => Math.floor(Date.now() / 1000);
  const registry = new Registry(nodes, trust, new Seen(storage()), now);
  const verifiers = new Verifiers([trust]);
  const batch = (): Checker => {
    const gatherer = new Gatherer(registry);
    return { check: (input, options = {}) => check({ verifiers, registry, network, now }, gatherer, input, options) };
  };
  return {
    network,
    batch,
    check: (input, options) => batch().check(input, options),
    document: (input, options = {}) => lookUp({ trust, nodes, now }, input, options),
  };
}

function decodeTrust(text: string): TrustFile {
  try {
    return TrustFile.decode(text);
  } catch (error) {
    if (error instanceof TrustError) throw new ConfigError('config.trust', error.message);
    throw error;
  }
}

function preview({ genesis, network, origin, fingerprint }: TrustFile): TrustPreview {
  return { name: genesis.name, origin, genesisHash: network, didMethod: genesis.didMethod, fingerprint };
}

/** Where this browser keeps something for the page, if anywhere. */
function storage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
