/** Receipts read back: a run can be held to one that was kept beside the model. */
import { byteLength, type Commitment } from "../compiler/mod.ts";
import { ChainLearnError, tensorRoot } from "../fpvm/mod.ts";
import { readJson } from "./files.ts";
import type { Receipt } from "./run.ts";

const isHash = (x: unknown) =>
  typeof x === "string" && /^[0-9a-f]{64}$/.test(x);

/** Whether a value has the shape of a receipt; says nothing of what it is the receipt of. */
function isReceipt(value: unknown): value is Receipt {
  const receipt = value as Partial<Receipt> | null;
  return receipt?.format === "chainlearn receipt 1" &&
    isHash(receipt.modelRoot) && isHash(receipt.finalState) &&
    Number.isInteger(receipt.iterations) &&
    Array.isArray(receipt.inputRoots) && receipt.inputRoots.every(isHash) &&
    Array.isArray(receipt.outputs) &&
    receipt.outputs.every((hex) =>
      typeof hex === "string" && /^([0-9a-f]{2})*$/.test(hex)
    );
}

/**
 * Reads a receipt of this model, these inputs and so many iterations.
 *
 * Throws with exit code 2 where the file is no receipt, 1 where it is another's.
 */
export async function readReceipt(
  path: string,
  { model, modelRoot }: Commitment,
  inputs: readonly Uint8Array[],
  iterations: number,
): Promise<Receipt> {
  const receipt = await readJson(path, "receipt");
  if (!isReceipt(receipt)) {
    throw new ChainLearnError(
      `Cannot read receipt ${path}: expected format "chainlearn receipt 1", found another`,
    );
  }
  const same = (expected: string, found: string) => {
    if (expected === found) return;
    throw new ChainLearnError(
      `Cannot check receipt ${path}: expected ${expected}, found ${found}`,
      { exitCode: 1 },
    );
  };
  same(`model root ${modelRoot.toHex()}`, `model root ${receipt.modelRoot}`);
  same(`${inputs.length} inputs`, `${receipt.inputRoots.length} inputs`);
  model.inputs.forEach(({ name }, i) => {
    const given = tensorRoot(inputs[i]).toHex();
    same(
      `root ${given} of input "${name}"`,
      `root ${receipt.inputRoots[i]} of input "${name}"`,
    );
  });
  same(`${iterations} iterations`, `${receipt.iterations} iterations`);
  same(
    `${model.outputs.length} outputs`,
    `${receipt.outputs.length} outputs`,
  );
  model.outputs.forEach(({ name, slot }, i) =>
    same(
      `${byteLength(model.slots[slot].type)} bytes of output "${name}"`,
      `${receipt.outputs[i].length / 2} bytes of output "${name}"`,
    )
  );
  return receipt;
}
