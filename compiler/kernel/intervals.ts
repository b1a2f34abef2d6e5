/**
 * Interval arithmetic over the op table: what is known of an integer value before the kernel runs.
 *
 * An interval holds every value that the expression can take. Arithmetic that may wrap gives the whole
 * type, never a wrong bound. Nothing is known of an f32. The verifier proves loads with it; the quantizer
 * may start from tighter intervals, taken from weight bytes.
 */
import { type DType, type Op, ops, type Scalar } from "../ir.ts";

/** All integers from lo to hi, both included. */
export interface Interval {
  readonly lo: bigint;
  readonly hi: bigint;
}

export const interval = (
  lo: number | bigint,
  hi: number | bigint,
): Interval => ({
  lo: BigInt(lo),
  hi: BigInt(hi),
});

/** Every value of an integer type; of an f32, which has no interval, its bits as i32. */
export function fullInterval(type: Scalar): Interval {
  return type === "i64" ? FULL64 : FULL32;
}

const FULL32 = interval(-(2 ** 31), 2 ** 31 - 1);
const FULL64 = interval(-(1n << 63n), (1n << 63n) - 1n);
const FLAG = interval(0, 1);

/** What a load of this storage type can give, whatever the bytes are. */
export const storedIntervals: Record<DType, Interval> = {
  bool: FLAG,
  i8: interval(-128, 127),
  u8: interval(0, 255),
  i16: interval(-32768, 32767),
  u16: interval(0, 65535),
  i32: FULL32,
  i64: FULL64,
  f32: FULL32,
  f16: FULL32,
  bf16: FULL32,
};

/** True when every value of `inner` is in `outer`. */
export function isWithin(inner: Interval, outer: Interval): boolean {
  return inner.lo >= outer.lo && inner.hi <= outer.hi;
}

/** The smallest interval that holds both. */
export function hull(a: Interval, b: Interval): Interval {
  return { lo: least(a.lo, b.lo), hi: most(a.hi, b.hi) };
}

/** [lo, hi] when it fits the type, else every value of the type. */
export function fit(type: Scalar, lo: bigint, hi: bigint): Interval {
  const full = fullInterval(type);
  return lo >= full.lo && hi <= full.hi ? { lo, hi } : full;
}

/** Interval of an operation's result from those of its arguments (anything for an f32 argument). */
export function opInterval(op: Op, args: readonly Interval[]): Interval {
  const rule = rules[op];
  return rule ? rule(...args) : fullInterval(ops[op].result);
}

/** Interval of a sum of 0 to `count` terms. */
export function sumInterval(
  type: Scalar,
  term: Interval,
  count: number,
): Interval {
  if (type === "f32") return FULL32;
  const n = BigInt(count);
  return fit(type, least(0n, n * term.lo), most(0n, n * term.hi));
}

const least = (...all: bigint[]) => all.reduce((a, b) => a < b ? a : b);
const most = (...all: bigint[]) => all.reduce((a, b) => a > b ? a : b);
const magnitude = (x: bigint) => x < 0n ? -x : x;
const isNatural = (a: Interval) => a.lo >= 0n;

type Rule = (...args: Interval[]) => Interval;

/** Extremes of a function that is monotone in each argument. */
function corners(
  type: Scalar,
  f: (a: bigint, b: bigint) => bigint,
): (a: Interval, b: Interval) => Interval {
  return (a, b) => {
    const all = [f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)];
    return fit(type, least(...all), most(...all));
  };
}

/** All values of as many bits, sign included, as the wider argument needs. */
function bits(a: Interval, b: Interval): Interval {
  const widest = most(
    ...[a.lo, a.hi, b.lo, b.hi].map((x) => x < 0n ? -x - 1n : x),
  );
  const limit = 1n << BigInt(widest.toString(2).length);
  const ones = widest === 0n ? 0n : limit - 1n;
  return { lo: isNatural(a) && isNatural(b) ? 0n : -ones - 1n, hi: ones };
}

const and: Rule = (a, b) => {
  if (!isNatural(a) && !isNatural(b)) return bits(a, b);
  const limits = [a, b].filter(isNatural).map((x) => x.hi);
  return { lo: 0n, hi: least(...limits) };
};

const choose: Rule = (c, a, b) =>
  c.lo > 0n || c.hi < 0n ? a : c.lo === 0n && c.hi === 0n ? b : hull(a, b);

