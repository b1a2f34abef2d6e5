/**
 * One WebAssembly function for a group of blocks: registers in local variables, structured loops, an exact count
 * of steps.
 *
 * The function takes the number of a block at which it may be entered and the steps it may take, and returns how
 * many of them are left. It returns before a region of blocks that is longer than what is left, and before an
 * instruction that only `step` can execute; at an address outside the group it goes on with the function that the
 * jump table names there, or returns. The processor is then in memory, see translate_layout.ts.
 */

import {
  type Block,
  blockLength,
  bodyEnd,
  type ControlInstruction,
  type StraightInstruction,
  targetOf,
} from "./translate_blocks.ts";
import { blocksOf, type Loop, type Part } from "./translate_graph.ts";
import { Group } from "./translate_group.ts";
import {
  type BlockCode,
  emitCondition,
  emitGroupCheck,
  emitStraight,
  mayLeave,
} from "./translate_instructions.ts";
import {
  ENTRY_BITS,
  IS_INSIDE,
  JUMP_TABLE,
  LO_HI,
  MAX_FRAMES,
  MAX_FUNCTIONS,
  NEXT_PC,
  PC,
  REGISTERS,
  wasmPages,
} from "./translate_layout.ts";
import { type PlaceGroup, placeGroups } from "./translate_places.ts";
import {
  type Code,
  type Label,
  type Local,
  WasmModule,
} from "./wasm_module.ts";

/** Address bits that a jump to code has clear. */
const NO_CODE_ADDRESS = 0xff00_0003 | 0;
const ENTRY_MASK = 2 ** ENTRY_BITS - 1;

/** How control goes to a block from where code is being written. */
interface Way {
  readonly label: Label;
  /** What a loop that is passed on the way dispatches on; undefined where none does. */
  readonly target?: number;
}

/** The function's local variables and labels, and its structure. */
class FunctionCode {
  /** By register; 0 is not used. */
  readonly registers: Local[];
  readonly hiLo: Local;
  readonly address: Local;
  readonly entry: Local;
  readonly value: Local;
  /** Whether the branch is taken. */
  readonly condition: Local;
  /** Where a jump, or a branch with a delay slot that may leave, goes. */
  readonly next: Local;
  /** Index in the body of the instruction before which the block is left. */
  readonly at: Local;
  /** Where control is when the function is left. */
  readonly pc: Local;
  readonly isInside: Local;
  readonly target: Local = 0;
  readonly fuel: Local = 1;
  /** Dispatches on `target`, one of the blocks' numbers. */
  dispatch!: Label;
  /** Leaves with `pc`, `next` and `isInside`. */
  exit!: Label;
  /** Goes on at `pc`, outside the group. */
  far!: Label;
  readonly #ways: Way[] = [];
  readonly #places: Local[] = [];

  constructor(
    readonly code: Code,
    readonly group: Group,
    readonly number: number,
  ) {
    const i32 = () => code.local("i32");
    this.registers = Array.from({ length: 32 }, i32);
    this.address = i32();
    this.entry = i32();
    this.value = i32();
    this.condition = i32();
    this.next = i32();
    this.at = i32();
    this.pc = i32();
    this.isInside = i32();
    this.hiLo = code.local("i64");
  }

  /** The place of a block's group of accesses. */
  place(group: number): Local {
    return this.#places[group] ??= this.code.local("i32");
  }

  takeFuel(steps: number): void {
    if (steps === 0) return;
    const { code, fuel } = this;
    code.get(fuel).i32(steps).op("i32.sub").set(fuel);
  }

  loadRegisters(): void {
    const { code, group } = this;
    for (const register of group.used) {
      code.i32(0).memory("i32.load", REGISTERS + 4 * register);
      code.set(this.registers[register]);
    }
    if (group.usesHiLo) code.i32(0).memory("i64.load", LO_HI).set(this.hiLo);
  }

  storeRegisters(): void {
    const { code, group } = this;
    for (const register of group.written) {
      code.i32(0).get(this.registers[register]);
      code.memory("i32.store", REGISTERS + 4 * register);
    }
    if (group.usesHiLo) code.i32(0).get(this.hiLo).memory("i64.store", LO_HI);
  }

