/**
 * Removes operations that a target lacks, driven by the target's capability set.
 *
 * An i64 becomes a pair of 32-bit words [low, high], dot4 and the wide products become 32-bit ones. The rules are written once over a `WordBuilder`, so that any target
 * with 32-bit integers can use them; they are branch-free, hence a step count never depends on data.
 * f32 arithmetic is gone before: see remove_float.ts.
 */
import type { Op } from "../ir.ts";
import { softfloat } from "./softfloat.ts";

/** Operations on single 32-bit words: the i32 rows of the table, and the high half of a product. */
export type WordOp =
  | Exclude<
    Extract<Op, `i32.${string}`>,
    | "i32.mul_wide_s"
    | "i32.mul_wide_u"
    | "i32.wrap"
    | "i32.from_f32"
    | "i32.bits_of_f32"
  >
  | "mulh_s"
  | "mulh_u";

/** What legalized code is built from; V is the builder's handle of a 32-bit word. */
export interface WordBuilder<V> {
  constant(value: number): V;
  op(op: WordOp, ...args: V[]): V;
  /** A loop of a fixed number of turns; `next` gives the new carried words. */
  repeat(count: number, inits: V[], next: (carried: V[]) => V[]): V[];
}

/** Which word operations a target has by itself. */
export type Capabilities = ReadonlySet<WordOp>;

/** The words of a scalar: one, or [low, high] for an i64. */
export type Words<V> = readonly V[];

const WORD_OPS = [
  "i32.add",
  "i32.sub",
  "i32.mul",
  "i32.neg",
  "i32.min_s",
  "i32.max_s",
  "i32.and",
  "i32.or",
  "i32.xor",
  "i32.shl",
  "i32.shr_s",
  "i32.shr_u",
  "i32.div_s",
  "i32.div_u",
  "i32.rem_s",
  "i32.rem_u",
  "i32.clz",
  "i32.eq",
  "i32.ne",
  "i32.lt_s",
  "i32.lt_u",
  "i32.le_s",
  "i32.le_u",
  "i32.select",
] as const satisfies readonly WordOp[];

/** The word operations that 32-bit integer hardware has; `dot4_s` and `mulh` are further ones. */
export const BASIC_WORD_OPS: readonly WordOp[] = WORD_OPS;

/** Lowers operations of the table to the word operations of one target. */
export class Legalizer<V> {
  readonly #b: WordBuilder<V>;
  readonly #has: Capabilities;

  constructor(builder: WordBuilder<V>, capabilities: Capabilities) {
    this.#b = builder;
    this.#has = capabilities;
  }

  /** The words of an operation's result; f32 arithmetic is not among the operations. */
  op(op: Op, args: readonly Words<V>[]): Words<V> {
    const [a, b, c] = args;
    if (op in wideRules) {
      return wideRules[op as WideOp](this, a, b, c);
    }
    if (op in moveRules) {
      return moveRules[op as MoveOp](this, a, b, c);
    }
    if (op in softfloat) {
      throw new RangeError(`${op} is not legalized by words`);
    }
    return [this.word(op as WordOp, ...args.map((w) => w[0]))];
  }

  /** One word operation, in terms of others where the target lacks it. */
  word(op: WordOp, ...args: V[]): V {
    if (this.#has.has(op)) return this.#b.op(op, ...args);
    const [a, b] = args;
    if (op === "i32.dot4_s") return this.#dot4(a, b);
    if (op === "mulh_u") return this.#mulhU(a, b);
    if (op === "mulh_s") {
      const fix = (x: V, y: V) => this.word("i32.and", this.sign(x), y);
      const high = this.word("mulh_u", a, b);
      return this.sub(this.sub(high, fix(a, b)), fix(b, a));
    }
    return this.#b.op(op, ...args);
  }

  constant = (value: number): V => this.#b.constant(value | 0);
  add = (a: V, b: V): V => this.word("i32.add", a, b);
  sub = (a: V, b: V): V => this.word("i32.sub", a, b);
  or = (a: V, b: V): V => this.word("i32.or", a, b);
  xor = (a: V, b: V): V => this.word("i32.xor", a, b);
  and = (a: V, mask: number): V => this.word("i32.and", a, this.constant(mask));
  shl = (a: V, n: number): V => this.word("i32.shl", a, this.constant(n));
  shrU = (a: V, n: number): V => this.word("i32.shr_u", a, this.constant(n));
  shrS = (a: V, n: number): V => this.word("i32.shr_s", a, this.constant(n));
  select = (c: V, a: V, b: V): V => this.word("i32.select", c, a, b);
  /** All ones where the word is negative. */
  sign = (a: V): V => this.shrS(a, 31);

  repeat(count: number, inits: V[], next: (carried: V[]) => V[]): V[] {
    return this.#b.repeat(count, inits, next);
  }

  /** A sign-extended word; targets may recognize the pair. */
  extend(a: V): Words<V> {
    return [a, this.sign(a)];
  }

  #dot4(a: V, b: V): V {
    let sum: V | undefined;
    for (const shift of [24, 16, 8, 0]) {
      const lane = (x: V) => this.shrS(this.shl(x, shift), 24);
      const product = this.word("i32.mul", lane(a), lane(b));
      sum = sum === undefined ? product : this.add(sum, product);
    }
    return sum!;
  }

