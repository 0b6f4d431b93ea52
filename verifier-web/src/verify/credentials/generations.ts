/** A bounded memory: two generations; when the newer is full, the older is forgotten. */

/** A bounded map of two generations. What is asked for moves to the newer. */
export class Generations<V> {
  private newer = new Map<string, { value: V; weight: number }>();
  private older = new Map<string, { value: V; weight: number }>();
  private weight = 0;
  /** The weight of a generation. */
  private readonly most: number;

  /** One whose entries weigh at most this much together. */
  constructor(most: number) {
    this.most = Math.floor(most / 2);
  }

  /** What is remembered under a key. */
  get(key: string): V | undefined {
    const found = this.newer.get(key);
    if (found !== undefined) return found.value;
    const before = this.older.get(key);
    if (before === undefined) return undefined;
    this.older.delete(key);
    this.put(key, before.value, before.weight);
    return before.value;
  }

  /** Remembers, unless it is too heavy for a generation. */
  put(key: string, value: V, weight: number): void {
    if (weight > this.most) return;
    if (this.weight + weight > this.most) {
      this.older = this.newer;
      this.newer = new Map();
      this.weight = 0;
    }
    this.weight += weight - (this.newer.get(key)?.weight ?? 0);
    this.newer.set(key, { value, weight });
  }
}
