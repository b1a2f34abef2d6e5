/**
 * A small WebAssembly binary assembler: instructions by name in, module bytes out.
 *
 * Used by the keccak module here, the MIPS translator and `compiler/wasm/`. It knows encodings, indices
 * and label depths and leaves validation to the engine: a wrong program fails in `new WebAssembly.Module`.
 * Imports must be declared before the first function, since both share one index space.
 */
import { ChainLearnError } from "./errors.ts";
import {
  type LaneMemoryOp,
  laneMemoryOps,
  type LaneOp,
  laneOps,
  type MemoryOp,
  memoryOps,
  naturalAlignment,
  type PlainOp,
  plainOps,
  signedLeb,
  unsignedLeb,
} from "./wasm_opcodes.ts";

/** Types of values on the stack. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

const valueTypes: Record<ValueType, number> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};
const FUNCREF = 0x70;
const EMPTY_BLOCK = 0x40;

/** A place that a branch may name. */
export interface Label {
  readonly depth: number;
}

/** A local variable of the function that made it. */
export type Local = number & { readonly brand?: "local" };

/** A memory; sizes in 64 KiB pages. */
export interface MemoryType {
  readonly min: number;
  readonly max?: number;
  readonly shared?: boolean;
  /** memory64: addresses are i64. */
  readonly is64?: boolean;
}

/** A global, initialized by a constant. */
export interface Global {
  readonly index: number;
  readonly type: ValueType;
}

/** A function: its index in the module and, unless imported, its code. */
export interface FunctionRef {
  readonly index: number;
}

/** Builds the body of one function; every method appends one instruction and returns the builder. */
export class Code implements FunctionRef {
  readonly #bytes: number[] = [];
  readonly #locals: ValueType[] = [];
  #depth = 0;

  constructor(
    readonly index: number,
    readonly params: readonly ValueType[],
  ) {}

  /** A new local variable, zero at entry. */
  local(type: ValueType): Local {
    this.#locals.push(type);
    return this.params.length + this.#locals.length - 1;
  }

  /** An instruction without an immediate. */
  op(...names: PlainOp[]): this {
    for (const name of names) this.#bytes.push(...plainOps[name]);
    return this;
  }

  i32(value: number): this {
    this.#bytes.push(0x41, ...signedLeb(value | 0));
    return this;
  }

  i64(value: number | bigint): this {
    this.#bytes.push(0x42, ...signedLeb(BigInt.asIntN(64, BigInt(value))));
    return this;
  }

  /** A constant given by its bits, so that NaN payloads survive. */
  f32Bits(bits: number): this {
    this.#bytes.push(0x43, ...littleEndian(BigInt(bits >>> 0), 4));
    return this;
  }