  /** High word of an unsigned product from four products of halves (Hacker's Delight 8-2). */
  #mulhU(a: V, b: V): V {
    const mul = (x: V, y: V) => this.word("i32.mul", x, y);
    const [a0, a1] = [this.and(a, 0xffff), this.shrU(a, 16)];
    const [b0, b1] = [this.and(b, 0xffff), this.shrU(b, 16)];
    const t = this.add(mul(a1, b0), this.shrU(mul(a0, b0), 16));
    const w1 = this.add(this.and(t, 0xffff), mul(a0, b1));
    const high = this.add(mul(a1, b1), this.shrU(t, 16));
    return this.add(high, this.shrU(w1, 16));
  }
}

type WideOp =
  | Exclude<Extract<Op, `i64.${string}`>, "i64.from_f32">
  | "i32.mul_wide_s"
  | "i32.mul_wide_u"
  | "i32.wrap";
type MoveOp = "f32.select" | "i32.bits_of_f32" | "f32.of_bits";
type Rule = <V>(
  l: Legalizer<V>,
  a: Words<V>,
  b: Words<V>,
  c: Words<V>,
) => Words<V>;

const moveRules: Record<MoveOp, Rule> = {
  "f32.select": (l, c, a, b) => [l.select(c[0], a[0], b[0])],
  "i32.bits_of_f32": (_, a) => a,
  "f32.of_bits": (_, a) => a,
};

// --- pairs -----------------------------------------------------------------------------------------

const add64: Rule = (l, a, b) => {
  const low = l.add(a[0], b[0]);
  const carry = l.word("i32.lt_u", low, b[0]);
  return [low, l.add(l.add(a[1], b[1]), carry)];
};

const sub64: Rule = (l, a, b) => {
  const borrow = l.word("i32.lt_u", a[0], b[0]);
  return [l.sub(a[0], b[0]), l.sub(l.sub(a[1], b[1]), borrow)];
};

const neg64: Rule = (l, a) => {
  const zero = l.constant(0);
  return sub64(l, [zero, zero], a, a);
};

const mul64: Rule = (l, a, b) => {
  const low = l.word("i32.mul", a[0], b[0]);
  // Where both are sign-extended words, which a hash-consing builder shows, one signed product is all.
  if (a[1] === l.sign(a[0]) && b[1] === l.sign(b[0])) {
    return [low, l.word("mulh_s", a[0], b[0])];
  }
  const cross = l.add(
    l.word("i32.mul", a[0], b[1]),
    l.word("i32.mul", a[1], b[0]),
  );
  return [low, l.add(l.word("mulh_u", a[0], b[0]), cross)];
};

const select64 = <V>(l: Legalizer<V>, c: V, a: Words<V>, b: Words<V>) =>
  a.map((word, i) => l.select(c, word, b[i]));

/** Where both are sign-extended words, which a hash-consing builder shows: the extreme of the words. */
function extreme32<V>(
  l: Legalizer<V>,
  op: "i32.min_s" | "i32.max_s",
  a: Words<V>,
  b: Words<V>,
): Words<V> | undefined {
  const fits = (x: Words<V>) => x[1] === l.sign(x[0]);
  return fits(a) && fits(b) ? l.extend(l.word(op, a[0], b[0])) : undefined;
}

function equal64<V>(l: Legalizer<V>, a: Words<V>, b: Words<V>): V {
  const differ = l.or(l.xor(a[0], b[0]), l.xor(a[1], b[1]));
  return l.word("i32.eq", differ, l.constant(0));
}

function less64<V>(
  l: Legalizer<V>,
  high: "i32.lt_s" | "i32.lt_u",
  a: Words<V>,
  b: Words<V>,
): V {
  return l.select(
    l.xor(a[1], b[1]),
    l.word(high, a[1], b[1]),
    l.word("i32.lt_u", a[0], b[0]),
  );
}

const compare64 = (high: "i32.lt_s" | "i32.lt_u", swapped: boolean): Rule =>
(
  l,
  a,
  b,
) => {
  if (!swapped) return [less64(l, high, a, b)];
  return [l.xor(less64(l, high, b, a), l.constant(1))];
};

const each = (op: "i32.and" | "i32.or" | "i32.xor"): Rule => (l, a, b) =>
  a.map((word, i) => l.word(op, word, b[i]));

// --- shifts: the count's low five bits come for free, its bit 5 chooses the word -----------------------

const shl64: Rule = (l, a, [n]) => {
  const far = l.and(n, 32);
  const near = l.word("i32.shl", a[0], n);
  const spill = l.word(
    "i32.shr_u",
    l.shrU(a[0], 1),
    l.xor(n, l.constant(31)),
  );
  const high = l.or(l.word("i32.shl", a[1], n), spill);
  return [l.select(far, l.constant(0), near), l.select(far, near, high)];
};

