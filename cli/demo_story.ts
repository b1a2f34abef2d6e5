/**
 * The demonstration as a text: who claims what, where the game went, what the contract executed.
 *
 * Lines only; playing is demo.ts's work.
 */
import { basename } from "node:path";
import { formatEther } from "viem";
import type { Commitment } from "../compiler/mod.ts";
import type { PlayedDispute } from "../dispute/mod.ts";
import { describeOutput } from "./run.ts";
import { formatCount, formatSeconds, formatTable, paint } from "./terminal.ts";

/** Who plays; the liar is called Mallory, as always. */
export const names = {
  honest: "Alice",
  liar: "Mallory",
} as const;

/** The label of a model's first output, or its largest element. */
export function answerText(
  { model }: Commitment,
  outputs: readonly Uint8Array[],
): string {
  const { label, top } = describeOutput(model, model.outputs[0], outputs[0]);
  return label ?? (top[0] ? `element ${top[0].index}` : "nothing");
}

/** The head of the story. */
export function opening(
  commitment: Commitment,
  files: { model: string; inputs: readonly string[] },
  chain: { rpcUrl: string; gas: bigint; seconds: number },
): string {
  const { model, programs } = commitment;
  return [
    paint.bold(
      "Act on a model's answer on chain, without trusting whoever computed it.",
    ),
    "",
    formatTable([
      [
        "model",
        `${
          basename(files.model)
        }: ${model.nodes.length} nodes, ${programs.length} programs of the fraud-proof machine`,
      ],
      ["input", files.inputs.map((path) => basename(path)).join(", ")],
      [
        "chain",
        `local, four contracts deployed for ${formatCount(chain.gas)} gas`,
      ],
      ["ready", `after ${formatSeconds(chain.seconds)}`],
    ]),
  ].join("\n");
}

/** What both sides say before a dispute. */
export function accusation(
  liar: PlayedDispute["liar"],
  claims: { honest: string; liar: string },
  stake: bigint,
): string {
  const ether = `${formatEther(stake)} ETH`;
  const differs = claims.honest === claims.liar
    ? "the same label from other bytes"
    : `"${claims.liar}"`;
  const lines = liar === "submitter"
    ? [
      paint.bold("A lying submitter"),
      `${names.liar} answers ${differs} and stakes ${ether} on it.`,
      `${names.honest} runs the model herself, gets "${claims.honest}", and disputes.`,
    ]
    : [
      paint.bold("A lying challenger"),
      `${names.honest} answers "${claims.honest}" and stakes ${ether} on it.`,
      `${names.liar} stakes on ${differs} instead, to stop the true answer.`,
    ];
  return ["", ...lines].join("\n");
}

/** The game, phase by phase, down to the instruction, and who lost. */
export function verdict(commitment: Commitment, game: PlayedDispute): string {
  const { nodes } = commitment.model;
  const { fault, rounds, widths, instruction, winner, liar } = game;
  const node = fault.node === null ? undefined : nodes[fault.node];
  const place = (what: string, at: number | null) =>
    at === null ? "" : `${what} ${formatCount(at)}`;
  const row = (
    phase: keyof typeof rounds,
    one: string,
    many: string,
    found: string,
  ) =>
    widths[phase] === 0 ? [] : [[
      `  ${phase}`,
      `${rounds[phase]} round${rounds[phase] === 1 ? " " : "s"}`,
      `of ${formatCount(widths[phase])} ${widths[phase] === 1 ? one : many}`,
      found,
    ]];
  const rows = [
    ...row(
      "graph",
      "step",
      "steps",
      place("node", fault.node) + (node ? ` "${node.name}"` : ""),
    ),
    ...row("tensor", "leaf", "leaves", place("leaf", fault.leaf)),
    ...row("instruction", "step", "steps", place("step", fault.step)),
  ];
  const lost = winner === liar
    ? paint.red(`The liar won: this must not happen.`)
    : paint.green(`${names.liar} loses the stake.`);
  return [
    "",
    ...(rows.length > 0 ? [formatTable(rows), ""] : []),
    ...(instruction
      ? [
        "The contract executes the one instruction that is left:",
        "",
        `    ${paint.dim(address(instruction.pc))}  ${
          paint.cyan(instruction.text)
        }`,
        "",
        liar === "submitter"
          ? `and gets the state that ${names.honest} claimed. ${lost}`
          : `and not the state that ${names.liar} claimed. ${lost}`,
      ]
      : [`${endings[game.ending]} ${lost}`]),
    `${game.transactions} transactions, ${formatCount(game.gas)} gas, ${
      formatSeconds(game.seconds)
    }`,
  ].join("\n");
}

const endings: Readonly<Record<PlayedDispute["ending"], string>> = {
  equal_claim: "Both claim the same: there is nothing to dispute.",
  identity: "The step changes nothing.",
  finish: "The contract recomputes the finish step.",
  step: "The machine had stopped: the step changes nothing.",
  time_out: `${names.liar} has no legal move left and runs out of time.`,
};

const address = (pc: number) => `0x${pc.toString(16).padStart(8, "0")}`;

/** The end of the story. */
export function ending(
  final: { status: string; label: string },
  seconds: number,
): string {
  return [
    "",
    paint.bold("The answer"),
    `"${final.label}" is ${final.status} on chain: a contract may act on it.`,
    paint.dim(`All of it took ${formatSeconds(seconds)}.`),
  ].join("\n");
}
