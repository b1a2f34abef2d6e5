/**
 * The reference interpreter: the definition of what a kernel means, slow and meant to be obvious.
 *
 * A kernel's expression tree becomes a tree of closures once; then the closures run for every element of
 * the result. Hoisted subexpressions (hoisting.ts) keep their value while the axes they depend on stand
 * still, otherwise a softmax would be quadratic. It runs kernels that `verifyKernel` has accepted; an
 * index outside its dimension is an error here, never a wrong byte.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { type Dependences, dependences, isHoisted } from "./hoisting.ts";
import {
  byteLength,
  dtypes,
  elementCount,
  type Expr,
  type Kernel,
  type Loop,
  ops,
  type Sum,
  type UpdateRange,
  type Value,
} from "../ir.ts";
import { offsetTables } from "./layout.ts";
import { readers, writers } from "./storage.ts";

type Evaluate = () => Value;
type Meaning = (...args: Value[]) => Value;

/** A kernel ready to run any number of times. */
export type PreparedKernel = (
  operands: readonly Uint8Array[],
  iteration: number,
) => Uint8Array;

/**
 * Result bytes of a kernel on operand bytes.
 *
 * Operands have at least `byteLength(type)` bytes each; what lies beyond is not read.
 */
export function interpret(
  kernel: Kernel,
  operands: readonly Uint8Array[],
  iteration: number,
): Uint8Array {
  return prepareKernel(kernel)(operands, iteration);
}

/** Compiles a kernel to closures, for a caller that runs it more than once. */
export function prepareKernel(kernel: Kernel): PreparedKernel {
  const machine = new Machine(kernel);
  return (operands, iteration) => machine.run(operands, iteration);
}

/** Static context of a compilation: what stands above an expression. */
interface Place {
  readonly parent?: Expr;
  /** Absent inside functions, which are not hoisted from. */
  readonly dependences?: Dependences;
}

