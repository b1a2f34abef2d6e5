/**
 * Reads an ONNX file into plain data: graph, nodes, attributes, constant tensors.
 *
 * Protobuf is decoded by `onnx-proto` after a strict check of the wire format. Everything found wrong
 * with a tensor, type or attribute is collected in `problems`; only bytes that are no ONNX model at all
 * throw. Nothing here knows what an operator means.
 */
import onnxp from "onnx-proto";
import { ChainLearnError } from "../../../fpvm/mod.ts";
import type { GraphDType } from "../../graph/graph.ts";
import { elementTypes, toNumber, typeName } from "./element_types.ts";
import { type OnnxTensor, readTensor } from "./tensor.ts";
import { checkWire } from "./wire_check.ts";

const { onnx } = onnxp;

export type AttributeValue =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "tensor"; readonly value: OnnxTensor }
  | { readonly kind: "other"; readonly type: string };

export interface OnnxNode {
  /** The model's name for it, else `Conv_3` by position. */
  readonly name: string;
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, AttributeValue>;
}

/** A declared input or output; a dimension is a number, a name, or unknown (""). */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: GraphDType;
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OnnxModel {
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  /** Undefined where a tensor is listed in `problems`. */
  readonly initializers: ReadonlyMap<string, OnnxTensor | undefined>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly problems: readonly string[];
}

const text = (bytes: Uint8Array | null | undefined) =>
  new TextDecoder().decode(bytes ?? new Uint8Array());

/** Reads an ONNX file; throws where it cannot be decoded, lists all other problems. `name` is for errors. */
export function readOnnx(bytes: Uint8Array, name: string): OnnxModel {
  const problems: string[] = [];
  const proto = decode(bytes, name, problems);
  const { graph } = proto;
  const domains = (proto.opsetImport ?? []).filter((o) =>
    !o.domain || o.domain === "ai.onnx"
  );
  const opset = domains.length > 0 ? toNumber(domains[0].version) : 0;
  if (opset < 1) {
    problems.push(
      "the model imports no version of the operator set ai.onnx, expected 7 or later",
    );
  }
  if ((proto.functions ?? []).length > 0) {
    problems.push(
      "the model defines functions of its own: inline them (onnx.inliner)",
    );
  }
  if ((graph.sparseInitializer ?? []).length > 0) {
    problems.push("sparse initializers are unsupported: store them densely");
  }
  const initializers = readInitializers(graph, problems);
  const inputs = (graph.input ?? []).filter((i) =>
    !initializers.has(i.name ?? "")
  );
  return {
    opset,
    nodes: readNodes(graph.node ?? [], problems),
    initializers,
    inputs: inputs.map((i) => readValue(i, "input", problems)),
    outputs: (graph.output ?? []).map((o) => readValue(o, "output", problems)),
    problems,
  };
}

function decode(
  bytes: Uint8Array,
  name: string,
  problems: string[],
): Omit<onnxp.onnx.ModelProto, "graph"> & { graph: onnxp.onnx.IGraphProto } {
  const reject = (found: string, cause?: unknown): never => {
    throw new ChainLearnError(
      `Cannot read model "${name}": expected an ONNX file, found ${found}`,
      { cause, hint: "Check that the file was copied or downloaded whole" },
    );
  };
  if (bytes.length === 0) reject("an empty file");
  try {
    problems.push(...checkWire(bytes));
    const proto = onnx.ModelProto.decode(bytes);
    const { graph } = proto;
    if (graph) return Object.assign(proto, { graph });
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    reject(`bytes that cannot be decoded (${what})`, cause);
  }
  return reject("no graph in it");
}

function readInitializers(
  graph: onnxp.onnx.IGraphProto,
  problems: string[],
): Map<string, OnnxTensor | undefined> {
  const initializers = new Map<string, OnnxTensor | undefined>();
  for (const proto of graph.initializer ?? []) {
    const name = proto.name ?? "";
    if (initializers.has(name)) {
      problems.push(`initializer "${name}" is defined twice`);
    }
    try {
      initializers.set(name, readTensor(proto, `initializer "${name}"`));
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      problems.push(error.message);
      initializers.set(name, undefined);
    }
  }
  return initializers;
}

function readNodes(
  protos: readonly onnxp.onnx.INodeProto[],
  problems: string[],
): OnnxNode[] {
  const names = new Set<string>();
  return protos.map((proto, i) => {
    const op = proto.opType ?? "";
    let name = proto.name || `${op}_${i}`;
    while (names.has(name)) name += "'";
    names.add(name);
    const attributes = new Map<string, AttributeValue>();
    for (const attribute of proto.attribute ?? []) {
      const key = attribute.name ?? "";
      if (attributes.has(key)) {
        problems.push(`${op} "${name}": attribute "${key}" is given twice`);
      }
      try {
        attributes.set(key, readAttribute(attribute, `${op} "${name}"`));
      } catch (error) {
        if (!(error instanceof ChainLearnError)) throw error;
        problems.push(error.message);
      }
    }
    const domain = proto.domain === "ai.onnx" ? "" : proto.domain ?? "";
    const { input, output } = proto;
    return {
      name,
      op,
      domain,
      inputs: input ?? [],
      outputs: output ?? [],
      attributes,
    };
  });
}

function readAttribute(
  proto: onnxp.onnx.IAttributeProto,
  owner: string,
): AttributeValue {
  switch (toNumber(proto.type)) {
    case 1:
      return { kind: "float", value: proto.f ?? 0 };
    case 2:
      return { kind: "int", value: toNumber(proto.i) };
    case 3:
      return { kind: "string", value: text(proto.s) };
    case 4:
      return {
        kind: "tensor",
        value: readTensor(proto.t ?? {}, `${owner} attribute "${proto.name}"`),
      };
    case 6:
      return { kind: "floats", value: proto.floats ?? [] };
    case 7:
      return { kind: "ints", value: (proto.ints ?? []).map(toNumber) };
    default:
      return {
        kind: "other",
        type: onnx.AttributeProto.AttributeType[toNumber(proto.type)] ??
          `number ${proto.type}`,
      };
  }
}

function readValue(
  proto: onnxp.onnx.IValueInfoProto,
  role: "input" | "output",
  problems: string[],
): OnnxValue {
  const name = proto.name ?? "";
  const tensor = proto.type?.tensorType;
  const type = toNumber(tensor?.elemType);
  const dtype = elementTypes[type];
  if (!name) problems.push(`an ${role} has no name`);
  if (!tensor) {
    problems.push(`${role} "${name}" is no tensor`);
  } else if (!dtype) {
    problems.push(
      `${role} "${name}" has the unsupported element type ${
        typeName(type)
      }: export it as float32 or an integer of at most 64 bits`,
    );
  }
  const shape = tensor?.shape?.dim?.map((d) =>
    d.dimParam ? d.dimParam : toNumber(d.dimValue) || ""
  );
  return { name, dtype: dtype ?? "f32", shape };
}
