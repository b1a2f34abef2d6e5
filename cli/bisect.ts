/** `chainlearn bisect`: plays both sides of a dispute between two claims, without a chain. */
import type { Command } from "commander";
import { dirname, join } from "node:path";
import {
  arbitratedStep,
  type ClaimFile,
  DEFAULT_ROUNDS,
  instructionOf,
  parseClaim,
  partyOfClaim,
  playLocally,
  shapeOf,
  writeWitness,
} from "../dispute/mod.ts";
import { ChainLearnError, stepWitness } from "../fpvm/mod.ts";
import { openBundle } from "./bundles.ts";
import { exists, readText, writeFile } from "./files.ts";
import { parseCount } from "./options.ts";
import { formatTable, note, paint, printJson, toHex } from "./terminal.ts";

interface BisectOptions {
  model?: string;
  output: string;
  k: number;
  q: number;
  json?: boolean;
}

/** The bundle of a claim: as named on the command line, else where the claim says, else beside the claim. */
async function findBundle(
  claim: ClaimFile,
  file: string,
  model?: string,
): Promise<string> {
  const beside = join(dirname(file), claim.bundle);
  for (const path of model === undefined ? [claim.bundle, beside] : [model]) {
    if (await exists(path)) return path;
  }
  throw new ChainLearnError(
    `Cannot find the bundle of ${file}: expected ${
      model ?? claim.bundle
    }, found no file`,
    {
      hint: "Name it with --model m.clm",
    },
  );
}

async function bisect(
  submitterFile: string,
  challengerFile: string,
  options: BisectOptions,
): Promise<void> {
  const [submitterClaim, challengerClaim] = await Promise.all(
    [submitterFile, challengerFile].map(async (file) =>
      parseClaim(await readText(file, "claim"), file)
    ),
  );
  const commitment = await openBundle(
    await findBundle(submitterClaim, submitterFile, options.model),
  );
  const submitter = partyOfClaim(submitterClaim, commitment, submitterFile);
  const challenger = partyOfClaim(challengerClaim, commitment, challengerFile);
  if (
    JSON.stringify(submitterClaim.inputs) !==
      JSON.stringify(challengerClaim.inputs)
  ) {
    throw new ChainLearnError(
      "Cannot bisect: expected claims about the same input, found different ones",
    );
  }
  if (
    submitter.steps !== challenger.steps ||
    submitterClaim.finish !== challengerClaim.finish
  ) {
    throw new ChainLearnError(
      "Cannot bisect: expected claims of the same length, found different ones",
    );
  }
  const shape = shapeOf(commitment);
  const result = playLocally(
    shape,
    challenger,
    submitter,
    submitterClaim.finish,
    { k: options.k, q: options.q },
  );
  const rounds = { graph: 0, tensor: 0, instruction: 0 };
  for (const { move, view } of result.moves) {
    if (
      move.kind === "answer" && view.phase !== "resolved" &&
      view.phase !== "reveal"
    ) {
      rounds[view.phase === "leaf" ? "tensor" : view.phase]++;
    }
  }
  const step = arbitratedStep(result);
  const names = { submitter: submitterFile, challenger: challengerFile };
  const summary = {
    winner: names[result.winner],
    winnerRole: result.winner,
    moves: result.moves.length,
    rounds,
    ...(result.refused ? { refused: result.refused } : {}),
    ...(step
      ? await describe(step, commitment.modelRoot.toHex(), options.output)
      : {}),
  };
  if (options.json) return printJson(summary);
  const { rounds: _, winnerRole, winner, ...facts } = summary;
  const rows = [["winner", `${winner}, the ${winnerRole}`]];
  for (const [key, value] of Object.entries(facts)) {
    rows.push([key, String(value)]);
  }
  rows.push([
    "rounds",
    `graph ${rounds.graph}, tensor ${rounds.tensor}, instruction ${rounds.instruction}`,
  ]);
  console.log(formatTable(rows));
  if (step) {
    note(
      `Wrote ${options.output}; judge it with ${
        paint.bold(`chainlearn arbitrate ${options.output}`)
      }`,
    );
  }
}

async function describe(
  step: NonNullable<ReturnType<typeof arbitratedStep>>,
  modelRoot: string,
  output: string,
) {
  const { branch, interval, witness } = step;
  const { prestate, poststate } = stepWitness(witness);
  await writeFile(
    output,
    writeWitness({
      modelRoot,
      step: Number(branch.step),
      leaf: branch.index,
      vmStep: Number(interval.lo),
      prestate: prestate.toHex(),
      claimed: interval.high.slice(2),
      witness: witness.toHex(),
    }),
    "witness",
  );
  return {
    node: Number(branch.step),
    leaf: branch.index,
    step: Number(interval.lo),
    instruction: instructionOf(witness)?.text ??
      "none: the machine had stopped",
    prestate: toHex(prestate),
    poststate: toHex(poststate),
    claimed: interval.high,
  };
}

/** Adds the command's arguments and options. */
export function define(command: Command): void {
  command
    .argument("<submitter>", "the claim that was posted")
    .argument("<challenger>", "the claim that disputes it")
    .option(
      "-m, --model <bundle>",
      "the .clm file (default: as the claim names it)",
    )
    .option("-o, --output <file>", "the disputed step", "step.witness")
    .option("--k <n>", "segments per round", parseCount, DEFAULT_ROUNDS.k)
    .option("--q <n>", "tree levels per round", parseCount, DEFAULT_ROUNDS.q)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExample:\n  chainlearn bisect liar.claim honest.claim -o step.witness && chainlearn arbitrate step.witness",
    )
    .action(bisect);
}
