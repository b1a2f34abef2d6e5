/**
 * Builders for kernel expressions: what lowering and tests write instead of object literals.
 *
 * A plain number stands for a constant of the type its neighbour has. Operations are chosen by the type
 * of their arguments, and constants fold. Variables get fresh names from a hint; `defineKernel` renames
 * them all, so that the same construction gives the same kernel every time and a subtree may be used in
 * several places. Nothing here checks a kernel: that is `verify.ts`.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  type Carry,
  dtypes,
  type Expr,
  f32ToBits,
  type Op,
  ops,
  type Scalar,
  type ScalarFunction,
  type TensorType,
  type Value,
} from "../ir.ts";

/** An expression, or a number that becomes a constant of the type its place asks for. */
export type Arg = Expr | number | bigint;

/** A tensor that a kernel reads, by its place in the kernel's operand list. */
export interface Operand {
  readonly number: number;
  readonly type: TensorType;
}

/** Types of loads and calls, which an expression alone does not tell. */
const known = new WeakMap<Expr, Scalar>();
let counter = 0;
const fresh = (hint: string) => `${hint}#${counter++}`;

/** Type of an expression that was made here. */
export function scalarOf(expr: Expr): Scalar {
  switch (expr.kind) {
    case "const":
    case "var":
    case "sum":
      return expr.type;
    case "axis":
    case "iteration":
      return "i32";
    case "op":
      return ops[expr.op].result;
    case "let":
      return scalarOf(expr.body);
    case "loop":
      return scalarOf(expr.result);
    case "load":
    case "call": {
      const type = known.get(expr);
      if (type) return type;
      throw new ChainLearnError(
        `Cannot build an expression: expected a ${expr.kind} made by the builders, found a literal one`,
      );
    }
    default:
      return expr satisfies never;
  }
}

// --- leaves ----------------------------------------------------------------------------------------

/** A constant; a number of f32 is rounded to binary32, an integer is taken modulo its width. */
export function constant(type: Scalar, x: number | bigint): Expr {
  const value: Value = type === "i64"
    ? BigInt.asIntN(64, BigInt(x))
    : type === "i32"
    ? Number(BigInt.asIntN(32, BigInt(x)))
    : f32ToBits(Number(x));
  return { kind: "const", type, value };
}

export const i32 = (x: number): Expr => constant("i32", x);
export const i64 = (x: number | bigint): Expr => constant("i64", x);
/** The binary32 nearest to x. */
export const f32 = (x: number): Expr => constant("f32", x);
/** An f32 constant by its 32 bits, for NaN payloads. */
export const f32Bits = (bits: number): Expr => ({
  kind: "const",
  type: "f32",
  value: bits | 0,
});
/** Index along an axis of the result. */
export const axis = (number: number): Expr => ({ kind: "axis", axis: number });
/** The iteration number. */
export const iteration: Expr = { kind: "iteration" };

const toExpr = (arg: Arg, type: Scalar): Expr =>
  typeof arg === "object" ? arg : constant(type, arg);

/** The element of an operand at one i32 index per dimension. */
export function load(operand: Operand, ...index: Arg[]): Expr {
  const expr: Expr = {
    kind: "load",
    operand: operand.number,
    index: index.map((i) => toExpr(i, "i32")),
  };
  known.set(expr, dtypes[operand.type.dtype].scalar);
  return expr;
}

/** Handles for the operands of a kernel, in their order. */
export function operandsOf(types: readonly TensorType[]): Operand[] {
  return types.map((type, number) => ({ number, type }));
}

// --- operations ------------------------------------------------------------------------------------

/** Any operation of the table by name; constants fold, also x + 0, x * 1 and the like on integers. */
export function op(name: Op, ...args: Arg[]): Expr {
  const row = ops[name];
  if (args.length !== row.args.length) {
    throw new ChainLearnError(
      `Cannot build ${name}: expected ${row.args.length} arguments, found ${args.length}`,
    );
  }
  const typed = args.map((arg, i) => toExpr(arg, row.args[i]));
  typed.forEach((arg, i) => {
    const found = scalarOf(arg);
    if (found === row.args[i]) return;
    throw new ChainLearnError(
      `Cannot build ${name}: expected ${
        row.args[i]
      } as argument ${i}, found ${found}`,
    );
  });
  const values = typed.map((arg) =>
    arg.kind === "const" ? arg.value : undefined
  );
  if (values.every((v) => v !== undefined)) {
    const meaning = row.meaning as (...args: Value[]) => Value;
    return { kind: "const", type: row.result, value: meaning(...values) };
  }
  return identity(name, typed, values) ?? { kind: "op", op: name, args: typed };
}