class Machine {
  readonly #kernel: Kernel;
  readonly #axes: Int32Array;
  /** epoch[p] changes whenever one of the axes 0 .. p - 1 does. */
  readonly #epochs: Float64Array;
  readonly #body: Evaluate;
  readonly #extents: readonly (Evaluate | null)[];
  readonly #ranges?: readonly { first: Evaluate; count: Evaluate }[];
  readonly #functions = new Map<string, { params: Cell[]; body: Evaluate }>();
  readonly #cells = new Map<string, Cell>();
  #iteration = 0;
  #views: DataView[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const rank = kernel.result.shape.length;
    this.#axes = new Int32Array(rank);
    this.#epochs = new Float64Array(rank + 1);
    for (const fn of kernel.functions) {
      const params = fn.params.map((p) => this.#cell(p.name));
      this.#functions.set(fn.name, {
        params,
        body: this.#compile(fn.body, {}),
      });
    }
    this.#body = this.#compile(kernel.body, {
      dependences: dependences(kernel),
    });
    const plain = (e: Expr) => this.#compile(e, {});
    this.#extents = (kernel.extents ?? []).map((e) => e && plain(e));
    this.#ranges = kernel.update?.ranges.map((r: UpdateRange) => ({
      first: plain(r.first),
      count: plain(r.count),
    }));
  }

  run(operands: readonly Uint8Array[], iteration: number): Uint8Array {
    const kernel = this.#kernel;
    this.#views = kernel.operands.map((type, i) => {
      const expected = byteLength(type);
      const bytes = operands[i];
      if (!bytes || bytes.length < expected) {
        throw new ChainLearnError(
          `Cannot interpret kernel "${kernel.name}": expected ${expected} bytes in operand ${i}, found ${
            bytes?.length ?? "none"
          }`,
        );
      }
      return new DataView(bytes.buffer, bytes.byteOffset, expected);
    });
    this.#iteration = iteration | 0;
    for (let p = 0; p < this.#epochs.length; p++) this.#epochs[p]++;
    const result = new Uint8Array(byteLength(kernel.result));
    if (kernel.update) {
      result.set(operands[kernel.update.operand].subarray(0, result.length));
    }
    this.#fill(new DataView(result.buffer), this.#box());
    return result;
  }

  /** Per axis the half-open range of indices that the body is evaluated for. */
  #box(): { from: number; to: number }[] {
    return this.#kernel.result.shape.map((size, axis) => {
      const inside = (x: number) => Math.min(Math.max(x, 0), size);
      const range = this.#ranges?.[axis];
      if (range) {
        const first = Number(range.first());
        const count = Math.max(Number(range.count()), 0);
        return { from: inside(first), to: inside(first + count) };
      }
      const extent = this.#extents[axis];
      return { from: 0, to: extent ? inside(Number(extent())) : size };
    });
  }

  #fill(view: DataView, box: readonly { from: number; to: number }[]): void {
    const { dtype, shape } = this.#kernel.result;
    const write = writers[dtype];
    const size = dtypes[dtype].bytes;
    const walk = (axis: number, offset: number) => {
      if (axis === shape.length) {
        write(view, offset * size, this.#body());
        return;
      }
      for (let i = box[axis].from; i < box[axis].to; i++) {
        this.#axes[axis] = i;
        for (let p = axis + 1; p < this.#epochs.length; p++) this.#epochs[p]++;
        walk(axis + 1, offset * shape[axis] + i);
      }
    };
    if (elementCount(shape) > 0) walk(0, 0);
  }

  #cell(name: string): Cell {
    let cell = this.#cells.get(name);
    if (!cell) this.#cells.set(name, cell = { value: 0 });
    return cell;
  }

  /** Compiles a subexpression and keeps its value per axis prefix where the hoisting rule says so. */
  #compile(expr: Expr, place: Place): Evaluate {
    const evaluate = this.#closure(expr, place.dependences);
    const { parent, dependences: all } = place;
    if (!all || !isHoisted(expr, parent, all)) return evaluate;
    const epochs = this.#epochs;
    const prefix = all.get(expr)!.prefix;
    let epoch = -1;
    let kept: Value = 0;
    return () => {
      if (epoch !== epochs[prefix]) {
        kept = evaluate();
        epoch = epochs[prefix];
      }
      return kept;
    };
  }

  #closure(expr: Expr, all?: Dependences): Evaluate {
    const part = (e: Expr) =>
      this.#compile(e, { parent: expr, dependences: all });
    switch (expr.kind) {
      case "const": {
        const value = expr.value;
        return () => value;
      }
      case "axis": {
        const axes = this.#axes;
        const axis = expr.axis;
        return () => axes[axis];
      }
      case "iteration":
        return () => this.#iteration;
      case "var": {
        const cell = this.#cell(expr.name);
        return () => cell.value;
      }
      case "op":
        return apply(ops[expr.op].meaning as Meaning, expr.args.map(part));
      case "load":
        return this.#load(expr.operand, expr.index.map(part));
      case "let": {
        const cell = this.#cell(expr.name);
        const value = part(expr.value);
        const body = part(expr.body);
        return () => {
          cell.value = value();
          return body();
        };
      }
      case "sum":
        return this.#sum(expr, part);
      case "loop":
        return this.#loop(expr, part);
      case "call":
        return this.#call(expr.fn, expr.args.map(part));
      default:
        return expr satisfies never;
    }
  }

  #load(operand: number, index: readonly Evaluate[]): Evaluate {
    const { name, operands } = this.#kernel;
    const type = operands[operand];
    const tables = offsetTables(type);
    const read = readers[type.dtype];
    const size = dtypes[type.dtype].bytes;
    return () => {
      let offset = 0;
      for (let d = 0; d < index.length; d++) {
        const i = index[d]() as number;
        if (i < 0 || i >= type.shape[d]) {
          throw new ChainLearnError(
            `Cannot interpret kernel "${name}": expected index ${d} of operand ${operand} in 0..${
              type.shape[d] - 1
            }, found ${i}`,
          );
        }
        offset += tables[d][i];
      }
      return read(this.#views[operand], offset * size);
    };
  }

  #sum(sum: Sum, part: (e: Expr) => Evaluate): Evaluate {
    const index = this.#cell(sum.index);
    const [first, count, term] = [sum.first, sum.count, sum.term].map(part);
    const add = ops[`${sum.type}.add`].meaning as Meaning;
    const zero: Value = sum.type === "i64" ? 0n : 0;
    const lanes = sum.type === "f32" ? sum.lanes : 1;
    return () => {
      const from = first() as number;
      const n = count() as number;
      const sums = new Array<Value>(lanes).fill(zero);
      for (let j = 0; j < n; j++) {
        index.value = (from + j) | 0;
        sums[j % lanes] = add(sums[j % lanes], term());
      }
      if (lanes === 1) return sums[0];
      return add(add(sums[0], sums[2]), add(sums[1], sums[3]));
    };
  }

  #loop(loop: Loop, part: (e: Expr) => Evaluate): Evaluate {
    const index = this.#cell(loop.index);
    const cells = loop.carry.map((c) => this.#cell(c.name));
    const inits = loop.carry.map((c) => part(c.init));
    const nexts = loop.carry.map((c) => part(c.next));
    const [first, count, result] = [loop.first, loop.count, loop.result].map(
      part,
    );
    const assign = (values: readonly Evaluate[]) => {
      const fresh = values.map((value) => value());
      cells.forEach((cell, i) => cell.value = fresh[i]);
    };
    return () => {
      const from = first() as number;
      const n = count() as number;
      assign(inits);
      for (let j = 0; j < n; j++) {
        index.value = (from + j) | 0;
        assign(nexts);
      }
      return result();
    };
  }

  #call(name: string, args: readonly Evaluate[]): Evaluate {
    const fn = this.#functions.get(name);
    if (!fn) {
      throw new ChainLearnError(
        `Cannot interpret kernel "${this.#kernel.name}": expected a function listed before its call, found "${name}"`,
      );
    }
    return () => {
      const values = args.map((arg) => arg());
      fn.params.forEach((cell, i) => cell.value = values[i]);
      return fn.body();
    };
  }
}

/** Where a variable's present value stands; names are unique in a kernel. */
interface Cell {
  value: Value;
}

function apply(meaning: Meaning, args: readonly Evaluate[]): Evaluate {
  const [a, b, c] = args;
  if (args.length === 1) return () => meaning(a());
  if (args.length === 2) return () => meaning(a(), b());
  return () => meaning(a(), b(), c());
}
