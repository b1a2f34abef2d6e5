/**
 * The commands of the line debugger: each takes the words after its name and returns what to print.
 */
import {
  buildWitness,
  ChainLearnError,
  decode,
  REGISTER_NAMES,
  stateHash,
} from "../fpvm/mod.ts";
import { writeFile } from "./files.ts";
import { formatCount, paint, toHex } from "./terminal.ts";
import type { Program } from "./vm_program.ts";
import type { Reason, VmSession } from "./vm_session.ts";
import {
  formatAddress,
  formatCode,
  formatMemory,
  formatNext,
  formatRegisters,
  formatStatus,
  formatStep,
  formatWord,
  placeName,
} from "./vm_text.ts";
import { type Names, parseAddress, parseSize } from "./vm_value.ts";

/** A program under the debugger. */
export interface Debuggee extends Program {
  readonly session: VmSession;
  readonly isInterrupted: () => boolean;
}

/** One command. */
export interface DebugCommand {
  readonly name: string;
  /** Short forms. */
  readonly aliases: readonly string[];
  readonly usage: string;
  readonly help: string;
  /** What to print. @throws ChainLearnError for words that it does not understand. */
  run(debuggee: Debuggee, words: string[]): string | Promise<string>;
}

/** Steps of one `step` that are told one by one. */
const TOLD_STEPS = 100;

function namesOf({ session, symbols }: Debuggee): Names {
  const { registers, pc } = session.state;
  return { symbols, registers, pc };
}

function refuseWords(usage: string, words: string[]): ChainLearnError {
  return new ChainLearnError(
    `Cannot understand "${
      words.join(" ")
    }": expected ${usage}, found other words`,
  );
}

/** Where it stands: the next step's number, place and instruction, or how the program ended. */
export function where({ session, symbols }: Debuggee): string {
  const { state, position } = session;
  if (!session.isRunning) {
    return `after ${formatCount(position)} steps: ${formatStatus(state)}, at ${
      formatAddress(symbols, state.pc)
    }`;
  }
  return `${paint.cyan(`step ${formatCount(position)}`)}  ${
    formatAddress(symbols, state.pc)
  }  ${formatNext(state, symbols)}`;
}

/** Why it stopped, then where. */
function stopped(debuggee: Debuggee, reason: Reason): string {
  const { session, symbols } = debuggee;
  if (reason.kind === "watched") {
    const { address, before, value } = reason;
    const effect = session.lastEffect()!;
    return [
      `[${formatAddress(symbols, address)}] was ${formatWord(before)}, is ${
        formatWord(value)
      }, by`,
      formatStep(session.position - 1, effect, symbols),
      where(debuggee),
    ].join("\n");
  }
  const text = {
    start: "at the start",
    end: "",
    step: "",
    address: "",
    interrupted: "interrupted",
  }[reason.kind];
  return [text, where(debuggee)].filter((line) => line !== "").join("\n");
}

function stepForward(debuggee: Debuggee, words: string[]): string {
  const { session, symbols } = debuggee;
  const count = words.length === 0 ? 1 : parseSize(words[0]);
  if (count > TOLD_STEPS) session.goTo(session.position + count - TOLD_STEPS);
  const end = session.position + Math.min(count, TOLD_STEPS);
  const lines: string[] = [];
  while (session.position < end && session.isRunning) {
    const { position } = session;
    lines.push(formatStep(position, session.stepOnce(), symbols));
  }
  return [...lines, where(debuggee)].join("\n");
}

/** Instructions that leave a return address. */
const CALLS: ReadonlySet<string> = new Set(
  ["jal", "jalr", "bltzal", "bgezal", "bltzall", "bgezall"],
);

/** Over a call: to the instruction after its delay slot, in the same frame. */
async function stepOver(debuggee: Debuggee): Promise<string> {
  const { session } = debuggee;
  const { pc, registers, memory } = session.state;
  const name = decode(memory.load32(pc))?.name ?? "";
  if (!CALLS.has(name)) return stepForward(debuggee, []);
  const { addresses } = session.stops;
  const isOwn = !addresses.has(pc + 8);
  addresses.add(pc + 8);
  const frame = registers[29];
  try {
    while (true) {
      const reason = await session.resume(debuggee.isInterrupted);
      const { state } = session;
      const isReturn = reason.kind === "address" && state.pc === pc + 8;
      if (!isReturn || state.registers[29] === frame) {
        return stopped(debuggee, reason);
      }
    }
  } finally {
    if (isOwn) addresses.delete(pc + 8);
  }
}

