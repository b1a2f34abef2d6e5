import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { encodeAbiParameters, encodeFunctionData, type Hex } from "viem";
import { artifact } from "../../contracts/artifacts.ts";
import {
  buildWitness,
  encode,
  Memory,
  STATE_BYTES,
  type VmState,
  zeroHash,
} from "../../fpvm/mod.ts";
import {
  type Chain,
  expectedAnswer,
  mirroredAnswer,
  startChain,
} from "./step_batch.ts";
import { at, stateOf } from "./vm_states.ts";

let chain: Chain;
Deno.test.beforeAll(async () => {
  chain = await startChain();
});
Deno.test.afterAll(() => chain.stop());

const [V0, A0, A1, A2, T0, T1] = [2, 4, 5, 6, 8, 9];
const DATA = 0x30000040;

/** Memory with content beside the data, so that paths have siblings. */
const words = {
  4: 1,
  0x20: 2,
  [DATA]: 0x1234,
  [DATA + 32]: 3,
  [DATA - 32]: 4,
  0x40000000: 5,
  0x40000020: 6,
  0x11000000: 7,
};

const load = () =>
  at("lw", { rt: T1, rs: T0 }, { registers: { [T0]: DATA }, words });
const store = () =>
  at("sw", { rt: T1, rs: T0 }, { registers: { [T0]: DATA, [T1]: 9 }, words });
const oracle = (number: number) =>
  at("syscall", {}, {
    registers: { [V0]: number, [A0]: 0x40000000, [A1]: 1, [A2]: DATA },
    words,
  });

/** Where the parts of a witness are: the path after `start` + 32, with its map and siblings. */
function itemAt(witness: Uint8Array, start: number) {
  const map = new DataView(witness.buffer).getUint32(start + 32);
  const siblings = map.toString(2).replaceAll("0", "").length;
  return { start, map, path: start + 36, end: start + 36 + 32 * siblings };
}

function items(witness: Uint8Array) {
  const found = [];
  for (let start = STATE_BYTES; start < witness.length;) {
    const item = itemAt(witness, start);
    found.push(item);
    start = item.end;
  }
  return found;
}

const join = (...parts: Uint8Array[]) =>
  new Uint8Array(parts.flatMap((part) => [...part]));

/** Both tellings refuse every one of these witnesses. */
async function rejects(witnesses: Record<string, Uint8Array>): Promise<void> {
  const answers = await chain.run(Object.values(witnesses));
  Object.entries(witnesses).forEach(([what, witness], i) => {
    assertEquals(answers[i], null, what);
    assertEquals(mirroredAnswer(witness), null, what);
  });
}

async function accepts(state: VmState, witness: Uint8Array): Promise<void> {
  const [answer] = await chain.run([witness]);
  assertEquals(answer, expectedAnswer(state));
  assertEquals(mirroredAnswer(witness), answer);
}

Deno.test("step: P1 VM-7 a missing leaf, a shorter or longer proof and trailing bytes are refused", async () => {
  const bad: Record<string, Uint8Array> = { "no bytes": new Uint8Array(0) };
  for (
    const [name, state] of Object.entries({
      load: load(),
      store: store(),
      graft: oracle(0x4c01),
      save: oracle(0x4c02),
    })
  ) {
    const witness = buildWitness(state);
    for (
      const cut of [
        1,
        31,
        32,
        36,
        witness.length - STATE_BYTES,
        witness.length - STATE_BYTES + 1,
      ]
    ) {
      bad[`${name} without its last ${cut} bytes`] = witness.slice(0, -cut);
    }
    for (const extra of [1, 32, 36]) {
      bad[`${name} and ${extra} more bytes`] = join(
        witness,
        new Uint8Array(extra),
      );
    }
  }
  const stopped = buildWitness(at("sll", {}, { status: 1 }));
  bad["a stopped state and one more byte"] = join(stopped, new Uint8Array(1));
  bad["a fetch that traps, with an instruction"] = join(
    buildWitness(stateOf([], { pc: 2 })),
    buildWitness(load()).slice(STATE_BYTES),
  );
  const trap = at("sw", { rt: T1, rs: T0 }, { registers: { [T0]: 1 }, words });
  bad["a trap before memory, with a data leaf"] = join(
    buildWitness(trap),
    new Uint8Array(36),
  );
  await rejects(bad);
});

