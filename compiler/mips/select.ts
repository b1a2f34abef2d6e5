/**
 * Chooses instructions for the nodes of a schedule: one rule per word operation, over virtual registers.
 *
 * Comparisons and selections become slt, movz and movn, so that code without loops has no branches.
 * Loops are in `select_loop.ts`, the program around the kernel in `leaf.ts`.
 */
import type { WordOp } from "../legalize/legalize.ts";
import type { Accumulators, Mac } from "./accumulate.ts";
import {
  type Code,
  isSigned16,
  isUnsigned16,
  type Register,
  ZERO,
} from "./code.ts";
import type { Id } from "./graph.ts";
import type { Schedule } from "./schedule.ts";
import { emitLoop } from "./select_loop.ts";

/** Word operations left after legalizing for MIPS. */
type TargetOp = Exclude<WordOp, "i32.dot4_s">;

/** Emits instruction for one operation: into `d`, from argument nodes. */
type Emit = (s: Selector, d: Register, args: readonly Id[], id: Id) => void;

/** Selection state: the register of every value so far. */
export class Selector {
  readonly #registers = new Map<Id, Register>();
  readonly #constants = new Map<number, Register>();

  constructor(
    readonly plan: Schedule,
    readonly accumulators: Accumulators,
    readonly code: Code,
  ) {}

  /** Constants that need a register, in order of first use. */
  get constants(): ReadonlyMap<number, Register> {
    return this.#constants;
  }

  constant(value: number): Register {
    value |= 0;
    if (value === 0) return ZERO;
    let register = this.#constants.get(value);
    if (register === undefined) {
      register = this.code.register();
      this.#constants.set(value, register);
      this.code.constants.set(register, value);
    }
    return register;
  }

  /** Register that holds a node's value. */
  of(id: Id): Register {
    const { graph } = this.plan;
    const node = graph.nodes[id];
    if (node.kind === "const") return this.constant(node.value);
    let register = this.#registers.get(id);
    if (register === undefined && node.kind === "result") {
      const loop = this.plan.loops.get(node.loop)!.node;
      register = this.#registers.get(loop.phis[node.carry]);
    }
    if (register === undefined) {
      throw new RangeError(`Node ${id} (${node.kind}) has no register yet`);
    }
    return register;
  }

  bind(id: Id, register: Register): void {
    this.#registers.set(id, register);
  }

  valueOf(id: Id): number | undefined {
    return this.plan.graph.constantOf(id);
  }

  /** Emits what a scope computes; `targets` gives registers that values must end up in. */
  scope(
    scope: number,
    targets?: ReadonlyMap<Id, Register>,
    computed?: (id: Id) => void,
  ): void {
    for (const id of this.plan.lists.get(scope) ?? []) {
      this.#node(id, targets?.get(id));
      computed?.(id);
    }
  }

  #node(id: Id, target: Register | undefined): void {
    const { graph, addresses, loops } = this.plan;
    const node = graph.nodes[id];
    const { fused, macs } = this.accumulators;
    if (fused.has(id)) return;
    if (node.kind === "loop") return emitLoop(this, loops.get(id)!);
    const mac = macs.get(id);
    if (mac && !mac.start && !mac.finish) return this.#mac(mac);
    const d = target ?? this.code.register();
    if (mac) {
      this.#mac(mac);
      if (!mac.finish) return;
      this.code.emit("mflo", { rd: d });
    } else if (node.kind === "load") {
      const { base, displacement } = addresses.get(id)!;
      const rs = this.of(base);
      this.code.emit(node.name, { rt: d, rs, imm: displacement });
    } else if (node.kind === "op") {
      emitOp[node.op as TargetOp](this, d, node.args, id);
    }
    this.bind(id, d);
  }

  #mac({ factors, start }: Mac): void {
    if (start && "product" in start) {
      const [rs, rt] = start.product.map((id) => this.of(id));
      this.code.emit("mult", { rs, rt });
    } else if (start) {
      this.code.emit("mtlo", { rs: this.of(start.value) });
    }
    const [rs, rt] = factors.map((id) => this.of(id));
    this.code.emit("madd", { rs, rt });
  }

  /** Whether nothing reads the value of `id` after node `at`, so that a move of it costs nothing. */
  endsAt(id: Id, at: Id): boolean {
    const { graph, lastUse, position } = this.plan;
    return this.valueOf(id) === undefined &&
      graph.scopeOf[id] === graph.scopeOf[at] &&
      lastUse.get(id) === position.get(at);
  }

  /** d = c != 0 ? a : b of nodes, by way of the one that is not needed any more. */
  chooseNode(d: Register, c: Register, a: Id, b: Id, at: Id): void {
    const [x, y] = [this.of(a), this.of(b)];
    if (d === c || d === x || d === y || !this.endsAt(a, at)) {
      return this.choose(d, c, x, y);
    }
    this.code.move(d, x);
    this.code.emit("movz", { rd: d, rs: y, rt: c });
  }

  /** d = c != 0 ? a : b. */
  choose(d: Register, c: Register, a: Register, b: Register): void {
    if (d === c) {
      const t = this.code.register();
      this.choose(t, c, a, b);
      return this.code.move(d, t);
    }
    if (d === a) return this.code.emit("movz", { rd: d, rs: b, rt: c });
    if (d !== b) this.code.move(d, b);
    this.code.emit("movn", { rd: d, rs: a, rt: c });
  }
}

