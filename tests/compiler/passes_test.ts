/** What is left of the two real models after folding, fusion and quantization. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Calibration } from "../../compiler/quantize/calibration_data.ts";
import { convertOnnx } from "../../compiler/convert.ts";
import { evaluateGraph } from "../../compiler/graph/float_reference.ts";
import { importOnnx } from "../../compiler/import/onnx/importer.ts";
import { foldContractions } from "../../compiler/passes/fold.ts";
import { fuseMaps } from "../../compiler/passes/fuse.ts";
import { serializeModel } from "./serialize_model.ts";
import { Random } from "../random.ts";
import { validateModel } from "../../compiler/model/validate.ts";

const read = (path: string) =>
  Deno.readFileSync(new URL(`../../models/${path}`, import.meta.url));
const cnn = read("fashion_cnn/fashion_cnn.onnx");
const mlp = read("fashion_mlp/fashion_mlp.onnx");

const pixels = (samples: number, seed = 1): Calibration => ({
  image: {
    dtype: "u8",
    shape: [samples, 1, 28, 28],
    bytes: new Random(seed).bytes(samples * 784),
  },
});

function folded(bytes: Uint8Array) {
  const { graph, problems } = importOnnx(bytes, {});
  assert(graph, problems.join("\n"));
  const final = foldContractions(fuseMaps(foldContractions(graph), "unary"));
  return { graph, final };
}

Deno.test("foldContractions: no transpose, batch normalization or lone Relu is left", () => {
  const used = ({ final }: ReturnType<typeof folded>) => {
    const live = new Set(final.nodes.flatMap((n) => n.inputs));
    final.outputs.forEach((o) => live.add(o.node));
    return final.nodes.filter((_, id) => live.has(id))
      .map((n) => n.primitive.kind).filter((k) => k !== "view");
  };
  assertEquals(used(folded(mlp)), [
    "input",
    "contract",
    "contract",
    "contract",
  ]);
  // One map normalizes before the padded convolution, one is the residual sum.
  const kinds = used(folded(cnn));
  assertEquals(kinds.filter((k) => k === "transpose").length, 0);
  assertEquals(kinds.filter((k) => k === "map").length, 2);
});

Deno.test("foldContractions, fuseMaps: the function stays the same", () => {
  for (const bytes of [mlp, cnn]) {
    const { graph, final } = folded(bytes);
    const image = Float64Array.from(new Random(3).bytes(784));
    const [before, after] = [graph, final].map((g) => {
      const values = evaluateGraph(g, new Map([[g.inputs[0].node, image]]));
      return values[g.outputs[0].node];
    });
    before.forEach((x, i) =>
      assert(Math.abs(x - after[i]) < 1e-4 * Math.max(...before.map(Math.abs)))
    );
  }
});

Deno.test("convertOnnx: the CNN's nodes, slots and lineage follow the protocol", () => {
  const { model, report } = convertOnnx(cnn, {
    name: "cnn",
    calibration: pixels(4),
    labels: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"],
  });
  validateModel(model);
  assertEquals(model.mode, "fixed");
  assertEquals(model.outputs.map((o) => [o.name, o.slot]), [["logits", 0]]);
  assertEquals(model.outputs[0].labels?.length, 10);
  assertEquals(model.kept, 1);
  assertEquals(model.inputs[0].slot, 1);
  assertEquals(model.inputs[0].accepts, {
    kind: "image",
    height: 28,
    width: 28,
    channels: 1,
  });
  const results = model.nodes.map((n) => n.result);
  assertEquals(new Set(results).size, results.length);
  assertEquals(model.slots.length, results.length + 1);
  // Every source node is in the lineage of some node, constants of the normalization excepted.
  const sources = new Set(report.lineage.flatMap((l) => l.sources));
  for (const name of model.nodes.map((n) => n.name)) assert(sources.has(name));
  for (const { bound } of report.accumulators) assert(bound < 2 ** 31);
  assertEquals(report.worst.length, 3);
  assert(report.outputs[0].cosine > 0.99);
});

Deno.test("convertOnnx: same input, same model, whatever the order of the samples", () => {
  const bytes = new Random(9).bytes(6 * 784);
  const stack = (order: number[]): Calibration => ({
    image: {
      dtype: "u8",
      shape: [6, 28, 28],
      bytes: Uint8Array.from(
        order.flatMap((i) => [...bytes.subarray(i * 784, (i + 1) * 784)]),
      ),
    },
  });
  for (const precision of ["int16", "int8"] as const) {
    const convert = (order: number[]) =>
      serializeModel(
        convertOnnx(cnn, { name: "m", precision, calibration: stack(order) })
          .model,
      );
    const first = convert([0, 1, 2, 3, 4, 5]);
    assertEquals(convert([0, 1, 2, 3, 4, 5]), first);
    assertEquals(convert([5, 2, 4, 0, 1, 3]), first);
    assertNotEquals(convert([0, 0, 0, 0, 0, 0]), first);
  }
});
