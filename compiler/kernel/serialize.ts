/**
 * Kernels as JSON and back: the form in which a bundle stores them.
 *
 * The same kernel gives the same JSON: keys in the order below, no key without a value, an i64 constant
 * as a decimal string. Bundles come from strangers, so the parser takes exactly these shapes, within the
 * verifier's limits on depth and number, and names the place of a fault. `verifyKernel` checks the rest.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  type Carry,
  type DType,
  dtypes,
  type Expr,
  type Kernel,
  type Layout,
  type Op,
  ops,
  type Range,
  type Scalar,
  type ScalarFunction,
  type TensorType,
  type UpdateRange,
} from "../ir.ts";
import { limits } from "./verify.ts";

/** What `JSON.stringify` takes and `JSON.parse` gives. */
export type Json =
  | null
  | boolean
  | number
  | string
  | Json[]
  | { [key: string]: Json };

/** The kernel as plain JSON data. */
export function kernelToJson(kernel: Kernel): Json {
  const { extents, update } = kernel;
  return {
    name: kernel.name,
    operands: kernel.operands.map(tensorToJson),
    result: tensorToJson(kernel.result),
    functions: kernel.functions.map((fn) => ({
      name: fn.name,
      params: fn.params.map(({ name, type }) => ({ name, type })),
      result: fn.result,
      body: exprToJson(fn.body),
    })),
    ...(extents ? { extents: extents.map((e) => e && exprToJson(e)) } : {}),
    ...(update
      ? {
        update: {
          operand: update.operand,
          ranges: update.ranges.map(({ first, count }) => ({
            first: exprToJson(first),
            count: exprToJson(count),
          })),
        },
      }
      : {}),
    body: exprToJson(kernel.body),
  };
}

function tensorToJson({ dtype, shape, layout }: TensorType): Json {
  return {
    dtype,
    shape: [...shape],
    ...(layout
      ? { layout: layout.map(({ axis, size }) => ({ axis, size })) }
      : {}),
  };
}

function rangeToJson({ index, first, count, bound }: Range) {
  return { index, first: exprToJson(first), count: exprToJson(count), bound };
}

/** An expression as plain JSON data. */
export function exprToJson(expr: Expr): Json {
  const { kind } = expr;
  switch (kind) {
    case "const": {
      const { type, value } = expr;
      return {
        kind,
        type,
        value: typeof value === "bigint" ? `${value}` : value,
      };
    }
    case "axis":
      return { kind, axis: expr.axis };
    case "iteration":
      return { kind };
    case "var":
      return { kind, name: expr.name, type: expr.type };
    case "op":
      return { kind, op: expr.op, args: expr.args.map(exprToJson) };
    case "load":
      return {
        kind,
        operand: expr.operand,
        index: expr.index.map(exprToJson),
      };
    case "let":
      return {
        kind,
        name: expr.name,
        value: exprToJson(expr.value),
        body: exprToJson(expr.body),
      };
    case "sum":
      return {
        kind,
        type: expr.type,
        lanes: expr.lanes,
        ...rangeToJson(expr),
        term: exprToJson(expr.term),
      };
    case "loop":
      return {
        kind,
        ...rangeToJson(expr),
        carry: expr.carry.map(({ name, type, init, next }) => ({
          name,
          type,
          init: exprToJson(init),
          next: exprToJson(next),
        })),
        result: exprToJson(expr.result),
      };
    case "call":
      return { kind, fn: expr.fn, args: expr.args.map(exprToJson) };
    default:
      return kind satisfies never;
  }
}

/** The kernel that `kernelToJson` gave; errors name the path of the first fault. */
export function kernelFromJson(json: unknown): Kernel {
  const budget = { nodes: limits.nodes };
  const root = new Field(json, "kernel", budget);
  root.keys(["name", "operands", "result", "functions", "body"], [
    "extents",
    "update",
  ]);
  const extents = root.optional("extents");
  const update = root.optional("update");
  return {
    name: root.at("name").string(),
    operands: root.at("operands").list(tensor),
    result: tensor(root.at("result")),
    functions: root.at("functions").list(scalarFunction),
    ...(extents
      ? {
        extents: extents.list((f) => f.value === null ? null : expression(f)),
      }
      : {}),
    ...(update ? { update: updateOf(update) } : {}),
    body: expression(root.at("body")),
  };
}

function updateOf(field: Field): NonNullable<Kernel["update"]> {
  field.keys(["operand", "ranges"]);
  return {
    operand: field.at("operand").integer(),
    ranges: field.at("ranges").list((f): UpdateRange => {
      f.keys(["first", "count"]);
      return {
        first: expression(f.at("first")),
        count: expression(f.at("count")),
      };
    }),
  };
}

function tensor(field: Field): TensorType {
  field.keys(["dtype", "shape"], ["layout"]);
  const dtype = field.at("dtype").oneOf(Object.keys(dtypes) as DType[]);
  const shape = field.at("shape").list((f) => f.integer());
  const layout = field.optional("layout")?.list((f): Layout[number] => {
    f.keys(["axis", "size"]);
    return { axis: f.at("axis").integer(), size: f.at("size").integer() };
  });
  return layout ? { dtype, shape, layout } : { dtype, shape };
}

function scalarFunction(field: Field): ScalarFunction {
  field.keys(["name", "params", "result", "body"]);
  return {
    name: field.at("name").string(),
    params: field.at("params").list((f) => {
      f.keys(["name", "type"]);
      return { name: f.at("name").string(), type: scalar(f.at("type")) };
    }),
    result: scalar(field.at("result")),
    body: expression(field.at("body")),
  };
}

const scalar = (field: Field): Scalar => field.oneOf(["i32", "i64", "f32"]);

