/**
 * Gives every branch its delay slot: an instruction from above that neither the branch nor anything in
 * between depends on, else a nop. Moving it changes nothing, since it ran before the branch either way.
 */
import { type Instr, isBranch, type Item, rolesOf } from "./code.ts";

/** How far above a branch to look. */
const WINDOW = 12;

/** The code with an instruction after every branch that runs whether or not it is taken. */
export function fillDelaySlots(items: readonly Item[]): Item[] {
  const out: Item[] = [];
  /** Nothing before this place may be moved: a label, a branch or a syscall stands there. */
  let barrier = 0;
  for (const item of items) {
    out.push(item);
    if ("mark" in item || item.name === "syscall") barrier = out.length;
    if ("mark" in item || !isBranch(item.name)) continue;
    const at = candidate(out, barrier);
    out.push(
      at < 0 ? nop(item.region) : out.splice(at, 1)[0],
    );
    barrier = out.length;
  }
  return out;
}

function nop(region: number): Instr {
  return { name: "sll", fields: { rd: 0, rt: 0, sa: 0 }, region };
}

/** Place of the last instruction that can go behind the branch at the end of `out`, or -1. */
function candidate(out: readonly Item[], barrier: number): number {
  const last = out.length - 1;
  for (let at = last - 1; at >= Math.max(barrier, last - WINDOW); at--) {
    const moved = out[at] as Instr;
    const passed = out.slice(at + 1) as Instr[];
    if (passed.every((other) => independent(moved, other))) return at;
  }
  return -1;
}

function independent(a: Instr, b: Instr): boolean {
  const [roleA, roleB] = [rolesOf(a.name), rolesOf(b.name)];
  if (roleA.hilo && roleB.hilo) return false;
  const writes = (x: Instr, y: Instr) => {
    const { def } = rolesOf(x.name);
    if (!def) return false;
    const { def: other, uses } = rolesOf(y.name);
    const target = x.fields[def];
    return target !== 0 && (uses.some((field) => y.fields[field] === target) ||
      (other !== undefined && y.fields[other] === target));
  };
  if (writes(a, b) || writes(b, a)) return false;
  const [kindA, kindB] = [roleA.kind, roleB.kind];
  const touches = (kind: string) => kind === "load" || kind === "store";
  return !(touches(kindA) && touches(kindB) &&
    (kindA === "store" || kindB === "store"));
}
