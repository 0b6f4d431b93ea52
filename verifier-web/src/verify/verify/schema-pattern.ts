/**
 * Regular expressions of a JSON Schema (`pattern`, `patternProperties`), matched in a time that grows with the text and never with
 * what the pattern's author had in mind: a browser's own engine backtracks, and a registered schema may hold `(a+)+$`.
 *
 * The ledger's software reads ECMAScript's syntax into that of Rust's `regex`, and both differ here and there. What is taken is the
 * syntax of which that reading is certain; any other pattern is none, and its schema cannot be used here.
 *
 * | taken | |
 * | --- | --- |
 * | characters, `.` | `.` is anything but `\n`; characters are Unicode scalar values |
 * | `[a-z]`, `[^a-z]` | without `[`, and without `--`, `&&`, `~~`, which are operators in Rust |
 * | `\d \w \s \D \W \S` | ECMAScript's: ASCII, and all of its white space |
 * | `\t \n \r \f \v \xHH \uHHHH \u{H…}`, `\` and a space or ASCII punctuation | but `\<` and `\>` |
 * | `(…)`, `(?:…)`, `\|` | |
 * | `* + ? {n} {n,} {n,m}`, greedy or lazy | which of both makes no difference to whether there is a match |
 * | `^ $` | of the whole text |
 */

/** A pattern made ready. */
export interface Pattern {
  /** Whether it matches anywhere in a text. */
  test(text: string): boolean;
}

/** Steps of a pattern. */
const STEPS_MAX = 20_000;
/** What a pattern may weigh: what Rust's engine takes in its ten megabytes is more. */
const WEIGHT_MAX = 40_000;
/** Groups in one another. */
const DEPTH_MAX = 50;

/** Makes a pattern ready; none for what is none, or is not certain to be read alike. */
export function compilePattern(pattern: string): Pattern | undefined {
  try {
    const program = new Program();
    program.add(new Parser(pattern).whole());
    return new Automaton(program.steps);
  } catch (error) {
    if (error instanceof Uncertain) return undefined;
    throw error;
  }
}

/** The pattern is none that is taken; thrown inside this module only. */
class Uncertain extends Error {}

/** Characters: ranges of code points, or all others. */
interface Characters {
  readonly ranges: readonly (readonly [number, number])[];
  readonly negated: boolean;
}

type Node =
  | { readonly kind: "characters"; readonly of: readonly Characters[]; readonly negated: boolean }
  | { readonly kind: "start" | "end" }
  | { readonly kind: "sequence" | "choice"; readonly of: readonly Node[] }
  | { readonly kind: "repeat"; readonly of: Node; readonly least: number; readonly most: number };

const SPACES: readonly (readonly [number, number])[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const DIGITS: readonly (readonly [number, number])[] = [[0x30, 0x39]];
const WORDS: readonly (readonly [number, number])[] = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const CLASSES: ReadonlyMap<string, Characters> = new Map([
  ["d", { ranges: DIGITS, negated: false }],
  ["D", { ranges: DIGITS, negated: true }],
  ["w", { ranges: WORDS, negated: false }],
  ["W", { ranges: WORDS, negated: true }],
  ["s", { ranges: SPACES, negated: false }],
  ["S", { ranges: SPACES, negated: true }],
]);
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ["t", 0x09],
  ["n", 0x0a],
  ["v", 0x0b],
  ["f", 0x0c],
  ["r", 0x0d],
]);

function one(codePoint: number): Characters {
  return { ranges: [[codePoint, codePoint]], negated: false };
}

class Parser {
  private readonly letters: readonly string[];
  private at = 0;
  private depth = 0;

  constructor(pattern: string) {
    this.letters = Array.from(pattern);
  }

  whole(): Node {
    const node = this.choice();
    if (this.at < this.letters.length) throw new Uncertain();
    return node;
  }

  private peek(ahead = 0): string | undefined {
    return this.letters[this.at + ahead];
  }

  private eat(letter: string): boolean {
    const found = this.peek() === letter;
    if (found) this.at++;
    return found;
  }

  private next(): string {
    const letter = this.letters[this.at++];
    if (letter === undefined) throw new Uncertain();
    return letter;
  }

  private choice(): Node {
    const of = [this.sequence()];
    while (this.eat("|")) of.push(this.sequence());
    return { kind: "choice", of };
  }

  private sequence(): Node {
    const of: Node[] = [];
    for (let letter = this.peek(); letter !== undefined && letter !== "|" && letter !== ")"; letter = this.peek()) {
      of.push(this.repeated());
    }
    return { kind: "sequence", of };
  }

