/**
 * `chainlearn demo`: one request on a local chain, a lying submitter, a lying challenger, and the true answer in the end.
 *
 * What it prints about disputes and the answer is read from the chain.
 */
import type { Command } from "commander";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Hex, hexToBytes } from "viem";
import type { Commitment } from "../compiler/mod.ts";
import {
  answerRequest,
  type Contestant,
  type Draw,
  drawsFrom,
  Execution,
  type FaultWish,
  findFault,
  type Liar,
  type LocalChain,
  type LocalParty,
  parseFaultWish,
  Party,
  playDispute,
  type PlayedDispute,
  registerLocally,
  requestLocally,
  startLocalChain,
} from "../dispute/mod.ts";
import { ChainLearnError } from "../fpvm/mod.ts";
import { createCpuExecutor, type Executor } from "../runtime/mod.ts";
import {
  accusation,
  answerText,
  ending,
  opening,
  verdict,
} from "./demo_story.ts";
import { exists } from "./files.ts";
import { readInputs } from "./inputs.ts";
import { openModel } from "./model_files.ts";
import { collect, parseChoice, parseCount } from "./options.ts";
import { printJson } from "./terminal.ts";

const liars = ["submitter", "challenger", "both"] as const;

interface DemoOptions {
  model?: string;
  input: string[];
  fault?: string;
  liar: (typeof liars)[number];
  seed: number;
  json?: boolean;
}

/** The model that is played where none is named, relative to this file. */
const DEFAULT_MODEL = "../models/fashion_cnn/fashion_cnn.onnx";
const FEE = 10n ** 15n;

/** Everything that the acts of the play share. */
interface Stage {
  readonly chain: LocalChain;
  readonly honest: LocalParty;
  readonly liar: LocalParty;
  readonly commitment: Commitment;
  readonly truth: Execution;
  readonly executor: Executor;
  readonly requestId: Hex;
  readonly stake: bigint;
  readonly wish: FaultWish;
  readonly draw: Draw;
  readonly tell: (text: string) => void;
}

/** Model and inputs: as named, else those that come with the project. */
async function findFiles(
  options: DemoOptions,
): Promise<{ model: string; inputs: string[] }> {
  const model = options.model ??
    fileURLToPath(new URL(DEFAULT_MODEL, import.meta.url));
  if (options.model === undefined && !await exists(model)) {
    throw new ChainLearnError(
      "Cannot find the demonstration's model: expected the project's models folder, found none",
      { hint: "Name a model: chainlearn demo --model m.onnx --input x.png" },
    );
  }
  if (options.input.length > 0) return { model, inputs: options.input };
  const pictures = join(dirname(model), "pictures");
  const found = await firstPicture(pictures);
  if (found === undefined) {
    throw new ChainLearnError(
      `Cannot choose an input for ${model}: expected a picture in ${pictures}, found none`,
      { hint: "Name one: --input x.png" },
    );
  }
  return { model, inputs: [found] };
}

async function firstPicture(folder: string): Promise<string | undefined> {
  try {
    const names = await Array.fromAsync(Deno.readDir(folder), (e) => e.name);
    const first = names.filter((n) => n.endsWith(".png")).sort()[0];
    return first && join(folder, first);
  } catch {
    return undefined;
  }
}

async function demo(options: DemoOptions): Promise<void> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const tell = options.json ? () => {} : (text: string) => console.log(text);
  const wish = options.fault === undefined ? {} : parseFaultWish(options.fault);
  const files = await findFiles(options);
  // It starts while the model is converted; a failure is reported where it is awaited.
  const starting = startLocalChain();
  starting.catch(() => {});
  try {
    const commitment = await openModel(files.model);
    const inputs = await readInputs(files.inputs, commitment.model);
    await using chain = await starting;
    const executor = await createCpuExecutor(commitment.model, { threads: 1 });
    try {
      const stage = await setUp({ chain, commitment, executor, inputs }, {
        wish: { arithmetic: true, ...wish },
        draw: drawsFrom(options.seed),
        tell,
      });
      const gas = Object.values(chain.deploymentGas)
        .reduce((sum, g) => sum + g, 0n);
      tell(opening(commitment, files, {
        rpcUrl: chain.rpcUrl,
        gas,
        seconds: seconds(),
      }));
      const { disputes, final } = await play(stage, options.liar);
      tell(ending(final, seconds()));
      if (options.json) printJson({ disputes: disputes.map(shown), final });
      if (disputes.some((game) => game.winner === game.liar)) {
        Deno.exitCode = 1;
      }
    } finally {
      executor.close();
    }
  } catch (error) {
    await starting.then((chain) => chain.stop(), () => {});
    throw error;
  }
}

