/**
 * Writes the table of operations in docs/kernels.md from the op table itself.
 *
 * Run `deno run -RW tools/make_op_docs.ts` after a change of `compiler/ir.ts`; a test fails while the page
 * says something else. The results in the last column are computed, not typed.
 */
import {
  f32FromBits,
  f32ToBits,
  type Op,
  ops,
  type Scalar,
  type Value,
} from "../compiler/mod.ts";

/** What an operation says in words, and arguments that show its edge; f32 arguments are numbers. */
interface Row {
  readonly says: string;
  readonly on: readonly Value[];
}

const MAX32 = 2147483647;
const MIN32 = -2147483648;
const MIN64 = -(1n << 63n);
const row = (says: string, ...on: Value[]): Row => ({ says, on });

const rows: Record<Op, Row> = {
  "i32.add": row("sum modulo 2^32", MAX32, 1),
  "i32.sub": row("difference modulo 2^32", MIN32, 1),
  "i32.mul": row("low 32 bits of the product", 65536, 65537),
  "i32.neg": row("negation modulo 2^32", MIN32),
  "i32.min_s": row("the lesser, signed", -1, 1),
  "i32.max_s": row("the greater, signed", -1, 1),
  "i32.and": row("bits in both", 12, 10),
  "i32.or": row("bits in either", 12, 10),
  "i32.xor": row("bits in one of the two", 12, 10),
  "i32.shl": row("shift left, count modulo 32", 1, 33),
  "i32.shr_s": row("arithmetic shift right, count modulo 32", -8, 1),
  "i32.shr_u": row("logical shift right, count modulo 32", -8, 1),
  "i32.div_s": row("quotient truncated; x / 0 = x, MIN / -1 = MIN", -7, 2),
  "i32.div_u": row("unsigned quotient; x / 0 = x", -1, 2),
  "i32.rem_s": row(
    "remainder, sign of the dividend; x % 0 = 0, MIN % -1 = 0",
    -7,
    2,
  ),
  "i32.rem_u": row("unsigned remainder; x % 0 = 0", -1, 10),
  "i32.clz": row("leading zero bits; 32 for 0", 255),
  "i32.eq": row("1 when equal, else 0", 5, 5),
  "i32.ne": row("1 when different, else 0", 5, 5),
  "i32.lt_s": row("1 when less, signed", -1, 1),
  "i32.lt_u": row("1 when less, unsigned", -1, 1),
  "i32.le_s": row("1 when less or equal, signed", 1, 1),
  "i32.le_u": row("1 when less or equal, unsigned", -1, 1),
  "i32.select": row(
    "the second when the first is not 0, else the third",
    2,
    10,
    20,
  ),
  "i32.dot4_s": row(
    "sum of the products of the four signed bytes",
    0x01020304,
    0x01010101,
  ),
  "i32.mul_wide_s": row("product in 64 bits, signed", MIN32, MIN32),
  "i32.mul_wide_u": row("product in 64 bits, unsigned", -1, 2),
  "i64.extend_s": row("the same integer", -1),
  "i64.extend_u": row("the same 32 bits, unsigned", -1),
  "i32.wrap": row("the low 32 bits", (1n << 32n) + 5n),
  "i64.add": row("sum modulo 2^64", MIN64, -1n),
  "i64.sub": row("difference modulo 2^64", MIN64, 1n),
  "i64.mul": row("low 64 bits of the product", 1n << 40n, 1n << 24n),
  "i64.neg": row("negation modulo 2^64", MIN64),
  "i64.min_s": row("the lesser, signed", -1n, 1n),
  "i64.max_s": row("the greater, signed", -1n, 1n),
  "i64.and": row("bits in both", 12n, 10n),
  "i64.or": row("bits in either", 12n, 10n),
  "i64.xor": row("bits in one of the two", 12n, 10n),
  "i64.shl": row("shift left, count modulo 64", 1n, 65),
  "i64.shr_s": row("arithmetic shift right, count modulo 64", -8n, 1),
  "i64.shr_u": row("logical shift right, count modulo 64", -1n, 63),
  "i64.div_s": row("quotient truncated; x / 0 = x, MIN / -1 = MIN", 7n, 0n),
  "i64.div_u": row("unsigned quotient; x / 0 = x", -1n, 1n << 62n),
  "i64.rem_s": row(
    "remainder, sign of the dividend; x % 0 = 0, MIN % -1 = 0",
    -7n,
    2n,
  ),
  "i64.rem_u": row("unsigned remainder; x % 0 = 0", 7n, 0n),
  "i64.eq": row("1 when equal, else 0", 5n, 5n),
  "i64.ne": row("1 when different, else 0", 5n, 5n),
  "i64.lt_s": row("1 when less, signed", -1n, 1n),
  "i64.lt_u": row("1 when less, unsigned", -1n, 1n),
  "i64.le_s": row("1 when less or equal, signed", 1n, 1n),
  "i64.le_u": row("1 when less or equal, unsigned", -1n, 1n),
  "i64.select": row(
    "the second when the first is not 0, else the third",
    0,
    10n,
    20n,
  ),
  "f32.add": row("sum, to nearest even", 16777216, 1),
  "f32.sub": row("difference; inf - inf is NaN", Infinity, Infinity),
  "f32.mul": row("product; subnormals kept", 1e-30, 1e-10),
  "f32.div": row("quotient, correctly rounded", 1, 0),
  "f32.sqrt": row("square root, correctly rounded", 2),
  "f32.neg": row("sign flipped; NaN is canonical", 0),
  "f32.abs": row("sign cleared; NaN is canonical", -0),
  "f32.min": row("the lesser, -0 < +0; NaN if either is", 0, -0),
  "f32.max": row("the greater, -0 < +0; NaN if either is", 1, NaN),
  "f32.floor": row("greatest integer not above", -0.5),
  "f32.ceil": row("least integer not below", -0.5),
  "f32.trunc": row("integer part", -1.5),
  "f32.nearest": row("nearest integer, half to even", 2.5),
  "f32.eq": row("1 when equal; NaN is not", 0, -0),
  "f32.ne": row("1 when different; NaN is", NaN, NaN),
  "f32.lt": row("1 when less; false with NaN", -1, NaN),
  "f32.le": row("1 when less or equal; false with NaN", 1, 1),
  "f32.select": row("moves 32 bits unchanged", 1, 1.5, 2.5),
  "f32.from_i32": row("nearest even", 16777217),
  "f32.from_i64": row(
    "nearest even, rounded once",
    (1n << 40n) + (1n << 16n) + 1n,
  ),
  "i32.from_f32": row("truncated, saturated; NaN gives 0", 3e9),
  "i64.from_f32": row("truncated, saturated; NaN gives 0", -1e30),
  "i32.bits_of_f32": row("the 32 bits", 1),
  "f32.of_bits": row("the value of 32 bits", 0x7f800000),
};

