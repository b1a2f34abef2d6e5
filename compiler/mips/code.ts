/**
 * The backend's code: MIPS instructions over virtual registers, labels, and how often each part runs.
 *
 * Registers 0..31 are the machine's, higher numbers are virtual until `allocate.ts` replaces them.
 * Branches have no delay slot before `delay_slots.ts` gives them one. Every instruction belongs to a
 * region, code that runs equally often; the tree of regions and repeats is what steps are counted from.
 */
import {
  ENCODINGS,
  type FieldName,
  type Fields,
  type InstructionKind,
  type InstructionName,
} from "../../fpvm/mod.ts";

/** A machine or virtual register. */
export type Register = number;

/** The first virtual register. */
export const FIRST_VIRTUAL = 32;

export const ZERO: Register = 0;
export const SP: Register = 29;

export interface Instr {
  readonly name: InstructionName;
  readonly fields: Readonly<Fields>;
  /** Target of a branch. */
  readonly label?: number;
  readonly region: number;
}

export type Item = Instr | { readonly mark: number };

/** Code that runs together, or a part repeated `count` times for each run of what is around it. */
export type Part =
  | { readonly region: number }
  | { readonly count: number; readonly body: readonly Part[] };

/** Code under construction. */
export class Code {
  readonly items: Item[] = [];
  /** Values of virtual registers that hold constants. */
  readonly constants = new Map<Register, number>();
  #parts: Part[] = [];
  #region = -1;
  #regions = 0;
  #labels = 0;
  #registers = FIRST_VIRTUAL;

  register(): Register {
    return this.#registers++;
  }

  newLabel(): number {
    return this.#labels++;
  }

  emit(name: InstructionName, fields: Fields = {}, label?: number): void {
    this.items.push({
      name,
      fields,
      region: this.#region,
      ...(label === undefined ? {} : { label }),
    });
  }

  mark(label: number): void {
    this.items.push({ mark: label });
  }

  move(to: Register, from: Register): void {
    this.emit("addu", { rd: to, rs: from, rt: ZERO });
  }

  /** Starts a region; code on both sides of a label or a branch that may be taken needs different ones. */
  section(): void {
    this.#region = this.#regions++;
    this.#parts.push({ region: this.#region });
  }

  /** Emits `body` as code that runs `count` times for each run of what is around it. */
  repeated(count: number, body: () => void): void {
    const around = this.#parts;
    const parts: Part[] = [];
    this.#parts = parts;
    this.section();
    body();
    this.#parts = around;
    around.push({ count, body: parts });
    this.section();
  }

  /** Emits `body` and returns its parts apart from what is around it. */
  part(body: () => void): readonly Part[] {
    const around = this.#parts;
    const parts: Part[] = [];
    this.#parts = parts;
    this.section();
    body();
    this.#parts = around;
    return parts;
  }
}

/** True for the addition of zero that stands for a move. */
export function isMove({ name, fields }: Instr): boolean {
  return name === "addu" && fields.rt === ZERO;
}

interface Roles {
  readonly kind: InstructionKind;
  /** Field of the register that is written. */
  readonly def?: FieldName;
  readonly uses: readonly FieldName[];
  /** Reads or writes HI/LO. */
  readonly hilo: boolean;
}

const READS_TARGET: ReadonlySet<string> = new Set(["movz", "movn", "ins"]);
const DEFINING_MULTIPLY: ReadonlySet<string> = new Set(["mfhi", "mflo"]);

const roles = new Map<string, Roles>(
  ENCODINGS.map(({ name, kind, syntax }) => {
    const operands = (syntax.match(/\br[std]\b/g) ?? []) as FieldName[];
    const defines = kind === "alu" || kind === "load" ||
      DEFINING_MULTIPLY.has(name);
    const uses = defines && !READS_TARGET.has(name)
      ? operands.slice(1)
      : operands;
    const hilo = kind === "multiply";
    return [name, {
      kind,
      uses,
      hilo,
      ...(defines ? { def: operands[0] } : {}),
    }];
  }),
);

/** What an instruction does to registers, memory and control. */
export function rolesOf(name: InstructionName): Roles {
  return roles.get(name)!;
}

/** True for instructions with a delay slot. */
export function isBranch(name: InstructionName): boolean {
  const { kind } = rolesOf(name);
  return kind === "branch" || kind === "jump" || kind === "likely";
}

/** Whether a constant fits the immediate of addiu, slti and sltiu. */
export const isSigned16 = (c: number | undefined): c is number =>
  c !== undefined && c >= -32768 && c < 32768;

/** Whether a constant fits the immediate of andi, ori and xori. */
export const isUnsigned16 = (c: number | undefined): c is number =>
  c !== undefined && c >= 0 && c < 65536;

/** The instructions, one or two, that put a constant into a register. */
export function loadConstant(
  rt: Register,
  value: number,
): { name: InstructionName; fields: Fields }[] {
  value |= 0;
  if (isSigned16(value)) {
    return [{ name: "addiu", fields: { rt, rs: ZERO, imm: value } }];
  }
  if (isUnsigned16(value)) {
    return [{ name: "ori", fields: { rt, rs: ZERO, imm: value } }];
  }
  const high = { name: "lui", fields: { rt, imm: value >>> 16 } } as const;
  if ((value & 0xffff) === 0) return [high];
  return [high, {
    name: "ori",
    fields: { rt, rs: rt, imm: value & 0xffff },
  }];
}