Deno.test("step: P1 a shifted ABI offset changes nothing, one beyond the calldata is refused", async () => {
  const state = load();
  const witness: Hex = `0x${buildWitness(state).toHex()}`;
  const { abi } = artifact("StepVm");
  const plain = encodeFunctionData({
    abi,
    functionName: "step",
    args: [witness],
  });
  const selector = plain.slice(0, 10);
  const { prestate, poststate } = expectedAnswer(state)!;
  const answer = `${prestate}${poststate.slice(2)}`;
  const word = (value: bigint) => value.toString(16).padStart(64, "0");
  const tail = encodeAbiParameters([{ type: "bytes" }], [witness]).slice(
    2 + 64,
  );
  const withOffset = (offset: bigint, between = "") =>
    chain.call(`${selector}${word(offset)}${between}${tail}` as Hex);
  assertEquals(await chain.call(plain), answer as Hex);
  assertEquals(await withOffset(64n, word(5n)), answer as Hex);
  assertEquals(await withOffset(0x100000n), null);
  assertEquals(await withOffset(2n ** 255n), null);
  assertEquals(await withOffset(33n), null);
});

Deno.test("step: P2 VM-4 a write needs the leaf that is there", async () => {
  const witness = buildWitness(store());
  const [, data] = items(witness);
  const foreign = witness.slice();
  foreign.fill(0, data.start, data.start + 32);
  const written = witness.slice();
  new DataView(written.buffer).setUint32(data.start, 9, true);
  await rejects({
    "a zero leaf": foreign,
    "the leaf after the write": written,
  });
});

Deno.test("step: P3 VM-4 the second write of a save stands on the first", async () => {
  const state = oracle(0x4c02);
  const witness = buildWitness(state);
  const [, subtree, key] = items(witness);
  const part = ({ start, end }: { start: number; end: number }) =>
    witness.slice(start, end);
  await rejects({
    "the two items swapped": join(
      witness.slice(0, subtree.start),
      part(key),
      part(subtree),
    ),
    "the subtree twice": join(witness.slice(0, key.start), part(subtree)),
  });
  await accepts(state, witness);
});

Deno.test("step: P4 VM-3 a proof for another address, order or level is refused", async () => {
  const witness = buildWitness(load());
  const [, data] = items(witness);
  const elsewhere = at("lw", { rt: T1, rs: T0 }, {
    registers: { [T0]: DATA + 64 },
    words,
  });
  const borrowed = join(
    buildWitness(elsewhere).slice(0, data.start),
    witness.slice(data.start),
  );
  const swapped = witness.slice();
  swapped.set(witness.slice(data.path, data.path + 32), data.start);
  swapped.set(witness.slice(data.start, data.start + 32), data.path);
  // The node above the leaf in place of the leaf, with the path one level shorter.
  const { memory } = load();
  const higher = join(
    witness.slice(0, data.start),
    memory.subtreeRoot(DATA, 1),
    new Uint8Array(new Uint32Array([data.map & ~1]).buffer).reverse(),
    witness.slice(data.path + 32),
  );
  await rejects({
    "another address": borrowed,
    "leaf and sibling swapped": swapped,
    "the node above": higher,
  });
});

Deno.test("step: P4 a leaf whose bytes equal an inner node is a leaf", async () => {
  const node = load().memory.subtreeRoot(DATA, 1);
  const view = new DataView(node.buffer, node.byteOffset);
  const memory = new Memory();
  for (let i = 0; i < 8; i++) {
    memory.store32(DATA + 4 * i, view.getInt32(4 * i, true));
  }
  const state = at("lw", { rt: T1, rs: T0 }, {
    registers: { [T0]: DATA },
    memory,
  });
  await accepts(state, buildWitness(state));
  const [, data] = items(buildWitness(state));
  // Opening the node's own leaf below it would need a level that the tree does not have.
  const witness = buildWitness(state);
  const below = join(
    witness.slice(0, data.start),
    load().memory.leaf(DATA),
    new Uint8Array([0, 0, 0, 1]),
    load().memory.path(DATA)[0],
    witness.slice(data.path),
  );
  await rejects({ "a path one level longer": below });
});

Deno.test("step: P5 a leaf never written is zero, and the first write finds it", async () => {
  const fresh = 0x35000000;
  for (const name of ["lw", "sw"] as const) {
    const state = at(name, { rt: T1, rs: T0 }, {
      registers: { [T0]: fresh, [T1]: 5 },
    });
    const witness = buildWitness(state);
    const [, data] = items(witness);
    assertEquals([data.map, data.end], [0, witness.length]);
    assertEquals(witness.slice(data.start), new Uint8Array(36));
    await accepts(state, witness);
    // A sibling that is sent may equal the zero subtree that would stand for it.
    const sent = join(
      witness.slice(0, data.start + 32),
      new Uint8Array([0, 0, 0, 0b100]),
      zeroHash(2),
    );
    await accepts(state, sent);
  }
});

