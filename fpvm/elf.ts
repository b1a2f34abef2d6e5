/**
 * Loads a static little-endian MIPS executable, for running ordinary C programs on the machine.
 *
 * Nothing is linked, relocated or passed to the program: registers are zero but $sp, and the only
 * system calls are the machine's own. Floating-point instructions trap, so code is built soft-float.
 */

import type { ContentStore } from "./content_store.ts";
import { ChainLearnError } from "./errors.ts";
import { INITIAL_STACK_POINTER } from "./initial_state.ts";
import { CODE_END, Memory } from "./memory.ts";
import { newProcessor, type VmState } from "./state.ts";

const HEADER_BYTES = 52;
const SEGMENT_BYTES = 32;
const EXECUTABLE = 2, MIPS = 8;
const LOAD = 1, DYNAMIC = 2, INTERPRETER = 3;
const FLAG_EXECUTE = 1, FLAG_WRITE = 2;

interface Segment {
  type: number;
  offset: number;
  address: number;
  fileBytes: number;
  memoryBytes: number;
  flags: number;
}

function refuse(expected: string, found: string): ChainLearnError {
  return new ChainLearnError(
    `Cannot load the ELF file: expected ${expected}, found ${found}`,
  );
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function checkHeader(file: Uint8Array, view: DataView): void {
  if (file.length < HEADER_BYTES || view.getUint32(0) !== 0x7f454c46) {
    throw refuse("an ELF header", `${file.length} bytes without one`);
  }
  const [wordSize, byteOrder] = [file[4], file[5]];
  if (wordSize !== 1 || byteOrder !== 1) {
    throw refuse(
      "class 1 (32 bits) and data 1 (little-endian)",
      `class ${wordSize} and data ${byteOrder}`,
    );
  }
  const [type, machine] = [view.getUint16(16, true), view.getUint16(18, true)];
  if (type !== EXECUTABLE || machine !== MIPS) {
    throw refuse(
      `type ${EXECUTABLE} (executable) and machine ${MIPS} (MIPS)`,
      `type ${type} and machine ${machine}`,
    );
  }
}

function readSegments(file: Uint8Array, view: DataView): Segment[] {
  const start = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (size !== SEGMENT_BYTES || start + size * count > file.length) {
    throw refuse(
      `program headers of ${SEGMENT_BYTES} bytes inside the file`,
      `${count} of ${size} bytes at ${hex(start)}`,
    );
  }
  return Array.from({ length: count }, (_, i) => {
    const word = (index: number) =>
      view.getUint32(start + size * i + 4 * index, true);
    return {
      type: word(0),
      offset: word(1),
      address: word(2),
      fileBytes: word(4),
      memoryBytes: word(5),
      flags: word(6),
    };
  });
}

function checkSegment(segment: Segment, file: Uint8Array): void {
  const { type, offset, address, fileBytes, memoryBytes, flags } = segment;
  if (type === DYNAMIC || type === INTERPRETER) {
    throw refuse("a static executable", "a dynamic one");
  }
  if (type !== LOAD) return;
  const end = address + memoryBytes;
  if (
    offset + fileBytes > file.length || fileBytes > memoryBytes || end > 2 ** 32
  ) {
    throw refuse(
      `the segment at ${hex(address)} inside file and memory`,
      `${fileBytes} of ${memoryBytes} bytes at offset ${hex(offset)}`,
    );
  }
  // The writable segment of a program without data is empty, and the linker puts it to address 0.
  if (memoryBytes === 0) return;
  if ((flags & FLAG_WRITE) !== 0 && address < CODE_END) {
    throw refuse(
      `writable segments at or above ${hex(CODE_END)}`,
      `one at ${hex(address)}`,
    );
  }
  if ((flags & FLAG_EXECUTE) !== 0 && end > CODE_END) {
    throw refuse(
      `executable segments below ${hex(CODE_END)}`,
      `one ending at ${hex(end)}`,
    );
  }
}

function storeBytes(
  memory: Memory,
  address: number,
  bytes: Uint8Array,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < bytes.length;) {
    const at = address + i;
    if ((at & 3) === 0 && i + 4 <= bytes.length) {
      memory.store32(at, view.getInt32(i, true));
      i += 4;
    } else {
      const shift = (at & 3) * 8;
      const word = memory.load32(at) & ~(0xff << shift);
      memory.store32(at, word | (bytes[i++] << shift));
    }
  }
}