const KINDS = [
  "const",
  "axis",
  "iteration",
  "var",
  "op",
  "load",
  "let",
  "sum",
  "loop",
  "call",
] as const satisfies readonly Expr["kind"][];

const RANGE = ["index", "first", "count", "bound"];

function expression(field: Field): Expr {
  field.spend();
  const kind = field.at("kind").oneOf(KINDS);
  switch (kind) {
    case "const":
      field.keys(["kind", "type", "value"]);
      return constant(field);
    case "axis":
      field.keys(["kind", "axis"]);
      return { kind, axis: field.at("axis").integer() };
    case "iteration":
      field.keys(["kind"]);
      return { kind };
    case "var":
      field.keys(["kind", "name", "type"]);
      return {
        kind,
        name: field.at("name").string(),
        type: scalar(field.at("type")),
      };
    case "op":
      field.keys(["kind", "op", "args"]);
      return {
        kind,
        op: field.at("op").oneOf(Object.keys(ops) as Op[]),
        args: field.at("args").list(expression),
      };
    case "load":
      field.keys(["kind", "operand", "index"]);
      return {
        kind,
        operand: field.at("operand").integer(),
        index: field.at("index").list(expression),
      };
    case "let":
      field.keys(["kind", "name", "value", "body"]);
      return {
        kind,
        name: field.at("name").string(),
        value: expression(field.at("value")),
        body: expression(field.at("body")),
      };
    case "sum": {
      field.keys(["kind", "type", "lanes", ...RANGE, "term"]);
      const lanes = field.at("lanes");
      return {
        kind,
        type: scalar(field.at("type")),
        lanes: lanes.value === 1 || lanes.value === 4
          ? lanes.value
          : lanes.fail("1 or 4"),
        ...range(field),
        term: expression(field.at("term")),
      };
    }
    case "loop":
      field.keys(["kind", ...RANGE, "carry", "result"]);
      return {
        kind,
        ...range(field),
        carry: field.at("carry").list(carry),
        result: expression(field.at("result")),
      };
    case "call":
      field.keys(["kind", "fn", "args"]);
      return {
        kind,
        fn: field.at("fn").string(),
        args: field.at("args").list(expression),
      };
    default:
      return kind satisfies never;
  }
}

function range(field: Field): Range {
  return {
    index: field.at("index").string(),
    first: expression(field.at("first")),
    count: expression(field.at("count")),
    bound: field.at("bound").integer(),
  };
}

function carry(field: Field): Carry {
  field.keys(["name", "type", "init", "next"]);
  return {
    name: field.at("name").string(),
    type: scalar(field.at("type")),
    init: expression(field.at("init")),
    next: expression(field.at("next")),
  };
}

function constant(field: Field): Expr {
  const type = scalar(field.at("type"));
  const value = field.at("value");
  if (type !== "i64") return { kind: "const", type, value: value.integer() };
  const text = value.string();
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) value.fail("a decimal i64");
  return { kind: "const", type, value: BigInt(text) };
}

/** Access to untrusted JSON, which knows where it is and how much may still come. */
class Field {
  constructor(
    readonly value: unknown,
    readonly path: string,
    readonly budget: { nodes: number },
    readonly depth = 0,
  ) {}

  fail(expected: string): never {
    const value = this.value;
    const found = typeof value === "object" && value !== null
      ? Array.isArray(value) ? "a list" : "an object"
      : `${JSON.stringify(value)?.slice(0, 40) ?? "nothing"}`;
    const path = this.path.length > 120
      ? `...${this.path.slice(-117)}`
      : this.path;
    throw new ChainLearnError(
      `Cannot read a kernel of the bundle: ${path}: expected ${expected}, found ${found}`,
    );
  }

  /** Counts an expression against the limits. */
  spend(): void {
    if (--this.budget.nodes < 0) {
      this.fail(`at most ${limits.nodes} expressions`);
    }
    // A list and an object stand between an expression and its argument.
    if (this.depth > 3 * limits.depth) {
      this.fail(`expressions nested at most ${limits.depth} deep`);
    }
  }

  /** Exactly the required keys, and some of the others. */
  keys(required: readonly string[], others: readonly string[] = []): void {
    const value = this.value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.fail("an object");
    }
    for (const key of required) {
      if (!Object.hasOwn(value!, key)) this.fail(`the key "${key}"`);
    }
    for (const key of Object.keys(value!)) {
      if (!required.includes(key) && !others.includes(key)) {
        this.at(key).fail("no such key");
      }
    }
  }

  at(key: string): Field {
    const value = this.value;
    const own = typeof value === "object" && value !== null &&
      Object.hasOwn(value, key);
    return this.#inner(
      own ? (value as Record<string, unknown>)[key] : undefined,
      `.${key}`,
    );
  }

  optional(key: string): Field | undefined {
    const field = this.at(key);
    return field.value === undefined ? undefined : field;
  }

  list<T>(each: (field: Field) => T): T[] {
    if (!Array.isArray(this.value)) this.fail("a list");
    return (this.value as unknown[]).map((v, i) =>
      each(this.#inner(v, `[${i}]`))
    );
  }

  string(): string {
    return typeof this.value === "string" ? this.value : this.fail("a string");
  }

  integer(): number {
    return Number.isSafeInteger(this.value) && !Object.is(this.value, -0)
      ? this.value as number
      : this.fail("a whole number");
  }

  oneOf<T extends string>(names: readonly T[]): T {
    if (names.includes(this.value as T)) return this.value as T;
    return this.fail(
      names.length > 12 ? "a name of the table" : `one of ${names.join(", ")}`,
    );
  }

  #inner(value: unknown, step: string): Field {
    return new Field(value, this.path + step, this.budget, this.depth + 1);
  }
}