async function setUp(
  { chain, commitment, executor, inputs }:
    & Pick<Stage, "chain" | "commitment" | "executor">
    & { inputs: Uint8Array[] },
  rest: Pick<Stage, "wish" | "draw" | "tell">,
): Promise<Stage> {
  const { schedule } = commitment.model;
  const iterations = schedule.kind === "fixed" ? schedule.iterations : 1;
  const terms = { inputs, iterations, finish: true };
  const truth = await Execution.run(commitment, terms, executor);
  const [requester, honest, liar] = await Promise.all(
    ["requester", "honest", "liar"].map(chain.party),
  );
  const { registrationId } = await registerLocally(
    requester.market,
    commitment,
  );
  const { requestId } = await requestLocally(
    requester.market,
    registrationId,
    terms,
    { nonce: 0n, fee: FEE },
  );
  const { stake } = await requester.market.requestState(requestId);
  const parts = { chain, commitment, executor, truth, requestId, stake };
  return { ...parts, honest, liar, ...rest };
}

/** Both acts, or one, and the end: the request reopens after a false answer and takes the true one. */
async function play(stage: Stage, liar: DemoOptions["liar"]) {
  const disputes: PlayedDispute[] = [];
  if (liar !== "challenger") disputes.push(await act(stage, "submitter"));
  if (liar !== "submitter") {
    disputes.push(await act(stage, "challenger"));
  } else {
    const { honest, truth, requestId } = stage;
    await answerRequest(requestId, {
      account: honest,
      party: new Party(truth),
    });
  }
  return { disputes, final: await conclude(stage) };
}

/** One dispute, with one fault. */
async function act(
  stage: Stage,
  side: PlayedDispute["liar"],
): Promise<PlayedDispute> {
  const { commitment, truth, executor, wish, draw, chain, requestId } = stage;
  const truthful = answerText(commitment, truth.outputs);
  const { fault, party } = await findFault(
    truth,
    executor,
    wish,
    draw,
    (lie) => isTelling(stage, side, lie),
  );
  const honest: Contestant = { account: stage.honest, party: new Party(truth) };
  const liar: Contestant = {
    account: stage.liar,
    party,
    manners: fault.kind === "silence"
      ? { moves: fault.moves, late: false }
      : undefined,
  };
  const sides = side === "submitter"
    ? { submitter: liar, challenger: honest }
    : { submitter: honest, challenger: liar };
  const claims = {
    honest: truthful,
    liar: answerText(commitment, party.execution.outputs),
  };
  stage.tell(accusation(side, claims, stage.stake));
  await answerRequest(requestId, sides.submitter);
  const game = await playDispute(chain, requestId, sides, side);
  stage.tell(verdict(commitment, game));
  return game;
}

/** Whether a lie shows all phases of the game, and a submitter's another label. */
function isTelling(
  { commitment, truth }: Stage,
  side: PlayedDispute["liar"],
  { fault, party }: Liar,
): boolean {
  const { descriptors } = commitment;
  const { resultHeight } = descriptors[fault.step % descriptors.length];
  const text = (execution: Execution) =>
    answerText(commitment, execution.outputs);
  return resultHeight > 0 &&
    (side === "challenger" || text(party.execution) !== text(truth));
}

/** Waits for the challenge period to end and reads the final answer from the chain. */
async function conclude({ chain, honest, requestId, commitment }: Stage) {
  const { market } = honest;
  const { challengePeriod } = await market.requestState(requestId);
  await chain.advance(challengePeriod + 1);
  await market.finalize(requestId);
  const { request, outputs } = await market.status(requestId);
  const bytes = outputs.map(({ data }) => hexToBytes(data));
  return {
    status: request.status,
    output: outputs.map(({ data }) => data).join(","),
    label: answerText(commitment, bytes),
  };
}

/** What `--json` shows of a dispute. */
function shown(game: PlayedDispute) {
  const { liar, fault, winner, ending, rounds, transactions, gas } = game;
  const { gasByMove, seconds, instruction } = game;
  const cost = { rounds, transactions, gas, gasByMove, seconds };
  return { liar, fault, winner, ending, ...cost, instruction };
}

/** Adds the command's options. */
export function define(command: Command): void {
  command
    .option("-m, --model <file>", "an ONNX file or a bundle")
    .option(
      "-i, --input <file>",
      "an input, once for each (default: the first of pictures/ beside the model)",
      collect,
      [],
    )
    .option("--fault <place>", "where the lie is: node=N,leaf=N,step=N,kind=K")
    .option(
      "--liar <side>",
      "submitter, challenger or both",
      parseChoice(liars),
      "both",
    )
    .option("--seed <n>", "draws what --fault leaves open", parseCount, 1)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExamples:\n  chainlearn demo\n  chainlearn demo --fault node=3 --liar submitter\n  chainlearn demo --model m.onnx --input x.png --json",
    )
    .action(demo);
}
