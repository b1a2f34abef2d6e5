/**
 * One WebAssembly function for a group of blocks: registers in local variables inside a block, direct
 * branches between blocks, an exact count of steps.
 *
 * The function takes the index of a block and the steps it may take, and returns how many of them are
 * left. It returns before a block that is longer than what is left, at an address outside the group, and
 * before an instruction that only `step` can execute; the processor is then in memory, see
 * translate_layout.ts. A block whose branch goes back to its own start keeps its registers in local variables.
 */

import {
  type Block,
  blockLength,
  bodyEnd,
  type ControlInstruction,
  type StraightInstruction,
  targetOf,
} from "./translate_blocks.ts";
import {
  type BlockCode,
  emitCondition,
  emitStraight,
  mayLeave,
  registersOf,
} from "./translate_instructions.ts";
import {
  IS_INSIDE,
  JUMP_TABLE,
  LO_HI,
  NEXT_PC,
  PC,
  REGISTERS,
  WASM_PAGES,
} from "./translate_layout.ts";
import {
  type Code,
  type Label,
  type Local,
  WasmModule,
} from "./wasm_module.ts";

/** Address bits that a jump to code has clear. */
const NO_CODE_ADDRESS = 0xff00_0003 | 0;

/** The function's local variables and labels. */
class FunctionCode {
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
  readonly target: Local = 0;
  readonly fuel: Local = 1;
  readonly indexOf: ReadonlyMap<number, number>;

  constructor(
    readonly code: Code,
    readonly number: number,
    blocks: readonly Block[],
    readonly dispatch: Label,
    readonly labels: readonly Label[],
  ) {
    const i32 = () => code.local("i32");
    this.registers = Array.from({ length: 32 }, i32);
    this.address = i32();
    this.entry = i32();
    this.value = i32();
    this.condition = i32();
    this.next = i32();
    this.at = i32();
    this.hiLo = code.local("i64");
    this.indexOf = new Map(blocks.map(({ start }, i) => [start, i]));
  }

  /** Returns to the host with these values as pc and nextPc; `isInside`: not at the end of a block. */
  leave(pushPc: () => void, pushNextPc: () => void, isInside: boolean): void {
    const { code } = this;
    code.i32(0);
    pushPc();
    code.memory("i32.store", PC).i32(0);
    pushNextPc();
    code.memory("i32.store", NEXT_PC);
    code.i32(0).i32(isInside ? 1 : 0).memory("i32.store", IS_INSIDE);
    code.get(this.fuel).op("return");
  }

  leaveAt(pc: number, isInside = false): void {
    const { code } = this;
    this.leave(() => code.i32(pc), () => code.i32(pc + 4), isInside);
  }

  addFuel(steps: number): void {
    const { code, fuel } = this;
    code.get(fuel).i32(steps).op("i32.add").set(fuel);
  }
}

/** Writes one block; see the head of this file. */
class BlockEmitter implements BlockCode {
  readonly code: Code;
  readonly hiLo: Local;
  readonly address: Local;
  readonly entry: Local;
  readonly value: Local;
  readonly #used: number[];
  readonly #written: number[];
  readonly #usesHiLo: boolean;
  #self: Label | undefined;
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
    const { body, control } = block;
    const instructions: (StraightInstruction | ControlInstruction)[] = control
      ? [...body, control.instruction, control.slot]
      : [...body];
    const all = instructions.map(registersOf);
    const distinct = (registers: number[]) =>
      [...new Set(registers)].filter((register) => register !== 0);
    this.#used = distinct(all.flatMap((r) => r.all));
    this.#written = distinct(all.flatMap((r) => r.written));
    this.#usesHiLo = instructions.some(({ kind }) => kind === "multiply");
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

  emit(): void {
    const { code, block } = this;
    this.#takeFuel(() => this.f.leaveAt(block.start));
    this.#loadRegisters();
    const end = bodyEnd(block);
    const target = block.control &&
      targetOf(block.control.instruction, end);
    if (target === block.start) {
      this.#self = code.open("loop");
      this.#emitOnce();
      code.close();
      code.op("unreachable");
    } else {
      this.#emitOnce();
    }
  }