/**
 * The state in which the program starts.
 *
 * @throws ChainLearnError for a file that is no static little-endian MIPS executable, has a writable
 * segment below 16 MiB or an executable one above it.
 */
export function loadElf(file: Uint8Array, store?: ContentStore): VmState {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  checkHeader(file, view);
  const segments = readSegments(file, view);
  const memory = new Memory(store);
  let loaded = 0;
  for (const segment of segments) {
    checkSegment(segment, file);
    if (segment.type !== LOAD) continue;
    loaded += segment.fileBytes;
    if (loaded > file.length) {
      throw refuse("segments apart from each other", `${loaded} bytes`);
    }
    const { offset, address, fileBytes } = segment;
    storeBytes(memory, address, file.subarray(offset, offset + fileBytes));
  }
  const pc = view.getUint32(24, true);
  if (pc % 4 !== 0 || pc >= CODE_END) {
    throw refuse(
      `an aligned entry point below ${hex(CODE_END)}`,
      hex(pc),
    );
  }
  const processor = { ...newProcessor(), pc, nextPc: pc + 4 };
  processor.registers[29] = INITIAL_STACK_POINTER;
  return { ...processor, memory };
}

/** A name that the file gives to an address. */
export interface ElfSymbol {
  name: string;
  address: number;
  /** Bytes; 0 where the file does not say. */
  size: number;
}

const SECTION_BYTES = 40, SYMBOL_BYTES = 16;
const SYMBOL_TABLE = 2;
/** Types of symbols: none, object, function; sections and files name no place. */
const LAST_PLACE_TYPE = 2;

/** A small file may name each of many symbols by all of itself. */
const MAX_NAME_BYTES = 1024;

/** The text that starts at an offset and ends before a zero byte. */
function textAt(bytes: Uint8Array, start: number): string {
  const room = bytes.subarray(start, start + MAX_NAME_BYTES + 1);
  const end = room.indexOf(0);
  if (end < 0 && room.length > MAX_NAME_BYTES) {
    throw refuse(`names of at most ${MAX_NAME_BYTES} bytes`, "a longer one");
  }
  return new TextDecoder().decode(room.subarray(0, Math.max(end, 0)));
}

/** A section's fields that matter, or an error where it is not inside the file. */
function sectionAt(file: Uint8Array, view: DataView, at: number) {
  if (at + SECTION_BYTES > file.length) {
    throw refuse("section headers inside the file", `one at ${hex(at)}`);
  }
  const word = (index: number) => view.getUint32(at + 4 * index, true);
  const [type, offset, size, link] = [word(1), word(4), word(5), word(6)];
  return { type, offset, size, link };
}

function bytesOf(
  file: Uint8Array,
  { offset, size }: { offset: number; size: number },
): Uint8Array {
  if (offset + size > file.length) {
    throw refuse("sections inside the file", `${size} bytes at ${hex(offset)}`);
  }
  return file.subarray(offset, offset + size);
}

/**
 * The functions, objects and labels of an executable by address; none where it was stripped.
 *
 * @throws ChainLearnError for a file that is no MIPS executable or whose symbol table is damaged.
 */
export function readElfSymbols(file: Uint8Array): ElfSymbol[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  checkHeader(file, view);
  const start = view.getUint32(32, true);
  const count = start === 0 ? 0 : view.getUint16(48, true);
  const section = (i: number) =>
    sectionAt(file, view, start + SECTION_BYTES * i);
  const symbols: ElfSymbol[] = [];
  let listed = 0;
  for (let i = 0; i < count; i++) {
    const table = section(i);
    if (table.type !== SYMBOL_TABLE) continue;
    listed += table.size;
    if (listed > file.length) {
      throw refuse("symbol tables apart from each other", `${listed} bytes`);
    }
    const names = bytesOf(file, section(table.link));
    const bytes = bytesOf(file, table);
    const rows = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + SYMBOL_BYTES <= bytes.length; at += SYMBOL_BYTES) {
      const name = textAt(names, rows.getUint32(at, true));
      const isPlace = (bytes[at + 12] & 15) <= LAST_PLACE_TYPE;
      const isDefined = rows.getUint16(at + 14, true) !== 0;
      if (name === "" || !isPlace || !isDefined) continue;
      const address = rows.getUint32(at + 4, true);
      symbols.push({ name, address, size: rows.getUint32(at + 8, true) });
    }
  }
  return symbols.sort((a, b) => a.address - b.address);
}
