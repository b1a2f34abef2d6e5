/** `chainlearn prove`: runs a model and writes a claim, the roots of all its states. */
import type { Command } from "commander";
import {
  Execution,
  faultyParty,
  instructionOf,
  LeafTrace,
  parseFault,
  writeClaim,
  writeWitness,
} from "../dispute/mod.ts";
import { stepWitness } from "../fpvm/mod.ts";
import { iterationsOf } from "../runtime/mod.ts";
import { openBundle, withExecutor } from "./bundles.ts";
import { stem, writeFile } from "./files.ts";
import { readInputs } from "./inputs.ts";
import { collect, parseCount } from "./options.ts";
import { note, printJson, toHex } from "./terminal.ts";

interface ProveOptions {
  input: string[];
  output?: string;
  iterations?: number;
  states?: boolean;
  fault?: string;
  witness?: string;
  json?: boolean;
}

/** Parts of `--witness node=N,leaf=N,step=N`. */
function parsePlace(
  text: string,
): { node: number; leaf: number; step: number } {
  const place = { node: 0, leaf: 0, step: 0 };
  for (const part of text.split(",")) {
    const [key, value] = part.split("=");
    if (!(key in place)) parseCount(part);
    place[key as keyof typeof place] = parseCount(value ?? "");
  }
  return place;
}

async function prove(path: string, options: ProveOptions): Promise<void> {
  const commitment = await openBundle(path);
  const inputs = await readInputs(options.input, commitment.model);
  const iterations = iterationsOf(commitment.model, options.iterations);
  const terms = { inputs, iterations, finish: true };
  const fault = options.fault === undefined
    ? undefined
    : parseFault(options.fault);
  const execution = await withExecutor(
    commitment.model,
    "cpu",
    async (executor) =>
      fault
        ? (await faultyParty(commitment, terms, executor, fault)).execution
        : await Execution.run(commitment, terms, executor),
  );
  if (options.witness !== undefined) return await proveStep(execution, options);
  const output = options.output ?? `${stem(path)}.claim`;
  await writeFile(
    output,
    writeClaim(
      execution,
      path,
      fault && { kind: fault.kind, step: fault.step, vmStep: fault.vmStep },
    ),
    "claim",
  );
  const roots = Array.from(
    { length: execution.steps + 1 },
    (_, i) => toHex(execution.stateRoot(i)),
  );
  if (options.json) {
    printJson({
      claim: output,
      modelRoot: commitment.modelRoot,
      steps: execution.steps,
      finalState: roots.at(-1),
      ...(options.states ? { states: roots } : {}),
    });
    return;
  }
  if (options.states) {
    roots.forEach((root, i) => console.log(`S_${i}  ${root}`));
  }
  console.log(`final state  ${roots.at(-1)}`);
  note(
    `Wrote ${output}: ${execution.steps} steps${
      fault ? `, false from node ${fault.step} on` : ""
    }`,
  );
}

async function proveStep(
  execution: Execution,
  options: ProveOptions,
): Promise<void> {
  const place = parsePlace(options.witness!);
  const trace = new LeafTrace(execution, place.node, place.leaf);
  const witness = trace.witnessAt(place.step);
  const { prestate, poststate } = stepWitness(witness);
  const output = options.output ?? `${stem(options.input[0])}.witness`;
  const text = writeWitness({
    modelRoot: execution.commitment.modelRoot.toHex(),
    step: place.node,
    leaf: place.leaf,
    vmStep: place.step,
    prestate: prestate.toHex(),
    claimed: poststate.toHex(),
    witness: witness.toHex(),
  });
  await writeFile(output, text, "witness");
  const instruction = instructionOf(witness)?.text ??
    "none: the machine had stopped";
  if (options.json) {
    printJson({
      witness: output,
      steps: trace.length,
      instruction,
      prestate,
      poststate,
    });
  } else {console.log(
      `${instruction}\nprestate   ${toHex(prestate)}\npoststate  ${
        toHex(poststate)
      }`,
    );}
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<bundle>", "a .clm file")
    .requiredOption(
      "-i, --input <file>",
      "an input, once for each (name=file)",
      collect,
      [],
    )
    .option(
      "-o, --output <file>",
      "the claim (default: the model's name with .claim)",
    )
    .option("--iterations <n>", "passes over the nodes", parseCount)
    .option("--states", "print the root of every state")
    .option(
      "--witness <place>",
      "write the witness of one machine step instead: node=N,leaf=N,step=N",
    )
    .option(
      "--fault <place>",
      "lie on purpose, for trying disputes: node=N,leaf=N,step=N,kind=K",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn prove m.clm --input x.png -o honest.claim\n  chainlearn prove m.clm --input x.png -o liar.claim --fault node=3\n  chainlearn bisect honest.claim liar.claim -o step.witness",
    )
    .action(prove);
}
