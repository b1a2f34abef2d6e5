/**
 * Turns an ONNX model into the float graph, or says everything that stands in the way.
 *
 * One pass finds every unsupported operator and attribute; a second builds node by node, goes on after a
 * failure, and leaves out nodes that depend on a failed one. Shapes become static here: symbolic
 * dimensions are bound by name, the batch to 1.
 */
import { ChainLearnError } from "../../../fpvm/mod.ts";
import type { Graph, NodeId } from "../../graph/graph.ts";
import { GraphBuilder } from "../../graph/graph_builder.ts";
import { elementCount } from "../../ir.ts";
import { NodeContext, type OnnxOperator } from "./operator.ts";
import { operators } from "./operators.ts";
import {
  type OnnxModel,
  type OnnxNode,
  type OnnxValue,
  readOnnx,
} from "./reader.ts";

/** What was found in a model: the graph where it can be built, and every problem. */
export interface Imported {
  readonly model: OnnxModel;
  readonly graph?: Graph;
  readonly problems: readonly string[];
}

/** Reads and imports; throws only where the bytes are no ONNX file. `name` is the model's in errors. */
export function importOnnx(
  bytes: Uint8Array,
  dims: Readonly<Record<string, number>>,
  name = "model",
): Imported {
  const model = readOnnx(bytes, name);
  const problems = [
    ...model.problems,
    ...model.nodes.flatMap((node) => unsupported(node)),
    ...repeatedNames(model),
    ...unusedDims(model, dims),
  ];
  const builder = new GraphBuilder();
  const importer = new Importer(builder, model, problems, dims);
  const outputs = importer.run();
  const graph = problems.length === 0 ? builder.finish(outputs) : undefined;
  return { model, graph, problems };
}

/** What of a node is not understood: its operator, or some of its attributes. */
function unsupported(node: OnnxNode): string[] {
  const operator = find(node);
  if (!operator) {
    const domain = node.domain ? ` of domain "${node.domain}"` : "";
    return [
      `${node.op} "${node.name}": unsupported operator${domain}: replace it in the source model, or cut the graph before it`,
    ];
  }
  return [...node.attributes.keys()]
    .filter((name) => !Object.hasOwn(operator.attributes, name))
    .map((name) =>
      `${node.op} "${node.name}": unsupported attribute "${name}": export without it`
    );
}

function find(node: OnnxNode): OnnxOperator | undefined {
  return node.domain === "" ? operators.get(node.op) : undefined;
}

function repeatedNames(model: OnnxModel): string[] {
  const seen = new Set<string>();
  const names = [
    ...model.inputs.map((i) => i.name),
    ...model.initializers.keys(),
    ...model.nodes.flatMap((n) => n.outputs).filter((name) => name !== ""),
  ];
  const twice = names.filter((name) => seen.size === seen.add(name).size);
  return [...new Set(twice)].map((name) =>
    `value "${name}" is defined more than once`
  );
}

function unusedDims(
  model: OnnxModel,
  dims: Readonly<Record<string, number>>,
): string[] {
  const known = new Set(model.inputs.flatMap((i) => i.shape ?? []));
  return Object.keys(dims).filter((name) => !known.has(name)).map((name) => {
    const named = [...known].filter((d) => typeof d === "string" && d);
    return `dimension "${name}" is not in the model: it names ${
      named.length > 0 ? named.map((d) => `"${d}"`).join(", ") : "none"
    }`;
  });
}

class Importer {
  /** Undefined stands for a value that a failed node should have given. */
  readonly #values = new Map<string, NodeId | undefined>();

  constructor(
    private readonly builder: GraphBuilder,
    private readonly model: OnnxModel,
    private readonly problems: string[],
    private readonly dims: Readonly<Record<string, number>>,
  ) {}

