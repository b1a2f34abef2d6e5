/**
 * Emits contractions with SIMD, for one output or a tile of neighbours along the innermost axis.
 *
 * Integers are widened to i16x8 and multiplied by i32x4.dot_i16x8_s, 8 terms at a time; f32 goes by four
 * lanes, which are the lanes of the kernel. A last incomplete block is masked to zero on both sides, so
 * that what lies behind an operand (up to 16 readable bytes) never counts.
 */
import type { Code, Local } from "../../fpvm/mod.ts";
import { dtypes, type Expr } from "../ir.ts";
import {
  type Contraction,
  type Contractions,
  isMask,
  type Stream,
} from "./contraction.ts";
import { emitLaneTotal, type Emitter } from "./emitter.ts";

/** Terms of one block. */
const BLOCK = { i32: 8, f32: 4 } as const;
/** Blocks up to which a loop of known length is written out. */
const UNROLL = 8;

/** Vector accumulators of neighbouring outputs. */
export class Accumulators {
  readonly #emitter: Emitter;
  readonly #contractions: Contractions;
  readonly #sums: Local[];
  readonly #type: "i32" | "f32";

  constructor(
    emitter: Emitter,
    contractions: Contractions,
    type: "i32" | "f32",
    outputs: number,
  ) {
    this.#emitter = emitter;
    this.#contractions = contractions;
    this.#type = type;
    this.#sums = Array.from(
      { length: outputs },
      () => emitter.code.local("v128"),
    );
  }

  /** Sets every accumulator to zero; code may run it many times. */
  clear(): void {
    const code = this.#emitter.code;
    for (const sum of this.#sums) code.v128(new Uint8Array(16)).set(sum);
  }

  /** Adds an expression that `Contractions.isTile` accepts, for every output. */
  add(expr: Expr): void {
    const contraction = this.#contractions.of(expr);
    if (contraction) {
      this.#addContraction(contraction);
      return;
    }
    const emitter = this.#emitter;
    if (expr.kind === "sum") {
      emitter.emitRange(expr, [expr.term], () => this.add(expr.term));
    } else if (expr.kind === "let") {
      emitter.define(expr);
      this.add(expr.body);
    } else if (isMask(expr)) {
      emitter.emit(expr.args[0]);
      emitter.code.if(() => emitter.scope(() => this.add(expr.args[1])));
    }
  }

  /** Pushes the sum of one output; an f32 may be any NaN. */
  total(output: number): void {
    const code = this.#emitter.code;
    const sum = this.#sums[output];
    if (this.#type === "f32") {
      emitLaneTotal(code, sum);
      return;
    }
    for (let lane = 0; lane < 4; lane++) {
      code.get(sum).lane("i32x4.extract_lane", lane);
      if (lane > 0) code.op("i32.add");
    }
  }

  #addContraction({ sum, streams, type }: Contraction): void {
    const emitter = this.#emitter;
    const code = emitter.code;
    const block = BLOCK[type];
    const index = code.local("i32");
    emitter.emit(sum.first);
    code.set(index);
    const pointers = streams.map((stream) => {
      const pointer = code.local("i32");
      emitter.withIndex(sum, index, () => emitter.emit(stream.address));
      code.set(pointer);
      return pointer;
    });
    const { count } = sum;
    if (count.kind === "const" && Number(count.value) <= UNROLL * block) {
      for (let at = 0; at < Number(count.value); at += block) {
        const left = Math.min(block, Number(count.value) - at);
        const mask = left < block
          ? this.#mask(() => code.i32(left))
          : undefined;
        this.#block(streams, pointers, at, mask);
      }
      return;
    }
    const left = code.local("i32");
    emitter.emit(count);
    code.tee(left).i32(block).op("i32.ge_s").if(() =>
      code.loop((again) => {
        this.#block(streams, pointers, 0);
        streams.forEach((stream, i) => {
          const bytes = block * dtypes[stream.dtype].bytes;
          code.get(pointers[i]).i32(bytes).op("i32.add").set(pointers[i]);
        });
        code.get(left).i32(block).op("i32.sub").tee(left);
        code.i32(block).op("i32.ge_s").brIf(again);
      })
    );
    code.get(left).i32(0).op("i32.gt_s").if(() => {
      this.#block(streams, pointers, 0, this.#mask(() => code.get(left)));
    });
  }

  /** All ones in the first lanes, whose number `count` pushes. */
  #mask(count: () => Code): Local {
    const code = this.#emitter.code;
    const mask = code.local("v128");
    const lanes = new Uint8Array(16);
    const size = 16 / BLOCK[this.#type];
    for (let lane = 0; lane < BLOCK[this.#type]; lane++) {
      lanes[lane * size] = lane;
    }
    code.v128(lanes);
    count();
    if (this.#type === "f32") code.op("i32x4.splat", "i32x4.lt_s");
    else code.op("i16x8.splat", "i16x8.lt_s");
    code.set(mask);
    return mask;
  }

  /** One block of terms, `at` terms behind the pointers, for every output. */
  #block(
    [shared, own]: readonly [Stream, Stream],
    pointers: readonly Local[],
    at: number,
    mask?: Local,
  ): void {
    const code = this.#emitter.code;
    const masked = () => {
      if (mask !== undefined) code.get(mask).op("v128.and");
    };
    const x = code.local("v128");
    code.get(pointers[0]);
    loadBlock(code, shared, at, 0);
    masked();
    code.set(x);
    this.#sums.forEach((sum, output) => {
      code.get(sum).get(x).get(pointers[1]);
      loadBlock(code, own, at, output);
      if (this.#type === "f32") {
        masked();
        code.op("f32x4.mul", "f32x4.add").set(sum);
      } else code.op("i32x4.dot_i16x8_s", "i32x4.add").set(sum);
    });
  }
}

/** Address to the block of a stream, widened to i16x8 or as f32x4. */
function loadBlock(
  code: Code,
  { dtype, stride }: Stream,
  at: number,
  output: number,
): void {
  const offset = at * dtypes[dtype].bytes + output * stride;
  if (dtype === "i8") code.memory("v128.load8x8_s", offset);
  else if (dtype === "u8") code.memory("v128.load8x8_u", offset);
  else code.memory("v128.load", offset);
}
