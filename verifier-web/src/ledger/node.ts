import { Evidence, isObject, member, parseJson, type Json } from '@testamur/verify';

import { boundedBytes, TooLong } from './bytes.js';
import { Fault } from './fault.js';
import {
  ANSWER_BYTES_MAX,
  ATTACHMENT_BYTES_MAX,
  EVIDENCE_BYTES_MAX,
  PROBLEM_BYTES_MAX,
  RECEIPT_BYTES_MAX,
  REQUEST_TIMEOUT_MS,
} from './limits.js';

/** What a node's answer is, before anything in it is believed. */
interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
}

/** One node, asked over HTTP. It learns what is asked for and an address, and nothing else of who asks. */
export class Node {
  /** Its address, without the slash at the end. */
  readonly name: string;

  constructor(private readonly base: string) {
    this.name = base.replace(/\/$/, '');
  }

  /** The evidence inside the answer of a route that proves what it says; not verified. The rest is the node's own reading. */
  async evidence(path: string, signal: AbortSignal): Promise<Evidence> {
    const body = await this.success(path, 'application/json', EVIDENCE_BYTES_MAX, signal);
    const evidence = member(this.json(body), 'evidence');
    if (evidence === undefined) throw this.unexpected('it has no evidence');
    return this.read(() => Evidence.fromJson(evidence));
  }

  /** What the node says of some state keys, with what proves it; not verified. */
  async state(keys: readonly string[], signal: AbortSignal): Promise<Evidence> {
    // A state key holds no character that a query would have to escape.
    const query = keys.map((key) => `key=${key}`).join('&');
    const body = await this.success(`v1/state?${query}`, 'application/json', EVIDENCE_BYTES_MAX, signal);
    const evidence = this.json(body);
    return this.read(() => Evidence.fromJson(evidence));
  }

  /** The bits of a status list by their digest, not verified; nothing when the node does not hold them. */
  attachment(digest: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.found(`v1/attachments/${digest}`, 'application/octet-stream', ATTACHMENT_BYTES_MAX, signal);
  }

  /** The bytes of a record's receipt, not verified; nothing when there is none. */
  receipt(record: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.found(`v1/records/${record}/receipt`, 'application/json', RECEIPT_BYTES_MAX, signal);
  }

  /** Public entries of a document, by the node's word; whether there are more. */
  async notarisations(alg: string, digest: string, most: number, signal: AbortSignal): Promise<Entries> {
    const path = `v1/notarisations?alg=${alg}&hash=${digest}&limit=${most}`;
    const page = this.json(await this.success(path, 'application/json', ANSWER_BYTES_MAX, signal));
    const items = member(page, 'notarisations');
    if (!Array.isArray(items)) throw this.unexpected('it has no list of entries');
    const records = items.map((item: Json) => {
      const record = member(item, 'record');
      if (typeof record !== 'string' || !/^[0-9a-f]{64}$/.test(record)) throw this.unexpected('an entry names no record');
      return record;
    });
    return { records: [...new Set(records)].slice(0, most), more: typeof member(page, 'next') === 'string' };
  }

  /** The body of a success; nothing for 404. */
  private async found(path: string, accept: string, most: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const answer = await this.get(path, accept, most, signal);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.refused(answer);
    return answer.body;
  }

  private async success(path: string, accept: string, most: number, signal: AbortSignal): Promise<Uint8Array> {
    const answer = await this.get(path, accept, most, signal);
    if (answer.status !== 200) throw this.refused(answer);
    return answer.body;
  }

  private async get(path: string, accept: string, most: number, signal: AbortSignal): Promise<Answer> {
    const controller = new AbortController();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      controller.abort();
    }, REQUEST_TIMEOUT_MS);
    const abort = (): void => controller.abort();
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      const response = await fetch(new URL(path, this.base).href, {
        headers: { accept },
        mode: 'cors',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        // What was true a moment ago is not what is asked.
        cache: 'no-store',
        // Nobody is sent on to an address that the deployment does not name.
        redirect: 'error',
        signal: controller.signal,
      });
      return { status: response.status, body: await boundedBytes(response, response.ok ? most : PROBLEM_BYTES_MAX) };
    } catch (error) {
      if (error instanceof TooLong) throw this.unexpected(error.message);
      if (late) throw new Fault(this.name, 'no-answer', 'client.interrupted', 'no answer in time');
      // A browser says no more than this: no connection, no permission to read the answer, or no network at all.
      throw new Fault(this.name, 'no-answer', 'client.unreachable', 'it cannot be reached from this browser');
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  private json(body: Uint8Array): Json {
    return this.read(() => parseJson(body));
  }

  private read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.unexpected(error instanceof Error ? error.message : 'it cannot be read');
    }
  }

  private refused({ status, body }: Answer): Fault {
    let problem: Json = null;
    try {
      problem = parseJson(body);
    } catch {
      // Some proxy's page: the status says enough.
    }
    const text = (name: string): string | undefined => {
      const value = isObject(problem) ? member(problem, name) : undefined;
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    const detail = text('detail') ?? text('title') ?? 'refused without a reason';
    return new Fault(this.name, 'no-answer', text('code') ?? 'client.no-problem-document', `${detail} (HTTP ${status})`);
  }

  private unexpected(reason: string): Fault {
    // It took the question and answered with what no node answers.
    return new Fault(this.name, 'lies', 'client.bad-answer', `it answered with something unexpected: ${reason}`);
  }
}

/** What a node lists of a document. */
export interface Entries {
  /** Ids of records. */
  readonly records: readonly string[];
  readonly more: boolean;
}