/** `10000` and `step 10000` are steps, everything else is an address. */
function addStop(debuggee: Debuggee, words: string[]): string {
  const { stops } = debuggee.session;
  if (words[0] === "step" && words.length === 2) {
    stops.steps.add(parseSize(words[1]));
    return `stops after ${formatCount(parseSize(words[1]))} steps`;
  }
  if (words.length !== 1) {
    throw refuseWords("break PLACE or break step N", ["break", ...words]);
  }
  const address = parseAddress(words[0], namesOf(debuggee));
  stops.addresses.add(address);
  return `stops before ${formatAddress(debuggee.symbols, address)}`;
}

function addWatch(debuggee: Debuggee, words: string[]): string {
  if (words.length < 1) throw refuseWords("watch PLACE [LENGTH]", ["watch"]);
  const place = parseAddress(words[0], namesOf(debuggee));
  const length = words.length > 1 ? parseSize(words[1]) : 4;
  const first = (place & ~3) >>> 0;
  for (let at = first; at < place + length; at += 4) {
    debuggee.session.stops.watched.add(at);
  }
  const count = Math.ceil((place + length - first) / 4);
  const what = count === 1 ? "word at" : `${count} words from`;
  return `stops after a change of the ${what} ${
    formatAddress(debuggee.symbols, first)
  }`;
}

function listStops({ session: { stops }, symbols }: Debuggee): string {
  const lines = [
    ...[...stops.steps].map((step) => `step ${formatCount(step)}`),
    ...[...stops.addresses].map((at) => `before ${formatAddress(symbols, at)}`),
    ...[...stops.watched].map((at) =>
      `change of [${formatAddress(symbols, at)}]`
    ),
  ];
  return lines.length > 0 ? lines.join("\n") : "none";
}

function deleteStops(debuggee: Debuggee, words: string[]): string {
  const { steps, addresses, watched } = debuggee.session.stops;
  if (words.length === 0) {
    for (const stops of [steps, addresses, watched]) stops.clear();
  } else if (words[0] === "step" && words.length === 2) {
    steps.delete(parseSize(words[1]));
  } else {
    const address = parseAddress(words[0], namesOf(debuggee));
    addresses.delete(address);
    watched.delete((address & ~3) >>> 0);
  }
  return listStops(debuggee);
}

async function writeWitness(
  { session }: Debuggee,
  words: string[],
): Promise<string> {
  const witness = buildWitness(session.state);
  if (words.length === 0) return toHex(witness);
  await writeFile(words[0], `${toHex(witness)}\n`, "witness");
  return `wrote ${words[0]}: ${formatCount(witness.length)} bytes`;
}

function showRegisters(debuggee: Debuggee, words: string[]): string {
  const { session: { state }, symbols } = debuggee;
  if (words.length === 0) return formatRegisters(state, symbols);
  return words.map((word) => {
    const value = parseAddress(
      word.startsWith("$") ? word : `$${word}`,
      namesOf(debuggee),
    );
    const name = word.replace(/^\$/, "");
    // Small numbers are rarely addresses.
    const place = REGISTER_NAMES.includes(name) && value > 9
      ? placeName(symbols, value)
      : "";
    return `$${name} = ${formatWord(value | 0)}${place && ` <${place}>`}`;
  }).join("\n");
}

