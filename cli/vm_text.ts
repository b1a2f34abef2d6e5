/**
 * The machine in words: addresses with their symbols, what a step did, registers, memory, disassembly.
 */
import {
  CODE_END,
  disassemble,
  type ElfSymbol,
  REGISTER_NAMES,
  STATUS,
  type StepEffect,
  TRAP,
  type TrapCode,
  type VmState,
} from "../fpvm/mod.ts";
import { paint } from "./terminal.ts";

/** Eight digits of a word. */
function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}

/** The symbol that an address belongs to: the last that it is inside of, else the last below it without a size. */
function symbolOf(
  symbols: readonly ElfSymbol[],
  at: number,
): ElfSymbol | undefined {
  return symbols.findLast(({ address, size }) =>
    at === address || (address < at && at < address + size)
  ) ?? symbols.findLast(({ address, size }) => address <= at && size === 0);
}

/** `main` or `main+0x10`; nothing where no symbol is. */
export function placeName(
  symbols: readonly ElfSymbol[],
  address: number,
): string {
  const symbol = symbolOf(symbols, address);
  if (symbol === undefined) return "";
  const offset = address - symbol.address;
  return offset === 0 ? symbol.name : `${symbol.name}+0x${offset.toString(16)}`;
}

/** An address, with its symbol where it has one. */
export function formatAddress(
  symbols: readonly ElfSymbol[],
  address: number,
): string {
  const name = placeName(symbols, address);
  return `0x${hex32(address)}${name && ` <${name}>`}`;
}

/** A word in hex, and in decimal where that says more: not of digits and addresses. */
export function formatWord(value: number): string {
  const text = `0x${(value >>> 0).toString(16)}`;
  const isPlain = (value >= 0 && value < 10) || Math.abs(value) >= 2 ** 24;
  return isPlain ? text : `${text} (${value})`;
}

const causes: Record<TrapCode, string> = {
  [TRAP.fetchAlignment]:
    "the address of the instruction is not a multiple of 4",
  [TRAP.fetchRange]: "the address of the instruction is at or above 16 MiB",
  [TRAP.encoding]: "no instruction or system call of the machine",
  [TRAP.delaySlot]: "a branch or jump in a delay slot",
  [TRAP.operands]: "overflow, a conditional trap, or a height above 26",
  [TRAP.alignment]: "an unaligned address",
  [TRAP.protection]:
    "a store below 16 MiB, or a load or save outside its regions",
};

/** What a trap's exit code says. */
export function causeOf(exitCode: number): string {
  return causes[exitCode as TrapCode] ?? "unknown";
}

/** `running`, `exited with code 7`, `trapped with code 3: ...`. */
export function formatStatus(
  { status, exitCode }: { status: number; exitCode: number },
): string {
  if (status === STATUS.running) return "running";
  if (status === STATUS.exited) return `exited with code ${exitCode}`;
  return `trapped with code ${exitCode}: ${causeOf(exitCode)}`;
}

/** What a step wrote, read, and where it goes, in one line; empty for a step that only goes on. */
export function formatEffect(
  effect: StepEffect,
  symbols: readonly ElfSymbol[],
): string {
  const parts = effect.registers.map(({ register, value }) =>
    `${
      typeof register === "number" ? `$${REGISTER_NAMES[register]}` : register
    } = ${formatWord(value)}`
  );
  const place = (address: number) => `[${formatAddress(symbols, address)}]`;
  const { read, written, subtree, target, status } = effect;
  if (read !== null) parts.push(`from ${place(read.address)}`);
  if (written !== null) {
    const { address, value, before } = written;
    parts.push(
      `${place(address)} = ${formatWord(value)}, was ${formatWord(before)}`,
    );
  }
  if (subtree !== null) {
    const { kind, address, height, root } = subtree;
    parts.push(
      `${kind} ${place(address)} of height ${height}, root 0x${root.toHex()}`,
    );
  }
  if (target !== null) parts.push(`to ${formatAddress(symbols, target)}`);
  if (status !== STATUS.running) parts.push(formatStatus(effect));
  return parts.join("; ");
}

