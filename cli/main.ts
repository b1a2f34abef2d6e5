/**
 * The command line: one table of commands, loaded only when called, and one place where errors become exit codes.
 *
 * Exit codes: 0 ok, 1 a check failed, 2 wrong usage or input, 3 the environment. What a command does is in its own
 * file; this one knows only names.
 */
import { Command, CommanderError, Help, type Option } from "commander";
// The file itself, not the folder's mod.ts: every start of the command line loads it.
import { ChainLearnError } from "../fpvm/errors.ts";
import { reportError, setDebug } from "./errors.ts";

/** A file of `cli/`: adds arguments, options, help and action to its command. */
export interface CommandModule {
  define(command: Command): void;
}

interface Entry {
  readonly summary: string;
  readonly load?: () => Promise<CommandModule>;
}

/** Every command, in the order of the help. Those without `load` come with later versions. */
export const commands: Readonly<Record<string, Entry>> = {
  demo: {
    summary: "play two disputes on a local chain and watch both liars lose",
    load: () => import("./demo.ts"),
  },
  convert: {
    summary: "turn a model into a bundle (.clm)",
    load: () => import("./convert.ts"),
  },
  inspect: {
    summary: "show what is in a model or a bundle",
    load: () => import("./inspect.ts"),
  },
  estimate: {
    summary: "forecast time, memory, steps, gas and stakes",
    load: () => import("./estimate.ts"),
  },
  run: {
    summary: "execute a model and print its answer",
    load: () => import("./run.ts"),
  },
  verify: {
    summary: "check that every device gives the same bytes",
    load: () => import("./verify.ts"),
  },
  prove: {
    summary: "write a claim: the roots of all states",
    load: () => import("./prove.ts"),
  },
  bisect: {
    summary: "play a dispute between two claims without a chain",
    load: () => import("./bisect.ts"),
  },
  arbitrate: {
    summary: "judge a disputed step from its witness",
    load: () => import("./arbitrate.ts"),
  },
  devnet: {
    summary: "start a local chain with the contracts",
    load: () => import("./devnet.ts"),
  },
  deploy: {
    summary: "deploy the contracts",
    load: () => import("./deploy.ts"),
  },
  register: {
    summary: "register a model with its stakes and clocks",
    load: () => import("./register.ts"),
  },
  request: { summary: "ask for an answer", load: () => import("./request.ts") },
  submit: {
    summary: "answer a request with a stake",
    load: () => import("./submit.ts"),
  },
  challenge: {
    summary: "re-run a submission and dispute it if it is false",
    load: () => import("./challenge.ts"),
  },
  finalize: {
    summary: "make an answer final and pull payments",
    load: () => import("./finalize.ts"),
  },
  status: {
    summary: "show a registration, request, submission or dispute",
    load: () => import("./status.ts"),
  },
  vm: {
    summary: "run, trace, prove and debug programs on the machine",
    load: () => import("./vm.ts"),
  },
  doctor: {
    summary: "check what this machine can do",
    load: () => import("./doctor.ts"),
  },
  bench: {
    summary: "measure, beside the peers that are installed",
    load: () => import("./bench.ts"),
  },
  completion: {
    summary: "print a completion script for a shell",
    load: () => import("./completion.ts"),
  },
  eval: { summary: "accuracy of a model on a data set" },
  generate: { summary: "text from a language model" },
  train: { summary: "deterministic training" },
  serve: { summary: "answer requests as a daemon" },
  watch: { summary: "re-run submissions as a daemon" },
  economics: { summary: "stakes and incentives" },
  report: { summary: "a dispute or run as a page" },
  devices: { summary: "GPU adapters and their self-test" },
};

const VERSION = "0.1.0";

/** As the library writes it, without `(default: [])` for options that may be repeated. */
function optionDescription(option: Option): string {
  return Array.isArray(option.defaultValue)
    ? option.description
    : Help.prototype.optionDescription(option);
}

function newProgram(): Command {
  const program = new Command("chainlearn");
  program
    .description(
      "Act on a machine-learning model's answer on chain, without trusting whoever computed it.",
    )
    .version(VERSION)
    .option("--debug", "print stack traces of errors")
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn demo\n  chainlearn convert model.onnx\n  chainlearn run model.clm --input picture.png\n\nModel, inputs and, once somebody disputes, every intermediate value are public: ChainLearn gives integrity, not privacy.",
    )
    .exitOverride()
    .configureHelp({ optionDescription })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "Error: ")),
    });
  return program;
}

/** Adds `name` to the program, with its options if it is the one that was called. */
async function addCommand(
  program: Command,
  name: string,
  called: boolean,
): Promise<void> {
  const { summary, load } = commands[name];
  const command = program.command(name).summary(summary).exitOverride();
  command.description(summary[0].toUpperCase() + summary.slice(1) + ".");
  if (!load) {
    command.description(`${command.description()} Not in this version.`)
      .helpGroup("Not in this version:").allowUnknownOption()
      .allowExcessArguments();
    command.action(() => {
      throw new ChainLearnError(
        `Cannot run "${name}": it is not in this version`,
      );
    });
  } else if (called) {
    (await load()).define(
      command.option("--debug", "print stack traces of errors"),
    );
  }
}

/** Runs one command and returns the exit code; prints every error in one form. */
export async function main(args: readonly string[]): Promise<number> {
  setDebug(args.includes("--debug"));
  const program = newProgram();
  const called = args.find((arg) => Object.hasOwn(commands, arg));
  for (const name of Object.keys(commands)) {
    await addCommand(program, name, name === called);
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCodeOfSuccess();
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Asked for nothing: commander has printed the help.
      return 2;
    }
    return reportError(error);
  }
}

/** A command whose check failed sets Deno.exitCode instead of throwing. */
function exitCodeOfSuccess(): number {
  return Deno.exitCode;
}
