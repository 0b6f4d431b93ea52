const KEY = 'testamur.seen';

/**
 * The greatest block that was proven to this browser, by network. An answer of an earlier one hides something or is behind.
 * Kept over visits where the browser keeps anything: it says that somebody once looked at a network, and nothing else.
 */
export class Seen {
  private readonly heights = new Map<string, number>();

  constructor(private readonly storage: Storage | undefined) {
    for (const [network, height] of Object.entries(this.kept())) this.heights.set(network, height);
  }

  /** The greatest height of a network; 0 for none. */
  height(network: string): number {
    return this.heights.get(network) ?? 0;
  }

  /** Takes note of a height that was proven. */
  saw(network: string, height: number): void {
    if (height <= this.height(network)) return;
    this.heights.set(network, height);
    try {
      this.storage?.setItem(KEY, JSON.stringify({ ...this.kept(), [network]: height }));
    } catch {
      // Full, or forbidden: then it is known until the page is closed.
    }
  }

  private kept(): Record<string, number> {
    try {
      const value: unknown = JSON.parse(this.storage?.getItem(KEY) ?? '{}');
      if (typeof value !== 'object' || value === null) return {};
      const entries = Object.entries(value).filter(
        (entry): entry is [string, number] => /^[0-9a-f]{64}$/.test(entry[0]) && Number.isSafeInteger(entry[1]),
      );
      return Object.fromEntries(entries);
    } catch {
      return {};
    }
  }
}