  /** Subtracts the block's length from the fuel, or does `otherwise`, which leaves. */
  #takeFuel(otherwise: () => void): void {
    const length = blockLength(this.block);
    const { code, f } = this;
    code.get(f.fuel).i32(length).op("i32.lt_s").if(otherwise);
    f.addFuel(-length);
  }

  #loadRegisters(): void {
    const { code, f } = this;
    for (const register of this.#used) {
      code.i32(0).memory("i32.load", REGISTERS + 4 * register);
      code.set(f.registers[register]);
    }
    if (this.#usesHiLo) code.i32(0).memory("i64.load", LO_HI).set(f.hiLo);
  }

  #storeRegisters(): void {
    const { code, f } = this;
    for (const register of this.#written) {
      code.i32(0).get(f.registers[register]);
      code.memory("i32.store", REGISTERS + 4 * register);
    }
    if (this.#usesHiLo) code.i32(0).get(f.hiLo).memory("i64.store", LO_HI);
  }

  /** The block's code and, after it, what leaves it before an instruction of the body or in the slot. */
  #emitOnce(): void {
    const { code, f, block } = this;
    const { start, body, control } = block;
    const outOfBody = body.some(mayLeave) ? code.open("block") : undefined;
    const outOfSlot = control && mayLeave(control.slot)
      ? code.open("block")
      : undefined;
    this.#leaveLabel = outOfBody;
    body.forEach((instruction, i) => {
      this.#index = i;
      emitStraight(this, instruction);
    });
    this.#leaveLabel = outOfSlot;
    if (control) this.#emitControl(control.instruction, control.slot);
    else this.#goto(bodyEnd(block));
    if (outOfSlot !== undefined) {
      code.close();
      this.#storeRegisters();
      f.addFuel(1);
      const slot = bodyEnd(block) + 4;
      f.leave(() => code.i32(slot), () => code.get(f.next), true);
    }
    if (outOfBody === undefined) return;
    code.close();
    this.#storeRegisters();
    code.get(f.fuel).i32(blockLength(block)).op("i32.add");
    code.get(f.at).op("i32.sub").set(f.fuel);
    const pushPc = (offset: number) => () =>
      code.get(f.at).i32(2).op("i32.shl").i32(start + offset).op("i32.add");
    f.leave(pushPc(0), pushPc(4), true);
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
      if (target === undefined) this.push(instruction.rs);
      else code.i32(target);
      code.set(f.next);
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
    // Not taken, a likely branch skips its delay slot, which the block's length counts.
    f.addFuel(1);
    this.#goto(following);
  }

  #link({ link }: ControlInstruction, following: number): void {
    if (link === 0) return;
    this.code.i32(following);
    this.pop(link);
  }

  #goto(pc: number): void {
    const { code, f } = this;
    if (pc === this.block.start && this.#self !== undefined) {
      this.#takeFuel(() => {
        this.#storeRegisters();
        f.leaveAt(pc);
      });
      code.br(this.#self);
      return;
    }
    this.#storeRegisters();
    const index = f.indexOf.get(pc);
    if (index === undefined) f.leaveAt(pc);
    else if (index > this.blockIndex) code.br(f.labels[index]);
    else code.i32(index).set(f.target).br(f.dispatch);
  }

  /** To the address in `next`: inside the group through the jump table. */
  #gotoNext(): void {
    const { code, f } = this;
    this.#storeRegisters();
    code.get(f.next).i32(NO_CODE_ADDRESS).op("i32.and", "i32.eqz").if(() => {
      code.get(f.next).memory("i32.load", JUMP_TABLE).tee(f.value);
      code.i32(8).op("i32.shr_u").i32(f.number).op("i32.eq").if(() => {
        code.get(f.value).i32(255).op("i32.and").set(f.target).br(f.dispatch);
      });
    });
    f.leave(
      () => code.get(f.next),
      () => code.get(f.next).i32(4).op("i32.add"),
      false,
    );
  }
}

/** A translated group: takes the index of a block and the steps allowed, returns the steps left. */
export type TranslatedFunction = (block: number, steps: number) => number;

/** The module with the function `run` for blocks sorted by address; `number` is its number in the jump table. */
export function emitFunction(
  blocks: readonly Block[],
  number: number,
): Uint8Array<ArrayBuffer> {
  const module = new WasmModule();
  module.importMemory("host", "memory", { min: WASM_PAGES, max: WASM_PAGES });
  const code = module.function(["i32", "i32"], ["i32"], "run");
  const dispatch = code.open("loop");
  const labels: Label[] = [];
  for (let i = blocks.length - 1; i >= 0; i--) labels[i] = code.open("block");
  const f = new FunctionCode(code, number, blocks, dispatch, labels);
  code.get(f.target).brTable(labels, labels[0]);
  blocks.forEach((block, i) => {
    code.close();
    new BlockEmitter(f, block, i).emit();
  });
  code.close().op("unreachable");
  return module.encode();
}