  /** Leaves at the start of a block, which is not executed. */
  leaveAt(pc: number): void {
    const { code } = this;
    code.i32(pc).set(this.pc).i32(pc + 4).set(this.next);
    code.i32(1).set(this.isInside).br(this.exit);
  }

  /** To the block with that index, from which steps are counted anew unless it is inside a region. */
  goto(index: number): void {
    const { label, target } = this.#ways[index];
    if (target !== undefined) this.code.i32(target).set(this.target);
    this.code.br(label);
  }

  /** Parts one after the other; `from` is where they are dispatched on `target` first: its first number and its blocks. */
  sequence(parts: readonly Part[], from?: readonly number[]): void {
    const { code } = this;
    const { ids } = this.group.structure;
    const labels: Label[] = [];
    for (let i = parts.length - 1; i >= (from ? 0 : 1); i--) {
      labels[i] = code.open("block");
    }
    const table: Label[] = [];
    const dispatched = new Set(from);
    let first = Infinity;
    parts.forEach((part, i) => {
      const label = labels[i];
      if (label === undefined) return;
      for (const block of blocksOf(part)) {
        if (dispatched.has(block)) {
          table[ids[block]] = label;
          first = Math.min(first, ids[block]);
        }
        if (typeof part === "number") this.#way(block, { label });
        else if (part.others.length === 0) this.#way(block, { label });
        else {
          const target = block === part.header ? 0 : ids[block];
          this.#way(block, { label, target });
        }
      }
    });
    if (from) {
      // In a loop the header comes first; every other number, 0 among them, stands for it.
      const fallback = labels[0];
      code.get(this.target).i32(first).op("i32.sub");
      code.brTable(
        Array.from(table.slice(first), (label) => label ?? fallback),
        fallback,
      );
    }
    parts.forEach((part, i) => {
      if (labels[i] !== undefined) code.close();
      if (typeof part !== "number") this.#loop(part);
      else new BlockEmitter(this, this.group.blocks[part], part).emit();
    });
  }

  #way(block: number, way: Way): void {
    if (!this.#open.has(block)) this.#ways[block] = way;
  }

  /** Headers of the loops around the present place: control goes to them by their loops. */
  readonly #open = new Set<number>();

  #loop({ header, parts, others }: Loop): void {
    const label = this.code.open("loop");
    const isDispatching = others.length > 0;
    this.#ways[header] = isDispatching ? { label, target: 0 } : { label };
    this.#open.add(header);
    this.sequence(parts, isDispatching ? others : undefined);
    this.#open.delete(header);
    this.code.close().op("unreachable");
  }
}

/** Writes one block; see the head of this file. */
class BlockEmitter implements BlockCode {
  readonly code: Code;
  readonly hiLo: Local;
  readonly address: Local;
  readonly entry: Local;
  readonly value: Local;
  /** Steps from the last count to the block. */
  readonly #before: number;
  place: BlockCode["place"];
  #leaveLabel: Label | undefined;
  #index = 0;

  constructor(
    readonly f: FunctionCode,
    readonly block: Block,
    readonly blockIndex: number,
  ) {
    ({
      code: this.code,
      hiLo: this.hiLo,
      address: this.address,
      entry: this.entry,
      value: this.value,
    } = f);
    this.#before = f.group.steps.before[blockIndex];
  }

  push(register: number): void {
    if (register === 0) this.code.i32(0);
    else this.code.get(this.f.registers[register]);
  }

  pop(register: number): void {
    if (register === 0) this.code.op("drop");
    else this.code.set(this.f.registers[register]);
  }

