/**
 * A model without its bytes, to JSON and back: the graph part of a bundle.
 *
 * Bundles come from strangers: the parser checks the type of every field, and `validateModel` every rule after
 * that. Kernels have their own file, `serialize.ts`.
 */
import { ChainLearnError } from "../../fpvm/mod.ts";
import { type DType, dtypes, type Layout, type TensorType } from "../ir.ts";
import type {
  Constant,
  Input,
  InputKind,
  Model,
  Node,
  OperandRef,
  Output,
  Schedule,
  Slot,
} from "./model.ts";
import { inputKindJson } from "./commit.ts";
import { kernelFromJson, kernelToJson } from "../kernel/serialize.ts";
import { singlePhase } from "./phases.ts";
import { validateModel } from "./validate.ts";

/** Looks up the bytes of a constant, or of a slot's initial value. */
export interface TensorBytes {
  /** The bytes, or what reads them whenever somebody asks for them. */
  constant(index: number, name: string): Uint8Array | (() => Uint8Array);
  initial(slot: number): Uint8Array;
}

/**
 * The model as JSON text, without constants' and slots' bytes; same model, same text. Of a single-phase model it is the
 * body's, with its phases.
 */
export function modelToJson(model: Model): string {
  return JSON.stringify(
    model.body ? { ...graphJson(model.body), phases: 1 } : graphJson(model),
  );
}

function graphJson(model: Model) {
  return {
    name: model.name,
    mode: model.mode,
    kernels: model.kernels.map(kernelToJson),
    nodes: model.nodes.map((
      { name, kernel, operands, result, whole, lineage },
    ) => ({
      name,
      kernel,
      operands: operands.map((o) =>
        o.kind === "weights_table" ? [o.kind] : [o.kind, o.index]
      ),
      result,
      whole,
      lineage,
    })),
    constants: model.constants.map(({ name, type }) => ({
      name,
      type: typeJson(type),
    })),
    slots: model.slots.map(({ name, type, initial }) => ({
      name,
      type: typeJson(type),
      initial: initial !== undefined,
    })),
    inputs: model.inputs.map(({ name, slot, role, accepts }) => ({
      name,
      slot,
      role,
      accepts: inputKindJson(accepts),
    })),
    outputs: model.outputs.map(({ name, slot, scale, labels }) => ({
      name,
      slot,
      scale,
      labels,
    })),
    schedule: model.schedule,
    kept: model.kept,
    stopSlot: model.stopSlot,
  };
}

const typeJson = ({ dtype, shape, layout }: TensorType) => ({
  dtype,
  shape,
  layout,
});

/** Typed access to untrusted JSON; every failure names the path. */
class Field {
  constructor(readonly value: unknown, readonly path: string) {}

  fail(expected: string): never {
    const found = JSON.stringify(this.value)?.slice(0, 60) ?? "nothing";
    throw new ChainLearnError(
      `Cannot read the graph of the bundle: ${this.path}: expected ${expected}, found ${found}`,
    );
  }

  at(key: string): Field {
    if (
      typeof this.value !== "object" || this.value === null ||
      !Object.hasOwn(this.value, key)
    ) {
      return new Field(undefined, `${this.path}.${key}`);
    }
    return new Field(
      (this.value as Record<string, unknown>)[key],
      `${this.path}.${key}`,
    );
  }

  get present(): boolean {
    return this.value !== undefined;
  }

  string(): string {
    return typeof this.value === "string" ? this.value : this.fail("a string");
  }

  integer(): number {
    return Number.isSafeInteger(this.value)
      ? this.value as number
      : this.fail("a whole number");
  }

  number(): number {
    return typeof this.value === "number" ? this.value : this.fail("a number");
  }

  boolean(): boolean {
    return typeof this.value === "boolean"
      ? this.value
      : this.fail("true or false");
  }

  oneOf<T extends string>(names: readonly T[]): T {
    return names.includes(this.value as T)
      ? this.value as T
      : this.fail(`one of ${names.join(", ")}`);
  }

  list<T>(each: (field: Field) => T): T[] {
    if (!Array.isArray(this.value)) return this.fail("a list");
    return this.value.map((v, i) => each(new Field(v, `${this.path}[${i}]`)));
  }
}

