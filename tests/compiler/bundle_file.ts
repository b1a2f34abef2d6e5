/** Bundles with one thing changed and everything else made to fit: what a stranger could send. */
import {
  readHeader,
  readSafetensors,
  type StoredTensor,
  writeSafetensors,
} from "../../compiler/model/safetensors.ts";
import { keccak256 } from "../../fpvm/mod.ts";

/** What may be changed; the tensors are copies. */
export interface BundleParts {
  metadata: Record<string, string>;
  tensors: (StoredTensor & { name: string; shape: readonly number[] })[];
}

const utf8 = new TextEncoder();

/** The bundle with its parts changed, and a digest that fits. */
export function rebuilt(
  bundle: Uint8Array,
  change: (parts: BundleParts) => void,
): Uint8Array {
  const { metadata, tensors } = readSafetensors(bundle, "a bundle");
  const parts: BundleParts = {
    metadata: { ...metadata, digest: "0".repeat(64) },
    tensors: tensors.map((t) => ({ ...t, bytes: t.bytes.slice() })),
  };
  change(parts);
  const bytes = writeSafetensors(parts);
  const header = readHeader(bytes, "a bundle");
  const digest = keccak256(header).toHex();
  const text = new TextDecoder().decode(header);
  bytes.set(utf8.encode(digest), 8 + text.indexOf(`"digest":"`) + 10);
  return bytes;
}

/** The graph's JSON with one value changed. */
export function changeGraph(
  parts: BundleParts,
  // deno-lint-ignore no-explicit-any -- any JSON of a stranger
  change: (graph: any) => void,
): void {
  const graph = JSON.parse(parts.metadata.graph);
  change(graph);
  parts.metadata.graph = JSON.stringify(graph);
}

/** A stored tensor by name. */
export const tensorOf = (parts: BundleParts, name: string) =>
  parts.tensors.find((t) => t.name === name)!;
