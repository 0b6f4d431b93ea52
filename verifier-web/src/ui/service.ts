import { installTrust, installedTrust, loadEngine, loadNetwork, removeInstalledTrust } from '../ledger/shell.js';
import type { NetworkConfig, Session, TrustPreview } from '../ledger/types.js';

/** The verifier, loaded when it is first asked, under the network of the page or the one that its reader installed. */
export class Service {
  #config: Promise<NetworkConfig> | undefined;
  #session: Promise<Session> | undefined;

  /** The network's configuration; asked for again after a failure. */
  config(): Promise<NetworkConfig> {
    this.#config ??= loadNetwork().catch((error: unknown) => {
      this.#config = undefined;
      throw error;
    });
    return this.#config;
  }

  /** What checks. */
  session(): Promise<Session> {
    this.#session ??= this.#open().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  /** What a trust file says, before anybody trusts it. */
  async preview(text: string): Promise<TrustPreview> {
    return (await loadEngine()).previewTrust(text);
  }

  /** Trusts another network from now on. */
  install(text: string): void {
    installTrust(text);
    this.#session = undefined;
  }

  /** Goes back to the page's own network. */
  remove(): void {
    removeInstalledTrust();
    this.#session = undefined;
  }

  async #open(): Promise<Session> {
    const [engine, config] = await Promise.all([loadEngine(), this.config()]);
    return engine.open(config, installedTrust());
  }
}
