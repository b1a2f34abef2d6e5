import { assert, assertEquals, assertThrows } from "@std/assert";
import * as b from "../../../compiler/kernel/build.ts";
import { defineKernel } from "../../../compiler/kernel/define.ts";
import type { Kernel } from "../../../compiler/ir.ts";
import { printKernel } from "../../../compiler/kernel/printer.ts";
import {
  kernelFromJson,
  kernelToJson,
} from "../../../compiler/kernel/serialize.ts";
import { limits, verifyKernel } from "../../../compiler/kernel/verify.ts";
import { ChainLearnError } from "../../../fpvm/mod.ts";
import { randomKernel } from "../../../compiler/conformance/mod.ts";
import { Random } from "../../random.ts";

function denseKernel(): Kernel {
  const operands = [
    { dtype: "i8", shape: [1, 64] },
    {
      dtype: "i8",
      shape: [10, 64],
      layout: [{ axis: 0, size: 2 }, { axis: 1, size: 64 }, {
        axis: 0,
        size: 8,
      }],
    },
    { dtype: "f32", shape: [10] },
  ] as const;
  const [x, w, scale] = b.operandsOf(operands);
  const half = b.scalarFunction("half", { x: "f32" }, (x) => b.mul(x, 0.5));
  const acc = b.sum(
    64,
    (k) => b.mul(b.load(x, b.axis(0), k), b.load(w, b.axis(1), k)),
  );
  const most = b.loop(
    10,
    { m: b.f32Bits(0xff800000) },
    (k, [m]) => [b.max(m, b.load(scale, k))],
  );
  const tail = b.sum(b.min(b.iteration, 10), (k) => b.load(scale, k), {
    bound: 10,
    lanes: 4,
  });
  return defineKernel({
    name: "dense",
    operands,
    result: { dtype: "f32", shape: [1, 10] },
    functions: [half],
    extents: [null, b.sub(b.iteration, 3)],
    body: b.bind("top", most, (top) =>
      b.add(
        b.mul(b.call(half, top), tail),
        b.toF32(
          b.add(b.widen(b.requantize(acc, 2 ** 30, 40, 3, -128, 127)), 5),
        ),
      )),
  });
}

const GOLDEN = `kernel dense
  %0: i8[1, 64]
  %1: i8[10, 64] layout 0:2 1:64 0:8
  %2: f32[10]
  -> f32[1, 10]
  fn half(x: f32) -> f32 = f32.mul(x, 0.5f)
  extent i1 < i32.sub(t, 3)
  let top = loop k from 0 for 10 {
    m: f32 = f32:0xff800000 then f32.max(m, %2[k])
  } m
  f32.add(f32.mul(half(top), sum.f32.x4 k_2 from 0 for i32.min_s(t, 10) <= 10 {
    %2[k_2]
  }), f32.from_i64(i64.add(i64.extend_s(i32.wrap(i64.min_s(i64.max_s(i64.add(i64.shr_s(i64.add(i32.mul_wide_s(sum.i32 k_3 from 0 for 64 {
    i32.mul(%0[i0, k_3], %1[i1, k_3])
  }, 1073741824), 549755813888L), 40), 3L), -128L), 127L))), 5L)))
`;

Deno.test("printKernel: prints every part of a kernel", () => {
  verifyKernel(denseKernel());
  assertEquals(printKernel(denseKernel()), GOLDEN);
});

Deno.test("printKernel: prints different text for different random kernels", () => {
  const texts = new Map<string, string>();
  for (let seed = 1; seed <= 300; seed++) {
    const { kernel } = randomKernel(new Random(seed));
    const json = JSON.stringify(kernelToJson({ ...kernel, name: "same" }));
    const text = printKernel({ ...kernel, name: "same" });
    assertEquals(texts.get(text) ?? json, json, `Seed ${seed}`);
    texts.set(text, json);
  }
});

Deno.test("defineKernel: gives the same kernel however often it is built", () => {
  assertEquals(denseKernel(), denseKernel());
});

Deno.test("defineKernel: names a subtree's variables anew wherever it stands", () => {
  const part = b.bind("v", b.sum(3, (k) => k), (v) => b.mul(v, v));
  const kernel = defineKernel({
    name: "twice",
    operands: [],
    result: { dtype: "i32", shape: [1] },
    body: b.add(part, b.sub(part, 1)),
  });
  verifyKernel(kernel);
});

Deno.test("op: folds constants and integer identities, and keeps -0 + 0 apart", () => {
  const x = b.axis(0);
  assertEquals(b.add(b.i32(2 ** 31 - 1), 1), b.i32(-(2 ** 31)));
  assertEquals([b.add(x, 0), b.mul(1, x), b.div(x, 1), b.shr(x, 0)], [
    x,
    x,
    x,
    x,
  ]);
  assertEquals(b.rem(x, 1), b.i32(0));
  assertEquals(b.add(b.toF32(x), 0).kind, "op");
  assertThrows(
    () => b.add(b.i64(1), x),
    ChainLearnError,
    "expected i64 as argument 1, found i32",
  );
  assertThrows(
    () => b.rem(b.toF32(x), 2),
    ChainLearnError,
    "found none in the table",
  );
  assertThrows(() => b.sum(x, (k) => k), ChainLearnError, "expected a bound");
});

