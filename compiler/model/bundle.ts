/**
 * The bundle `model.clm`: a committed model as one safetensors file (docs/formats.md, "Bundle").
 *
 * Loading believes nothing: it checks the digest, every tensor against the tree, emits every program anew from the
 * kernels and compares, and ends at the same model root or throws. Reading files is the caller's work.
 */
import {
  ChainLearnError,
  concatBytes,
  equalBytes,
  keccak256,
  LEAF_BYTES,
  MerkleTree,
  zeroHash,
} from "../../fpvm/mod.ts";
import { type Commitment, commitModel } from "./commit.ts";
import type { TensorType } from "../ir.ts";
import type { Model } from "./model.ts";
import { modelFromJson, modelToJson } from "./model_json.ts";
import { FORMAT_VERSION } from "./model_root.ts";
import { graphOf } from "./phases.ts";
import {
  type ByteSource,
  isPad,
  openSafetensors,
  readHeader,
  readSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  writeSafetensors,
} from "./safetensors.ts";
import { validateModel } from "./validate.ts";

/** Height of the nodes that `__tree` stores: one per 4 KiB of a constant. */
const PAGE_HEIGHT = 7;
const CODE = "__code";
const TREE = "__tree";
const INITIAL = "__initial.";
const RESERVED = /^__(code|tree|metadata__|(initial|pad)\..*)$/s;
const FORMAT = `chainlearn bundle ${FORMAT_VERSION}`;
const DIGEST_BLANK = "0".repeat(64);

/** The nodes of one constant's tree at page height, left to right; its root if the tree is lower. */
function pageNodes(bytes: Uint8Array): Uint8Array {
  const tree = MerkleTree.ofBytes(bytes);
  if (tree.height <= PAGE_HEIGHT) return tree.root;
  const pages = Math.ceil(bytes.length / (LEAF_BYTES << PAGE_HEIGHT));
  return concatBytes(
    Array.from({ length: pages }, (_, i) => tree.node(PAGE_HEIGHT, i)),
  );
}

/** A bundle stores a constant under its name, which must not be one of its own. */
function checkNames(model: Model): void {
  const bad = model.constants.find(({ name }) => RESERVED.test(name));
  if (bad) {
    throw new ChainLearnError(
      `Cannot write constant "${bad.name}": expected a name that no part of the bundle has`,
    );
  }
}

/** How a constant is listed: its storage type and its physical shape. */
function storedType({ dtype, shape, layout }: TensorType) {
  return { dtype, shape: layout?.map((f) => f.size) ?? shape };
}

/** The bytes of the bundle; same commitment, same bytes. */
export function writeBundle(commitment: Commitment): Uint8Array {
  const { model } = commitment;
  checkNames(model);
  const u8 = (name: string, bytes: Uint8Array): StoredTensor => ({
    name,
    dtype: "u8",
    shape: [bytes.length],
    bytes,
  });
  const tensors: StoredTensor[] = model.constants.map((constant) => ({
    name: constant.name,
    ...storedType(constant.type),
    bytes: constant.bytes,
  }));
  graphOf(model).slots.forEach((slot, i) => {
    if (slot.initial) tensors.push(u8(`${INITIAL}${i}`, slot.initial));
  });
  tensors.push(u8(CODE, concatBytes(commitment.programs.map((p) => p.code))));
  tensors.push(
    u8(TREE, concatBytes(model.constants.map((c) => pageNodes(c.bytes)))),
  );
  const metadata = {
    format: FORMAT,
    digest: DIGEST_BLANK,
    modelRoot: commitment.modelRoot.toHex(),
    metadata: commitment.metadata,
    graph: modelToJson(model),
  };
  const bytes = writeSafetensors({ metadata, tensors });
  const digest = headerDigest(readHeader(bytes, model.name), model.name);
  bytes.set(digest.text, 8 + digest.at);
  return bytes;
}

/** keccak256 over the header with its own 64 digits blanked, and where those digits stand. */
function headerDigest(header: Uint8Array, file: string) {
  const mark = new TextEncoder().encode(`"digest":"`);
  const start = indexOf(header, mark);
  if (start < 0) throw damaged(file, "a digest in the header", "none");
  const at = start + mark.length;
  const blanked = header.slice();
  blanked.fill("0".charCodeAt(0), at, at + 64);
  return { at, text: new TextEncoder().encode(keccak256(blanked).toHex()) };
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (
    let i = bytes.indexOf(part[0]);
    i >= 0;
    i = bytes.indexOf(part[0], i + 1)
  ) {
    if (part.every((b, j) => bytes[i + j] === b)) return i;
  }
  return -1;
}

function damaged(
  file: string,
  expected: string,
  found: string,
): ChainLearnError {
  return new ChainLearnError(
    `Cannot load bundle ${file}: expected ${expected}, found ${found}`,
    {
      hint:
        "The file is damaged or was not made by this version; convert the model again or fetch it again",
    },
  );
}

/** A bundle's parts as the header lists them; nothing of them is checked against the roots. */
interface Parts {
  readonly model: Model;
  /** How the file lists each constant. */
  readonly listed: readonly StoredTensor[];
  readonly code: StoredTensor;
  readonly tree: StoredTensor;
  readonly metadata: Readonly<Record<string, string>>;
  readonly digest: string;
}

