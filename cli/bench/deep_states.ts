/** States of the machine whose witnesses are as long as they get: no subtree beside a path is zero. */
import {
  buildWitness,
  CODE_END,
  encode,
  type Encoding,
  ENCODINGS,
  type Fields,
  Memory,
  newProcessor,
  REGIONS,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";
import type { Draw } from "../../dispute/mod.ts";
import type { StepKind } from "./gas_steps.ts";

const PAGE_HEIGHT = 7;
const PAGE_BYTES = 32 * 2 ** PAGE_HEIGHT;
const TOP = 27;

export const drawBytes = (draw: Draw, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => draw(256));
const drawWord = (draw: Draw) => draw(2 ** 32) | 0;

/** Memory in which every sibling of the paths to these addresses is random. */
function deepMemory(addresses: readonly number[], draw: Draw): Memory {
  const memory = new Memory();
  for (const address of addresses) {
    for (let height = PAGE_HEIGHT; height < TOP; height++) {
      const size = 32 * 2 ** height;
      const base = (Math.floor(address / size) ^ 1) * size;
      const isFree = addresses.every((a) => a < base || a >= base + size);
      if (isFree) memory.graft(base, height, drawBytes(draw, 32));
    }
  }
  for (const address of addresses) {
    const page = address - address % PAGE_BYTES;
    for (let at = page; at < page + PAGE_BYTES; at += 4) {
      memory.store32(at, drawWord(draw) | 1);
    }
  }
  return memory;
}

/** A word in that many bytes from `base`, drawn. */
const drawAddress = (draw: Draw, base: number, bytes: number) =>
  base + 4 * draw(bytes / 4);

/** An instruction with drawn operands; its base register is $1, its offset 0. */
function encodeDrawn({ name, fields }: Encoding, draw: Draw): number {
  const values: Fields = {
    rs: 1,
    rt: 1 + draw(31),
    rd: draw(32),
    sa: draw(32),
  };
  return encode(
    name,
    Object.fromEntries(fields.map((field) => [field, values[field] ?? 0])),
  );
}

/** A state that executes an instruction of that kind next, with a witness of the greatest length. */
export function deepState(kind: StepKind, draw: Draw): VmState {
  const pc = drawAddress(draw, 0, CODE_END);
  const data = drawAddress(draw, 2 ** 31, 2 ** 31);
  const other = drawAddress(draw, REGIONS.model.base, 2 ** 28);
  const registers = Int32Array.from({ length: 32 }, () => drawWord(draw));
  registers[0] = 0;
  const rows = ENCODINGS.filter((row) => row.kind === kind);
  let word = 0;
  const targets = [pc, data];
  if (kind === "graft") {
    word = encode("syscall");
    registers[2] = draw(2) === 0 ? SYSCALL.load : SYSCALL.save;
    registers[4] = other - other % 32;
    registers[5] = 0;
    registers[6] = data - data % 32;
    targets.push(other);
    if (registers[2] === SYSCALL.save) targets.push(REGIONS.key.base);
  } else if (kind === "alu") {
    // Those whose fields must fit each other are left to the tests of the machine.
    const plain = ENCODINGS.filter((row) =>
      (row.kind === "alu" || row.kind === "multiply") &&
      !["clz", "clo", "ext", "ins"].includes(row.name)
    );
    word = encodeDrawn(plain[draw(plain.length)], draw);
  } else {
    registers[1] = data | 0;
    word = encodeDrawn(rows[draw(rows.length)], draw);
  }
  const memory = deepMemory(targets, draw);
  memory.store32(pc, word);
  return {
    ...newProcessor(),
    registers,
    pc,
    nextPc: pc + 4,
    hi: drawWord(draw),
    lo: drawWord(draw),
    memory,
  };
}

/** Its witness. */
export const deepWitness = (kind: StepKind, draw: Draw): Uint8Array =>
  buildWitness(deepState(kind, draw));