  leaveIf(): void {
    this.code.i32(this.#index).set(this.f.at).brIf(this.#leaveLabel!);
  }

  /** The block's code and, after it, what leaves it before an instruction of the body or in the slot. */
  emit(): void {
    const { code, f, block } = this;
    const { start, body, control } = block;
    const needed = f.group.steps.needs[this.blockIndex];
    if (needed !== undefined) {
      code.get(f.fuel).i32(needed).op("i32.lt_s").if(() => f.leaveAt(start));
    }
    const outOfBody = body.some(mayLeave) ? code.open("block") : undefined;
    const outOfSlot = control && mayLeave(control.slot)
      ? code.open("block")
      : undefined;
    this.#emitBoth(placeGroups(body), outOfBody, outOfSlot);
    if (outOfSlot !== undefined) {
      code.close();
      f.takeFuel(this.#before + blockLength(block) - 1);
      code.i32(bodyEnd(block) + 4).set(f.pc);
      code.i32(1).set(f.isInside).br(f.exit);
    }
    if (outOfBody === undefined) return;
    code.close();
    code.get(f.fuel).i32(this.#before).op("i32.sub");
    code.get(f.at).op("i32.sub").set(f.fuel);
    code.get(f.at).i32(2).op("i32.shl").i32(start).op("i32.add").tee(f.pc);
    code.i32(4).op("i32.add").set(f.next);
    code.i32(1).set(f.isInside).br(f.exit);
  }

  /**
   * The code with one check for each group and, where a group's check fails, the rest of the code without groups.
   */
  #emitBoth(
    groups: readonly PlaceGroup[],
    outOfBody: Label | undefined,
    outOfSlot: Label | undefined,
  ): void {
    const { code, f, block: { body } } = this;
    const emit = (
      from: number,
      to: number,
      shared: ReadonlyMap<PlaceGroup, Local>,
    ) => {
      this.#leaveLabel = outOfBody;
      for (let i = from; i < to; i++) {
        this.#index = i;
        this.place = undefined;
        for (const [{ offsets }, base] of shared) {
          const offset = offsets.get(i);
          if (offset !== undefined) this.place = { base, offset };
        }
        emitStraight(this, body[i]);
      }
      this.place = undefined;
      if (to < body.length) return;
      this.#leaveLabel = outOfSlot;
      this.#emitEnd();
    };
    const apart = groups.map(() => code.open("block")).reverse();
    const shared = new Map<PlaceGroup, Local>();
    let done = 0;
    groups.forEach((group, i) => {
      emit(done, group.first, shared);
      const base = f.place(i);
      emitGroupCheck(this, body[group.first], group, base);
      code.brIf(apart[i]);
      shared.set(group, base);
      done = group.first;
    });
    emit(done, body.length, shared);
    groups.forEach((group, i) => {
      code.close();
      emit(group.first, groups[i + 1]?.first ?? body.length, new Map());
    });
  }

  #emitEnd(): void {
    const { control } = this.block;
    if (control) this.#emitControl(control.instruction, control.slot);
    else this.#goto(bodyEnd(this.block));
  }

  #emitControl(
    instruction: ControlInstruction,
    slot: StraightInstruction,
  ): void {
    const { code, f } = this;
    const pc = bodyEnd(this.block);
    const target = targetOf(instruction, pc);
    const following = (pc + 8) >>> 0;
    if (instruction.kind === "jump") {
      if (target === undefined) {
        this.push(instruction.rs);
        code.set(f.next);
      } else if (mayLeave(slot)) code.i32(target).set(f.next);
      this.#link(instruction, following);
      emitStraight(this, slot);
      if (target === undefined) this.#gotoNext();
      else this.#goto(target);
      return;
    }
    emitCondition(this, instruction);
    code.set(f.condition);
    this.#link(instruction, following);
    if (instruction.kind === "branch") {
      if (mayLeave(slot)) {
        code.i32(target!).i32(following).get(f.condition).op("select");
        code.set(f.next);
      }
      emitStraight(this, slot);
      code.get(f.condition).if(() => this.#goto(target!));
      this.#goto(following);
      return;
    }
    code.get(f.condition).if(() => {
      code.i32(target!).set(f.next);
      emitStraight(this, slot);
      this.#goto(target!);
    });
    // Not taken, a likely branch skips its delay slot.
    this.#goto(following, blockLength(this.block) - 1);
  }

  #link({ link }: ControlInstruction, following: number): void {
    if (link === 0) return;
    this.code.i32(following);
    this.pop(link);
  }