/** Rules that differ between i32 and i64 in nothing but the width. */
function integerRules(type: "i32" | "i64") {
  const full = fullInterval(type);
  const width = type === "i64" ? 64n : 32n;
  const isCount = (n: Interval) => n.lo >= 0n && n.hi < width;

  const shiftRight: Rule = (a, n) =>
    isCount(n)
      ? corners(type, (x, count) => x >> count)(a, n)
      : { lo: least(a.lo, 0n), hi: most(a.hi, -1n) };

  const divide: Rule = (a, b) => {
    if (b.lo > 0n) return corners(type, (x, y) => x / y)(a, b);
    const limit = most(magnitude(a.lo), magnitude(a.hi));
    return isNatural(a) && isNatural(b)
      ? { lo: 0n, hi: a.hi }
      : { lo: most(-limit, full.lo), hi: least(limit, full.hi) };
  };

  const remainder: Rule = (a, b) => {
    if (
      b.lo === b.hi && b.lo > 0n && isNatural(a) && a.lo / b.lo === a.hi / b.lo
    ) {
      return { lo: a.lo % b.lo, hi: a.hi % b.lo };
    }
    const divisor = most(magnitude(b.lo), magnitude(b.hi));
    const limit = divisor === 0n ? 0n : divisor - 1n;
    return {
      lo: a.lo < 0n ? most(a.lo, -limit) : 0n,
      hi: a.hi > 0n ? least(a.hi, limit) : 0n,
    };
  };

  const unsigned = (rule: Rule): Rule => (a, b) =>
    isNatural(a) && isNatural(b) ? rule(a, b) : full;

  return {
    add: (a, b) => fit(type, a.lo + b.lo, a.hi + b.hi),
    sub: (a, b) => fit(type, a.lo - b.hi, a.hi - b.lo),
    mul: corners(type, (x, y) => x * y),
    neg: (a) => fit(type, -a.hi, -a.lo),
    min_s: (a, b) => ({ lo: least(a.lo, b.lo), hi: least(a.hi, b.hi) }),
    max_s: (a, b) => ({ lo: most(a.lo, b.lo), hi: most(a.hi, b.hi) }),
    and,
    or: bits,
    xor: bits,
    shl: (a, n) =>
      isCount(n) ? corners(type, (x, count) => x << count)(a, n) : full,
    shr_s: shiftRight,
    shr_u: (a, n) =>
      isNatural(a)
        ? shiftRight(a, n)
        : isCount(n) && n.lo > 0n
        ? { lo: 0n, hi: (1n << (width - n.lo)) - 1n }
        : full,
    div_s: divide,
    div_u: unsigned(divide),
    rem_s: remainder,
    rem_u: (a, b) =>
      isNatural(a) && isNatural(b)
        ? remainder(a, b)
        : isNatural(b)
        ? { lo: 0n, hi: most(b.hi - 1n, 0n) }
        : full,
    eq: () => FLAG,
    ne: () => FLAG,
    lt_s: () => FLAG,
    lt_u: () => FLAG,
    le_s: () => FLAG,
    le_u: () => FLAG,
    select: choose,
  } satisfies Record<string, Rule>;
}

type IntegerRules = ReturnType<typeof integerRules>;

function prefixed<T extends "i32" | "i64">(type: T) {
  return Object.fromEntries(
    Object.entries(integerRules(type)).map(([name, rule]) => [
      `${type}.${name}`,
      rule,
    ]),
  ) as { [name in keyof IntegerRules as `${T}.${name}`]: Rule };
}

/** Null where nothing better than the type is known. */
const rules: Record<Op, Rule | null> = {
  ...prefixed("i32"),
  ...prefixed("i64"),
  "i32.clz": () => interval(0, 32),
  "i32.dot4_s": () => interval(-4 * 128 * 127, 4 * 128 * 128),
  "i32.mul_wide_s": corners("i64", (x, y) => x * y),
  "i32.mul_wide_u": (a, b) =>
    isNatural(a) && isNatural(b)
      ? corners("i64", (x, y) => x * y)(a, b)
      : FULL64,
  "i64.extend_s": (a) => a,
  "i64.extend_u": (a) => isNatural(a) ? a : interval(0, 2 ** 32 - 1),
  "i32.wrap": (a) => fit("i32", a.lo, a.hi),
  "f32.add": null,
  "f32.sub": null,
  "f32.mul": null,
  "f32.div": null,
  "f32.sqrt": null,
  "f32.neg": null,
  "f32.abs": null,
  "f32.min": null,
  "f32.max": null,
  "f32.floor": null,
  "f32.ceil": null,
  "f32.trunc": null,
  "f32.nearest": null,
  "f32.eq": () => FLAG,
  "f32.ne": () => FLAG,
  "f32.lt": () => FLAG,
  "f32.le": () => FLAG,
  "f32.select": null,
  "f32.from_i32": null,
  "f32.from_i64": null,
  "i32.from_f32": null,
  "i64.from_f32": null,
  "i32.bits_of_f32": null,
  "f32.of_bits": null,
};
