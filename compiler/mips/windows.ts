/**
 * Where a leaf program puts its operands: one window per operand that the kernel reads.
 *
 * Activations lie in the oracle-value region, constants in the model region (`REGIONS` of the machine). A window
 * is aligned to its size, so the largest come first and no space is lost between them.
 */
import { ChainLearnError, LEAF_BYTES, REGIONS } from "../../fpvm/mod.ts";
import type { Expr, Kernel } from "../ir.ts";
import { partsOf } from "../kernel/parts.ts";

/** How an operand is committed: height of its tree, and whether it is a constant of the model. */
export interface LeafOperand {
  readonly height: number;
  readonly constant: boolean;
}

/** An operand's place in the machine's memory. */
export interface Window {
  readonly operand: number;
  readonly address: number;
  readonly height: number;
}

/** Bytes of a tree of that height, 0..26. */
export const windowBytes = (height: number): number =>
  (LEAF_BYTES << height) >>> 0;

/** Windows of the operands that the kernel reads, by operand number. */
export function placeOperands(
  kernel: Kernel,
  operands: readonly LeafOperand[],
): ReadonlyMap<number, Window> {
  const regions = { activations: REGIONS.value, constants: REGIONS.model };
  const next: Record<keyof typeof regions, number> = {
    activations: regions.activations.base,
    constants: regions.constants.base,
  };
  const windows = new Map<number, Window>();
  const order = [...operandsRead(kernel)].sort((a, b) =>
    operands[b].height - operands[a].height || a - b
  );
  for (const operand of order) {
    const { height, constant } = operands[operand];
    const region = constant ? "constants" : "activations";
    const address = next[region];
    next[region] = address + windowBytes(height);
    const size = windowBytes(regions[region].height);
    if (next[region] > regions[region].base + size) {
      throw new ChainLearnError(
        `Cannot emit kernel "${kernel.name}" for MIPS: expected ${region} of at most ${size} bytes together, found more at operand ${operand}`,
      );
    }
    windows.set(operand, { operand, address, height });
  }
  return windows;
}

/** Numbers of the operands that the kernel loads from, in ascending order. */
function operandsRead(kernel: Kernel): ReadonlySet<number> {
  const found = new Set<number>();
  const visit = (expr: Expr): void => {
    if (expr.kind === "load") found.add(expr.operand);
    partsOf(expr).forEach(visit);
  };
  if (kernel.update) found.add(kernel.update.operand);
  visit(kernel.body);
  return new Set([...found].sort((a, b) => a - b));
}
