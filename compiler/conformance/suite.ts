/**
 * The conformance suite that every target runs: each operation of the table on edge values against edge
 * values, each storage type both ways, and the rules of loops, extents, updates and calls.
 *
 * What an operation has to give comes from `ops[op].meaning`; what a store or a sum has to give comes
 * from typed arrays and plain loops, not from the interpreter, which runs the suite like any other target.
 */
import {
  axis,
  defineKernel,
  load,
  type Op,
  op as operation,
  operandsOf,
  ops,
  type Scalar,
  type Value,
} from "../mod.ts";
import { callCases } from "./call_cases.ts";
import { ARRAYS, type ConformanceCase, EDGES } from "./case.ts";
import { storageCases } from "./storage_cases.ts";
import { structureCases } from "./structure_cases.ts";

export type { ConformanceCase } from "./case.ts";

/** Every case; with `float: false` those that a target without f32 can run. */
export function conformanceKernels(
  options: { readonly float?: boolean } = {},
): ConformanceCase[] {
  const all = [
    ...(Object.keys(ops) as Op[]).map(operationCase),
    ...storageCases(),
    ...structureCases(),
    ...callCases(),
  ];
  return options.float === false ? all.filter((c) => !c.float) : all;
}

/** One operation over every combination of edge values, an axis per argument. */
function operationCase(op: Op): ConformanceCase {
  const { args, result } = ops[op];
  const isSelect = args.length === 3;
  const values = args.map((type, i) =>
    isSelect && i === 0 ? [0, 1, -1, 256, -(2 ** 31)] : EDGES[type]
  );
  const shape = values.map((v) => v.length);
  const types = args.map((dtype, i) => ({ dtype, shape: [shape[i]] }));
  const handles = operandsOf(types);
  const kernel = defineKernel({
    name: op,
    operands: types,
    result: { dtype: result, shape },
    body: operation(op, ...handles.map((h, i) => load(h, axis(i)))),
  });
  const meaning = ops[op].meaning as (...args: Value[]) => Value;
  const combine = (
    chosen: Value[],
    rest: readonly (readonly Value[])[],
  ): Value[] =>
    rest.length === 0
      ? [meaning(...chosen)]
      : rest[0].flatMap((v) => combine([...chosen, v], rest.slice(1)));
  return {
    kernel,
    operands: values.map((v, i) => ARRAYS[args[i]](v)),
    iteration: 0,
    expected: ARRAYS[result](combine([], values)),
    float: result === "f32" || (args as readonly Scalar[]).includes("f32"),
  };
}