  f64(value: number): this {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value, true);
    this.#bytes.push(0x44, ...new Uint8Array(view.buffer));
    return this;
  }

  /** A constant of 16 bytes. */
  v128(bytes: ArrayLike<number>): this {
    this.#bytes.push(
      0xfd,
      12,
      ...Array.from({ length: 16 }, (_, i) => bytes[i]),
    );
    return this;
  }

  get(local: Local): this {
    return this.#indexed(0x20, local);
  }

  set(local: Local): this {
    return this.#indexed(0x21, local);
  }

  tee(local: Local): this {
    return this.#indexed(0x22, local);
  }

  getGlobal(global: Global): this {
    return this.#indexed(0x23, global.index);
  }

  setGlobal(global: Global): this {
    return this.#indexed(0x24, global.index);
  }

  call(target: FunctionRef): this {
    return this.#indexed(0x10, target.index);
  }

  /** Calls through table 0; the type is an index from `WasmModule.type`. */
  callIndirect(type: number): this {
    this.#bytes.push(0x11, ...unsignedLeb(type), 0);
    return this;
  }

  /** Calls through table 0 in place of the present function, whose results are those of the callee. */
  returnCallIndirect(type: number): this {
    this.#bytes.push(0x13, ...unsignedLeb(type), 0);
    return this;
  }

  /** A load, store or atomic at the address on the stack plus `offset`; atomics take no other alignment. */
  memory(op: MemoryOp, offset: number | bigint = 0, alignment?: number): this {
    const align = alignment ?? naturalAlignment(op);
    this.#bytes.push(...memoryOps[op], align, ...unsignedLeb(offset));
    return this;
  }

  lane(op: LaneOp, lane: number): this {
    this.#bytes.push(...laneOps[op], lane);
    return this;
  }

  laneMemory(op: LaneMemoryOp, offset: number | bigint, lane: number): this {
    const align = naturalAlignment(op);
    this.#bytes.push(...laneMemoryOps[op], align, ...unsignedLeb(offset), lane);
    return this;
  }

  /** i8x16.shuffle: byte i of the result is byte `lanes[i]` of the two operands laid end to end. */
  shuffle(lanes: readonly number[]): this {
    this.#bytes.push(0xfd, 13, ...lanes);
    return this;
  }

  memoryFill(): this {
    this.#bytes.push(0xfc, 11, 0);
    return this;
  }

  memoryCopy(): this {
    this.#bytes.push(0xfc, 10, 0, 0);
    return this;
  }

  memorySize(): this {
    this.#bytes.push(0x3f, 0);
    return this;
  }

  memoryGrow(): this {
    this.#bytes.push(0x40, 0);
    return this;
  }

  /** Opens a block, loop or if; ended by {@linkcode Code.close}. A loop's label is its start. */
  open(kind: "block" | "loop" | "if", result?: ValueType): Label {
    const opcode = { block: 0x02, loop: 0x03, if: 0x04 }[kind];
    this.#bytes.push(opcode, result ? valueTypes[result] : EMPTY_BLOCK);
    return { depth: ++this.#depth };
  }

  /** Starts the other arm of the innermost if. */
  otherwise(): this {
    this.#bytes.push(0x05);
    return this;
  }

  close(): this {
    this.#depth--;
    this.#bytes.push(0x0b);
    return this;
  }

  block(body: (end: Label) => void, result?: ValueType): this {
    body(this.open("block", result));
    return this.close();
  }

  loop(body: (start: Label) => void, result?: ValueType): this {
    body(this.open("loop", result));
    return this.close();
  }

  /** Takes the condition from the stack. */
  if(then: () => void, otherwise?: () => void, result?: ValueType): this {
    this.open("if", result);
    then();
    if (otherwise) {
      this.otherwise();
      otherwise();
    }
    return this.close();
  }

  br(label: Label): this {
    return this.#indexed(0x0c, this.#depth - label.depth);
  }

  brIf(label: Label): this {
    return this.#indexed(0x0d, this.#depth - label.depth);
  }

  brTable(labels: readonly Label[], fallback: Label): this {
    this.#bytes.push(0x0e, ...unsignedLeb(labels.length));
    for (const label of [...labels, fallback]) {
      this.#bytes.push(...unsignedLeb(this.#depth - label.depth));
    }
    return this;
  }

  /** Size and bytes of the body as the code section wants it. */
  encode(): number[] {
    if (this.#depth !== 0) {
      throw new ChainLearnError(
        `Cannot encode function ${this.index}: expected every block closed, found ${this.#depth} open`,
      );
    }
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const locals = vector(
      runs.map((run) => [...unsignedLeb(run.count), valueTypes[run.type]]),
    );
    return concat([
      unsignedLeb(locals.length + this.#bytes.length + 1),
      locals,
      this.#bytes,
      [0x0b],
    ]);
  }

  #indexed(opcode: number, index: number): this {
    this.#bytes.push(opcode, ...unsignedLeb(index));
    return this;
  }
}

/** A module under construction. */
export class WasmModule {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: number[][] = [];
  readonly #functionTypes: number[] = [];
  readonly #functions: Code[] = [];
  readonly #globals: number[][] = [];
  readonly #exports: number[][] = [];
  #importedFunctions = 0;
  #importedGlobals = 0;
  #memory: number[] | undefined;
  #table: readonly FunctionRef[] | undefined;

