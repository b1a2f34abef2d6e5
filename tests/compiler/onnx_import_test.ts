/** What is wrong with an ONNX file is said once, completely, with the node's name. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import onnxp from "onnx-proto";
import { convertOnnx } from "../../compiler/convert.ts";
import { inspectOnnx } from "../../compiler/inspect.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";

const { onnx } = onnxp;
type Node = onnxp.onnx.INodeProto;
type Attribute = onnxp.onnx.IAttributeProto;
type Tensor = onnxp.onnx.ITensorProto;

const FLOAT = 1;
const value = (name: string, dims: (number | string)[], elemType = FLOAT) => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: {
        dim: dims.map((d) =>
          typeof d === "string" ? { dimParam: d } : { dimValue: d }
        ),
      },
    },
  },
});
const node = (
  opType: string,
  input: string[],
  output: string[],
  attribute: Attribute[] = [],
): Node => ({ opType, input, output, name: `my_${output[0]}`, attribute });
const floats = (name: string, dims: number[], floatData: number[]): Tensor => ({
  name,
  dims,
  dataType: FLOAT,
  floatData,
});

function model(graph: onnxp.onnx.IGraphProto, opset = 17): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: opset }],
    graph: {
      name: "g",
      input: [value("x", [2, 3])],
      output: [value("y", [2, 3])],
      ...graph,
    },
  }).finish();
}

const problemsOf = (bytes: Uint8Array) => inspectOnnx(bytes).problems;

function assertProblems(bytes: Uint8Array, ...expected: string[]): void {
  const problems = problemsOf(bytes);
  assertEquals(problems.length, expected.length, problems.join("\n"));
  expected.forEach((text, i) =>
    assert(problems[i].includes(text), `${problems[i]}\nlacks ${text}`)
  );
  const error = assertThrows(
    () => convertOnnx(bytes, { name: "m" }),
    ChainLearnError,
  ) as ChainLearnError;
  assertEquals(error.problems, problems);
  assertEquals(error.exitCode, 2);
}

Deno.test("inspectOnnx: lists every unsupported operator and attribute at once", () => {
  assertProblems(
    model({
      node: [
        node("Asinh", ["x"], ["a"]),
        node("Relu", ["a"], ["b"]),
        { ...node("Gelu", ["b"], ["c"]), domain: "com.microsoft" },
        node("LSTM", ["c"], ["d"]),
        node("Relu", ["d"], ["y"], [{ name: "alpha", type: 1, f: 1 }]),
      ],
    }),
    'Asinh "my_a": unsupported operator',
    'Gelu "my_c": unsupported operator of domain "com.microsoft"',
    'LSTM "my_d": unsupported operator',
    'Relu "my_y": unsupported attribute "alpha"',
  );
});

Deno.test("inspectOnnx: says what is inside", () => {
  const bytes = model({
    input: [value("x", ["batch", 3])],
    node: [node("Mul", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"])],
    initializer: [floats("w", [3], [1, 2, 3])],
    output: [value("y", ["batch", 3])],
  });
  const { operators, parameters, dimensions, inputs, problems } = inspectOnnx(
    bytes,
  );
  assertEquals(problems, []);
  assertEquals(operators, [{ op: "Mul", count: 1 }, { op: "Relu", count: 1 }]);
  assertEquals([parameters, dimensions], [3, ["batch"]]);
  assertEquals(inputs, [{ name: "x", dtype: "f32", shape: ["batch", 3] }]);
});

Deno.test("convertOnnx: binds dimensions by name, the batch to 1", () => {
  const bytes = model({
    input: [value("x", ["batch", "width"])],
    node: [node("Relu", ["x"], ["y"])],
    output: [value("y", ["batch", "width"])],
  });
  assertProblems(
    bytes,
    'input "x": dimension "width" is open: bind it with --dim width=NUMBER',
  );
  const { model: small } = convertOnnx(bytes, {
    name: "m",
    dims: { width: 4 },
  });
  assertEquals(small.slots[1].type.shape, [1, 4]);
  const dims = { width: 4, batch: 3 };
  const { model: wide } = convertOnnx(bytes, { name: "m", dims });
  assertEquals(wide.slots[1].type.shape, [3, 4]);
  assertThrows(
    () => convertOnnx(bytes, { name: "m", dims: { width: 4, hight: 1 } }),
    ChainLearnError,
    'dimension "hight" is not in the model: it names "batch", "width"',
  );
});

Deno.test("readOnnx: NaN and infinite weights are refused by name", () => {
  const relu = { node: [node("Add", ["x", "w"], ["y"])] };
  for (const bad of [NaN, Infinity, -Infinity]) {
    const initializer = [floats("w", [3], [1, bad, 3])];
    assertProblems(
      model({ ...relu, initializer }),
      `initializer "w": expected finite values, found ${bad} at element 1`,
    );
  }
});

Deno.test("readOnnx: a tensor must bring the data that its shape declares", () => {
  const add = { node: [node("Add", ["x", "w"], ["y"])] };
  const bad = (tensor: Tensor, text: string) =>
    assertProblems(model({ ...add, initializer: [tensor] }), text);
  bad(floats("w", [4], [1, 2, 3]), "expected 4 values, found 3");
  bad(floats("w", [2 ** 30, 2 ** 30], [1]), "found 1");
  bad(floats("w", [-1], [1]), "expected dimensions below 2^31, found [-1]");
  bad(
    { name: "w", dims: [2], dataType: FLOAT, rawData: new Uint8Array(7) },
    "expected 8 bytes of data, found 7",
  );
  bad(
    { name: "w", dims: [1], dataType: 11, doubleData: [1] },
    "expected float32 or an integer type, found double",
  );
  bad(
    { name: "w", dims: [3], dataType: FLOAT, dataLocation: 1 },
    "expected data inside the file, found external data",
  );
});

Deno.test("importOnnx: cycles, missing and repeated values are named", () => {
  assertProblems(
    model({
      node: [
        node("Add", ["x", "b"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("Relu", ["b"], ["y"]),
      ],
    }),
    'nodes "my_a", "my_b", "my_y" form a cycle',
  );
  assertProblems(
    model({ node: [node("Add", ["x", "nowhere"], ["y"])] }),
    'Add "my_y": expected an input or initializer "nowhere", found none in the model',
  );
  assertProblems(
    model({ node: [node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])] }),
    'value "y" is defined more than once',
  );
  assertProblems(
    model({ node: [node("Relu", ["x"], ["z"])] }),
    'output "y" is computed by no node',
  );
  assertProblems(
    model({ node: [], output: [] }),
    "the model declares no output",
  );
});

Deno.test("importOnnx: shapes and types that do not fit are named", () => {
  assertProblems(
    model({
      node: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["x", "v"], ["b"]),
        node("Relu", ["b"], ["y"]),
      ],
      initializer: [
        floats("w", [4, 2], Array(8).fill(1)),
        floats("v", [5], Array(5).fill(1)),
      ],
    }),
    'MatMul "my_a": expected inner dimensions that agree, found [2,3] and [4,2]',
    'Cannot build "my_b": expected shapes that broadcast, found [2,3] and [5]',
  );
  assertProblems(
    model({ node: [node("Relu", ["x"], ["y"])], output: [value("y", [2, 4])] }),
    'output "y": expected shape [2,4] as declared, found [2,3]',
  );
  assertProblems(
    model({
      node: [node("Relu", ["x"], ["y"])],
      output: [value("y", [2, 3], 6)],
    }),
    'output "y": expected type i32 as declared, found f32',
  );
  assertProblems(
    model({
      input: [value("x", [2, 3], 6)],
      node: [node("Relu", ["x"], ["y"])],
    }),
    'Relu "my_y": expected float32 as input 0, found i32',
  );
  assertProblems(
    model({
      node: [node("Flatten", ["x"], ["y"], [{ name: "axis", type: 1, f: 1 }])],
    }),
    'Flatten "my_y": expected attribute "axis" of kind int, found float',
  );
});

Deno.test("importOnnx: huge declared sizes cost no memory", () => {
  const before = Deno.memoryUsage().rss;
  assertProblems(
    model({
      input: [value("x", [2 ** 30, 2 ** 30])],
      node: [node("Relu", ["x"], ["y"])],
    }),
    "expected at most 2^30 elements",
  );
  const far = {
    name: "p",
    dims: [4],
    dataType: 7,
    int64Data: [0, 0, 2 ** 24, 2 ** 24],
  };
  assertProblems(
    model({ node: [node("Pad", ["x", "p"], ["y"])], initializer: [far] }),
    "expected a result in proportion to the input of 6 elements",
  );
  assertProblems(
    model({
      node: [node("Add", ["a", "b"], ["c"]), node("Add", ["x", "c"], ["y"])],
      initializer: [
        floats("a", [5000, 1], Array(5000).fill(1)),
        floats("b", [1, 5000], Array(5000).fill(1)),
      ],
    }),
    "expected a constant of at most 16777216 elements, found [5000,5000]",
  );
  assert(Deno.memoryUsage().rss - before < 2 ** 28);
});

Deno.test("readOnnx: truncated and foreign bytes are refused", () => {
  const bytes = model({ node: [node("Relu", ["x"], ["y"])] });
  assertThrows(
    () => inspectOnnx(new Uint8Array()),
    ChainLearnError,
    "an empty file",
  );
  const texts = ["{}", "\x89PNG\r\n", "GGUF"].map((t) =>
    new TextEncoder().encode(t)
  );
  for (const bad of [bytes.subarray(0, bytes.length - 5), ...texts]) {
    assertThrows(
      () => convertOnnx(bad, { name: "m" }),
      ChainLearnError,
      "expected an ONNX file",
    );
  }
});

Deno.test("checkWire: unknown fields are listed by place", () => {
  const bytes = model({ node: [node("Relu", ["x"], ["y"])] });
  // Field 99, a varint, behind the model.
  const extended = Uint8Array.of(...bytes, 0x98, 0x06, 0x01);
  assertProblems(extended, "unknown protobuf field 99 in ModelProto at model");
});

Deno.test("convertOnnx: fixed precision needs calibration data that fits", () => {
  const bytes = model({ node: [node("Relu", ["x"], ["y"])] });
  const convert = (
    calibration?: Parameters<typeof convertOnnx>[1]["calibration"],
  ) => convertOnnx(bytes, { name: "m", precision: "int16", calibration });
  assertThrows(() => convert(), ChainLearnError, "expected calibration data");
  const f32 = (shape: number[], values: number[]) => ({
    dtype: "f32" as const,
    shape,
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  });
  assertThrows(
    () => convert({ z: f32([1, 2, 3], Array(6).fill(1)) }),
    ChainLearnError,
    'expected an array "x", found "z"',
  );
  assertThrows(
    () => convert({ x: f32([1, 2, 2], Array(4).fill(1)) }),
    ChainLearnError,
    "expected samples of 2x3, found 1x2x2",
  );
  assertThrows(
    () => convert({ x: f32([1, 2, 3], [1, 2, 3, 4, 5, NaN]) }),
    ChainLearnError,
    "NaN or infinity in sample 0",
  );
  assertThrows(
    () => convert({ x: f32([1, 2, 3], [1]) }),
    ChainLearnError,
    "expected 24 bytes, found 4",
  );
});
