/**
 * Places in a program as people name them: `0x30000010`, `main`, `table+8`, `$sp-16`.
 */
import {
  ChainLearnError,
  type ElfSymbol,
  REGISTER_NAMES,
} from "../fpvm/mod.ts";

/** What names may stand for. */
export interface Names {
  readonly symbols: readonly ElfSymbol[];
  /** Registers where the machine stands, for `$sp`. */
  readonly registers?: Int32Array;
  readonly pc?: number;
}

function termOf(text: string, { symbols, registers, pc }: Names): number {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) return Number(text);
  if (text === "$pc" && pc !== undefined) return pc;
  if (text.startsWith("$") && registers !== undefined) {
    const name = text.slice(1).toLowerCase();
    const register = /^\d+$/.test(name)
      ? Number(name)
      : REGISTER_NAMES.indexOf(name);
    if (register >= 0 && register < 32) return registers[register] >>> 0;
  }
  const symbol = symbols.find(({ name }) => name === text);
  if (symbol !== undefined) return symbol.address;
  throw new ChainLearnError(
    `Cannot find "${text}": expected a number${
      registers === undefined ? "" : ", a register ($sp)"
    } or a symbol of the program, found none of that name`,
  );
}

/** The address that a term, or two joined by + or -, stands for; u32. */
export function parseAddress(text: string, names: Names): number {
  const joined = /^([^+-]+)([+-])([^+-]+)$/.exec(text);
  if (joined === null) return termOf(text, names) >>> 0;
  const [, first, sign, second] = joined;
  const [value, offset] = [termOf(first, names), termOf(second, names)];
  return (sign === "+" ? value + offset : value - offset) >>> 0;
}

/** `ADDRESS` or `ADDRESS:LENGTH` as address and bytes. */
export function parseRange(
  text: string,
  names: Names,
  length = 64,
): { address: number; length: number } {
  const [place, count] = text.split(":");
  return {
    address: parseAddress(place, names),
    length: count === undefined ? length : parseSize(count),
  };
}

/** A number of bytes, steps or instructions: decimal or 0x. */
export function parseSize(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) {
    throw new ChainLearnError(
      `Cannot read "${text}": expected a whole number, found other text`,
    );
  }
  return value;
}