  private repeated(): Node {
    const of = this.atom();
    const times = this.times();
    if (times === undefined) return of;
    this.eat("?");
    // A second quantifier repeats the repetition in Rust, and is none in ECMAScript; assertions are not repeated in it, either.
    if (this.times() !== undefined || of.kind === "start" || of.kind === "end") throw new Uncertain();
    return { kind: "repeat", of, ...times };
  }

  /** A quantifier, if one stands here. */
  private times(): { least: number; most: number } | undefined {
    if (this.eat("*")) return { least: 0, most: Infinity };
    if (this.eat("+")) return { least: 1, most: Infinity };
    if (this.eat("?")) return { least: 0, most: 1 };
    if (!this.eat("{")) return undefined;
    const least = this.decimal();
    const most = !this.eat(",") ? least : this.peek() === "}" ? Infinity : this.decimal();
    if (!this.eat("}") || least > most) throw new Uncertain();
    return { least, most };
  }

  private decimal(): number {
    let digits = "";
    while (/^[0-9]$/.test(this.peek() ?? "")) digits += this.next();
    const number = Number(digits);
    if (digits === "" || number > STEPS_MAX) throw new Uncertain();
    return number;
  }

  private atom(): Node {
    const letter = this.next();
    switch (letter) {
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case ".":
        return { kind: "characters", of: [one(0x0a)], negated: true };
      case "(":
        return this.group();
      case "[":
        return this.set();
      case "\\":
        return { kind: "characters", of: [this.escape()], negated: false };
      case "*":
      case "+":
      case "?":
      case "{":
      case "}":
      case "]":
        throw new Uncertain();
      default:
        return { kind: "characters", of: [one(letter.codePointAt(0) ?? 0)], negated: false };
    }
  }

  private group(): Node {
    if (this.eat("?") && !this.eat(":")) throw new Uncertain();
    if (++this.depth > DEPTH_MAX) throw new Uncertain();
    const node = this.choice();
    if (!this.eat(")")) throw new Uncertain();
    this.depth--;
    return node;
  }

  private set(): Node {
    const negated = this.eat("^");
    const of: Characters[] = [];
    // A bracket that closes at once is a character in Rust, and the end in ECMAScript.
    if (this.peek() === "]") throw new Uncertain();
    while (!this.eat("]")) {
      const [letter, follows] = [this.peek(), this.peek(1)];
      const isOperator = letter === follows && (letter === "-" || letter === "&" || letter === "~");
      if (isOperator || letter === "[") throw new Uncertain();
      const from = this.member();
      const isRange = this.peek() === "-" && this.peek(1) !== "]";
      if (!isRange) {
        of.push(from);
        continue;
      }
      this.at++;
      if (this.peek() === "-" || this.peek() === "[") throw new Uncertain();
      of.push(range(from, this.member()));
    }
    return { kind: "characters", of, negated };
  }

  private member(): Characters {
    const letter = this.next();
    return letter === "\\" ? this.escape() : one(letter.codePointAt(0) ?? 0);
  }