/** Checks the header and parses the graph. */
function openParts(
  header: Uint8Array,
  { metadata, tensors }: SafetensorsFile,
  file: string,
  constant: (tensor: StoredTensor) => Uint8Array | (() => Uint8Array),
): Parts {
  if (metadata.format !== FORMAT) {
    throw damaged(file, `format "${FORMAT}"`, `"${metadata.format}"`);
  }
  const digest = headerDigest(header, file);
  if (!equalBytes(header.subarray(digest.at, digest.at + 64), digest.text)) {
    throw damaged(file, "a header that matches its digest", "a changed header");
  }
  const stored = new Map(tensors.map((t) => [t.name, t]));
  const take = (name: string) => {
    const tensor = stored.get(name);
    if (!tensor) throw damaged(file, `tensor "${name}"`, "none");
    stored.delete(name);
    return tensor;
  };
  const listed: StoredTensor[] = [];
  const model = modelFromJson(metadata.graph ?? "", {
    constant: (_, name) => {
      listed.push(take(name));
      return constant(listed[listed.length - 1]);
    },
    initial: (slot) => take(`${INITIAL}${slot}`).bytes,
  });
  const code = take(CODE);
  const tree = take(TREE);
  const [extra] = stored.keys();
  if (extra !== undefined) {
    throw damaged(file, "tensors of the graph only", `"${extra}"`);
  }
  const text = new TextDecoder().decode(digest.text);
  return { model, listed, code, tree, metadata, digest: text };
}

/** A bundle of which only the header is read; good for looking at it and for running it, never for a stake. */
export interface OpenedBundle {
  /** Its constants' bytes are read whenever they are asked for. */
  readonly model: Model;
  /** As the header says. */
  readonly modelRoot: Uint8Array;
  /** keccak256 of the header, in hex: who kept it knows that graph, kernels and listing are the same. */
  readonly digest: string;
}

/**
 * Opens a bundle that `readBundle` accepted before, without reading its tensors: the caller vouches that the file has
 * not changed since. The model is not validated again.
 */
export function openBundle(source: ByteSource, file: string): OpenedBundle {
  const header = readHeader(source, file);
  const { metadata, tensors } = openSafetensors(source, header, file);
  const parts = openParts(
    header,
    { metadata, tensors: tensors.filter(({ name }) => !isPad(name)) },
    file,
    (tensor) => remembered(() => tensor.bytes),
  );
  checkListing(parts.model, parts.listed, file);
  const modelRoot = Uint8Array.fromHex(parts.metadata.modelRoot ?? "");
  return { model: parts.model, modelRoot, digest: parts.digest };
}

/** Reads once for all that ask while somebody holds what was read. */
function remembered(read: () => Uint8Array): () => Uint8Array {
  let kept: WeakRef<Uint8Array> | undefined;
  return () => {
    const known = kept?.deref();
    if (known) return known;
    const bytes = read();
    kept = new WeakRef(bytes);
    return bytes;
  };
}

/** The header's digest alone, to tell one bundle from another. */
export function bundleDigest(bytes: Uint8Array, file: string): string {
  const { text } = headerDigest(readHeader(bytes, file), file);
  return new TextDecoder().decode(text);
}

/** Parses and checks a bundle; `file` names it in errors. */
export function readBundle(bytes: Uint8Array, file: string): Commitment {
  const { model, listed, code, tree, metadata } = openParts(
    readHeader(bytes, file),
    readSafetensors(bytes, file),
    file,
    (tensor) => tensor.bytes,
  );
  validateModel(model);
  checkListing(model, listed, file);
  checkTree(model, tree.bytes, file);
  const commitment = commitModel(model);
  const programs = concatBytes(commitment.programs.map((p) => p.code));
  if (!equalBytes(code.bytes, programs)) {
    throw damaged(
      file,
      "the programs that its kernels compile to",
      "other programs",
    );
  }
  if (metadata.metadata !== commitment.metadata) {
    throw damaged(file, "the metadata of its graph", "other metadata");
  }
  if (metadata.modelRoot !== commitment.modelRoot.toHex()) {
    throw damaged(
      file,
      `model root ${commitment.modelRoot.toHex()}`,
      String(metadata.modelRoot),
    );
  }
  return commitment;
}

/** What other readers see of a constant must be what is executed. */
function checkListing(
  model: Model,
  listed: readonly StoredTensor[],
  file: string,
): void {
  model.constants.forEach((constant, i) => {
    const show = ({ dtype, shape }: Pick<StoredTensor, "dtype" | "shape">) =>
      `${dtype} [${shape}]`;
    const [expected, found] = [
      show(storedType(constant.type)),
      show(listed[i]),
    ];
    if (expected !== found) {
      throw damaged(file, `${expected} for "${constant.name}"`, found);
    }
  });
}

/** Every page of every constant against `__tree`; names the page that differs. */
function checkTree(model: Model, tree: Uint8Array, file: string): void {
  let at = 0;
  for (const { name, bytes } of model.constants) {
    const nodes = pageNodes(bytes);
    for (let i = 0; i < nodes.length; i += LEAF_BYTES, at += LEAF_BYTES) {
      const kept = tree.subarray(at, at + LEAF_BYTES);
      if (!equalBytes(kept, nodes.subarray(i, i + LEAF_BYTES))) {
        throw damaged(
          file,
          `page ${i / LEAF_BYTES} of tensor "${name}" to hash to its node`,
          equalBytes(kept, zeroHash(0))
            ? "an empty node"
            : "a changed page or node",
        );
      }
    }
  }
  if (at !== tree.length) {
    throw damaged(file, `${at} bytes of tree nodes`, `${tree.length}`);
  }
}
