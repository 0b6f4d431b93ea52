/** Hostnames (RFC 1123) whose labels of other scripts (RFC 5890, in Punycode) say something that RFC 5892 allows. */

const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const HOSTNAME_CHARS_MAX = 253;

/** Whether a text is a hostname, by the characters that one is written with. */
function isAsciiHostname(text: string): boolean {
  return text.length <= HOSTNAME_CHARS_MAX && text.split(".").every((label) => LABEL.test(label));
}

/** Whether a text is a hostname. */
export function isHostname(text: string): boolean {
  return isAsciiHostname(text) && text.split(".").every(isLabel);
}

function isLabel(label: string): boolean {
  // RFC 5891 keeps hyphens at the third and fourth place for labels of other scripts.
  if (label.slice(2, 4) !== "--") return true;
  const decoded = label.startsWith("xn--") ? decodePunycode(label.slice(4)) : undefined;
  return decoded !== undefined && isUnicodeLabel(decoded);
}

// Parameters of RFC 3492 §5.
const [BASE, T_MIN, T_MAX, SKEW, DAMP, INITIAL_BIAS, INITIAL_N] = [36, 1, 26, 38, 700, 72, 128];
const U32_MAX = 0xffff_ffff;

/** RFC 3492 §6.2, over 32 bits. */
function decodePunycode(input: string): string | undefined {
  const delimiter = input.lastIndexOf("-");
  const output = delimiter > 0 ? Array.from(input.slice(0, delimiter)) : [];
  const encoded = delimiter > 0 ? input.slice(delimiter + 1) : input;
  let [codePoint, index, bias] = [INITIAL_N, 0, INITIAL_BIAS];
  for (let at = 0; at < encoded.length; ) {
    const previous = index;
    let weight = 1;
    for (let k = BASE; ; k += BASE) {
      const digit = digitOf(encoded.charAt(at++));
      if (digit === undefined) return undefined;
      index += digit * weight;
      if (index > U32_MAX) return undefined;
      const threshold = k <= bias ? T_MIN : Math.min(k - bias, T_MAX);
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (weight > U32_MAX) return undefined;
    }
    const count = output.length + 1;
    bias = adapt(index - previous, count, previous === 0);
    codePoint += Math.floor(index / count);
    if (codePoint > 0x10_ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) return undefined;
    index %= count;
    output.splice(index, 0, String.fromCodePoint(codePoint));
    index++;
  }
  return output.join("");
}

function digitOf(letter: string): number | undefined {
  if (/^[A-Za-z]$/.test(letter)) return letter.toLowerCase().charCodeAt(0) - 0x61;
  return /^[0-9]$/.test(letter) ? Number(letter) + 26 : undefined;
}

function adapt(by: number, count: number, isFirst: boolean): number {
  let delta = Math.floor(by / (isFirst ? DAMP : 2));
  delta += Math.floor(delta / count);
  let k = 0;
  for (; delta > ((BASE - T_MIN) * T_MAX) / 2; k += BASE) delta = Math.floor(delta / (BASE - T_MIN));
  return k + Math.floor(((BASE - T_MIN + 1) * delta) / (delta + SKEW));
}

/** After which a zero width joiner may stand (RFC 5892 appendix A.2). */
const VIRAMAS =
  "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca\u0e3a\u0f84\u1039\u1714\u1734\u17d2\u1a60\u1b44" +
  "\u1baa\u1bf2\u1bf3\u2d7f\ua806\ua8c4\ua953\uabed\u{10a3f}\u{11046}\u{1107f}\u{110b9}\u{11133}\u{111c0}\u{11235}" +
  "\u{112ea}\u{1134d}\u{11442}\u{114c2}\u{115bf}\u{1163f}\u{116b6}\u{1172b}\u{11839}\u{119e0}\u{11a34}\u{11a47}" +
  "\u{11a99}\u{11c3f}\u{11d44}\u{11d45}\u{11d97}";
const JOINED = new Set(VIRAMAS);

const DISALLOWED = /[\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]/;
/** What is allowed whatever its category, where its context is. */
const EXCEPTIONS = /[\u200c\u200d\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u0660-\u0669\u06f0-\u06f9]/;
const KANA_OR_HAN = /[\u3040-\u30fa\u30fc-\u30ff\u4e00-\u9fff]/;
const KATAKANA_MIDDLE_DOT = "\u30fb";
const VALID = /[\p{Lu}\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{Mn}\p{Mc}\p{Nd}]/u;

/** RFC 5892: every character one that a label may have, each in a context in which it may stand. */
function isUnicodeLabel(label: string): boolean {
  const letters = Array.from(label);
  if (/^\p{M}/u.test(label)) return false;
  const isGood = letters.every((letter, at) => isGoodLetter(letter, letters[at - 1], letters[at + 1]));
  if (!isGood || (letters.includes(KATAKANA_MIDDLE_DOT) && !KANA_OR_HAN.test(label))) return false;
  return !(/[\u0660-\u0669]/.test(label) && /[\u06f0-\u06f9]/.test(label));
}

function isGoodLetter(letter: string, previous: string | undefined, next: string | undefined): boolean {
  switch (letter) {
    case "\u200d":
      return previous !== undefined && JOINED.has(previous);
    case "\u00b7":
      return previous === "l" && next === "l";
    case "\u0375":
      return next !== undefined && /[\u0370-\u03ff]/.test(next);
    case "\u05f3":
    case "\u05f4":
      return previous !== undefined && /[\u0590-\u05ff]/.test(previous);
    case KATAKANA_MIDDLE_DOT:
      return true;
    default:
  }
  if (KANA_OR_HAN.test(letter)) return true;
  if (DISALLOWED.test(letter)) return false;
  return letter <= "\u007f" || EXCEPTIONS.test(letter) || VALID.test(letter);
}
