/**
 * Writes contracts/src/Encodings.sol, the decoder on chain, from the table of instructions in fpvm/encodings.ts.
 *
 * Run `deno run -RW tools/make_decoder.ts` after a change of the table; a test fails while the file says something
 * else. The decoder is a binary search for the only row that a word can be, by opcode and then by what else is fixed in
 * all rows of that opcode, and a comparison with that row's fixed bits. What an instruction does is not told here:
 * StepVm.sol, Alu.sol and Control.sol choose by the constants of this file.
 */
import { ChainLearnError, type Encoding, ENCODINGS } from "../fpvm/mod.ts";

type Constraint = NonNullable<Encoding["constraint"]>;

/** The rules between fields, in Solidity. */
const constraints: Record<Constraint, string> = {
  "rt = rd": "word >> 16 & 31 == word >> 11 & 31",
  "lsb + msb < 32": "(word >> 6 & 31) + (word >> 11 & 31) < 32",
  "lsb <= msb": "word >> 6 & 31 <= word >> 11 & 31",
};

const OPCODE = 0xfc000000;

const hex = (value: number, digits = 8) =>
  `0x${(value >>> 0).toString(16).padStart(digits, "0")}`;

/** Name of a row's constant. */
const constantOf = ({ name }: Encoding) => name.toUpperCase();

/** Name of the constant of a kind. */
const kindOf = ({ kind }: Encoding) => `KIND_${kind.toUpperCase()}`;

/** Name of the constant of an assembler syntax: `rt, imm(rs)` is FORM_RT_IMM_RS. */
function formOf({ syntax }: Encoding): string {
  const words = syntax.toUpperCase().match(/[A-Z]+/g) ?? ["NONE"];
  return `FORM_${words.join("_")}`;
}

/** Distinct names in order of first appearance, numbered from 1. */
function numbered(names: readonly string[]): Map<string, number> {
  return new Map([...new Set(names)].map((name, i) => [name, i + 1]));
}

/** Throws where two rows match one word, or two names collide. */
function checkRows(rows: readonly Encoding[]): void {
  const problem = (expected: string, found: string) =>
    new ChainLearnError(
      `Cannot write the decoder: expected ${expected}, found ${found}`,
    );
  rows.forEach((a, i) =>
    rows.slice(i + 1).forEach((b) => {
      if (((a.mask & b.mask) & (a.match ^ b.match)) === 0) {
        throw problem(
          "words that one row matches",
          `one of ${a.name} and ${b.name}`,
        );
      }
      if (formOf(a) === formOf(b) && a.syntax !== b.syntax) {
        throw problem(
          `one syntax of ${formOf(a)}`,
          `${a.syntax} and ${b.syntax}`,
        );
      }
    })
  );
  for (const { name, mask } of rows) {
    if ((mask & OPCODE) >>> 0 !== OPCODE) {
      throw problem("fixed opcodes", `a free bit in that of ${name}`);
    }
  }
}

/** Rows with the same value of the bits in `selector`. */
interface Group {
  readonly value: number;
  readonly rows: readonly Encoding[];
}

function groupsBy(rows: readonly Encoding[], selector: number): Group[] {
  const values = numbered(
    rows.map(({ match }) => `${(match & selector) >>> 0}`),
  );
  return [...values.keys()].map(Number).sort((a, b) => a - b).map((value) => ({
    value,
    rows: rows.filter(({ match }) => (match & selector) >>> 0 === value),
  }));
}

/** Whether the word is this row: its fixed bits, and its constraint where it has one. */
function isRow({ mask, match, constraint }: Encoding): string {
  const fixed = `word & ${hex(mask)} == ${hex(match)}`;
  return constraint === undefined
    ? fixed
    : `${fixed} && ${constraints[constraint]}`;
}

const indent = (lines: readonly string[]) => lines.map((line) => `    ${line}`);

/** The rows one after the other; the last statement always returns. */
function chain(rows: readonly Encoding[]): string[] {
  return rows.map((row, i) =>
    i < rows.length - 1
      ? `if (${isRow(row)}) return ${constantOf(row)};`
      : `return ${isRow(row)} ? ${constantOf(row)} : NO_INSTRUCTION;`
  );
}

/** Where the groups fall apart so that both sides have about as many rows. */
function middle(groups: readonly Group[]): number {
  const sizes = groups.map(({ rows }) => rows.length);
  const total = sizes.reduce((a, b) => a + b);
  const distances = sizes.slice(1).map((_, i) => {
    const left = sizes.slice(0, i + 1).reduce((a, b) => a + b);
    return Math.abs(2 * left - total);
  });
  return 1 + distances.indexOf(Math.min(...distances));
}