/** Three registers. */
const plain =
  (name: "addu" | "subu" | "mul" | "and" | "or" | "xor"): Emit =>
  (s, d, [a, b]) => s.code.emit(name, { rd: d, rs: s.of(a), rt: s.of(b) });

const add: Emit = (s, d, args, at) => {
  const c = s.valueOf(args[1]);
  if (!isSigned16(c)) return plain("addu")(s, d, args, at);
  s.code.emit("addiu", { rt: d, rs: s.of(args[0]), imm: c });
};

const logic = (name: "and" | "or" | "xor"): Emit => (s, d, args, at) => {
  const c = s.valueOf(args[1]);
  const rs = s.of(args[0]);
  if (isUnsigned16(c)) return s.code.emit(`${name}i`, { rt: d, rs, imm: c });
  if (name === "and" && c !== undefined && c > 0 && (c & (c + 1)) === 0) {
    return s.code.emit("ext", { rt: d, rs, lsb: 0, msb: 31 - Math.clz32(c) });
  }
  plain(name)(s, d, args, at);
};

const shift =
  (fixed: "sll" | "srl" | "sra", variable: "sllv" | "srlv" | "srav"): Emit =>
  (s, d, [a, n]) => {
    const c = s.valueOf(n);
    const rt = s.of(a);
    if (c !== undefined) return s.code.emit(fixed, { rd: d, rt, sa: c & 31 });
    s.code.emit(variable, { rd: d, rt, rs: s.of(n) });
  };

/** x / 0 = x, x % 0 = 0, MIN / -1 = MIN: the machine's division is the op table's. */
const divide = (
  name: "div" | "divu" | "mult" | "multu",
  part: "mfhi" | "mflo",
): Emit =>
(s, d, [a, b]) => {
  s.code.emit(name, { rs: s.of(a), rt: s.of(b) });
  s.code.emit(part, { rd: d });
};

const less = (name: "slt" | "sltu"): Emit => (s, d, [a, b]) => {
  const c = s.valueOf(b);
  const rs = s.of(a);
  if (isSigned16(c)) {
    return s.code.emit(name === "slt" ? "slti" : "sltiu", {
      rt: d,
      rs,
      imm: c,
    });
  }
  s.code.emit(name, { rd: d, rs, rt: s.of(b) });
};

/** a <= b is !(b < a). */
const lessOrEqual = (name: "slt" | "sltu"): Emit => (s, d, [a, b], at) => {
  const t = s.code.register();
  less(name)(s, t, [b, a], at);
  s.code.emit("xori", { rt: d, rs: t, imm: 1 });
};

/** A register that is zero exactly where a = b. */
function difference(s: Selector, [a, b]: readonly Id[], at: Id): Register {
  const c = s.valueOf(b);
  if (c === 0) return s.of(a);
  const t = s.code.register();
  logic("xor")(s, t, [a, b], at);
  return t;
}

/** min or max: `first` when the comparison a < b holds. */
const extreme = (smaller: boolean): Emit => (s, d, [a, b], at) => {
  const t = s.code.register();
  less("slt")(s, t, [a, b], at);
  s.chooseNode(d, t, smaller ? a : b, smaller ? b : a, at);
};

const emitOp = {
  "i32.add": add,
  "i32.sub": plain("subu"),
  "i32.mul": plain("mul"),
  "i32.neg": (s, d, [a]) =>
    s.code.emit("subu", { rd: d, rs: ZERO, rt: s.of(a) }),
  "i32.min_s": extreme(true),
  "i32.max_s": extreme(false),
  "i32.and": logic("and"),
  "i32.or": logic("or"),
  "i32.xor": logic("xor"),
  "i32.shl": shift("sll", "sllv"),
  "i32.shr_s": shift("sra", "srav"),
  "i32.shr_u": shift("srl", "srlv"),
  "i32.div_s": divide("div", "mflo"),
  "i32.div_u": divide("divu", "mflo"),
  "i32.rem_s": divide("div", "mfhi"),
  "i32.rem_u": divide("divu", "mfhi"),
  "i32.clz": (s, d, [a]) => s.code.emit("clz", { rd: d, rs: s.of(a) }),
  "i32.eq": (s, d, args, at) => {
    s.code.emit("sltiu", { rt: d, rs: difference(s, args, at), imm: 1 });
  },
  "i32.ne": (s, d, args, at) => {
    s.code.emit("sltu", { rd: d, rs: ZERO, rt: difference(s, args, at) });
  },
  "i32.lt_s": less("slt"),
  "i32.lt_u": less("sltu"),
  "i32.le_s": lessOrEqual("slt"),
  "i32.le_u": lessOrEqual("sltu"),
  "i32.select": (s, d, [c, a, b], at) => s.chooseNode(d, s.of(c), a, b, at),
  "mulh_s": divide("mult", "mfhi"),
  "mulh_u": divide("multu", "mfhi"),
} satisfies Record<TargetOp, Emit>;
