/** What Softmax and LogSoftmax share: one axis since operator set 13, all from `axis` on before. */
import type { NodeId } from "../../graph/graph.ts";
import type { NodeContext } from "./operator.ts";

/** Softmax along the node's axis or axes; `log` gives its logarithm. */
export function softmaxAlong(context: NodeContext, log: boolean): NodeId {
  const { graph } = context;
  const x = context.float(0);
  const shape = graph.shape(x);
  const modern = context.opset >= 13;
  const axis = context.axis(context.int("axis", modern ? -1 : 1), shape.length);
  if (!modern) {
    const width = shape.slice(axis).reduce((a, b) => a * b, 1);
    const rows = shape.slice(0, axis).reduce((a, b) => a * b, 1);
    const y = graph.softmax(graph.view(x, [rows, width]), log);
    return graph.view(y, shape);
  }
  return alongLast(context, x, axis, (t) => graph.softmax(t, log));
}

/** Applies `fn`, which works along the last axis and keeps the rank, along another axis. */
export function alongLast(
  context: NodeContext,
  x: NodeId,
  axis: number,
  fn: (x: NodeId) => NodeId,
): NodeId {
  const { graph } = context;
  const axes = graph.shape(x).map((_, d) => d);
  const perm = [...axes.filter((d) => d !== axis), axis];
  const y = fn(graph.transpose(x, perm));
  return graph.transpose(y, axes.map((d) => perm.indexOf(d)));
}
