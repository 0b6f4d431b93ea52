// Every bound of what the page asks and reads, each with its reason.

/** Nodes of a configuration that are read: as the command line has it; more adds nothing to availability. */
export const NODES_MAX = 64;
/** Nodes that are asked at once: two must agree on what is new, and one of three may be dead without anybody waiting for it. */
export const NODES_AT_ONCE = 3;
/** Milliseconds for one request and its whole answer: a lookup on a busy node over a slow line. Somebody is looking at a page meanwhile. */
export const REQUEST_TIMEOUT_MS = 8_000;
/** Milliseconds that the other nodes get after the first proven answer: enough for a slow line, too short to be noticed as waiting. */
export const HEDGE_MS = 700;
/** Milliseconds between two looks at a node that is a block behind: gossip of a decided block takes well below a second. */
export const BEHIND_PAUSE_MS = 80;
/** Milliseconds that a node that is behind gets to catch up, when no other node has answered. */
export const BEHIND_TIMEOUT_MS = 3_000;
/** Bytes of `network.json`: a trust file with 64 validators, and the addresses of as many nodes. */
export const CONFIG_BYTES_MAX = 4 * 1024 * 1024 + 64 * 1024;
/** Bytes of a trust file that a person installs, as its reader has it. */
export const TRUST_BYTES_MAX = 4 * 1024 * 1024;
/** Characters of a network's name that are kept: it is one line of the page. */
export const NAME_CHARS_MAX = 80;
/** Bytes of a node's answer with evidence: 256 keys with their proofs. */
export const EVIDENCE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of a node's answer otherwise: a page of a list. */
export const ANSWER_BYTES_MAX = 1024 * 1024;
/** Bytes of a problem document: a title, a sentence and a code. What is longer is not read. */
export const PROBLEM_BYTES_MAX = 32 * 1024;
/** Bytes of a status list as it lies on the ledger. */
export const ATTACHMENT_BYTES_MAX = 256 * 1024;
/** Bytes of a receipt. */
export const RECEIPT_BYTES_MAX = 4 * 1024 * 1024;
/** How old a header may be, in seconds, that the ledger is read under: five heartbeats of an idle network. */
export const EVIDENCE_AGE_S = 300;
/** State keys that a read may need. */
export const EVIDENCE_KEYS_MAX = 256;
/** Characters of the query that asks for state keys: what nodes read of a query string, less some room. */
export const STATE_QUERY_CHARS_MAX = 1_800;
/** State keys asked for at once. */
export const STATE_KEYS_PER_REQUEST = 32;
/** How often a read starts again because a block was decided while its keys were gathered. */
export const GATHER_RESTARTS_MAX = 20;
/** Questions whose answers are used again within one check: an archive of diplomas has few issuers and kinds. */
export const QUESTIONS_MAX = 64;
/** Entries of a document that are shown: who notarises one document more often than this does it for another reason. */
export const NOTARISATIONS_MAX = 20;
/** Bytes of a document that are read at a time for its digest: the page stays usable meanwhile. */
export const READ_BYTES = 1024 * 1024;
/** Bytes of a file that may be a diploma: as the verifier has it. */
export const FILE_BYTES_MAX = 32 * 1024 * 1024;
