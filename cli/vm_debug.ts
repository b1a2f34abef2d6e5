/** `chainlearn vm debug`: a line debugger that also goes backwards; at a terminal or with its commands from a pipe. */
import type { Command } from "commander";
import { createInterface } from "node:readline/promises";
import process from "node:process";
import { ChainLearnError } from "../fpvm/mod.ts";
import { formatCount, paint } from "./terminal.ts";
import { debugCommands, findCommand, where } from "./vm_debug_commands.ts";
import { addProgram, openProgram, type ProgramOptions } from "./vm_program.ts";
import { reportError } from "./errors.ts";
import { VmSession } from "./vm_session.ts";

export const summary = "debug a program: break, watch, step and go back";

const PROMPT = "(vm) ";

interface DebugOptions extends ProgramOptions {
  command: string[];
}

/** A line of the user as a command and its words; an empty one repeats the last at a terminal. */
function wordsOf(line: string): string[] {
  return line.replace(/#.*$/, "").trim().split(/\s+/).filter((word) => word);
}

async function debug(path: string, options: DebugOptions): Promise<void> {
  const program = await openProgram(path, options);
  let isInterrupted = false;
  const debuggee = {
    ...program,
    session: new VmSession(program.state),
    isInterrupted: () => isInterrupted,
  };
  const isTerminal = Deno.stdin.isTerminal() && options.command.length === 0;
  const execute = async (line: string): Promise<boolean> => {
    const [name, ...words] = wordsOf(line);
    if (name === undefined) return true;
    if (name === "quit" || name === "q") return false;
    isInterrupted = false;
    const text = await findCommand(name).run(debuggee, words);
    if (text !== "") console.log(text);
    return true;
  };
  console.log(
    `${program.name}: ${
      formatCount(program.symbols.length)
    } symbols; "help" lists the commands`,
  );
  console.log(where(debuggee));
  if (!isTerminal) {
    const lines = options.command.length > 0
      ? options.command
      : (await new Response(Deno.stdin.readable).text()).split("\n");
    for (const line of lines) {
      if (wordsOf(line).length === 0) continue;
      console.log(paint.dim(`${PROMPT}${line.trim()}`));
      // An error ends it with the error's exit code: later lines count on earlier ones.
      if (!await execute(line)) return;
    }
    return;
  }
  const reader = createInterface({
    input: process.stdin,
    output: process.stdout,
    completer: (line: string): [string[], string] => [
      debugCommands.map(({ name }) => name)
        .filter((name) => name.startsWith(line)),
      line,
    ],
  });
  let isAsking = false;
  reader.on("SIGINT", () => {
    isInterrupted = true;
    if (!isAsking) return;
    // As in a shell, Ctrl-C discards the line that was begun.
    reader.write(null, { ctrl: true, name: "e" });
    reader.write(null, { ctrl: true, name: "u" });
  });
  // Ctrl-D closes the reader, which leaves a question unanswered for ever.
  const closed = new Promise<string>((resolve) =>
    reader.once("close", () => {
      // The shell's prompt belongs on a line of its own.
      if (isAsking) console.log();
      resolve("quit");
    })
  );
  let last = "";
  try {
    while (true) {
      isAsking = true;
      const line = await Promise.race([reader.question(PROMPT), closed]);
      isAsking = false;
      // An empty line repeats the last one.
      if (line.trim() !== "") last = line;
      try {
        if (!await execute(last)) return;
      } catch (error) {
        if (!(error instanceof ChainLearnError)) throw error;
        reportError(error);
      }
    }
  } finally {
    reader.close();
  }
}

/** Adds the subcommand's arguments and options. */
export function define(command: Command): void {
  addProgram(command)
    .option(
      "-c, --command <line>",
      "run this command instead of asking, once for each",
      (line: string, lines: string[]) => [...lines, line],
      [],
    )
    .addHelpText(
      "after",
      `\nCommands:\n${
        debugCommands.map(({ usage, help }) => `  ${usage.padEnd(26)}${help}`)
          .join("\n")
      }\n  ${
        "quit".padEnd(26)
      }leave (q)\n\nPlaces are numbers, symbols and registers, also in sums: 0x30000010, table+8, $sp-16.\nWithout a terminal the commands are read from standard input and echoed.\n\nExamples:\n  chainlearn vm debug prog.elf\n  chainlearn vm debug prog.elf -c "break main" -c continue -c registers\n  echo "goto 1000\nregisters" | chainlearn vm debug prog.elf`,
    )
    .action(debug);
}
