/**
 * The share link: the compact credential in a URL's fragment, which browsers do not send to servers.
 *
 * ```text
 * https://<page>/#c=<compact credential>        at most 2,000 characters
 * ```
 * Mail scanners and chat services write `%23` for `#` and percent-encode what follows; both are read.
 */

import { utf8Length } from "../base/text.js";
import { LINK_CHARS_MAX } from "./limits.js";
import { Refusal } from "./refusal.js";

const MARK = /#c=|%23c=|%23c%3[Dd]/;
const LOCAL = ["http://127.0.0.1", "http://localhost", "http://[::1]"];

/** Why a link cannot be made. */
export class LinkError extends Error {
  /** Whether the page's address is at fault, or the credential's length. */
  readonly kind: "page" | "too-long";

  /** An error of a kind. */
  constructor(kind: "page" | "too-long", message: string) {
    super(message);
    this.name = "LinkError";
    this.kind = kind;
  }
}

/** The link to a page with a compact credential. Throws {@link LinkError}. */
export function makeLink(page: string, compact: string): string {
  const isLocal = LOCAL.some((local) => page.startsWith(local));
  if (!(page.startsWith("https://") || isLocal) || !/^[!-~]*$/.test(page) || /[#"<>]/.test(page)) {
    throw new LinkError("page", "the page's address must begin with https:// and have no #, space or quote");
  }
  // A page by itself ends in a slash; a path or file stays as it is.
  const slash = page.indexOf("/", page.indexOf("://") + 3) < 0 ? "/" : "";
  const link = `${page}${slash}#c=${compact}`;
  const length = utf8Length(link);
  if (length > LINK_CHARS_MAX) {
    const most = `at most ${LINK_CHARS_MAX} arrive whole everywhere`;
    throw new LinkError("too-long", `the link would have ${length} characters; ${most}`);
  }
  return link;
}

/** Whether text is a link at all. */
export function isLink(text: string): boolean {
  return text.startsWith("https://") || text.startsWith("http://");
}

/** The compact credential in a link. Throws {@link Refusal}. */
export function parseLink(link: string): string {
  // Percent-encoding triples what it touches.
  const most = 3 * LINK_CHARS_MAX;
  const length = utf8Length(link);
  if (length > most) throw Refusal.tooLarge(length, most);
  const mark = MARK.exec(link);
  if (mark === null) throw Refusal.noCredential();
  const rest = link.slice(mark.index + mark[0].length);
  const decoded = decode(rest.replace(/[&#].*$/su, ""));
  if (decoded === "") throw Refusal.noCredential();
  return decoded;
}

/** Takes percent-encoding of ASCII out. Nothing else can stand in a credential. */
function decode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})?/g, (_, digits: string | undefined) => {
    const byte = digits === undefined ? 0x80 : parseInt(digits, 16);
    if (byte > 0x7f) throw Refusal.malformed("the link is damaged");
    return String.fromCharCode(byte);
  });
}