/** The argument that an integer operation returns as it is, if a constant beside it makes it so. */
function identity(
  name: Op,
  [a, b]: readonly Expr[],
  [x, y]: readonly (Value | undefined)[],
): Expr | undefined {
  const [type, kind] = name.split(".");
  if (type === "f32") return undefined;
  const is = (value: Value | undefined, n: number) =>
    value !== undefined && Number(value) === n;
  switch (kind) {
    case "add":
    case "or":
    case "xor":
      return is(y, 0) ? a : is(x, 0) ? b : undefined;
    case "sub":
    case "shl":
    case "shr_s":
    case "shr_u":
      return is(y, 0) ? a : undefined;
    case "mul":
      return is(y, 1) ? a : is(x, 1) ? b : undefined;
    case "div_s":
    case "div_u":
      return is(y, 1) ? a : undefined;
    case "rem_s":
    case "rem_u":
      return is(y, 1) ? constant(type as Scalar, 0) : undefined;
    default:
      return undefined;
  }
}

/** Type of an operation on arguments of one type, some of them plain numbers (i32 if all are). */
function common(args: readonly Arg[]): Scalar {
  const first = args.find((arg) => typeof arg === "object");
  return first === undefined ? "i32" : scalarOf(first as Expr);
}

/** A binary operation that exists for the types of `T`, by its name after the dot. */
const binary = (names: { [type in Scalar]?: Op }) => (a: Arg, b: Arg): Expr => {
  const type = common([a, b]);
  const name = names[type];
  if (name) return op(name, a, b);
  throw new ChainLearnError(
    `Cannot build ${
      Object.values(names)[0]?.slice(4)
    }: expected an operation on ${type}, found none in the table`,
  );
};

export const add = binary({ i32: "i32.add", i64: "i64.add", f32: "f32.add" });
export const sub = binary({ i32: "i32.sub", i64: "i64.sub", f32: "f32.sub" });
export const mul = binary({ i32: "i32.mul", i64: "i64.mul", f32: "f32.mul" });
/** Signed for integers, truncated; x / 0 = x. */
export const div = binary({
  i32: "i32.div_s",
  i64: "i64.div_s",
  f32: "f32.div",
});
/** Signed, sign of the dividend; x % 0 = 0. */
export const rem = binary({ i32: "i32.rem_s", i64: "i64.rem_s" });
export const min = binary({
  i32: "i32.min_s",
  i64: "i64.min_s",
  f32: "f32.min",
});
export const max = binary({
  i32: "i32.max_s",
  i64: "i64.max_s",
  f32: "f32.max",
});
export const and = binary({ i32: "i32.and", i64: "i64.and" });
export const or = binary({ i32: "i32.or", i64: "i64.or" });
export const xor = binary({ i32: "i32.xor", i64: "i64.xor" });
export const eq = binary({ i32: "i32.eq", i64: "i64.eq", f32: "f32.eq" });
export const ne = binary({ i32: "i32.ne", i64: "i64.ne", f32: "f32.ne" });
/** Signed for integers. */
export const lt = binary({ i32: "i32.lt_s", i64: "i64.lt_s", f32: "f32.lt" });
/** Signed for integers. */
export const le = binary({ i32: "i32.le_s", i64: "i64.le_s", f32: "f32.le" });
export const gt = (a: Arg, b: Arg): Expr => lt(b, a);
export const ge = (a: Arg, b: Arg): Expr => le(b, a);

const shift = (names: { i32: Op; i64: Op }) => (x: Expr, count: Arg): Expr =>
  op(scalarOf(x) === "i64" ? names.i64 : names.i32, x, count);
/** The count is an i32, modulo the width. */
export const shl = shift({ i32: "i32.shl", i64: "i64.shl" });
/** Arithmetic. */
export const shr = shift({ i32: "i32.shr_s", i64: "i64.shr_s" });
/** Logical. */
export const shrU = shift({ i32: "i32.shr_u", i64: "i64.shr_u" });

export function neg(x: Expr): Expr {
  return op(`${scalarOf(x)}.neg`, x);
}

/** Magnitude; for an integer max(x, -x), so MIN stays MIN. */
export function abs(x: Expr): Expr {
  return scalarOf(x) === "f32"
    ? op("f32.abs", x)
    : bind("x", x, (x) => max(x, neg(x)));
}

/** a where condition != 0, else b; both are evaluated. */
export function select(condition: Expr, a: Arg, b: Arg): Expr {
  return op(`${common([a, b])}.select`, condition, a, b);
}

/** min(max(x, lo), hi). */
export function clamp(x: Expr, lo: Arg, hi: Arg): Expr {
  return min(max(x, lo), hi);
}

/** The value as i64, sign kept; i64 stays. */
export function widen(x: Expr): Expr {
  return scalarOf(x) === "i64" ? x : op("i64.extend_s", x);
}

/** The low 32 bits of an i64; i32 stays. */
export function wrap(x: Expr): Expr {
  return scalarOf(x) === "i64" ? op("i32.wrap", x) : x;
}

