/**
 * Linear-scan register allocation over the finished code, with spills to the stack region below $sp.
 *
 * A virtual register lives from its first to its last occurrence, stretched over every loop that it enters
 * alive. When registers run out the cheapest in occurrences per length goes to memory, or is computed
 * anew where it is a small constant. $at, $k0 and $k1 carry spilled values to and from an instruction.
 */
import {
  ChainLearnError,
  type FieldName,
  type Fields,
} from "../../fpvm/mod.ts";
import {
  FIRST_VIRTUAL,
  type Instr,
  isMove,
  type Item,
  loadConstant,
  type Register,
  rolesOf,
  SP,
} from "./code.ts";

const SCRATCH: readonly Register[] = [1, 26, 27];
const MOST_SLOTS = 8000;

interface Interval {
  readonly register: Register;
  readonly start: number;
  end: number;
  /** Occurrences, each counted as often as it runs. */
  cost: number;
  /** Source or target of a move at its start: sharing its register saves the move. */
  hint?: Register;
}

/** What the allocator needs to know beside the code. */
export interface AllocationInput {
  readonly name: string;
  readonly items: readonly Item[];
  readonly constants: ReadonlyMap<Register, number>;
  /** How often a region runs, about. */
  readonly frequency: (region: number) => number;
}

/** The code with machine registers only. */
export function allocate(input: AllocationInput): Item[] {
  const intervals = liveIntervals(input);
  const places = scan(intervals);
  return rewrite(input, places);
}

function liveIntervals({ items, frequency }: AllocationInput): Interval[] {
  const intervals = new Map<Register, Interval>();
  const marks = new Map<number, number>();
  const loops: { from: number; to: number }[] = [];
  items.forEach((item, at) => {
    if ("mark" in item) {
      marks.set(item.mark, at);
      return;
    }
    const { def, uses } = rolesOf(item.name);
    const fields = def && !uses.includes(def) ? [...uses, def] : uses;
    for (const field of fields) {
      const register = item.fields[field]!;
      if (register < FIRST_VIRTUAL) continue;
      let interval = intervals.get(register);
      if (!interval) {
        interval = { register, start: at, end: at, cost: 0 };
        if (isMove(item)) interval.hint = item.fields.rs;
        intervals.set(register, interval);
      }
      interval.end = at;
      interval.cost += frequency(item.region);
    }
    const from = item.label === undefined ? undefined : marks.get(item.label);
    if (from !== undefined) loops.push({ from, to: at });
  });
  // Inner loops end before the loops around them: one pass in order of their ends is enough.
  const all = [...intervals.values()].sort((a, b) => a.start - b.start);
  for (const interval of all) {
    for (const { from, to } of loops) {
      if (interval.start < from && interval.end >= from && interval.end < to) {
        interval.end = to;
      }
    }
  }
  return all;
}

/** A machine register, or the number of a stack slot. */
type Place = { readonly register: Register } | { readonly slot: number };

function scan(intervals: readonly Interval[]): Map<Register, Place> {
  const places = new Map<Register, Place>();
  const free = allocatable();
  const ends = new Map<Register, { register: Register; end: number }>();
  let active: Interval[] = [];
  let slots = 0;
  const spill = (interval: Interval) =>
    places.set(interval.register, { slot: slots++ });
  const registerOf = (interval: Interval) =>
    (places.get(interval.register) as { register: Register }).register;
  const weight = ({ cost, start, end }: Interval) => cost / (end - start + 1);
  for (const interval of intervals) {
    active = active.filter((other) => {
      if (other.end > interval.start) return true;
      free.push(registerOf(other));
      ends.set(other.register, {
        register: registerOf(other),
        end: other.end,
      });
      return false;
    });
    if (free.length === 0) {
      const cheapest = active.reduce((a, b) => weight(a) <= weight(b) ? a : b);
      if (weight(cheapest) >= weight(interval)) {
        spill(interval);
        continue;
      }
      free.push(registerOf(cheapest));
      active = active.filter((other) => other !== cheapest);
      spill(cheapest);
    }
    const hinted = interval.hint === undefined
      ? undefined
      : ends.get(interval.hint);
    const at = hinted ? free.indexOf(hinted.register) : -1;
    const register = free.splice(at >= 0 ? at : free.length - 1, 1)[0];
    places.set(interval.register, { register });
    active.push(interval);
  }
  return places;
}

function allocatable(): Register[] {
  const registers: Register[] = [];
  for (let r = 31; r > 0; r--) {
    if (r !== SP && !SCRATCH.includes(r)) registers.push(r);
  }
  return registers;
}

// --- rewriting -----------------------------------------------------------------------------------------

function rewrite(
  { name, items, constants }: AllocationInput,
  places: ReadonlyMap<Register, Place>,
): Item[] {
  const out: Item[] = [];
  const small = (register: Register) => {
    const value = constants.get(register);
    return value !== undefined && loadConstant(0, value).length === 1
      ? value
      : undefined;
  };
  for (const item of items) {
    if ("mark" in item) {
      out.push(item);
      continue;
    }
    const { def, uses } = rolesOf(item.name);
    const fields: Fields = { ...item.fields };
    const scratch = [...SCRATCH];
    const taken = new Map<Register, Register>();
    const before: Item[] = [];
    const place = (field: FieldName) => {
      const register = item.fields[field]!;
      return register < FIRST_VIRTUAL ? { register } : places.get(register)!;
    };
    const { region } = item;
    for (const field of uses) {
      const found = place(field);
      const register = item.fields[field]!;
      if ("register" in found) {
        fields[field] = found.register;
        continue;
      }
      let to = taken.get(register);
      if (to === undefined) {
        taken.set(register, to = scratch.shift()!);
        const value = small(register);
        if (value === undefined) {
          before.push(stack("lw", to, found.slot, region, name));
        } else {
          const [load] = loadConstant(to, value);
          before.push({ ...load, region });
        }
      }
      fields[field] = to;
    }
    const target = def && place(def);
    if (!def || !target) {
      out.push(...before, { ...item, fields });
    } else if ("register" in target) {
      fields[def] = target.register;
      const moved = { ...item, fields };
      if (isMove(moved) && fields.rd === fields.rs) continue;
      out.push(...before, moved);
    } else {
      const register = item.fields[def]!;
      if (small(register) !== undefined) continue;
      const to = taken.get(register) ?? SCRATCH[0];
      fields[def] = to;
      out.push(...before, { ...item, fields });
      out.push(stack("sw", to, target.slot, region, name));
    }
  }
  return out;
}

function stack(
  name: "lw" | "sw",
  rt: Register,
  slot: number,
  region: number,
  kernel: string,
): Instr {
  if (slot >= MOST_SLOTS) {
    throw new ChainLearnError(
      `Cannot emit kernel "${kernel}" for MIPS: expected at most ${MOST_SLOTS} spilled values, found more`,
    );
  }
  return { name, fields: { rt, rs: SP, imm: -4 * (slot + 1) }, region };
}