  /** What a backslash and the following stand for. */
  private escape(): Characters {
    const letter = this.next();
    const found = CLASSES.get(letter);
    if (found !== undefined) return found;
    const control = CONTROLS.get(letter);
    if (control !== undefined) return one(control);
    if (letter === "x") return one(this.hexadecimal(2));
    if (letter === "u") return one(this.peek() === "{" ? this.braced() : this.hexadecimal(4));
    if (!/^[ -/:;=?@[-`{-~]$/.test(letter)) throw new Uncertain();
    return one(letter.codePointAt(0) ?? 0);
  }

  private hexadecimal(digits: number): number {
    let text = "";
    for (let n = 0; n < digits; n++) text += this.next();
    return scalar(text);
  }

  private braced(): number {
    this.at++;
    let text = "";
    for (let letter = this.next(); letter !== "}"; letter = this.next()) text += letter;
    if (text.length > 6) throw new Uncertain();
    return scalar(text);
  }
}

function scalar(digits: string): number {
  const number = /^[0-9a-fA-F]+$/.test(digits) ? parseInt(digits, 16) : Infinity;
  if (number > 0x10_ffff || (number >= 0xd800 && number <= 0xdfff)) throw new Uncertain();
  return number;
}

function range(from: Characters, to: Characters): Characters {
  const [[low, sameLow] = [], ...more] = from.ranges;
  const [[high, sameHigh] = [], ...others] = to.ranges;
  const areSingle = !from.negated && !to.negated && low === sameLow && high === sameHigh;
  if (low === undefined || high === undefined || more.length + others.length > 0 || !areSingle || low > high) {
    throw new Uncertain();
  }
  return { ranges: [[low, high]], negated: false };
}

type Step =
  | { readonly kind: "characters"; readonly has: (codePoint: number) => boolean }
  | { readonly kind: "start" | "end" | "match" }
  | { readonly kind: "split"; to: number[] };

/** A pattern as steps, of which each leads to the next; a split leads to several. */
class Program {
  readonly steps: Step[] = [];
  private weight = 0;

  /** Adds a node, and the match behind it. */
  add(node: Node): void {
    this.write(node);
    this.push({ kind: "match" });
  }

  private push(step: Step): number {
    if (this.steps.length >= STEPS_MAX) throw new Uncertain();
    return this.steps.push(step) - 1;
  }

  private split(): number[] {
    const step = { kind: "split" as const, to: [] as number[] };
    this.push(step);
    return step.to;
  }

  private write(node: Node): void {
    // Also of what becomes no step, since a repetition of nothing can be repeated.
    this.weight += weightOf(node);
    if (this.weight > WEIGHT_MAX) throw new Uncertain();
    switch (node.kind) {
      case "characters":
        this.push({ kind: "characters", has: membership(node.of, node.negated) });
        return;
      case "start":
      case "end":
        this.push({ kind: node.kind });
        return;
      case "sequence":
        for (const part of node.of) this.write(part);
        return;
      case "choice":
        this.choose(node.of);
        return;
      case "repeat":
        this.repeat(node.of, node.least, node.most);
    }
  }

  private choose(choices: readonly Node[]): void {
    const [only, ...others] = choices;
    if (only !== undefined && others.length === 0) return this.write(only);
    const to = this.split();
    const ends: number[][] = [];
    for (const choice of choices) {
      to.push(this.steps.length);
      this.write(choice);
      ends.push(this.split());
    }
    for (const end of ends) end.push(this.steps.length);
  }

  private repeat(node: Node, least: number, most: number): void {
    for (let n = 0; n < least; n++) this.write(node);
    if (most === Infinity) {
      const at = this.steps.length;
      const to = this.split();
      to.push(this.steps.length);
      this.write(node);
      this.split().push(at);
      to.push(this.steps.length);
      return;
    }
    const exits: number[][] = [];
    for (let n = least; n < most; n++) {
      const to = this.split();
      to.push(this.steps.length);
      exits.push(to);
      this.write(node);
    }
    for (const exit of exits) exit.push(this.steps.length);
  }
}

/** About how much a node takes in Rust, whose engine matches bytes: characters beyond ASCII are several of its states. */
function weightOf(node: Node): number {
  if (node.kind !== "characters") return 1;
  const beyond = node.of.reduce((sum, { ranges, negated }) => sum + ranges.length + (negated ? 1 : 0), node.negated ? 1 : 0);
  const isAscii = !node.negated && node.of.every(({ ranges, negated }) => !negated && ranges.every(([, high]) => high < 0x80));
  return isAscii ? 1 : 1 + 2 * beyond;
}

function membership(of: readonly Characters[], negated: boolean): (codePoint: number) => boolean {
  return (codePoint) => {
    const isIn = ({ ranges, negated: others }: Characters): boolean =>
      ranges.some(([low, high]) => low <= codePoint && codePoint <= high) !== others;
    return of.some(isIn) !== negated;
  };
}

/** All states that a text can lead to are followed at once, so the time is at most states times characters. */
class Automaton implements Pattern {
  private readonly steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.steps = steps;
  }

  test(text: string): boolean {
    let current = new Set<number>();
    let at = 0;
    for (const letter of text) {
      // A match may begin anywhere.
      if (this.follow(0, current, at === 0, false)) return true;
      const codePoint = letter.codePointAt(0) ?? 0;
      at += letter.length;
      const [isEnd, reached] = [at === text.length, new Set<number>()];
      for (const place of current) {
        const step = this.steps[place];
        if (step?.kind !== "characters" || !step.has(codePoint)) continue;
        if (this.follow(place + 1, reached, false, isEnd)) return true;
      }
      current = reached;
    }
    return this.follow(0, current, text === "", true);
  }

  /** Adds a place, and all that it leads to without a character; says whether a match is among them. */
  private follow(from: number, places: Set<number>, isStart: boolean, isEnd: boolean): boolean {
    const open = [from];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      const step = this.steps[place];
      if (step === undefined || places.has(place)) continue;
      places.add(place);
      if (step.kind === "match") return true;
      if (step.kind === "split") open.push(...step.to);
      else if ((step.kind === "start" && isStart) || (step.kind === "end" && isEnd)) open.push(place + 1);
    }
    return false;
  }
}