/** Disassembly of a word at its address; the names of symbols beside targets. */
export function formatInstruction(
  word: number | null,
  pc: number,
  symbols: readonly ElfSymbol[],
): string {
  if (word === null) return "(no instruction)";
  return disassemble(word, pc).replace(
    /(?<=^(?:b|j).*)0x([0-9a-f]+)$/,
    (target) => {
      const name = placeName(symbols, Number(target));
      return name === "" ? target : `${target} <${name}>`;
    },
  );
}

/** The instruction that a state is about to execute. */
export function formatNext(
  { pc, memory }: VmState,
  symbols: readonly ElfSymbol[],
): string {
  const word = pc % 4 === 0 && pc < CODE_END ? memory.load32(pc) >>> 0 : null;
  return formatInstruction(word, pc, symbols);
}

/** One step of a trace: number, pc, word, instruction, effect. */
export function formatStep(
  step: number,
  effect: StepEffect,
  symbols: readonly ElfSymbol[],
): string {
  const { pc, word } = effect;
  const shown = word === null ? "--------" : hex32(word);
  const head = `${String(step).padStart(8)}  ${hex32(pc)}  ${shown}  ${
    formatInstruction(word, pc, symbols).padEnd(30)
  }`;
  const what = formatEffect(effect, symbols);
  return `${head}${what && `  ${what}`}`.trimEnd();
}

/** Registers in rows of four, then pc, nextPc, hi, lo and how the machine stands. */
export function formatRegisters(
  state: VmState,
  symbols: readonly ElfSymbol[],
): string {
  const cells = Array.from(
    state.registers,
    (value, i) => `${`$${REGISTER_NAMES[i]}`.padEnd(5)} ${hex32(value)}`,
  );
  const rows = Array.from(
    { length: 8 },
    (_, i) => cells.slice(4 * i, 4 * i + 4).join("   "),
  );
  rows.push(
    `hi    ${hex32(state.hi)}   lo    ${hex32(state.lo)}`,
    `pc    ${formatAddress(symbols, state.pc)}${
      state.nextPc === (state.pc + 4) >>> 0
        ? ""
        : `, then ${formatAddress(symbols, state.nextPc)}`
    }`,
    `status ${formatStatus(state)}`,
  );
  return rows.join("\n");
}

/** `length` bytes from an address: hex and printable characters, 16 a line. */
export function formatMemory(
  state: VmState,
  address: number,
  length: number,
): string {
  const byteAt = (at: number) =>
    (state.memory.load32(at) >>> ((at & 3) * 8)) & 0xff;
  const lines: string[] = [];
  for (let at = address; at < address + length; at += 16) {
    const count = Math.min(16, address + length - at);
    const bytes = Array.from(
      { length: count },
      (_, i) => byteAt((at + i) >>> 0),
    );
    const digits = bytes.map((byte) => byte.toString(16).padStart(2, "0"));
    const text = bytes.map((byte) =>
      byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "."
    );
    lines.push(
      `${hex32(at)}  ${digits.join(" ").padEnd(47)}  ${text.join("")}`,
    );
  }
  return lines.join("\n");
}

/** Instructions from an address on, the one at pc marked, symbols where they begin. */
export function formatCode(
  state: VmState,
  address: number,
  count: number,
  symbols: readonly ElfSymbol[],
): string {
  const lines: string[] = [];
  for (let at = address; at < address + 4 * count; at += 4) {
    const pc = at >>> 0;
    const label = symbols.find((symbol) => symbol.address === pc);
    if (label !== undefined) lines.push(`${paint.cyan(`<${label.name}>`)}:`);
    const word = state.memory.load32(pc) >>> 0;
    lines.push(
      `${pc === state.pc ? "=>" : "  "} ${hex32(pc)}  ${hex32(word)}  ${
        formatInstruction(word, pc, symbols)
      }`,
    );
  }
  return lines.join("\n");
}
