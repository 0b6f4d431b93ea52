// What the page and its engine say to each other. Types only: the page's first part imports no code from here.
import type { Facts, Report } from '@testamur/verify';

/** The deployment's network: `network.json` beside the page. */
export interface NetworkConfig {
  /** What people call the network. */
  readonly name: string;
  /** The trust file's text. */
  readonly trust: string;
  /** Addresses of nodes, each an origin with an optional path; perhaps none. */
  readonly nodes: readonly string[];
}

/** A trust file that the user of this browser installed, knowing what it means. */
export interface InstalledTrust {
  /** The trust file's text. */
  readonly trust: string;
  /** Unix time of its installation. */
  readonly since: number;
}

/** What is shown of a trust file before somebody installs it. */
export interface TrustPreview {
  /** The network's name. */
  readonly name: string;
  /** `<domain>/<name>/<part of the genesis hash>`. */
  readonly origin: string;
  /** The network's identity: 64 hexadecimal digits. */
  readonly genesisHash: string;
  /** Method of the network's DIDs. */
  readonly didMethod: string;
  /** SHA-256 of the trust file: what people compare by telephone. */
  readonly fingerprint: string;
}

/** The network that answers are about. */
export interface NetworkInfo extends TrustPreview {
  /** Whether the user installed it: every verdict says so then. */
  readonly installed: boolean;
  /** Its nodes; none when only what comes with a diploma is looked at. */
  readonly nodes: readonly string[];
}

/** How a node did. */
export type NodeState =
  /** Its answer was proven. */
  | 'ok'
  /** None: it is away, too slow, or refuses. */
  | 'no-answer'
  /** What it answered cannot be honest. */
  | 'lies'
  /** What it proved is older than what is known: it is behind, or hides what came since. */
  | 'behind'
  /** It answered truly, and this page cannot use it: it is of newer rules, or holds no longer what is asked for. */
  | 'unusable';

/** A node, and what came of asking it. */
export interface NodeAnswer {
  /** Its address. */
  readonly node: string;
  readonly state: NodeState;
  /** Stable slug, the same as the command line's; `ok` for an answer that was proven. */
  readonly code: string;
  /** In English, for those who look closer. */
  readonly detail: string;
  /** The block that it proved. */
  readonly height?: number;
}

/** What is checked: a file, or text that was pasted or came out of a QR code. */
export type CheckInput =
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array; readonly receipt?: Uint8Array }
  | { readonly kind: 'text'; readonly text: string };

/** How far a check is. */
export interface Progress {
  readonly stage: 'opening' | 'reading' | 'asking' | 'verifying';
  /** Credentials that are done. */
  readonly done: number;
  /** Credentials in all; 0 while that is not known. */
  readonly of: number;
}

/** How something is checked. */
export interface CheckOptions {
  /** The Unix time that is asked about; none for now. */
  readonly at?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** A credential of a file, judged. */
export interface CheckedItem {
  /** Where in a container it was; none when the file is the credential. */
  readonly name?: string;
  /** What is said of it: the same JSON that the command line prints. */
  readonly report: Report;
  /** Where the state of the ledger came from. */
  readonly source: 'nodes' | 'package' | 'none';
  /** What was rested on, as text, for those who want to keep it. */
  readonly evidence?: string;
  /** The receipt, as text. */
  readonly receipt?: string;
  /** The credential, as it was read. */
  readonly credential?: string;
}

/** The answer to a file. */
export interface Checked {
  /** At least one; of an archive several. The first of the worst decides. */
  readonly items: readonly CheckedItem[];
  /** Which of the items that is. */
  readonly worst: number;
  readonly network: NetworkInfo;
  /** The nodes that were asked. */
  readonly nodes: readonly NodeAnswer[];
  /** Unix time by this device's clock. */
  readonly checkedAt: number;
  /** Milliseconds of verification, without reading the file and asking nodes. */
  readonly verifyMs: number;
}

/** What is looked up: a document, with its receipt or without, or a digest. */
export type DocumentInput =
  | { readonly kind: 'file'; readonly name: string; readonly file: Blob; readonly receipt?: Uint8Array }
  | { readonly kind: 'receipt'; readonly receipt: Uint8Array }
  | { readonly kind: 'hash'; readonly hash: string; readonly alg?: string };

/** A public entry of a document, proven by a receipt that was verified here. */
export interface ProvenEntry {
  readonly facts: Facts;
  /** Whether the witnesses' keys are still in office. */
  readonly outcome: 'confirmed' | 'out-of-office';
  /** The receipt's text. */
  readonly receipt: string;
}

/** What is known of a document. */
export type DocumentAnswer =
  | {
      readonly kind: 'receipt';
      readonly outcome: 'confirmed' | 'out-of-office' | 'not-valid' | 'cannot-tell';
      /** Of the first two outcomes. */
      readonly facts?: Facts;
      /** Of the last two: stable slug. */
      readonly code?: string;
      /** Of the last two: in English, for those who look closer. */
      readonly detail?: string;
      /** Algorithm and digest of the document, when there is one. */
      readonly alg?: string;
      readonly digest?: string;
      /** Whether the two files seem to be swapped. */
      readonly swapped: boolean;
    }
  | {
      readonly kind: 'lookup';
      readonly alg: string;
      readonly digest: string;
      /** In log order, at most a page of them. None is no proof of absence: entries are salted unless somebody wants otherwise. */
      readonly entries: readonly ProvenEntry[];
      /** Whether there are more. */
      readonly more: boolean;
      readonly nodes: readonly NodeAnswer[];
    };

/** What judges. */
export interface Checker {
  /** Judges a file or a text. Never throws over what is in it; an aborted check throws an `AbortError`. */
  check(input: CheckInput, options?: CheckOptions): Promise<Checked>;
}

/** A network that is looked at. */
export interface Session extends Checker {
  readonly network: NetworkInfo;
  /** For several files one after another: what their credentials have in common is asked of the nodes once. */
  batch(): Checker;
  /**
   * Says what is known of a document. A digest is sent to nodes only for a lookup: never when there is a receipt, and never a
   * diploma's. Throws an error with the code `document.diploma` or `document.digest` when nothing is looked up.
   */
  document(input: DocumentInput, options?: CheckOptions): Promise<DocumentAnswer>;
}

/** The part of the page that is loaded on demand. */
export interface Engine {
  /** A session under the trust file that the user installed, or else under the deployment's. */
  open(config: NetworkConfig, installed: InstalledTrust | null): Session;
  /** Reads a trust file; throws a {@link ConfigError} when it is none. */
  previewTrust(text: string): TrustPreview;
}
