/**
 * Where a dispute is in time, in one word that every move carries. The same word in Solidity: contracts/src/Turn.sol.
 *
 * Lowest bits first: since 40, challenger's seconds 32, submitter's seconds 32, challenger's transactions 16, phase 8,
 * whether it is the submitter's turn 8, k 8, q 8, order of opening 32.
 */

/** Numbers of the phases that a move can continue, as in Turn.sol. */
export const phaseNumbers = {
  reveal: 1,
  graph: 2,
  tensor: 3,
  leaf: 4,
  instruction: 5,
} as const;

/** What the word holds. */
export interface Turn {
  /** When the running clock was started, in seconds. */
  readonly since: number;
  /** Seconds left at that time. */
  readonly challengerLeft: number;
  readonly submitterLeft: number;
  /** Transactions of the challenger, the opening included. */
  readonly transactions: number;
  readonly phase: keyof typeof phaseNumbers;
  readonly submitterTurn: boolean;
  readonly k: number;
  readonly q: number;
  /** Position in the order of opening, from 0. */
  readonly index: number;
}

/** The word of a turn. */
export function packTurn(turn: Turn): bigint {
  const fields: [number, bigint][] = [
    [turn.since, 0n],
    [turn.challengerLeft, 40n],
    [turn.submitterLeft, 72n],
    [turn.transactions, 104n],
    [phaseNumbers[turn.phase], 120n],
    [turn.submitterTurn ? 1 : 0, 128n],
    [turn.k, 136n],
    [turn.q, 144n],
    [turn.index, 152n],
  ];
  return fields.reduce((word, [value, at]) => word | BigInt(value) << at, 0n);
}

/** When the clock of a turn's word was started, in seconds. */
export function sinceOf(word: bigint): number {
  return Number(BigInt.asUintN(40, word));
}
