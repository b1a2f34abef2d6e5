/**
 * Writes tests/vectors/formats.json: golden vectors for the tables of docs/formats.md that the contracts hash or read.
 *
 * TypeScript and Solidity are both checked against the file. Only a new format version may change what is in it; rows
 * may be added. Step witnesses have their own file, see make_vm_vectors.ts.
 *
 *     deno run -A tools/make_format_vectors.ts
 */
import { marketVector } from "./vectors/market.ts";
import {
  descriptorVectors,
  initialStateVectors,
  modelRootVectors,
} from "./vectors/models.ts";
import { finalStateVectors } from "./vectors/states.ts";
import {
  slotsProofVectors,
  stateVectors,
  tensorVectors,
  zeroHashes,
} from "./vectors/trees.ts";

/** Every table, by the name that it has in the file; bytes are hex text with 0x. */
export function formatVectors() {
  return {
    zeroHashes: zeroHashes(),
    tensors: tensorVectors(),
    states: stateVectors(),
    slotsProofs: slotsProofVectors(),
    descriptors: descriptorVectors(),
    modelRoots: modelRootVectors(),
    initialStates: initialStateVectors(),
    finalStates: finalStateVectors(),
    market: marketVector(),
  };
}

/** The file's text: one line for each row. */
export function formatVectorsText(): string {
  const tables = Object.entries(formatVectors()).map(([name, table]) => {
    const text = Array.isArray(table)
      ? `[\n${table.map((row) => JSON.stringify(row)).join(",\n")}\n]`
      : JSON.stringify(table, null, 2);
    return `${JSON.stringify(name)}: ${text}`;
  });
  return `{\n${tables.join(",\n")}\n}\n`;
}

if (import.meta.main) {
  const path = new URL("../tests/vectors/formats.json", import.meta.url);
  const text = formatVectorsText();
  Deno.writeTextFileSync(path, text);
  console.log(`${text.length} bytes in ${path.pathname}`);
}
