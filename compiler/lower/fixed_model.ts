/** From the quantized graph to kernels, nodes, constants and slots. */
import { axis, load } from "../kernel/build.ts";
import { elementCount } from "../ir.ts";
import type { FixedGraph, FixedNode } from "../quantize/fixed_graph.ts";
import { lowerFixedNode } from "./fixed.ts";
import { tensorBytes } from "./lowering.ts";
import {
  assemble,
  type AssembledModel,
  type NodeDescription,
} from "./model_builder.ts";

/** Lowers a quantized graph. */
export function lowerFixed(graph: FixedGraph): AssembledModel {
  return assemble({
    ...graph,
    describe,
    lower: (node) => lowerFixedNode(graph, node),
    copy: (id) => {
      const { dtype, shape } = graph.nodes[id];
      const type = { dtype, shape: [elementCount(shape)] };
      return {
        title: "copy",
        operands: [{ kind: "value", id, type }],
        result: type,
        body: ([x]) => load(x, axis(0)),
      };
    },
    constantBytes: ({ op, dtype }) => {
      if (op.kind !== "constant") throw new RangeError("No constant");
      return tensorBytes(op.data, dtype);
    },
  });
}

function describe(node: FixedNode): NodeDescription {
  const { name, dtype, shape, inputs, lineage } = node;
  const { kind } = node.op;
  return {
    name,
    type: { dtype, shape },
    inputs,
    lineage,
    kind: kind === "input" || kind === "constant" || kind === "view"
      ? kind
      : "computed",
  };
}