const shr64 = (op: "i32.shr_s" | "i32.shr_u"): Rule => (l, a, [n]) => {
  const far = l.and(n, 32);
  const near = l.word(op, a[1], n);
  const spill = l.word("i32.shl", l.shl(a[1], 1), l.xor(n, l.constant(31)));
  const low = l.or(l.word("i32.shr_u", a[0], n), spill);
  const top = op === "i32.shr_s" ? l.sign(a[1]) : l.constant(0);
  return [l.select(far, near, low), l.select(far, top, near)];
};

// --- division: 64 turns of shift and subtract, whatever the operands ------------------------------------

/** Unsigned quotient and remainder; a divisor of zero gives [a, 0], as the table wants. */
function divide64<V>(
  l: Legalizer<V>,
  a: Words<V>,
  b: Words<V>,
): { quotient: Words<V>; remainder: Words<V> } {
  const zero = l.constant(0);
  const out = l.repeat(64, [a[0], a[1], zero, zero], ([q0, q1, r0, r1]) => {
    const top = l.shrU(r1, 31);
    const rest = [
      l.or(l.shl(r0, 1), l.shrU(q1, 31)),
      l.or(l.shl(r1, 1), l.shrU(r0, 31)),
    ];
    const fits = l.or(
      top,
      l.xor(less64(l, "i32.lt_u", rest, b), l.constant(1)),
    );
    const [s0, s1] = select64(l, fits, sub64(l, rest, b, b), rest);
    const high = l.or(l.shl(q1, 1), l.shrU(q0, 31));
    return [l.or(l.shl(q0, 1), fits), high, s0, s1];
  });
  const none = l.word("i32.eq", l.or(b[0], b[1]), zero);
  return {
    quotient: select64(l, none, a, out.slice(0, 2)),
    remainder: select64(l, none, [zero, zero], out.slice(2)),
  };
}

/** Negates where `mask` is all ones: (x ^ mask) - mask. */
function negateIf<V>(l: Legalizer<V>, mask: V, a: Words<V>): Words<V> {
  const flipped = a.map((word) => l.xor(word, mask));
  return sub64(l, flipped, [mask, mask], a);
}

function divideSigned<V>(l: Legalizer<V>, a: Words<V>, b: Words<V>) {
  const [signA, signB] = [l.sign(a[1]), l.sign(b[1])];
  const parts = divide64(l, negateIf(l, signA, a), negateIf(l, signB, b));
  // x / 0 = x: the magnitude came back, so only the dividend's own sign applies (signB is 0 then).
  return {
    quotient: negateIf(l, l.xor(signA, signB), parts.quotient),
    remainder: negateIf(l, signA, parts.remainder),
  };
}

const wideRules: Record<WideOp, Rule> = {
  "i32.mul_wide_s": (l, [a], [b]) => [
    l.word("i32.mul", a, b),
    l.word("mulh_s", a, b),
  ],
  "i32.mul_wide_u": (l, [a], [b]) => [
    l.word("i32.mul", a, b),
    l.word("mulh_u", a, b),
  ],
  "i32.wrap": (_, a) => [a[0]],
  "i64.extend_s": (l, a) => l.extend(a[0]),
  "i64.extend_u": (l, a) => [a[0], l.constant(0)],
  "i64.add": add64,
  "i64.sub": sub64,
  "i64.mul": mul64,
  "i64.neg": neg64,
  "i64.min_s": (l, a, b) =>
    extreme32(l, "i32.min_s", a, b) ??
      select64(l, less64(l, "i32.lt_s", a, b), a, b),
  "i64.max_s": (l, a, b) =>
    extreme32(l, "i32.max_s", a, b) ??
      select64(l, less64(l, "i32.lt_s", a, b), b, a),
  "i64.and": each("i32.and"),
  "i64.or": each("i32.or"),
  "i64.xor": each("i32.xor"),
  "i64.shl": shl64,
  "i64.shr_s": shr64("i32.shr_s"),
  "i64.shr_u": shr64("i32.shr_u"),
  "i64.div_s": (l, a, b) => divideSigned(l, a, b).quotient,
  "i64.div_u": (l, a, b) => divide64(l, a, b).quotient,
  "i64.rem_s": (l, a, b) => divideSigned(l, a, b).remainder,
  "i64.rem_u": (l, a, b) => divide64(l, a, b).remainder,
  "i64.eq": (l, a, b) => [equal64(l, a, b)],
  "i64.ne": (l, a, b) => [l.xor(equal64(l, a, b), l.constant(1))],
  "i64.lt_s": compare64("i32.lt_s", false),
  "i64.lt_u": compare64("i32.lt_u", false),
  "i64.le_s": compare64("i32.lt_s", true),
  "i64.le_u": compare64("i32.lt_u", true),
  "i64.select": (l, c, a, b) => select64(l, c[0], a, b),
};