  run(): { name: string; node: NodeId }[] {
    const { model, builder } = this;
    for (const input of model.inputs) {
      this.#attempt([input.name], () => this.#input(input));
    }
    for (const [name, tensor] of model.initializers) {
      builder.origin = { name, lineage: [] };
      this.#values.set(
        name,
        tensor && builder.constant(tensor.data, tensor.shape, tensor.dtype),
      );
    }
    this.#nodes();
    if (model.outputs.length === 0) {
      this.problems.push("the model declares no output");
    }
    const names = model.outputs.map((o) => o.name);
    if (new Set(names).size !== names.length) {
      this.problems.push("an output is declared twice");
    }
    return model.outputs.flatMap((output) => {
      const node = this.#values.get(output.name);
      if (node === undefined) {
        if (!this.#values.has(output.name)) {
          this.problems.push(`output "${output.name}" is computed by no node`);
        }
        return [];
      }
      this.#checkOutput(output, node);
      return [{ name: output.name, node }];
    });
  }

  /** Nodes in an order in which inputs come first, whatever the order of the file. */
  #nodes(): void {
    let waiting = this.model.nodes;
    while (waiting.length > 0) {
      const blocked: OnnxNode[] = [];
      for (const node of waiting) {
        const ready = node.inputs.every((n) => n === "" || this.#values.has(n));
        if (ready) this.#node(node);
        else blocked.push(node);
      }
      if (blocked.length === waiting.length) {
        this.#reportBlocked(blocked);
        return;
      }
      waiting = blocked;
    }
  }

  #reportBlocked(blocked: readonly OnnxNode[]): void {
    const coming = new Set(blocked.flatMap((n) => n.outputs));
    let missing = false;
    for (const node of blocked) {
      for (const name of node.inputs) {
        if (name === "" || this.#values.has(name) || coming.has(name)) continue;
        missing = true;
        this.problems.push(
          `${node.op} "${node.name}": expected an input or initializer "${name}", found none in the model`,
        );
      }
    }
    if (!missing) {
      const names = blocked.slice(0, 5).map((n) => `"${n.name}"`).join(", ");
      this.problems.push(`nodes ${names} form a cycle`);
    }
    for (const name of coming) this.#values.set(name, undefined);
  }

  /** Runs `build` and remembers its result under names[0]; a failure is listed, not thrown. */
  #attempt(names: readonly string[], build: () => NodeId | undefined): void {
    let result: NodeId | undefined;
    try {
      result = build();
    } catch (error) {
      if (!(error instanceof ChainLearnError)) throw error;
      this.problems.push(error.message);
    }
    names.forEach((name, i) => {
      if (name !== "") this.#values.set(name, i === 0 ? result : undefined);
    });
  }

  #node(node: OnnxNode): void {
    this.#attempt(node.outputs, () => {
      const operator = find(node);
      const inputs = node.inputs.map((n) =>
        n === "" ? undefined : this.#values.get(n)
      );
      const failed = node.inputs.some((n, i) =>
        n !== "" && inputs[i] === undefined
      );
      if (!operator || failed || unsupported(node).length > 0) return undefined;
      const { builder } = this;
      const context = new NodeContext(builder, node, this.model.opset, inputs);
      const [least, most] = operator.inputs;
      if (inputs.length < least || inputs.length > most) {
        context.fail(
          least === most ? `${least} inputs` : `${least} to ${most} inputs`,
          String(inputs.length),
        );
      }
      const extra = node.outputs.slice(1).find((n) => n !== "");
      if (extra !== undefined) {
        context.fail("one output", `"${extra}" as a further one`);
      }
      builder.origin = { name: node.name, lineage: [node.name] };
      return operator.build(context);
    });
  }

  #input(input: OnnxValue): NodeId {
    const { builder } = this;
    const { name, dtype } = input;
    builder.origin = { name, lineage: [] };
    const declared = this.#bind(input);
    if (elementCount(declared) > 2 ** 30) {
      throw new ChainLearnError(
        `input "${name}": expected at most 2^30 elements, found [${declared}]`,
      );
    }
    const image = dtype === "u8" ? imageLayout(declared) : undefined;
    if (!image) return builder.input(declared, dtype, { name, declared });
    const { channelsFirst, ...picture } = image;
    const { height, width, channels } = picture;
    const shape = [declared[0], height, width, channels];
    const pixels = builder.input(shape, dtype, {
      name,
      declared,
      image: picture,
    });
    return channelsFirst
      ? builder.transpose(pixels, [0, 3, 1, 2])
      : builder.view(pixels, declared);
  }

  /** The input's shape with every symbolic dimension replaced. */
  #bind(input: OnnxValue): number[] {
    const { name, shape } = input;
    if (!shape) {
      throw new ChainLearnError(
        `input "${name}": expected a shape, found none: export with a static shape`,
      );
    }
    return shape.map((d, i) => {
      const bound = typeof d === "number" ? d : this.dims[d] ??
        (i === 0 ? 1 : undefined);
      if (bound === undefined) {
        throw new ChainLearnError(
          d === ""
            ? `input "${name}": axis ${i} has no size: export with a static shape`
            : `input "${name}": dimension "${d}" is open: bind it with --dim ${d}=NUMBER`,
        );
      }
      if (!Number.isSafeInteger(bound) || bound < 1 || bound >= 2 ** 31) {
        throw new ChainLearnError(
          `input "${name}": expected dimensions of 1 to 2^31, found ${bound} for axis ${i}`,
        );
      }
      return bound;
    });
  }

  #checkOutput(output: OnnxValue, node: NodeId): void {
    const { shape, dtype } = this.builder.node(node);
    if (output.dtype !== dtype) {
      this.problems.push(
        `output "${output.name}": expected type ${output.dtype} as declared, found ${dtype}`,
      );
    }
    const declared = output.shape;
    const fits = !declared || declared.length === shape.length &&
        declared.every((d, i) =>
          typeof d !== "number" || d === shape[i] ||
          (i === 0 && shape[i] === 1 && this.#batchIsOpen())
        );
    if (!fits) {
      this.problems.push(
        `output "${output.name}": expected shape [${declared}] as declared, found [${shape}]`,
      );
    }
  }

  #batchIsOpen(): boolean {
    return this.model.inputs.some((i) => typeof i.shape?.[0] === "string");
  }
}

/** How bytes of a u8 input are a picture: [N, C, H, W], [N, H, W, C] or [N, H, W] with N = 1. */
function imageLayout(shape: readonly number[]):
  | {
    height: number;
    width: number;
    channels: number;
    channelsFirst: boolean;
  }
  | undefined {
  if (shape[0] !== 1) return undefined;
  const isChannels = (n: number) => n === 1 || n === 3 || n === 4;
  if (shape.length === 3) {
    const [, height, width] = shape;
    return { height, width, channels: 1, channelsFirst: false };
  }
  if (shape.length !== 4) return undefined;
  const [, a, b, c] = shape;
  if (isChannels(a)) {
    return { height: b, width: c, channels: a, channelsFirst: true };
  }
  if (isChannels(c)) {
    return { height: a, width: b, channels: c, channelsFirst: false };
  }
  return undefined;
}
