import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChainLearnError } from "../../fpvm/errors.ts";
import {
  type Code,
  type ValueType,
  WasmModule,
} from "../../fpvm/wasm_module.ts";
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
} from "../../fpvm/wasm_opcodes.ts";

function instantiate(module: WasmModule, imports: WebAssembly.Imports = {}) {
  return new WebAssembly.Instance(
    new WebAssembly.Module(module.encode()),
    imports,
  ).exports as Record<string, (...args: unknown[]) => unknown>;
}

Deno.test("signedLeb and unsignedLeb are the shortest encodings", () => {
  assertEquals(unsignedLeb(624485), [0xe5, 0x8e, 0x26]);
  assertEquals(signedLeb(-123456), [0xc0, 0xbb, 0x78]);
  assertEquals([signedLeb(63), signedLeb(64), signedLeb(-64), signedLeb(-65)], [
    [0x3f],
    [0xc0, 0],
    [0x40],
    [0xbf, 0x7f],
  ]);
});

/** Operand types that an instruction's name allows; the engine says which of them is right. */
function candidates(): ValueType[][] {
  const types: ValueType[] = ["i32", "i64", "f32", "f64", "v128"];
  const one = types.map((t) => [t]);
  const two = types.flatMap((a) => types.map((b) => [a, b]));
  const three = types.flatMap((t) => [[t, t, t], ["i32" as const, t, t]]);
  const all = [[], ...one, ...two, ...three, ["i32", "i32", "i64"] as const];
  const distinct = new Map(all.map((params) => [params.join(), [...params]]));
  return [...distinct.values()];
}

/** Shortest signatures under which the engine accepts one instruction. */
function accepted(emit: (f: Code) => void) {
  const found = candidates().filter((params) =>
    [[], ["i32"], ["i64"], ["f32"], ["f64"], ["v128"]].some((results) => {
      const module = new WasmModule();
      module.importMemory("m", "m", { min: 1, max: 1, shared: true });
      const f = module.function(params, results as ValueType[]);
      params.forEach((_, i) => f.get(i));
      emit(f);
      return WebAssembly.validate(module.encode());
    })
  );
  return found.filter((params) => params.length === found[0].length);
}

Deno.test("plainOps, memoryOps and lane ops name instructions of the type that their name says", () => {
  const control = ["unreachable", "nop", "return", "drop", "select"];
  for (const op of Object.keys(plainOps) as PlainOp[]) {
    const signatures = accepted((f) => f.op(op));
    assert(signatures.length > 0, op);
    if (control.includes(op) || op === "atomic.fence") continue;
    assertEquals(signatures.length, 1, op);
    const from = /_((?:i|f)(?:32|64))(_[su])?$/.exec(op)?.[1];
    const type = /x\d/.test(op) || op.startsWith("v128")
      ? /splat/.test(op)
        ? { i8: "i32", i1: "i32", i3: "i32", i6: "i64", f3: "f32", f6: "f64" }[
          op.slice(0, 2)
        ]
        : "v128"
      : op.slice(0, 3);
    assertEquals(signatures[0][0], (from ?? type) as ValueType, op);
  }
  for (const op of Object.keys(memoryOps) as MemoryOp[]) {
    assertEquals(accepted((f) => f.memory(op)).length, 1, op);
    const beyond = naturalAlignment(op) + 1;
    assertEquals(accepted((f) => f.memory(op, 0, beyond)).length, 0, op);
  }
  for (const op of Object.keys(laneOps) as LaneOp[]) {
    assertEquals(accepted((f) => f.lane(op, 1)).length, 1, op);
  }
  for (const op of Object.keys(laneMemoryOps) as LaneMemoryOp[]) {
    assertEquals(accepted((f) => f.laneMemory(op, 8, 1)).length, 1, op);
  }
});

Deno.test("WasmModule runs loops, branches, tables, globals and memory64", () => {
  const module = new WasmModule();
  const add = module.importFunction("host", "add", ["i32", "i32"], ["i32"]);
  module.importMemory("host", "memory", { min: 1, max: 2, is64: true });
  const total = module.global("i64", -5n, "total");
  const sum = module.function(["i32"], ["i32"], "sum");
  const acc = sum.local("i32");
  sum.block((end) => {
    sum.loop((again) => {
      sum.get(0).op("i32.eqz").brIf(end);
      sum.get(acc).get(0).call(add).set(acc);
      sum.get(0).i32(1).op("i32.sub").set(0).br(again);
    });
  }).get(acc);
  const pick = module.function(["i32"], ["i32"], "pick");
  pick.block((out) => {
    pick.block((second) => {
      pick.block((first) => {
        pick.get(0).brTable([first, second], out);
      }).i32(10).op("return");
    }).i32(20).op("return");
  }).i32(30);
  const store = module.function(["i64", "i32"], [], "store");
  store.get(0).get(1).memory("i32.store", 4n);
  store.getGlobal(total).i64(1).op("i64.add").setGlobal(total);
  module.table([sum, pick]);
  const via = module.function(["i32", "i32"], ["i32"], "via");
  via.get(1).get(0).callIndirect(module.type(["i32"], ["i32"]));

  const memory = new WebAssembly.Memory(
    {
      initial: 1n,
      maximum: 2n,
      address: "i64",
    } as unknown as WebAssembly.MemoryDescriptor,
  );
  const host = { add: (a: number, b: number) => a + b, memory };
  const run = instantiate(module, { host });
  assertEquals(run.sum(10), 55);
  assertEquals([run.pick(0), run.pick(1), run.pick(7)], [10, 20, 30]);
  assertEquals([run.via(0, 4), run.via(1, 1)], [10, 20]);
  run.store(8n, 77);
  assertEquals(new Int32Array(memory.buffer)[3], 77);
  assertEquals((run.total as unknown as WebAssembly.Global).value, -4n);
});

Deno.test("Code.v128, shuffle, f32Bits and f64 encode their immediates", () => {
  const module = new WasmModule();
  const f = module.function([], ["i32"], "shuffled");
  const bytes = Array.from({ length: 16 }, (_, i) => i);
  f.v128(bytes).v128(bytes.map((b) => b + 16));
  f.shuffle(bytes.map((b) => 31 - b)).lane("i32x4.extract_lane", 0);
  module.function([], ["i32"], "nan").f32Bits(0x7fa12345).op(
    "i32.reinterpret_f32",
  );
  module.function([], ["f64"], "half").f64(0.5);
  const run = instantiate(module);
  assertEquals(run.shuffled(), 0x1c1d1e1f);
  assertEquals(run.nan(), 0x7fa12345);
  assertEquals(run.half(), 0.5);
});

Deno.test("WasmModule refuses open blocks and late imports", () => {
  const module = new WasmModule();
  module.function([], []).open("block");
  assertThrows(() => module.encode(), ChainLearnError, "every block closed");
  assertThrows(
    () => module.importFunction("a", "b", [], []),
    ChainLearnError,
    "imports before functions",
  );
});
