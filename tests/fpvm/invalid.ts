/** Witnesses that must be refused, each with the attack it stands for. */
import {
  buildWitness,
  encode,
  STATE_BYTES,
  SYSCALL,
  type VmState,
} from "../../fpvm/mod.ts";
import { machine } from "./machines.ts";

/** A witness with a sentence that says what is wrong with it. */
export interface InvalidWitness {
  name: string;
  witness: Uint8Array;
}

function edited(
  witness: Uint8Array,
  edit: (bytes: Uint8Array) => void,
): Uint8Array {
  const bytes = witness.slice();
  edit(bytes);
  return bytes;
}

const appended = (witness: Uint8Array, count: number) => {
  const bytes = new Uint8Array(witness.length + count);
  bytes.set(witness);
  return bytes;
};

function storing(value: number, address = 0x3000_0004): VmState {
  return machine({
    code: [encode("sw", { rt: 9, rs: 8 })],
    registers: { 8: address, 9: value },
    words: { 0x3000_0000: 1, 0x3000_0004: 2, 0x3000_0024: 3 },
  });
}

const saving = () =>
  machine({
    code: [encode("syscall")],
    registers: { 2: SYSCALL.save, 4: 0x4000_0000, 5: 1, 6: 0 },
    words: { 0x4000_0000: 5, 0x4000_0040: 6, 0x1100_0000: 7 },
  });

/** Length of an item at an offset: 32 bytes, the map, and the siblings it names. */
function itemLength(witness: Uint8Array, at: number): number {
  const map = new DataView(witness.buffer).getUint32(at + 32);
  return 36 + 32 * map.toString(2).replaceAll("0", "").length;
}

/** All of them. */
export function invalidWitnesses(): InvalidWitness[] {
  const good = buildWitness(storing(9));
  const data = STATE_BYTES + itemLength(good, STATE_BYTES);
  const save = buildWitness(saving());
  const subtree = STATE_BYTES + itemLength(save, STATE_BYTES);
  const key = subtree + itemLength(save, subtree);
  const fetch = buildWitness(machine({ code: [0], pc: 2 }));
  const stopped = buildWitness(machine({ status: 1 }));
  const encodingTrap = buildWitness(machine({ code: [0x0000000d] }));
  const running = buildWitness(machine({ code: [0] }));
  const elsewhere = buildWitness(storing(9, 0x3000_0024));
  const setMapBit = (at: number, bit: number) => (bytes: Uint8Array) => {
    bytes[at + 35 - (bit >>> 3)] |= 1 << (bit & 7);
  };
  const joined = (parts: Uint8Array[]) =>
    Uint8Array.from(parts.flatMap((part) => [...part]));
  return [
    { name: "P1 empty", witness: new Uint8Array(0) },
    { name: "P1 state one byte short", witness: good.slice(0, 177) },
    { name: "P1 state alone", witness: good.slice(0, 178) },
    { name: "P1 one byte short", witness: good.slice(0, -1) },
    { name: "P1 one sibling short", witness: good.slice(0, -32) },
    { name: "P1 missing data leaf", witness: good.slice(0, data) },
    { name: "P1 missing key leaf", witness: save.slice(0, key) },
    { name: "P1 trailing byte", witness: appended(good, 1) },
    { name: "P1 trailing word of zeros", witness: appended(good, 32) },
    { name: "P1 trailing item", witness: appended(good, 36) },
    {
      name: "P1 trailing bytes after a stopped state",
      witness: appended(stopped, 1),
    },
    { name: "P1 instruction after a fetch trap", witness: appended(fetch, 36) },
    {
      name: "P1 item after an encoding trap",
      witness: appended(encodingTrap, 36),
    },
    {
      name: "P1 data item for an instruction without one",
      witness: joined([running, good.slice(data)]),
    },
    {
      name: "P1 items swapped",
      witness: joined([
        save.slice(0, subtree),
        save.slice(key),
        save.slice(subtree, key),
      ]),
    },
    {
      name: "map bit 27 of the instruction",
      witness: edited(good, setMapBit(STATE_BYTES, 27)),
    },
    {
      name: "map bit 31 of the instruction",
      witness: edited(good, setMapBit(STATE_BYTES, 31)),
    },
    {
      name: "map bit at the join level of the data",
      witness: appended(edited(good, setMapBit(data, 24)), 32),
    },
    {
      name: "map bit below the subtree's height",
      witness: appended(edited(save, setMapBit(subtree, 0)), 32),
    },
    {
      name: "map bit without its sibling",
      witness: edited(good, setMapBit(data, 5)),
    },
    {
      name: "P2 data leaf other than the one proven",
      witness: edited(good, (bytes) => bytes[data] ^= 1),
    },
    {
      name: "P2 saved subtree other than the one proven",
      witness: edited(save, (bytes) => bytes[subtree] ^= 1),
    },
    {
      name: "P2 key leaf other than the one proven",
      witness: edited(save, (bytes) => bytes[key] ^= 1),
    },
    {
      name: "P4 proof of another address",
      witness: joined([good.slice(0, data), elsewhere.slice(data)]),
    },
    {
      name: "P4 first two siblings of the data swapped",
      witness: edited(good, (bytes) => {
        const first = bytes.slice(data + 36, data + 68);
        bytes.copyWithin(data + 36, data, data + 32);
        bytes.set(first, data);
      }),
    },
    {
      name: "P6 memory root of another state",
      witness: edited(good, (bytes) => bytes[0] ^= 0x80),
    },
    {
      name: "P6 last byte of the memory root",
      witness: edited(good, (bytes) => bytes[31] ^= 1),
    },
    {
      name: "P6 forged status with the rest of the step",
      witness: edited(good, (bytes) => bytes[48] = 1),
    },
    {
      name: "register 0 is not zero",
      witness: edited(good, (bytes) => bytes[53] = 1),
    },
    {
      name: "register 0 is not zero in a stopped state",
      witness: edited(stopped, (bytes) => bytes[50] = 0x80),
    },
    {
      name: "instruction leaf other than the one proven",
      witness: edited(good, (bytes) => bytes[STATE_BYTES + 31] ^= 1),
    },
  ];
}