/** A binary search for the group of `key`, whose value is the selected bits shifted down by `shift`. */
function search(
  groups: readonly Group[],
  key: string,
  shift: number,
  leaf: (group: Group) => string[],
): string[] {
  if (groups.length === 1) return leaf(groups[0]);
  const at = middle(groups);
  const side = (part: readonly Group[]) => search(part, key, shift, leaf);
  const left = side(groups.slice(0, at));
  return [
    `if (${key} < ${groups[at].value >>> shift}) {`,
    ...indent(left),
    "}",
    ...side(groups.slice(at)),
  ];
}

const countZeros = (bits: number) => 31 - Math.clz32(bits & -bits);

/** The bits other than the opcode that every one of the rows fixes, as far as they are one field; 0 for none. */
function selectorOf(rows: readonly Encoding[]): number {
  const common = rows.reduce((bits, { mask }) => bits & mask, ~OPCODE);
  const field = [0x0000003f, 0x001f0000].find((field) =>
    (common & field) === field
  );
  return field ?? 0;
}

/** Name and lines of the function that tells the rows of one opcode apart. */
function opcodeFunction(opcode: number, rows: readonly Encoding[]): string[] {
  const selector = selectorOf(rows);
  const shift = countZeros(selector);
  const key = shift === 0
    ? `word & ${selector}`
    : `word >> ${shift} & ${selector >>> shift}`;
  const body = selector === 0 ? chain(rows) : [
    `uint256 code = ${key};`,
    ...search(
      groupsBy(rows, selector),
      "code",
      shift,
      (group) => chain(group.rows),
    ),
  ];
  return [
    `/// The instruction that a word of opcode ${opcode} is.`,
    `function decode${opcode}(uint256 word) pure returns (uint256 instruction) {`,
    ...indent(body),
    "}",
  ];
}

function decoder(rows: readonly Encoding[]): string[] {
  const opcodes = groupsBy(rows, OPCODE);
  const shared = opcodes.filter((group) => group.rows.length > 1);
  const leaf = ({ value, rows }: Group) =>
    rows.length === 1 ? chain(rows) : [`return decode${value >>> 26}(word);`];
  return [
    "/// The instruction that a word of 32 bits is, or NO_INSTRUCTION.",
    "function decode(uint256 word) pure returns (uint256 instruction) {",
    ...indent([
      "uint256 opcode = word >> 26;",
      ...search(opcodes, "opcode", 26, leaf),
    ]),
    "}",
    ...shared.flatMap(({ value, rows }) => [
      "",
      ...opcodeFunction(value >>> 26, rows),
    ]),
  ];
}

function constants(rows: readonly Encoding[]): string[] {
  const kinds = numbered(rows.map(kindOf));
  const forms = numbered(rows.map(formOf));
  const syntaxes = new Map(rows.map((row) => [formOf(row), row.syntax]));
  const constant = (name: string, value: string) =>
    `uint256 constant ${name} = ${value};`;
  const idOf = (row: Encoding, i: number) =>
    kinds.get(kindOf(row))! << 16 | forms.get(formOf(row))! << 8 | i + 1;
  return [
    "uint256 constant NO_INSTRUCTION = 0;",
    "",
    "// Kinds of instructions.",
    ...[...kinds].map(([name, i]) => constant(name, `${i}`)),
    "",
    "// Operands in assembler order.",
    ...[...forms].map(([name, i]) =>
      constant(name, `${i}`) + (syntaxes.get(name) ? "" : " // no operands")
    ),
    "",
    "// Every instruction: kind << 16 | form << 8 | row.",
    ...rows.map((row, i) => constant(constantOf(row), hex(idOf(row, i), 6))),
  ];
}

/** The text of contracts/src/Encodings.sol; throws a {@linkcode ChainLearnError} where one word matches two rows. */
export function decoderSource(
  rows: readonly Encoding[] = ENCODINGS,
): string {
  checkRows(rows);
  const lines = [
    "// SPDX-License-Identifier: MIT",
    "// Generated by tools/make_decoder.ts from fpvm/encodings.ts: change the table and run the tool.",
    "pragma solidity ^0.8.28;",
    "",
    ...constants(rows),
    "",
    "/// What an instruction does to control and memory: one of the kinds, 0 for NO_INSTRUCTION.",
    "function kindOf(uint256 instruction) pure returns (uint256 kind) {",
    "    return instruction >> 16;",
    "}",
    "",
    "/// Which operands an instruction has: one of the forms.",
    "function formOf(uint256 instruction) pure returns (uint256 form) {",
    "    return instruction >> 8 & 0xff;",
    "}",
    "",
    ...decoder(rows),
  ];
  return `${lines.join("\n")}\n`;
}

if (import.meta.main) {
  const file = new URL("../contracts/src/Encodings.sol", import.meta.url);
  Deno.writeTextFileSync(file, decoderSource());
}
