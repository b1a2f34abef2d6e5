/**
 * Node descriptors: the bytes that tell a contract what one graph node does (docs/formats.md).
 *
 * A descriptor names the program, the operands, the result slot and the step limit of a node. It says nothing
 * about names, types or kernels. `contracts/src/Descriptor.sol` is the same decoder on chain.
 */

/** Tallest program and tallest *whole* result: 16 MiB. */
export const MAX_PROGRAM_HEIGHT = 19;
/** Tallest tensor: 2 GiB. */
export const MAX_TENSOR_HEIGHT = 26;
export const MAX_OPERANDS = 31;

const HEADER_BYTES = 52;
const OPERAND_BYTES = 8;
const WHOLE = 1;

/** Kinds of operand, in the order of their byte. */
export const operandKinds = ["weight", "slot", "weights_table"] as const;
export type OperandKind = (typeof operandKinds)[number];

export interface DescriptorOperand {
  readonly kind: OperandKind;
  /** Of the weight or slot; 0 for the weights table. */
  readonly index: number;
  readonly height: number;
}

export interface Descriptor {
  readonly programRoot: Uint8Array;
  readonly programHeight: number;
  readonly whole: boolean;
  readonly resultHeight: number;
  /** Below 2^53 in every bundle; the bytes have room for 64 bits. */
  readonly maxSteps: bigint;
  readonly resultSlot: number;
  readonly operands: readonly DescriptorOperand[];
}

/** What the indices of a descriptor must stay below. */
export interface DescriptorLimits {
  readonly weights: number;
  readonly slots: number;
}

/** Packs a descriptor into its 52 + 8 * operands bytes. */
export function encodeDescriptor(descriptor: Descriptor): Uint8Array {
  const bytes = new Uint8Array(
    HEADER_BYTES + OPERAND_BYTES * descriptor.operands.length,
  );
  const view = new DataView(bytes.buffer);
  bytes.set(descriptor.programRoot, 0);
  bytes[32] = descriptor.programHeight;
  bytes[33] = descriptor.whole ? WHOLE : 0;
  bytes[34] = descriptor.resultHeight;
  bytes[35] = descriptor.operands.length;
  view.setBigUint64(36, descriptor.maxSteps);
  view.setUint32(44, descriptor.resultSlot);
  descriptor.operands.forEach((operand, j) => {
    const at = HEADER_BYTES + OPERAND_BYTES * j;
    bytes[at] = operandKinds.indexOf(operand.kind);
    bytes[at + 1] = operand.height;
    view.setUint32(at + 4, operand.index);
  });
  return bytes;
}

/** Unpacks a descriptor; null if it is void, so that its step leaves the state unchanged. */
export function decodeDescriptor(
  bytes: Uint8Array,
  limits: DescriptorLimits,
): Descriptor | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [programHeight, flags, resultHeight, count] = bytes.subarray(32, 36);
  const resultSlot = view.getUint32(44);
  const whole = flags === WHOLE;
  if (
    bytes.length !== HEADER_BYTES + OPERAND_BYTES * count ||
    count > MAX_OPERANDS || flags > WHOLE ||
    programHeight > MAX_PROGRAM_HEIGHT ||
    resultHeight > (whole ? MAX_PROGRAM_HEIGHT : MAX_TENSOR_HEIGHT) ||
    view.getUint32(48) !== 0 || resultSlot >= limits.slots
  ) return null;
  const operands: DescriptorOperand[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += OPERAND_BYTES) {
    const kind = operandKinds[bytes[at]];
    const index = view.getUint32(at + 4);
    const below = {
      weight: limits.weights,
      slot: limits.slots,
      weights_table: 1,
    };
    if (
      kind === undefined || index >= below[kind] ||
      bytes[at + 1] > MAX_TENSOR_HEIGHT || view.getUint16(at + 2) !== 0
    ) return null;
    operands.push({ kind, index, height: bytes[at + 1] });
  }
  return {
    programRoot: bytes.slice(0, 32),
    programHeight,
    whole,
    resultHeight,
    maxSteps: view.getBigUint64(36),
    resultSlot,
    operands,
  };
}
