/**
 * `large`: disputes in a model of the shape of the 7B LLaMA, one about each kind of node; the dearest figures of all.
 *
 * The request is a whole conversation, so that n is as large as it gets. Weights are generated and hashed once for the
 * weights root and then exist for the node in dispute alone. Registered, requested, answered and played on a local chain.
 */
import {
  byteLength,
  type Commitment,
  commitModel,
  LLAMA_7B,
  llamaModel,
} from "../../compiler/mod.ts";
import {
  LeafTrace,
  type LocalChain,
  Party,
  type PlayedDispute,
  registerLocally,
  startLocalChain,
} from "../../dispute/mod.ts";
import { gasOfStep } from "../../contracts/mod.ts";
import { ChainLearnError } from "../../fpvm/mod.ts";
import {
  generatedRoots,
  generatedWeights,
} from "../../models/llama_shape/mod.ts";
import { formatCount, formatSeconds, formatTable } from "../terminal.ts";
import { openArena, playLie } from "./arena.ts";
import { stepKinds, witnessesOf } from "./gas_steps.ts";
import { type BenchContext, largest, type Measures } from "./group.ts";
import {
  type LargeLie,
  lieAbout,
  nodesByKind,
  promptBytes,
} from "./large_lies.ts";

/** Tokens of the conversation: the whole context. */
const ITERATIONS = LLAMA_7B.context;
const GIBIBYTE = 2 ** 30;

interface Played {
  readonly lie: LargeLie;
  readonly dispute: PlayedDispute;
}

/** Describes the model and hashes its weights. */
async function commitShape(
  { seed, say }: BenchContext,
): Promise<Commitment> {
  const started = performance.now();
  const model = llamaModel(LLAMA_7B, generatedWeights(seed));
  const bytes = model.constants.reduce((n, c) => n + byteLength(c.type), 0);
  const threads = navigator.hardwareConcurrency;
  let told = 0;
  const roots = await generatedRoots(
    model.constants,
    seed,
    threads,
    (done, total) => {
      if (done < total * (told + 0.1)) return;
      told = done / total;
      say(`Hashed ${(done / GIBIBYTE).toFixed(1)} GiB of generated weights`);
    },
  );
  const commitment = commitModel(model, roots);
  const seconds = (performance.now() - started) / 1000;
  say(
    `${model.nodes.length} nodes, ${model.slots.length} slots, ${
      (bytes / GIBIBYTE).toFixed(2)
    } GiB of weights: committed in ${formatSeconds(seconds)}`,
  );
  return commitment;
}

/** One dispute for each kind of node, the sides lying in turn. */
async function playKinds(
  commitment: Commitment,
  { seed, say }: BenchContext,
): Promise<Played[]> {
  await using chain = await startLocalChain();
  const arena = await openArena(chain);
  const { market } = arena.honest;
  const { registrationId } = await registerLocally(market, commitment);
  const inputs = [promptBytes(commitment, seed)];
  const terms = { inputs, iterations: ITERATIONS, finish: true };
  const played: Played[] = [];
  for (const [game, node] of nodesByKind(commitment).entries()) {
    const lie = lieAbout(commitment, terms, node, seed + game);
    const forgery = { kind: "consistent", step: lie.vmStep } as const;
    const dispute = await playLie(arena, {
      name: `"${lie.node}"`,
      registrationId,
      game,
      truth: new Party(lie.truth),
      lie: new Party(lie.lie, forgery),
      liar: game % 2 === 0 ? "challenger" : "submitter",
    });
    if (dispute.ending !== "step") {
      throw new ChainLearnError(
        `Cannot trust the dispute about "${lie.node}": expected it to end by a step, found by ${dispute.ending}`,
        { exitCode: 1 },
      );
    }
    say(`Played ${lie.kind}`);
    played.push({ lie, dispute });
  }
  const longest = played.reduce((a, b) => b.lie.length > a.lie.length ? b : a);
  await sayGasOfSteps(chain, longest.lie, say);
  return played;
}

/** Dearest single step of each kind in the leaf program of the largest matrix product, as transactions. */
async function sayGasOfSteps(
  chain: LocalChain,
  { truth, leaf, kind }: LargeLie,
  say: (text: string) => void,
): Promise<void> {
  const trace = new LeafTrace(truth, truth.disputed.step, leaf);
  const witnesses = witnessesOf(trace.stateAt(0));
  const costs: string[] = [];
  for (const step of stepKinds) {
    const list: number[] = [];
    for (const witness of witnesses[step]) {
      const { machine } = chain.deployment;
      list.push(await gasOfStep(chain.rpcUrl, machine, witness));
    }
    costs.push(`${step} ${formatCount(largest(list))}`);
  }
  say(`Gas of a step of ${kind}: ${costs.join(", ")}`);
}

/** What the operating system says was the most memory of this process, all threads; undefined where it does not say. */
async function peakBytes(): Promise<number | undefined> {
  const status = await Deno.readTextFile("/proc/self/status").catch(() => "");
  const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : 1024 * Number(kilobytes);
}

function tableOf(played: readonly Played[]): string {
  const rows = played.map(({ lie, dispute }) => [
    lie.kind,
    formatCount(lie.length),
    String(dispute.transactions),
    formatCount(dispute.gas),
    `${dispute.rounds.graph} + ${dispute.rounds.tensor} + ${dispute.rounds.instruction}`,
    formatSeconds(dispute.seconds),
  ]);
  return formatTable(rows, [
    "kind of node",
    "steps of a leaf",
    "transactions",
    "gas",
    "rounds",
    "time",
  ]);
}

export async function measure(context: BenchContext): Promise<Measures> {
  const { say } = context;
  const commitment = await commitShape(context);
  const played = await playKinds(commitment, context);
  tableOf(played).split("\n").forEach(say);
  const peak = await peakBytes();
  if (peak !== undefined) {
    say(`Peak memory: ${(peak / GIBIBYTE).toFixed(2)} GiB`);
  }
  const most = (of: (dispute: PlayedDispute) => number) =>
    largest(played.map(({ dispute }) => of(dispute)));
  return {
    "large.gas": most((dispute) => dispute.gas),
    "large.transactions": most((dispute) => dispute.transactions),
    "large.seconds": most((dispute) => dispute.seconds),
  };
}