function tensorType(field: Field): TensorType {
  const dtype = field.at("dtype").oneOf(Object.keys(dtypes) as DType[]);
  const shape = field.at("shape").list((f) => f.integer());
  const layout = field.at("layout");
  if (!layout.present) return { dtype, shape };
  return {
    dtype,
    shape,
    layout: layout.list((f): Layout[number] => ({
      axis: f.at("axis").integer(),
      size: f.at("size").integer(),
    })),
  };
}

function operandRef(field: Field): OperandRef {
  const [kind, index] = field.list((f) => f);
  const name = (kind ?? field).oneOf(["weight", "slot", "weights_table"]);
  return name === "weights_table"
    ? { kind: name }
    : { kind: name, index: (index ?? field).integer() };
}

const node = (field: Field): Node => ({
  name: field.at("name").string(),
  kernel: field.at("kernel").integer(),
  operands: field.at("operands").list(operandRef),
  result: field.at("result").integer(),
  whole: field.at("whole").boolean(),
  lineage: field.at("lineage").list((f) => f.string()),
});

function inputKind(field: Field): InputKind {
  const kind = field.at("kind").oneOf(["image", "tensor"]);
  if (kind === "image") {
    return {
      kind,
      height: field.at("height").integer(),
      width: field.at("width").integer(),
      channels: field.at("channels").integer(),
    };
  }
  const scale = field.at("scale");
  return scale.present ? { kind, scale: scale.number() } : { kind };
}

const input = (field: Field): Input => ({
  name: field.at("name").string(),
  slot: field.at("slot").integer(),
  role: field.at("role").oneOf(["data", "seed", "sampling"]),
  accepts: inputKind(field.at("accepts")),
});

function output(field: Field): Output {
  const labels = field.at("labels");
  return {
    name: field.at("name").string(),
    slot: field.at("slot").integer(),
    scale: field.at("scale").number(),
    ...(labels.present ? { labels: labels.list((f) => f.string()) } : {}),
  };
}

function schedule(field: Field): Schedule {
  const kind = field.at("kind").oneOf(["fixed", "request"]);
  return kind === "fixed"
    ? { kind, iterations: field.at("iterations").integer() }
    : { kind, max: field.at("max").integer() };
}

/** Parses untrusted JSON text; the rules are checked by `validateModel`, here only those of a single-phase model's body. */
export function modelFromJson(text: string, bytes: TensorBytes): Model {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ChainLearnError(
      "Cannot read the graph of the bundle: expected JSON, found other text",
      { cause },
    );
  }
  const root = new Field(json, "graph");
  let constants = 0;
  const constant = (field: Field): Constant => {
    const name = field.at("name").string();
    const type = tensorType(field.at("type"));
    const found = bytes.constant(constants++, name);
    if (typeof found !== "function") return { name, type, bytes: found };
    return {
      name,
      type,
      get bytes() {
        return found();
      },
    };
  };
  let slots = 0;
  const slot = (field: Field): Slot => {
    const index = slots++;
    const type = tensorType(field.at("type"));
    const name = field.at("name").string();
    return field.at("initial").boolean()
      ? { name, type, initial: bytes.initial(index) }
      : { name, type };
  };
  const stopSlot = root.at("stopSlot");
  const phases = root.at("phases");
  if (phases.present && phases.integer() !== 1) phases.fail("1");
  const graph: Model = {
    name: root.at("name").string(),
    mode: root.at("mode").oneOf(["fixed", "float"]),
    kernels: root.at("kernels").list((f) => kernelFromJson(f.value)),
    nodes: root.at("nodes").list(node),
    constants: root.at("constants").list(constant),
    slots: root.at("slots").list(slot),
    inputs: root.at("inputs").list(input),
    outputs: root.at("outputs").list(output),
    schedule: schedule(root.at("schedule")),
    kept: root.at("kept").integer(),
    ...(stopSlot.present ? { stopSlot: stopSlot.integer() } : {}),
  };
  if (!phases.present) return graph;
  validateModel(graph);
  return singlePhase(graph);
}
