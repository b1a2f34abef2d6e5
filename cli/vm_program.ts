/**
 * Programs as the `vm` commands take them: an ELF file, or the program of one leaf out of a bundle.
 */
import type { Command } from "commander";
import {
  ChainLearnError,
  type ElfSymbol,
  loadElf,
  readElfSymbols,
  type VmState,
} from "../fpvm/mod.ts";
import { readFile } from "./files.ts";
import { collect, parseCount } from "./options.ts";

/** A program before its first step. */
export interface Program {
  /** What messages call it. */
  readonly name: string;
  readonly state: VmState;
  readonly symbols: readonly ElfSymbol[];
}

/** Where in a bundle the program is; none of it for an ELF file. */
export interface ProgramOptions {
  readonly node?: string;
  readonly leaf?: number;
  readonly input: string[];
}

/** Adds the argument and options that name a program; optional where a command may do without. */
export function addProgram(command: Command, optional = false): Command {
  return command
    .argument(
      optional ? "[program]" : "<program>",
      "an ELF file (static, little-endian MIPS, soft-float) or a .clm file",
    )
    .option("--node <name>", "of a bundle: the node's name, or its step")
    .option(
      "--leaf <n>",
      "of a bundle: which leaf of the result (default: 0)",
      parseCount,
    )
    .option(
      "-i, --input <file>",
      "of a bundle: an input, once for each (name=file)",
      collect,
      [],
    );
}

/** Reads an ELF file with its symbols, or composes a leaf's program out of a bundle. */
export async function openProgram(
  path: string,
  options: ProgramOptions,
): Promise<Program> {
  if (path.endsWith(".clm")) {
    // Compiler and runtime are loaded only for them: an ELF file starts in a tenth of the time.
    return await (await import("./vm_leaf.ts")).openLeaf(path, options);
  }
  const { node, leaf, input } = options;
  if (node !== undefined || leaf !== undefined || input.length > 0) {
    throw new ChainLearnError(
      `Cannot open ${path}: expected a .clm file for --node, --leaf and --input, found another ending`,
    );
  }
  const file = await readFile(path, "program");
  try {
    return {
      name: path,
      state: loadElf(file),
      symbols: readElfSymbols(file),
    };
  } catch (cause) {
    if (!(cause instanceof ChainLearnError)) throw cause;
    const message = cause.message.replace("the ELF file", path);
    throw new ChainLearnError(message, {
      cause,
      hint: "docs/vm.md says how to compile for the machine",
    });
  }
}