Deno.test("step: P6 VM-1 VM-2 a forged preimage has another hash or is refused", async () => {
  const state = load();
  const witness = buildWitness(state);
  const honest = expectedAnswer(state)!;
  const forgedStatus = witness.slice(0, STATE_BYTES);
  forgedStatus[48] = 1;
  const [answer] = await chain.run([forgedStatus]);
  assertNotEquals(answer!.prestate, honest.prestate);
  const registerZero = witness.slice();
  registerZero[53] = 1;
  const stopped = registerZero.slice(0, STATE_BYTES);
  stopped[48] = 1;
  const lastByte = witness.slice();
  lastByte[31] ^= 1;
  const firstByte = witness.slice();
  firstByte[0] ^= 1;
  await rejects({
    "register 0 set": registerZero,
    "register 0 set in a stopped state": stopped,
    "the root's last byte": lastByte,
    "the root's first byte": firstByte,
  });
});

Deno.test("step: TREE-1 a map with a bit outside the path is refused", async () => {
  const state = oracle(0x4c02);
  const witness = buildWitness(state);
  const bad: Record<string, Uint8Array> = {};
  items(witness).forEach(({ start }, i) => {
    // The instruction's path has levels 0..26, the subtree's 1..24, the key's 0..22.
    for (const bit of [[27, 31], [0, 25, 26], [23, 26]][i]) {
      const copy = witness.slice();
      const view = new DataView(copy.buffer);
      view.setUint32(
        start + 32,
        (view.getUint32(start + 32) | (1 << bit)) >>> 0,
      );
      bad[`item ${i}, bit ${bit}`] = copy;
      bad[`item ${i}, bit ${bit}, with a sibling`] = join(
        copy.slice(0, start + 36),
        zeroHash(Math.min(bit, 26)),
        copy.slice(start + 36),
      );
    }
  });
  await rejects(bad);
});

Deno.test("step: the key of a load may be any leaf, also the instruction's or one inside what it replaces", async () => {
  for (
    const key of [
      0,
      0x20,
      0x40000000,
      0x40000020,
      0x40000040,
      0x11000000,
      DATA & ~31,
      0xffffffe0,
    ]
  ) {
    const state = at("syscall", {}, {
      registers: { [V0]: 0x4c01, [A0]: 0x40000000, [A1]: 1, [A2]: key },
      words,
    });
    await accepts(state, buildWitness(state));
  }
});

Deno.test("step: VM-8 what is below 16 MiB never changes", async () => {
  for (const name of ["sb", "sh", "sw", "swl", "swr", "sc"] as const) {
    for (const address of [0, 0x20, 0x00fffffc]) {
      const state = at(name, { rt: T1, rs: T0 }, {
        registers: { [T0]: address, [T1]: 5 },
        words,
      });
      const witness = buildWitness(state);
      const [answer] = await chain.run([witness]);
      const trapped = { ...state, status: 2, exitCode: 7 };
      assertEquals(answer!.poststate, expectedAnswer(trapped)!.prestate);
    }
  }
});

Deno.test("step: P7 register 31 stands at the end of the buffer and stays itself", async () => {
  const registers = Object.fromEntries(
    Array.from({ length: 31 }, (_, i) => [i + 1, 0x01020304 * (i + 1) | 0]),
  );
  for (
    const word of [
      encode("addiu", { rt: 31, rs: 31, imm: -1 }),
      encode("sw", { rt: 31, rs: 8 }),
      encode("lw", { rt: 31, rs: 8 }),
      encode("jalr", { rd: 31, rs: 31 }),
    ]
  ) {
    const state = stateOf([word], {
      registers: { ...registers, 8: DATA },
      words,
    });
    await accepts(state, buildWitness(state));
  }
});

Deno.test("step: P8 too little gas reverts and never changes the answer", async () => {
  const state = store();
  const { prestate, poststate } = expectedAnswer(state)!;
  const { abi } = artifact("StepVm");
  const data = encodeFunctionData({
    abi,
    functionName: "step",
    args: [`0x${buildWitness(state).toHex()}`],
  });
  const answers = new Map<Hex | null, number>();
  for (let gas = 22_000n; gas < 90_000n; gas += 500n) {
    const answer = await chain.call(data, gas);
    answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  assertEquals(answers.size, 2);
  assert(answers.get(null)! > 5);
  assert(answers.get(`${prestate}${poststate.slice(2)}` as Hex)! > 5);
});