/** Every command, in the order of the help. */
export const debugCommands: readonly DebugCommand[] = [
  {
    name: "step",
    aliases: ["s"],
    usage: "step [N]",
    help: "take N steps (1) and tell them",
    run: stepForward,
  },
  {
    name: "next",
    aliases: ["n"],
    usage: "next",
    help: "take a step, a call as one",
    run: stepOver,
  },
  {
    name: "back",
    aliases: ["b"],
    usage: "back [N]",
    help: "go N steps back (1)",
    run(debuggee, [count = "1"]) {
      const { session } = debuggee;
      session.goTo(Math.max(0, session.position - parseSize(count)));
      return where(debuggee);
    },
  },
  {
    name: "goto",
    aliases: ["g"],
    usage: "goto N",
    help: "go to where N steps are done",
    run(debuggee, words) {
      if (words.length !== 1) throw refuseWords("goto N", ["goto", ...words]);
      debuggee.session.goTo(parseSize(words[0]));
      return where(debuggee);
    },
  },
  {
    name: "continue",
    aliases: ["c"],
    usage: "continue",
    help: "run to the next stop or the end",
    run: async (debuggee) =>
      stopped(debuggee, await debuggee.session.resume(debuggee.isInterrupted)),
  },
  {
    name: "reverse",
    aliases: ["rc"],
    usage: "reverse",
    help: "run back to the last stop or the start",
    run: (debuggee) => stopped(debuggee, debuggee.session.resumeBack()),
  },
  {
    name: "break",
    aliases: ["br"],
    usage: "break PLACE | step N",
    help: "stop before an instruction, or after N steps",
    run: addStop,
  },
  {
    name: "watch",
    aliases: ["w"],
    usage: "watch PLACE [LENGTH]",
    help: "stop after a change of memory (4 bytes)",
    run: addWatch,
  },
  {
    name: "stops",
    aliases: [],
    usage: "stops",
    help: "list where it stops",
    run: listStops,
  },
  {
    name: "delete",
    aliases: ["d"],
    usage: "delete [PLACE | step N]",
    help: "forget one stop or all",
    run: deleteStops,
  },
  {
    name: "where",
    aliases: [],
    usage: "where",
    help: "the next step and the instruction",
    run: where,
  },
  {
    name: "registers",
    aliases: ["r", "regs"],
    usage: "registers [NAME...]",
    help: "all registers, or these",
    run: showRegisters,
  },
  {
    name: "memory",
    aliases: ["x", "m"],
    usage: "memory PLACE [LENGTH]",
    help: "bytes of memory (64)",
    run(debuggee, words) {
      if (words.length < 1) {
        throw refuseWords("memory PLACE [LENGTH]", ["memory"]);
      }
      const length = words.length > 1 ? parseSize(words[1]) : 64;
      const address = parseAddress(words[0], namesOf(debuggee));
      return formatMemory(debuggee.session.state, address, length);
    },
  },
  {
    name: "list",
    aliases: ["l", "dis"],
    usage: "list [PLACE] [COUNT]",
    help: "instructions around pc, or from a place on (11)",
    run(debuggee, words) {
      const { session: { state }, symbols } = debuggee;
      const count = words.length > 1 ? parseSize(words[1]) : 11;
      const from = words.length > 0
        ? (parseAddress(words[0], namesOf(debuggee)) & ~3) >>> 0
        : Math.max(0, (state.pc & ~3) - 20);
      return formatCode(state, from, count, symbols);
    },
  },
  {
    name: "symbols",
    aliases: ["sym"],
    usage: "symbols [TEXT]",
    help: "symbols whose names contain a text",
    run: ({ symbols }, [text = ""]) =>
      symbols.filter(({ name }) => name.includes(text))
        .map(({ name, address, size }) =>
          `0x${address.toString(16).padStart(8, "0")}  ${
            String(size).padStart(7)
          }  ${name}`
        ).join("\n") || "none",
  },
  {
    name: "hash",
    aliases: [],
    usage: "hash",
    help: "the state hash",
    run: ({ session }) => toHex(stateHash(session.state)),
  },
  {
    name: "witness",
    aliases: [],
    usage: "witness [FILE]",
    help: "the witness of the next step, printed or written",
    run: writeWitness,
  },
  {
    name: "help",
    aliases: ["h", "?"],
    usage: "help",
    help: "this list",
    run: () =>
      [
        ...debugCommands.map(({ usage, aliases, help }) =>
          `${usage.padEnd(24)}${aliases.join(" ").padEnd(8)}${help}`
        ),
        `${"quit".padEnd(24)}${"q".padEnd(8)}leave`,
      ].join("\n"),
  },
];

/** The command of that name or short form. */
export function findCommand(name: string): DebugCommand {
  const found = debugCommands.find((command) =>
    command.name === name || command.aliases.includes(name)
  );
  if (found !== undefined) return found;
  throw new ChainLearnError(
    `Cannot run the debugger's command "${name}": expected one that "help" lists, found another`,
  );
}
