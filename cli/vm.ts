/** `chainlearn vm`: the fraud-proof machine by itself; each subcommand is in a file of its own. */
import type { Command } from "commander";
import { ChainLearnError } from "../fpvm/mod.ts";
import * as debug from "./vm_debug.ts";
import { vmSubcommands } from "./vm_names.ts";
import * as run from "./vm_run.ts";
import * as step from "./vm_step.ts";
import * as trace from "./vm_trace.ts";

const modules = { run, trace, step, debug } satisfies Record<
  (typeof vmSubcommands)[number],
  unknown
>;

/** Adds the subcommands. */
export function define(command: Command): void {
  command
    .description(
      "Run, trace, prove and debug programs on the fraud-proof machine: C programs (ELF) and the leaf programs of a bundle.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn vm run prog.elf\n  chainlearn vm debug prog.elf\n  chainlearn vm trace m.clm --node 3 --leaf 7 --input x.png --to 40\n\nHow to compile one and a worked session: docs/vm.md",
    )
    .argument("[subcommand]").allowExcessArguments()
    .action((name?: string) => {
      const expected = vmSubcommands.join(", ");
      throw new ChainLearnError(
        `Cannot run "vm": expected a subcommand (${expected}), found ${
          name === undefined ? "none" : `"${name}"`
        }`,
      );
    });
  for (const name of vmSubcommands) {
    const { summary, define } = modules[name];
    define(
      command.command(name).summary(summary)
        .description(summary[0].toUpperCase() + summary.slice(1) + ".")
        .option("--debug", "print stack traces of errors"),
    );
  }
}