  #goto(pc: number, length = blockLength(this.block)): void {
    const { code, f } = this;
    const { group } = f;
    const steps = this.#before + length;
    const index = group.indexOf.get(pc);
    if (index === undefined) {
      f.takeFuel(steps);
      code.i32(pc).set(f.pc).br(f.far);
    } else {
      if (group.steps.needs[index] !== undefined) f.takeFuel(steps);
      f.goto(index);
    }
  }

  /** To the address in `next`: inside the group through the jump table. */
  #gotoNext(): void {
    const { code, f } = this;
    f.takeFuel(this.#before + blockLength(this.block));
    code.get(f.next).i32(NO_CODE_ADDRESS).op("i32.and", "i32.eqz").if(() => {
      code.get(f.next).memory("i32.load", JUMP_TABLE).tee(f.value);
      code.i32(ENTRY_BITS).op("i32.shr_u").i32(f.number).op("i32.eq").if(() => {
        code.get(f.value).i32(ENTRY_MASK).op("i32.and").set(f.target);
        code.br(f.dispatch);
      });
    });
    code.get(f.next).set(f.pc).br(f.far);
  }
}

/** Goes on at `pc` with another function, if there is one; otherwise sets what the host finds. */
function emitFar(f: FunctionCode, type: number): void {
  const { code } = f;
  code.get(f.pc).i32(NO_CODE_ADDRESS).op("i32.and", "i32.eqz").if(() => {
    code.get(f.pc).memory("i32.load", JUMP_TABLE).tee(f.value).if(() => {
      code.get(f.value).i32(ENTRY_MASK).op("i32.and").get(f.fuel);
      code.get(f.value).i32(ENTRY_BITS).op("i32.shr_u");
      code.returnCallIndirect(type);
    });
  });
  code.get(f.pc).i32(4).op("i32.add").set(f.next).i32(0).set(f.isInside);
}

function emitReturn(f: FunctionCode): void {
  const { code } = f;
  code.i32(0).get(f.pc).memory("i32.store", PC);
  code.i32(0).get(f.next).memory("i32.store", NEXT_PC);
  code.i32(0).get(f.isInside).memory("i32.store", IS_INSIDE);
  code.get(f.fuel).op("return");
}

/** A translated group: takes the number of an entry and the steps allowed, returns the steps left. */
export type TranslatedFunction = (entry: number, steps: number) => number;

/** A module with one function, and where it may be entered. */
export interface EmittedFunction {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Numbers from 1 by address. */
  readonly entries: ReadonlyMap<number, number>;
}

/**
 * The module with the function `run` for blocks sorted by address, which may be entered at the blocks that start
 * at `entries`; `number` is its number in the jump table.
 */
export function emitFunction(
  blocks: readonly Block[],
  entries: ReadonlySet<number>,
  number: number,
): EmittedFunction {
  const module = new WasmModule();
  const limits = { min: wasmPages(0), max: wasmPages(MAX_FRAMES) };
  module.importMemory("host", "memory", limits);
  module.importTable("host", "functions", MAX_FUNCTIONS + 1);
  const code = module.function(["i32", "i32"], ["i32"], "run");
  const group = new Group(blocks, entries);
  const { structure } = group;
  const f = new FunctionCode(code, group, number);
  f.loadRegisters();
  f.exit = code.open("block");
  f.far = code.open("block");
  f.dispatch = code.open("loop");
  const numbered = blocks.flatMap(({ start }, i) =>
    entries.has(start) ? [i] : []
  );
  f.sequence(structure.parts, numbered);
  code.close().op("unreachable").close();
  f.storeRegisters();
  emitFar(f, module.type(["i32", "i32"], ["i32"]));
  emitReturn(f);
  code.close();
  f.storeRegisters();
  emitReturn(f);
  code.op("unreachable");
  return {
    bytes: module.encode(),
    entries: new Map(numbered.map((i) => [blocks[i].start, structure.ids[i]])),
  };
}
