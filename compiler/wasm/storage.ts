/**
 * Loads and stores of every element type, and the half-precision helpers they need.
 *
 * The address is on the stack for a load, address and value for a store; values are those of
 * `compiler/kernel/storage.ts` bit for bit. Helpers are functions of the module, made when first used.
 */
import type {
  Code,
  FunctionRef,
  MemoryOp,
  WasmModule,
} from "../../fpvm/mod.ts";
import type { DType } from "../ir.ts";

const loads: Record<DType, MemoryOp> = {
  bool: "i32.load8_u",
  i8: "i32.load8_s",
  u8: "i32.load8_u",
  i16: "i32.load16_s",
  u16: "i32.load16_u",
  i32: "i32.load",
  i64: "i64.load",
  f32: "f32.load",
  f16: "i32.load16_u",
  bf16: "i32.load16_u",
};

const stores: Record<DType, MemoryOp> = {
  bool: "i32.store8",
  i8: "i32.store8",
  u8: "i32.store8",
  i16: "i32.store16",
  u16: "i32.store16",
  i32: "i32.store",
  i64: "i64.store",
  f32: "f32.store",
  f16: "i32.store16",
  bf16: "i32.store16",
};

/** Emits loads and stores into functions of one module. */
export class Storage {
  readonly #module: WasmModule;
  readonly #helpers = new Map<string, FunctionRef>();

  constructor(module: WasmModule) {
    this.#module = module;
  }

  /** Address to scalar. */
  load(code: Code, dtype: DType): void {
    code.memory(loads[dtype]);
    if (dtype === "bool") code.i32(0).op("i32.ne");
    if (dtype === "bf16") code.i32(16).op("i32.shl", "f32.reinterpret_i32");
    if (dtype === "f16") code.call(this.#helper("widenF16", emitWidenF16));
  }

  /** Address and scalar to nothing. */
  store(code: Code, dtype: DType): void {
    if (dtype === "bool") code.i32(0).op("i32.ne");
    if (dtype === "bf16") code.call(this.#helper("narrowBf16", emitNarrowBf16));
    if (dtype === "f16") code.call(this.#helper("narrowF16", emitNarrowF16));
    code.memory(stores[dtype]);
  }

  #helper(
    name: string,
    emit: (module: WasmModule) => FunctionRef,
  ): FunctionRef {
    let helper = this.#helpers.get(name);
    if (!helper) this.#helpers.set(name, helper = emit(this.#module));
    return helper;
  }
}

/** Shifting the fields up leaves the exponent too small by 112; 0 and 31 are special. */
function emitWidenF16(module: WasmModule): FunctionRef {
  const code = module.function(["i32"], ["f32"]);
  const [bits, exponent] = [code.local("i32"), code.local("i32")];
  code.get(0).i32(0x7fff).op("i32.and").i32(13).op("i32.shl").tee(bits);
  code.i32(0x0f800000).op("i32.and").tee(exponent).op("i32.eqz").if(
    () => {
      // Zero or subnormal: with the exponent of 2^-14 set, a subtraction of 2^-14 normalizes exactly.
      code.get(bits).i32(113 << 23).op("i32.add", "f32.reinterpret_i32");
      code.f32Bits(113 << 23).op("f32.sub", "i32.reinterpret_f32");
    },
    () => {
      code.get(bits).i32(224 << 23).i32(112 << 23);
      code.get(exponent).i32(0x0f800000).op("i32.eq", "select", "i32.add");
    },
    "i32",
  );
  code.get(0).i32(0x8000).op("i32.and").i32(16).op("i32.shl", "i32.or");
  return code.op("f32.reinterpret_i32");
}

/** (x + 2^(n-1) - 1 + bit n of x) >> n rounds half to even; a carry moves into the exponent rightly. */
function emitShiftToEven(code: Code, x: number, count: number): void {
  code.get(x).i32((1 << (count - 1)) - 1).op("i32.add");
  code.get(x).i32(count).op("i32.shr_u").i32(1).op("i32.and", "i32.add");
  code.i32(count).op("i32.shr_u");
}

function emitNarrowBf16(module: WasmModule): FunctionRef {
  const code = module.function(["f32"], ["i32"]);
  const bits = code.local("i32");
  code.get(0).op("i32.reinterpret_f32").set(bits);
  emitShiftToEven(code, bits, 16);
  code.i32(0x7fc0).get(0).get(0).op("f32.eq");
  // select takes its first argument where the condition holds: a number equals itself.
  return code.op("select");
}

function emitNarrowF16(module: WasmModule): FunctionRef {
  const code = module.function(["f32"], ["i32"]);
  const bits = code.local("i32");
  code.get(0).get(0).op("f32.ne").if(() => code.i32(0x7e00).op("return"));
  code.get(0).op("f32.abs", "i32.reinterpret_f32").tee(bits);
  code.i32(0x477ff000).op("i32.ge_u").if(
    () => code.i32(0x7c00),
    () =>
      code.get(bits).i32(0x38800000).op("i32.lt_u").if(
        () => {
          // Below 2^-14 the unit is 2^-24, which is the last place of numbers next to 0.5.
          code.get(0).op("f32.abs").f32Bits(0x3f000000).op("f32.add");
          code.op("i32.reinterpret_f32").i32(0x3f000000).op("i32.sub");
        },
        () => {
          emitShiftToEven(code, bits, 13);
          code.i32(112 << 10).op("i32.sub");
        },
        "i32",
      ),
    "i32",
  );
  code.get(0).op("i32.reinterpret_f32").i32(16).op("i32.shr_u");
  return code.i32(0x8000).op("i32.and", "i32.or");
}
