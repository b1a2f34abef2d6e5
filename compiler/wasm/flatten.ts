/**
 * Rewrites a kernel so that every load has one index: the byte address, in a form made for hoisting.
 *
 * Equal subexpressions become one object and constants fold. An address is a sum whose terms are ordered
 * by how often they change: pointer, constants, outer axes, inner axes, outer loops, inner loops; so the
 * emitter's rule "what does not change in a loop is computed before it" leaves one addition inside.
 * i32 arithmetic is a ring modulo 2^32, hence the regrouping is exact.
 */
import { type Dependences, dependences } from "../kernel/hoisting.ts";
import { mapParts } from "../kernel/parts.ts";
import {
  dtypes,
  type Expr,
  type Kernel,
  type Op,
  ops,
  type Scalar,
  type TensorType,
  type Value,
} from "../ir.ts";

/** Name of the variable that holds an operand's address. */
export const pointerName = (operand: number): string => `#operand${operand}`;

/** Makes equal expressions identical, folding constants. */
class Interner {
  readonly #ids = new Map<Expr, number>();
  readonly #known = new Map<string, Expr>();

  intern(expr: Expr): Expr {
    const key = this.#key(expr);
    const known = this.#known.get(key);
    if (known) return known;
    this.#known.set(key, expr);
    this.#ids.set(expr, this.#ids.size);
    return expr;
  }

  #key(expr: Expr): string {
    const id = (e: Expr) => this.#ids.get(e);
    switch (expr.kind) {
      case "const":
        return `const ${expr.type} ${expr.value}`;
      case "axis":
        return `axis ${expr.axis}`;
      case "iteration":
        return "iteration";
      case "var":
        return `var ${expr.name}`;
      case "op":
        return `op ${expr.op} ${expr.args.map(id)}`;
      case "load":
        return `load ${expr.operand} ${expr.index.map(id)}`;
      case "call":
        return `call ${expr.fn} ${expr.args.map(id)}`;
      case "let":
        return `let ${expr.name} ${id(expr.value)} ${id(expr.body)}`;
      case "sum":
        return `sum ${expr.index} ${expr.type} ${expr.lanes} ${
          [expr.first, expr.count, expr.term].map(id)
        }`;
      case "loop":
        return `loop ${expr.index} ${
          [expr.first, expr.count, expr.result].map(id)
        } ${expr.carry.map((c) => [c.name, id(c.init), id(c.next)])}`;
      default:
        return expr satisfies never;
    }
  }
}

/** An i32 expression as constant + sum of factor * atom, modulo 2^32. */
export interface Affine {
  readonly constant: number;
  readonly terms: ReadonlyMap<Expr, number>;
}

/** Splits an interned i32 expression into its affine form; what is not linear is an atom. */
export function affine(expr: Expr): Affine {
  if (expr.kind === "const") {
    return { constant: Number(expr.value), terms: new Map() };
  }
  if (expr.kind === "op") {
    const [a, b] = expr.args;
    switch (expr.op) {
      case "i32.add":
        return combine(affine(a), affine(b), 1);
      case "i32.sub":
        return combine(affine(a), affine(b), -1);
      case "i32.neg":
        return combine({ constant: 0, terms: new Map() }, affine(a), -1);
      case "i32.mul":
      case "i32.shl": {
        const [x, y] = [affine(a), affine(b)];
        if (y.terms.size === 0) {
          const shift = expr.op === "i32.shl";
          return scale(x, shift ? 1 << (y.constant & 31) : y.constant);
        }
        if (x.terms.size === 0 && expr.op === "i32.mul") {
          return scale(y, x.constant);
        }
      }
    }
  }
  return { constant: 0, terms: new Map([[expr, 1]]) };
}

function scale(x: Affine, factor: number): Affine {
  return combine({ constant: 0, terms: new Map() }, x, factor);
}

function combine(a: Affine, b: Affine, factor: number): Affine {
  const terms = new Map(a.terms);
  for (const [atom, f] of b.terms) {
    const sum = ((terms.get(atom) ?? 0) + Math.imul(f, factor)) | 0;
    if (sum === 0) terms.delete(atom);
    else terms.set(atom, sum);
  }
  return {
    constant: (a.constant + Math.imul(b.constant, factor)) | 0,
    terms,
  };
}

const constant = (value: number): Expr => ({
  kind: "const",
  type: "i32",
  value: value | 0,
});

const op = (name: Op, ...args: Expr[]): Expr => ({
  kind: "op",
  op: name,
  args,
});

