/**
 * How far a loop of the kernel IR is unrolled in the word graph, and how many elements are computed together.
 *
 * Sizes count operations and loads of a body with all its inner loops laid out flat; a body that cannot
 * be laid out flat has size Infinity and is never repeated, unless its machine loops are few and short. The limits
 * keep programs of real models within tens of KiB.
 */
import { dtypes, type Expr, type Kernel, type Loop, type Sum } from "../ir.ts";
import { LEAF_BYTES } from "../../fpvm/mod.ts";
import { dependences } from "../kernel/hoisting.ts";
import type { Block } from "./graph.ts";

/** A loop with at most this many flat operations and turns becomes straight code. */
const STRAIGHT_SIZE = 160;
const STRAIGHT_TURNS = 32;
/** So does one of at most this many turns around others, if the code stays below this many operations. */
const AROUND_SIZE = 1536;
const AROUND_TURNS = 16;
/** An unrolled body may have this many operations, an unrolled block of elements that many. */
const BODY_SIZE = 96;
const BLOCK_SIZE = 640;
/** Operations of a machine loop beside its body. */
const LOOP_SIZE = 8;

/** Divisions of i64 become loops of 64 turns. */
const LOOPING: ReadonlySet<string> = new Set([
  "i64.div_s",
  "i64.div_u",
  "i64.rem_s",
  "i64.rem_u",
]);
const DIVISION_SIZE = 48;

/** What unrolling asks of a loop. */
export class LoopShape {
  /** `flat`: size of one turn laid out flat, or Infinity; `code`: its size as it is emitted. */
  constructor(readonly flat: number, readonly code: number) {}

  /** Whether so many turns become straight code. */
  isStraight(turns: number): boolean {
    return turns <= 1 ||
      (turns <= STRAIGHT_TURNS && turns * this.flat <= STRAIGHT_SIZE) ||
      (turns <= AROUND_TURNS && turns * this.code <= AROUND_SIZE);
  }

  /** How often the body is repeated in one turn of the machine's loop; a power of two unless it divides. */
  factor(turns: number | undefined): number {
    const room = BODY_SIZE / Math.max(this.flat, 1);
    const power = [16, 8, 4, 2].find((n) => room >= n) ?? 1;
    if (turns === undefined || turns % power === 0 || power < 8) return power;
    const divisors = [15, 14, 13, 12, 11, 10, 9, 7, 6, 5];
    return divisors.find((n) =>
      n < power && 2 * n > power && turns % n === 0
    ) ??
      power;
  }
}

interface Size {
  readonly flat: number;
  readonly code: number;
}

const NOTHING: Size = { flat: 0, code: 0 };

/** Measures expressions of one kernel; those that are `free` cost nothing. */
export class Sizes {
  readonly #known = new Map<Expr, Size>();
  readonly #functions: ReadonlyMap<string, Expr>;

  constructor(
    kernel: Pick<Kernel, "functions">,
    readonly free: (expr: Expr) => boolean = () => false,
  ) {
    this.#functions = new Map(kernel.functions.map((f) => [f.name, f.body]));
  }

  /** Operations and loads of an expression laid out flat, or Infinity; and as they are emitted. */
  of(expr: Expr): Size {
    let size = this.#known.get(expr);
    if (size === undefined) {
      size = this.free(expr) ? NOTHING : this.#measure(expr);
      this.#known.set(expr, size);
    }
    return size;
  }

  /** What one turn of a sum or a loop costs. */
  loop(range: Sum | Loop): LoopShape {
    const { flat, code } = range.kind === "sum"
      ? this.of(range.term)
      : this.#all(range.carry.map((c) => c.next));
    return new LoopShape(1 + flat, 1 + code);
  }

  #all(list: readonly Expr[], own = 0): Size {
    return list.map((e) => this.of(e)).reduce(
      (a, b) => ({ flat: a.flat + b.flat, code: a.code + b.code }),
      { flat: own, code: own },
    );
  }

  #measure(expr: Expr): Size {
    switch (expr.kind) {
      case "const":
      case "axis":
      case "iteration":
      case "var":
        return NOTHING;
      case "op": {
        const { flat, code } = this.#all(expr.args, 1);
        return LOOPING.has(expr.op)
          ? { flat: Infinity, code: code + DIVISION_SIZE }
          : { flat, code };
      }
      case "load":
        return this.#all(expr.index, 1);
      case "let":
        return this.#all([expr.value, expr.body]);
      case "call": {
        const args = this.#all(expr.args);
        const body = this.of(this.#functions.get(expr.fn)!);
        return { flat: args.flat + body.flat, code: args.code + body.code };
      }
      case "sum":
        return this.#loop(expr, []);
      case "loop":
        return this.#loop(expr, [
          ...expr.carry.map((c) => c.init),
          expr.result,
        ]);
      default:
        return expr satisfies never;
    }
  }

  #loop(range: Sum | Loop, around: readonly Expr[]): Size {
    const shape = this.loop(range);
    const { flat, code } = this.#all(around);
    const turns = range.count.kind === "const"
      ? Math.max(Number(range.count.value), 0)
      : undefined;
    if (turns !== undefined && shape.isStraight(turns)) {
      return {
        flat: flat + turns * shape.flat,
        code: code + turns * shape.code,
      };
    }
    const turn = shape.factor(turns) * shape.code + LOOP_SIZE;
    return { flat: Infinity, code: code + 2 * turn };
  }
}

/**
 * The block of elements that a kernel's code computes together: neighbours along its innermost axis, as many as
 * divide that axis and a leaf, and as the size of what varies along that axis allows.
 */
export function blockOf(kernel: Kernel): Block {
  const { shape, dtype } = kernel.result;
  const axis = shape.findLastIndex((size) => size !== 1);
  if (axis < 0) return { axis, size: 1 };
  const all = dependences(kernel);
  // With an extent or an update the test of an element's place comes to this.
  const sizes = new Sizes(kernel, (expr) => {
    const own = all.get(expr);
    return own !== undefined && own.prefix <= axis;
  });
  const { flat } = sizes.of(kernel.body);
  const perLeaf = LEAF_BYTES / dtypes[dtype].bytes;
  const size = [8, 4, 2].find((n) =>
    shape[axis] % n === 0 && perLeaf % n === 0 && n * flat <= BLOCK_SIZE
  );
  return { axis, size: size ?? 1 };
}
