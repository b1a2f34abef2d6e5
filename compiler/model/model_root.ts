/**
 * The model root: one hash under which everything a dispute needs is fixed (docs/formats.md, "Model root").
 *
 * Works from plain fields, so that it also serves models that are never materialized. The contract parses the
 * same preimage at registration, ModelRoot.sol; which fields make sense is checked there and in `validate.ts`.
 */
import { ChainLearnError, keccak256 } from "../../fpvm/mod.ts";
import type { InputRole } from "./model.ts";

/** Version of every format and of the emitter; a changed emitted byte means a new one. */
export const FORMAT_VERSION = 2;

/** Stands for "no stop slot" in the preimage. */
export const NO_SLOT = 0xffffffff;

const HEADER_BYTES = 165;
const PORT_BYTES = 14;
const roles: readonly InputRole[] = ["data", "seed", "sampling"];

/** An input or output as the contract sees it. */
export interface Port {
  readonly role: InputRole;
  readonly height: number;
  readonly slot: number;
  readonly byteLength: number;
}

/** All that goes into a model root. */
export interface ModelRootFields {
  readonly programRoot: Uint8Array;
  readonly nodes: number;
  readonly weightsRoot: Uint8Array;
  readonly weights: number;
  readonly initialSlotsRoot: Uint8Array;
  readonly slots: number;
  readonly schedule: "fixed" | "request";
  readonly iterations: number;
  readonly kept: number;
  readonly stopSlot?: number;
  readonly metadataHash: Uint8Array;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** The bytes whose keccak256 is the model root: 165 + 14 * (inputs + outputs). */
export function modelRootPreimage(fields: ModelRootFields): Uint8Array {
  const ports = [...fields.inputs, ...fields.outputs];
  const bytes = new Uint8Array(HEADER_BYTES + PORT_BYTES * ports.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, FORMAT_VERSION);
  bytes.set(fields.programRoot, 4);
  view.setUint32(36, fields.nodes);
  bytes.set(fields.weightsRoot, 40);
  view.setUint32(72, fields.weights);
  bytes.set(fields.initialSlotsRoot, 76);
  view.setUint32(108, fields.slots);
  bytes[112] = fields.schedule === "fixed" ? 0 : 1;
  view.setBigUint64(113, BigInt(fields.iterations));
  view.setUint32(121, fields.kept);
  view.setUint32(125, fields.stopSlot ?? NO_SLOT);
  bytes.set(fields.metadataHash, 129);
  view.setUint16(161, fields.inputs.length);
  view.setUint16(163, fields.outputs.length);
  ports.forEach((port, i) => {
    const at = HEADER_BYTES + PORT_BYTES * i;
    bytes[at] = roles.indexOf(port.role);
    bytes[at + 1] = port.height;
    view.setUint32(at + 2, port.slot);
    view.setBigUint64(at + 6, BigInt(port.byteLength));
  });
  return bytes;
}

/** The model root of the given fields. */
export function modelRoot(fields: ModelRootFields): Uint8Array {
  return keccak256(modelRootPreimage(fields));
}

/** Reads a preimage back; throws where length, version, role or a number is not what the format has. */
export function parseModelRootPreimage(preimage: Uint8Array): ModelRootFields {
  const view = new DataView(
    preimage.buffer,
    preimage.byteOffset,
    preimage.byteLength,
  );
  const inputs = preimage.length < HEADER_BYTES ? 0 : view.getUint16(161);
  const outputs = preimage.length < HEADER_BYTES ? 0 : view.getUint16(163);
  const length = HEADER_BYTES + PORT_BYTES * (inputs + outputs);
  if (preimage.length !== length) fail(`${length} bytes`, preimage.length);
  if (view.getUint32(0) !== FORMAT_VERSION) {
    fail(`format version ${FORMAT_VERSION}`, view.getUint32(0));
  }
  if (preimage[112] > 1) fail("schedule 0 or 1", preimage[112]);
  const ports = Array.from(
    { length: inputs + outputs },
    (_, i) => parsePort(view, HEADER_BYTES + PORT_BYTES * i),
  );
  const stopSlot = view.getUint32(125);
  return {
    programRoot: preimage.slice(4, 36),
    nodes: view.getUint32(36),
    weightsRoot: preimage.slice(40, 72),
    weights: view.getUint32(72),
    initialSlotsRoot: preimage.slice(76, 108),
    slots: view.getUint32(108),
    schedule: preimage[112] === 0 ? "fixed" : "request",
    iterations: exact(view.getBigUint64(113)),
    kept: view.getUint32(121),
    ...(stopSlot === NO_SLOT ? {} : { stopSlot }),
    metadataHash: preimage.slice(129, 161),
    inputs: ports.slice(0, inputs),
    outputs: ports.slice(inputs),
  };
}

function parsePort(view: DataView, at: number): Port {
  const role = roles[view.getUint8(at)];
  if (role === undefined) fail("role 0, 1 or 2", view.getUint8(at));
  return {
    role,
    height: view.getUint8(at + 1),
    slot: view.getUint32(at + 2),
    byteLength: exact(view.getBigUint64(at + 6)),
  };
}

function exact(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    fail("a number below 2^53", value);
  }
  return Number(value);
}

function fail(expected: string, found: number | bigint): never {
  throw new ChainLearnError(
    `Cannot read the model root's preimage: expected ${expected}, found ${found}`,
  );
}
