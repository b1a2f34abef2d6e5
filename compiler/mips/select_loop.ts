/**
 * Instructions of a loop: set-up, body, the advance of what it carries, one branch at the bottom.
 *
 * A loop of a fixed count has no test before its first turn. The branch compares whatever advances anyway
 * (turn number, pointer) with its last value; only without such a register is there a counter.
 */
import { carryName } from "./accumulate.ts";
import { isSigned16, type Register, ZERO } from "./code.ts";
import type { Id } from "./graph.ts";
import type { LoopPlan } from "./schedule.ts";
import type { Selector } from "./select.ts";

/** How the loop ends: go on while `register` differs from `limit`, after adding `stride`. */
interface Control {
  readonly register: Register;
  readonly limit: Register;
  /** Not advanced otherwise: a counter, by this much each turn. */
  readonly counter?: number;
}

/** Emits the loop where it stands in its scope. */
export function emitLoop(s: Selector, plan: LoopPlan): void {
  const { code, accumulators } = s;
  const { node, id } = plan;
  const skip = code.newLabel();
  const top = code.newLabel();
  enter(s, plan);
  const turns = s.valueOf(node.count);
  const control = controlOf(s, plan, turns);
  if (turns === undefined) code.emit("blez", { rs: s.of(node.count) }, skip);
  code.repeated(node.bound, () => {
    code.mark(top);
    s.scope(node.scope, targetsOf(s, plan));
    assignNexts(s, plan);
    advance(s, plan, control);
    code.emit("bne", { rs: control.register, rt: control.limit }, top);
  });
  code.mark(skip);
  for (const carry of plan.carries) {
    const half = accumulators.outermost.get(carryName(id, carry));
    if (half === undefined) continue;
    const d = code.register();
    code.emit(half === "lo" ? "mflo" : "mfhi", { rd: d });
    s.bind(node.phis[carry], d);
  }
}

/** Puts the initial values in place. */
function enter(s: Selector, { id, node, carries, ...plan }: LoopPlan): void {
  const { code, accumulators } = s;
  const start = (phi: Id, from: Register) => {
    const register = code.register();
    code.move(register, from);
    s.bind(phi, register);
  };
  for (const carry of carries) {
    const name = carryName(id, carry);
    if (!accumulators.carried.has(name)) {
      start(node.phis[carry], s.of(node.inits[carry]));
      continue;
    }
    const half = accumulators.outermost.get(name);
    if (half === undefined) continue;
    code.emit(half === "lo" ? "mtlo" : "mthi", {
      rs: s.of(node.inits[carry]),
    });
  }
  for (const pointer of plan.pointers) {
    start(pointer, s.of(pointerOf(s, pointer).base));
  }
  if (plan.turnUsed) start(node.turn, ZERO);
}

function pointerOf(s: Selector, id: Id): { base: Id; stride: number } {
  const node = s.plan.graph.nodes[id];
  if (node.kind !== "pointer") throw new RangeError(`Node ${id} is no pointer`);
  return node;
}

function controlOf(
  s: Selector,
  { node, turnUsed, pointers }: LoopPlan,
  turns: number | undefined,
): Control {
  const { code } = s;
  if (turnUsed) {
    return { register: s.of(node.turn), limit: s.of(node.count) };
  }
  if (turns === undefined) {
    const register = code.register();
    code.move(register, s.of(node.count));
    return { register, limit: ZERO, counter: -1 };
  }
  // Fewer than 2^31 bytes on the way: the pointer meets its end once, at the last turn.
  const guide = pointers.find((p) =>
    Math.abs(pointerOf(s, p).stride) * turns < 0x8000_0000
  );
  if (guide !== undefined) {
    const limit = code.register();
    const span = pointerOf(s, guide).stride * turns;
    addConstant(s, limit, s.of(guide), span);
    return { register: s.of(guide), limit };
  }
  const register = code.register();
  code.move(register, s.constant(turns));
  return { register, limit: ZERO, counter: -1 };
}

function addConstant(
  s: Selector,
  d: Register,
  from: Register,
  value: number,
): void {
  if (isSigned16(value)) {
    s.code.emit("addiu", { rt: d, rs: from, imm: value });
  } else {
    s.code.emit("addu", { rd: d, rs: from, rt: s.constant(value) });
  }
}

/** Next values that can be computed right into the carried register: the old value is read before. */
function targetsOf(
  s: Selector,
  { id, node, carries }: LoopPlan,
): Map<Id, Register> {
  const { graph, position, lastUse } = s.plan;
  const targets = new Map<Id, Register>();
  for (const carry of carries) {
    if (s.accumulators.carried.has(carryName(id, carry))) continue;
    const next = node.nexts[carry];
    const kind = graph.nodes[next].kind;
    if (graph.scopeOf[next] !== node.scope || targets.has(next)) continue;
    if (kind !== "op" && kind !== "load") continue;
    const phi = node.phis[carry];
    if ((lastUse.get(phi) ?? -1) <= position.get(next)!) {
      targets.set(next, s.of(phi));
    }
  }
  return targets;
}

/** Moves the next values into the carried registers, all at once. */
function assignNexts(s: Selector, { id, node, carries }: LoopPlan): void {
  const { code } = s;
  const carried = new Set(
    carries.filter((c) => !s.accumulators.carried.has(carryName(id, c)))
      .map((c) => s.of(node.phis[c])),
  );
  const moves: [Register, Register][] = [];
  for (const carry of carries) {
    if (s.accumulators.carried.has(carryName(id, carry))) continue;
    const to = s.of(node.phis[carry]);
    let from = s.of(node.nexts[carry]);
    if (from === to) continue;
    if (carried.has(from)) {
      const kept = code.register();
      code.move(kept, from);
      from = kept;
    }
    moves.push([to, from]);
  }
  for (const [to, from] of moves) code.move(to, from);
}

function advance(s: Selector, plan: LoopPlan, control: Control): void {
  const steps: [Register, number][] = plan.pointers.map((p) => [
    s.of(p),
    pointerOf(s, p).stride,
  ]);
  if (plan.turnUsed) steps.push([s.of(plan.node.turn), 1]);
  if (control.counter !== undefined) {
    steps.push([control.register, control.counter]);
  }
  // What the branch compares goes first, so that another advance can fill its delay slot.
  steps.sort(([a], [b]) =>
    Number(b === control.register) - Number(a === control.register)
  );
  for (const [register, stride] of steps) {
    addConstant(s, register, register, stride);
  }
}
