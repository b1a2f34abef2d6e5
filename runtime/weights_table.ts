/** The weights table: the tensor roots of all constants, one 32-byte leaf each, as some nodes read it. */
import type { Model } from "../compiler/mod.ts";
import { LEAF_BYTES, tensorRoot } from "../fpvm/mod.ts";

/** The table's bytes, computed when first asked for. */
export function weightsTable(model: Model): () => Uint8Array {
  let table: Uint8Array | undefined;
  return () => {
    if (table) return table;
    table = new Uint8Array(LEAF_BYTES * model.constants.length);
    for (const [i, constant] of model.constants.entries()) {
      table.set(tensorRoot(constant.bytes), LEAF_BYTES * i);
    }
    return table;
  };
}
