/**
 * What a verifier found out lately: proven states and what they say, receipts, schemas, tokens.
 *
 * Thousands of diplomas of one graduation have all of that in common; reading and proving it costs a hundred times what a signature
 * does. Each answer depends on its arguments and the verifier's trust file alone, so remembering changes how long it takes and
 * never what it is.
 *
 * - INV-VERIFY-2: something is found again only under *everything* that its answer depends on: the object itself, which nothing
 *   changes, all of its text, or a SHA-256 of that.
 * - What is remembered is bounded.
 */

import { utf8 } from "../base/bytes.js";
import { sha256hex } from "../base/hash.js";
import { Generations } from "../credentials/generations.js";
import { MEMORY_BYTES_MAX } from "../credentials/limits.js";
import { Token } from "../credentials/statustoken.js";
import { verifyReceipt } from "../records/receipt.js";
import type { Receipt, ReceiptVerdict } from "../records/receipt.js";
import type { TrustFile } from "../records/trust.js";
import { EvidenceError } from "../state/evidence.js";
import type { Evidence, ProvenState } from "../state/evidence.js";
import type { TokenFormat } from "../state/tokens.js";
import { questionKey } from "./ledger.js";
import type { Question } from "./ledger.js";
import { compileSchema } from "./schema.js";
import type { Schema } from "./schema.js";
import { View } from "./view.js";

/** Questions of which one state remembers the answers: a graduation's degrees, by level and type. */
const VIEWS_MAX = 8;
/** About how much more a schema takes when it is ready than its text does. */
const COMPILED_TIMES = 16;

/** A proven state, and the answers it gave. */
export class Proven {
  private readonly state: ProvenState;
  private readonly views = new Map<string, Promise<View>>();

  constructor(state: ProvenState) {
    this.state = state;
  }

  /** The header's time. */
  get time(): number {
    return this.state.header.time;
  }

  /** What the state says to a question, remembered. */
  view(question: Question): Promise<View> {
    const key = questionKey(question);
    const known = this.views.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.views.keys();
    if (this.views.size >= VIEWS_MAX && oldest !== undefined) this.views.delete(oldest);
    const view = View.read(this.state, question);
    this.views.set(key, view);
    return view;
  }
}

/** Everything that a verifier remembers. */
export class Memory {
  private readonly trust: TrustFile;
  /**
   * By the object itself, and for as long as somebody holds it: the readers of packages give the same object for the same bytes,
   * and are bounded themselves.
   */
  private readonly states = new WeakMap<Evidence, Proven | EvidenceError>();
  private readonly receipts = new Generations<Promise<ReceiptVerdict>>(MEMORY_BYTES_MAX / 4);
  private readonly schemas = new Generations<{ readonly schema: Schema | undefined }>(MEMORY_BYTES_MAX / 4);
  private readonly tokens = new Generations<Token>(MEMORY_BYTES_MAX / 4);

  constructor(trust: TrustFile) {
    this.trust = trust;
  }

  /** What an evidence proves, or why it does not hold. */
  proven(evidence: Evidence): Proven | EvidenceError {
    const known = this.states.get(evidence) ?? this.prove(evidence);
    this.states.set(evidence, known);
    return known;
  }

  private prove(evidence: Evidence): Proven | EvidenceError {
    try {
      return new Proven(evidence.verify(this.trust));
    } catch (error) {
      if (error instanceof EvidenceError) return error;
      throw error;
    }
  }

  /** What a receipt says without its opening. */
  receipt(receipt: Receipt, clock: number): Promise<ReceiptVerdict> {
    const text = receipt.ledgerPart;
    const key = `${clock} ${sha256hex(utf8(text))}`;
    const known = this.receipts.get(key);
    if (known !== undefined) return known;
    const verdict = verifyReceipt(receipt.withoutOpening(), this.trust, clock);
    this.receipts.put(key, verdict, 3 * text.length);
    return verdict;
  }

  /** A schema made ready; none when it is not one that can be used here. */
  schema(body: string, lenient: boolean): Schema | undefined {
    const key = `${lenient ? "lenient" : "whole"} ${body}`;
    const known = this.schemas.get(key);
    if (known !== undefined) return known.schema;
    const schema = compileSchema(body, lenient);
    this.schemas.put(key, { schema }, COMPILED_TIMES * body.length);
    return schema;
  }

  /**
   * A status token, read.
   *
   * @throws TokenFault
   */
  token(format: TokenFormat, text: string): Token {
    const key = `${format} ${text}`;
    const known = this.tokens.get(key);
    if (known !== undefined) return known;
    const token = Token.parse(format, text);
    // As text, what of it was signed, and the list unpacked.
    this.tokens.put(key, token, 4 * text.length + token.size);
    return token;
  }
}
