/**
 * The weights table: the tensor roots of all constants, one 32-byte leaf each, as some nodes read it.
 *
 * A commitment has the roots; an executor without one hashes the constants, when a node first asks.
 */
import type { Model } from "../compiler/mod.ts";
import { LEAF_BYTES, tensorRoot } from "../fpvm/mod.ts";

/** The table's bytes, computed when first asked for. */
export function weightsTable(model: Model): () => Uint8Array {
  let table: Uint8Array | undefined;
  return () => {
    table ??= tableOfRoots(
      model.constants.map((constant) => tensorRoot(constant.bytes)),
    );
    return table;
  };
}

/** The table's bytes from the constants' roots, in order. */
export function tableOfRoots(roots: readonly Uint8Array[]): Uint8Array {
  const table = new Uint8Array(LEAF_BYTES * roots.length);
  roots.forEach((root, i) => table.set(root, LEAF_BYTES * i));
  return table;
}