/** Physical offset of an element, in elements, from one index per dimension. */
function elementOffset(type: TensorType, index: readonly Expr[]): Expr {
  const factors = type.layout ??
    type.shape.map((size, axis) => ({ axis, size }));
  let offset: Expr = constant(0);
  let stride = 1;
  const inner = type.shape.map(() => 1);
  for (const { axis, size } of factors.toReversed()) {
    // The outermost factor of an axis needs no remainder: the index is inside its dimension.
    const outermost = inner[axis] * size >= type.shape[axis];
    let digit = index[axis];
    if (inner[axis] > 1) digit = op("i32.div_u", digit, constant(inner[axis]));
    if (!outermost) digit = op("i32.rem_u", digit, constant(size));
    offset = op("i32.add", offset, op("i32.mul", digit, constant(stride)));
    inner[axis] *= size;
    stride *= size;
  }
  return offset;
}

/** A kernel whose loads carry byte addresses, with what every part of its body depends on. */
export interface FlatBody {
  readonly body: Expr;
  readonly dependences: Dependences;
}

/** Flattens one body: the kernel's, a function's, an extent's. */
export function flatten(
  kernel: Pick<Kernel, "operands">,
  body: Expr,
): FlatBody {
  const interner = new Interner();
  const unrolled = rebuild(body, interner, (load) => {
    const type = kernel.operands[load.operand];
    return { ...load, index: [elementOffset(type, load.index)] };
  });
  const order = new Order(unrolled);
  const flat = rebuild(unrolled, interner, (load) => {
    const type = kernel.operands[load.operand];
    const pointer: Expr = {
      kind: "var",
      name: pointerName(load.operand),
      type: "i32",
    };
    const bytes = scale(affine(load.index[0]), dtypes[type.dtype].bytes);
    return { ...load, index: [address(pointer, bytes, order)] };
  });
  return { body: flat, dependences: dependences({ body: flat }) };
}

type Load = Expr & { kind: "load" };

/** Rebuilds bottom-up: loads by `rewrite`, constants folded, everything interned. */
function rebuild(
  body: Expr,
  interner: Interner,
  rewrite: (load: Load) => Load,
): Expr {
  const deep = (expr: Expr): Expr => {
    if (expr.kind === "load") {
      const load = rewrite({ ...expr, index: expr.index.map(deep) });
      return interner.intern({ ...load, index: load.index.map(shallow) });
    }
    return interner.intern(fold(mapParts(expr, deep)));
  };
  const shallow = (expr: Expr): Expr =>
    interner.intern(fold(mapParts(expr, shallow)));
  return deep(body);
}

/** An operation on constants becomes its value; the op table says which. */
function fold(expr: Expr): Expr {
  if (expr.kind !== "op") return expr;
  const values: Value[] = [];
  for (const arg of expr.args) {
    if (arg.kind !== "const") return expr;
    values.push(arg.value);
  }
  const row = ops[expr.op];
  const meaning = row.meaning as (...args: Value[]) => Value;
  return {
    kind: "const",
    type: row.result as Scalar,
    value: meaning(...values),
  };
}

/** Orders expressions by how far inside the nest they change. */
class Order {
  readonly #dependences: Dependences;
  readonly #depths = new Map<string, number>();

  constructor(body: Expr) {
    this.#dependences = dependences({ body });
    this.#measure(body, 1);
  }

  #measure(expr: Expr, depth: number): void {
    const binds = expr.kind === "sum" || expr.kind === "loop";
    if (binds) this.#depths.set(expr.index, depth);
    if (expr.kind === "loop") {
      for (const carry of expr.carry) this.#depths.set(carry.name, depth);
    }
    mapParts(expr, (part) => {
      this.#measure(part, binds ? depth + 1 : depth);
      return part;
    });
  }

  /** Greater is further inside. */
  rank(atom: Expr): number {
    const own = this.#dependences.get(atom);
    if (!own) return Infinity;
    let depth = 0;
    for (const name of own.free) {
      depth = Math.max(depth, this.#depths.get(name) ?? 0);
    }
    return depth * 16 + own.prefix;
  }
}

function address(pointer: Expr, bytes: Affine, order: Order): Expr {
  const terms = [...bytes.terms].map(([atom, factor]) => ({ atom, factor }));
  terms.sort((a, b) => {
    const [x, y] = [order.rank(a.atom), order.rank(b.atom)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  let sum = bytes.constant === 0
    ? pointer
    : op("i32.add", pointer, constant(bytes.constant));
  for (const { atom, factor } of terms) {
    const term = factor === 1 ? atom : op("i32.mul", atom, constant(factor));
    sum = op("i32.add", sum, term);
  }
  return sum;
}