Deno.test("kernelFromJson: an i64 constant is a decimal string and keeps all 64 bits", () => {
  for (
    const value of [0n, -1n, (1n << 63n) - 1n, -(1n << 63n), 2n ** 53n + 1n]
  ) {
    const kernel = defineKernel({
      name: "k",
      operands: [],
      result: { dtype: "i64", shape: [1] },
      body: b.i64(value),
    });
    const text = JSON.stringify(kernelToJson(kernel));
    assert(text.includes(`"value":"${value}"`));
    assertEquals(kernelFromJson(JSON.parse(text)), kernel);
  }
});

/** The kernel's JSON with the value at a path changed. */
function changed(path: (string | number)[], value: unknown): unknown {
  const json = JSON.parse(JSON.stringify(kernelToJson(denseKernel())));
  let at = json;
  for (const step of path.slice(0, -1)) at = at[step];
  const last = path[path.length - 1];
  if (value === undefined) delete at[last];
  else at[last] = value;
  return json;
}

Deno.test("kernelFromJson: D16 refuses every other shape and names the place", () => {
  const cases: [(string | number)[], unknown, string][] = [
    [["name"], 5, "kernel.name: expected a string"],
    [["name"], undefined, 'the key "name"'],
    [["extra"], 1, "kernel.extra: expected no such key"],
    [["operands"], {}, "kernel.operands: expected a list"],
    [
      ["operands", 0, "dtype"],
      "f64",
      "kernel.operands[0].dtype: expected one of bool",
    ],
    [
      ["operands", 0, "shape", 1],
      "64",
      "kernel.operands[0].shape[1]: expected a whole number",
    ],
    [["operands", 1, "layout", 0, "size"], 1.5, "layout[0].size"],
    [["result"], null, "kernel.result: expected an object"],
    [
      ["extents", 1, "op"],
      "i32.pow",
      "kernel.extents[1].op: expected a name of the table",
    ],
    [["extents", 1, "op"], "constructor", "expected a name of the table"],
    [["extents", 1, "args", 1, "value"], "3", "expected a whole number"],
    [
      ["functions", 0, "params", 0, "type"],
      "i8",
      "expected one of i32, i64, f32",
    ],
    [["body", "kind"], "goto", "kernel.body.kind: expected one of"],
    [
      ["body", "name"],
      ["x"],
      "kernel.body.name: expected a string, found a list",
    ],
    [["body", "value", "bound"], -0, "kernel.body.value.bound"],
    [["body", "value", "carry", 0, "next"], undefined, 'the key "next"'],
  ];
  for (const [path, value, message] of cases) {
    assertThrows(
      () => kernelFromJson(changed(path, value)),
      ChainLearnError,
      message,
    );
  }
  for (const json of [null, 5, "kernel", [], undefined]) {
    assertThrows(
      () => kernelFromJson(json),
      ChainLearnError,
      "kernel: expected an object",
    );
  }
  for (const text of ["1e3", "0x10", "-0", "007", "", "99999999999999999999"]) {
    const body = { kind: "const", type: "i64", value: text };
    assertThrows(
      () => kernelFromJson(changed(["body"], body)),
      ChainLearnError,
      "a decimal i64",
    );
  }
});

Deno.test("kernelFromJson: bounds depth and number of expressions", () => {
  let deep: unknown = { kind: "axis", axis: 0 };
  for (let i = 0; i < 100_000; i++) {
    deep = { kind: "op", op: "i32.clz", args: [deep] };
  }
  assertThrows(
    () => kernelFromJson(changed(["body"], deep)),
    ChainLearnError,
    "deep",
  );
  const args = Array(limits.nodes + 1).fill({ kind: "iteration" });
  const wide = { kind: "op", op: "i32.add", args };
  assertThrows(
    () => kernelFromJson(changed(["body"], wide)),
    ChainLearnError,
    "expressions",
  );
});

Deno.test("kernelFromJson: D16 random damage gives a kernel or a named error, nothing else", () => {
  const random = new Random(9);
  for (let n = 0; n < 2000; n++) {
    const { kernel } = randomKernel(new Random(random.below(50)));
    const text = JSON.stringify(kernelToJson(kernel));
    const at = random.below(text.length);
    const piece = random.pick([
      "",
      "9",
      "-",
      "null",
      '"',
      "[]",
      "{}",
      "1e9",
      ",",
      "i64",
      "e",
    ]);
    const damaged = text.slice(0, at) + piece +
      text.slice(at + 1 + random.below(3));
    let json: unknown;
    try {
      json = JSON.parse(damaged);
    } catch {
      continue;
    }
    try {
      verifyKernel(kernelFromJson(json));
    } catch (error) {
      assert(error instanceof ChainLearnError, `${error}`);
      assert(/^Cannot (read|verify) /.test(error.message), error.message);
    }
  }
});