/** An integer as the nearest f32; f32 stays. */
export function toF32(x: Expr): Expr {
  const type = scalarOf(x);
  return type === "f32"
    ? x
    : op(type === "i64" ? "f32.from_i64" : "f32.from_i32", x);
}

// --- binding and loops -----------------------------------------------------------------------------

/** `let hint = value in body(hint)`; a constant or a variable is passed on without a let. */
export function bind(
  hint: string,
  value: Expr,
  body: (variable: Expr) => Expr,
): Expr {
  if (["const", "var", "axis", "iteration"].includes(value.kind)) {
    return body(value);
  }
  const name = fresh(hint);
  const variable: Expr = { kind: "var", name, type: scalarOf(value) };
  return { kind: "let", name, value, body: body(variable) };
}

/** How a sum or a loop runs: `bound` may be left out where `count` is a number. */
export interface LoopOptions {
  readonly first?: Arg;
  readonly bound?: number;
  /** What the index is called in print. */
  readonly index?: string;
}

function range(count: Arg, options: LoopOptions, hint: string) {
  const bound = options.bound ??
    (typeof count === "object" ? NaN : Number(count));
  if (!Number.isSafeInteger(bound)) {
    throw new ChainLearnError(
      "Cannot build a loop: expected a bound for a computed count, found none",
    );
  }
  return {
    index: fresh(options.index ?? hint),
    first: toExpr(options.first ?? 0, "i32"),
    count: toExpr(count, "i32"),
    bound,
  };
}

/** Sum of `term(k)` over `count` values of k from `first`; `lanes` 4 is for f32 alone. */
export function sum(
  count: Arg,
  term: (k: Expr) => Expr,
  options: LoopOptions & { readonly lanes?: 1 | 4 } = {},
): Expr {
  const bounds = range(count, options, "k");
  const body = term({ kind: "var", name: bounds.index, type: "i32" });
  return {
    kind: "sum",
    ...bounds,
    type: scalarOf(body),
    lanes: options.lanes ?? 1,
    term: body,
  };
}

/** A loop carrying `inits`: `next(k, carried)` gives the new values, `result(carried)` the value. */
export function loop(
  count: Arg,
  inits: Readonly<Record<string, Expr>>,
  next: (k: Expr, carried: readonly Expr[]) => readonly Expr[],
  result: (carried: readonly Expr[]) => Expr = (carried) => carried[0],
  options: LoopOptions = {},
): Expr {
  const bounds = range(count, options, "k");
  const variables = Object.entries(inits).map(([hint, init]) =>
    ({ kind: "var", name: fresh(hint), type: scalarOf(init) }) as const
  );
  const nexts = next(
    { kind: "var", name: bounds.index, type: "i32" },
    variables,
  );
  const carry: Carry[] = Object.values(inits).map((init, i) => ({
    name: variables[i].name,
    type: variables[i].type,
    init,
    next: nexts[i],
  }));
  return { kind: "loop", ...bounds, carry, result: result(variables) };
}

/** A pure scalar function; list it in the kernel's `functions` after those that it calls. */
export function scalarFunction(
  name: string,
  params: Readonly<Record<string, Scalar>>,
  body: (...params: Expr[]) => Expr,
): ScalarFunction {
  const variables = Object.entries(params).map(([hint, type]) =>
    ({ kind: "var", name: fresh(hint), type }) as const
  );
  const expr = body(...variables);
  return {
    name,
    params: variables.map(({ name, type }) => ({ name, type })),
    result: scalarOf(expr),
    body: expr,
  };
}

/** A call; numbers become constants of the parameters' types. */
export function call(fn: ScalarFunction, ...args: Arg[]): Expr {
  const expr: Expr = {
    kind: "call",
    fn: fn.name,
    args: args.map((arg, i) => toExpr(arg, fn.params[i].type)),
  };
  known.set(expr, fn.result);
  return expr;
}

// --- requantization --------------------------------------------------------------------------------

/**
 * The one requantization: clamp(((acc * m + (1 << (s - 1))) >> s) + zeroPoint, lo, hi), an i32.
 *
 * The product has 64 bits, the shift is arithmetic (half rounds up), the clamp is in i64. m is 0 or in
 * [2^30, 2^31), s in 1..62; both, and the zero point, may be i32 expressions. For an i64 accumulator the
 * caller has |acc| * m < 2^62.
 */
export function requantize(
  acc: Expr,
  m: Arg,
  s: Arg,
  zeroPoint: Arg,
  lo: number,
  hi: number,
): Expr {
  const factor = toExpr(m, "i32");
  const product = scalarOf(acc) === "i64"
    ? mul(acc, widen(factor))
    : op("i32.mul_wide_s", acc, factor);
  return bind("s", toExpr(s, "i32"), (s) => {
    const half = shl(i64(1n), sub(s, 1));
    const rounded = shr(add(product, half), s);
    return wrap(clamp(add(rounded, widen(toExpr(zeroPoint, "i32"))), lo, hi));
  });
}
