/** Models that grow, for the costs of disputes in one, two and three phases: chains of equal nodes. */
import {
  axis,
  defineKernel,
  load,
  type Model,
  mul,
  operandsOf,
  requantize,
  sum,
  type TensorType,
} from "../../compiler/mod.ts";
import { probeBytes } from "../../runtime/mod.ts";

const ROWS = 16;
const WIDTH = 64;

const activation: TensorType = { dtype: "i8", shape: [ROWS, WIDTH] };
const weights: TensorType = { dtype: "i8", shape: [WIDTH, WIDTH] };

/** y[i, j] = the sum of x[i, k] * w[j, k], scaled so that values keep their size from node to node. */
function product() {
  const operands = [activation, weights];
  const [x, w] = operandsOf(operands);
  const total = sum(
    WIDTH,
    (k) => mul(load(x, axis(0), k), load(w, axis(1), k)),
  );
  return defineKernel({
    name: "product",
    operands,
    result: activation,
    body: requantize(total, 1_500_000_000, 40, 0, -128, 127),
  });
}

/** A chain of so many matrix products, each with weights of its own. */
export function chainModel(nodes: number): Model {
  const slotBefore = (node: number) => node === 0 ? 1 : node + 1;
  return {
    name: `chain_${nodes}`,
    mode: "fixed",
    kernels: [product()],
    nodes: Array.from({ length: nodes }, (_, i) => ({
      name: `product ${i}`,
      kernel: 0,
      operands: [
        { kind: "slot", index: slotBefore(i) },
        { kind: "weight", index: i },
      ],
      result: i === nodes - 1 ? 0 : i + 2,
      whole: false,
      lineage: [],
    })),
    constants: Array.from({ length: nodes }, (_, i) => ({
      name: `w${i}`,
      type: weights,
      bytes: probeBytes(WIDTH * WIDTH, i + 1),
    })),
    slots: Array.from({ length: nodes + 1 }, (_, i) => ({
      name: `s${i}`,
      type: activation,
    })),
    inputs: [{
      name: "x",
      slot: 1,
      role: "data",
      accepts: { kind: "tensor" },
    }],
    outputs: [{ name: "y", slot: 0, scale: 1 }],
    schedule: { kind: "fixed", iterations: 1 },
    kept: 1,
  };
}