/** The Markdown table, one row per operation in the order of the table. */
export function opTable(): string {
  const lines = (Object.keys(ops) as Op[]).map((op) => {
    const { args, result } = ops[op];
    const types = args as readonly Scalar[];
    const values = rows[op].on.map((x, i) =>
      types[i] === "f32" ? f32ToBits(Number(x)) : x
    );
    const meaning = ops[op].meaning as (...args: Value[]) => Value;
    const shown = values.map((x, i) => show(x, types[i])).join(", ");
    const found = show(meaning(...values), result);
    return `| \`${op}\` | ${types.join(", ")} | ${result} | ${
      rows[op].says
    } | (${shown}) = ${found} |`;
  });
  return [
    "| operation | arguments | result | meaning | for example |",
    "| --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

function show(value: Value, type: Scalar): string {
  if (type !== "f32") return `${value}`;
  const x = f32FromBits(Number(value));
  return Object.is(x, -0) ? "-0" : `${x}`;
}

const START = "<!-- operations: written by tools/make_op_docs.ts -->";
const END = "<!-- end of operations -->";

/** The page with its table replaced; throws where the page has lost its marks. */
export function withOpTable(page: string): string {
  const [before, rest] = page.split(START);
  const after = rest?.split(END)[1];
  if (after === undefined) {
    throw new Error(
      `Cannot write docs/kernels.md: expected the marks ${START} and ${END}, found none`,
    );
  }
  return `${before}${START}\n<!-- deno-fmt-ignore-start -->\n${opTable()}\n<!-- deno-fmt-ignore-end -->\n${END}${after}`;
}

if (import.meta.main) {
  const page = new URL("../docs/kernels.md", import.meta.url);
  Deno.writeTextFileSync(page, withOpTable(Deno.readTextFileSync(page)));
}