  /** Index of a function type, for `callIndirect`. */
  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join()}>${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#typeBytes.push([
      0x60,
      ...vector(params.map((t) => [valueTypes[t]])),
      ...vector(results.map((t) => [valueTypes[t]])),
    ]);
    return this.#types.push(key) - 1;
  }

  importFunction(
    module: string,
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
  ): FunctionRef {
    if (this.#functions.length > 0) {
      throw new ChainLearnError(
        `Cannot import ${module}.${name}: expected imports before functions, found ${this.#functions.length} functions`,
      );
    }
    this.#import(module, name, [
      0x00,
      ...unsignedLeb(this.type(params, results)),
    ]);
    return { index: this.#importedFunctions++ };
  }

  /** Table 0 of so many functions. */
  importTable(module: string, name: string, size: number): void {
    const limits = [0x01, ...unsignedLeb(size), ...unsignedLeb(size)];
    this.#import(module, name, [0x01, FUNCREF, ...limits]);
  }

  importMemory(module: string, name: string, type: MemoryType): void {
    this.#import(module, name, [0x02, ...memoryBytes(type)]);
  }

  /** The module's own memory; exported if `exportAs` is given. */
  memory(type: MemoryType, exportAs?: string): void {
    this.#memory = memoryBytes(type);
    if (exportAs !== undefined) this.#export(exportAs, 0x02, 0);
  }

  importGlobal(
    module: string,
    name: string,
    type: ValueType,
    mutable: boolean,
  ): Global {
    this.#import(module, name, [0x03, valueTypes[type], mutable ? 1 : 0]);
    return { index: this.#importedGlobals++, type };
  }

  /** A mutable i32 or i64 global. */
  global(
    type: "i32" | "i64",
    initial: number | bigint,
    exportAs?: string,
  ): Global {
    const opcode = type === "i32" ? 0x41 : 0x42;
    const index = this.#importedGlobals + this.#globals.length;
    this.#globals.push([
      valueTypes[type],
      1,
      opcode,
      ...signedLeb(initial),
      0x0b,
    ]);
    if (exportAs !== undefined) this.#export(exportAs, 0x03, index);
    return { index, type };
  }

  /** A new function; its body may be written at any time before `encode`, so calls may go forward. */
  function(
    params: readonly ValueType[],
    results: readonly ValueType[],
    exportAs?: string,
  ): Code {
    const code = new Code(
      this.#importedFunctions + this.#functions.length,
      params,
    );
    this.#functionTypes.push(this.type(params, results));
    this.#functions.push(code);
    if (exportAs !== undefined) this.#export(exportAs, 0x00, code.index);
    return code;
  }

  /** Table 0, filled with these functions. */
  table(functions: readonly FunctionRef[], exportAs?: string): void {
    this.#table = functions;
    if (exportAs !== undefined) this.#export(exportAs, 0x01, 0);
  }

  encode(): Uint8Array<ArrayBuffer> {
    const table = this.#table;
    const size = table ? unsignedLeb(table.length) : [];
    const bytes = concat([
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, this.#typeBytes),
      section(2, this.#imports),
      section(3, this.#functionTypes.map((t) => unsignedLeb(t))),
      section(4, table ? [[FUNCREF, 0x01, ...size, ...size]] : []),
      section(5, this.#memory ? [this.#memory] : []),
      section(6, this.#globals),
      section(7, this.#exports),
      section(
        9,
        table
          ? [[
            0x00,
            0x41,
            0x00,
            0x0b,
            ...vector(table.map((f) => unsignedLeb(f.index))),
          ]]
          : [],
      ),
      section(10, this.#functions.map((f) => f.encode())),
    ]);
    return Uint8Array.from(bytes);
  }

  #import(module: string, name: string, description: number[]): void {
    this.#imports.push([...text(module), ...text(name), ...description]);
  }

  #export(name: string, kind: number, index: number): void {
    this.#exports.push([...text(name), kind, ...unsignedLeb(index)]);
  }
}

function memoryBytes(type: MemoryType): number[] {
  const flags = (type.max === undefined ? 0 : 1) | (type.shared ? 2 : 0) |
    (type.is64 ? 4 : 0);
  return [
    flags,
    ...unsignedLeb(type.min),
    ...(type.max === undefined ? [] : unsignedLeb(type.max)),
  ];
}

function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from(
    { length: bytes },
    (_, i) => Number((value >> BigInt(8 * i)) & 0xffn),
  );
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...unsignedLeb(bytes.length), ...bytes];
}

/** Joins without spreading: bodies may be longer than an argument list can be. */
function concat(parts: readonly number[][]): number[] {
  const all: number[] = [];
  for (const part of parts) for (const byte of part) all.push(byte);
  return all;
}

function vector(items: readonly number[][]): number[] {
  return concat([unsignedLeb(items.length), ...items]);
}

function section(id: number, items: readonly number[][]): number[] {
  if (items.length === 0) return [];
  const body = vector(items);
  return concat([[id], unsignedLeb(body.length), body]);
}
