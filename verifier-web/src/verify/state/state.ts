// State keys, and reading of values with history.
//
// The state is a map from text to RFC 8785 JSON. History is in the keys: an object `kind/id` has numbered entries
// `kind/id/1`, `kind/id/2`, … and `kind/id/head`, which holds the same bytes as the newest entry. Nothing is deleted. So
// "as of T" is proven against the newest root, by the entry that was in force and either its successor or the head.

import * as codec from "../base/codec.js";
import { CodecError, VerifyError } from "../base/errors.js";
import type { JsonObject } from "../base/json.js";

/** Whether a text is a state key: `kind/id/head` or `kind/id/<number from 1>`. */
export function isStateKey(text: string): boolean {
  const match = /^[a-z-]+\/[!-.0-~]+\/(head|[1-9][0-9]{0,19})$/.exec(text);
  // Numbers of entries have 64 bits.
  return match !== null && (match[1] === "head" || BigInt(match[1] ?? "") <= 0xffff_ffff_ffff_ffffn);
}

/** An object of the state, `kind/id`: a head and numbered entries. */
export class StateObject {
  private readonly name: string;

  /** Names an object. `id` holds no slash: it is a DID, a hexadecimal hash or the like. */
  constructor(kind: string, id: string) {
    if (id === "" || id.includes("/")) throw new RangeError("an id would change the shape of a state key");
    this.name = `${kind}/${id}`;
  }

  /** Key of the newest entry's copy. */
  get head(): string {
    return `${this.name}/head`;
  }

  /** Key of an entry; entries count from 1. */
  entry(seq: number): string {
    return `${this.name}/${seq}`;
  }
}

/** Where the state is read from: one snapshot, unchanged while it is used. */
export interface StateReader {
  /**
   * The value of a key, null when it is absent. Throws {@link NotProven} when nothing is known of the key. Nobody changes
   * these bytes afterwards: what they read as is remembered with them.
   */
  get(key: string): Uint8Array | null;
}

/** Nothing is proven of a key that a read needs. Never the same as "absent". */
export class NotProven extends VerifyError {
  /** The key. */
  readonly key: string;

  constructor(key: string) {
    super("evidence.not-proven", `cannot read the state: the node's answer proves nothing about ${key}: ask another node`);
    this.key = key;
  }
}

/** A value that the rules of the ledger cannot have written: of a newer version, or of a ledger with other rules. */
export class DamagedState extends VerifyError {
  /** Where. */
  readonly key: string;

  constructor(key: string, reason: string) {
    super("state.damaged", `the state is damaged at ${key}: ${reason}`);
    this.key = key;
  }
}

/** What every value begins with. */
export interface Entry {
  /** Its number, from 1. */
  readonly seq: number;
}

/** An entry that says when it was written, so that the one in force at a time can be found. */
export interface TimedEntry extends Entry {
  /** Height that wrote it. */
  readonly height: number;
  /** Time of that height's block. */
  readonly time: number;
}

/** How a kind of entry is read. */
export interface EntryShape<T extends Entry> {
  /** Members beside `v` and `seq`. */
  readonly members: readonly string[];
  /** Members that may be missing. */
  readonly optional?: readonly string[];
  /** Reads the members; may throw a CodecError. */
  read(members: JsonObject, seq: number): T;
}

/** Reads the newest entry of an object. */
export function head<T extends Entry>(reader: StateReader, object: StateObject, shape: EntryShape<T>): T | undefined {
  return read(reader, object.head, shape);
}

/** Reads one entry of an object. What `seq` says is checked against the key. */
export function entry<T extends Entry>(
  reader: StateReader,
  object: StateObject,
  seq: number,
  shape: EntryShape<T>,
): T | undefined {
  const key = object.entry(seq);
  const found = read(reader, key, shape);
  if (found && found.seq !== seq) throw new DamagedState(key, `holds entry ${found.seq}`);
  return found;
}

/**
 * Reads the entry that was in force at a time: the newest whose block is not later. The search reads the head first, so
 * the usual question, about now, costs one key.
 */
export function entryAt<T extends TimedEntry>(
  reader: StateReader,
  object: StateObject,
  time: number,
  shape: EntryShape<T>,
): T | undefined {
  const newest = head(reader, object, shape);
  if (!newest || newest.time <= time) return newest;
  // Entries 1 … seq-1, in order of time; `found` is the newest known not to be later.
  let [low, high]: [number, number] = [1, newest.seq - 1];
  let found: T | undefined;
  while (low <= high) {
    const middle = low + Math.floor((high - low) / 2);
    const candidate = entry(reader, object, middle, shape);
    if (!candidate) throw new DamagedState(object.entry(middle), "is missing, though a later entry exists");
    if (candidate.time <= time) {
      low = middle + 1;
      found = candidate;
    } else {
      high = middle - 1;
    }
  }
  return found;
}

/** Reads an entry from the JSON of a state value. Throws a CodecError when it is of another shape or version. */
export function readEntry<T extends Entry>(shape: EntryShape<T>): codec.Reader<T> {
  return (json) => {
    const members = codec.object(json, ["v", "seq", ...shape.members], shape.optional);
    const [version, seq] = [codec.field(members, "v", codec.u8), codec.field(members, "seq", codec.integer)];
    const value = shape.read(members, seq);
    if (version !== 1 || seq === 0) throw new CodecError("json", "unknown version or entry number");
    return value;
  };
}

/** What values read as. A read is repeated until all that it needs is proven, and asks for the same values each time. */
const typed = new WeakMap<Uint8Array, { readonly shape: object; readonly entry: Entry }>();

function read<T extends Entry>(reader: StateReader, key: string, shape: EntryShape<T>): T | undefined {
  const bytes = reader.get(key);
  if (bytes === null) return undefined;
  const known = typed.get(bytes);
  // Of one shape all entries are of one type.
  if (known?.shape === shape) return known.entry as T;
  try {
    const entry = codec.fromCanonical(bytes, readEntry(shape));
    typed.set(bytes, { shape, entry });
    return entry;
  } catch (error) {
    if (error instanceof CodecError) throw new DamagedState(key, error.message);
    throw error;
  }
}

/** Remembers which keys a read asks for. */
export class Recorder implements StateReader {
  private readonly asked = new Set<string>();

  /** Begins a read over another reader. */
  constructor(private readonly inner: StateReader) {}

  /** The keys asked for, in order. */
  keys(): string[] {
    return [...this.asked].sort();
  }

  /** Reads on, and notes the key. */
  get(key: string): Uint8Array | null {
    this.asked.add(key);
    return this.inner.get(key);
  }
}
